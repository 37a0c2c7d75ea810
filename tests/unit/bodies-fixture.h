/* A cache of bodies in a directory of its own, on a disk that the tests can
 * stall, fill and break: pwrite and open are defined here, before libc's. For
 * one test program to include. */
#pragma once

#include "cache/bodies.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE (CACHE_BODY_IN_MEMORY_MAX + 1)
#define KIB G_GUINT64_CONSTANT(1024)

/* ---- the disk ---- */

static GMutex disk_lock;
static GCond disk_changed;
static gboolean disk_stalled;
static gint disk_errno;            /* atomic; 0: works */
static gint disk_knows_no_unnamed; /* atomic */
static gint disk_interrupts;       /* atomic */

ssize_t
pwrite(int fd, const void *data, size_t length, off_t offset)
{
    int error_number = g_atomic_int_get(&disk_errno);

    g_mutex_lock(&disk_lock);
    while (disk_stalled)
        g_cond_wait(&disk_changed, &disk_lock);
    g_mutex_unlock(&disk_lock);
    if (error_number != 0) {
        errno = error_number;
        return -1;
    }
    if (g_atomic_int_get(&disk_interrupts)) {
        static guint n;

        if (++n % 2 == 0) {
            errno = EINTR;
            return -1;
        }
        length = MIN(length, 10000);
    }
    return syscall(SYS_pwrite64, fd, data, length, offset);
}

int
open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list arguments;

    if ((flags & O_TMPFILE) == O_TMPFILE &&
        g_atomic_int_get(&disk_knows_no_unnamed)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void
set_disk_stalled(gboolean stalled)
{
    g_mutex_lock(&disk_lock);
    disk_stalled = stalled;
    g_cond_broadcast(&disk_changed);
    g_mutex_unlock(&disk_lock);
}

/* ---- the fixture ---- */

typedef struct {
    char *parent;
    char *directory;
    CacheStoreThread *thread;
    CacheBodies *bodies;
    guint n_descriptors; /* open before */
} Fixture;

static guint
count_descriptors(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(directory) != NULL)
        n++;
    return n;
}

static void
start_with(Fixture *f, guint64 memory_bytes, guint64 disk_bytes)
{
    *f = (Fixture){0};
    f->parent = g_dir_make_tmp("imapfs-bodies-XXXXXX", NULL);
    f->directory = g_build_filename(f->parent, "a", "b", NULL);
    f->thread = cache_store_thread_new();
    f->bodies =
        cache_bodies_new(f->directory, memory_bytes, disk_bytes, f->thread);
    f->n_descriptors = count_descriptors();
}

static void
start(Fixture *f)
{
    start_with(f, 64 * KIB * KIB, 64 * KIB * KIB);
}

/* Nothing may be left, neither a descriptor nor a name in the directory. */
static void
finish(Fixture *f)
{
    g_autofree char *above = g_build_filename(f->parent, "a", NULL);

    cache_bodies_free(f->bodies);
    cache_store_thread_free(f->thread);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_in_range(count_descriptors(), 0, f->n_descriptors);
    g_rmdir(f->directory);
    g_rmdir(above);
    assert_int_equal(g_rmdir(f->parent), 0);
    g_free(f->directory);
    g_free(f->parent);
}

static void
settle(Fixture *f)
{
    while (cache_bodies_unwritten(f->bodies) > 0)
        g_main_context_iteration(NULL, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* Octet @i of the body @seed. */
static guint8
octet(guint seed, guint64 i)
{
    return (guint8)(seed * 31 + i * 7 + (i >> 8) * 3 + (i >> 16));
}

static void
append(CacheBody *body, guint seed, guint64 from, gsize length)
{
    g_autofree guint8 *data = g_malloc(length);

    for (gsize i = 0; i < length; i++)
        data[i] = octet(seed, from + i);
    cache_body_append(body, data, length);
}

static CacheBody *
create_whole(Fixture *f, const char *key, guint seed, guint64 size)
{
    CacheBody *body = cache_bodies_create(f->bodies, key, size);

    append(body, seed, 0, size);
    cache_body_commit(body);
    return body;
}

/* Made, committed, written and let go. */
static void
keep(Fixture *f, const char *key, guint seed, guint64 size)
{
    cache_body_unref(create_whole(f, key, seed, size));
    settle(f);
}

static gboolean
has(Fixture *f, const char *key)
{
    g_autoptr(CacheBody) body = cache_bodies_find(f->bodies, key);

    return body != NULL;
}

static void
assert_reads(CacheBody *body, guint seed, guint64 offset, gsize length,
             guint64 expected)
{
    g_autofree guint8 *buffer = g_malloc(length + 1);
    gssize n = cache_body_read(body, offset, buffer, length, NULL);

    assert_int_equal(n, expected);
    for (gssize i = 0; i < n; i++)
        if (buffer[i] != octet(seed, offset + (guint64)i))
            fail_msg("octet %" G_GUINT64_FORMAT " differs",
                     offset + (guint64)i);
}

typedef struct {
    guint n_calls;
    guint64 available; /* at the last call */
    gboolean appending;
    CacheBody *release; /* let go at the next call */
} Watch;

static void
watched(CacheBody *body, gpointer user_data)
{
    Watch *watch = user_data;

    assert_false(watch->appending);
    assert_true(cache_body_available(body) >= watch->available);
    watch->available = cache_body_available(body);
    watch->n_calls++;
    g_clear_pointer(&watch->release, cache_body_unref);
}
