/* The index with its database: what it gives back later, and what it does when
 * the disk does not. */
#include "tests/unit/index-fixture.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- The model ---- */

static void
change_message(CacheIndex *index, guint32 id, guint32 uid, ModelMessage *e,
               GRand *rand)
{
    static const char *const flags[] = {"", "\\Seen", "\\Seen \\Flagged", "$x"};
    char identity[16];
    CacheMessage m = {.uid = uid, .size_verified = uid % 3 == 0};

    g_snprintf(e->stem, sizeof e->stem, "%.*s%u", g_rand_int_range(rand, 0, 30),
               "abcdefghijklmnopqrstuvwxyzabcd", uid);
    g_strlcpy(e->flags, flags[g_rand_int_range(rand, 0, 4)], sizeof e->flags);
    g_snprintf(identity, sizeof identity, "M%u", uid);
    e->there = TRUE;
    e->size = g_rand_int(rand);
    e->date = g_rand_int(rand);
    e->has_identity = g_rand_boolean(rand);
    m.size = e->size;
    m.internal_date = e->date;
    m.sent_date = -e->date;
    m.stem = e->stem;
    m.flags = e->flags;
    m.identity = e->has_identity ? identity : NULL;
    cache_index_put(index, id, &m);
}

static void
assert_same_message(const CacheMessage *m, const ModelMessage *e)
{
    assert_int_equal(m->size, e->size);
    assert_int_equal(m->size_verified, m->uid % 3 == 0);
    assert_int_equal(m->internal_date, e->date);
    assert_int_equal(m->sent_date, -e->date);
    assert_string_equal(m->stem, e->stem);
    assert_string_equal(m->flags, e->flags);
    assert_int_equal(m->identity != NULL, e->has_identity);
    if (m->identity != NULL)
        assert_int_equal(atoi(m->identity + 1), m->uid);
}

static void
assert_same_mailbox(CacheIndex *index, guint32 id, const ModelMailbox *model,
                    guint64 *messages, guint64 *octets)
{
    CacheMailbox state;
    CacheMessage m = {0};
    guint n = 0;

    assert_int_equal(cache_index_mailbox(index, id, &state), model->there);
    if (model->there)
        assert_int_equal(state.highestmodseq, model->state.highestmodseq);
    for (guint32 uid = 1; uid < MODEL_UIDS; uid++) {
        const ModelMessage *e = &model->messages[uid];
        CacheMessage direct;

        assert_int_equal(cache_index_message(index, id, uid, &direct),
                         e->there);
        if (!e->there)
            continue;
        assert_same_message(&direct, e);
        assert_true(cache_index_next(index, id, m.uid, &m));
        assert_int_equal(m.uid, uid);
        assert_same_message(&m, e);
        n++;
        *octets += e->size;
    }
    assert_false(cache_index_next(index, id, m.uid, &m));
    assert_int_equal(cache_index_count(index, id), n);
    *messages += n;
}

static void
assert_same(CacheIndex *index, const ModelMailbox *models)
{
    guint64 messages = 0, octets = 0, n, o;

    for (guint32 id = 0; id < MODEL_MAILBOXES; id++)
        assert_same_mailbox(index, id, &models[id], &messages, &octets);
    cache_index_totals(index, &n, &o);
    assert_int_equal(n, messages);
    assert_int_equal(o, octets);
}

/* A run of puts or removals in one mailbox. */
static void
change_mailbox(CacheIndex *index, guint32 id, ModelMailbox *model, GRand *rand)
{
    guint32 uid = (guint32)g_rand_int_range(rand, 1, MODEL_UIDS);
    gint step = g_rand_int_range(rand, -2, 3);
    gboolean adding = g_rand_int_range(rand, 0, 100) < 60;

    if (!model->there) {
        model->there = TRUE;
        model->state.highestmodseq = g_rand_int(rand);
        cache_index_set_mailbox(index, id, &model->state);
    }
    for (guint i = 0; i < 60 && uid > 0 && uid < MODEL_UIDS; i++) {
        ModelMessage *e = &model->messages[uid];

        if (adding) {
            change_message(index, id, uid, e, rand);
        } else {
            e->there = FALSE;
            cache_index_remove(index, id, uid);
        }
        uid = step != 0 ? uid + (guint32)step
                        : (guint32)g_rand_int_range(rand, 1, MODEL_UIDS);
    }
    model->state.highestmodseq++;
    cache_index_set_mailbox(index, id, &model->state);
}

