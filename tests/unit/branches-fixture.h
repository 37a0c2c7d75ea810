/* A mount of two accounts, one that is broken and one that is still expected,
 * without a kernel: requests are put in as it would send them, and what comes
 * out is looked at. */
#pragma once

#include "fs/kernel/branches.h"

#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/root-directory.h"

#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE_BYTES 65536
#define MAIL_INODE (G_GUINT64_CONSTANT(3) << 32 | 77)

enum { WORK, HOME, BROKEN, LATER, N_ACCOUNTS };

static const char *const names[] = {"work", "home", "broken", "later"};

typedef struct Scene Scene;

/* An account: it knows one message, and of it the directory of flags. */
typedef struct {
    Scene *scene;
    fuse_req_t waiting; /* a read that is not answered */
    guint n_asked;
    fuse_ino_t asked; /* of the last request */
    fuse_ino_t asked_second;
    gboolean interrupted;
    guint n_runs; /* of the operation that waits */
} Fake;

struct Scene {
    int kernel; /* the kernel's end */
    FsSession *session;
    FsBranches *branches;
    FsRootDirectory *root;
    Fake accounts[N_ACCOUNTS];
    struct fuse_session *fuse[N_ACCOUNTS];
    guint numbers[N_ACCOUNTS];
    guint64 unique;
    guint32 sender; /* of requests: a thread; 0: one that is not seen */
    guint64 reply_buffer[MESSAGE_BYTES / sizeof(guint64)];
    gsize reply_length;
};

/* ---- an account ---- */

static inline Fake *
asked(fuse_req_t request, fuse_ino_t inode)
{
    Fake *fake = fuse_req_userdata(request);

    fake->n_asked++;
    fake->asked = inode;
    return fake;
}

static inline struct fuse_entry_param
entry_of(fuse_ino_t inode)
{
    struct fuse_entry_param entry = {.ino = inode, .attr.st_ino = inode};

    entry.attr.st_mode = S_IFREG | 0400;
    return entry;
}

static inline void
fake_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = entry_of(MAIL_INODE);

    asked(request, parent);
    if (strcmp(name, "flags") == 0)
        entry = entry_of(MAIL_INODE | FS_INODE_FLAGS);
    if (strcmp(name, "missing") == 0)
        fuse_reply_err(request, ENOENT);
    else
        fuse_reply_entry(request, &entry);
}

static inline void
fake_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct fuse_entry_param entry = entry_of(inode);

    asked(request, inode);
    fuse_reply_attr(request, &entry.attr, 1);
}

static inline void
list(fuse_req_t request, gboolean plus)
{
    static const fuse_ino_t inodes[] = {0, MAIL_INODE,
                                        MAIL_INODE | FS_INODE_FLAGS};
    static const char *const listed[] = {".", "mail", "flags"};
    char buffer[4096];
    gsize used = 0;

    for (guint i = 0; i < 3; i++) {
        struct fuse_entry_param entry = entry_of(inodes[i]);

        if (i == 0)
            entry.attr.st_ino = FS_INODE_ROOT;
        used += plus ? fuse_add_direntry_plus(request, buffer + used,
                                              sizeof buffer - used, listed[i],
                                              &entry, i + 1)
                     : fuse_add_direntry(request, buffer + used,
                                         sizeof buffer - used, listed[i],
                                         &entry.attr, i + 1);
    }
    fuse_reply_buf(request, buffer, used);
}

static inline void
fake_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *file)
{
    asked(request, inode);
    list(request, FALSE);
}

static inline void
fake_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                 off_t offset, struct fuse_file_info *file)
{
    asked(request, inode);
    list(request, TRUE);
}

static inline void
fake_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
            fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    asked(request, parent)->asked_second = new_parent;
    fuse_reply_err(request, 0);
}

static inline void
fake_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent,
          const char *new_name)
{
    struct fuse_entry_param entry = entry_of(inode);

    asked(request, new_parent)->asked_second = inode;
    fuse_reply_entry(request, &entry);
}

static inline void
interrupted(fuse_req_t request, void *data)
{
    ((Fake *)data)->interrupted = TRUE;
}

static inline void
fake_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
          struct fuse_file_info *file)
{
    Fake *fake = asked(request, inode);

    fake->waiting = request;
    fuse_req_interrupt_func(request, interrupted, fake);
}

static FsNeed *need; /* of all operations that wait */

static inline void
run_statfs(FsOperation *operation)
{
    ((Fake *)operation->user_data)->n_runs++;
    fs_operation_wait(operation, need);
}

static inline void
fake_statfs(fuse_req_t request, fuse_ino_t inode)
{
    fs_operation_start(request, run_statfs, inode, NULL, 0, 0, NULL);
}

static const struct fuse_lowlevel_ops fake_ops = {
    .statfs = fake_statfs,
    .lookup = fake_lookup,
    .getattr = fake_getattr,
    .readdir = fake_readdir,
    .readdirplus = fake_readdirplus,
    .rename = fake_rename,
    .link = fake_link,
    .read = fake_read,
};

/* ---- the kernel ---- */

static inline ssize_t
read_nothing(int fd, void *buffer, size_t size, void *user_data)
{
    return 0;
}

