/* The parser: what each response gives, however its octets are cut; the quirks
 * of servers; the bounds; what handlers may do. */
#include "imap/error.h"
#include "imap/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/fuzz/response-dump.h"

typedef struct {
    const char *input;
    const char *expected;
} Case;

static gsize
cut_evenly(gpointer cut_data)
{
    return GPOINTER_TO_SIZE(cut_data);
}

static gsize
cut_at_random(gpointer cut_data)
{
    return (gsize)g_rand_int_range(cut_data, 1, 12);
}

static void
check(const char *input, gsize length, const char *expected)
{
    const guint8 *data = (const guint8 *)input;
    GRand *random = g_rand_new_with_seed(20261122);

    for (gsize cut = 0; cut <= 3; cut++) {
        g_autofree char *dump =
            dump_parse(data, length, cut_evenly, GSIZE_TO_POINTER(cut));

        assert_string_equal(dump, expected);
    }
    for (int i = 0; i < 20; i++) {
        g_autofree char *dump = dump_parse(data, length, cut_at_random, random);

        assert_string_equal(dump, expected);
    }
    g_rand_free(random);
}

static void
check_all(const Case *cases, gsize n)
{
    for (gsize i = 0; i < n; i++)
        check(cases[i].input, strlen(cases[i].input), cases[i].expected);
}

/* With the NULs inside. */
#define OCTETS(text) text, sizeof(text) - 1

#define CHECK_ALL(cases) check_all(cases, G_N_ELEMENTS(cases))

static void
status_any_form_is_read(void **state)
{
    static const Case cases[] = {
        {"a1 OK done\r\n", "OK tag=\"a1\" text=\"done\"\n"},
        {"a1 no [NOPERM] go away\r\n",
         "NO tag=\"a1\" [NOPERM args=\"\"] text=\"go away\"\n"},
        {"* BYE\r\n", "BYE text=\"\"\n"},
        {"* PREAUTH hi \r\n", "PREAUTH text=\"hi\"\n"},
        {"* OK [HIGHESTMODSEQ 5]\r\n",
         "OK [HIGHESTMODSEQ args=\"5\"] text=\"\"\n"},
        {"* OK [Alert][uidnext 7] [X  y z] t\r\n",
         "OK [ALERT args=\"\"] [UIDNEXT args=\"7\"] [X args=\"y z\"] "
         "text=\"t\"\n"},
        {"* OK [PERMANENTFLAGS (a] \\*)] t\r\n",
         "OK [PERMANENTFLAGS args=\"(a] \\*)\"] text=\"t\"\n"},
        {"* OK [PERMANENTFLAGS (a] t\r\n",
         "OK [PERMANENTFLAGS args=\"(a\"] text=\"t\"\n"},
        {"a2 OK SELECT done [READ-ONLY]\r\n",
         "OK tag=\"a2\" [READ-ONLY args=\"\"] text=\"SELECT done\"\n"},
        {"a2 OK see [my page]\r\n", "OK tag=\"a2\" text=\"see [my page]\"\n"},
        {"a3 OK [COPYUID 1234567890123  ] x\r\n",
         "OK tag=\"a3\" [COPYUID args=\"1234567890123  \"] text=\"x\"\n"},
        {"a4 BAD too long {5}\r\n* 1 EXISTS\r\n",
         "BAD tag=\"a4\" text=\"too long {5}\"\nEXISTS 1\n"},
        {"* NO \"half a quote {12+}\r\n* 1 EXISTS\r\n",
         "NO text=\"\"half a quote {12+}\"\nEXISTS 1\n"},
        {"* OK [ not a code\r\n", "OK text=\"[ not a code\"\n"},
        {"* OK \x1b[31mr\xc3\xa9\xff\xe2\x80\xae.\r\n",
         "OK text=\" [31mr\xc3\xa9\xef\xbf\xbd .\"\n"},
        {"+ go on {3}\r\n+\r\n+abc\r\n",
         "CONTINUATION text=\"go on {3}\"\nCONTINUATION text=\"\"\n"
         "CONTINUATION text=\"abc\"\n"},
    };

    CHECK_ALL(cases);
}

static void
status_long_text_is_cut(void **state)
{
    g_autoptr(GString) input = g_string_new("* OK ");
    g_autofree char *dump = NULL;

    for (int i = 0; i < 1000; i++)
        g_string_append(input, "\xc3\xa9");
    g_string_append(input, "\r\n");
    dump = dump_parse((guint8 *)input->str, input->len, cut_evenly, NULL);
    assert_true(strlen(dump) < 530);
    assert_true(g_utf8_validate(dump, -1, NULL));
}

