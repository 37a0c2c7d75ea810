/* Databases of ours: what is opened, what is refused, and what is left. */
#include "cache/database.h"

#include "cache/error.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const CacheSchema schema = {
    .name = "test",
    .id = 0x90000001, /* the pragma knows it as a negative number */
    .version = 3,
    .tables = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);",
};

typedef struct {
    char *directory;
    char *path;
} Fixture;

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->directory = g_dir_make_tmp("imapfs-database-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "test.db", NULL);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    static const char *const suffixes[] = {
        "", "-wal", "-shm", ".damaged", ".damaged-wal", ".damaged-shm",
    };
    Fixture *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(fixture->path, suffixes[i], NULL);

        g_remove(path);
    }
    assert_int_equal(g_rmdir(fixture->directory), 0);
    g_free(fixture->path);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

static sqlite3 *
open_whole(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    sqlite3 *database = cache_database_open(fixture->path, &schema, &error);

    assert_null(error);
    assert_non_null(database);
    return database;
}

static void
run(sqlite3 *database, const char *sql)
{
    g_autoptr(GError) error = NULL;

    assert_true(cache_database_run(database, sql, &error));
}

static gint64
number(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = cache_database_prepare(database, sql, NULL);
    gint64 result;

    assert_non_null(statement);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    result = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result;
}

static char *
contents(const char *path, gsize *length)
{
    char *data = NULL;

    assert_true(g_file_get_contents(path, &data, length, NULL));
    return data;
}

/* It is refused with @code, and stays as it is. */
static void
assert_refused(const Fixture *fixture, CacheError code)
{
    g_autoptr(GError) error = NULL;
    gsize length, length_after;
    g_autofree char *before = contents(fixture->path, &length);
    g_autofree char *after = NULL;

    assert_null(cache_database_open(fixture->path, &schema, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, (gint)code));
    assert_non_null(strstr(error->message, fixture->path));
    after = contents(fixture->path, &length_after);
    assert_int_equal(length, length_after);
    assert_memory_equal(before, after, length);
}

static void
database_opened_again_has_what_was_committed(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *database = open_whole(fixture);

    run(database, "INSERT INTO t VALUES (1, 'x')");
    cache_database_close(database);
    cache_database_close(NULL);
    database = open_whole(fixture);
    assert_int_equal(number(database, "SELECT count(*) FROM t"), 1);
    assert_int_equal(number(database, "PRAGMA user_version"), 3);
    cache_database_close(database);
}

static void
database_is_the_owners_alone(void **state)
{
    const Fixture *fixture = *state;
    static const char *const suffixes[] = {"", "-wal"};
    mode_t mask = umask(0);
    sqlite3 *database = open_whole(fixture);

    run(database, "INSERT INTO t VALUES (1, 'x')");
    for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(fixture->path, suffixes[i], NULL);
        struct stat file;

        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    cache_database_close(database);
    umask(mask);
}

/* A file that is mapped would end the process when somebody cuts it. */
static void
database_maps_no_file(void **state)
{
    const Fixture *fixture = *state;
    g_autofree char *mapped = NULL;
    g_autoptr(GError) error = NULL;
    sqlite3 *writer = open_whole(fixture);
    sqlite3 *reader =
        cache_database_open_reader(fixture->path, &schema, &error);

    assert_non_null(reader);
    run(writer, "INSERT INTO t VALUES (1, 'x')");
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 1);
    assert_true(g_file_get_contents("/proc/self/maps", &mapped, NULL, NULL));
    assert_null(strstr(mapped, fixture->path));
    cache_database_close(reader);
    cache_database_close(writer);
}

static void
reader_sees_what_is_committed_and_writes_nothing(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *writer = open_whole(fixture);
    g_autoptr(GError) error = NULL;
    sqlite3 *reader =
        cache_database_open_reader(fixture->path, &schema, &error);

    assert_non_null(reader);
    run(writer, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1, 'x')");
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 0);
    run(writer, "COMMIT");
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 1);
    assert_false(cache_database_run(reader, "DELETE FROM t", &error));
    assert_true(g_error_matches(error, CACHE_ERROR, CACHE_ERROR_IO));
    cache_database_close(reader);
    cache_database_close(writer);
}

