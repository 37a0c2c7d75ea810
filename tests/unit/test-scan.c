/* Scans: which openings begin one, which belong to it, and how far ahead it
 * asks. */
#include "fs/bodies/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND ((gint64)G_USEC_PER_SEC)
#define START (1000 * SECOND)
#define MANY (1024u * 1024 * 1024)

/* A mailbox of UIDs 10, 20, 30 and so on up to 10,000. */
static guint32
next_ten(guint32 uid, gpointer user_data)
{
    guint32 next = uid / 10 * 10 + 10;

    return next <= 10000 ? next : 0;
}

static FsScanGuess
opened(FsScanWatch *watch, guint32 uid, gint64 now)
{
    return fs_scan_watch_opened(watch, uid, now, TRUE, next_ten, NULL);
}

static void
two_in_order_begin_a_scan_upwards(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 50, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 60, START + SECOND), FS_SCAN_UP);
}

static void
two_in_order_from_the_end_begin_a_scan_downwards(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 10000, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 9990, START), FS_SCAN_DOWN);
}

static void
threads_out_of_turn_begin_a_scan(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 8000, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 50, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 130, START), FS_SCAN_UP);
}

static void
far_apart_begin_no_scan(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 50, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 5000, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 150, START), FS_SCAN_NONE);
}

static void
long_after_begins_no_scan(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 50, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 60, START + 60 * SECOND), FS_SCAN_NONE);
}

static void
the_same_again_begins_no_scan(void **state)
{
    FsScanWatch watch = {0};

    assert_int_equal(opened(&watch, 10, START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 10, START), FS_SCAN_NONE);
}

static void
first_after_a_listing_begins_a_scan(void **state)
{
    FsScanWatch watch = {0};

    fs_scan_watch_listed(&watch, START);
    assert_int_equal(opened(&watch, 10, START + SECOND), FS_SCAN_UP);
    assert_int_equal(opened(&watch, 5000, START + SECOND), FS_SCAN_NONE);
}

static void
last_at_once_after_a_listing_begins_a_scan_downwards(void **state)
{
    FsScanWatch watch = {0};

    fs_scan_watch_listed(&watch, START);
    assert_int_equal(opened(&watch, 10000, START + SECOND / 2), FS_SCAN_DOWN);
}

static void
last_after_a_listing_by_another_begins_no_scan(void **state)
{
    FsScanWatch watch = {0};

    fs_scan_watch_listed(&watch, START);
    assert_int_equal(fs_scan_watch_opened(&watch, 10000, START + SECOND / 2,
                                          FALSE, next_ten, NULL),
                     FS_SCAN_NONE);
}

static void
last_some_time_after_a_listing_begins_no_scan(void **state)
{
    FsScanWatch watch = {0};

    fs_scan_watch_listed(&watch, START);
    assert_int_equal(opened(&watch, 10000, START + 2 * SECOND), FS_SCAN_NONE);
}

static void
first_long_after_a_listing_begins_no_scan(void **state)
{
    FsScanWatch watch = {0};

    fs_scan_watch_listed(&watch, START);
    assert_int_equal(opened(&watch, 10, START + 60 * SECOND), FS_SCAN_NONE);
}

static void
many_in_no_order_are_told(void **state)
{
    static const guint32 uids[] = {5000, 100, 9000, 2000};
    FsScanWatch watch = {0};

    for (guint i = 0; i < G_N_ELEMENTS(uids); i++)
        assert_int_equal(opened(&watch, uids[i], START), FS_SCAN_NONE);
    assert_int_equal(opened(&watch, 7000, START), FS_SCAN_ELSE);
}

/* ---- one scan ---- */

/* Asks for all that there is room for, @octets each; how many that is. */
static guint
request(FsScan *scan, guint64 budget, guint64 octets)
{
    guint64 room;
    guint count = fs_scan_room(scan, budget, &room);
    guint asked = 0;

    for (; asked < count && room > 0; asked++) {
        fs_scan_request(scan, fs_scan_planned(scan) + 1, octets);
        room -= MIN(room, octets);
    }
    fs_scan_end_window(scan);
    return asked;
}

static void
windows_grow_fourfold(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);
    guint32 at = 1;

    assert_int_equal(request(scan, MANY, 1), 16);
    assert_int_equal(request(scan, MANY, 1), 0);
    /* Once the first of a window is opened, the next one is asked for. */
    assert_true(fs_scan_opened(scan, ++at));
    assert_int_equal(request(scan, MANY, 1), 64 - 15);
    while (at < 17) {
        assert_true(fs_scan_opened(scan, ++at));
        assert_int_equal(request(scan, MANY, 1), 0);
    }
    assert_true(fs_scan_opened(scan, ++at));
    assert_int_equal(request(scan, MANY, 1), 256 - 48);
}

static void
windows_on_a_long_line_begin_larger(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 64);

    assert_int_equal(request(scan, MANY, 1), 64);
    assert_true(fs_scan_opened(scan, 2));
    assert_int_equal(request(scan, MANY, 1), 1000);
}

static void
a_reader_never_comes_to_the_end_of_what_was_asked_for(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);

    request(scan, MANY, 1);
    for (guint32 at = 2; at < 20000; at++) {
        assert_true(fs_scan_opened(scan, at));
        request(scan, MANY, 1);
        assert_true(fs_scan_outstanding(scan) >= 8);
        assert_true(fs_scan_outstanding(scan) <= 4096);
    }
    assert_true(fs_scan_outstanding(scan) >= 3500);
}

