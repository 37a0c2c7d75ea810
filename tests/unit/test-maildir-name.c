/* Names in a Maildir: letters, bases, and what a new name changes. */
#include "fs/names/maildir-name.h"

#include "fs/names/given-name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MAILBOX 12u

static int
open_aliases(void **state)
{
    *state = cache_aliases_open(NULL, NULL, NULL);
    return *state == NULL;
}

static int
close_aliases(void **state)
{
    cache_aliases_close(*state);
    return 0;
}

static void
expect_letters(CacheAliases *aliases, guint32 mailbox, const char *flags,
               const char *wanted)
{
    g_autofree char *letters = fs_maildir_letters(aliases, mailbox, flags);

    assert_string_equal(letters, wanted);
}

static void
letters_of_flags_are_in_their_order(void **state)
{
    expect_letters(*state, MAILBOX, "\\Seen \\answered $Forwarded \\Draft",
                   "DPRS");
    expect_letters(*state, MAILBOX, "\\Recent \\Flagged \\Deleted", "FT");
    expect_letters(*state, MAILBOX, NULL, "");
    expect_letters(*state, MAILBOX, "", "");
}

static void
letters_of_keywords_stay_and_end_at_z(void **state)
{
    expect_letters(*state, MAILBOX, "work", "a");
    expect_letters(*state, MAILBOX, "play \\Seen", "Sb");
    expect_letters(*state, MAILBOX, "play work", "ab");
    for (guint i = 2; i < 40; i++) {
        g_autofree char *keyword = g_strdup_printf("k%u", i);
        const char letter[] = {(char)('a' + i), '\0'};

        expect_letters(*state, MAILBOX, keyword, i < 26 ? letter : "");
    }
    expect_letters(*state, MAILBOX, "work", "a");
}

static void
letters_of_other_mailboxes_are_the_same_if_they_can_be(void **state)
{
    g_autofree char *flags = NULL;

    expect_letters(*state, 1, "one two", "ab");
    expect_letters(*state, 2, "two", "b");
    assert_true(fs_maildir_flags(*state, 2, "a", &flags));
    assert_string_equal(flags, "one");
    expect_letters(*state, 2, "one", "a");
}

static void
letters_of_other_maildirs_mean_nothing(void **state)
{
    g_autofree char *known = NULL;

    expect_letters(*state, 1, "one two", "ab");
    known = fs_maildir_without_foreign(*state, 2, "FQSabc");
    assert_string_equal(known, "FQSab");
}

static void
flags_of_unknown_letters_are_none(void **state)
{
    static const char *const wrong[] = {"z", "Sz", "Q", "SA", NULL};
    char *flags = NULL;

    for (guint i = 0; wrong[i] != NULL; i++) {
        assert_false(fs_maildir_flags(*state, MAILBOX, wrong[i], &flags));
        assert_null(flags);
    }
    assert_true(fs_maildir_flags(*state, MAILBOX, "SFS", &flags));
    assert_string_equal(flags, "\\Flagged \\Seen");
    g_free(flags);
}

static void
change_leaves_what_has_no_letter(void **state)
{
    g_autofree char *add = NULL;
    g_autofree char *remove = NULL;

    expect_letters(*state, MAILBOX, "work", "a");
    assert_true(fs_maildir_change(*state, MAILBOX, "\\Seen \\Recent work", "FS",
                                  &add, &remove));
    assert_string_equal(add, "\\Flagged");
    assert_string_equal(remove, "work");
}

