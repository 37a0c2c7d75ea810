/* A mount of two accounts and one that is broken, without a kernel: requests
 * are put in as it would send them, and what comes out is looked at. */
#include "fs/kernel/branches.h"

#include "fs/kernel/inode.h"
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

enum { WORK, HOME, BROKEN, N_ACCOUNTS };

static const char *const names[] = {"work", "home", "broken"};

typedef struct Scene Scene;

/* An account: it knows one message, and of it the directory of flags. */
typedef struct {
    Scene *scene;
    fuse_req_t waiting; /* a read that is not answered */
    guint n_asked;
    fuse_ino_t asked; /* of the last request */
    fuse_ino_t asked_second;
    gboolean interrupted;
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
    guint64 reply_buffer[MESSAGE_BYTES / sizeof(guint64)];
    gsize reply_length;
};

/* ---- an account ---- */

static Fake *
asked(fuse_req_t request, fuse_ino_t inode)
{
    Fake *fake = fuse_req_userdata(request);

    fake->n_asked++;
    fake->asked = inode;
    return fake;
}

static struct fuse_entry_param
entry_of(fuse_ino_t inode)
{
    struct fuse_entry_param entry = {.ino = inode, .attr.st_ino = inode};

    entry.attr.st_mode = S_IFREG | 0400;
    return entry;
}

static void
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

static void
fake_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct fuse_entry_param entry = entry_of(inode);

    asked(request, inode);
    fuse_reply_attr(request, &entry.attr, 1);
}

static void
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

static void
fake_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *file)
{
    asked(request, inode);
    list(request, FALSE);
}

static void
fake_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                 off_t offset, struct fuse_file_info *file)
{
    asked(request, inode);
    list(request, TRUE);
}

static void
fake_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
            fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    asked(request, parent)->asked_second = new_parent;
    fuse_reply_err(request, 0);
}

static void
fake_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent,
          const char *new_name)
{
    struct fuse_entry_param entry = entry_of(inode);

    asked(request, new_parent)->asked_second = inode;
    fuse_reply_entry(request, &entry);
}

static void
interrupted(fuse_req_t request, void *data)
{
    ((Fake *)data)->interrupted = TRUE;
}

static void
fake_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
          struct fuse_file_info *file)
{
    Fake *fake = asked(request, inode);

    fake->waiting = request;
    fuse_req_interrupt_func(request, interrupted, fake);
}

static const struct fuse_lowlevel_ops fake_ops = {
    .lookup = fake_lookup,
    .getattr = fake_getattr,
    .readdir = fake_readdir,
    .readdirplus = fake_readdirplus,
    .rename = fake_rename,
    .link = fake_link,
    .read = fake_read,
};

/* ---- the kernel ---- */

static ssize_t
read_nothing(int fd, void *buffer, size_t size, void *user_data)
{
    return 0;
}

static ssize_t
write_out(int fd, struct iovec *parts, int count, void *user_data)
{
    return writev(fd, parts, count);
}

/* Returns the number of the request. */
static guint64
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

static int
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

static guint64
root_of(Scene *scene, int account)
{
    return fs_branches_root(scene->branches, scene->numbers[account]);
}

/* As the kernel is told it. */
static guint64
number_of(Scene *scene, int account, guint64 inode)
{
    return inode | (guint64)scene->numbers[account] << 52;
}

/* ---- the scene ---- */

static char *
describe(gpointer user_data)
{
    return g_strdup("how they are\n");
}

static void
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

static int
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
        if (i != BROKEN)
            add_account(scene, i);
    }
    fs_root_directory_set_broken(scene->root, root_of(scene, BROKEN), EACCES);
    ask(scene, FUSE_INIT, 0, &init, sizeof init, NULL, NULL);
    *state = scene;
    return 0;
}

static int
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

/* ---- requests ---- */

static void
request_goes_to_its_account_in_its_terms(void **state)
{
    Scene *scene = *state;

    for (int i = WORK; i <= HOME; i++) {
        const struct fuse_entry_out *entry =
            ask(scene, FUSE_LOOKUP, root_of(scene, i), NULL, 0, "mail", NULL);

        assert_int_equal(scene->accounts[i].asked, FS_INODE_ROOT);
        assert_int_equal(scene->accounts[i].n_asked, 1);
        assert_true(entry->nodeid == number_of(scene, i, MAIL_INODE));
        assert_true(entry->attr.ino == entry->nodeid);
    }
}

static void
number_that_was_told_leads_back(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_entry_out *entry =
        ask(scene, FUSE_LOOKUP, root_of(scene, HOME), NULL, 0, "flags", NULL);
    guint64 number = entry->nodeid;
    const struct fuse_attr_out *attributes =
        ask(scene, FUSE_GETATTR, number, &getattr, sizeof getattr, NULL, NULL);

    assert_int_equal(scene->accounts[WORK].n_asked, 0);
    assert_true(scene->accounts[HOME].asked == (MAIL_INODE | FS_INODE_FLAGS));
    assert_true(attributes->attr.ino == number);
}