static void
operations_at_random_agree_with_the_model(void **state)
{
    Fixture *fixture = *state;
    g_autofree ModelMailbox *models = g_new0(ModelMailbox, MODEL_MAILBOXES);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);

    for (guint round = 0; round < 2000; round++) {
        guint32 id = (guint32)g_rand_int_range(rand, 0, MODEL_MAILBOXES);
        gint what = g_rand_int_range(rand, 0, 100);

        if (what < 3) {
            cache_index_drop_mailbox(fixture->index, id);
            memset(&models[id], 0, sizeof models[id]);
        } else if (what < 8) {
            close_index(fixture);
            open_index(fixture);
        } else if (what < 14) {
            assert_true(flush_index(fixture));
        } else {
            change_mailbox(fixture->index, id, &models[id], rand);
        }
        if (round % 3 == 0)
            run_loop();
        if (round % 20 == 0)
            assert_same(fixture->index, models);
    }
    assert_same(fixture->index, models);
    assert_int_equal(fixture->n_lost, 0);
}

/* ---- Reopening ---- */

static void
index_reopened_knows_counts_and_messages(void **state)
{
    Fixture *fixture = *state;
    guint64 messages, octets;
    CacheMailbox mailbox;

    fill_mailbox(fixture->index, 3, 100);
    fill_mailbox(fixture->index, G_MAXUINT32, 1);
    close_index(fixture);
    open_index(fixture);
    cache_index_totals(fixture->index, &messages, &octets);
    assert_int_equal(messages, 101);
    assert_int_equal(octets, 3 * 5050 + 3);
    assert_int_equal(cache_index_count(fixture->index, 3), 100);
    assert_true(cache_index_mailbox(fixture->index, 3, &mailbox));
    assert_int_equal(mailbox.uidvalidity, 7);
    assert_true(mailbox.complete);
    assert_false(mailbox.has_headers);
    assert_int_equal(count_filled(fixture->index, 3), 100);
    assert_int_equal(count_filled(fixture->index, G_MAXUINT32), 1);
}

static void
index_files_are_the_owners_alone(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    Fixture *fixture = *state;
    mode_t mask = umask(0);

    close_index(fixture);
    g_remove(fixture->path);
    open_index(fixture);
    fill_mailbox(fixture->index, 3, 100);
    assert_true(flush_index(fixture));
    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(fixture->path, suffixes[i], NULL);
        struct stat file;

        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    umask(mask);
}

static void
unwritten_changes_are_counted_until_they_are_written(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(cache_index_unwritten(fixture->index), 0);
    fill_mailbox(fixture->index, 3, 1000);
    assert_true(cache_index_unwritten(fixture->index) >= 1000);
    assert_true(flush_index(fixture));
    assert_int_equal(cache_index_unwritten(fixture->index), 0);
    /* Nothing waits for a timer when there is nothing to write. */
    assert_null(fixture->index->timer);
    assert_null(fixture->index->job);
}

static void
records_that_the_disk_has_leave_memory(void **state)
{
    Fixture *fixture = *state;

    fill_mailbox(fixture->index, 3, 5000);
    assert_true(flush_index(fixture));
    assert_true(fixture->index->clean_bytes <= small_limits.clean_bytes);
    assert_int_equal(count_filled(fixture->index, 3), 5000);
    assert_true(fixture->index->clean_bytes <= small_limits.clean_bytes + 2000);
}

