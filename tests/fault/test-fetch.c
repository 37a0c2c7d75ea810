/* UID FETCH of messages, parts of them, flags and identities, from servers that
 * answer as they should, or as they like. */
#include "connection-fixture.h"

/* Sends what @request asks for; @response answers it. */
static void
answer(Fixture *f, const char *command, const char *response, const char *reply,
       void (*request)(Fixture *f))
{
    g_autofree char *expected = g_strconcat("C:i3 ", command, NULL);
    g_autofree char *raw = g_strconcat("R:", response, NULL);
    g_autofree char *tagged = g_strconcat("S:i3 ", reply, NULL);
    const char *steps[] = {LOGIN(""), expected, raw, tagged, NULL};

    open_ready(f, steps);
    request(f);
    wait_done(f);
}

static void
fetch_uids(Fixture *f, const char *text, gpointer user_data)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_parse(text, strlen(text));

    imap_request_fetch_bodies(f->connection, uids, &bodies_handler, user_data);
}

static void
fetch_seven_to_nine(Fixture *f)
{
    fetch_uids(f, "7:9", f);
}

static void
bodies_come_in_any_order_and_once(void **state)
{
    static const struct {
        const char *response;
        const char *log;
    } cases[] = {
        {"* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n"
         "* 2 FETCH (UID 8 BODY[] {1}\r\nb)\r\n"
         "* 3 FETCH (UID 9 BODY[] {1}\r\nc)\r\n",
         "7:1<a>7 8:1<b>8 9:1<c>9 "},
        /* Downwards, one gone. */
        {"* 3 FETCH (UID 9 BODY[] {1}\r\nc)\r\n"
         "* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n",
         "9:1<c>9 7:1<a>7 "},
        /* The UID behind the body; other data between. */
        {"* 1 FETCH (BODY[] {1}\r\na UID 7)\r\n"
         "* 1 FETCH (FLAGS (\\Seen))\r\n"
         "* 4 EXISTS\r\n"
         "* 2 FETCH (BODY[] \"b\" FLAGS () UID 8)\r\n",
         "0:1<a>7 0:1<b>8 "},
        /* Unasked for, or twice, or of nobody. */
        {"* 9 FETCH (UID 19 BODY[] {1}\r\nx)\r\n"
         "* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n"
         "* 1 FETCH (UID 7 BODY[] {1}\r\nA)\r\n"
         "* 1 FETCH (BODY[] {1}\r\ny UID 7)\r\n"
         "* 1 FETCH (BODY[] {1}\r\nz)\r\n"
         "* 2 FETCH (UID 8 BODY[] {1}\r\nb)\r\n",
         "7:1<a>7 0:1<y# 0:1<z# 8:1<b>8 "},
        /* Two in one response: the first. */
        {"* 1 FETCH (BODY[] {1}\r\na BODY[] {1}\r\nb UID 7)\r\n"
         "* 2 FETCH (UID 8 BODY[] {1}\r\nc)\r\n",
         "0:1<a>7 8:1<c>8 "},
        /* Other sections, and none. */
        {"* 1 FETCH (UID 7 BODY[TEXT] {1}\r\na)\r\n"
         "* 2 FETCH (UID 8 BODY[] NIL)\r\n"
         "* 3 FETCH (UID 9 BODY[] \"\")\r\n",
         "9:0<>9 "},
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        answer(f, "UID FETCH 7:9 (UID BODY.PEEK[])", cases[i].response, "OK",
               fetch_seven_to_nine);
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

static void
part_instead_of_a_body_is_an_error(void **state)
{
    Fixture *f = *state;

    answer(f, "UID FETCH *", "* 1 FETCH (UID 7 BODY[]<0> {1}\r\na)\r\n", "OK",
           fetch_seven_to_nine);
    assert_string_equal(f->log->str, "");
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "in part");
}

static void
bodies_refused_keep_what_came(void **state)
{
    Fixture *f = *state;

    answer(f, "UID FETCH *", "* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n",
           "NO some are gone", fetch_seven_to_nine);
    assert_string_equal(f->log->str, "7:1<a>7 ");
    assert_error(f->error, IMAP_ERROR_NO, "some are gone");
}

static void
bodies_cut_off_are_discarded(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 UID FETCH *",
        "R:* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n"
        "* 2 FETCH (UID 8 BODY[] {9}\r\nbcd",
        "CLOSE", NULL};

    open_ready(f, steps);
    fetch_seven_to_nine(f);
    wait_done(f);
    assert_string_equal(f->log->str, "7:1<a>7 8:9<bcd# ");
    assert_error(f->error, IMAP_ERROR_CLOSED, "");
}

