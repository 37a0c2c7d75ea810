/* The ids of mailboxes: what stays, what never comes again, what is refused. */
#include "cache/state.h"

#include "cache/database.h"
#include "cache/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_ID 0xfffffu

typedef struct {
    char *directory;
    char *path; /* of the database */
    CacheStoreThread *thread;
    CacheState *state;
} Fixture;

static CacheState *
open_good(const Fixture *f, guint32 max_id)
{
    g_autoptr(GError) error = NULL;
    CacheState *state =
        cache_state_open(f->directory, max_id, 1, f->thread, &error);

    if (state == NULL)
        fail_msg("%s", error->message);
    return state;
}

static int
start(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->directory = g_dir_make_tmp("imapfs-state-XXXXXX", NULL);
    f->path = g_build_filename(f->directory, "state.db", NULL);
    f->thread = cache_store_thread_new();
    f->state = open_good(f, MAX_ID);
    *state = f;
    return 0;
}

static int
finish(void **state)
{
    Fixture *f = *state;
    const char *const command[] = {"rm", "-rf", f->directory, NULL};

    cache_state_close(f->state);
    cache_store_thread_free(f->thread);
    g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                 NULL, NULL, NULL, NULL);
    g_free(f->path);
    g_free(f->directory);
    g_free(f);
    return 0;
}

static void
reopen(Fixture *f)
{
    cache_state_close(f->state);
    f->state = open_good(f, MAX_ID);
}