static void
strings_borrowed_from_one_chunk_are_put_in_another(void **state)
{
    Fixture *fixture = *state;

    /* Nothing stays but what is shown. */
    fixture->index->limits.clean_bytes = 0;
    fill_mailbox(fixture->index, 3, 2000);
    for (guint32 uid = 1; uid < 1000; uid += 7) {
        CacheMessage m, there;
        char stem[32];

        g_snprintf(stem, sizeof stem, "stem-%u", uid);
        put_message(fixture->index, 3, uid + 1, "x");
        assert_true(cache_index_message(fixture->index, 3, uid, &m));
        while (fixture->index->job != NULL || fixture->index->timer != NULL)
            g_main_context_iteration(NULL, TRUE);
        assert_string_equal(m.stem, stem);
        m.uid = 2001 - uid;
        cache_index_put(fixture->index, 3, &m);
        assert_true(cache_index_message(fixture->index, 3, m.uid, &there));
        assert_int_equal(there.size, uid * 3);
        assert_string_equal(there.stem, stem);
    }
}

static void
strings_too_long_are_cut_or_left_out(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *stem = g_strnfill(5000, 's');
    g_autofree char *word = g_strnfill(4090, 'f');
    g_autofree char *flags = g_strconcat(word, " long-flag", NULL);
    g_autofree char *one_flag = g_strnfill(5000, 'f');
    g_autofree char *identity = g_strnfill(256, 'i');
    CacheMailbox mailbox = {0};
    CacheMessage m = {.uid = 1, .size = G_MAXUINT64};

    m.stem = stem;
    m.flags = flags;
    m.identity = identity;
    cache_index_set_mailbox(fixture->index, 3, &mailbox);
    cache_index_put(fixture->index, 3, &m);
    m.uid = 2;
    m.flags = one_flag;
    m.identity = identity + 1;
    cache_index_put(fixture->index, 3, &m);
    close_index(fixture);
    open_index(fixture);
    assert_true(cache_index_message(fixture->index, 3, 1, &m));
    assert_int_equal(strlen(m.stem), CACHE_STEM_MAX);
    assert_string_equal(m.flags, word);
    assert_null(m.identity);
    assert_int_equal(m.size, G_MAXINT64);
    assert_true(cache_index_message(fixture->index, 3, 2, &m));
    assert_string_equal(m.flags, "");
    assert_int_equal(strlen(m.identity), 255);
}

/* ---- Order ---- */

static void
note_order(GArray *uids, gpointer user_data)
{
    GArray **result = user_data;

    *result = uids;
}

static GArray *
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

typedef struct {
    gint64 minute;
    char *stem;
    guint32 uid;
} Named;

static gint
compare_named(gconstpointer a, gconstpointer b)
{
    const Named *one = *(Named *const *)a, *two = *(Named *const *)b;
    gint by_stem;

    if (one->minute != two->minute)
        return one->minute < two->minute ? -1 : 1;
    by_stem = strcmp(one->stem, two->stem);
    if (by_stem != 0)
        return by_stem;
    return one->uid < two->uid ? -1 : one->uid > two->uid;
}

static void
free_named(gpointer data)
{
    Named *named = data;

    g_free(named->stem);
    g_free(named);
}

/* Few dates and stems that begin alike, so that all levels are gone through. */
static GPtrArray *
put_names(CacheIndex *index, gboolean by_sent_date)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(free_named);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    CacheMailbox mailbox = {0};

    cache_index_set_mailbox(index, 3, &mailbox);
    for (guint32 uid = 1; uid <= 700; uid++) {
        Named *named = g_new0(Named, 1);
        gint length = g_rand_int_range(rand, 0, 40);
        gint64 date = g_rand_int_range(rand, -300, 300);
        g_autofree char *stem = g_strdup_printf(
            "%.*s%s%d", length, "someone_the-same-subject-that-all-have-here",
            g_rand_boolean(rand) ? "-" : "\xc3\xa4",
            g_rand_int_range(rand, 0, 3));
        CacheMessage m = {
            .uid = uid,
            .internal_date = date,
            .sent_date = by_sent_date ? date : 7,
            .stem = uid % 50 != 0 ? stem : NULL,
        };

        if (by_sent_date && uid % 4 != 0)
            m.internal_date = -date;
        else if (by_sent_date)
            m.sent_date = G_MININT64;
        cache_index_put(index, 3, &m);
        named->uid = uid;
        named->minute = (date + 60000) / 60;
        named->stem = g_strconcat(m.stem != NULL ? m.stem : "", ".", NULL);
        g_ptr_array_add(names, named);
    }
    g_ptr_array_sort(names, compare_named);
    return names;
}