static void
error_comes_back(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, FUSE_LOOKUP, root_of(scene, WORK), NULL, 0,
                              "missing", NULL),
                     ENOENT);
}

static void
listing_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIR, root_of(scene, HOME), &read,
                         sizeof read, NULL, NULL);
    const struct fuse_dirent *dot = (const void *)at;
    const struct fuse_dirent *mail = (const void *)(at + FUSE_DIRENT_SIZE(dot));

    assert_true(dot->ino == root_of(scene, HOME));
    assert_true(mail->ino == number_of(scene, HOME, MAIL_INODE));
    assert_memory_equal(mail->name, "mail", 4);
}

static void
listing_with_attributes_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIRPLUS, root_of(scene, HOME), &read,
                         sizeof read, NULL, NULL);
    const struct fuse_direntplus *dot = (const void *)at;
    const struct fuse_direntplus *mail =
        (const void *)(at + FUSE_DIRENTPLUS_SIZE(dot));

    /* That there is no node, is said by a 0. */
    assert_int_equal(dot->entry_out.nodeid, 0);
    assert_true(dot->dirent.ino == root_of(scene, HOME));
    assert_true(mail->entry_out.nodeid == number_of(scene, HOME, MAIL_INODE));
    assert_true(mail->entry_out.attr.ino == mail->entry_out.nodeid);
    assert_true(mail->dirent.ino == mail->entry_out.nodeid);
}

static void
rename_within_account_is_its_own(void **state)
{
    Scene *scene = *state;
    const struct fuse_rename2_in rename = {
        .newdir = number_of(scene, WORK, G_GUINT64_CONSTANT(5) << 32)};

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK),
                              &rename, sizeof rename, "a", "b"),
                     0);
    assert_int_equal(scene->accounts[WORK].asked, FS_INODE_ROOT);
    assert_true(scene->accounts[WORK].asked_second == G_GUINT64_CONSTANT(5)
                                                          << 32);
}

static void
what_is_about_two_accounts_is_refused(void **state)
{
    Scene *scene = *state;
    const struct fuse_rename2_in rename2 = {.newdir = root_of(scene, HOME)};
    const struct fuse_rename_in rename = {.newdir = root_of(scene, HOME)};
    const struct fuse_rename_in to_top = {.newdir = FS_INODE_ROOT};
    const struct fuse_link_in link = {.oldnodeid =
                                          number_of(scene, WORK, MAIL_INODE)};
    const struct fuse_copy_file_range_in copy = {
        .nodeid_out = number_of(scene, HOME, MAIL_INODE)};

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK),
                              &rename2, sizeof rename2, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME, root_of(scene, WORK), &rename,
                              sizeof rename, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME, root_of(scene, WORK), &to_top,
                              sizeof to_top, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME2, FS_INODE_ROOT, &rename2,
                              sizeof rename2, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_LINK, root_of(scene, HOME), &link,
                              sizeof link, "b", NULL),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_COPY_FILE_RANGE,
                              number_of(scene, WORK, MAIL_INODE), &copy,
                              sizeof copy, NULL, NULL),
                     EXDEV);
    assert_int_equal(scene->accounts[WORK].n_asked, 0);
    assert_int_equal(scene->accounts[HOME].n_asked, 0);
}

static void
request_that_is_cut_short_is_refused(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK), NULL,
                              0, NULL, NULL),
                     EXDEV);
}

static void
interrupt_reaches_who_works_on_it(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 100};
    struct fuse_interrupt_in interrupt = {
        .unique = put(scene, FUSE_READ, number_of(scene, HOME, MAIL_INODE),
                      &read, sizeof read, NULL, NULL)};

    assert_null(take(scene));
    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    assert_true(scene->accounts[HOME].interrupted);
    assert_false(scene->accounts[WORK].interrupted);
    fuse_reply_err(scene->accounts[HOME].waiting, EINTR);
    assert_int_equal(take(scene)->error, -EINTR);
    /* Nobody knows it any more. */
    scene->accounts[HOME].interrupted = FALSE;
    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    assert_null(take(scene));
    assert_false(scene->accounts[HOME].interrupted);
}

static void
forgetting_is_not_answered(void **state)
{
    Scene *scene = *state;
    const struct fuse_forget_in forget = {.nlookup = 1};
    const struct {
        struct fuse_batch_forget_in head;
        struct fuse_forget_one one;
    } batch = {{.count = 1}, {.nodeid = number_of(scene, WORK, MAIL_INODE)}};

    put(scene, FUSE_FORGET, number_of(scene, WORK, MAIL_INODE), &forget,
        sizeof forget, NULL, NULL);
    put(scene, FUSE_BATCH_FORGET, 0, &batch, sizeof batch, NULL, NULL);
    assert_null(take(scene));
}

