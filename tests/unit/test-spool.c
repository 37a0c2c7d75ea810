/* Spool files: what was written is there, also for who comes later. */
#include <string.h>

#include "spool-fixture.h"

#include <glib.h>

typedef struct {
    guint n;
    char *note;
    char *text;
    guint64 number;
    gboolean remove;
} Left;

static void
on_left(CacheSpoolFile *file, const char *note, gpointer user_data)
{
    Left *left = user_data;

    left->n++;
    g_free(left->note);
    g_free(left->text);
    left->note = g_strdup(note);
    left->text = spool_fixture_read(file);
    left->number = cache_spool_file_number(file);
    if (left->remove)
        cache_spool_file_remove(file);
    else
        cache_spool_file_free(file);
}

static void
look(SpoolFixture *fixture, Left *left)
{
    g_free(left->note);
    g_free(left->text);
    memset(left, 0, sizeof *left);
    cache_spool_foreach_left(fixture->spool, on_left, left);
}

static void
reopen(SpoolFixture *fixture)
{
    spool_fixture_close(fixture);
    spool_fixture_open(fixture);
}

static void
written_octets_are_read(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    g_autofree char *text = NULL;

    spool_fixture_write(file, 0, "hello");
    spool_fixture_write(file, 5, " world");
    spool_fixture_write(file, 0, "J");
    cache_spool_file_truncate(file, 8, NULL, NULL);
    cache_store_thread_drain(fixture->thread);
    text = spool_fixture_read(file);
    assert_string_equal(text, "Jello wo");
    cache_spool_file_remove(file);
}

static void
left_file_has_its_last_note(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    Left left = {0};

    spool_fixture_write(file, 0, "octets");
    cache_spool_file_set_note(file, "first", FALSE, NULL, NULL);
    cache_spool_file_set_note(file, "second", TRUE, NULL, NULL);
    cache_spool_file_set_note(file, "third", TRUE, NULL, NULL);
    cache_spool_file_free(file);
    reopen(fixture);
    look(fixture, &left);
    assert_int_equal(left.n, 1);
    assert_string_equal(left.note, "third");
    assert_string_equal(left.text, "octets");
    g_free(left.note);
    g_free(left.text);
}

/* Octets of the newer note are overwritten, as a torn write would. */
static void
damaged_note_gives_way_to_the_older(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    g_autofree char *path = NULL;
    Left left = {0};
    FILE *raw;

    cache_spool_file_set_note(file, "older", TRUE, NULL, NULL);
    cache_spool_file_set_note(file, "newer", TRUE, NULL, NULL);
    cache_store_thread_drain(fixture->thread);
    path = g_strdup_printf("%s/%010" G_GUINT64_FORMAT ".spool",
                           cache_spool_path(fixture->spool),
                           cache_spool_file_number(file));
    cache_spool_file_free(file);
    raw = g_fopen(path, "r+");
    assert_non_null(raw);
    fseek(raw, 24 + 2, SEEK_SET);
    fputs("xx", raw);
    fclose(raw);
    reopen(fixture);
    look(fixture, &left);
    assert_string_equal(left.note, "older");
    g_free(left.note);
    g_free(left.text);
}

static void
removed_file_is_not_left(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    CacheSpoolFile *never = cache_spool_file_new(fixture->spool);
    Left left = {0};

    spool_fixture_write(file, 0, "octets");
    cache_spool_file_remove(file);
    cache_spool_file_remove(never);
    reopen(fixture);
    look(fixture, &left);
    assert_int_equal(left.n, 0);
}

static void
number_of_what_is_there_is_not_given_again(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    guint64 number = cache_spool_file_number(file);
    CacheSpoolFile *other;

    spool_fixture_write(file, 0, "octets");
    cache_spool_file_free(file);
    reopen(fixture);
    other = cache_spool_file_new(fixture->spool);
    assert_true(cache_spool_file_number(other) > number);
    cache_spool_file_free(other);
}

static void
count_done(const GError *error, gpointer user_data)
{
    assert_null(error);
    ++*(guint *)user_data;
}

static void
done_comes_after_the_work(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    g_autoptr(GBytes) data = g_bytes_new_static("x", 1);
    guint n = 0;

    cache_spool_file_write(file, 0, data, count_done, &n);
    cache_spool_file_set_note(file, "note", TRUE, count_done, &n);
    assert_int_equal(n, 0);
    cache_store_thread_drain(fixture->thread);
    assert_int_equal(n, 2);
    cache_spool_file_free(file);
}

static void
expect_failure(const GError *error, gpointer user_data)
{
    assert_non_null(error);
    ++*(guint *)user_data;
}

static void
failure_is_told(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpoolFile *file = cache_spool_file_new(fixture->spool);
    g_autoptr(GBytes) data = g_bytes_new_static("x", 1);
    guint n = 0;

    g_rmdir(cache_spool_path(fixture->spool));
    cache_spool_file_write(file, 0, data, expect_failure, &n);
    cache_store_thread_drain(fixture->thread);
    assert_int_equal(n, 1);
    assert_int_equal(g_mkdir(cache_spool_path(fixture->spool), 0700), 0);
    cache_spool_file_free(file);
}

static void
temporary_spool_leaves_nothing(void **state)
{
    SpoolFixture *fixture = *state;
    CacheSpool *spool = cache_spool_open(NULL, fixture->thread, NULL);
    g_autofree char *path = g_strdup(cache_spool_path(spool));
    CacheSpoolFile *file = cache_spool_file_new(spool);

    spool_fixture_write(file, 0, "octets");
    cache_store_thread_drain(fixture->thread);
    assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
    cache_spool_file_free(file);
    cache_spool_close(spool);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, spool_fixture_setup,                 \
                                    spool_fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_octets_are_read),
        TEST(left_file_has_its_last_note),
        TEST(damaged_note_gives_way_to_the_older),
        TEST(removed_file_is_not_left),
        TEST(number_of_what_is_there_is_not_given_again),
        TEST(done_comes_after_the_work),
        TEST(failure_is_told),
        TEST(temporary_spool_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