static void
assert_order(CacheIndex *index, gboolean by_sent_date)
{
    g_autoptr(GPtrArray) names = put_names(index, by_sent_date);
    g_autoptr(GArray) uids = order(index, 3, by_sent_date);

    assert_int_equal(uids->len, names->len);
    for (guint i = 0; i < uids->len; i++)
        assert_int_equal(g_array_index(uids, guint32, i),
                         ((Named *)g_ptr_array_index(names, i))->uid);
}

static void
order_by_name_is_that_of_names(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(CacheIndex) memory =
        cache_index_new_with_limits(NULL, NULL, &small_limits);

    assert_order(fixture->index, FALSE);
    assert_order(fixture->index, TRUE);
    assert_order(memory, FALSE);
    assert_order(memory, TRUE);
}

static void
order_of_an_unknown_mailbox_is_empty(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GArray) uids = order(fixture->index, 9, FALSE);

    assert_int_equal(uids->len, 0);
}

static void
index_freed_answers_who_waits_for_an_order(void **state)
{
    Fixture *fixture = *state;
    GArray *waiting = NULL, *working = NULL;

    fill_mailbox(fixture->index, 3, 200);
    assert_true(flush_index(fixture));
    cache_index_order_by_name(fixture->index, 3, FALSE, note_order, &working);
    run_loop();
    cache_index_order_by_name(fixture->index, 3, FALSE, note_order, &waiting);
    close_index(fixture);
    assert_non_null(working);
    assert_non_null(waiting);
    g_array_unref(working);
    g_array_unref(waiting);
}

/* ---- Ends that nobody chose ---- */

#define KILL_BATCH 30u

/* Whoever says @complete has as many messages as @uidnext says; and all that
 * was removed is there no more. */
static void
write_until_killed(const char *directory)
{
    CacheStoreThread *thread = cache_store_thread_new();
    CacheIndex *index =
        cache_index_new_with_limits(directory, thread, &small_limits);
    CacheMailbox state = {0};
    guint32 first = 1, next;

    for (;;) {
        next = first + cache_index_count(index, 1);
        state.complete = FALSE;
        cache_index_set_mailbox(index, 1, &state);
        for (guint i = 0; i < KILL_BATCH; i++)
            put_message(index, 1, next++, "stem");
        if (next > 400) {
            cache_index_drop_mailbox(index, 1);
            next = 1;
        }
        state.uidvalidity = cache_index_count(index, 1);
        state.complete = TRUE;
        cache_index_set_mailbox(index, 1, &state);
        run_loop();
    }
}

static void
assert_true_at_one_moment(CacheIndex *index)
{
    CacheMailbox mailbox;
    CacheMessage m = {0};
    guint n = 0;

    for (; cache_index_next(index, 1, m.uid, &m); n++)
        assert_int_equal(m.uid, n + 1);
    assert_int_equal(n, cache_index_count(index, 1));
    if (cache_index_mailbox(index, 1, &mailbox) && mailbox.complete)
        assert_int_equal(mailbox.uidvalidity, n);
}