static void
data_each_kind_is_read(void **state)
{
    static const Case cases[] = {
        {"* CAPABILITY IMAP4rev1 AUTH=PLAIN \r\n",
         "CAPABILITY (\"IMAP4rev1\" \"AUTH=PLAIN\")\n"},
        {"* enabled\r\n", "ENABLED ()\n"},
        {"* FLAGS (\\Seen a]b {3}\r\nx y)\r\n",
         "FLAGS (\"\\Seen\" \"a]b\" \"x y\")\n"},
        {"* FLAGS NIL\r\n", "FLAGS ()\n"},
        {"* 17 EXISTS\r\n* 2 RECENT\r\n* 3 EXPUNGE\r\n* 4 EXPUNGED\r\n",
         "EXISTS 17\nRECENT 2\nEXPUNGE 3\nEXPUNGE 4\n"},
        {"* ID NIL\r\n* ID ()\r\n* ID (\"a\" \"b\\\"c\" d NIL)\r\n",
         "ID ()\nID ()\nID (\"a\" \"b\"c\" \"d\" \"\")\n"},
        {"* NAMESPACE ((\"\" \"/\" \"X\" (\"y\"))(NIL NIL)) NIL ()\r\n",
         "NAMESPACE ( prefix=\"\" delimiter=\"/\" prefix=\"\" "
         "delimiter=NIL ) ( ) ( )\n"},
        {"* STATUS {3}\r\na b (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "
         "1234567890123 UNSEEN -1 X (1 2) HIGHESTMODSEQ 5 SIZE 6 )  \r\n",
         "STATUS name=\"a b\" messages=1 uidnext=2 "
         "uidvalidity=1234567890123 highestmodseq=5 size=6\n"},
        {"* STATUS INBOX ()\r\n", "STATUS name=\"INBOX\"\n"},
        {"* VANISHED (EARLIER) 1:3,9\r\n* VANISHED 7:5\r\n",
         "VANISHED earlier=1 {1:3,9}\nVANISHED earlier=0 {5:7}\n"},
        {"* QUOTA \"\" (STORAGE 10 512 MESSAGE 3 9 X-NUM 1 2)\r\n",
         "QUOTA name=\"\" storage=10/512 messages=3/9\n"},
        /* Courier's, of no quota. */
        {"* QUOTA \"ROOT\"\r\n", "QUOTA name=\"ROOT\"\n"},
        {"* quota {3}\r\na b ()\r\n* QUOTA x (storage -1 5)\r\n",
         "QUOTA name=\"a b\"\nQUOTA name=\"x\"\n"},
        {"* MYRIGHTS \"a b\" lrs\r\n* MYRIGHTS {1}\r\na \"\"\r\n",
         "MYRIGHTS mailbox=\"a b\" letters=\"lrs\"\n"
         "MYRIGHTS mailbox=\"a\" letters=\"\"\n"},
        {"* THREAD (1 2)(3)\r\n* 5 FOO \"x\r\n* X {2}\r\n)( {1+}\r\n\" y\r\n",
         "OTHER\nOTHER\nOTHER\n"},
    };

    CHECK_ALL(cases);
}

static void
list_any_form_is_read(void **state)
{
    static const Case cases[] = {
        {"* LIST (\\noSelect \\X) \"/\" \"a \\\\ \\\"b\"\r\n",
         "LIST 0x1 delimiter=\"/\" name=\"a \\ \"b\"\n"},
        {"* LIST (\\NonExistent) NIL x (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
         "LIST 0x3 delimiter=NIL name=\"x\"\n"},
        {"* LSUB () \"\\\\\" {4+}\r\na{2}\r\n",
         "LIST 0 delimiter=\"\\\" name=\"a{2}\"\n"},
        {"* LIST NIL \".\" [Gmail]/Gr\xc3\xbc\xc3\x9f]e\r\n",
         "LIST 0 delimiter=\".\" name=\"[Gmail]/Gr\xc3\xbc\xc3\x9f]e\"\n"},
        {"* LIST () \"/\" \"foo{5}\"\r\n",
         "LIST 0 delimiter=\"/\" name=\"foo{5}\"\n"},
        {"* LIST () \"/\" ~{2}\r\nab\r\n* LIST () \"\" NIL\r\n",
         "LIST 0 delimiter=\"/\" name=\"ab\"\n"
         "LIST 0 delimiter=NIL name=\"NIL\"\n"},
        {"* LIST (\\All \\Archive \\Drafts \\Flagged \\Junk \\Sent \\Trash "
         "\\Subscribed \\HasChildren \\HasNoChildren \\NoInferiors) \"/\" "
         "a\r\n",
         "LIST 0x1ffc delimiter=\"/\" name=\"a\"\n"},
    };

    CHECK_ALL(cases);
}