static void
octets_under_way_stay_within_the_budget(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);
    guint most = 0;

    request(scan, 1000, 10);
    for (guint32 at = 2; at < 2000; at++) {
        assert_true(fs_scan_opened(scan, at));
        request(scan, 1000, 10);
        assert_true(fs_scan_outstanding(scan) <= 100);
        most = MAX(most, fs_scan_outstanding(scan));
        /* And nearly all of it is always used, once it has begun. */
        if (at > 100)
            assert_true(fs_scan_outstanding(scan) >= 86);
    }
    assert_int_equal(most, 100);
}

static void
out_of_turn_by_a_few_belongs_to_the_scan(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(100, 4);

    for (guint32 i = 0; i < 10; i++)
        assert_int_equal(request(scan, MANY, 1) > 0, i == 0);
    assert_true(fs_scan_opened(scan, 103));
    request(scan, MANY, 1);
    assert_true(fs_scan_opened(scan, 101));
    assert_true(fs_scan_opened(scan, 102));
    assert_true(fs_scan_opened(scan, 130));
    assert_true(fs_scan_opened(scan, 104));
    /* They are not asked for twice, nor forgotten. */
    assert_true(fs_scan_planned(scan) > 130);
}

static void
far_from_the_front_does_not_belong_to_the_scan(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(100, 4);

    request(scan, MANY, 1);
    fs_scan_opened(scan, 101);
    request(scan, MANY, 1);
    assert_false(fs_scan_opened(scan, 101 + 40));
    assert_false(fs_scan_opened(scan, 5000));
    assert_false(fs_scan_opened(scan, 3));
    assert_int_equal(fs_scan_outstanding(scan), 64);
}

static void
what_is_there_already_is_passed_over(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);
    guint64 room;

    /* Half is there: 16 of the others are asked for all the same. */
    for (guint32 i = 0; i < 32; i++) {
        if (i % 2 == 0)
            fs_scan_pass_over(scan, fs_scan_planned(scan) + 1);
        else
            fs_scan_request(scan, fs_scan_planned(scan) + 1, 1);
    }
    fs_scan_end_window(scan);
    assert_int_equal(fs_scan_outstanding(scan), 16);
    assert_int_equal(fs_scan_room(scan, MANY, &room), 0);
    /* To open one that is there is progress, too. */
    assert_true(fs_scan_opened(scan, 2));
    assert_int_equal(fs_scan_outstanding(scan), 16);
    assert_true(fs_scan_opened(scan, 3));
    assert_int_equal(fs_scan_outstanding(scan), 15);
}

static void
planning_ahead_of_what_is_there_comes_to_an_end(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);
    guint planned = 0;

    for (; planned < 100000 && fs_scan_wants_plan(scan); planned++)
        fs_scan_pass_over(scan, fs_scan_planned(scan) + 1);
    assert_true(planned < 5000);
    for (guint32 at = 2; at < 50000; at++) {
        assert_true(fs_scan_opened(scan, at));
        while (fs_scan_wants_plan(scan))
            fs_scan_pass_over(scan, fs_scan_planned(scan) + 1);
    }
}

static void
jump_within_what_was_asked_for_goes_on_there(void **state)
{
    g_autoptr(FsScan) scan = fs_scan_new(1, 4);

    for (guint32 at = 2; at < 100; at++) {
        fs_scan_opened(scan, at);
        request(scan, MANY, 1);
    }
    assert_true(fs_scan_jump(scan, 200));
    assert_true(fs_scan_opened(scan, 201));
    assert_false(fs_scan_jump(scan, 100000));
    assert_false(fs_scan_jump(scan, 5));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_in_order_begin_a_scan_upwards),
        cmocka_unit_test(two_in_order_from_the_end_begin_a_scan_downwards),
        cmocka_unit_test(threads_out_of_turn_begin_a_scan),
        cmocka_unit_test(far_apart_begin_no_scan),
        cmocka_unit_test(long_after_begins_no_scan),
        cmocka_unit_test(the_same_again_begins_no_scan),
        cmocka_unit_test(first_after_a_listing_begins_a_scan),
        cmocka_unit_test(last_at_once_after_a_listing_begins_a_scan_downwards),
        cmocka_unit_test(last_after_a_listing_by_another_begins_no_scan),
        cmocka_unit_test(last_some_time_after_a_listing_begins_no_scan),
        cmocka_unit_test(first_long_after_a_listing_begins_no_scan),
        cmocka_unit_test(many_in_no_order_are_told),
        cmocka_unit_test(windows_grow_fourfold),
        cmocka_unit_test(windows_on_a_long_line_begin_larger),
        cmocka_unit_test(a_reader_never_comes_to_the_end_of_what_was_asked_for),
        cmocka_unit_test(octets_under_way_stay_within_the_budget),
        cmocka_unit_test(out_of_turn_by_a_few_belongs_to_the_scan),
        cmocka_unit_test(far_from_the_front_does_not_belong_to_the_scan),
        cmocka_unit_test(what_is_there_already_is_passed_over),
        cmocka_unit_test(planning_ahead_of_what_is_there_comes_to_an_end),
        cmocka_unit_test(jump_within_what_was_asked_for_goes_on_there),
    };

    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
