/* A synthetic file system on FsSession and FsOperation, for test_session.py.
 *
 *     session-probe MOUNTPOINT [OPTION]     OPTION as after -o
 *
 * The root holds files, made up by being looked up, and the directory "d",
 * which holds the same; all files contain their name. The kind of a file,
 * which is what stands before the "-" in its name, says what waits on the need
 * of that name:
 *
 *     plain  nothing            lookup  the look-up
 *     open   open               seen    open, with the errors seen: ENODATA
 *     read   buffered reads     direct  reads past the page cache
 *     timed  the look-up, which a timer meets after 20 ms, progress before it
 *     greedy the look-up, on a need that is met, for ever
 *
 * Reading "d" waits on the need "readdir". Commands come on the standard input
 * and are answered by a line each: meet NAME, fail NAME, progress NAME, counts
 * ("WAITING OPENED RELEASED"), need NAME (its number of waiters). At the end,
 * what ended it: "unmounted" or "signal". */
#include "fs/kernel/errno.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/session.h"
#include "fs/need.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY_INODE 2
#define FIRST_FILE_INODE 3

static GMainLoop *loop;
static GHashTable *needs;  /* name -> FsNeed, owned */
static GHashTable *inodes; /* name -> inode */
static GPtrArray *names;   /* by inode - FIRST_FILE_INODE */
static guint n_opened;
static guint n_released;

static FsNeed *
need_of(const char *name)
{
    FsNeed *need = g_hash_table_lookup(needs, name);

    if (need == NULL) {
        need = fs_need_new();
        g_hash_table_insert(needs, g_strdup(name), need);
    }
    return need;
}

static gboolean
is_kind(const char *name, const char *kind)
{
    return g_str_has_prefix(name, kind) && name[strlen(kind)] == '-';
}

/* TRUE if @operation goes on; FALSE if it waits. */
static gboolean
is_met(FsOperation *operation, const char *name)
{
    FsNeed *need = need_of(name);

    if (fs_need_is_complete(need))
        return TRUE;
    fs_operation_wait(operation, need);
    return FALSE;
}

static const char *
name_of(fuse_ino_t inode)
{
    g_assert(inode >= FIRST_FILE_INODE);
    return g_ptr_array_index(names, inode - FIRST_FILE_INODE);
}

static struct stat
attributes(fuse_ino_t inode)
{
    struct stat attr = {.st_ino = inode, .st_nlink = 1};

    attr.st_uid = getuid();
    attr.st_gid = getgid();
    if (inode < FIRST_FILE_INODE) {
        attr.st_mode = S_IFDIR | 0755;
    } else {
        attr.st_mode = S_IFREG | 0644;
        attr.st_size = strlen(name_of(inode));
    }
    return attr;
}

static void
reply_entry(FsOperation *operation)
{
    struct fuse_entry_param entry = {0};

    if (strcmp(operation->name, "d") == 0) {
        entry.ino = DIRECTORY_INODE;
    } else {
        gpointer inode = g_hash_table_lookup(inodes, operation->name);

        if (inode == NULL) {
            char *name = g_strdup(operation->name);

            inode = GUINT_TO_POINTER(FIRST_FILE_INODE + names->len);
            g_ptr_array_add(names, name);
            g_hash_table_insert(inodes, name, inode);
        }
        entry.ino = GPOINTER_TO_UINT(inode);
    }
    entry.attr = attributes(entry.ino);
    fs_operation_reply_entry(operation, &entry);
}

static gboolean
meet_timed(gpointer user_data)
{
    fs_need_complete(user_data, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean
progress_timed(gpointer user_data)
{
    fs_need_progress(user_data);
    return G_SOURCE_REMOVE;
}

static void
wait_timed(FsOperation *operation, FsNeed *need)
{
    fs_operation_wait(operation, need);
    if (operation->runs == 1) {
        g_timeout_add_full(G_PRIORITY_DEFAULT, 10, progress_timed,
                           fs_need_ref(need), (GDestroyNotify)fs_need_unref);
        g_timeout_add_full(G_PRIORITY_DEFAULT, 20, meet_timed,
                           fs_need_ref(need), (GDestroyNotify)fs_need_unref);
    }
}

static void
run_lookup(FsOperation *operation)
{
    const char *name = operation->name;
    FsNeed *need;

    if (is_kind(name, "greedy")) {
        need = need_of(name);
        fs_need_complete(need, NULL);
        fs_operation_wait(operation, need);
    } else if (is_kind(name, "timed") && !fs_need_is_complete(need_of(name))) {
        wait_timed(operation, need_of(name));
    } else if (is_kind(name, "lookup") && !is_met(operation, name)) {
        return;
    } else if (strcmp(name, "d") != 0 && strchr(name, '-') == NULL) {
        fs_operation_fail(operation, ENOENT);
    } else {
        reply_entry(operation);
    }
}

static void
run_getattr(FsOperation *operation)
{
    struct stat attr = attributes(operation->inode);

    fs_operation_reply_attr(operation, &attr, 0);
}

static void
run_open(FsOperation *operation)
{
    const char *name = name_of(operation->inode);

    if (is_kind(name, "open") && !is_met(operation, name))
        return;
    if (is_kind(name, "seen")) {
        FsNeed *need = need_of(name);

        if (!fs_need_is_complete(need)) {
            fs_operation_wait_any(operation, need);
            return;
        }
        if (fs_need_error(need) != NULL) {
            fs_operation_fail(operation, ENODATA);
            return;
        }
    }
    operation->file.direct_io = is_kind(name, "direct");
    operation->file.noflush = 1;
    if (fs_operation_reply_open(operation, &operation->file))
        n_opened++;
}

static void
run_read(FsOperation *operation)
{
    const char *name = name_of(operation->inode);
    gsize length = strlen(name);
    gsize offset = MIN((gsize)operation->offset, length);

    if ((is_kind(name, "read") || is_kind(name, "direct")) &&
        !is_met(operation, name))
        return;
    fs_operation_reply_buffer(operation, name + offset,
                              MIN(operation->size, length - offset));
}

static void
run_readdir(FsOperation *operation)
{
    char buffer[256];
    struct stat attr = attributes(DIRECTORY_INODE);
    gsize length = 0;

    if (operation->inode == DIRECTORY_INODE && !is_met(operation, "readdir"))
        return;
    if (operation->offset == 0)
        length = fuse_add_direntry(operation->request, buffer, sizeof buffer,
                                   ".", &attr, 1);
    fs_operation_reply_buffer(operation, buffer, length);
}

static void
do_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fs_operation_start(request, run_lookup, parent, name, 0, 0, NULL);
}

static void
do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    fs_operation_start(request, run_getattr, inode, NULL, 0, 0, file);
}