static void
reader_of_nothing_fails_and_makes_nothing(void **state)
{
    const Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    assert_null(cache_database_open_reader(fixture->path, &schema, &error));
    assert_non_null(error);
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

static void
file_that_is_no_database_is_foreign(void **state)
{
    const Fixture *fixture = *state;
    g_autofree char *text = g_strnfill(5000, 'x');

    g_file_set_contents(fixture->path, text, -1, NULL);
    assert_refused(fixture, CACHE_ERROR_FOREIGN);
}

static void
database_of_another_program_is_foreign(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *database;

    sqlite3_open(fixture->path, &database);
    run(database, "CREATE TABLE theirs (x)");
    sqlite3_close(database);
    assert_refused(fixture, CACHE_ERROR_FOREIGN);
}

static void
database_of_another_version_is_foreign(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *database = open_whole(fixture);

    run(database, "PRAGMA user_version = 4");
    cache_database_close(database);
    assert_refused(fixture, CACHE_ERROR_FOREIGN);
}

static void
database_with_damaged_tables_is_damaged(void **state)
{
    const Fixture *fixture = *state;
    g_autofree char *data = NULL;
    gsize length;

    cache_database_close(open_whole(fixture));
    data = contents(fixture->path, &length);
    memset(data + 100, 0x55, 900); /* the root of the schema */
    assert_true(g_file_set_contents(fixture->path, data, (gssize)length, NULL));
    assert_refused(fixture, CACHE_ERROR_DAMAGED);
}

static void
database_rebuilt_keeps_the_old_one_beside_it(void **state)
{
    const Fixture *fixture = *state;
    g_autofree char *aside = g_strconcat(fixture->path, ".damaged", NULL);
    g_autofree char *aside_log = g_strconcat(aside, "-wal", NULL);
    g_autofree char *found = NULL;
    g_autoptr(GError) error = NULL;
    sqlite3 *database;

    g_file_set_contents(aside, "an older one", -1, NULL);
    g_file_set_contents(aside_log, "its log", -1, NULL);
    g_file_set_contents(fixture->path, "not a database at all", -1, NULL);
    database = cache_database_open_or_rebuild(fixture->path, &schema, &error);
    assert_non_null(database);
    run(database, "INSERT INTO t VALUES (1, 'x')");
    cache_database_close(database);
    found = contents(aside, NULL);
    assert_string_equal(found, "not a database at all");
    assert_false(g_file_test(aside_log, G_FILE_TEST_EXISTS));
}

static void
database_whole_is_not_rebuilt(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *database = open_whole(fixture);

    run(database, "INSERT INTO t VALUES (1, 'x')");
    cache_database_close(database);
    database = cache_database_open_or_rebuild(fixture->path, &schema, NULL);
    assert_int_equal(number(database, "SELECT count(*) FROM t"), 1);
    cache_database_close(database);
}

static void
directory_missing_is_an_error_of_the_disk(void **state)
{
    g_autoptr(GError) error = NULL;

    assert_null(
        cache_database_open("/nonexistent/directory/x.db", &schema, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, CACHE_ERROR_IO));
    g_clear_error(&error);
    assert_null(cache_database_open_or_rebuild("/nonexistent/directory/x.db",
                                               &schema, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, CACHE_ERROR_IO));
}

static void
error_does_not_tell_an_older_cause(void **state)
{
    const Fixture *fixture = *state;
    sqlite3 *database = open_whole(fixture);
    g_autoptr(GError) error = NULL;

    assert_false(
        cache_database_run(database, "ATTACH '/nonexistent/x/y' AS o", &error));
    assert_non_null(strstr(error->message, g_strerror(ENOENT)));
    g_clear_error(&error);
    assert_false(cache_database_run(database, "SELECT nothing", &error));
    assert_null(strstr(error->message, g_strerror(ENOENT)));
    cache_database_close(database);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(database_opened_again_has_what_was_committed),
        TEST(database_is_the_owners_alone),
        TEST(database_maps_no_file),
        TEST(reader_sees_what_is_committed_and_writes_nothing),
        TEST(reader_of_nothing_fails_and_makes_nothing),
        TEST(file_that_is_no_database_is_foreign),
        TEST(database_of_another_program_is_foreign),
        TEST(database_of_another_version_is_foreign),
        TEST(database_with_damaged_tables_is_damaged),
        TEST(database_rebuilt_keeps_the_old_one_beside_it),
        TEST(database_whole_is_not_rebuilt),
        cmocka_unit_test(directory_missing_is_an_error_of_the_disk),
        TEST(error_does_not_tell_an_older_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
