/* Blocks in a directory of their own, on a disk that the tests can fill and
 * break, and by a clock that they can put forward. For one test program to
 * include. */
#pragma once

#include "cache/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB G_GUINT64_CONSTANT(1024)
#define MIB (KIB * 1024)

/* ---- the disk, and the clock: these are called in place of the libraries' */

static gint disk_errno;   /* atomic; 0: works */
static gint disk_is_full; /* atomic: of statvfs */
static gint disk_halves;  /* atomic: writes are cut short */
static gint64 clock_ahead;

ssize_t
pwritev(int fd, const struct iovec *vector, int n, off_t offset)
{
    int error_number = g_atomic_int_get(&disk_errno);

    if (error_number != 0) {
        errno = error_number;
        return -1;
    }
    if (g_atomic_int_get(&disk_halves))
        return syscall(SYS_pwrite64, fd, vector->iov_base,
                       (vector->iov_len + 1) / 2, offset);
    return syscall(SYS_pwritev, fd, vector, n, offset, 0);
}

int
fstatvfs(int fd, struct statvfs *disk)
{
    guint64 size = 100 * KIB * MIB;

    *disk = (struct statvfs){.f_frsize = 1, .f_blocks = size};
    disk->f_bavail = g_atomic_int_get(&disk_is_full) ? size / 100 : size / 2;
    return 0;
}

gint64
g_get_monotonic_time(void)
{
    return 1000 * (gint64)G_USEC_PER_SEC + clock_ahead;
}

static guint n_messages;

static GLogWriterOutput
count_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
              gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_MESSAGE) {
        n_messages++;
        return G_LOG_WRITER_HANDLED;
    }
    return g_log_writer_default(level, fields, n_fields, user_data);
}

/* ---- the fixture ---- */

typedef struct {
    char *directory;
    guint64 memory_bytes;
    guint64 disk_bytes;
    CacheStoreThread *thread;
    CacheBlocks *blocks;
} Fixture;

static void
open_blocks(Fixture *f)
{
    f->thread = cache_store_thread_new();
    f->blocks = cache_blocks_new(f->directory, f->memory_bytes, f->disk_bytes,
                                 f->thread);
}

static void
close_blocks(Fixture *f)
{
    g_clear_pointer(&f->blocks, cache_blocks_free);
    g_clear_pointer(&f->thread, cache_store_thread_free);
}

static void
reopen(Fixture *f)
{
    close_blocks(f);
    open_blocks(f);
}

static void
start(Fixture *f, guint64 memory_bytes, guint64 disk_bytes)
{
    *f = (Fixture){.memory_bytes = memory_bytes, .disk_bytes = disk_bytes};
    f->directory = g_dir_make_tmp("imapfs-blocks-XXXXXX", NULL);
    n_messages = 0;
    open_blocks(f);
}

static void
delete_all(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        delete_all(child);
    }
    g_remove(path);
}

static void
finish(Fixture *f)
{
    close_blocks(f);
    delete_all(f->directory);
    g_free(f->directory);
    clock_ahead = 0;
}

static void
settle(Fixture *f)
{
    while (cache_blocks_unwritten(f->blocks) > 0)
        g_main_context_iteration(NULL, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* The block @seed of @length. */
static GBytes *
make(guint seed, gsize length)
{
    guint8 *data = g_malloc(length);
    guint32 x = seed * 2654435761u + 1;

    for (gsize i = 0; i < length; i++) {
        if (i % 64 == 0)
            x = x * 1664525u + 1013904223u;
        data[i] = (guint8)((x >> 24) + i);
    }
    return g_bytes_new_take(data, length);
}

static void
put(Fixture *f, const char *key, guint32 number, guint seed, gsize length)
{
    g_autoptr(GBytes) data = make(seed, length);

    cache_blocks_put(f->blocks, key, number, data);
}

static gboolean
is_there(Fixture *f, const char *key, guint32 number)
{
    g_autoptr(GBytes) data = cache_blocks_get(f->blocks, key, number);

    return data != NULL;
}

/* FALSE if it is not there; fails if it is another. */
static gboolean
check(Fixture *f, const char *key, guint32 number, guint seed, gsize length)
{
    g_autoptr(GBytes) expected = make(seed, length);
    g_autoptr(GBytes) data = cache_blocks_get(f->blocks, key, number);

    if (data != NULL)
        assert_true(g_bytes_equal(data, expected));
    return data != NULL;
}

static char *
key_of(guint i)
{
    return g_strdup_printf("INBOX/1700000000/%u", i);
}

static void
put_many(Fixture *f, guint first, guint n, gsize length)
{
    for (guint i = first; i < first + n; i++) {
        g_autofree char *key = key_of(i);

        put(f, key, 0, i, length);
        if (cache_blocks_unwritten(f->blocks) > 4 * MIB)
            settle(f);
    }
    settle(f);
}

static guint
count_there(Fixture *f, guint first, guint n, gsize length)
{
    guint count = 0;

    for (guint i = first; i < first + n; i++) {
        g_autofree char *key = key_of(i);

        count += check(f, key, 0, i, length);
    }
    return count;
}

/* Calls @func with each segment file; their size. */
static guint64
for_each_segment(Fixture *f, void (*func)(const char *path))
{
    g_autofree char *folder = g_build_filename(f->directory, "segments", NULL);
    g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
    guint64 octets = 0;
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat status;

        if (stat(path, &status) != 0)
            continue; /* evicted meanwhile */
        octets += (guint64)status.st_size;
        if (func != NULL)
            func(path);
    }
    return octets;
}