static void
search_any_form_is_read(void **state)
{
    static const Case cases[] = {
        {"* SEARCH\r\n* SEARCH \r\n", "SEARCH {}\nSEARCH {}\n"},
        {"* SEARCH 9 8 7 2 3 4294967295 (MODSEQ 12)\r\n",
         "SEARCH {2:3,7:9,4294967295} modseq=12\n"},
        {"* ESEARCH (TAG \"a1\") UID ALL 2,1,7:9 COUNT 5 MODSEQ 4\r\n",
         "SEARCH tag=\"a1\" {1:2,7:9} modseq=4\n"},
        {"* ESEARCH\r\n* ESEARCH (TAG {2}\r\na2) uid\r\n",
         "SEARCH {}\nSEARCH tag=\"a2\" {}\n"},
    };

    CHECK_ALL(cases);
}

static void
fetch_attributes_are_read(void **state)
{
    static const Case cases[] = {
        {"* 3 FETCH (UID 9 FLAGS (\\Seen x]) RFC822.SIZE 5 MODSEQ (7) "
         "INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" EMAILID (M123) "
         "SAVEDATE \"1-Jan-1970 00:00:01 +0000\" "
         "X-GM-MSGID 18446744073709551615)\r\n",
         "FETCH 3 uid=9 size=5 date=760686745 saved=1 modseq=7 "
         "flags= (\"\\Seen\" \"x]\") email_id=\"M123\" "
         "gm_msgid=18446744073709551615\n"},
        {"* 3 FETCH (UID 5MODSEQ (12) FLAGS NIL SAVEDATE NIL "
         "RFC822.SIZE -1)\r\n",
         "FETCH 3 uid=5 modseq=12 flags= ()\n"},
        {"* 3 FETCH (UID 5 MODSEQ () EMAILID NIL X-GM-MSGID NIL "
         "INTERNALDATE NIL RFC822.SIZE NIL)\r\n",
         "FETCH 3 uid=5\n"},
        {"* 3 FETCH (UID 5 RFC822.SIZE 18446744073709551615)\r\n",
         "FETCH 3 uid=5\n"},
        {"* 0 FETCH (FLAGS ())\r\n* 2 FETCH ()\r\n",
         "FETCH 0 uid=0 flags= ()\nFETCH 2 uid=0\n"},
        {"* 3 fetch (ENVELOPE (\"\" NIL ((NIL NIL \"a\" {1}\r\nb))) "
         "X-A B X-C {2}\r\n() BODY (\"TEXT\" (\"a\" \"b\")) "
         "BINARY.SIZE[1.2] 5 uid 4)\r\n",
         "FETCH 3 uid=4 binary_size=\"1.2\":5\n"},
        {"* 1 FETCH(UID 4 INTERNALDATE \"99-Foo-1994 21:52:25 -0800\")\r\n",
         "FETCH 1 uid=4\n"},
        {"* 1 FETCH (BODY[HEADER.FIELDS (\"SUBJECT\" \"FROM\")] {6}\r\n"
         "A: b\r\n UID 3)\r\n",
         "FETCH 1 uid=3 header=\"A: b\\r\\n\"\n"},
        {"* 1 FETCH (body[header.fields (subject from)]<0> \"x\" UID 3)\r\n",
         "FETCH 1 uid=3 header=\"x\"\n"},
        {"* 1 FETCH (BODY[HEADER.FIELDS (A {2}\r\n]) C)] ~{2}\r\nx) "
         "RFC822.HEADER NIL)\r\n",
         "FETCH 1 uid=0\n"},
    };

    CHECK_ALL(cases);
    check(OCTETS("* 1 FETCH (BODY[HEADER] {3}\r\na\0b)\r\n"),
          "FETCH 1 uid=0 header=\"a\\x00b\"\n");
}