static void
what_libfuse_does_not_know_is_refused(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, 4000, number_of(scene, WORK, MAIL_INODE),
                              NULL, 0, NULL, NULL),
                     ENOSYS);
}

/* ---- notifications ---- */

static void
notification_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_notify_inval_inode_out *inode;
    const struct fuse_notify_inval_entry_out *entry;
    const struct fuse_notify_delete_out *gone;
    const struct fuse_out_header *message;

    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME], MAIL_INODE, -1, 0);
    message = take(scene);
    inode = body_of(message);
    assert_int_equal(message->error, FUSE_NOTIFY_INVAL_INODE);
    assert_true(inode->ino == number_of(scene, HOME, MAIL_INODE));
    fuse_lowlevel_notify_inval_entry(scene->fuse[WORK], FS_INODE_ROOT, "mail",
                                     4);
    message = take(scene);
    entry = body_of(message);
    assert_true(entry->parent == root_of(scene, WORK));
    assert_string_equal((const char *)(entry + 1), "mail");
    fuse_lowlevel_notify_delete(scene->fuse[WORK], FS_INODE_ROOT, MAIL_INODE,
                                "mail", 4);
    message = take(scene);
    gone = body_of(message);
    assert_true(gone->parent == root_of(scene, WORK));
    assert_true(gone->child == number_of(scene, WORK, MAIL_INODE));
}

static void
notification_of_content_is_passed_on(void **state)
{
    Scene *scene = *state;
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(5);
    const struct fuse_notify_store_out *content;

    buffer.buf[0].mem = (char *)"bytes";
    fuse_lowlevel_notify_store(scene->fuse[HOME], MAIL_INODE, 0, &buffer, 0);
    content = body_of(take(scene));
    assert_true(content->nodeid == number_of(scene, HOME, MAIL_INODE));
    assert_memory_equal((const char *)(content + 1), "bytes", 5);
}

static void
notification_of_what_the_kernel_does_not_know_is_dropped(void **state)
{
    Scene *scene = *state;

    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME],
                                     MAIL_INODE | FS_INODE_FLAGS, -1, 0);
    assert_null(take(scene));
}

static void
nothing_is_said_after_the_end(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 100};

    put(scene, FUSE_READ, number_of(scene, HOME, MAIL_INODE), &read,
        sizeof read, NULL, NULL);
    fs_branches_end(scene->branches);
    fuse_reply_err(scene->accounts[HOME].waiting, EIO);
    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME], MAIL_INODE, -1, 0);
    assert_null(take(scene));
}

/* ---- the top ---- */

static void
top_leads_to_accounts(void **state)
{
    Scene *scene = *state;

    for (int i = 0; i < N_ACCOUNTS; i++) {
        const struct fuse_entry_out *entry =
            ask(scene, FUSE_LOOKUP, FS_INODE_ROOT, NULL, 0, names[i], NULL);

        assert_true(entry->nodeid == root_of(scene, i));
        assert_true(S_ISDIR(entry->attr.mode));
        /* Who serves it is asked for its attributes. */
        assert_int_equal(entry->attr_valid == 0, i != BROKEN);
        assert_true(entry->entry_valid > 0);
    }
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, FS_INODE_ROOT, NULL, 0, "else", NULL),
        ENOENT);
}

static void
top_lists_accounts_in_order(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIRPLUS, FS_INODE_ROOT, &read,
                         sizeof read, NULL, NULL);
    const char *end = (const char *)scene->reply_buffer + scene->reply_length;

    for (int i = -2; i < N_ACCOUNTS; i++) {
        const struct fuse_direntplus *entry = (const void *)at;
        const char *name = i == -2 ? "." : i == -1 ? ".." : names[i];

        assert_true(at < end);
        assert_int_equal(entry->dirent.namelen, strlen(name));
        assert_memory_equal(entry->dirent.name, name, strlen(name));
        assert_true(entry->entry_out.nodeid == (i < 0 ? 0 : root_of(scene, i)));
        at += FUSE_DIRENTPLUS_SIZE(entry);
    }
    assert_ptr_equal(at, end);
}

static void
top_goes_on_where_a_listing_was_full(void **state)
{
    Scene *scene = *state;
    struct fuse_read_in read = {.size = 40};
    guint n = 0;

    for (;;) {
        const struct fuse_dirent *entry = ask(
            scene, FUSE_READDIR, FS_INODE_ROOT, &read, sizeof read, NULL, NULL);

        if (scene->reply_length == sizeof(struct fuse_out_header))
            break;
        read.offset = entry->off;
        n++;
    }
    assert_int_equal(n, N_ACCOUNTS + 2);
}

