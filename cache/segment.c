/* A segment: a file of blocks one after another.
 *
 * Nothing is synced: after a loss of power the table may name places whose
 * octets never came to the disk, and the checksum tells. It is CRC-32, which
 * zlib computes here as fast as Adler-32 (2.8 GB/s measured), and which is the
 * better of the two on short messages. */
#include "cache/segment.h"

#include "cache/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define FOLDER "segments"
#define NAME_DIGITS 6

/* What is left to others on the disk. */
#define RESERVE (64 * G_GUINT64_CONSTANT(1024) * 1024)
#define RESERVE_SHARE 100

#define SPANS_AT_ONCE 256

static void
set_error(GError **error, int error_number, const char *what, const char *path)
{
    gboolean full = error_number == ENOSPC || error_number == EDQUOT;

    g_set_error(error, CACHE_ERROR,
                full ? CACHE_ERROR_NO_SPACE : CACHE_ERROR_IO,
                "cannot %s %s: %s", what, path, g_strerror(error_number));
}

static char *
path_of(const char *directory, guint32 number)
{
    return g_strdup_printf("%s/" FOLDER "/%0*u", directory, NAME_DIGITS,
                           number);
}

guint32
cache_block_checksum(const char *key, guint32 number, const void *data,
                     gsize length)
{
    const guint8 octets[4] = {(guint8)(number >> 24), (guint8)(number >> 16),
                              (guint8)(number >> 8), (guint8)number};
    uLong checksum = crc32(0, octets, sizeof(octets));

    checksum = crc32_z(checksum, (const Bytef *)key, strlen(key) + 1);
    return (guint32)crc32_z(checksum, data, length);
}

/* 0: not a name that path_of makes. */
static guint32
number_of(const char *name)
{
    gsize length = strlen(name);
    guint64 number = 0;
    g_autofree char *made = NULL;

    if (length < NAME_DIGITS || length > 10 ||
        strspn(name, "0123456789") != length)
        return 0;
    number = g_ascii_strtoull(name, NULL, 10);
    if (number > G_MAXINT32)
        return 0;
    made = g_strdup_printf("%0*u", NAME_DIGITS, (guint32)number);
    return strcmp(made, name) == 0 ? (guint32)number : 0;
}

GArray *
cache_segment_list(const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, FOLDER, NULL);
    g_autoptr(GDir) folder = NULL;
    GArray *numbers;
    const char *name;

    if (g_mkdir_with_parents(path, 0700) != 0) {
        set_error(error, errno, "make", path);
        return NULL;
    }
    folder = g_dir_open(path, 0, NULL);
    if (folder == NULL) {
        set_error(error, errno, "read", path);
        return NULL;
    }
    numbers = g_array_new(FALSE, FALSE, sizeof(guint32));
    while ((name = g_dir_read_name(folder)) != NULL) {
        guint32 number = number_of(name);

        if (number != 0)
            g_array_append_val(numbers, number);
    }
    return numbers;
}

int
cache_segment_create(const char *directory, guint32 number, gboolean *exists,
                     GError **error)
{
    g_autofree char *path = path_of(directory, number);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  S_IRUSR | S_IWUSR);

    *exists = fd < 0 && errno == EEXIST;
    if (fd < 0)
        set_error(error, errno, "make", path);
    return fd;
}

int
cache_segment_open(const char *directory, guint32 number, gboolean for_writing)
{
    g_autofree char *path = path_of(directory, number);
    int flags = for_writing ? O_RDWR : O_RDONLY;
    struct stat status;
    int fd;

    /* Not to be held up by a pipe in the place of the file. */
    fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

void
cache_segment_delete(const char *directory, guint32 number)
{
    g_autofree char *path = path_of(directory, number);

    g_unlink(path);
}

static gboolean
write_vector(int fd, struct iovec *vector, guint n, guint64 *offset)
{
    while (n > 0) {
        gssize written = pwritev(fd, vector, (int)n, (off_t)*offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written < 0 ? errno : EIO;
            return FALSE;
        }
        *offset += (guint64)written;
        while (n > 0 && (gsize)written >= vector->iov_len) {
            written -= (gssize)vector->iov_len;
            vector++;
            n--;
        }
        if (n > 0) {
            vector->iov_base = (guint8 *)vector->iov_base + written;
            vector->iov_len -= (gsize)written;
        }
    }
    return TRUE;
}

gboolean
cache_segment_append(int fd, guint64 offset, const CacheSpan *spans,
                     guint n_spans, GError **error)
{
    guint64 end = offset;

    while (n_spans > 0) {
        struct iovec vector[SPANS_AT_ONCE];
        guint n = MIN(n_spans, SPANS_AT_ONCE);

        for (guint i = 0; i < n; i++)
            vector[i] = (struct iovec){(void *)spans[i].data, spans[i].length};
        if (!write_vector(fd, vector, n, &end)) {
            set_error(error, errno, "write", "a segment of the cache");
            if (ftruncate(fd, (off_t)offset) != 0)
                g_debug("a segment cannot be cut: %s", g_strerror(errno));
            return FALSE;
        }
        spans += n;
        n_spans -= n;
    }
    return TRUE;
}

gboolean
cache_segment_has_room(int fd, guint64 octets, GError **error)
{
    struct statvfs disk;
    guint64 free_octets, reserve;

    if (fstatvfs(fd, &disk) != 0)
        return TRUE;
    free_octets = (guint64)disk.f_bavail * disk.f_frsize;
    reserve =
        MAX(RESERVE, (guint64)disk.f_blocks * disk.f_frsize / RESERVE_SHARE);
    if (octets + reserve <= free_octets)
        return TRUE;
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_NO_SPACE,
                "only %" G_GUINT64_FORMAT " MiB are free on the disk",
                free_octets >> 20);
    return FALSE;
}

gboolean
cache_segment_is_there(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || status.st_nlink > 0;
}

GBytes *
cache_segment_read(int fd, const CacheBlockPlace *place, const char *key,
                   guint32 number)
{
    g_autofree guint8 *data = g_malloc(place->length);
    gsize length = 0;

    while (length < place->length) {
        gssize n = pread(fd, data + length, place->length - length,
                         (off_t)place->offset + (off_t)length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        length += (gsize)n;
    }
    if (cache_block_checksum(key, number, data, length) != place->checksum)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), length);
}