static void
fetch_body_is_passed_on(void **state)
{
    static const Case cases[] = {
        {"* 2 FETCH (UID 4 BODY[] {7}\r\na)\r\n\"{3 FLAGS (x))\r\n",
         "BODY 2 uid=4 section=\"\" origin=0 size=7 \"a)\\r\\n\"{3\"\n"
         "FETCH 2 uid=4 flags= (\"x\") body=delivered:7\n"},
        {"* 2 FETCH (UID 4 BODY[]<0> {2}\r\nab)\r\n",
         "BODY 2 uid=4 section=\"\" part=0 size=2 \"ab\"\n"
         "FETCH 2 uid=4 body=delivered:2\n"},
        {"* 2 FETCH (BODY[1.2]<5.10> ~{2+}\r\nab UID 4)\r\n",
         "BODY 2 uid=0 section=\"1.2\" part=5 size=2 \"ab\"\n"
         "FETCH 2 uid=4 body=delivered:2\n"},
        {"* 2 FETCH (UID 4 BODY[] \"\")\r\n* 2 FETCH (UID 4 RFC822 {0}\r\n)"
         "\r\n",
         "BODY 2 uid=4 section=\"\" origin=0 size=0 \"\"\n"
         "FETCH 2 uid=4 body=delivered:0\n"
         "BODY 2 uid=4 section=\"\" origin=0 size=0 \"\"\n"
         "FETCH 2 uid=4 body=delivered:0\n"},
        {"* 2 FETCH (UID 4 BINARY[1] \"a\\\\b\")\r\n",
         "BODY 2 uid=4 section=\"1\" origin=0 size=3 \"a\\b\"\n"
         "FETCH 2 uid=4 body=delivered:3\n"},
        {"* 2 FETCH (BODY[] NIL UID 4)\r\n", "FETCH 2 uid=4 body=nil:0\n"},
        {"* 2 FETCH (BODY[] () UID 4)\r\n", "FETCH 2 uid=4 body=nil:0\n"},
        {"* 2 FETCH (UID 4 X (BODY[] {1}\r\na) BODY[TEXT] {1}\r\nb BODY[1] "
         "{1}\r\nc)\r\n",
         "BODY 2 uid=4 section=\"TEXT\" origin=0 size=1 \"b\"\n"
         "BODY 2 uid=4 section=\"1\" origin=0 size=1 \"c\"\n"
         "FETCH 2 uid=4 body=delivered:1\n"},
        {"* 2 FETCH (BODY[] {9}\r\nabc",
         "BODY 2 uid=0 section=\"\" origin=0 size=9 \"abc\" CUT\nINSIDE\n"},
    };

    CHECK_ALL(cases);
}

static void
line_odd_ends_are_tolerated(void **state)
{
    static const Case cases[] = {
        {"* 1 EXISTS\n* OK hi\n", "EXISTS 1\nOK text=\"hi\"\n"},
        {"*  1  EXISTS  \r\r\n", "EXISTS 1\n"},
        {"* LIST () \"/\" {2}\nab\n", "LIST 0 delimiter=\"/\" name=\"ab\"\n"},
        {"* 1 EXIS", "INSIDE\n"},
    };

    CHECK_ALL(cases);
    check(OCTETS("\0\0* 1 EXISTS\r\n\0"), "EXISTS 1\n");
}

#define SENT(line, why) "ERROR the server sent \"" line "\": " why "\n"

static void
line_that_is_no_imap_is_protocol_error(void **state)
{
    static const Case cases[] = {
        {"* 1 EXISTS\r\nServer Unavailable.\r\n* 2 EXISTS\r\n",
         "EXISTS 1\n" SENT("Server Unavailable.", "this is not IMAP")},
        {"\r\n", SENT("", "this is not IMAP")},
        {"*OK\r\n", SENT("*OK", "this is not IMAP")},
        {"a1 BYE x\r\n", SENT("a1 BYE x", "this is not IMAP")},
        {"\x16\x03\x01 OK\n", SENT("\\x16\\x03\\x01 OK", "this is not IMAP")},
        {"* \r\n", SENT("*", "a response without a name")},
    };

    CHECK_ALL(cases);
}

static void
error_long_line_is_cut(void **state)
{
    g_autofree char *line = g_strnfill(5000, 'x');
    g_autofree char *shown = g_strnfill(200, 'x');
    g_autofree char *input = g_strconcat(line, "\r\n", NULL);
    g_autofree char *expected = g_strconcat("ERROR the server sent \"", shown,
                                            "…\": this is not IMAP\n", NULL);
    g_autofree char *dump =
        dump_parse((guint8 *)input, strlen(input), cut_evenly, NULL);

    assert_string_equal(dump, expected);
}

