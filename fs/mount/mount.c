/* What stands between a user and a mount.
 *
 * libfuse reports by its log, fusermount3 by its standard error; neither gives
 * a code. So both are gathered while we mount, and known complaints are turned
 * into one sentence with the remedy; an unknown one is passed on as it is.
 * Outside of that, libfuse's log goes to GLib's. */
#include "fs/mount/mount.h"

#include "fs/file-limit.h"
#include "fs/kernel/errno.h"
#include "fs/mount/fuse-connection.h"
#include "fs/mount/guarded-stat.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_log.h>
#include <gio/gunixmounts.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

/* Dead mounts may lie on top of one another; more than these are not ours. */
#define MAX_DEAD_MOUNTS 8
#define MAX_GATHERED 16384

static const struct {
    const char *sign; /* in the complaint */
    const char *reason;
    gboolean detailed; /* the complaint ends in ": " and the system's reason */
    const char *remedy;
} complaints[] = {
    {"failed to open /dev/fuse", "/dev/fuse cannot be opened", TRUE,
     "it should be readable and writable for you (mode 0666)"},
    {"device not found", "/dev/fuse is missing", FALSE,
     "load the kernel module (modprobe fuse), or give the container that "
     "device"},
    {"failed to exec fusermount3", "fusermount3 cannot be run", TRUE,
     "install the package fuse3"},
    {"only allowed if 'user_allow_other'",
     "allow_other needs user_allow_other in /etc/fuse.conf", FALSE,
     "add that line there, or leave the option out"},
    {"has no write access to mountpoint", "the directory is not writable",
     FALSE, "take a directory of your own"},
    {"not owned by user", "the directory is not yours", FALSE,
     "take a directory of your own"},
    {"mounting over filesystem type",
     "the file system there takes no mounts of users", FALSE,
     "take a directory on a local disk"},
    {"too many FUSE filesystems", "too many FUSE file systems are mounted",
     FALSE, "unmount some, or raise mount_max in /etc/fuse.conf"},
    {"mount failed: Operation not permitted", "the kernel does not permit it",
     FALSE, "a container needs the capability SYS_ADMIN for it"},
    {"mount failed: Invalid argument", "the kernel refuses the mount options",
     FALSE, "check what -o was given"},
};

static GString *gathered; /* NULL while nothing is gathered */
static int saved_stderr = -1;
static int gathering_stderr = -1;

static void
log_line(enum fuse_log_level level, const char *line)
{
    if (level <= FUSE_LOG_WARNING)
        g_message("%s", line);
    else if (level == FUSE_LOG_DEBUG)
        g_debug("%s", line);
    else
        g_info("%s", line);
}

static void G_GNUC_PRINTF(2, 0)
    receive_log(enum fuse_log_level level, const char *format,
                va_list arguments)
{
    g_autofree char *line = g_strdup_vprintf(format, arguments);

    if (gathered != NULL) {
        /* Not by lines: libfuse says a line in several pieces. */
        if (level <= FUSE_LOG_WARNING && gathered->len < MAX_GATHERED)
            g_string_append(gathered, line);
    } else {
        log_line(level, g_strchomp(line));
    }
}

void
fs_mount_gather(void)
{
    gathered = g_string_new(NULL);
    fuse_set_log_func(receive_log);

    fflush(stderr);
    gathering_stderr = memfd_create("messages", MFD_CLOEXEC);
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (gathering_stderr >= 0 && saved_stderr >= 0)
        dup2(gathering_stderr, STDERR_FILENO);
}

static void
forget_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

char *
fs_mount_gathered(void)
{
    if (gathering_stderr >= 0 && saved_stderr >= 0) {
        char text[MAX_GATHERED];
        ssize_t length;

        fflush(stderr);
        dup2(saved_stderr, STDERR_FILENO);
        length = pread(gathering_stderr, text, sizeof text, 0);
        if (length > 0)
            g_string_append_len(gathered, text, length);
    }
    forget_fd(&saved_stderr);
    forget_fd(&gathering_stderr);
    return g_string_free(g_steal_pointer(&gathered), FALSE);
}

static gboolean is_ours(const char *mountpoint);

/* Nobody serves it any longer. What does not even answer is dead if it is one
 * of imapfs, which always does. */
static gboolean
is_dead(const char *mountpoint)
{
    struct stat attr;
    int error = fs_guarded_stat(mountpoint, &attr);

    return error == ENOTCONN || error == ECONNABORTED ||
           (error == ETIMEDOUT && is_ours(mountpoint));
}

static void
set_up_child(gpointer user_data)
{
    fs_file_limit_restore();
}

/* Not by its path, which may lead elsewhere by now. Returns an errno. */
static int
detach_top(int top)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", top);

    return umount2(path, MNT_FORCE | MNT_DETACH) == 0 ? 0 : errno;
}

/* By its path, for an ordinary user has no other way. */
static gboolean
detach_by_fusermount(const char *path)
{
    const char *const argv[] = {"fusermount3", "-u", "-q", "-z",
                                "--",          path, NULL};
    int status = -1;

    return g_spawn_sync(NULL, (char **)argv, NULL,
                        G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                            G_SPAWN_STDERR_TO_DEV_NULL,
                        set_up_child, NULL, NULL, NULL, &status, NULL) &&
           status == 0;
}