/* Changes the closed database behind our back. */
static void
alter(Fixture *f, const char *sql)
{
    sqlite3 *database;

    g_clear_pointer(&f->state, cache_state_close);
    assert_int_equal(sqlite3_open(f->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void
assert_refused(Fixture *f, CacheError code)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL, *after = NULL;
    gsize length_before, length_after;

    g_clear_pointer(&f->state, cache_state_close);
    assert_true(g_file_get_contents(f->path, &before, &length_before, NULL));
    assert_null(cache_state_open(f->directory, MAX_ID, 1, f->thread, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, (gint)code));
    assert_non_null(strstr(error->message, f->path));
    assert_non_null(strstr(error->message, "move"));
    assert_non_null(strstr(error->message, "inode number"));
    assert_true(g_file_get_contents(f->path, &after, &length_after, NULL));
    assert_int_equal(length_before, length_after);
    assert_memory_equal(before, after, length_before);
}

static void
id_of_a_name_is_the_same_after_reopening(void **state)
{
    Fixture *f = *state;
    guint32 a = cache_state_id(f->state, "m:a");
    guint32 b = cache_state_id(f->state, "m:b\xff\n'");

    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_int_equal(cache_state_id(f->state, "m:a"), a);
    reopen(f);
    assert_int_equal(cache_state_id(f->state, "m:new"), 3);
    assert_int_equal(cache_state_id(f->state, "m:b\xff\n'"), b);
    assert_int_equal(cache_state_id(f->state, "m:a"), a);
    assert_int_equal(cache_state_stem_version(f->state), 1);
}

static void
file_is_owner_only(void **state)
{
    Fixture *f = *state;
    struct stat entry;

    assert_int_equal(stat(f->path, &entry), 0);
    assert_int_equal(entry.st_mode & 07777, 0600);
}

static void
renew_gives_an_id_that_was_never_there(void **state)
{
    Fixture *f = *state;
    guint32 a = cache_state_id(f->state, "a");
    guint32 renewed;

    cache_state_set_uidvalidity(f->state, a, 77);
    renewed = cache_state_renew(f->state, "a");
    assert_true(renewed > a);
    assert_int_equal(cache_state_uidvalidity(f->state, renewed), 0);
    assert_int_equal(cache_state_uidvalidity(f->state, a), 0);
    renewed = cache_state_renew(f->state, "a");
    reopen(f);
    /* The one between has left no row, only the count. */
    assert_int_equal(cache_state_id(f->state, "a"), renewed);
    assert_int_equal(cache_state_id(f->state, "b"), renewed + 1);
}

static void
renew_of_the_last_id_is_not_forgotten(void **state)
{
    Fixture *f = *state;
    guint32 b;

    cache_state_id(f->state, "a");
    b = cache_state_renew(f->state, "b");
    cache_state_id_moved(f->state, "c", "b");
    reopen(f);
    assert_int_equal(cache_state_id(f->state, "c"), b);
    assert_int_equal(cache_state_id(f->state, "b"), b + 1);
}

static void
id_moved_takes_over_what_the_new_name_lacks(void **state)
{
    Fixture *f = *state;
    guint32 a = cache_state_id(f->state, "d:a");
    guint32 b = cache_state_id(f->state, "d:b");
    guint32 m = cache_state_id(f->state, "m:b");

    cache_state_set_uidvalidity(f->state, a, 5);
    assert_int_equal(cache_state_id_moved(f->state, "m:a", "d:a"), a);
    assert_int_equal(cache_state_id_moved(f->state, "m:b", "d:b"), m);
    assert_int_equal(cache_state_id_moved(f->state, "m:c", "d:c"), m + 1);
    assert_int_equal(cache_state_id(f->state, "d:a"), m + 2);
    reopen(f);
    assert_int_equal(cache_state_id(f->state, "m:a"), a);
    assert_int_equal(cache_state_uidvalidity(f->state, a), 5);
    assert_int_equal(cache_state_id(f->state, "d:b"), b);
    assert_int_equal(cache_state_id(f->state, "d:a"), m + 2);
}

static void
uidvalidity_is_kept(void **state)
{
    Fixture *f = *state;
    guint32 a = cache_state_id(f->state, "a");

    assert_int_equal(cache_state_uidvalidity(f->state, a), 0);
    assert_int_equal(cache_state_uidvalidity(f->state, 99), 0);
    cache_state_set_uidvalidity(f->state, 99, 1); /* nobody's */
    cache_state_set_uidvalidity(f->state, a, G_MAXUINT32);
    reopen(f);
    assert_int_equal(cache_state_uidvalidity(f->state, a), G_MAXUINT32);
    assert_int_equal(cache_state_uidvalidity(f->state, 99), 0);
}

static void
ids_used_up_are_zero_and_stay_so(void **state)
{
    Fixture *f = *state;

    cache_state_close(f->state);
    f->state = open_good(f, 2);
    assert_int_equal(cache_state_id(f->state, "a"), 1);
    assert_int_equal(cache_state_renew(f->state, "a"), 2);
    assert_int_equal(cache_state_id(f->state, "b"), 0);
    assert_int_equal(cache_state_renew(f->state, "a"), 0);
    cache_state_close(f->state);
    f->state = open_good(f, 2);
    assert_int_equal(cache_state_id(f->state, "b"), 0);
    assert_int_equal(cache_state_id(f->state, "a"), 2);
}

static void
identity_is_of_one_state_alone(void **state)
{
    Fixture *f = *state;
    g_autofree char *identity = g_strdup(cache_state_identity(f->state));
    g_autoptr(CacheState) unkept =
        cache_state_open(NULL, MAX_ID, 1, f->thread, NULL);

    assert_true(strlen(identity) > 20);
    assert_string_not_equal(cache_state_identity(unkept), identity);
    assert_int_equal(cache_state_id(unkept, "a"), 1);
    assert_int_equal(cache_state_renew(unkept, "a"), 2);
    reopen(f);
    assert_string_equal(cache_state_identity(f->state), identity);
}

static void
stem_version_of_another_time_is_told(void **state)
{
    Fixture *f = *state;

    alter(f, "UPDATE meta SET value = 9 WHERE key = 'stem_version';");
    f->state = open_good(f, MAX_ID);
    assert_int_equal(cache_state_stem_version(f->state), 9);
}

/* Runs the loop until the store thread has written, and ends without closing
 * anything, as a process that is killed. */
static void
id_is_kept_by_who_is_killed(void **state)
{
    Fixture *f = *state;
    pid_t pid;
    int status;

    g_clear_pointer(&f->state, cache_state_close);
    pid = fork();
    if (pid == 0) {
        CacheStoreThread *thread = cache_store_thread_new();
        CacheState *killed =
            cache_state_open(f->directory, MAX_ID, 1, thread, NULL);

        if (killed == NULL || cache_state_id(killed, "a") != 1)
            _exit(1);
        while (g_main_context_iteration(NULL, FALSE))
            ;
        cache_state_id(killed, "b");
        g_main_context_iteration(NULL, TRUE);
        /* The thread's work is over; nothing else is. */
        cache_store_thread_free(thread);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    f->state = open_good(f, MAX_ID);
    assert_int_equal(cache_state_id(f->state, "b"), 2);
    assert_int_equal(cache_state_id(f->state, "c"), 3);
}

static void
close_with_work_queued_loses_nothing(void **state)
{
    Fixture *f = *state;

    for (guint i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("m:%u", i);

        assert_int_equal(cache_state_id(f->state, name), i + 1);
        if (i % 10 == 0)
            g_main_context_iteration(NULL, FALSE);
    }
    reopen(f);
    assert_int_equal(cache_state_id(f->state, "m:0"), 1);
    assert_int_equal(cache_state_id(f->state, "m:199"), 200);
    assert_int_equal(cache_state_id(f->state, "m:200"), 201);
}

static guint n_messages;

static GLogWriterOutput
count_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
              gpointer user_data)
{
    n_messages += (level & G_LOG_LEVEL_MESSAGE) != 0;
    return G_LOG_WRITER_HANDLED;
}

/* The lock of another connection stands for a disk that refuses. */
static void
write_that_failed_is_made_good(void **state)
{
    Fixture *f = *state;
    sqlite3 *other;

    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE;", NULL, NULL, NULL),
                     SQLITE_OK);
    cache_state_id(f->state, "a");
    cache_state_id(f->state, "b");
    while (n_messages == 0)
        g_main_context_iteration(NULL, TRUE);
    cache_state_id(f->state, "c");
    sqlite3_exec(other, "ROLLBACK;", NULL, NULL, NULL);
    sqlite3_close(other);
    reopen(f);
    assert_int_equal(cache_state_id(f->state, "c"), 3);
    assert_int_equal(cache_state_id(f->state, "a"), 1);
    assert_int_equal(cache_state_id(f->state, "d"), 4);
}

static void
note_written(guint32 next_id, gpointer user_data)
{
    g_array_append_val((GArray *)user_data, next_id);
}

static void
written_func_tells_up_to_where_ids_are_durable(void **state)
{
    Fixture *f = *state;
    g_autoptr(GArray) told = g_array_new(FALSE, FALSE, sizeof(guint32));
    sqlite3 *other;

    cache_state_set_written_func(f->state, note_written, told);
    cache_state_id(f->state, "a");
    while (told->len == 0)
        g_main_context_iteration(NULL, FALSE);
    assert_int_equal(g_array_index(told, guint32, 0), 2);

    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE;", NULL, NULL, NULL),
                     SQLITE_OK);
    cache_state_id(f->state, "b");
    assert_int_equal(cache_state_next_id(f->state), 3);
    g_clear_pointer(&f->state, cache_state_close);
    assert_int_equal(g_array_index(told, guint32, told->len - 1), G_MAXUINT32);
    sqlite3_close(other);
    f->state = open_good(f, MAX_ID);
    assert_int_equal(cache_state_next_id(f->state), 2);
}