/* None may be dropped: the rest would look complete. */
static void
data_that_makes_no_sense_is_protocol_error(void **state)
{
    static const char *const inputs[] = {
        "* LIST (\\x) \"/\"",
        "* LIST () \"/\" two words",
        "* LIST () \"//\" a",
        "* LIST () \"/\" (a)",
        "* LIST \"/\" a",
        "* LIST () \"/\" \"a",
        "* STATUS a",
        "* STATUS a (MESSAGES x)",
        "* STATUS a (MESSAGES)",
        "* SEARCH 1 x",
        "* SEARCH 4294967296",
        "* SEARCH 1 (MODSEQ x)",
        "* ESEARCH ALL",
        "* ESEARCH ALL 1:*",
        "* ESEARCH UID MODSEQ 1:2",
        "* VANISHED",
        "* QUOTA",
        "* QUOTA \"\" x",
        "* QUOTA () (STORAGE 1 2)",
        "* QUOTA \"\" (STORAGE 1)",
        "* QUOTA \"\" (STORAGE x 1)",
        "* QUOTA \"\" (STORAGE 1 2) 3",
        "* MYRIGHTS INBOX",
        "* MYRIGHTS INBOX (l)",
        "* MYRIGHTS (a) l",
        "* MYRIGHTS INBOX l r",
        "* VANISHED 1,,2",
        "* VANISHED (EARLIER) NIL",
        "* NAMESPACE NIL NIL",
        "* NAMESPACE ((\"\")) NIL NIL",
        "* ID (a)",
        "* FLAGS ((a))",
        "* FLAGS (a) b",
        "* CAPABILITY (a",
        "* CAPABILITY a)",
        "* EXISTS",
        "* 5 EXISTS 6",
        "* 4294967296 EXISTS",
        "* 0 EXPUNGE",
        "* 5 LIST () \"/\" a",
        "* FETCH (UID 5)",
        "* 1 FETCH",
        "* 1 FETCH UID 5",
        "* 1 FETCH (UID)",
        "* 1 FETCH (UID x)",
        "* 1 FETCH (UID 4294967296)",
        "* 1 FETCH (FLAGS x)",
        "* 1 FETCH (RFC822.SIZE 99999999999999999999999)",
        "* 1 FETCH (MODSEQ (1 2))",
        "* 1 FETCH (BODY[] abc)",
        "* 1 FETCH (BODY[HEADER (a)",
        "* 1 FETCH (BODY[HEADER] x)",
        "* 1 FETCH (UID 5) x",
        "* 1 FETCH (UID 5",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *input = g_strconcat(inputs[i], "\r\n", NULL);
        g_autofree char *dump =
            dump_parse((guint8 *)input, strlen(input), cut_evenly, NULL);

        if (!g_str_has_prefix(dump, "ERROR the server sent \""))
            fail_msg("%s gave %s", inputs[i], dump);
        check(input, strlen(input), dump);
    }
}

static void
string_with_nul_is_protocol_error(void **state)
{
    static const struct {
        const char *input;
        gsize length;
    } cases[] = {
        {OCTETS("* LIST () \"/\" \"a\0b\"\r\n")},
        {OCTETS("* LIST () \"/\" {3}\r\na\0b\r\n")},
        {OCTETS("* LIST () \"/\" a\0b\r\n")},
        {OCTETS("* FLAGS (\"a\0b\")\r\n")},
        {OCTETS("* OK [A b\0c] x\r\n")},
        {OCTETS("+ a\0b\r\n")},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *dump = dump_parse((const guint8 *)cases[i].input,
                                           cases[i].length, cut_evenly, NULL);

        if (!g_str_has_prefix(dump, "ERROR "))
            fail_msg("case %zu gave %s", i, dump);
    }
}

/* Feeds @head, then @repeated until the parser fails or @limit octets went in;
 * gives what it made. Its error goes to *@error. */
static void
flood(const char *head, const char *repeated, gsize limit, GError **error)
{
    ResponseDump dump = {g_string_new(NULL), g_string_new(NULL), FALSE};
    g_autoptr(ImapParser) parser = imap_parser_new(&dump_handler, &dump);
    g_autoptr(GString) chunk = g_string_new(NULL);
    gsize fed = 0;

    while (chunk->len < 32 * 1024)
        g_string_append(chunk, repeated);
    assert_true(
        imap_parser_feed(parser, (const guint8 *)head, strlen(head), NULL));
    while (fed < limit &&
           imap_parser_feed(parser, (guint8 *)chunk->str, chunk->len, error))
        fed += chunk->len;
    g_string_free(dump.out, TRUE);
    g_string_free(dump.body, TRUE);
}

