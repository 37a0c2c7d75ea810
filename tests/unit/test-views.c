/* Requests on numbers that are in the range of the views and of none of them:
 * no program gets one from us, and any may have one from elsewhere, as by
 * open_by_handle_at. */
#include "fs/account.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/session.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-layout.h"
#include "fs/options/options.h"
#include "fs/views/search/search-view.h"
#include "fs/views/search/search.h"

#include <errno.h>
#include <fcntl.h>
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

typedef struct {
    int kernel; /* the kernel's end */
    FsOptions *options;
    FsAccount *account;
    FsNameSpace *names;
    FsHandlers *handlers;
    FsSession *session;
    guint64 unique;
} Scene;

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

/* The error that a request is answered with; 0: none. */
static int
errno_of(Scene *scene, guint32 opcode, guint64 inode, const void *body,
         gsize length, const char *name)
{
    static guint64 message[MESSAGE_BYTES / sizeof(guint64)];
    static guint64 answer[MESSAGE_BYTES / sizeof(guint64)];
    struct fuse_in_header *header = (struct fuse_in_header *)message;
    const struct fuse_out_header *reply = (const void *)answer;
    struct fuse_buf buffer = {.mem = message};
    char *at = (char *)(header + 1);

    memset(message, 0, sizeof message);
    *header = (struct fuse_in_header){.opcode = opcode,
                                      .unique = scene->unique += 2,
                                      .nodeid = inode,
                                      .uid = getuid(),
                                      .pid = (guint32)getpid()};
    if (length > 0)
        memcpy(at, body, length);
    at += length;
    if (name != NULL)
        at = g_stpcpy(at, name) + 1;
    buffer.size = (gsize)(at - (char *)message);
    header->len = (guint32)buffer.size;
    fs_session_handle(scene->session, &buffer);
    assert_true(recv(scene->kernel, answer, sizeof answer, MSG_DONTWAIT) >=
                (ssize_t)sizeof *reply);
    assert_int_equal(reply->unique, scene->unique);
    return -reply->error;
}

static int
set_up(void **state)
{
    static char *words[] = {
        "imapfs",
        "-o",
        "ro,nonempty,cache_dir=none,state_dir=none,names=uid",
        "imap://me%40example.org@mail.example.org/",
        "/tmp",
        NULL};
    const struct fuse_custom_io io = {.read = read_nothing,
                                      .writev = write_out};
    const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
                                      .minor = 36,
                                      .max_readahead = 131072,
                                      .flags = FUSE_DO_READDIRPLUS};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    Scene *scene = g_new0(Scene, 1);
    g_autoptr(GError) error = NULL;
    int ends[2];

    if (fs_options_parse(5, words, &scene->options, &error) != FS_OPTIONS_MOUNT)
        fail_msg("%s", error->message);
    scene->options->settings->password = imap_secret_new("s3cret", 6);
    scene->account = fs_account_new(scene->options, NULL, &error);
    assert_non_null(scene->account);
    scene->names = fs_maildir_layout_new(
        scene->account, fs_mailbox_layout_new(scene->account), NULL);
    scene->handlers = fs_handlers_new(scene->account, scene->names, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    scene->kernel = ends[0];
    fuse_opt_add_arg(&args, "imapfs");
    scene->session =
        fs_session_new(&args, &fs_handlers_ops, scene->handlers, &error);
    assert_non_null(scene->session);
    fuse_opt_free_args(&args);
    assert_true(fs_session_use_io(scene->session, &io, ends[1]));
    assert_int_equal(errno_of(scene, FUSE_INIT, 0, &init, sizeof init, NULL),
                     0);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_session_free(scene->session);
    fs_handlers_free(scene->handlers);
    fs_name_space_free(scene->names);
    fs_account_free(scene->account);
    fs_options_free(scene->options);
    close(scene->kernel);
    g_free(scene);
    return 0;
}