static void
do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    fs_operation_start(request, run_open, inode, NULL, 0, 0, file);
}

static void
do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    n_released++;
    fs_operation_start(request, fs_operation_reply_done, inode, NULL, 0, 0,
                       file);
}

static void
do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
        struct fuse_file_info *file)
{
    fs_operation_start(request, run_read, inode, NULL, size, offset, file);
}

static void
do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
           struct fuse_file_info *file)
{
    fs_operation_start(request, run_readdir, inode, NULL, size, offset, file);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = do_lookup,
    .getattr = do_getattr,
    .open = do_open,
    .release = do_release,
    .read = do_read,
    .readdir = do_readdir,
};

static void
fail_need(const char *name)
{
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer");

    fs_need_complete(need_of(name), error);
    /* Who asks again starts anew. */
    if (!is_kind(name, "seen"))
        g_hash_table_remove(needs, name);
}

static void
obey(const char *command)
{
    g_auto(GStrv) words = g_strsplit(command, " ", 2);
    const char *verb = words[0] == NULL ? "" : words[0];
    const char *name = words[0] == NULL || words[1] == NULL ? "" : words[1];

    if (strcmp(verb, "counts") == 0) {
        printf("%u %u %u\n", fs_operation_n_waiting(NULL), n_opened,
               n_released);
        return;
    }
    if (strcmp(verb, "need") == 0) {
        printf("%u\n", fs_need_n_waiters(need_of(name)));
        return;
    }
    if (strcmp(verb, "meet") == 0)
        fs_need_complete(need_of(name), NULL);
    else if (strcmp(verb, "progress") == 0)
        fs_need_progress(need_of(name));
    else if (strcmp(verb, "fail") == 0)
        fail_need(name);
    else
        g_error("unknown command: %s", command);
    puts("done");
}

static gboolean
receive_commands(int fd, GIOCondition condition, gpointer user_data)
{
    static GString *pending;
    char buffer[256];
    ssize_t length = read(fd, buffer, sizeof buffer);
    char *newline;

    if (length <= 0)
        return G_SOURCE_REMOVE;
    if (pending == NULL)
        pending = g_string_new(NULL);
    g_string_append_len(pending, buffer, length);
    while ((newline = strchr(pending->str, '\n')) != NULL) {
        *newline = '\0';
        obey(pending->str);
        g_string_erase(pending, 0, newline - pending->str + 1);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
receive_signal(gpointer user_data)
{
    puts("signal");
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static void
receive_end(gpointer user_data)
{
    puts("unmounted");
    g_main_loop_quit(loop);
}

static int
mount_and_serve(const char *mountpoint, const char *option)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    g_autoptr(FsSession) session = NULL;
    g_autoptr(GError) error = NULL;

    fuse_opt_add_arg(&args, "session-probe");
    fuse_opt_add_arg(&args, "-ofsname=session-probe");
    if (option != NULL) {
        fuse_opt_add_arg(&args, "-o");
        fuse_opt_add_arg(&args, option);
    }
    session = fs_session_new(&args, &operations, NULL, &error);
    fuse_opt_free_args(&args);
    if (session == NULL || !fs_session_mount(session, mountpoint, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return g_error_matches(error, FS_ERROR, FS_ERROR_USAGE) ? 2 : 3;
    }

    fs_session_set_ended(session, receive_end, NULL);
    puts("mounted");
    g_main_loop_run(loop);

    fs_operation_fail_all(NULL, EIO);
    fs_session_unmount(session);
    return 0;
}

int
main(int argc, char **argv)
{
    int status;

    if (argc < 2)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    loop = g_main_loop_new(NULL, FALSE);
    needs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                  (GDestroyNotify)fs_need_unref);
    inodes = g_hash_table_new(g_str_hash, g_str_equal);
    names = g_ptr_array_new_with_free_func(g_free);
    g_unix_signal_add(SIGTERM, receive_signal, NULL);
    g_unix_signal_add(SIGINT, receive_signal, NULL);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, receive_commands, NULL);

    status = mount_and_serve(argv[1], argv[2]);

    g_hash_table_unref(inodes);
    g_ptr_array_unref(names);
    g_hash_table_unref(needs);
    g_main_loop_unref(loop);
    return status;
}
