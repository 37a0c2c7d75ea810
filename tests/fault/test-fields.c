/* Header fields and structures of many messages, and which of these have
 * attachments, against a server that follows a script. */
#include "connection-fixture.h"

#include "fs/views/parts/attachments.h"
#include "imap/part-requests.h"

static void
on_head(const ImapFetch *fetch, gpointer user_data)
{
    Fixture *f = user_data;
    const char *attachments = "?";

    if (fetch->structure != NULL)
        attachments = fs_has_attachments(fetch->structure) ? "+" : "-";
    g_string_append_printf(
        f->log, "%u%s%d ", fetch->uid, attachments,
        fetch->header != NULL ? (int)g_bytes_get_size(fetch->header) : -1);
}

static void
on_heads_done(const GError *error, gpointer user_data)
{
    on_done(error, user_data);
}

static const ImapHeadsHandler handler = {on_head, on_heads_done};

static void
ask(Fixture *f, gboolean with_structure)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_parse("3:5,9", 5);

    imap_request_fields(f->connection, uids, "FROM TO", with_structure,
                        &handler, f);
    wait_done(f);
}

#define PLAIN "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 3 1)"
#define COMMAND "C:i3 UID FETCH 3:5,9 (UID BODYSTRUCTURE "
#define FIELDS "BODY.PEEK[HEADER.FIELDS (FROM TO)])"
#define FETCHED(uid, structure)                                                \
    "S:* 1 FETCH (UID " uid " BODYSTRUCTURE " structure                        \
    " BODY[HEADER.FIELDS (FROM TO)] \"From: a\")"

static void
fields_come_with_structures(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), COMMAND FIELDS, FETCHED("3", PLAIN),
        /* Nobody has asked for these. */
        FETCHED("6", PLAIN), "S:* 1 FETCH (UID 4 FLAGS (\\Seen))",
        FETCHED("5", "(" PLAIN "(\"APPLICATION\" \"PDF\" NIL NIL NIL "
                     "\"BASE64\" 9 NIL (\"attachment\" (\"filename\" \"a\")) "
                     "NIL) \"MIXED\")"),
        FETCHED("9", "NIL"), "S:i3 OK", NULL};

    open_ready(f, steps);
    ask(f, TRUE);
    assert_null(f->error);
    assert_string_equal(f->log->str, "3-7 5+7 9?7 ");
}

static void
fields_can_be_had_alone(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 UID FETCH 3:5,9 (UID " FIELDS,
        "S:* 1 FETCH (UID 3 BODY[HEADER.FIELDS (FROM TO)] \"From: a\")",
        "S:i3 OK", NULL};

    open_ready(f, steps);
    ask(f, FALSE);
    assert_null(f->error);
    assert_string_equal(f->log->str, "3?7 ");
}

static void
assert_attachments(Fixture *f, const char *structure, const char *wanted)
{
    g_autofree char *line =
        g_strdup_printf("S:* 1 FETCH (UID 3 BODYSTRUCTURE %s)", structure);
    const char *const steps[] = {LOGIN(""), COMMAND FIELDS, line, "S:i3 OK",
                                 NULL};

    open_ready(f, steps);
    ask(f, TRUE);
    assert_string_equal(f->log->str, wanted);
    drop(f);
}

static void
what_is_no_text_and_has_a_name_is_attached(void **state)
{
    Fixture *f = *state;

#define IMAGE(name, disposition)                                               \
    "(\"IMAGE\" \"PNG\" " name " \"<id>\" NIL \"BASE64\" 9 NIL " disposition   \
    " NIL)"
#define NAMED "(\"NAME\" \"a.png\")"

    assert_attachments(f, PLAIN, "3--1 ");
    assert_attachments(f, "(" PLAIN IMAGE(NAMED, "NIL") " \"MIXED\")", "3+-1 ");
    assert_attachments(f, "(" PLAIN IMAGE("NIL", "NIL") " \"MIXED\")", "3--1 ");
    assert_attachments(
        f, "(" PLAIN IMAGE("NIL", "(\"ATTACHMENT\" NIL)") " \"MIXED\")",
        "3+-1 ");
    assert_attachments(
        f, "(" PLAIN IMAGE(NAMED, "(\"INLINE\" NIL)") " \"MIXED\")", "3--1 ");
    /* A picture of the HTML beside it. */
    assert_attachments(f, "(" PLAIN IMAGE(NAMED, "NIL") " \"RELATED\")",
                       "3--1 ");
    assert_attachments(
        f, "(" PLAIN IMAGE(NAMED, "(\"ATTACHMENT\" NIL)") " \"RELATED\")",
        "3+-1 ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(fields_come_with_structures),
        connection_test(fields_can_be_had_alone),
        connection_test(what_is_no_text_and_has_a_name_is_attached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
