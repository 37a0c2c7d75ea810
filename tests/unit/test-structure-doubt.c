/* Which structures of servers are not to be believed. */
#include "fs/views/parts/part-tree.h"
#include "imap/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
on_response(const ImapResponse *response, gpointer user_data)
{
    assert_non_null(response->fetch);
    assert_non_null(response->fetch->structure);
    *(gboolean *)user_data =
        fs_structure_is_doubtful(response->fetch->structure);
}

static gboolean
is_doubtful(const char *text)
{
    static const ImapParserHandler handler = {.response = on_response};
    g_autofree char *line =
        g_strdup_printf("* 1 FETCH (UID 7 BODYSTRUCTURE %s)\r\n", text);
    gboolean doubtful = FALSE;
    g_autoptr(ImapParser) parser = imap_parser_new(&handler, &doubtful);

    assert_true(
        imap_parser_feed(parser, (const guint8 *)line, strlen(line), NULL));
    return doubtful;
}

#define TEXT "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 9 1)"
#define EMPTY                                                                  \
    "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 0 0)"
#define MIXED " \"MIXED\" (\"BOUNDARY\" \"b\"))"
#define NAMED(disposition)                                                     \
    "(" TEXT "(\"A\" \"PDF\" NIL NIL NIL \"7BIT\" 3 NIL (\"ATTACHMENT\" "      \
    "(" disposition ")) NIL NIL)" MIXED
#define TYPED(parameters)                                                      \
    "(" TEXT "(\"A\" \"PDF\" (" parameters ") NIL NIL \"7BIT\" 3)" MIXED
#define MESSAGE(body)                                                          \
    "(" TEXT "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 90 "                \
    "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)" body " 5)" MIXED

static void
structure_of_good_message_is_believed(void **state)
{
    static const char *const good[] = {
        TEXT,
        EMPTY,
        "(" TEXT EMPTY MIXED,
        MESSAGE(TEXT),
        MESSAGE("(" TEXT EMPTY MIXED),
        NAMED("\"FILENAME\" \"a.pdf\""),
        NAMED("\"FILENAME\" \"a.pdf\" \"FILENAME*\" \"utf-8''b.pdf\""),
        NAMED("\"FILENAME*0\" \"a-\" \"FILENAME*2\" \"c.pdf\""),
        NAMED("\"FILENAME\" \"a\" \"FILENAME*0*\" \"b\" \"FILENAME*1\" \"c\""),
        NAMED("\"FILENAME\" \"a\" \"FILENAMES*2\" \"c.pdf\""),
        TYPED("\"NAME\" \"a.pdf\" \"CHARSET*1\" \"x\""),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        if (is_doubtful(good[i]))
            fail_msg("%s", good[i]);
}

static void
structure_of_broken_message_is_doubtful(void **state)
{
    static const char *const bad[] = {
        "(" EMPTY MIXED,
        "(" TEXT " \"MIXED\" NIL)",
        "(" TEXT " \"MIXED\" (\"BOUNDARY\" \"\"))",
        MESSAGE(EMPTY),
        /* As Courier has it of a multipart without parts. */
        MESSAGE("(\"multipart\" \"mixed\" NIL NIL NIL \"8bit\" 8)"),
        /* As Cyrus has it of the pieces 0 and 2. */
        NAMED("\"FILENAME\" \"a-\" \"FILENAME*2\" \"c.pdf\""),
        NAMED("\"FILENAME*\" \"utf-8''a\" \"FILENAME*2*\" \"c.pdf\""),
        TYPED("\"NAME\" \"a-\" \"NAME*2\" \"c.pdf\""),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        if (!is_doubtful(bad[i]))
            fail_msg("%s", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure_of_good_message_is_believed),
        cmocka_unit_test(structure_of_broken_message_is_doubtful),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