static void
bodies_of_several_commands_are_told_apart(void **state)
{
    static const struct {
        const char *response;
        const char *first;
        const char *second;
        gboolean second_fails;
    } cases[] = {
        /* Mixed, each with its UID first. */
        {"* 3 FETCH (UID 3 BODY[] {1}\r\nc)\r\n"
         "* 1 FETCH (UID 1 BODY[] {1}\r\na)\r\n"
         "* 4 FETCH (UID 4 BODY[] {1}\r\nd)\r\n"
         "* 2 FETCH (UID 2 BODY[] {1}\r\nb)\r\n",
         "1:1<a>1 2:1<b>2 ", "3:1<c>3 4:1<d>4 ", FALSE},
        /* The UID last: in turn. Who has all takes no more. */
        {"* 1 FETCH (BODY[] {1}\r\na UID 1)\r\n"
         "* 2 FETCH (BODY[] {1}\r\nb UID 2)\r\n"
         "* 3 FETCH (BODY[] {1}\r\nc UID 3)\r\n",
         "0:1<a>1 0:1<b>2 ", "0:1<c>3 ", FALSE},
        /* The UID last, and out of turn: not to be taken for one gone. */
        {"* 3 FETCH (BODY[] {1}\r\nc UID 3)\r\n"
         "* 1 FETCH (UID 1 BODY[] {1}\r\na)\r\n"
         "* 2 FETCH (UID 2 BODY[] {1}\r\nb)\r\n"
         "* 4 FETCH (UID 4 BODY[] {1}\r\nd)\r\n",
         "0:1<c# 1:1<a>1 2:1<b>2 ", "4:1<d>4 ", TRUE},
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture other = {.log = g_string_new(NULL)};
        g_autofree char *raw = g_strconcat("R:", cases[i].response, NULL);
        const char *steps[] = {LOGIN(""),
                               "C:i3 UID FETCH 1:2 *",
                               "C:i4 UID FETCH 3:4 *",
                               raw,
                               "S:i3 OK",
                               "S:i4 OK",
                               NULL};

        open_ready(f, steps);
        fetch_uids(f, "1:2", f);
        fetch_uids(f, "3:4", &other);
        wait_done(f);
        wait_for(&other.done);
        assert_null(f->error);
        assert_string_equal(f->log->str, cases[i].first);
        assert_string_equal(other.log->str, cases[i].second);
        if (cases[i].second_fails)
            assert_error(other.error, IMAP_ERROR_PROTOCOL, "out of turn");
        else
            assert_null(other.error);
        g_clear_error(&other.error);
        g_string_free(other.log, TRUE);
        drop(f);
    }
}

/* ---- parts ---- */

static void
fetch_part(Fixture *f)
{
    imap_request_fetch_part(f->connection, 7, 100, 4, &bodies_handler, f);
}

static void
fetch_first_part(Fixture *f)
{
    imap_request_fetch_part(f->connection, 7, 0, 4, &bodies_handler, f);
}

static void
part_is_taken_in_any_form_of_its_name(void **state)
{
    static const char *const responses[] = {
        "* 1 FETCH (UID 7 BODY[]<100> {4}\r\nabcd)\r\n",
        "* 1 FETCH (UID 7 BODY[]<100.4> {4}\r\nabcd)\r\n",
        "* 1 FETCH (UID 7 BODY[]<100> \"abcd\")\r\n",
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(responses); i++) {
        answer(f, "UID FETCH 7 (UID BODY.PEEK[]<100.4>)", responses[i], "OK",
               fetch_part);
        assert_null(f->error);
        assert_string_equal(f->log->str, "7:4<abcd>7 ");
        drop(f);
    }
    answer(f, "UID FETCH *", "* 1 FETCH (BODY[]<100> {2}\r\nab UID 7)\r\n",
           "OK", fetch_part);
    assert_string_equal(f->log->str, "0:2<ab>7 ");
    drop(f);
    answer(f, "UID FETCH *", "* 1 FETCH (UID 7 BODY[]<100> \"\")\r\n", "OK",
           fetch_part);
    assert_null(f->error);
    assert_string_equal(f->log->str, "7:0<>7 ");
}

