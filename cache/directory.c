/* A directory of ours on disk.
 *
 * The lock is flock's, on a file that is never removed. It belongs to the open
 * file, not to the process: it survives a fork, is not given up when some other
 * descriptor of the file is closed, and the kernel releases it when the process
 * is killed. What is written in the file is for people, and for those who
 * wait. */
#include "cache/directory.h"

#include "cache/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define IDENTITY_FILE "state-id"
#define IDENTITY_MAX 100
/* The identity, and behind it a number of a fixed width: it is written over. */
#define IDENTITY_FORMAT "%s %010u\n"
#define ENDING " ending"
#define DEPTH_MAX 8

struct CacheDirectory {
    char *path;
    int fd;
    int lock_fd;
    int identity_fd;   /* -1: not bound */
    char *identity;    /* NULL likewise */
    guint32 noted_ids; /* in that file */
};

static gboolean G_GNUC_PRINTF(2, 3)
    set_error(GError **error, const char *format, ...)
{
    int cause = errno;
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, CACHE_ERROR,
                cause == ENOSPC || cause == EDQUOT ? CACHE_ERROR_NO_SPACE
                                                   : CACHE_ERROR_IO,
                "%s: %s", text, g_strerror(cause));
    return FALSE;
}

static gboolean
refuse_owner(GError **error, const char *path, const struct stat *entry)
{
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO,
                "the directory %s belongs to another user (uid %u)", path,
                (guint)entry->st_uid);
    return FALSE;
}

/* Who owns the directory around it could put another one in its place; and who
 * may write there, unless only owners may move what is theirs. */
static gboolean
check_parent(const CacheDirectory *directory, GError **error)
{
    g_autofree char *path = g_path_get_dirname(directory->path);
    struct stat entry;

    if (stat(path, &entry) != 0)
        return set_error(error, "cannot look at %s", path);
    if (entry.st_uid != geteuid() && entry.st_uid != 0)
        return refuse_owner(error, path, &entry);
    if ((entry.st_mode & (S_IWOTH | S_ISVTX)) != S_IWOTH)
        return TRUE;
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO,
                "in the directory %s everybody can write", path);
    return FALSE;
}

static gboolean
open_directory(CacheDirectory *directory, GError **error)
{
    struct stat entry;

    if (g_mkdir_with_parents(directory->path, 0700) != 0)
        return set_error(error, "cannot make the directory %s",
                         directory->path);
    directory->fd =
        open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (directory->fd < 0 || fstat(directory->fd, &entry) != 0)
        return set_error(error, "cannot open the directory %s",
                         directory->path);
    if (entry.st_uid != geteuid())
        return refuse_owner(error, directory->path, &entry);
    if ((entry.st_mode & 07777) != 0700 && fchmod(directory->fd, 0700) != 0)
        return set_error(error, "cannot close the directory %s to others",
                         directory->path);
    return check_parent(directory, error);
}

