/* A spool in a directory of its own, and its thread. */
#pragma once

#include "cache/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <unistd.h>

typedef struct {
    char *directory;
    CacheStoreThread *thread;
    CacheSpool *spool;
} SpoolFixture;

static void
spool_fixture_open(SpoolFixture *fixture)
{
    fixture->thread = cache_store_thread_new();
    fixture->spool =
        cache_spool_open(fixture->directory, fixture->thread, NULL);
    assert_non_null(fixture->spool);
}

/* As a crash would, nothing being on its way. */
static void
spool_fixture_close(SpoolFixture *fixture)
{
    cache_store_thread_drain(fixture->thread);
    cache_spool_close(fixture->spool);
    cache_store_thread_free(fixture->thread);
}

static int
spool_fixture_setup(void **state)
{
    SpoolFixture *fixture = g_new0(SpoolFixture, 1);

    fixture->directory = g_dir_make_tmp("imapfs-test-XXXXXX", NULL);
    spool_fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int
spool_fixture_teardown(void **state)
{
    SpoolFixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->directory, "spool", NULL);
    GDir *directory;
    const char *name;

    spool_fixture_close(fixture);
    directory = g_dir_open(path, 0, NULL);
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        g_unlink(file);
    }
    g_dir_close(directory);
    g_rmdir(path);
    g_rmdir(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

static inline void
spool_fixture_write(CacheSpoolFile *file, guint64 offset, const char *text)
{
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));

    cache_spool_file_write(file, offset, data, NULL, NULL);
}

/* All of it. Caller frees. */
static inline char *
spool_fixture_read(CacheSpoolFile *file)
{
    gsize size = cache_spool_file_size(file);
    char *text = g_malloc0(size + 1);

    assert_int_equal(cache_spool_file_read(file, 0, text, size, NULL), size);
    return text;
}