static void
what_is_not_the_part_is_an_error(void **state)
{
    static const char *const responses[] = {
        /* The whole, the wrong place, too much. */
        "* 1 FETCH (UID 7 BODY[] {4}\r\nabcd)\r\n",
        "* 1 FETCH (BODY[] {4}\r\nabcd UID 7)\r\n",
        "* 1 FETCH (UID 7 BODY[]<0> {4}\r\nabcd)\r\n",
        "* 1 FETCH (UID 7 BODY[]<101> {4}\r\nabcd)\r\n",
        "* 1 FETCH (UID 7 BODY[]<100> {5}\r\nabcde)\r\n",
        "* 1 FETCH (UID 7 BODY[]<100.4> \"abcde\")\r\n",
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(responses); i++) {
        answer(f, "UID FETCH *", responses[i], "OK", fetch_part);
        assert_string_equal(f->log->str, "");
        assert_error(f->error, IMAP_ERROR_PROTOCOL, "the part of a message");
        assert_true(imap_connection_is_open(f->connection));
        drop(f);
    }
    answer(f, "UID FETCH *", "* 1 FETCH (UID 8 BODY[]<100> \"ab\")\r\n", "OK",
           fetch_part);
    assert_string_equal(f->log->str, "");
    assert_null(f->error);
}

static void
whole_is_a_part_only_where_it_fits(void **state)
{
    Fixture *f = *state;

    answer(f, "UID FETCH *", "* 1 FETCH (UID 7 BODY[] {3}\r\nabc)\r\n", "OK",
           fetch_first_part);
    assert_null(f->error);
    assert_string_equal(f->log->str, "7:3<abc>7 ");
    drop(f);
    answer(f, "UID FETCH *", "* 1 FETCH (UID 7 BODY[] {5}\r\nabcde)\r\n", "OK",
           fetch_first_part);
    assert_string_equal(f->log->str, "");
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "the part of a message");
}

/* A server that knows no parts takes its time for the whole: that is progress,
 * and ends. */
static void
whole_instead_of_a_part_passes_by(void **state)
{
    Fixture *f = *state;
    g_autofree char *piece = g_strnfill(20000, 'x');
    const char *steps[64] = {LOGIN(""), "C:i3 UID FETCH *",
                             "R:* 1 FETCH (UID 7 BODY[] {399960}\r\n"};
    guint n = g_strv_length((char **)steps);

    for (guint i = 0; i < 20; i++) {
        steps[n++] = piece;
        steps[n++] = "WAIT";
    }
    steps[n++] = "S:)";
    steps[n++] = "S:i3 OK";
    memcpy(piece, "R:", 2);
    /* Less than all of it takes, and far more than a piece. */
    open_ready(f, steps);
    set_timeout(f, 16 * WAIT_MS);
    fetch_part(f);
    wait_done(f);
    assert_string_equal(f->log->str, "");
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "the part of a message");
}

static void
part_and_body_of_one_message_are_told_apart(void **state)
{
    Fixture *f = *state;
    Fixture other = {.log = g_string_new(NULL)};
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 UID FETCH 7 *",
        "C:i4 UID FETCH 7 *",
        "R:* 1 FETCH (UID 7 BODY[]<0> {2}\r\nab)\r\n"
        "* 1 FETCH (UID 7 BODY[] {6}\r\nabcdef)\r\n",
        "S:i4 OK",
        "S:i3 OK",
        NULL};

    open_ready(f, steps);
    fetch_uids(f, "7", f);
    imap_request_fetch_part(f->connection, 7, 0, 4, &bodies_handler, &other);
    wait_done(f);
    assert_true(other.done);
    assert_null(f->error);
    assert_null(other.error);
    assert_string_equal(f->log->str, "7:6<abcdef>7 ");
    assert_string_equal(other.log->str, "7:2<ab>7 ");
    g_string_free(other.log, TRUE);
}

