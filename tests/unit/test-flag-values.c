/* What is written to change flags. */
#include "fs/kernel/flag-values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PRESENT "\\Seen old work"

static void
assert_parsed(const char *value, FsFlagsKind kind, const char *wanted_add,
              const char *wanted_remove)
{
    g_autofree char *add = NULL;
    g_autofree char *remove = NULL;

    assert_true(fs_flag_values_parse(value, strlen(value), kind, PRESENT, &add,
                                     &remove));
    assert_string_equal(add, wanted_add);
    assert_string_equal(remove, wanted_remove);
}

static void
sign_adds_or_removes(void **state)
{
    assert_parsed("+\\Flagged", FS_FLAGS_ALL, "\\Flagged", "");
    assert_parsed("+\\seen new", FS_FLAGS_ALL, "new", "");
    assert_parsed("-\\Seen other", FS_FLAGS_ALL, "", "\\Seen other");
    assert_parsed("+", FS_FLAGS_ALL, "", "");
}

static void
list_is_what_it_changes(void **state)
{
    assert_parsed("\\Seen \\Flagged", FS_FLAGS_ALL, "\\Flagged", "old work");
    assert_parsed("", FS_FLAGS_ALL, "", "\\Seen old work");
    assert_parsed("WORK old \\Seen\n", FS_FLAGS_ALL, "", "");
}

static void
tags_leave_system_flags(void **state)
{
    assert_parsed("work,new", FS_FLAGS_KEYWORDS, "new", "old");
    assert_parsed("", FS_FLAGS_KEYWORDS, "", "old work");
    assert_parsed("+a,b", FS_FLAGS_KEYWORDS, "a b", "");
}

static void
what_no_flag_can_be_is_refused(void **state)
{
    static const char *const values[] = {
        "a(b", "a)b", "{3}",  "a%b",      "a*",    "a\"b", "a\\b",
        "a]b", "\\",  "\xe9", "\\Recent", "a\x7f", "a\rb",
    };
    char *add;
    char *remove;

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        assert_false(fs_flag_values_parse(values[i], strlen(values[i]),
                                          FS_FLAGS_ALL, "", &add, &remove));
    assert_false(fs_flag_values_parse("\\Seen", 5, FS_FLAGS_KEYWORDS, "", &add,
                                      &remove));
    assert_false(
        fs_flag_values_parse("a\0b", 3, FS_FLAGS_ALL, "", &add, &remove));
}

static void
value_without_bound_is_refused(void **state)
{
    g_autofree char *value = g_strnfill(100000, 'a');
    char *add;
    char *remove;

    assert_false(
        fs_flag_values_parse(value, 100000, FS_FLAGS_ALL, "", &add, &remove));
    assert_false(
        fs_flag_values_parse(value, 300, FS_FLAGS_ALL, NULL, &add, &remove));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_adds_or_removes),
        cmocka_unit_test(list_is_what_it_changes),
        cmocka_unit_test(tags_leave_system_flags),
        cmocka_unit_test(what_no_flag_can_be_is_refused),
        cmocka_unit_test(value_without_bound_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
