/* One large body on its way to the disk, and back.
 *
 * Octets are collected in chunks; at most one chunk of a file is with the store
 * thread, and what arrives meanwhile fills the next. So a fast disk has each
 * piece readable at once, and a slow one gets large writes and few wake-ups.
 *
 * The descriptor is opened by the first write and from then on only read from
 * here, after that write has come back; so the two threads share nothing but
 * the chunk that is handed over. */
#include "cache/body-file.h"

#include "cache/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHUNK_SIZE (256u * 1024)

/* What a body leaves free for others on the disk. How large it is going to be
 * is a server's word. */
#define LEFT_FREE (64 * G_GUINT64_CONSTANT(1024) * 1024)

struct CacheDisk {
    char *directory;
    CacheStoreThread *thread;
    guint64 unwritten; /* octets */
};

typedef struct {
    CacheBodyFile *file;
    guint64 offset;
    gsize length;
    GError *error; /* set by the store thread */
    guint8 data[CHUNK_SIZE];
} Chunk;

struct CacheBodyFile {
    CacheDisk *disk;
    guint64 size;               /* that it is going to have */
    int fd;                     /* -1 until the first write has opened it */
    CacheBodyFileFunc progress; /* NULL once freed, with a write under way */
    gpointer user_data;
    GQueue collected; /* of Chunk, all but the last full */
    gboolean writing;
    guint64 appended;
    guint64 written;
    GError *error;
};

static void write_next(CacheBodyFile *file);

CacheDisk *
cache_disk_new(const char *directory, CacheStoreThread *thread)
{
    CacheDisk *disk = g_rc_box_new0(CacheDisk);

    disk->directory = g_strdup(directory);
    disk->thread = thread;
    return disk;
}

static void
clear_disk(gpointer data)
{
    CacheDisk *disk = data;

    g_free(disk->directory);
}

void
cache_disk_unref(CacheDisk *disk)
{
    g_rc_box_release_full(disk, clear_disk);
}

guint64
cache_disk_unwritten(const CacheDisk *disk)
{
    return disk->unwritten;
}

static GError *
error_from_errno(int error_number, const char *what, const char *path)
{
    gboolean full = error_number == ENOSPC || error_number == EDQUOT;

    return g_error_new(
        CACHE_ERROR, full ? CACHE_ERROR_NO_SPACE : CACHE_ERROR_IO,
        "cannot %s in %s: %s", what, path, g_strerror(error_number));
}

/* A file that nobody else can open; -1 and errno. */
static int
open_unnamed(const char *directory)
{
    g_autofree char *path = NULL;
    int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC,
                  S_IRUSR | S_IWUSR);

    /* Not every file system can do without a name; those that cannot say so in
     * different ways. */
    if (fd >= 0 || errno == ENOENT)
        return fd;
    path = g_build_filename(directory, "body-XXXXXX", NULL);
    fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0)
        g_unlink(path);
    return fd;
}

static int
open_making_directory(const char *directory)
{
    int fd = open_unnamed(directory);

    if (fd < 0 && errno == ENOENT &&
        g_mkdir_with_parents(directory, S_IRWXU) == 0)
        fd = open_unnamed(directory);
    return fd;
}

static gboolean
write_all(int fd, const guint8 *data, gsize length, guint64 offset)
{
    while (length > 0) {
        gssize n = pwrite(fd, data, length, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n < 0 ? errno : EIO;
            return FALSE;
        }
        data += n;
        length -= (gsize)n;
        offset += (guint64)n;
    }
    return TRUE;
}

/* Whether the file may become as large as it is meant to; else FALSE and
 * errno. */
static gboolean
has_room(int fd, guint64 size)
{
    struct statvfs disk;

    if (fstatvfs(fd, &disk) != 0)
        return TRUE;
    errno = ENOSPC;
    return size + LEFT_FREE <= (guint64)disk.f_bavail * disk.f_frsize;
}

