/* A directory for an index, its store thread, and a model to compare it with:
 * an array with a slot for every UID there could be. */
#pragma once

#include "cache/index-private.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODEL_UIDS 800u
#define MODEL_MAILBOXES 3u

/* Small enough that everything happens: chunks split, and most are away. */
static const CacheIndexLimits small_limits = {
    .chunk_length = 8,
    .clean_bytes = 4000,
    .batch_changes = 50,
    .batch_records = 200,
    .batch_delay_ms = 1,
};

typedef struct {
    char *directory;
    char *path;
    CacheStoreThread *thread;
    CacheIndex *index;
    GHashTable *lost; /* ids */
    guint n_lost;
} Fixture;

typedef struct {
    gboolean there;
    guint64 size;
    gint64 date;
    char stem[40];
    char flags[40];
    gboolean has_identity;
} ModelMessage;

typedef struct {
    gboolean there;
    CacheMailbox state;
    ModelMessage messages[MODEL_UIDS];
} ModelMailbox;

static inline void
note_lost(guint32 mailbox, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_hash_table_add(fixture->lost, GUINT_TO_POINTER(mailbox));
    fixture->n_lost++;
}

static inline void
open_index(Fixture *fixture)
{
    fixture->thread = cache_store_thread_new();
    fixture->index = cache_index_new_with_limits(
        fixture->directory, fixture->thread, &small_limits);
    cache_index_set_lost_func(fixture->index, note_lost, fixture);
}

static inline void
close_index(Fixture *fixture)
{
    g_clear_pointer(&fixture->index, cache_index_free);
    g_clear_pointer(&fixture->thread, cache_store_thread_free);
}

static inline int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->directory = g_dir_make_tmp("imapfs-index-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "index.db", NULL);
    fixture->lost = g_hash_table_new(NULL, NULL);
    open_index(fixture);
    *state = fixture;
    return 0;
}

static inline int
tear_down(void **state)
{
    Fixture *fixture = *state;
    GDir *directory;
    const char *name;

    close_index(fixture);
    directory = g_dir_open(fixture->directory, 0, NULL);
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path =
            g_build_filename(fixture->directory, name, NULL);

        g_remove(path);
    }
    g_dir_close(directory);
    g_rmdir(fixture->directory);
    g_hash_table_unref(fixture->lost);
    g_free(fixture->path);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

static inline void
run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

typedef struct {
    gboolean answered;
    gboolean failed;
} FlushResult;

static inline void
note_flush(const GError *error, gpointer user_data)
{
    FlushResult *result = user_data;

    result->answered = TRUE;
    result->failed = error != NULL;
}

/* Whether all is written. */
static inline gboolean
flush_index(Fixture *fixture)
{
    FlushResult result = {0};

    cache_index_flush(fixture->index, note_flush, &result);
    assert_false(result.answered);
    while (!result.answered)
        g_main_context_iteration(NULL, TRUE);
    return !result.failed;
}

static inline void
put_message(CacheIndex *index, guint32 mailbox, guint32 uid, const char *stem)
{
    CacheMessage m = {
        .uid = uid,
        .size = uid * 3u,
        .internal_date = 1000 + (gint64)uid,
        .sent_date = G_MININT64,
        .stem = stem,
        .flags = uid % 2 ? "\\Seen" : "",
    };

    cache_index_put(index, mailbox, &m);
}

/* A mailbox of the messages 1 to @n. */
static inline void
fill_mailbox(CacheIndex *index, guint32 mailbox, guint32 n)
{
    CacheMailbox state = {.uidvalidity = 7, .complete = TRUE};

    cache_index_set_mailbox(index, mailbox, &state);
    for (guint32 uid = 1; uid <= n; uid++) {
        char stem[32];

        g_snprintf(stem, sizeof stem, "stem-%u", uid);
        put_message(index, mailbox, uid, stem);
    }
}

/* How many of fill_mailbox's are there; each as it was put. */
static inline guint
count_filled(CacheIndex *index, guint32 mailbox)
{
    CacheMessage m = {0};
    guint n = 0;

    for (; cache_index_next(index, mailbox, m.uid, &m); n++) {
        char stem[32];

        g_snprintf(stem, sizeof stem, "stem-%u", m.uid);
        assert_string_equal(m.stem, stem);
        assert_int_equal(m.size, m.uid * 3u);
        assert_int_equal(m.internal_date, 1000 + m.uid);
        assert_string_equal(m.flags, m.uid % 2 ? "\\Seen" : "");
        assert_null(m.identity);
    }
    return n;
}

static inline void
note_order(GArray *uids, gpointer user_data)
{
    GArray **result = user_data;

    *result = uids;
}

static inline GArray *
order(CacheIndex *index, guint32 mailbox, gboolean by_sent_date)
{
    GArray *result = NULL;

    cache_index_order_by_name(index, mailbox, by_sent_date, note_order,
                              &result);
    assert_null(result);
    while (result == NULL)
        g_main_context_iteration(NULL, TRUE);
    return result;
}