static void
assert_protocol_error(const GError *error, const char *words)
{
    assert_non_null(error);
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
    if (strstr(error->message, words) == NULL)
        fail_msg("%s", error->message);
}

static void
line_too_long_is_protocol_error(void **state)
{
    g_autoptr(GError) error = NULL;

    flood("* OK ", "x", 2 * (gsize)IMAP_PARSER_MAX_LINE, &error);
    assert_protocol_error(error, "a line of more than 16777216 octets");
}

static void
literals_too_long_are_protocol_error(void **state)
{
    g_autofree char *one = g_strdup_printf("* LIST () \"/\" {%u}\r\n",
                                           IMAP_PARSER_MAX_LITERAL + 1);
    g_autofree char *dump =
        dump_parse((guint8 *)one, strlen(one), cut_evenly, NULL);
    g_autoptr(GError) error = NULL;

    assert_non_null(strstr(dump, "literals of more than 1048576 octets"));
    flood("* X ", "{4}\r\nabcd ", 1 << 24, &error);
    assert_protocol_error(error, "literals of more than 1048576 octets");
}

typedef struct {
    GString *header;
    gboolean is_cut;
    gboolean has_uid;
} Cut;

static void
take_header(const ImapResponse *response, gpointer user_data)
{
    Cut *cut = user_data;
    gsize length;
    const char *data = g_bytes_get_data(response->fetch->header, &length);

    g_string_append_len(cut->header, data, (gssize)length);
    cut->is_cut = response->fetch->header_is_cut;
    cut->has_uid = response->fetch->uid == 7;
}

static void
pass_body_begin(const ImapBody *body, gpointer user_data)
{
}

static void
pass_body_data(const guint8 *data, gsize length, gpointer user_data)
{
}

static void
pass_body_end(gpointer user_data)
{
}

/* What is kept is the same, however it arrives. */
static void
check_cut_header(const GString *input, gsize piece, const GString *expected)
{
    static const ImapParserHandler handler = {
        .response = take_header,
        .body_begin = pass_body_begin,
        .body_data = pass_body_data,
        .body_end = pass_body_end,
    };
    Cut cut = {.header = g_string_new(NULL)};
    g_autoptr(ImapParser) parser = imap_parser_new(&handler, &cut);
    g_autoptr(GError) error = NULL;

    for (gsize at = 0; at < input->len; at += piece)
        assert_true(imap_parser_feed(parser, (const guint8 *)input->str + at,
                                     MIN(piece, input->len - at), &error));
    assert_true(cut.is_cut);
    assert_true(cut.has_uid);
    assert_true(g_string_equal(cut.header, expected));
    g_string_free(cut.header, TRUE);
}

static void
header_too_long_keeps_both_ends(void **state)
{
    static const char *const items[] = {"BODY[HEADER.FIELDS (TO SUBJECT)]",
                                        "BODY[1.2.HEADER]", "RFC822.HEADER"};
    static const gsize pieces[] = {1000, 65536, 1 << 20, G_MAXUINT32};
    const gsize kept = IMAP_PARSER_MAX_LITERAL / 8;
    GString *header = g_string_new("To: ");
    GString *expected;

    for (guint i = 0; header->len < 3 * IMAP_PARSER_MAX_LITERAL; i++)
        g_string_append_printf(header, "u%u@example.com,\r\n ", i);
    g_string_append(header, "z\r\nSubject: behind it\r\n\r\n");
    expected = g_string_new_len(header->str, (gssize)kept);
    g_string_append_len(expected, header->str + header->len - kept,
                        (gssize)kept);
    for (gsize i = 0; i < G_N_ELEMENTS(items); i++) {
        GString *input = g_string_new(NULL);

        g_string_printf(input, "* 1 FETCH (%s {%zu}\r\n", items[i],
                        header->len);
        g_string_append_len(input, header->str, (gssize)header->len);
        g_string_append(input, " UID 7 BODY[] {9}\r\na body...)\r\n");
        check_cut_header(input, pieces[i], expected);
        check_cut_header(input, pieces[i + 1], expected);
        g_string_free(input, TRUE);
    }
    g_string_free(header, TRUE);
    g_string_free(expected, TRUE);
}

