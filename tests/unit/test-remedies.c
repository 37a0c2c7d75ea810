/* What is added to a sentence about the line or the login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/presets.h"
#include "fs/remedies.h"
#include "imap/error.h"

static void
assert_becomes(GQuark domain, int code, const char *said, const char *preset,
               const char *expected)
{
    FsOptions options = {
        .preset = preset != NULL ? fs_preset_find(preset) : NULL,
    };
    GError *error = g_error_new_literal(domain, code, said);

    fs_remedies_add(&error, &options);
    assert_string_equal(error->message, expected);
    assert_int_equal(error->code, code);
    g_error_free(error);
}

static void
sentence_without_remedy_gets_one(void **state)
{
    assert_becomes(IMAP_ERROR, IMAP_ERROR_PROTOCOL, "h: this is not IMAP", NULL,
                   "h: this is not IMAP; check host and port");
    assert_becomes(IMAP_ERROR, IMAP_ERROR_LIMIT, "h: too many", "gmail",
                   "h: too many; try again later, or close other mail "
                   "programs");
}

static void
sentence_with_remedy_or_of_others_is_left_alone(void **state)
{
    assert_becomes(IMAP_ERROR, IMAP_ERROR_CONNECT, "h refuses; check that",
                   "gmail", "h refuses; check that");
    assert_becomes(IMAP_ERROR, IMAP_ERROR_AUTHENTICATION, "no; check it", NULL,
                   "no; check it");
    assert_becomes(IMAP_ERROR, IMAP_ERROR_AUTHENTICATION, "no; check it",
                   "strato", "no; check it");
    assert_becomes(FS_ERROR, FS_ERROR_MOUNT, "cannot mount", NULL,
                   "cannot mount");
}

static void
provider_says_what_its_login_wants(void **state)
{
    assert_becomes(
        IMAP_ERROR, IMAP_ERROR_AUTHENTICATION,
        "imap.gmail.com refuses the login of me: invalid; check it", "gmail",
        "imap.gmail.com refuses the login of me: invalid; use an app "
        "password instead of that of the account, made at "
        "https://myaccount.google.com/apppasswords, or give "
        "token_command=COMMAND");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentence_without_remedy_gets_one),
        cmocka_unit_test(sentence_with_remedy_or_of_others_is_left_alone),
        cmocka_unit_test(provider_says_what_its_login_wants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
