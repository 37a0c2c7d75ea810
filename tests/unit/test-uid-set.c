/* Sets of UIDs, against a plain bitmap. */
#include "imap/uid-set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
parse_valid_text_is_normalised(void **state)
{
    static const char *const cases[][2] = {
        {"1", "1"},
        {"1:4,7,9:12", "1:4,7,9:12"},
        {"4:1", "1:4"},
        {"9,1,2,3,5:4", "1:5,9"},
        {" 1:2 , 3 ,8 ", "1:3,8"},
        {"0:3", "1:3"},
        {"0", ""},
        {"4294967295,4294967294", "4294967294:4294967295"},
        {"1:4294967295,7", "1:4294967295"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapUidSet) set =
            imap_uid_set_parse(cases[i][0], strlen(cases[i][0]));
        g_autofree char *text = NULL;

        assert_non_null(set);
        text = imap_uid_set_to_string(set);
        assert_string_equal(text, cases[i][1]);
    }
}

static void
parse_invalid_text_is_refused(void **state)
{
    static const char *const cases[] = {
        "",    " ",   ",",   "1,",         "1,,2",
        ":",   "1:",  ":1",  "*",          "1:*",
        "a",   "1 2", "1-2", "4294967296", "1:99999999999999999999",
        "1;2", "-1",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        ImapUidSet *set = imap_uid_set_parse(cases[i], strlen(cases[i]));

        if (set != NULL)
            fail_msg("taken: %s", cases[i]);
    }
    assert_null(imap_uid_set_parse("1\0", 2));
}

static void
add_any_order_equals_bitmap(void **state)
{
    enum { SPACE = 6000 };
    GRand *random = g_rand_new_with_seed(7);

    for (int round = 0; round < 60; round++) {
        g_autoptr(ImapUidSet) set = imap_uid_set_new();
        g_autofree guint8 *bitmap = g_malloc0(SPACE + 20);
        guint64 count = 0;
        guint ranges = 0;

        for (int i = 0; i < 100 * round; i++) {
            guint32 a = (guint32)g_rand_int_range(random, 0, SPACE);
            guint32 b = a + (guint32)g_rand_int_range(random, 0, 3);

            assert_true(i % 2 == 0 ? imap_uid_set_add(set, a, b)
                                   : imap_uid_set_add(set, b, a));
            for (guint32 uid = MAX(a, 1); uid <= b; uid++)
                bitmap[uid] = 1;
            if (i % 997 == 0)
                assert_true(imap_uid_set_contains(set, b) == (b > 0));
        }
        for (guint32 uid = 1; uid < SPACE + 10; uid++) {
            assert_int_equal(imap_uid_set_contains(set, uid), bitmap[uid]);
            count += bitmap[uid];
            ranges += bitmap[uid] && !bitmap[uid - 1];
        }
        assert_false(imap_uid_set_contains(set, 0));
        assert_int_equal(imap_uid_set_count(set), count);
        assert_int_equal(imap_uid_set_n_ranges(set), ranges);
    }
    g_rand_free(random);
}

static void
range_each_is_ascending_and_apart(void **state)
{
    g_autoptr(ImapUidSet) set = imap_uid_set_parse("9,3:5,1", 7);
    guint32 first;
    guint32 last;

    imap_uid_set_range(set, 1, &first, &last);
    assert_int_equal(first, 3);
    assert_int_equal(last, 5);
}

/* At the bound the set takes what makes it no larger, and nothing else. */
static void
add_beyond_bound_is_refused(void **state)
{
    g_autoptr(ImapUidSet) set = imap_uid_set_new();

    for (guint32 i = IMAP_UID_SET_MAX_RANGES; i > 0; i--)
        assert_true(imap_uid_set_add(set, 4 * i, 4 * i));
    assert_int_equal(imap_uid_set_n_ranges(set), IMAP_UID_SET_MAX_RANGES);
    assert_false(imap_uid_set_add(set, 2, 2));
    assert_false(imap_uid_set_add(set, G_MAXUINT32, G_MAXUINT32));
    assert_false(imap_uid_set_contains(set, 2));
    assert_true(imap_uid_set_add(set, 8, 8));
    assert_true(imap_uid_set_add(set, 9, 9));
    assert_int_equal(imap_uid_set_n_ranges(set), IMAP_UID_SET_MAX_RANGES);
    assert_true(imap_uid_set_add(set, 5, 7));
    assert_true(imap_uid_set_add(set, 2, 2));
    assert_int_equal(imap_uid_set_n_ranges(set), IMAP_UID_SET_MAX_RANGES);
}

static ImapUidSet *
random_set(GRand *random, guint32 space)
{
    ImapUidSet *set = imap_uid_set_new();
    int n = g_rand_int_range(random, 0, 40);

    for (int i = 0; i < n; i++) {
        guint32 a = (guint32)g_rand_int_range(random, 1, (gint32)space);

        imap_uid_set_add(set, a, a + (guint32)g_rand_int_range(random, 0, 9));
    }
    return set;
}

static void
intersection_holds_what_is_in_both(void **state)
{
    enum { SPACE = 300 };
    GRand *random = g_rand_new_with_seed(11);

    for (int round = 0; round < 500; round++) {
        g_autoptr(ImapUidSet) one = random_set(random, SPACE);
        g_autoptr(ImapUidSet) other = random_set(random, SPACE);
        g_autoptr(ImapUidSet) both = imap_uid_set_intersection(one, other);

        for (guint32 uid = 1; uid < SPACE + 20; uid++)
            assert_int_equal(imap_uid_set_contains(both, uid),
                             imap_uid_set_contains(one, uid) &&
                                 imap_uid_set_contains(other, uid));
    }
    g_rand_free(random);
}

static void
take_cuts_up_the_whole_set(void **state)
{
    GRand *random = g_rand_new_with_seed(13);

    for (int round = 0; round < 300; round++) {
        g_autoptr(ImapUidSet) set = random_set(random, 5000);
        g_autofree char *whole = imap_uid_set_to_string(set);
        g_autoptr(ImapUidSet) taken = imap_uid_set_new();
        guint max_uids = (guint)g_rand_int_range(random, 0, 30);
        gsize max_length = (gsize)g_rand_int_range(random, 0, 60);
        g_autofree char *again = NULL;

        while (imap_uid_set_count(set) > 0) {
            g_autoptr(ImapUidSet) part =
                imap_uid_set_take(set, max_uids, max_length);
            g_autofree char *text = imap_uid_set_to_string(part);
            guint32 first, last;

            assert_in_range(imap_uid_set_count(part), 1, MAX(max_uids, 1));
            assert_true(imap_uid_set_n_ranges(part) == 1 ||
                        strlen(text) <= max_length);
            for (guint i = 0; i < imap_uid_set_n_ranges(part); i++) {
                imap_uid_set_range(part, i, &first, &last);
                assert_false(imap_uid_set_contains(set, first));
                imap_uid_set_add(taken, first, last);
            }
        }
        again = imap_uid_set_to_string(taken);
        assert_string_equal(again, whole);
    }
    g_rand_free(random);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_valid_text_is_normalised),
        cmocka_unit_test(parse_invalid_text_is_refused),
        cmocka_unit_test(add_any_order_equals_bitmap),
        cmocka_unit_test(range_each_is_ascending_and_apart),
        cmocka_unit_test(add_beyond_bound_is_refused),
        cmocka_unit_test(intersection_holds_what_is_in_both),
        cmocka_unit_test(take_cuts_up_the_whole_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