static gboolean
open_lock(CacheDirectory *directory, GError **error)
{
    struct stat entry;

    /* Not to wait for a reader, should it be a pipe. */
    directory->lock_fd =
        openat(directory->fd, LOCK_FILE,
               O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (directory->lock_fd < 0 || fstat(directory->lock_fd, &entry) != 0)
        return set_error(error, "cannot write in the directory %s",
                         directory->path);
    if (!S_ISREG(entry.st_mode) || entry.st_uid != geteuid()) {
        errno = EPERM;
        return set_error(error, "%s/" LOCK_FILE " is no file of ours",
                         directory->path);
    }
    return TRUE;
}

/* ---- the lock ---- */

/* Without it, if the disk is full: the lock is what counts. Who reads it
 * meanwhile finds either text at its beginning: what is left of a longer one is
 * cut off last. */
static void
write_lock(const CacheDirectory *directory, const char *suffix)
{
    g_autofree char *text = g_strdup_printf("%ld%s\n", (long)getpid(), suffix);
    gsize length = strlen(text);

    if (pwrite(directory->lock_fd, text, length, 0) != (gssize)length ||
        ftruncate(directory->lock_fd, (off_t)length) != 0)
        g_debug("%s: the lock bears no name: %s", directory->path,
                g_strerror(errno));
}

/* The process that holds the lock, 0 if it cannot be told, and whether it has
 * announced its end. */
static gint64
read_lock(const CacheDirectory *directory, gboolean *ending)
{
    char text[64] = "";
    gssize length = pread(directory->lock_fd, text, sizeof(text) - 1, 0);
    char *end = text;
    gint64 pid;

    text[MAX(length, 0)] = '\0';
    pid = g_ascii_strtoll(text, &end, 10);
    *ending = g_str_has_prefix(end, ENDING);
    return pid > 0 && pid <= G_MAXINT32 ? pid : 0;
}

static gboolean
refuse_locked(const CacheDirectory *directory, gint64 pid, GError **error)
{
    g_autofree char *holder =
        pid != 0 ? g_strdup_printf("process %" G_GINT64_FORMAT, pid)
                 : g_strdup("another process");

    g_set_error(error, CACHE_ERROR, CACHE_ERROR_LOCKED, "%s is in use by %s",
                directory->path, holder);
    return FALSE;
}

static gboolean
take_lock(CacheDirectory *directory, gboolean *ending, GError **error)
{
    while (flock(directory->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return set_error(error, "cannot lock the directory %s",
                             directory->path);
        return refuse_locked(directory, read_lock(directory, ending), error);
    }
    write_lock(directory, "");
    return TRUE;
}

CacheDirectory *
cache_directory_open(const char *path, gboolean *ending, GError **error)
{
    g_autoptr(CacheDirectory) directory = g_new0(CacheDirectory, 1);

    *ending = FALSE;
    directory->path = g_strdup(path);
    directory->fd = -1;
    directory->lock_fd = -1;
    directory->identity_fd = -1;
    if (!open_directory(directory, error) || !open_lock(directory, error) ||
        !take_lock(directory, ending, error))
        return NULL;
    return g_steal_pointer(&directory);
}

void
cache_directory_close(CacheDirectory *directory)
{
    if (directory == NULL)
        return;
    if (directory->lock_fd >= 0)
        close(directory->lock_fd);
    if (directory->identity_fd >= 0)
        close(directory->identity_fd);
    if (directory->fd >= 0)
        close(directory->fd);
    g_free(directory->identity);
    g_free(directory->path);
    g_free(directory);
}

const char *
cache_directory_path(const CacheDirectory *directory)
{
    return directory->path;
}

void
cache_directory_announce_end(CacheDirectory *directory)
{
    write_lock(directory, ENDING);
}

/* ---- what is in it ---- */

/* The entries of the directory @name in @fd; the caller closes them. */
static DIR *
open_entries(int fd, const char *name)
{
    int entries =
        openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *stream = entries >= 0 ? fdopendir(entries) : NULL;

    if (stream == NULL && entries >= 0)
        close(entries);
    return stream;
}

static gboolean
is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Empties the directory @name in @fd; at the top, all but the lock. */
static gboolean
empty(int fd, const char *name, guint depth)
{
    DIR *stream = open_entries(fd, name);
    const struct dirent *entry;
    gboolean done = stream != NULL && depth < DEPTH_MAX;
    int cause = errno;

    while (done && (entry = readdir(stream)) != NULL) {
        if (is_dots(entry->d_name) ||
            (depth == 0 && strcmp(entry->d_name, LOCK_FILE) == 0))
            continue;
        done = unlinkat(dirfd(stream), entry->d_name, 0) == 0 ||
               (errno == EISDIR &&
                empty(dirfd(stream), entry->d_name, depth + 1) &&
                unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) == 0);
        cause = errno;
    }
    if (stream != NULL)
        closedir(stream);
    errno = cause;
    return done;
}

/* Whether what is there was kept with @identity; @noted_ids is then the number
 * behind it, 0 if an older version has left it out. */
static gboolean
read_identity(const CacheDirectory *directory, const char *identity,
              guint32 *noted_ids)
{
    char text[IDENTITY_MAX + 1] = "";
    gsize length = strlen(identity);
    int fd = openat(directory->fd, IDENTITY_FILE,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    guint64 number = 0;

    if (fd >= 0) {
        gssize n = read(fd, text, IDENTITY_MAX);

        text[MAX(n, 0)] = '\0';
        close(fd);
    }
    if (strncmp(text, identity, length) != 0)
        return FALSE;
    g_strchomp(text);
    if (text[length] != '\0' &&
        (text[length] != ' ' ||
         !g_ascii_string_to_unsigned(text + length + 1, 10, 0, G_MAXUINT32,
                                     &number, NULL)))
        return FALSE;
    *noted_ids = (guint32)number;
    return TRUE;
}

static gboolean
write_identity(const CacheDirectory *directory, const char *identity,
               guint32 next_id, GError **error)
{
    g_autofree char *path =
        g_build_filename(directory->path, IDENTITY_FILE, NULL);
    g_autofree char *text = g_strdup_printf(IDENTITY_FORMAT, identity, next_id);
    g_autoptr(GError) reason = NULL;

    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0600, &reason))
        return TRUE;
    g_set_error_literal(
        error, CACHE_ERROR,
        g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOSPC)
            ? CACHE_ERROR_NO_SPACE
            : CACHE_ERROR_IO,
        reason->message);
    return FALSE;
}

