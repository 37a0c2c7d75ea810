/* Searches that are kept beside the state. */
#include "cache/error.h"
#include "cache/searches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

typedef struct {
    char *directory;
    CacheStoreThread *thread;
    CacheSearches *searches;
} Fixture;

static void
reopen(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    cache_searches_close(f->searches);
    f->searches = cache_searches_open(f->directory, f->thread, &error);
    assert_null(error);
    assert_non_null(f->searches);
}

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->directory = g_dir_make_tmp("imapfs-searches-XXXXXX", NULL);
    f->thread = cache_store_thread_new();
    reopen(f);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;
    g_autoptr(GDir) files = NULL;
    const char *name;

    cache_searches_close(f->searches);
    cache_store_thread_free(f->thread);
    files = g_dir_open(f->directory, 0, NULL);
    while ((name = g_dir_read_name(files)) != NULL) {
        g_autofree char *path = g_build_filename(f->directory, name, NULL);

        g_unlink(path);
    }
    g_rmdir(f->directory);
    g_free(f->directory);
    g_free(f);
    return 0;
}

/* "1:a=query " and so on. */
static void
assert_all(Fixture *f, const char *wanted)
{
    g_autoptr(GString) all = g_string_new(NULL);
    const CacheSearch *search;
    guint32 after = 0;

    while ((search = cache_searches_next(f->searches, after)) != NULL) {
        after = search->id;
        assert_ptr_equal(cache_searches_get(f->searches, after), search);
        assert_ptr_equal(cache_searches_find(f->searches, search->name),
                         search);
        g_string_append_printf(all, "%u:%s=%s ", after, search->name,
                               search->query);
    }
    assert_string_equal(all->str, wanted);
}

static void
what_is_kept_is_there_after_the_next_opening(void **state)
{
    Fixture *f = *state;

    assert_all(f, "");
    assert_non_null(cache_searches_put(f->searches, "b", "from:b"));
    assert_non_null(cache_searches_put(f->searches, "a", "from:a"));
    assert_non_null(cache_searches_put(f->searches, "b", "from:c"));
    assert_all(f, "1:b=from:c 2:a=from:a ");
    reopen(f);
    assert_all(f, "1:b=from:c 2:a=from:a ");
}

static void
numbers_are_not_used_again(void **state)
{
    Fixture *f = *state;

    cache_searches_put(f->searches, "a", "x");
    cache_searches_put(f->searches, "b", "y");
    cache_searches_remove(f->searches, 2);
    cache_searches_remove(f->searches, 7);
    assert_null(cache_searches_find(f->searches, "b"));
    assert_null(cache_searches_get(f->searches, 2));
    reopen(f);
    cache_searches_put(f->searches, "b", "z");
    assert_all(f, "1:a=x 3:b=z ");
}

static void
there_are_bounds(void **state)
{
    Fixture *f = *state;
    g_autofree char *name = g_strnfill(CACHE_SEARCH_NAME_MAX + 1, 'a');
    g_autofree char *query = g_strnfill(CACHE_SEARCH_QUERY_MAX + 1, 'a');

    assert_null(cache_searches_put(f->searches, name, "x"));
    assert_null(cache_searches_put(f->searches, "a", query));
    assert_null(cache_searches_put(f->searches, "", "x"));
    assert_null(cache_searches_put(f->searches, "a/b", "x"));
    assert_null(cache_searches_put(f->searches, "..", "x"));
    for (guint i = 0; i < CACHE_SEARCHES_MAX; i++) {
        g_autofree char *another = g_strdup_printf("%u", i);

        assert_non_null(cache_searches_put(f->searches, another, "x"));
    }
    assert_null(cache_searches_put(f->searches, "one more", "x"));
    assert_non_null(cache_searches_put(f->searches, "7", "changed"));
}

static void
without_a_directory_they_are_in_memory(void **state)
{
    Fixture *f = *state;

    cache_searches_close(f->searches);
    f->searches = cache_searches_open(NULL, f->thread, NULL);
    cache_searches_put(f->searches, "a", "x");
    assert_all(f, "1:a=x ");
}

static void
damaged_file_says_what_to_do(void **state)
{
    Fixture *f = *state;
    g_autofree char *path = g_build_filename(f->directory, "searches.db", NULL);
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&f->searches, cache_searches_close);
    assert_true(g_file_set_contents(path, "this is no database", -1, NULL));
    assert_null(cache_searches_open(f->directory, f->thread, &error));
    assert_true(error->domain == CACHE_ERROR);
    assert_non_null(strstr(error->message, "move it"));
}

/* Whoever has written it: the rest can be listed. */
static void
names_that_no_directory_can_hold_are_passed_over(void **state)
{
    Fixture *f = *state;
    g_autofree char *path = g_build_filename(f->directory, "searches.db", NULL);
    sqlite3 *database;

    cache_searches_put(f->searches, "a", "x");
    g_clear_pointer(&f->searches, cache_searches_close);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database,
                     "INSERT INTO searches VALUES (2, 'b/c', 'y'), "
                     "(3, '..', 'y'), (4, '', 'y'), (5, 'd', 'y'), "
                     "(6, '.', 'y');",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(database);
    reopen(f);
    assert_all(f, "1:a=x 5:d=y ");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_kept_is_there_after_the_next_opening),
        TEST(numbers_are_not_used_again),
        TEST(there_are_bounds),
        TEST(without_a_directory_they_are_in_memory),
        TEST(damaged_file_says_what_to_do),
        TEST(names_that_no_directory_can_hold_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
