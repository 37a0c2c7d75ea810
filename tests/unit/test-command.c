/* How commands look on the wire. */
#include "imap/command.h"
#include "imap/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The segments of "a1 EXAMINE " and @value, a "|" between them. */
static char *
encode(const char *value, ImapLiterals literals)
{
    g_autoptr(ImapCommand) command = imap_command_new("EXAMINE ");
    g_autoptr(GPtrArray) segments = NULL;
    GString *text = g_string_new(NULL);

    imap_command_add_string(command, value);
    segments = imap_command_encode(command, "a1", literals, NULL);
    assert_non_null(segments);
    for (guint i = 0; i < segments->len; i++) {
        const GString *segment = g_ptr_array_index(segments, i);

        assert_int_equal(strlen(segment->str), segment->len);
        g_string_append_printf(text, "%s%s", i > 0 ? "|" : "", segment->str);
    }
    return g_string_free(text, FALSE);
}

static void
string_takes_form_that_its_octets_allow(void **state)
{
    static const struct {
        const char *value;
        const char *wire;
    } cases[] = {
        {"INBOX", "INBOX"},
        {"a.b-c", "a.b-c"},
        {"", "\"\""},
        {"nil", "\"nil\""},
        {"two words", "\"two words\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"%*", "\"%*\""},
        {"(x)", "\"(x)\""},
        {"{", "\"{\""},
        /* mailutils takes the quoted form for a literal. */
        {"box{5}", "{6}\r\n|box{5}"},
        {"\xc3\xa9", "{2}\r\n|\xc3\xa9"},
        {"a\tb", "{3}\r\n|a\tb"},
        {"a\x7f", "{2}\r\n|a\x7f"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *wire =
            encode(cases[i].value, IMAP_LITERALS_SYNCHRONISING);
        g_autofree char *expected =
            g_strdup_printf("a1 EXAMINE %s\r\n", cases[i].wire);

        assert_string_equal(wire, expected);
    }
}

static void
literal_waits_as_the_server_wants(void **state)
{
    static const struct {
        gsize length;
        ImapLiterals literals;
        const char *begin;
    } cases[] = {
        {512, IMAP_LITERALS_SYNCHRONISING, "a1 EXAMINE xxx"},
        {513, IMAP_LITERALS_SYNCHRONISING, "a1 EXAMINE {513}\r\n|xxx"},
        {4096, IMAP_LITERALS_MINUS, "a1 EXAMINE {4096+}\r\nxxx"},
        {4097, IMAP_LITERALS_MINUS, "a1 EXAMINE {4097}\r\n|xxx"},
        {4097, IMAP_LITERALS_PLUS, "a1 EXAMINE {4097+}\r\nxxx"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *value = g_strnfill(cases[i].length, 'x');
        g_autofree char *wire = encode(value, cases[i].literals);

        assert_true(g_str_has_prefix(wire, cases[i].begin));
        assert_true(g_str_has_suffix(wire, "xxx\r\n"));
    }
}

static void
line_break_in_argument_is_refused_in_every_form(void **state)
{
    static const char *const values[] = {
        "a\rb", "a\nb", "a\r\ni9 DELETE INBOX", "\n", "\xc3\xa9\r",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("EXAMINE ");
        g_autoptr(GError) error = NULL;

        imap_command_add_string(command, values[i]);
        assert_null(
            imap_command_encode(command, "a1", IMAP_LITERALS_PLUS, &error));
        assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT));
    }
}

static void
two_literals_make_three_segments(void **state)
{
    g_autoptr(ImapCommand) command = imap_command_new("LOGIN ");
    g_autoptr(GPtrArray) segments = NULL;

    imap_command_add_string(command, "\xc3\xa9");
    imap_command_add_text(command, " ");
    imap_command_add_string(command, "\xc3\xa8");
    segments =
        imap_command_encode(command, "a1", IMAP_LITERALS_SYNCHRONISING, NULL);
    assert_int_equal(segments->len, 3);
    assert_string_equal(((GString *)segments->pdata[0])->str,
                        "a1 LOGIN {2}\r\n");
    assert_string_equal(((GString *)segments->pdata[1])->str,
                        "\xc3\xa9 {2}\r\n");
    assert_string_equal(((GString *)segments->pdata[2])->str, "\xc3\xa8\r\n");
}

static void
name_is_the_first_word_or_two(void **state)
{
    static const char *const cases[][2] = {
        {"NOOP", "NOOP"},
        {"LOGIN ", "LOGIN"},
        {"UID FETCH 1:* (UID)", "UID FETCH"},
        {"UID SEARCH", "UID SEARCH"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapCommand) command = imap_command_new(cases[i][0]);

        assert_string_equal(imap_command_name(command), cases[i][1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(string_takes_form_that_its_octets_allow),
        cmocka_unit_test(literal_waits_as_the_server_wants),
        cmocka_unit_test(line_break_in_argument_is_refused_in_every_form),
        cmocka_unit_test(two_literals_make_three_segments),
        cmocka_unit_test(name_is_the_first_word_or_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
