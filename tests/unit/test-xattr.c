/* The extended attributes: which there are, and their values. */
#include "fs/kernel/xattr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const CacheMailbox mailbox = {.uidvalidity = 17000000000};

/* NULL in @wanted: there is none. */
static void
assert_value(const CacheMessage *message, const char *name, const char *wanted)
{
    GString *value = fs_xattr_value(&mailbox, message, name);

    if (wanted == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value->str, wanted);
    g_string_free(value, TRUE);
}

static void
assert_names(const CacheMessage *message, const char *wanted, gsize length)
{
    GString *names = fs_xattr_names(message);

    assert_int_equal(names->len, length);
    assert_memory_equal(names->str, wanted, length);
    g_string_free(names, TRUE);
}

static void
value_of_known_message_is_what_the_server_said(void **state)
{
    const CacheMessage message = {
        .uid = 4294967295,
        .flags = "\\Seen $Forwarded \\Flagged work",
        .identity = "e:M6d99ac3275bb4e",
    };

    assert_value(&message, "user.imap.uid", "4294967295");
    assert_value(&message, "user.imap.uidvalidity", "17000000000");
    assert_value(&message, "user.imap.flags", message.flags);
    assert_value(&message, "user.imap.emailid", message.identity + 2);
    assert_value(&message, "user.xdg.tags", "$Forwarded,work");
}

static void
value_that_is_not_known_is_none(void **state)
{
    const CacheMessage unknown = {.uid = 1};
    const CacheMessage none = {.uid = 1, .flags = ""};
    const CacheMessage untagged = {.uid = 1, .flags = "\\Seen  \\Draft"};

    assert_value(&unknown, "user.imap.flags", NULL);
    assert_value(&unknown, "user.imap.emailid", NULL);
    assert_value(&unknown, "user.xdg.tags", NULL);
    assert_value(&none, "user.imap.flags", "");
    assert_value(&none, "user.xdg.tags", NULL);
    assert_value(&untagged, "user.xdg.tags", NULL);
}

static void
names_are_those_worth_restoring(void **state)
{
    static const char flags[] = "user.imap.flags";
    static const char both[] = "user.imap.flags\0user.xdg.tags";
    const CacheMessage tagged = {.uid = 1, .flags = "a", .identity = "x"};
    const CacheMessage untagged = {.uid = 1, .flags = "\\Seen"};
    const CacheMessage unknown = {.uid = 1};

    assert_names(&tagged, both, sizeof both);
    assert_names(&untagged, flags, sizeof flags);
    assert_names(&unknown, "", 0);
}

static void
other_names_are_not_ours(void **state)
{
    const CacheMessage message = {.uid = 1, .flags = "a"};

    assert_true(fs_xattr_is_ours("user.xdg.tags"));
    assert_false(fs_xattr_is_ours("security.capability"));
    assert_false(fs_xattr_is_ours("user.imap"));
    assert_false(fs_xattr_is_ours(""));
    assert_value(&message, "user.imap.flagsx", NULL);
}

static void
account_without_any_does_not_speak_for_others(void **state)
{
    char top[] = "/mail";
    FsOptions options = {0};

    assert_int_equal(fs_xattr_errno(&options), ENOSYS);
    options.top = top;
    assert_int_equal(fs_xattr_errno(&options), EOPNOTSUPP);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_of_known_message_is_what_the_server_said),
        cmocka_unit_test(value_that_is_not_known_is_none),
        cmocka_unit_test(names_are_those_worth_restoring),
        cmocka_unit_test(other_names_are_not_ours),
        cmocka_unit_test(account_without_any_does_not_speak_for_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
