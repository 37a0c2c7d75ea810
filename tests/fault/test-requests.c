/* Requests against servers that follow a script: mailboxes, searches, bodies.
 */
#include "connection-fixture.h"

/* ---- mailboxes ---- */

static void
examine_keeps_what_the_server_says(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 EXAMINE INBOX",
        "S:* FLAGS (\\Seen)",
        "S:* 3 EXISTS",
        "S:* 12 EXISTS",
        "S:* 5 EXISTS",
        "S:* 0 RECENT",
        "S:* OK [UIDVALIDITY 9876543210123] so",
        "S:* OK [UIDNEXT 44] next",
        "S:* OK [HIGHESTMODSEQ 99]",
        "S:* NO [UIDVALIDITY 5] a lie",
        "S:i3 OK [READ-ONLY] done",
        "C:i4 NOOP",
        "S:* 2 EXPUNGE",
        "S:* VANISHED 4:6",
        "S:* VANISHED (EARLIER) 7",
        "S:* OK [UIDNEXT 45] more",
        "S:i4 OK",
        "C:i5 NOOP",
        "S:* 20 EXISTS",
        "S:i5 OK",
        "C:i6 NOOP",
        "S:* VANISHED 1:19",
        "S:* 1 EXPUNGE",
        "S:i6 OK",
        NULL,
    };
    const ImapMailbox *mailbox;
    guint changes;

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_null(f->error);
    mailbox = imap_connection_mailbox(f->connection);
    assert_string_equal(mailbox->name, "INBOX");
    assert_int_equal(mailbox->exists, 12);
    assert_int_equal(mailbox->uidvalidity, 9876543210123);
    assert_int_equal(mailbox->uidnext, 44);
    assert_int_equal(mailbox->highestmodseq, 99);
    assert_true(mailbox->read_only);
    changes = mailbox->changes;

    send_text(f, "NOOP");
    wait_done(f);
    assert_int_equal(mailbox->exists, 8);
    assert_int_equal(mailbox->uidnext, 45);
    assert_int_equal(mailbox->changes, changes + 2);
    send_text(f, "NOOP");
    wait_done(f);
    assert_int_equal(mailbox->exists, 20);
    assert_false(mailbox->emptied);
    send_text(f, "NOOP");
    wait_done(f);
    assert_int_equal(mailbox->exists, 0);
    assert_true(mailbox->emptied);
}

static void
examine_again_forgets_the_mailbox_before(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 EXAMINE INBOX",
        "S:* 12 EXISTS",
        "S:* OK [UIDVALIDITY 1]",
        "S:i3 OK",
        "C:i4 EXAMINE Drafts",
        "S:* 13 EXISTS",
        "S:* OK [CLOSED] that was INBOX",
        "S:* 2 EXISTS",
        "S:i4 OK",
        "C:i5 EXAMINE Gone",
        "S:i5 NO [NONEXISTENT] gone",
        NULL,
    };
    const ImapMailbox *mailbox;

    open_ready(f, steps);
    mailbox = imap_connection_mailbox(f->connection);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    imap_request_examine(f->connection, "Drafts", on_done, f);
    wait_done(f);
    assert_string_equal(mailbox->name, "Drafts");
    assert_int_equal(mailbox->exists, 2);
    assert_int_equal(mailbox->uidvalidity, 0);
    imap_request_examine(f->connection, "Gone", on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_NONEXISTENT, "gone");
    assert_null(mailbox->name);
}

static void
examine_without_exists_is_an_error(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 EXAMINE INBOX",
        "S:i3 OK",
        NULL,
    };

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "how many");
    assert_null(imap_connection_mailbox(f->connection)->name);
}

static void
uidvalidity_changed_while_selected_closes(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 EXAMINE INBOX",
        "S:* 1 EXISTS",
        "S:* OK [UIDVALIDITY 1]",
        "S:i3 OK",
        "C:i4 NOOP",
        "S:* OK [UIDVALIDITY 2]",
        "S:i4 OK",
        NULL,
    };

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    send_text(f, "NOOP");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "UIDVALIDITY");
}