/* ---- flags, identities ---- */

static void
flags_are_asked_for_as_the_server_can(void **state)
{
    static const char *const plain[] = {
        LOGIN(""), "C:i3 NOOP", "C:i4 UID FETCH 1:* (UID FLAGS)",
        "S:i3 OK", "S:i4 OK",   NULL};
    static const char *const condstore[] = {
        LOGIN("CONDSTORE"),
        "C:i3 NOOP",
        "C:i4 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 55)",
        "S:i3 OK",
        "S:i4 OK",
        NULL};
    static const char *const qresync[] = {
        LOGIN("ENABLE CONDSTORE QRESYNC"),
        "C:i3 ENABLE QRESYNC",
        "S:* ENABLED qresync",
        "S:i3 OK",
        "C:i4 NOOP",
        "C:i5 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 55 VANISHED)",
        "S:i4 OK",
        "S:i5 OK",
        NULL};
    /* OK alone enables nothing. */
    static const char *const not_enabled[] = {
        LOGIN("ENABLE CONDSTORE QRESYNC"),
        "C:i3 ENABLE QRESYNC",
        "S:* ENABLED",
        "S:i3 OK",
        "C:i4 NOOP",
        "C:i5 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 55)",
        "S:i4 OK",
        "S:i5 OK",
        NULL};
    /* Nor is enabled what was not announced. */
    static const char *const not_announced[] = {
        LOGIN("ENABLE CONDSTORE"),
        "C:i3 ENABLE CONDSTORE",
        "S:* ENABLED QRESYNC CONDSTORE",
        "S:i3 OK",
        "C:i4 NOOP",
        "C:i5 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 55)",
        "S:i4 OK",
        "S:i5 OK",
        NULL};
    static const char *const broken[] = {
        LOGIN("ID ENABLE CONDSTORE QRESYNC"),
        "C:i3 ID *",
        "C:i4 ENABLE QRESYNC",
        "S:* ID (\"NAME\" \"Zimbra\" \"VERSION\" \"8\")",
        "S:i3 OK",
        "S:* ENABLED QRESYNC",
        "S:i4 OK",
        "C:i5 NOOP",
        "C:i6 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 55)",
        "S:i5 OK",
        "S:i6 OK",
        NULL};
    const char *const *const all[] = {plain,       condstore,     qresync,
                                      not_enabled, not_announced, broken};
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        open_ready(f, all[i]);
        assert_true(imap_connection_has_qresync(f->connection) ==
                    (all[i] == qresync));
        assert_true(imap_connection_has_condstore(f->connection) ==
                    (all[i] != plain));
        imap_request_flags(f->connection, "1:*", 55, &flags_handler, f);
        wait_done(f);
        assert_null(f->error);
        drop(f);
    }
}

static void
flags_of_all_need_no_mod_sequence(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("CONDSTORE"),
        "C:i3 NOOP",
        "S:* VANISHED 4",
        "S:* VANISHED (EARLIER) 1,3:2",
        "S:i3 OK",
        "C:i4 UID FETCH 5:9 (UID FLAGS)",
        "S:* 1 FETCH (UID 5 FLAGS (\\Seen \\Recent b a \\Seen))",
        "S:* 2 FETCH (FLAGS (x))",
        "S:* 3 FETCH (UID 7)",
        "S:* 4 FETCH (UID 8 FLAGS (y) BODY[] {1}",
        "S:z)",
        "S:* 5 FETCH (UID 0 FLAGS (y))",
        "S:* 6 FETCH (MODSEQ (5) UID 9 FLAGS ())",
        "S:i4 NO [EXPUNGEISSUED] some are gone",
        NULL};

    open_ready(f, steps);
    imap_request_flags(f->connection, "5:9", 0, &flags_handler, f);
    wait_done(f);
    assert_string_equal(f->log->str, "-4; -1:3; 5=\\Seen a b; 9=; ");
    assert_error(f->error, IMAP_ERROR_NO, "some are gone");
}