static void
parse_takes_names_apart(void **state)
{
    static const char *const names[][3] = {
        {"1.R.host", "1.R.host", ""},
        {"1.R.host:2,", "1.R.host", ""},
        {"1.R.host,S=3:2,FS", "1.R.host,S=3", "FS"},
        {"a:2,b?:2,S", "a:2,b?", "S"},
        {"a:2,S?", "a:2,S?", ""},
        {":2,S", ":2,S", ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *base = NULL;
        g_autofree char *letters = NULL;

        assert_true(fs_maildir_name_parse(names[i][0], &base, &letters));
        assert_string_equal(base, names[i][1]);
        assert_string_equal(letters, names[i][2]);
    }
}

static void
parse_refuses_what_is_no_name(void **state)
{
    g_autofree char *length = g_strnfill(FS_MAILDIR_BASE_MAX + 1, 'x');
    const char *const names[] = {
        "", ".x:2,S", "a/b", "\xff", length, "a:2,S:2,F", "a:2,:2,",
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        char *base;
        char *letters;

        assert_false(fs_maildir_name_parse(names[i], &base, &letters));
        assert_null(base);
    }
}

static void
base_says_where_the_message_is(void **state)
{
    g_autofree char *base = fs_maildir_base(1763803800, 12, 1234, 4711);
    guint32 mailbox;
    guint32 uid;

    assert_string_equal(base, "1763803800.M12U1234.imapfs,S=4711");
    assert_true(fs_maildir_base_parse(base, &mailbox, &uid));
    assert_int_equal(mailbox, 12);
    assert_int_equal(uid, 1234);
    assert_true(
        fs_maildir_same_base(base, "1763803800.M12U1234.imapfs,S=4712"));
    assert_false(
        fs_maildir_same_base(base, "1763803800.M12U1235.imapfs,S=4711"));
    assert_false(
        fs_maildir_same_base(base, "1763803800.M12U1234.imapfs,S=4711,x"));
    assert_false(
        fs_maildir_same_base("1763803800.M12U1234.imapfs,S=4711,x", base));
    assert_true(fs_maildir_same_base("1763803800.M12U1234.imapfs,S=4711,U=1",
                                     "1763803800.M12U1234.imapfs,S=4711,U=1"));
    assert_false(fs_maildir_same_base("a", "b"));
}

static void
base_of_others_is_none_of_ours(void **state)
{
    static const char *const bases[] = {
        "",
        "1.M2U3.imapfsx",
        "1.M2U0.imapfs",
        "1.M2U3",
        "x.M2U3",
        "1.M4294967296U3.imapfs",
        "1.R.host",
        "1.M2U99999999999.imapfs",
    };
    guint32 mailbox;
    guint32 uid;

    for (guint i = 0; i < G_N_ELEMENTS(bases); i++)
        assert_false(fs_maildir_base_parse(bases[i], &mailbox, &uid));
}

static void
given_names_of_both_kinds_are_kept_apart(void **state)
{
    fs_given_name_set(*state, MAILBOX, 5, "x.eml");
    fs_given_name_set(*state, MAILBOX, 5, "/cur/1.R.host:2,FS");
    assert_string_equal(cache_aliases_name(*state, MAILBOX, 5), "x.eml");
    assert_string_equal(
        cache_aliases_name(*state, MAILBOX | FS_GIVEN_IN_MAILDIR, 5),
        "cur/1.R.host");
    fs_given_name_forget(*state, MAILBOX, 5);
    assert_int_equal(cache_aliases_count(*state), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(letters_of_flags_are_in_their_order,
                                        open_aliases, close_aliases),
        cmocka_unit_test_setup_teardown(letters_of_keywords_stay_and_end_at_z,
                                        open_aliases, close_aliases),
        cmocka_unit_test_setup_teardown(
            letters_of_other_mailboxes_are_the_same_if_they_can_be,
            open_aliases, close_aliases),
        cmocka_unit_test_setup_teardown(letters_of_other_maildirs_mean_nothing,
                                        open_aliases, close_aliases),
        cmocka_unit_test_setup_teardown(flags_of_unknown_letters_are_none,
                                        open_aliases, close_aliases),
        cmocka_unit_test_setup_teardown(change_leaves_what_has_no_letter,
                                        open_aliases, close_aliases),
        cmocka_unit_test(parse_takes_names_apart),
        cmocka_unit_test(parse_refuses_what_is_no_name),
        cmocka_unit_test(base_says_where_the_message_is),
        cmocka_unit_test(base_of_others_is_none_of_ours),
        cmocka_unit_test_setup_teardown(
            given_names_of_both_kinds_are_kept_apart, open_aliases,
            close_aliases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