static void
number_of_no_view_is_stale(void **state)
{
    static const guint views[] = {FS_VIEW_SPECIAL + 1, FS_VIEW_PARTS - 1};
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_open_in open = {.flags = O_RDONLY};
    const struct fuse_read_in read = {.size = 4096};
    const struct fuse_mkdir_in mkdir = {.mode = 0700};
    Scene *scene = *state;

    for (guint i = 0; i < G_N_ELEMENTS(views); i++) {
        guint64 inode = fs_inode_in_view(views[i], fs_inode_make(0, 7, 7));
        const struct {
            guint32 opcode;
            const void *body;
            gsize length;
            const char *name;
        } requests[] = {
            {FUSE_LOOKUP, NULL, 0, "name"},
            {FUSE_GETATTR, &getattr, sizeof getattr, NULL},
            {FUSE_READLINK, NULL, 0, NULL},
            {FUSE_OPENDIR, &open, sizeof open, NULL},
            {FUSE_READDIR, &read, sizeof read, NULL},
            {FUSE_READDIRPLUS, &read, sizeof read, NULL},
            {FUSE_OPEN, &open, sizeof open, NULL},
            {FUSE_MKDIR, &mkdir, sizeof mkdir, "name"},
            {FUSE_RMDIR, NULL, 0, "name"},
        };

        for (guint j = 0; j < G_N_ELEMENTS(requests); j++) {
            int error =
                errno_of(scene, requests[j].opcode, inode, requests[j].body,
                         requests[j].length, requests[j].name);

            /* A mount that is read-only says so first. */
            if (error != ESTALE && error != EROFS)
                fail_msg("view %#x, request %u: %s", views[i],
                         requests[j].opcode, g_strerror(error));
        }
    }
}

static void
number_of_no_view_cannot_be_written_to(void **state)
{
    const struct fuse_open_in open = {.flags = O_WRONLY};
    const struct fuse_setattr_in setattr = {.valid = FATTR_SIZE};
    struct fuse_write_in write = {.size = 4};
    guint64 inode = fs_inode_in_view(FS_VIEW_PARTS - 1, fs_inode_make(0, 7, 7));
    g_autofree char *body = g_malloc0(sizeof write + 4);
    Scene *scene = *state;

    memcpy(body, &write, sizeof write);
    assert_true(errno_of(scene, FUSE_OPEN, inode, &open, sizeof open, NULL) !=
                0);
    assert_true(errno_of(scene, FUSE_SETATTR, inode, &setattr, sizeof setattr,
                         NULL) != 0);
    assert_true(
        errno_of(scene, FUSE_WRITE, inode, body, sizeof write + 4, NULL) != 0);
    assert_true(errno_of(scene, FUSE_UNLINK, inode, NULL, 0, "name") != 0);
}

/* A search that was forgotten, or whose result was, between a look-up and a
 * removal: the kernel looks again. */
static void
what_is_not_found_any_more_is_stale(void **state)
{
    Scene *scene = *state;
    FsKeptResults *results = fs_kept_results_new(10, 10);
    FsView *view = fs_search_view_new(scene->account, scene->names, results);
    FsSearch *search =
        fs_search_new(scene->account, scene->names, results, 7, "a");
    guint64 inode = fs_inode_in_view(FS_VIEW_SEARCH, fs_inode_make(0, 7, 99));
    FsObstacle obstacle = {0};
    char *name = NULL;
    guint64 parent;

    assert_int_equal(view->class->stands_for(view, inode, "7.eml", &parent,
                                             &name, &obstacle),
                     FS_ANSWER_FAILED);
    assert_int_equal(obstacle.error_number, ESTALE);
    obstacle.error_number = 0;
    assert_int_equal(
        fs_search_stands_for(search, "7.eml", &parent, &name, &obstacle),
        FS_ANSWER_FAILED);
    assert_int_equal(obstacle.error_number, ESTALE);
    /* What holds searches cannot be changed. */
    assert_int_equal(view->class->stands_for(view, fs_view_root(view), "7.eml",
                                             &parent, &name, &obstacle),
                     FS_ANSWER_NONE);
    assert_null(name);
    fs_search_free(search);
    fs_view_free(view);
    fs_kept_results_free(results);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(number_of_no_view_is_stale, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_found_any_more_is_stale,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(number_of_no_view_cannot_be_written_to,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