static void
open_damaged_is_refused_and_left_alone(void **state)
{
    Fixture *f = *state;
    g_autofree char *content = NULL;
    gsize length;

    for (guint i = 0; i < 500; i++) {
        g_autofree char *name = g_strdup_printf("m:%0100u", i);

        cache_state_id(f->state, name);
    }
    g_clear_pointer(&f->state, cache_state_close);
    assert_true(g_file_get_contents(f->path, &content, &length, NULL));
    memset(content + length / 2, 0x5a, 3000);
    assert_true(g_file_set_contents(f->path, content, (gssize)length, NULL));
    assert_refused(f, CACHE_ERROR_DAMAGED);
    assert_true(g_file_set_contents(f->path, content, 5000, NULL));
    assert_refused(f, CACHE_ERROR_DAMAGED);
}

static void
open_empty_begins_anew_and_says_so(void **state)
{
    Fixture *f = *state;
    g_autofree char *identity = g_strdup(cache_state_identity(f->state));
    guint before;

    cache_state_id(f->state, "a");
    g_clear_pointer(&f->state, cache_state_close);
    before = n_messages;
    assert_int_equal(truncate(f->path, 0), 0);
    f->state = open_good(f, MAX_ID);
    assert_int_equal(n_messages, before + 1);
    assert_string_not_equal(cache_state_identity(f->state), identity);
    reopen(f);
    assert_int_equal(n_messages, before + 1);
}

