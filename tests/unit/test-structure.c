/* What is understood of a BODYSTRUCTURE: those of several servers, and those
 * that no server should send. */
#include "imap/structure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fuzz/response-dump.h"

static gsize
all_of_it(gpointer cut_data)
{
    return 0;
}

/* What is said of the structure @text. */
static char *
describe(const char *text)
{
    g_autofree char *line =
        g_strdup_printf("* 1 FETCH (UID 7 BODYSTRUCTURE %s)\r\n", text);
    g_autofree char *dump =
        dump_parse((const guint8 *)line, strlen(line), all_of_it, NULL);

    g_assert(g_str_has_prefix(dump, "FETCH 1 uid=7"));
    g_strchomp(dump);
    return g_strdup(dump + strlen("FETCH 1 uid=7"));
}

static void
check(const char *text, const char *expected)
{
    g_autofree char *dump = describe(text);

    assert_string_equal(dump, expected);
}

#define PLAIN "(\"TEXT\" \"Plain\" NIL NIL NIL \"7BIT\" 3 1)"

static void
structure_of_one_part_is_section_1(void **state)
{
    check("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL "
          "\"QUOTED-PRINTABLE\" 12 1 NIL (\"inline\" (\"filename\" \"a\")) "
          "NIL NIL)",
          " [1 leaf in 0: text/plain quoted-printable inline 12"
          " charset=\"UTF-8\" filename=\"a\"]");
}

static void
structure_of_multiparts_is_numbered(void **state)
{
    check("((" PLAIN PLAIN " \"alternative\")(\"image\" \"png\" (\"name\" "
          "\"b\\\"c\") \"<id>\" \"d\" \"base64\" 400) \"mixed\" (\"boundary\" "
          "\"=\") NIL NIL)",
          " [ multipart in 0: multipart/mixed   0 boundary=\"=\"]"
          " [1 multipart in 0: multipart/alternative   0]"
          " [1.1 leaf in 1: text/plain 7bit  3]"
          " [1.2 leaf in 1: text/plain 7bit  3]"
          " [2 leaf in 0: image/png base64  400 name=\"b\"c\"]");
}

#define ENVELOPE "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"

static void
structure_of_messages_is_numbered(void **state)
{
    check("((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 90 " ENVELOPE
          "(" PLAIN PLAIN " \"mixed\") 5 NIL (\"attachment\" NIL))"
          "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 90 " ENVELOPE " " PLAIN
          " 5) \"mixed\")",
          " [ multipart in 0: multipart/mixed   0]"
          " [1 message in 0: message/rfc822 7bit attachment 90]"
          " [1 multipart in 1: multipart/mixed   0]"
          " [1.1 leaf in 2: text/plain 7bit  3]"
          " [1.2 leaf in 2: text/plain 7bit  3]"
          " [2 message in 0: message/rfc822 7bit  90]"
          " [2.1 leaf in 5: text/plain 7bit  3]");
}

static void
structure_that_lacks_things_is_taken(void **state)
{
    check("(\"text\" \"plain\")", " [1 leaf in 0: text/plain   0]");
    check("(NIL NIL NIL NIL NIL NIL NIL)", " [1 leaf in 0: /   0]");
    check("(\"text\" \"plain\" () NIL NIL NIL -1 1)",
          " [1 leaf in 0: text/plain   0]");
    check("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 90)",
          " [1 leaf in 0: message/rfc822 7bit  90]");
    check("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 90 NIL NIL 5)",
          " [1 leaf in 0: message/rfc822 7bit  90]");
    check("(" PLAIN ")", " [ multipart in 0: multipart/   0]"
                         " [1 leaf in 0: text/plain 7bit  3]");
}

static void
structure_that_makes_no_sense_is_none(void **state)
{
    check("NIL", " structure=NULL");
    check("()", " structure=NULL");
    check("\"text\"", " structure=NULL");
    check("(() \"mixed\")", " structure=NULL");
}

static char *
nest(guint depth)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < depth; i++)
        g_string_append_c(text, '(');
    g_string_append(text, PLAIN);
    for (guint i = 0; i < depth; i++)
        g_string_append(text, " \"mixed\")");
    return g_string_free(text, FALSE);
}

static void
structure_that_is_too_deep_is_none(void **state)
{
    g_autofree char *deep = nest(IMAP_STRUCTURE_MAX_DEPTH - 1);
    g_autofree char *deeper = nest(IMAP_STRUCTURE_MAX_DEPTH);
    g_autofree char *dump = describe(deep);

    assert_non_null(strstr(dump, "text/plain"));
    check(deeper, " structure=NULL");
}

static void
structure_of_too_many_parts_is_none(void **state)
{
    GString *text = g_string_new("(");

    /* Each of them two values in all: the parser has a bound of its own. */
    for (guint i = 0; i < IMAP_STRUCTURE_MAX_PARTS; i++)
        g_string_append(text, "(a b)");
    g_string_append(text, " \"mixed\")");
    check(text->str, " structure=NULL");
    g_string_free(text, TRUE);
}

static void
structure_with_long_values_is_cut(void **state)
{
    g_autofree char *value = g_strnfill(IMAP_STRUCTURE_MAX_VALUE + 10, 'x');
    g_autofree char *text =
        g_strdup_printf("(\"a\" \"b\" (\"name\" \"%s\"))", value);
    g_autofree char *dump = describe(text);

    assert_int_equal(strlen(strstr(dump, "\"x")),
                     IMAP_STRUCTURE_MAX_VALUE + strlen("\"\"]"));
}

static void
binary_sizes_are_read(void **state)
{
    static const char line[] = "* 1 FETCH (BINARY.SIZE[1.2] 400 UID 7 "
                               "BINARY.SIZE[2] NIL binary.size[3] 5)\r\n";
    g_autofree char *dump =
        dump_parse((const guint8 *)line, strlen(line), all_of_it, NULL);

    assert_string_equal(dump, "FETCH 1 uid=7 binary_size=\"1.2\":400 "
                              "binary_size=\"3\":5\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure_of_one_part_is_section_1),
        cmocka_unit_test(structure_of_multiparts_is_numbered),
        cmocka_unit_test(structure_of_messages_is_numbered),
        cmocka_unit_test(structure_that_lacks_things_is_taken),
        cmocka_unit_test(structure_that_makes_no_sense_is_none),
        cmocka_unit_test(structure_that_is_too_deep_is_none),
        cmocka_unit_test(structure_of_too_many_parts_is_none),
        cmocka_unit_test(structure_with_long_values_is_cut),
        cmocka_unit_test(binary_sizes_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