static inline ssize_t
write_out(int fd, struct iovec *parts, int count, void *user_data)
{
    return writev(fd, parts, count);
}

/* Returns the number of the request. */
static inline guint64
put(Scene *scene, guint32 opcode, guint64 inode, const void *body, gsize length,
    const char *first, const char *second)
{
    static guint64 message[MESSAGE_BYTES / sizeof(guint64)];
    struct fuse_in_header *header = (struct fuse_in_header *)message;
    struct fuse_buf buffer = {.mem = message};
    char *at = (char *)(header + 1);

    memset(message, 0, sizeof message);
    scene->unique += 2;
    header->opcode = opcode;
    header->unique = scene->unique;
    header->nodeid = inode;
    header->uid = getuid();
    header->pid = scene->sender;
    if (length > 0)
        memcpy(at, body, length);
    at += length;
    if (first != NULL)
        at = g_stpcpy(at, first) + 1;
    if (second != NULL)
        at = g_stpcpy(at, second) + 1;
    buffer.size = (gsize)(at - (char *)message);
    header->len = (guint32)buffer.size;
    fs_session_handle(scene->session, &buffer);
    return scene->unique;
}

/* NULL: nothing was said. */
static const struct fuse_out_header *
take(Scene *scene)
{
    ssize_t length = recv(scene->kernel, scene->reply_buffer,
                          sizeof scene->reply_buffer, MSG_DONTWAIT);

    scene->reply_length = length > 0 ? (gsize)length : 0;
    return length > 0 ? (const void *)scene->reply_buffer : NULL;
}

static const void *
body_of(const struct fuse_out_header *reply)
{
    return reply + 1;
}

/* What the answer has; fails if it is an error. */
static const void *
ask(Scene *scene, guint32 opcode, guint64 inode, const void *body, gsize length,
    const char *first, const char *second)
{
    guint64 unique = put(scene, opcode, inode, body, length, first, second);
    const struct fuse_out_header *reply = take(scene);

    assert_non_null(reply);
    assert_int_equal(reply->unique, unique);
    assert_int_equal(reply->error, 0);
    assert_int_equal(reply->len, scene->reply_length);
    assert_null(recv(scene->kernel, &unique, sizeof unique, MSG_DONTWAIT) > 0
                    ? scene
                    : NULL);
    return body_of(reply);
}

static inline int
errno_of(Scene *scene, guint32 opcode, guint64 inode, const void *body,
         gsize length, const char *first, const char *second)
{
    guint64 unique = put(scene, opcode, inode, body, length, first, second);
    const struct fuse_out_header *reply = take(scene);

    assert_non_null(reply);
    assert_int_equal(reply->unique, unique);
    assert_int_equal(reply->len, sizeof *reply);
    return -reply->error;
}

static inline guint64
root_of(Scene *scene, int account)
{
    return fs_branches_root(scene->branches, scene->numbers[account]);
}

/* As the kernel is told it. */
static inline guint64
number_of(Scene *scene, int account, guint64 inode)
{
    return inode | (guint64)scene->numbers[account] << 52;
}

/* ---- the scene ---- */

static inline char *
describe(gpointer user_data)
{
    return g_strdup("how they are\n");
}

static inline void
add_account(Scene *scene, int i)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

    fuse_opt_add_arg(&args, "imapfs");
    scene->accounts[i].scene = scene;
    scene->fuse[i] =
        fs_branches_add(scene->branches, scene->numbers[i], names[i], &args,
                        &fake_ops, &scene->accounts[i], NULL);
    assert_non_null(scene->fuse[i]);
    fuse_opt_free_args(&args);
}

static inline int
set_up(void **state)
{
    const struct fuse_custom_io io = {.read = read_nothing,
                                      .writev = write_out};
    const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
                                      .minor = 36,
                                      .max_readahead = 131072,
                                      .flags = FUSE_DO_READDIRPLUS};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    Scene *scene = g_new0(Scene, 1);
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    scene->kernel = ends[0];
    scene->root = fs_root_directory_new(1, 2, 0500, describe, NULL);
    fuse_opt_add_arg(&args, "imapfs");
    scene->session =
        fs_session_new(&args, &fs_root_directory_ops, scene->root, NULL);
    fuse_opt_free_args(&args);
    assert_true(fs_session_use_io(scene->session, &io, ends[1]));
    scene->branches = fs_branches_new(scene->session);
    fs_node_numbers_of_names(names, N_ACCOUNTS, scene->numbers);
    for (int i = 0; i < N_ACCOUNTS; i++) {
        fs_root_directory_add(scene->root, names[i], root_of(scene, i));
        if (i == LATER)
            assert_true(fs_branches_expect(scene->branches, scene->numbers[i],
                                           names[i], NULL));
        else if (i != BROKEN)
            add_account(scene, i);
    }
    fs_root_directory_set_broken(scene->root, root_of(scene, BROKEN), EACCES);
    ask(scene, FUSE_INIT, 0, &init, sizeof init, NULL, NULL);
    *state = scene;
    return 0;
}

static inline int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_branches_end(scene->branches);
    fs_branches_free(scene->branches);
    fs_session_free(scene->session);
    fs_root_directory_free(scene->root);
    close(scene->kernel);
    g_free(scene);
    return 0;
}