/* On the store thread. */
static void
write_chunk(gpointer job)
{
    Chunk *chunk = job;
    CacheBodyFile *file = chunk->file;
    const char *directory = file->disk->directory;

    gboolean first = file->fd < 0;

    if (first)
        file->fd = open_making_directory(directory);
    if (file->fd < 0)
        chunk->error = error_from_errno(errno, "make a file", directory);
    else if (first && !has_room(file->fd, file->size))
        chunk->error = error_from_errno(errno, "keep a message", directory);
    else if (!write_all(file->fd, chunk->data, chunk->length, chunk->offset))
        chunk->error = error_from_errno(errno, "write to a file", directory);
}

/* On the store thread: to close the last descriptor of a large file is to free
 * all its blocks. */
static void
close_file(gpointer job)
{
    CacheBodyFile *file = job;

    if (file->fd >= 0)
        close(file->fd);
}

static void
file_closed(gpointer job)
{
    CacheBodyFile *file = job;

    cache_disk_unref(file->disk);
    g_clear_error(&file->error);
    g_free(file);
}

static void
drop_collected(CacheBodyFile *file)
{
    Chunk *chunk;

    while ((chunk = g_queue_pop_head(&file->collected)) != NULL) {
        file->disk->unwritten -= chunk->length;
        g_free(chunk);
    }
}

static void
chunk_written(gpointer job)
{
    Chunk *chunk = job;
    CacheBodyFile *file = chunk->file;

    file->writing = FALSE;
    file->disk->unwritten -= chunk->length;
    if (chunk->error != NULL) {
        file->error = g_steal_pointer(&chunk->error);
        drop_collected(file);
    } else {
        file->written += chunk->length;
    }
    g_free(chunk);

    if (file->progress == NULL) {
        cache_body_file_free(file);
        return;
    }
    write_next(file);
    file->progress(file->user_data);
}

static void
write_next(CacheBodyFile *file)
{
    Chunk *chunk;

    if (file->writing || g_queue_is_empty(&file->collected))
        return;
    chunk = g_queue_pop_head(&file->collected);
    file->writing = TRUE;
    cache_store_thread_push(file->disk->thread, write_chunk, chunk_written,
                            chunk);
}

CacheBodyFile *
cache_body_file_new(CacheDisk *disk, guint64 size, CacheBodyFileFunc progress,
                    gpointer user_data)
{
    CacheBodyFile *file = g_new0(CacheBodyFile, 1);

    file->disk = g_rc_box_acquire(disk);
    file->size = size;
    file->fd = -1;
    file->progress = progress;
    file->user_data = user_data;
    g_queue_init(&file->collected);
    return file;
}

void
cache_body_file_free(CacheBodyFile *file)
{
    if (file == NULL)
        return;

    file->progress = NULL;
    drop_collected(file);
    if (!file->writing)
        cache_store_thread_push(file->disk->thread, close_file, file_closed,
                                file);
}

void
cache_body_file_append(CacheBodyFile *file, const void *data, gsize length)
{
    const guint8 *from = data;

    if (file->error != NULL)
        return;

    while (length > 0) {
        Chunk *chunk = g_queue_peek_tail(&file->collected);
        gsize n;

        if (chunk == NULL || chunk->length == CHUNK_SIZE) {
            /* Not cleared: pages that are not filled are never touched. */
            chunk = g_malloc(sizeof(Chunk));
            chunk->file = file;
            chunk->offset = file->appended;
            chunk->length = 0;
            chunk->error = NULL;
            g_queue_push_tail(&file->collected, chunk);
        }
        n = MIN(length, CHUNK_SIZE - chunk->length);
        memcpy(chunk->data + chunk->length, from, n);
        chunk->length += n;
        file->appended += n;
        file->disk->unwritten += n;
        from += n;
        length -= n;
    }
    write_next(file);
}

guint64
cache_body_file_written(const CacheBodyFile *file)
{
    return file->written;
}

const GError *
cache_body_file_error(const CacheBodyFile *file)
{
    return file->error;
}

gboolean
cache_body_file_read(const CacheBodyFile *file, guint64 offset, void *buffer,
                     gsize length, GError **error)
{
    guint8 *to = buffer;

    while (length > 0) {
        gssize n = pread(file->fd, to, length, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            g_propagate_error(error, error_from_errno(n < 0 ? errno : EIO,
                                                      "read a file",
                                                      file->disk->directory));
            return FALSE;
        }
        to += n;
        length -= (gsize)n;
        offset += (guint64)n;
    }
    return TRUE;
}
