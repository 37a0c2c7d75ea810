#include "imap/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
flags_are_sorted_once_each_and_without_recent(void **state)
{
    static const struct {
        const char *flags[6];
        const char *text;
    } cases[] = {
        {{NULL}, ""},
        {{"\\Recent", NULL}, ""},
        {{"b", "\\Seen", "a", NULL}, "\\Seen a b"},
        {{"a", "\\recent", "a", "$x", "a", NULL}, "$x a"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = imap_flags_to_string(cases[i].flags);

        assert_string_equal(text, cases[i].text);
    }
}

static void
flags_without_end_are_cut_short(void **state)
{
    g_autoptr(GPtrArray) flags = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *text = NULL;

    for (guint i = 0; i < 10000; i++)
        g_ptr_array_add(flags, g_strdup_printf("flag%u", i));
    g_ptr_array_add(flags, NULL);
    text = imap_flags_to_string((const char *const *)flags->pdata);
    assert_true(strlen(text) > 1000);
    assert_true(strlen(text) <= 8000);
    assert_true(g_str_has_prefix(text, "flag0 flag1 "));
}

static void
changes_too_many_are_refused(void **state)
{
    ImapKnown known = {5, 6};
    g_autoptr(ImapChanges) changes = imap_changes_new(&known);
    g_autoptr(ImapUidSet) sparse = imap_uid_set_new();
    static const char *const flags[] = {"\\Seen", NULL};
    guint n = 0;

    assert_int_equal(changes->since.uidvalidity, 5);
    assert_int_equal(changes->since.highestmodseq, 6);
    while (n < 1000000 && imap_changes_add_flags(changes, n + 1, flags))
        n++;
    assert_int_equal(n, 200000);
    assert_int_equal(changes->flags->len, n);
    for (guint32 uid = 1; uid < 2400000; uid += 4)
        imap_uid_set_add(sparse, uid, uid);
    assert_true(imap_changes_add_vanished(changes, sparse));
    assert_int_equal(imap_uid_set_n_ranges(changes->vanished), 600000);
    imap_uid_set_add(sparse, 3, 3);
    assert_false(imap_changes_add_vanished(changes, sparse));
}

static void
flags_too_long_are_refused(void **state)
{
    ImapKnown known = {0};
    g_autoptr(ImapChanges) changes = imap_changes_new(&known);
    g_autofree char *name = g_strnfill(7000, 'x');
    const char *flags[] = {name, NULL};
    guint n = 0;

    while (n < 100000 && imap_changes_add_flags(changes, n + 1, flags))
        n++;
    assert_in_range(n, 2000, 3000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_sorted_once_each_and_without_recent),
        cmocka_unit_test(flags_without_end_are_cut_short),
        cmocka_unit_test(changes_too_many_are_refused),
        cmocka_unit_test(flags_too_long_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