static void
header_beyond_all_bounds_is_protocol_error(void **state)
{
    g_autofree char *one = g_strdup_printf("* 1 FETCH (BODY[HEADER] {%u}\r\n",
                                           IMAP_PARSER_MAX_HEADER + 1);
    g_autofree char *dump =
        dump_parse((guint8 *)one, strlen(one), cut_evenly, NULL);

    assert_non_null(strstr(dump, "literals of more than 1048576 octets"));
}

/* None escapes the bound for being behind others. */
static void
headers_too_many_are_protocol_error(void **state)
{
    g_autoptr(GError) error = NULL;
    GString *one = g_string_new(NULL);

    g_string_printf(one, "BODY[HEADER] {%u}\r\n", 700000);
    for (guint i = 0; i < 700000; i++)
        g_string_append_c(one, 'x');
    g_string_append_c(one, ' ');
    flood("* 1 FETCH (", one->str, 16 * one->len, &error);
    assert_protocol_error(error, "literals of more than 1048576 octets");
    g_string_free(one, TRUE);
}

static void
body_too_long_is_protocol_error(void **state)
{
    static const char input[] = "* 1 FETCH (BODY[] {99999999999999999999}\r\n";
    g_autofree char *dump =
        dump_parse((const guint8 *)input, strlen(input), cut_evenly, NULL);

    assert_non_null(strstr(dump, "a body of more than 1 TiB"));
}

/* A FETCH with a value that is @depth lists, one in another. */
static char *
nest(guint depth)
{
    GString *input = g_string_new("* 1 FETCH (X ");

    for (guint i = 0; i < depth; i++)
        g_string_append_c(input, '(');
    for (guint i = 0; i < depth; i++)
        g_string_append_c(input, ')');
    g_string_append(input, ")\r\n");
    return g_string_free(input, FALSE);
}

static void
lists_too_deep_are_protocol_error(void **state)
{
    g_autofree char *deepest = nest(IMAP_PARSER_MAX_DEPTH - 1);
    g_autofree char *deeper = nest(IMAP_PARSER_MAX_DEPTH);
    g_autofree char *dump =
        dump_parse((const guint8 *)deeper, strlen(deeper), cut_evenly, NULL);

    check(deepest, strlen(deepest), "FETCH 1 uid=0\n");
    assert_non_null(strstr(dump, "lists nested more than 256 deep"));
}

static void
items_too_many_are_protocol_error(void **state)
{
    g_autoptr(GString) input = g_string_new("* FLAGS (");
    g_autofree char *dump = NULL;

    for (guint i = 0; i < IMAP_PARSER_MAX_ITEMS; i++)
        g_string_append(input, "a ");
    g_string_append(input, ")\r\n");
    dump = dump_parse((guint8 *)input->str, input->len, cut_evenly, NULL);
    assert_non_null(strstr(dump, "more than 65536 items in one response"));
}

static void
feed_after_failure_fails_again(void **state)
{
    ResponseDump dump = {g_string_new(NULL), g_string_new(NULL), FALSE};
    g_autoptr(ImapParser) parser = imap_parser_new(&dump_handler, &dump);
    g_autoptr(GError) error = NULL;

    assert_false(imap_parser_feed(parser, (const guint8 *)"bad\r\n", 5, NULL));
    assert_false(
        imap_parser_feed(parser, (const guint8 *)"* 1 EXISTS\r\n", 12, &error));
    assert_protocol_error(error, "\"bad\"");
    assert_string_equal(dump.out->str, "");
    g_string_free(dump.out, TRUE);
    g_string_free(dump.body, TRUE);
}

/* A million UIDs that come downwards, with gaps. */
static void
search_million_uids_backwards_is_quick(void **state)
{
    g_autoptr(GString) input = g_string_new("* SEARCH");
    g_autofree char *dump = NULL;
    clock_t start = clock(); /* of the processor: others may have that */

    for (guint i = 1000000; i > 0; i--)
        g_string_append_printf(input, " %u", 2 * i);
    g_string_append(input, "\r\n");
    dump = dump_parse((guint8 *)input->str, input->len, cut_evenly,
                      GSIZE_TO_POINTER(7));
    assert_true(g_str_has_prefix(dump, "SEARCH {2,4,6,"));
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
}

/* What a handler that stops, or looks at what is unread, has seen. */
typedef struct {
    ImapParser *parser;
    const char *stop_at; /* a call's letter */
    GString *calls;
    gsize unread;
} Watcher;

