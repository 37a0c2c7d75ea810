/* Counting what goes over the line in a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/day-limit.h"
#include "fs/kernel/errno.h"
#include "imap/error.h"

#include <errno.h>
#include <glib/gstdio.h>

#define MB (G_GUINT64_CONSTANT(1) << 20)
#define DAY 86400
#define NOON (G_GINT64_CONSTANT(20000) * DAY + 43200)

static char *directory;
static CacheStoreThread *thread;

static FsDayLimit *
make(gint64 now)
{
    return fs_day_limit_new(directory, 10 * MB, 5 * MB, thread, now);
}

static void
assert_traffic(const FsDayLimit *limit, guint64 received, guint64 sent)
{
    FsDayTraffic today;

    fs_day_limit_get(limit, &today);
    assert_int_equal(today.received, received);
    assert_int_equal(today.sent, sent);
}

static void
assert_refused(gboolean allowed, GError **error, int code, int number)
{
    assert_false(allowed);
    assert_true(g_error_matches(*error, IMAP_ERROR, code));
    assert_int_equal(fs_errno_from_error(*error), number);
    g_clear_error(error);
}

static void
download_ends_at_its_limit_until_the_day_is_over(void **state)
{
    FsDayLimit *limit = make(NOON);
    GError *error = NULL;

    fs_day_limit_note(limit, 10 * MB - 1, 3 * MB, NOON);
    assert_true(fs_day_limit_may_download(limit, NULL));
    fs_day_limit_note(limit, 10 * MB, 3 * MB, NOON + DAY / 2 - 1);
    assert_refused(fs_day_limit_may_download(limit, &error), &error,
                   IMAP_ERROR_LIMIT, EBUSY);
    assert_true(fs_day_limit_may_upload(limit, 2 * MB, NULL));
    assert_traffic(limit, 10 * MB, 3 * MB);

    fs_day_limit_note(limit, 11 * MB, 3 * MB, NOON + DAY / 2);
    assert_true(fs_day_limit_may_download(limit, NULL));
    assert_traffic(limit, MB, 0);
    fs_day_limit_free(limit);
}

static void
upload_that_does_not_fit_waits_or_never_will(void **state)
{
    FsDayLimit *limit = make(NOON);
    GError *error = NULL;

    fs_day_limit_note(limit, 0, 4 * MB, NOON);
    assert_true(fs_day_limit_may_upload(limit, MB, NULL));
    assert_refused(fs_day_limit_may_upload(limit, MB + 1, &error), &error,
                   IMAP_ERROR_OVER_QUOTA, EDQUOT);
    assert_refused(fs_day_limit_may_upload(limit, 5 * MB + 1, &error), &error,
                   IMAP_ERROR_TOO_BIG, EFBIG);
    fs_day_limit_note(limit, 0, 9 * MB, NOON);
    assert_refused(fs_day_limit_may_upload(limit, 0, &error), &error,
                   IMAP_ERROR_OVER_QUOTA, EDQUOT);
    fs_day_limit_free(limit);
}

static void
next_mount_goes_on_counting_on_the_same_day(void **state)
{
    FsDayLimit *limit = make(NOON);

    fs_day_limit_note(limit, 3 * MB, 5, NOON);
    fs_day_limit_note(limit, 3 * MB + 7, 5, NOON);
    fs_day_limit_free(limit);
    cache_store_thread_drain(thread);

    limit = make(NOON + 60);
    assert_traffic(limit, 3 * MB + 7, 5);
    fs_day_limit_note(limit, 100, 1, NOON + 60);
    assert_traffic(limit, 3 * MB + 107, 6);
    fs_day_limit_free(limit);
    cache_store_thread_drain(thread);

    limit = make(NOON + DAY);
    assert_traffic(limit, 0, 0);
    fs_day_limit_free(limit);
    cache_store_thread_drain(thread);
}

static void
crash_loses_little(void **state)
{
    FsDayLimit *limit = make(NOON);
    FsDayLimit *next;
    FsDayTraffic today;

    for (guint64 received = 0; received <= 8 * MB; received += 1000)
        fs_day_limit_note(limit, received, 0, NOON);
    cache_store_thread_drain(thread);
    next = make(NOON); /* the first is never told that it is over */
    fs_day_limit_get(next, &today);
    assert_in_range(today.received, 7 * MB - 1000, 8 * MB);
    fs_day_limit_free(next);
    cache_store_thread_drain(thread);
    fs_day_limit_free(limit);
    cache_store_thread_drain(thread);
}

static void
damaged_file_begins_anew(void **state)
{
    g_autofree char *path = g_build_filename(directory, "traffic", NULL);
    FsDayLimit *limit;

    assert_true(g_file_set_contents(path, "\x01[", -1, NULL));
    limit = make(NOON);
    assert_traffic(limit, 0, 0);
    fs_day_limit_free(limit);
    assert_true(
        g_file_set_contents(path, "[2024-10-04]\nreceived=-5\n", -1, NULL));
    limit = make(NOON);
    assert_traffic(limit, 0, 0);
    fs_day_limit_free(limit);
}

static void
without_limit_or_directory_all_is_allowed(void **state)
{
    FsDayLimit *limit = fs_day_limit_new(NULL, 0, 0, thread, NOON);

    fs_day_limit_note(limit, G_MAXINT64, G_MAXINT64, NOON);
    assert_true(fs_day_limit_may_download(limit, NULL));
    assert_true(fs_day_limit_may_upload(limit, G_MAXUINT64, NULL));
    fs_day_limit_free(limit);
}

static int
set_up(void **state)
{
    directory = g_dir_make_tmp("imapfs-day-XXXXXX", NULL);
    thread = cache_store_thread_new();
    return 0;
}

static int
tear_down(void **state)
{
    g_autofree char *path = g_build_filename(directory, "traffic", NULL);

    cache_store_thread_free(thread);
    g_unlink(path);
    g_rmdir(directory);
    g_free(directory);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(download_ends_at_its_limit_until_the_day_is_over),
        TEST(upload_that_does_not_fit_waits_or_never_will),
        TEST(next_mount_goes_on_counting_on_the_same_day),
        TEST(crash_loses_little),
        TEST(damaged_file_begins_anew),
        TEST(without_limit_or_directory_all_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