gboolean
fs_mount_detach(const FsMountIdentity *mount, const FsMountMark *mark)
{
    int top = fs_mount_mark_open(mark, mount);
    int error;

    if (top < 0)
        return FALSE;
    error = detach_top(top);
    close(top);
    return error == 0 || (error == EPERM && detach_by_fusermount(mount->path));
}

/* @mark was taken before: asking may take long. */
static gboolean
detach_dead(FsMountIdentity *mount, const FsMountMark *mark,
            const char *mountpoint)
{
    int top;

    if (!is_dead(mountpoint) ||
        fs_mount_identity_locate(mount) != FS_MOUNT_ON_TOP)
        return FALSE;
    top = fs_mount_mark_open(mark, mount);
    if (top < 0)
        return FALSE;
    close(top);
    fs_fuse_connection_abort(mark->connection);
    return fs_mount_detach(mount, mark);
}

/* Nobody serves it any longer, or it is a mount of imapfs that does not
 * answer. */
static void
remove_dead(const char *mountpoint)
{
    FsMountIdentity mount;
    gboolean detached = TRUE;

    for (int i = 0; i < MAX_DEAD_MOUNTS && detached &&
                    fs_mount_identity_find(mountpoint, &mount);
         i++) {
        FsMountMark mark = fs_mount_mark_take(&mount);

        detached = detach_dead(&mount, &mark, mountpoint);
        fs_mount_mark_clear(&mark);
    }
}

/* A second mount would hide the first, and take two calls to unmount. */
static gboolean
is_ours(const char *mountpoint)
{
    char *resolved = realpath(mountpoint, NULL);
    GUnixMountEntry *entry;
    gboolean ours = FALSE;

    if (resolved == NULL)
        return FALSE;
    entry = g_unix_mount_at(resolved, NULL);
    if (entry != NULL)
        ours = g_str_equal(g_unix_mount_get_fs_type(entry), "fuse.imapfs");
    g_clear_pointer(&entry, g_unix_mount_free);
    free(resolved);
    return ours;
}

gboolean
fs_mount_prepare(const char *mountpoint, GError **error)
{
    struct stat attr;
    int reason;

    remove_dead(mountpoint);
    reason = fs_guarded_stat(mountpoint, &attr);
    if (reason != 0) {
        const char *remedy = "";

        if (reason == ENOENT)
            remedy = "; create it with mkdir";
        else if (reason == ENOTCONN || reason == ETIMEDOUT)
            remedy = "; unmount the dead file system there with umount -l";
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT, "cannot mount at %s: %s%s",
                    mountpoint, g_strerror(reason), remedy);
        return FALSE;
    }
    if (!S_ISDIR(attr.st_mode)) {
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                    "cannot mount at %s: it is not a directory; name an empty "
                    "directory",
                    mountpoint);
        return FALSE;
    }
    if (is_ours(mountpoint)) {
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                    "cannot mount at %s: a mailbox is mounted there already; "
                    "unmount it first with fusermount3 -u",
                    mountpoint);
        return FALSE;
    }
    return TRUE;
}

/* The last line that says something, without the name of who says it. */
static char *
last_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = g_strv_length(lines); i > 0; i--) {
        const char *line = g_strstrip(lines[i - 1]);

        if (g_str_has_prefix(line, "fuse: "))
            line += strlen("fuse: ");
        else if (g_str_has_prefix(line, "fusermount3: "))
            line += strlen("fusermount3: ");
        if (*line != '\0')
            return g_strdup(line);
    }
    return g_strdup("no reason was given");
}

/* What stands after the last ": " of the line at @complaint. */
static char *
detail_of(const char *complaint)
{
    g_autofree char *line = g_strndup(complaint, strcspn(complaint, "\n"));
    const char *colon = g_strrstr(line, ": ");

    return g_strdup(colon == NULL ? "unknown reason" : colon + 2);
}

void
fs_mount_set_error(GError **error, const char *mountpoint, const char *text)
{
    g_autofree char *line = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(complaints); i++) {
        const char *found = strstr(text, complaints[i].sign);
        g_autofree char *detail = NULL;

        if (found == NULL)
            continue;
        if (complaints[i].detailed)
            detail = detail_of(found);
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                    "cannot mount at %s: %s%s%s; %s", mountpoint,
                    complaints[i].reason, detail == NULL ? "" : ": ",
                    detail == NULL ? "" : detail, complaints[i].remedy);
        return;
    }

    line = last_line(text);
    g_set_error(error, FS_ERROR, FS_ERROR_MOUNT, "cannot mount at %s: %s",
                mountpoint, line);
}

void
fs_mount_set_option_error(GError **error, const char *text)
{
    const char *found = strstr(text, "unknown option(s): `");
    g_autofree char *line = NULL;

    if (found != NULL) {
        g_autofree char *options =
            g_strdup(found + strlen("unknown option(s): `"));

        options[strcspn(options, "'\n")] = '\0';
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "FUSE does not know the option %s",
                    g_str_has_prefix(options, "-o ") ? options + 3 : options);
        return;
    }

    line = last_line(text);
    g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                "FUSE does not accept the options: %s", line);
}