static void
top_tells_how_they_are(void **state)
{
    Scene *scene = *state;
    const struct fuse_open_in open = {0};
    struct fuse_read_in read = {.size = 4096};
    guint64 hidden =
        ((const struct fuse_entry_out *)ask(scene, FUSE_LOOKUP, FS_INODE_ROOT,
                                            NULL, 0, ".imapfs", NULL))
            ->nodeid;
    guint64 status = ((const struct fuse_entry_out *)ask(
                          scene, FUSE_LOOKUP, hidden, NULL, 0, "status", NULL))
                         ->nodeid;

    read.fh = ((const struct fuse_open_out *)ask(
                   scene, FUSE_OPEN, status, &open, sizeof open, NULL, NULL))
                  ->fh;
    assert_memory_equal(
        ask(scene, FUSE_READ, status, &read, sizeof read, NULL, NULL),
        "how they are\n", 13);
    read.offset = 13;
    ask(scene, FUSE_READ, status, &read, sizeof read, NULL, NULL);
    assert_int_equal(scene->reply_length, sizeof(struct fuse_out_header));
}

static void
top_cannot_be_changed(void **state)
{
    Scene *scene = *state;
    const struct fuse_mkdir_in make = {.mode = 0700};
    const struct fuse_create_in create = {.mode = 0600};
    const struct fuse_rename2_in rename = {.newdir = FS_INODE_ROOT};

    assert_int_equal(errno_of(scene, FUSE_MKDIR, FS_INODE_ROOT, &make,
                              sizeof make, "new", NULL),
                     EPERM);
    assert_int_equal(errno_of(scene, FUSE_CREATE, FS_INODE_ROOT, &create,
                              sizeof create, "new", NULL),
                     EPERM);
    assert_int_equal(
        errno_of(scene, FUSE_RMDIR, FS_INODE_ROOT, NULL, 0, names[WORK], NULL),
        EPERM);
    assert_int_equal(
        errno_of(scene, FUSE_UNLINK, FS_INODE_ROOT, NULL, 0, names[WORK], NULL),
        EPERM);
    assert_int_equal(errno_of(scene, FUSE_RENAME2, FS_INODE_ROOT, &rename,
                              sizeof rename, names[WORK], "other"),
                     EPERM);
}

static void
account_that_is_broken_says_so(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_open_in open = {0};
    const struct fuse_mkdir_in make = {.mode = 0700};
    guint64 broken = root_of(scene, BROKEN);
    const struct fuse_attr_out *attributes =
        ask(scene, FUSE_GETATTR, broken, &getattr, sizeof getattr, NULL, NULL);

    assert_true(S_ISDIR(attributes->attr.mode));
    assert_int_equal(attributes->attr.uid, 1);
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, broken, NULL, 0, "INBOX", NULL), EACCES);
    assert_int_equal(
        errno_of(scene, FUSE_OPENDIR, broken, &open, sizeof open, NULL, NULL),
        EACCES);
    assert_int_equal(
        errno_of(scene, FUSE_MKDIR, broken, &make, sizeof make, "new", NULL),
        EACCES);
}

static void
number_of_nobody_is_stale(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_open_in open = {0};
    guint64 nobody = number_of(scene, BROKEN, MAIL_INODE);

    assert_int_equal(errno_of(scene, FUSE_GETATTR, nobody, &getattr,
                              sizeof getattr, NULL, NULL),
                     ESTALE);
    assert_int_equal(
        errno_of(scene, FUSE_OPENDIR, nobody, &open, sizeof open, NULL, NULL),
        ESTALE);
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, nobody, NULL, 0, "work", NULL), ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_goes_to_its_account_in_its_terms),
        TEST(number_that_was_told_leads_back),
        TEST(error_comes_back),
        TEST(listing_has_the_kernels_numbers),
        TEST(listing_with_attributes_has_the_kernels_numbers),
        TEST(rename_within_account_is_its_own),
        TEST(what_is_about_two_accounts_is_refused),
        TEST(request_that_is_cut_short_is_refused),
        TEST(interrupt_reaches_who_works_on_it),
        TEST(forgetting_is_not_answered),
        TEST(what_libfuse_does_not_know_is_refused),
        TEST(notification_has_the_kernels_numbers),
        TEST(notification_of_content_is_passed_on),
        TEST(notification_of_what_the_kernel_does_not_know_is_dropped),
        TEST(nothing_is_said_after_the_end),
        TEST(top_leads_to_accounts),
        TEST(top_lists_accounts_in_order),
        TEST(top_goes_on_where_a_listing_was_full),
        TEST(top_tells_how_they_are),
        TEST(top_cannot_be_changed),
        TEST(account_that_is_broken_says_so),
        TEST(number_of_nobody_is_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
