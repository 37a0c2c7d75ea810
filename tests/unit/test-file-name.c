/* What files are, by their names. */
#include "fs/writing/file-name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
expect_all(const char *const *names, FsFileKind kind)
{
    for (; *names != NULL; names++) {
        if (fs_file_name_kind(*names) != kind)
            fail_msg("%s is %u", *names, (guint)fs_file_name_kind(*names));
    }
}

static void
kind_mail_is_what_ends_in_eml(void **state)
{
    static const char *const names[] = {
        "x.eml",     "2026-11-22_0930_alice_report.1234.eml",
        "a b.eml",   "\xc3\xa4.eml",
        "x.tmp.eml", "sedation.eml",
        "tmp.eml",   NULL};

    expect_all(names, FS_FILE_MAIL);
}

static void
kind_maildir_is_what_ends_in_flags(void **state)
{
    static const char *const names[] = {"1700000000.M1P2.host:2,S",
                                        "1700000000.M1P2.host:2,",
                                        "1.host,S=12:2,FRS", "x:2,abc", NULL};

    expect_all(names, FS_FILE_MAILDIR);
}

static void
kind_scratch_is_what_programs_do_not_keep(void **state)
{
    static const char *const names[] = {".x.eml.Xq31aB",
                                        "x.eml~",
                                        ".x.eml.swp",
                                        "4913",
                                        "sedAb12Cd",
                                        "x.eml.part",
                                        "x.tmp",
                                        "#x.eml#",
                                        ".git",
                                        "tmpab12cd34",
                                        ".goutputstream-AB12CD",
                                        "~x.eml",
                                        "Xq31aB0z",
                                        "0aBcDeFg",
                                        NULL};

    expect_all(names, FS_FILE_SCRATCH);
}

static void
kind_refused_is_everything_else(void **state)
{
    static const char *const names[] = {
        "README",       "x.txt",    ".",         "x.EML",    "sed12345",
        "sed1234567",   "a\nb.eml", "\xff.eml",  "x:2,S2",   ":2,S",
        "\xc2\x85.eml", "document", "Document",  "MAIL2026", "photo001",
        "20261128",     "my_notes", "Xq31aB0zz", NULL};

    assert_int_equal(fs_file_name_kind("."), FS_FILE_SCRATCH);
    for (guint i = 0; names[i] != NULL; i++)
        if (names[i][0] != '.' &&
            fs_file_name_kind(names[i]) != FS_FILE_REFUSED)
            fail_msg("%s is %u", names[i], (guint)fs_file_name_kind(names[i]));
}

static void
expect_flags(const char *name, const char *expected)
{
    g_autofree char *flags = fs_file_name_flags(name);

    assert_string_equal(flags, expected);
}

static void
flags_are_those_of_the_name(void **state)
{
    expect_flags("x:2,", "");
    expect_flags("x:2,S", "\\Seen");
    expect_flags("x:2,DFPRST",
                 "\\Draft \\Flagged $Forwarded \\Answered \\Seen \\Deleted");
    expect_flags("x:2,ab", "");
    expect_flags("x.eml", "");
}

static void
mailbox_hidden_name_is_none(void **state)
{
    assert_true(fs_file_name_is_mailbox("Archive"));
    assert_true(fs_file_name_is_mailbox("a.b"));
    assert_true(fs_file_name_is_mailbox("\xf0\x9f\x93\xa7"));
    assert_false(fs_file_name_is_mailbox(".Trash-0"));
    assert_false(fs_file_name_is_mailbox("a\r\nb"));
    assert_false(fs_file_name_is_mailbox("\xff"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind_mail_is_what_ends_in_eml),
        cmocka_unit_test(kind_maildir_is_what_ends_in_flags),
        cmocka_unit_test(kind_scratch_is_what_programs_do_not_keep),
        cmocka_unit_test(kind_refused_is_everything_else),
        cmocka_unit_test(flags_are_those_of_the_name),
        cmocka_unit_test(mailbox_hidden_name_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