static void
list_is_whole_or_an_error(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {-1,
         "inbox a&b ",
         {LOGIN(""), "C:i3 LIST \"\" \"*\"", "S:* LIST () \"/\" inbox",
          "S:* LIST () NIL a&b", "S:i3 OK"}},
        {IMAP_ERROR_PROTOCOL,
         "",
         {LOGIN(""), "C:i3 LIST *", "S:* LIST () \"/\" a", "S:i3 OK"}},
        {IMAP_ERROR_NO_PERMISSION,
         "",
         {LOGIN(""), "C:i3 LIST *", "S:* LIST () \"/\" INBOX",
          "S:i3 NO [NOPERM] no"}},
        {IMAP_ERROR_BAD, "", {LOGIN(""), "C:i3 LIST *", "S:i3 BAD what"}},
        {-1,
         "INBOX ",
         {LOGIN("LIST-EXTENDED SPECIAL-USE"),
          "C:i3 LIST \"\" \"*\" RETURN (CHILDREN SPECIAL-USE)",
          "S:* LIST () \"/\" INBOX", "S:i3 OK"}},
        /* A part would look like the whole. */
        {IMAP_ERROR_NO,
         "",
         {LOGIN("NAMESPACE"), "C:i3 NAMESPACE",
          "S:* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL", "S:i3 OK",
          "C:i4 LIST \"\" \"*\"", "C:i5 LIST \"\" \"~*\"",
          "S:* LIST () \"/\" INBOX", "S:i5 NO no", "S:i4 OK"}},
        {IMAP_ERROR_CLOSED,
         "",
         {LOGIN(""), "C:i3 LIST *", "S:* LIST () \"/\" INBOX", "CLOSE"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_list(f->connection, on_list, f);
        wait_done(f);
        assert_string_equal(f->log->str, cases[i].log);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        drop(f);
    }
}

static void
search_takes_either_form_of_result(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {-1,
         "[1,3:4] ",
         {LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH ALL", "S:i3 OK",
          "S:* SEARCH 4 1", "S:* SEARCH 3", "S:i4 OK"}},
        {-1,
         "[] ",
         {LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH ALL", "S:i3 OK",
          "S:i4 OK none"}},
        {-1,
         "[2,10:12] ",
         {LOGIN("ESEARCH"), "C:i3 NOOP", "C:i4 UID SEARCH RETURN (ALL) ALL",
          "S:i3 OK", "S:* ESEARCH (TAG \"i4\") UID ALL 2,10:12", "S:i4 OK"}},
        /* The result of another search. */
        {-1,
         "[] ",
         {LOGIN("ESEARCH"), "C:i3 NOOP", "C:i4 UID SEARCH RETURN (ALL) ALL",
          "S:i3 OK", "S:* ESEARCH (TAG \"i2\") UID ALL 2,10:12", "S:i4 OK"}},
        {IMAP_ERROR_NO,
         "",
         {LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH ALL", "S:i3 OK",
          "S:* SEARCH 1", "S:i4 NO no"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_search(f->connection, NULL, on_found, f);
        wait_done(f);
        assert_string_equal(f->log->str, cases[i].log);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        drop(f);
    }
}

/* ---- bodies ---- */

static void
body_goes_to_the_request_for_its_uid(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *log;
        const char *response;
        gboolean fails;
    } cases[] = {
        {"2!<ab> ", "* 1 FETCH (UID 7 BODY[] {2}\r\nab)\r\n", FALSE},
        {"2?<ab> ", "* 1 FETCH (BODY[] {2}\r\nab UID 7)\r\n", FALSE},
        {"0!<> ", "* 1 FETCH (UID 7 BODY[] {0}\r\n)\r\n", FALSE},
        {"2!<ab> ", "* 1 FETCH (UID 7 BODY[] \"ab\")\r\n", FALSE},
        {"", "* 1 FETCH (UID 7 BODY[] NIL)\r\n", FALSE},
        {"", "* 1 FETCH (UID 7 FLAGS ())\r\n", FALSE},
        {"", "* 1 FETCH (UID 8 BODY[] {2}\r\nab)\r\n", FALSE},
        {"", "* 1 FETCH (UID 7 BODY[1] {2}\r\nab)\r\n", TRUE},
        {"", "* 1 FETCH (UID 7 BODY[]<3> {2}\r\nab)\r\n", TRUE},
        {"2?<ab# ", "* 1 FETCH (BODY[] {2}\r\nab UID 8)\r\n", FALSE},
        {"2?<ab# ", "* 1 FETCH (BODY[] {2}\r\nab)\r\n", FALSE},
        {"2!<ab# ", "* 1 FETCH (UID 7 BODY[] {2}\r\nab UID 8)\r\n", FALSE},
        /* Another's, and then the right one; once only. */
        {"2?<ab# 2?<cd> ",
         "* 1 FETCH (BODY[] {2}\r\nab UID 8)\r\n"
         "* 2 FETCH (BODY[] {2}\r\ncd UID 7)\r\n"
         "* 2 FETCH (BODY[] {2}\r\nef UID 7)\r\n",
         FALSE},
        {"", "", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *response = g_strconcat("R:", cases[i].response, NULL);
        const char *steps[] = {
            LOGIN(""), "C:i3 UID FETCH 7 (UID BODY.PEEK[])",
            response,  "S:i3 OK",
            NULL,
        };

        open_ready(f, steps);
        imap_request_fetch_body(f->connection, 7, &body_handler, f);
        wait_done(f);
        assert_true((f->error != NULL) == cases[i].fails);
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

static void
bodies_of_two_requests_are_told_apart(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *seven; /* what the request for UID 7 gets, and 8 */
        const char *eight;
        gboolean eight_fails;
        const char *response;
    } cases[] = {
        {"2!<ab> ", "2!<cd> ", FALSE,
         "* 2 FETCH (UID 8 BODY[] {2}\r\ncd)\r\n"
         "* 1 FETCH (UID 7 BODY[] {2}\r\nab)\r\n"},
        {"2?<ab> ", "2?<cd> ", FALSE,
         "* 1 FETCH (BODY[] {2}\r\nab UID 7)\r\n"
         "* 2 FETCH (BODY[] {2}\r\ncd UID 8)\r\n"},
        /* Out of turn and before its UID: 8 must not look like a message that
         * is gone. */
        {"2?<cd# 2?<ab> ", "", TRUE,
         "* 2 FETCH (BODY[] {2}\r\ncd UID 8)\r\n"
         "* 1 FETCH (BODY[] {2}\r\nab UID 7)\r\n"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture other = {.log = g_string_new(NULL)};
        g_autofree char *response = g_strconcat("R:", cases[i].response, NULL);
        const char *steps[] = {
            LOGIN(""),
            "C:i3 UID FETCH 7 *",
            "C:i4 UID FETCH 8 *",
            response,
            "S:i3 OK",
            "S:i4 OK",
            NULL,
        };

        open_ready(f, steps);
        imap_request_fetch_body(f->connection, 7, &body_handler, f);
        imap_request_fetch_body(f->connection, 8, &body_handler, &other);
        wait_done(f);
        wait_for(&other.done);
        assert_null(f->error);
        assert_string_equal(f->log->str, cases[i].seven);
        assert_string_equal(other.log->str, cases[i].eight);
        assert_true((other.error != NULL) == cases[i].eight_fails);
        g_clear_error(&other.error);
        g_string_free(other.log, TRUE);
        drop(f);
    }
}

static void
body_beside_a_listing_goes_to_its_request(void **state)
{
    Fixture *f = *state;
    Fixture other = {.log = g_string_new(NULL)};
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 UID FETCH 1:* *",
        "C:i4 UID FETCH 7 *",
        "R:* 1 FETCH (UID 7 RFC822.SIZE 2)\r\n"
        "* 1 FETCH (UID 7 RFC822.SIZE 2 BODY[] {2}\r\nab)\r\n",
        "S:i3 OK",
        "S:i4 OK",
        NULL,
    };

    open_ready(f, steps);
    imap_request_fetch_list(f->connection, "1:*", FALSE, &list_handler, f);
    imap_request_fetch_body(f->connection, 7, &body_handler, &other);
    wait_for(&other.done);
    assert_string_equal(f->log->str, "7 ");
    assert_string_equal(other.log->str, "2!<ab> ");
    g_string_free(other.log, TRUE);
}

/* Long enough for the server to be heard on a busy machine. */
#define PAUSED_TIMEOUT_MS 1000

static void
paused_connection_reads_nothing_and_does_not_time_out(void **state)
{
    Fixture *f = *state;
    gsize size = 8 * 1024 * 1024;
    g_autoptr(GString) response = g_string_new("R:* 1 FETCH (UID 7 BODY[] {");
    const char *steps[] = {LOGIN(""), "C:i3 UID FETCH 7 *", NULL, "S:i3 OK",
                           NULL};
    ImapTraffic before;
    ImapTraffic after;

    g_string_append_printf(response, "%" G_GSIZE_FORMAT "}\r\n", size);
    for (gsize i = 0; i < size; i++)
        g_string_append_c(response, 'x');
    g_string_append(response, ")\r\n");
    steps[G_N_ELEMENTS(steps) - 3] = response->str;

    open_ready(f, steps);
    set_timeout(f, PAUSED_TIMEOUT_MS);
    imap_request_fetch_body(f->connection, 7, &body_handler, f);
    while (f->log->len < 100000 && !f->done)
        g_main_context_iteration(NULL, TRUE);
    imap_connection_set_paused(f->connection, TRUE);
    imap_connection_traffic(f->connection, &before);
    run_for(PAUSED_TIMEOUT_MS * 2);
    imap_connection_traffic(f->connection, &after);
    assert_int_equal(after.bytes_received, before.bytes_received);
    assert_true(before.bytes_received < size);
    assert_false(f->done);
    imap_connection_set_paused(f->connection, FALSE);
    wait_done(f);
    assert_null(f->error);
    assert_true(f->log->len > size);
}

static void
response_that_is_long_in_coming_is_progress(void **state)
{
    Fixture *f = *state;
    g_autofree char *numbers = g_strnfill(20000, '1');
    const char *steps[64] = {LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH ALL",
                             "S:i3 OK", "R:* SEARCH "};
    guint n = g_strv_length((char **)steps);
    g_autofree char *part = NULL;

    for (guint i = 0; i < 20000; i += 2)
        numbers[i] = ' ';
    part = g_strconcat("R:", numbers, NULL);
    for (guint i = 0; i < 20; i++) {
        steps[n++] = part;
        steps[n++] = "WAIT";
    }
    steps[n++] = "S:";
    steps[n++] = "S:i4 OK";
    open_ready(f, steps);
    /* Less than all of it takes, and far more than a part. */
    set_timeout(f, 16 * WAIT_MS);
    imap_request_search(f->connection, NULL, on_found, f);
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "[1] ");
}

static void
body_that_nobody_asked_for_is_no_progress(void **state)
{
    Fixture *f = *state;
    g_autofree char *part = g_strnfill(20000, 'x');
    const char *steps[] = {
        LOGIN(""), "C:i3 NOOP", "R:* 1 FETCH (UID 1 BODY[] {60000}\r\n",
        part,      "WAIT",      part,
        "WAIT",    part,        "WAIT",
        "S:)",     "S:i3 OK",   NULL,
    };

    memcpy(part, "R:", 2);
    open_ready(f, steps);
    set_timeout(f, TIMEOUT_MS);
    send_text(f, "NOOP");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "NOOP");
}

static void
list_without_end_is_cut_short(void **state)
{
    Fixture *f = *state;
    g_autoptr(GString) flood = g_string_new("R:");
    const char *steps[] = {LOGIN(""), "C:i3 LIST *", NULL, "HANG", NULL};

    for (guint i = 0; i < 200001; i++)
        g_string_append(flood, "* LIST () NIL INBOX\r\n");
    steps[G_N_ELEMENTS(steps) - 3] = flood->str;
    open_ready(f, steps);
    imap_request_list(f->connection, on_list, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "more mailboxes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(examine_keeps_what_the_server_says),
        connection_test(examine_again_forgets_the_mailbox_before),
        connection_test(examine_without_exists_is_an_error),
        connection_test(uidvalidity_changed_while_selected_closes),
        connection_test(list_is_whole_or_an_error),
        connection_test(search_takes_either_form_of_result),
        connection_test(body_goes_to_the_request_for_its_uid),
        connection_test(bodies_of_two_requests_are_told_apart),
        connection_test(body_beside_a_listing_goes_to_its_request),
        connection_test(paused_connection_reads_nothing_and_does_not_time_out),
        connection_test(response_that_is_long_in_coming_is_progress),
        connection_test(body_that_nobody_asked_for_is_no_progress),
        connection_test(list_without_end_is_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