static void
open_foreign_is_refused_and_left_alone(void **state)
{
    Fixture *f = *state;

    alter(f, "PRAGMA user_version = 2;");
    assert_refused(f, CACHE_ERROR_FOREIGN);
    alter(f, "PRAGMA user_version = 1; PRAGMA application_id = 7;");
    assert_refused(f, CACHE_ERROR_FOREIGN);
    assert_true(g_file_set_contents(f->path,
                                    "This is a letter to somebody, and no "
                                    "database, however one looks at it.",
                                    -1, NULL));
    assert_refused(f, CACHE_ERROR_FOREIGN);
}

static void
open_impossible_content_is_refused(void **state)
{
    static const char *const wrong[] = {
        "INSERT INTO names VALUES (x'61', 0, 0);",
        "INSERT INTO names VALUES (x'61', 9, 0);", /* not given out as yet */
        "INSERT INTO names VALUES (x'', 1, 0);",
        "INSERT INTO names VALUES (x'610062', 1, 0);",
        "UPDATE meta SET value = -1 WHERE key = 'next_id';",
        "UPDATE meta SET value = 99999999 WHERE key = 'next_id';",
        "UPDATE meta SET value = 'x' WHERE key = 'stem_version';",
        "DELETE FROM meta WHERE key = 'identity';",
        "DELETE FROM meta WHERE key = 'next_id';",
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        alter(f, "DELETE FROM names; DELETE FROM meta; INSERT INTO meta VALUES"
                 "('next_id', 5), ('stem_version', 1), ('identity', 'x');");
        cache_state_close(open_good(f, MAX_ID));
        alter(f, wrong[i]);
        assert_refused(f, CACHE_ERROR_DAMAGED);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    static const struct CMUnitTest tests[] = {
        TEST(id_of_a_name_is_the_same_after_reopening),
        TEST(file_is_owner_only),
        TEST(renew_gives_an_id_that_was_never_there),
        TEST(renew_of_the_last_id_is_not_forgotten),
        TEST(id_moved_takes_over_what_the_new_name_lacks),
        TEST(uidvalidity_is_kept),
        TEST(ids_used_up_are_zero_and_stay_so),
        TEST(identity_is_of_one_state_alone),
        TEST(stem_version_of_another_time_is_told),
        TEST(id_is_kept_by_who_is_killed),
        TEST(close_with_work_queued_loses_nothing),
        TEST(write_that_failed_is_made_good),
        TEST(written_func_tells_up_to_where_ids_are_durable),
        TEST(open_damaged_is_refused_and_left_alone),
        TEST(open_empty_begins_anew_and_says_so),
        TEST(open_foreign_is_refused_and_left_alone),
        TEST(open_impossible_content_is_refused),
    };

    g_log_set_writer_func(count_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