static void
process_killed_leaves_what_was_true_at_one_moment(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    guint n_found = 0;

    for (guint i = 0; i < 20; i++) {
        pid_t pid;

        close_index(fixture);
        pid = fork();
        if (pid == 0)
            write_until_killed(fixture->directory);
        g_usleep((gulong)g_rand_int_range(rand, 1000, 60000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        open_index(fixture);
        assert_true_at_one_moment(fixture->index);
        n_found += cache_index_count(fixture->index, 1) > 0;
        run_loop();
        assert_int_equal(fixture->n_lost, 0);
    }
    assert_true(n_found > 0);
}

/* ---- Damage ---- */

/* In a process of its own: closing a file gives up the locks that this one has
 * on it. */
static void
damage(const char *path, gint64 offset, gsize length, guint seed)
{
    pid_t pid = fork();

    if (pid == 0) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        int fd = open(path, O_RDWR | O_CLOEXEC);

        for (gsize i = 0; fd >= 0 && i < length; i++) {
            char octet = (char)g_rand_int(rand);

            if (pwrite(fd, &octet, 1, offset + (gint64)i) != 1)
                break;
        }
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static gint64
size_of(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 ? file.st_size : 0;
}

/* All or nothing of each, and whoever is lost is told. */
static void
assert_nothing_wrong(Fixture *fixture)
{
    for (guint32 id = 1; id <= 3; id++) {
        gboolean known;
        CacheMailbox mailbox;
        guint n;

        known = cache_index_mailbox(fixture->index, id, &mailbox);
        n = count_filled(fixture->index, id);
        if (cache_index_mailbox(fixture->index, id, &mailbox)) {
            assert_int_equal(n, 300);
        } else if (known) {
            run_loop();
            assert_true(
                g_hash_table_contains(fixture->lost, GUINT_TO_POINTER(id)));
        }
    }
}

static void
refill(Fixture *fixture)
{
    run_loop();
    g_hash_table_remove_all(fixture->lost);
    for (guint32 id = 1; id <= 3; id++) {
        cache_index_drop_mailbox(fixture->index, id);
        fill_mailbox(fixture->index, id, 300);
    }
    assert_true(flush_index(fixture));
}

static void
damage_between_runs_is_never_shown(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (guint i = 0; i < 120; i++) {
        gint64 offset;

        refill(fixture);
        close_index(fixture);
        offset = g_rand_int_range(rand, 0, (gint)size_of(fixture->path));
        if (i % 10 == 0)
            offset = i / 10 * 8;
        if (i % 15 == 14)
            assert_int_equal(truncate(fixture->path, offset), 0);
        else
            damage(fixture->path, offset,
                   (gsize)g_rand_int_range(rand, 1, i % 2 ? 2000 : 8), i);
        open_index(fixture);
        assert_nothing_wrong(fixture);
    }
    assert_true(fixture->n_lost > 0);
}

/* What no checksum of SQLite's tells: it has none. */
static void
rows_altered_between_runs_are_never_shown(void **state)
{
    static const char *const changes[] = {
        "UPDATE mailbox SET uidvalidity = 8 WHERE id = 1",
        "UPDATE mailbox SET messages = -1 WHERE id = 1",
        "UPDATE mailbox SET id = 9 WHERE id = 1",
        "UPDATE chunk SET first = first - 1 WHERE mailbox = 1 AND first > 200",
        "UPDATE chunk SET octets = 1 << 62 WHERE mailbox = 1",
        "UPDATE chunk SET mailbox = 2 WHERE mailbox = 1 AND first > 200",
        "UPDATE chunk SET messages = 'x' WHERE mailbox = 1",
        "DELETE FROM chunk WHERE mailbox = 1 AND first > 200",
        "DELETE FROM records WHERE number IN (SELECT number FROM chunk "
        "WHERE mailbox = 1 AND first > 200)",
        "UPDATE records SET data = (SELECT max(data) FROM records)",
        "UPDATE records SET data = zeroblob(length(data))",
        "UPDATE records SET data = substr(data, 1, 30)",
        "UPDATE records SET data = ''",
        "UPDATE records SET data = zeroblob(50000000) WHERE number = "
        "(SELECT max(number) FROM records)",
        "UPDATE records SET data = 7",
        "DROP TABLE records",
        "DROP TABLE mailbox",
    };
    Fixture *fixture = *state;

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        sqlite3 *database;
        CacheMailbox mailbox;
        guint n_known = 0;

        refill(fixture);
        close_index(fixture);
        sqlite3_open(fixture->path, &database);
        assert_int_equal(sqlite3_exec(database, changes[i], NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_close(database);
        open_index(fixture);
        assert_nothing_wrong(fixture);
        for (guint32 id = 1; id <= 3; id++)
            n_known += cache_index_mailbox(fixture->index, id, &mailbox);
        assert_int_equal(n_known, 0);
        assert_false(cache_index_mailbox(fixture->index, 9, &mailbox));
    }
}

static void
damage_during_a_run_is_never_shown(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *log = g_strconcat(fixture->path, "-wal", NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);

    for (guint i = 0; i < 60; i++) {
        const char *path = i % 2 ? fixture->path : log;
        gint64 size;

        refill(fixture);
        if (i % 2) {
            close_index(fixture); /* out of the log */
            open_index(fixture);
        }
        size = MAX(size_of(path), 20000);
        for (guint k = 0; k < 4; k++)
            damage(path, g_rand_int_range(rand, 5000, (gint)size - 1000), 900,
                   i);
        assert_nothing_wrong(fixture);
        (void)flush_index(fixture);
        assert_nothing_wrong(fixture);
    }
    assert_true(fixture->n_lost > 0);
}

static void
mailbox_lost_stays_unknown_until_that_was_told(void **state)
{
    Fixture *fixture = *state;
    CacheMailbox mailbox = {.complete = TRUE};

    refill(fixture);
    close_index(fixture);
    open_index(fixture);
    damage(fixture->path, 4096, (gsize)size_of(fixture->path) - 4096, 1);
    assert_int_equal(count_filled(fixture->index, 1), 0);
    /* What was under way does not make it a complete one. */
    cache_index_set_mailbox(fixture->index, 1, &mailbox);
    put_message(fixture->index, 1, 1000, "x");
    assert_false(cache_index_mailbox(fixture->index, 1, &mailbox));
    assert_int_equal(fixture->n_lost, 0);
    while (fixture->n_lost < 3)
        g_main_context_iteration(NULL, TRUE);
    refill(fixture);
    close_index(fixture);
    open_index(fixture);
    assert_int_equal(count_filled(fixture->index, 1), 300);
    assert_int_equal(fixture->n_lost, 3);
}

static void
mailbox_wholly_in_memory_outlives_the_database(void **state)
{
    Fixture *fixture = *state;

    refill(fixture);
    close_index(fixture);
    open_index(fixture);
    fill_mailbox(fixture->index, 9, 5);
    assert_true(flush_index(fixture));
    damage(fixture->path, 4096, (gsize)size_of(fixture->path) - 4096, 1);
    fill_mailbox(fixture->index, 9, 6);
    assert_int_equal(count_filled(fixture->index, 1), 0);
    assert_int_equal(count_filled(fixture->index, 9), 6);
    close_index(fixture);
    open_index(fixture);
    assert_int_equal(count_filled(fixture->index, 9), 6);
    assert_int_equal(cache_index_count(fixture->index, 1), 0);
}

static void
database_of_another_version_is_set_aside(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *aside = g_strconcat(fixture->path, ".damaged", NULL);
    sqlite3 *database;

    fill_mailbox(fixture->index, 3, 10);
    close_index(fixture);
    sqlite3_open(fixture->path, &database);
    sqlite3_exec(database, "PRAGMA user_version = 77", NULL, NULL, NULL);
    sqlite3_close(database);
    open_index(fixture);
    assert_int_equal(cache_index_count(fixture->index, 3), 0);
    assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
    fill_mailbox(fixture->index, 3, 10);
    assert_true(flush_index(fixture));
}

/* ---- Disks that refuse ---- */

static void
directory_missing_leaves_an_index_in_memory(void **state)
{
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();
    Fixture fixture = {0};
    g_autoptr(GArray) uids = NULL;

    fixture.index =
        cache_index_new_with_limits("/nonexistent/x", thread, &small_limits);
    fill_mailbox(fixture.index, 3, 500);
    assert_int_equal(cache_index_unwritten(fixture.index), 0);
    assert_false(flush_index(&fixture));
    assert_int_equal(count_filled(fixture.index, 3), 500);
    uids = order(fixture.index, 3, FALSE);
    assert_int_equal(uids->len, 500);
    cache_index_free(fixture.index);
}

static void
limit_file_size(rlim_t octets)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = octets;
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* A file that may not grow refuses as a full disk does. */
static void
disk_full_keeps_changes_in_memory_and_the_disk_consistent(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GArray) uids = NULL;
    g_autofree char *flags = g_strnfill(4000, 'f');
    CacheMailbox mailbox = {.complete = TRUE};

    signal(SIGXFSZ, SIG_IGN);
    fill_mailbox(fixture->index, 3, 1000);
    assert_true(flush_index(fixture));
    cache_index_set_mailbox(fixture->index, 4, &mailbox);
    limit_file_size(600000);
    for (guint32 uid = 1; uid <= 1000; uid++) {
        CacheMessage m = {.uid = uid, .flags = flags};

        cache_index_put(fixture->index, 4, &m);
    }
    assert_false(flush_index(fixture));
    assert_int_equal(cache_index_unwritten(fixture->index), 0);
    cache_index_remove(fixture->index, 3, 500);
    assert_false(flush_index(fixture));
    assert_int_equal(count_filled(fixture->index, 3), 999);
    assert_int_equal(cache_index_count(fixture->index, 4), 1000);
    uids = order(fixture->index, 3, FALSE);
    assert_int_equal(uids->len, 999);
    close_index(fixture);
    limit_file_size(RLIM_INFINITY);
    open_index(fixture);
    assert_int_equal(count_filled(fixture->index, 3), 1000);
    assert_true(cache_index_count(fixture->index, 4) < 1000);
    assert_int_equal(fixture->n_lost, 0);
}

static void
database_that_failed_once_takes_nothing_more(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = g_strconcat(fixture->path, "-other", NULL);
    g_autoptr(CacheIndexDatabase) database =
        cache_index_database_open(path, NULL);
    CacheIndexBatch *batch = cache_index_batch_new();
    CacheChunkRow chunk = {.mailbox = 1, .stub = {.number = 1, .length = 1}};
    g_autoptr(GError) error = NULL;

    signal(SIGXFSZ, SIG_IGN);
    assert_non_null(database);
    assert_true(cache_index_database_write(database, batch, &error));
    chunk.length = 4000000;
    chunk.data = g_malloc0(chunk.length);
    g_array_append_val(batch->chunks, chunk);
    limit_file_size(100000);
    assert_false(cache_index_database_write(database, batch, &error));
    limit_file_size(RLIM_INFINITY);
    cache_index_batch_free(batch);
    batch = cache_index_batch_new();
    g_clear_error(&error);
    assert_false(cache_index_database_write(database, batch, &error));
    assert_non_null(error);
    cache_index_batch_free(batch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            operations_at_random_agree_with_the_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            index_reopened_knows_counts_and_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(index_files_are_the_owners_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            unwritten_changes_are_counted_until_they_are_written, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(records_that_the_disk_has_leave_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            strings_borrowed_from_one_chunk_are_put_in_another, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(strings_too_long_are_cut_or_left_out,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_by_name_is_that_of_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(order_of_an_unknown_mailbox_is_empty,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            index_freed_answers_who_waits_for_an_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            process_killed_leaves_what_was_true_at_one_moment, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(damage_between_runs_is_never_shown,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            rows_altered_between_runs_are_never_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            database_that_failed_once_takes_nothing_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_during_a_run_is_never_shown,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            mailbox_lost_stays_unknown_until_that_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            mailbox_wholly_in_memory_outlives_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            database_of_another_version_is_set_aside, set_up, tear_down),
        cmocka_unit_test(directory_missing_leaves_an_index_in_memory),
        cmocka_unit_test_setup_teardown(
            disk_full_keeps_changes_in_memory_and_the_disk_consistent, set_up,
            tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
