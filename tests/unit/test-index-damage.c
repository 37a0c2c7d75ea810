/* The index when its process is killed, its database damaged, or its disk full:
 * nothing wrong is ever shown. */
#include "tests/unit/index-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

    /* On a busy machine it takes a while until it has written something. */
    for (guint i = 0; i < 20 || (n_found == 0 && i < 200); i++) {
        pid_t pid;

        close_index(fixture);
        pid = fork();
        if (pid == 0)
            write_until_killed(fixture->directory);
        g_usleep((gulong)g_rand_int_range(rand, 1000, 60000 + 10000 * (gint)i));
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