/* As by Dovecot, which carries out the NOOP behind what follows it. */
static void
flags_told_behind_the_answer_belong_to_it(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("CONDSTORE"),
                                        "C:i3 NOOP",
                                        "C:i4 UID FETCH 1:* (UID FLAGS)",
                                        "S:* 1 FETCH (UID 5 FLAGS (a))",
                                        "S:i4 OK",
                                        "QUIET",
                                        "S:* VANISHED 4",
                                        "S:* 2 FETCH (UID 6 FLAGS (b))",
                                        "S:i3 OK",
                                        NULL};
    static const char *const cut[] = {
        LOGIN("CONDSTORE"), "C:i3 NOOP", "C:i4 UID FETCH 1:* (UID FLAGS)",
        "S:i4 OK",          "CLOSE",     NULL};
    static const char *const cut_sooner[] = {LOGIN("CONDSTORE"), "C:i3 NOOP",
                                             "C:i4 UID FETCH 1:* (UID FLAGS)",
                                             "CLOSE", NULL};

    open_ready(f, steps);
    imap_request_flags(f->connection, "1:*", 0, &flags_handler, f);
    wait_done(f);
    assert_string_equal(f->log->str, "5=a; -4; 6=b; ");
    assert_null(f->error);
    drop(f);
    open_ready(f, cut);
    imap_request_flags(f->connection, "1:*", 0, &flags_handler, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "");
    drop(f);
    open_ready(f, cut_sooner);
    imap_request_flags(f->connection, "1:*", 0, &flags_handler, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "");
}

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    Fixture *f = user_data;
    g_autofree char *identity = imap_fetch_identity(fetch);

    g_string_append_printf(f->log, "%u=%s ", fetch->uid, identity);
}

static void
listing_brings_the_identity_that_the_server_has(void **state)
{
    static const ImapFetchListHandler handler = {on_row, on_done};
    static const char *const objectid[] = {
        LOGIN("OBJECTID X-GM-EXT-1"),
        "C:i3 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)",
        "S:* 1 FETCH (UID 7 RFC822.SIZE 2 EMAILID (M1-x))",
        "S:* 2 FETCH (UID 8 RFC822.SIZE 2 EMAILID NIL)",
        "S:i3 OK",
        NULL};
    static const char *const gmail[] = {
        LOGIN("X-GM-EXT-1"),
        "C:i3 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE X-GM-MSGID)",
        "S:* 1 FETCH (UID 7 RFC822.SIZE 2 X-GM-MSGID 18446744073709551615)",
        "S:* 2 FETCH (UID 8 RFC822.SIZE 2)",
        "S:i3 OK",
        NULL};
    Fixture *f = *state;

    open_ready(f, objectid);
    imap_request_fetch_list(f->connection, "1:*", FALSE, &handler, f);
    wait_done(f);
    assert_string_equal(f->log->str, "7=e:M1-x 8=(null) ");
    drop(f);
    open_ready(f, gmail);
    imap_request_fetch_list(f->connection, "1:*", FALSE, &handler, f);
    wait_done(f);
    assert_string_equal(f->log->str, "7=g:18446744073709551615 8=(null) ");
}

static void
identity_too_long_is_none(void **state)
{
    g_autofree char *longest = g_strnfill(255, 'a');
    g_autofree char *longer = g_strnfill(256, 'a');
    ImapFetch fetch = {.email_id = longest};
    g_autofree char *identity = imap_fetch_identity(&fetch);

    assert_int_equal(strlen(identity), 257);
    fetch.email_id = longer;
    assert_null(imap_fetch_identity(&fetch));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(bodies_come_in_any_order_and_once),
        connection_test(part_instead_of_a_body_is_an_error),
        connection_test(bodies_refused_keep_what_came),
        connection_test(bodies_cut_off_are_discarded),
        connection_test(bodies_of_several_commands_are_told_apart),
        connection_test(part_is_taken_in_any_form_of_its_name),
        connection_test(what_is_not_the_part_is_an_error),
        connection_test(whole_is_a_part_only_where_it_fits),
        connection_test(whole_instead_of_a_part_passes_by),
        connection_test(part_and_body_of_one_message_are_told_apart),
        connection_test(flags_are_asked_for_as_the_server_can),
        connection_test(flags_of_all_need_no_mod_sequence),
        connection_test(flags_told_behind_the_answer_belong_to_it),
        connection_test(listing_brings_the_identity_that_the_server_has),
        cmocka_unit_test(identity_too_long_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