static void
watch(Watcher *watcher, const char *call)
{
    g_string_append(watcher->calls, call);
    watcher->unread = imap_parser_unread(watcher->parser);
    if (g_strcmp0(watcher->stop_at, call) == 0)
        imap_parser_stop(watcher->parser);
}

static void
watch_response(const ImapResponse *response, gpointer user_data)
{
    watch(user_data, "r");
}

static void
watch_begin(const ImapBody *body, gpointer user_data)
{
    watch(user_data, "b");
}

static void
watch_data(const guint8 *data, gsize length, gpointer user_data)
{
    watch(user_data, "d");
}

static void
watch_end(gpointer user_data)
{
    watch(user_data, "e");
}

static const ImapParserHandler watcher_handler = {watch_response, watch_begin,
                                                  watch_data, watch_end};

static void
check_stop(const char *stop_at, const char *input, const char *calls)
{
    Watcher watcher = {NULL, stop_at, g_string_new(NULL), 0};
    g_autoptr(ImapParser) parser = imap_parser_new(&watcher_handler, &watcher);
    g_autoptr(GError) error = NULL;

    watcher.parser = parser;
    for (int i = 0; i < 2; i++) {
        assert_true(imap_parser_feed(parser, (const guint8 *)input,
                                     strlen(input), &error));
        assert_null(error);
    }
    assert_string_equal(watcher.calls->str, calls);
    g_string_free(watcher.calls, TRUE);
}

static void
stop_from_any_handler_ends_all_calls(void **state)
{
    static const char literal[] = "* 1 FETCH (BODY[] {1}\r\na)\r\nbad\r\n";
    static const char empty[] = "* 1 FETCH (BODY[] {0}\r\n)\r\nbad\r\n";
    static const char quoted[] = "* 1 FETCH (BODY[] \"a\" UID x)\r\nbad\r\n";

    check_stop("r", literal, "bder");
    check_stop("e", literal, "bde");
    check_stop("d", literal, "bd");
    check_stop("b", literal, "b");
    check_stop("b", empty, "b");
    check_stop("e", empty, "be");
    check_stop("b", quoted, "b");
    check_stop("d", quoted, "bd");
    check_stop("e", quoted, "bde");
}

static void
unread_counts_what_follows_the_response(void **state)
{
    static const char input[] = "a OK\r\n* 1 EXISTS\r\n";
    Watcher watcher = {NULL, "r", g_string_new(NULL), 0};
    g_autoptr(ImapParser) parser = imap_parser_new(&watcher_handler, &watcher);

    watcher.parser = parser;
    assert_true(imap_parser_feed(parser, (const guint8 *)input, 3, NULL));
    assert_true(imap_parser_feed(parser, (const guint8 *)input + 3,
                                 strlen(input) - 3, NULL));
    assert_int_equal(watcher.unread, 12);
    assert_int_equal(imap_parser_unread(parser), 0);
    g_string_free(watcher.calls, TRUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_any_form_is_read),
        cmocka_unit_test(status_long_text_is_cut),
        cmocka_unit_test(data_each_kind_is_read),
        cmocka_unit_test(list_any_form_is_read),
        cmocka_unit_test(search_any_form_is_read),
        cmocka_unit_test(fetch_attributes_are_read),
        cmocka_unit_test(fetch_body_is_passed_on),
        cmocka_unit_test(line_odd_ends_are_tolerated),
        cmocka_unit_test(line_that_is_no_imap_is_protocol_error),
        cmocka_unit_test(error_long_line_is_cut),
        cmocka_unit_test(data_that_makes_no_sense_is_protocol_error),
        cmocka_unit_test(string_with_nul_is_protocol_error),
        cmocka_unit_test(line_too_long_is_protocol_error),
        cmocka_unit_test(literals_too_long_are_protocol_error),
        cmocka_unit_test(header_too_long_keeps_both_ends),
        cmocka_unit_test(header_beyond_all_bounds_is_protocol_error),
        cmocka_unit_test(headers_too_many_are_protocol_error),
        cmocka_unit_test(body_too_long_is_protocol_error),
        cmocka_unit_test(lists_too_deep_are_protocol_error),
        cmocka_unit_test(items_too_many_are_protocol_error),
        cmocka_unit_test(feed_after_failure_fails_again),
        cmocka_unit_test(search_million_uids_backwards_is_quick),
        cmocka_unit_test(stop_from_any_handler_ends_all_calls),
        cmocka_unit_test(unread_counts_what_follows_the_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
