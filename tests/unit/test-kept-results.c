/* What searches have found is kept within a bound, the rest by its use. */
#include "fs/views/search/kept-results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
clear_found(gpointer data)
{
    imap_uid_set_free(((FsFound *)data)->uids);
}

/* Of @n messages, none beside another, in two mailboxes. */
static GArray *
found_of(guint n)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(FsFound));

    g_array_set_clear_func(found, clear_found);
    for (guint32 mailbox = 1; mailbox <= 2; mailbox++) {
        FsFound one = {mailbox, imap_uid_set_new()};

        for (guint32 i = mailbox - 1; i < n; i += 2)
            imap_uid_set_add(one.uids, 2 * i + 1, 2 * i + 1);
        g_array_append_val(found, one);
    }
    return found;
}

static void
too_many_are_dropped_by_their_use(void **state)
{
    g_autoptr(FsKeptResults) results = fs_kept_results_new(100, 100);
    FsKeptResult kept[4] = {0};

    for (guint i = 0; i < 3; i++)
        fs_kept_results_put(results, &kept[i], found_of(30));
    fs_kept_results_use(results, &kept[0]);
    fs_kept_results_put(results, &kept[3], found_of(30));
    assert_non_null(kept[0].found);
    assert_null(kept[1].found);
    assert_non_null(kept[2].found);
    assert_non_null(kept[3].found);
    /* What was dropped is found once more. */
    fs_kept_results_use(results, &kept[1]);
    assert_null(kept[1].found);
    fs_kept_results_put(results, &kept[1], found_of(30));
    assert_non_null(kept[1].found);
    assert_null(kept[2].found);
    for (guint i = 0; i < 4; i++)
        fs_kept_results_drop(results, &kept[i]);
}

static void
one_of_any_size_is_kept_alone(void **state)
{
    g_autoptr(FsKeptResults) results = fs_kept_results_new(100, 100);
    FsKeptResult small = {0};
    FsKeptResult large = {0};

    fs_kept_results_put(results, &small, found_of(10));
    fs_kept_results_put(results, &large, found_of(101));
    assert_null(small.found);
    assert_int_equal(large.found->len, 2);
    fs_kept_results_put(results, &small, found_of(10));
    assert_null(large.found);
    assert_non_null(small.found);
    fs_kept_results_drop(results, &small);
}

/* Two thousand searches of a hundred results each, of which ten have room. */
static void
same_search_again_takes_no_more_room(void **state)
{
    g_autoptr(FsKeptResults) results = fs_kept_results_new(1000, 1000);
    g_autofree FsKeptResult *kept = g_new0(FsKeptResult, 200);
    guint known = 0;

    for (guint i = 0; i < 50; i++)
        fs_kept_results_put(results, &kept[0], found_of(100));
    for (guint i = 0; i < 2000; i++)
        fs_kept_results_put(results, &kept[i % 200], found_of(100));
    for (guint i = 0; i < 200; i++) {
        known += kept[i].found != NULL;
        fs_kept_results_drop(results, &kept[i]);
    }
    assert_int_equal(known, 10);
}

/* Each portion of a listing uses its result; that of the other is still needed
 * for the next one. */
static void
those_being_listed_are_kept_beside_each_other(void **state)
{
    g_autoptr(FsKeptResults) results = fs_kept_results_new(100, 350);
    FsKeptResult kept[4] = {0};

    for (guint i = 0; i < 3; i++)
        fs_kept_results_put(results, &kept[i], found_of(101));
    for (guint i = 0; i < 3; i++)
        assert_non_null(kept[i].found);
    /* But within a bound. */
    fs_kept_results_put(results, &kept[3], found_of(101));
    assert_null(kept[0].found);
    assert_non_null(kept[1].found);
    for (guint i = 0; i < 4; i++)
        fs_kept_results_drop(results, &kept[i]);
}

static void
those_listed_long_ago_make_room(void **state)
{
    g_autoptr(FsKeptResults) results = fs_kept_results_new(100, 1000);
    FsKeptResult kept[4] = {0};

    for (guint i = 0; i < 3; i++)
        fs_kept_results_put(results, &kept[i], found_of(60));
    for (guint i = 0; i < 2; i++)
        kept[i].used_at -= FS_KEPT_RESULT_FRESH_US + 1;
    fs_kept_results_put(results, &kept[3], found_of(60));
    assert_null(kept[0].found);
    assert_null(kept[1].found);
    assert_non_null(kept[2].found);
    fs_kept_results_drop(results, &kept[2]);
    fs_kept_results_drop(results, &kept[3]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_are_dropped_by_their_use),
        cmocka_unit_test(one_of_any_size_is_kept_alone),
        cmocka_unit_test(those_being_listed_are_kept_beside_each_other),
        cmocka_unit_test(those_listed_long_ago_make_room),
        cmocka_unit_test(same_search_again_takes_no_more_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
