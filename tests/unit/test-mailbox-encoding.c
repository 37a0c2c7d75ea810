/* Mailbox names, from the wire and to it. */
#include "imap/mailbox-encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
name_any_script_goes_there_and_back(void **state)
{
    static const char *const cases[][2] = {
        {"INBOX", "INBOX"},
        {"R&D", "R&-D"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-"},
        {"\xf0\x9f\x93\xac mail", "&2D3c7A- mail"},
        {"a\tb", "a&AAk-b"},
        {"\xc3\xa9\xc3\xa9&", "&AOkA6Q-&-"},
        {"", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *wire = imap_mailbox_encode(cases[i][0], FALSE);
        g_autofree char *name = imap_mailbox_decode(cases[i][1], FALSE);
        g_autofree char *raw = imap_mailbox_encode(cases[i][0], TRUE);
        g_autofree char *raw_name = imap_mailbox_decode(raw, TRUE);

        assert_string_equal(wire, cases[i][1]);
        assert_string_equal(name, cases[i][0]);
        assert_string_equal(raw, cases[i][0]);
        assert_string_equal(raw_name, cases[i][0]);
    }
}

static void
decode_invalid_is_kept(void **state)
{
    static const char *const cases[][2] = {
        {"&", "&"},
        {"a&b", "a&b"},
        {"&APw", "&APw"},
        {"&APx-", "&APx-"},
        {"&A-", "&A-"},
        {"&AGE-", "&AGE-"},
        {"&AAA-", "&AAA-"},
        {"&2D0-", "&2D0-"},
        {"&3Kw-", "&3Kw-"},
        {"&AP w-&APw-", "&AP w-\xc3\xbc"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e &APw-",
         "Gr\xc3\xbc\xc3\x9f"
         "e \xc3\xbc"},
        {"caf\xe9", "caf\xef\xbf\xbd"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = imap_mailbox_decode(cases[i][0], FALSE);

        assert_string_equal(name, cases[i][1]);
    }
}

static void
decode_utf8_leaves_ampersand(void **state)
{
    g_autofree char *name = imap_mailbox_decode("&APw-\xff", TRUE);

    assert_string_equal(name, "&APw-\xef\xbf\xbd");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_any_script_goes_there_and_back),
        cmocka_unit_test(decode_invalid_is_kept),
        cmocka_unit_test(decode_utf8_leaves_ampersand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