gboolean
cache_directory_bind(CacheDirectory *directory, const char *identity,
                     guint32 next_id, GError **error)
{
    guint32 noted_ids = 0;

    if (!read_identity(directory, identity, &noted_ids) ||
        noted_ids > next_id) {
        if (!empty(directory->fd, ".", 0))
            return set_error(error, "cannot empty the directory %s",
                             directory->path);
        if (!write_identity(directory, identity, next_id, error))
            return FALSE;
        noted_ids = next_id;
    }
    if (directory->identity_fd >= 0)
        close(directory->identity_fd);
    directory->identity_fd =
        openat(directory->fd, IDENTITY_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (directory->identity_fd < 0)
        return set_error(error, "cannot write in the directory %s",
                         directory->path);
    g_free(directory->identity);
    directory->identity = g_strdup(identity);
    directory->noted_ids = noted_ids;
    return TRUE;
}

void
cache_directory_note_ids(CacheDirectory *directory, guint32 next_id)
{
    g_autofree char *text = NULL;
    gsize length;

    if (directory->identity_fd < 0 || directory->noted_ids == next_id)
        return;
    /* In place, which a full disk does not prevent. */
    text = g_strdup_printf(IDENTITY_FORMAT, directory->identity, next_id);
    length = strlen(text);
    directory->noted_ids = next_id;
    if (pwrite(directory->identity_fd, text, length, 0) == (gssize)length)
        return;
    /* Without it, all is removed the next time. */
    g_debug("%s: the numbers cannot be noted: %s", directory->path,
            g_strerror(errno));
    unlinkat(directory->fd, IDENTITY_FILE, 0);
}

/* Of the files in the directory @name in @fd, and in those below. */
static guint64
octets_in(int fd, const char *name, guint depth)
{
    DIR *stream = depth < DEPTH_MAX ? open_entries(fd, name) : NULL;
    const struct dirent *entry;
    guint64 used = 0;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        struct stat file;

        if (is_dots(entry->d_name) || fstatat(dirfd(stream), entry->d_name,
                                              &file, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(file.st_mode))
            used += (guint64)file.st_blocks * 512;
        else if (S_ISDIR(file.st_mode))
            used += octets_in(dirfd(stream), entry->d_name, depth + 1);
    }
    if (stream != NULL)
        closedir(stream);
    return used;
}

guint64
cache_directory_used(const CacheDirectory *directory)
{
    return octets_in(directory->fd, ".", 0);
}

guint64
cache_directory_space(const CacheDirectory *directory)
{
    struct statvfs disk;

    if (fstatvfs(directory->fd, &disk) != 0)
        return 0;
    return cache_directory_used(directory) +
           (guint64)disk.f_bavail * disk.f_frsize;
}
