/* A connection against servers that follow a script: whole sessions, and each
 * way in which they can go wrong. */
#include "connection-fixture.h"

/* ---- a whole session, cut and hung ---- */

static const char *const session[] = {
    "S:* OK hello",
    "C:i1 CAPABILITY",
    "S:* CAPABILITY IMAP4rev1",
    "S:i1 OK done",
    "C:i2 LOGIN me secret",
    "S:i2 OK in",
    "C:i3 CAPABILITY",
    "S:* CAPABILITY IMAP4rev1 NAMESPACE ID",
    "S:i3 OK done",
    "C:i4 ID *",
    "C:i5 NAMESPACE",
    "S:* ID NIL",
    "S:i4 OK",
    "S:* NAMESPACE ((\"\" \"/\")) NIL ((\"#s/\" \"/\"))",
    "S:i5 OK",
    "C:i6 LIST *",
    "C:i7 LIST *",
    "S:* LIST (\\HasNoChildren) \"/\" INBOX",
    "S:i6 OK",
    "R:* LIST () \"/\" {4}\r\n#s/x\r\n",
    "S:i7 OK",
    "C:i8 EXAMINE INBOX",
    "S:* 2 EXISTS",
    "S:* OK [UIDVALIDITY 7] valid",
    "S:i8 OK [READ-ONLY] done",
    "C:i9 NOOP",
    "C:i10 UID SEARCH ALL",
    "S:i9 OK",
    "S:* SEARCH 3 4",
    "S:i10 OK",
    "C:i11 UID FETCH 1:* *",
    "R:* 1 FETCH (UID 3 RFC822.SIZE 5 BODY[HEADER.FIELDS (DATE FROM "
    "SUBJECT)] {2}\r\n\r\n)\r\n",
    "S:* 2 FETCH (UID 4 RFC822.SIZE 9)",
    "S:i11 OK",
    "C:i12 UID FETCH 3 (UID BODY.PEEK[])",
    "R:* 1 FETCH (BODY[] {5}\r\nhello UID 3)\r\n",
    "S:i12 OK done",
    NULL,
};

/* Sends the requests of the session, each after the last; FALSE as soon as
 * something fails. */
static gboolean
run_session(Fixture *f)
{
    wait_for(&f->opened);
    if (f->open_error != NULL) {
        f->error = g_error_copy(f->open_error);
        return FALSE;
    }
    for (guint step = 0; step < 5; step++) {
        f->done = FALSE;
        switch (step) {
        case 0:
            imap_request_list(f->connection, on_list, f);
            break;
        case 1:
            imap_request_examine(f->connection, "INBOX", on_done, f);
            break;
        case 2:
            imap_request_search(f->connection, NULL, on_found, f);
            break;
        case 3:
            imap_request_fetch_list(f->connection, "1:*", TRUE, &list_handler,
                                    f);
            break;
        case 4:
            imap_request_fetch_body(f->connection, 3, &body_handler, f);
            break;
        }
        assert_false(f->done);
        wait_for(&f->done);
        if (f->error != NULL)
            return FALSE;
    }
    return TRUE;
}

static void
session_whole_brings_everything(void **state)
{
    Fixture *f = *state;

    start(f, session);
    assert_true(run_session(f));
    check_script(f);
    assert_string_equal(f->log->str, "INBOX #s/x [3:4] 3 4 5?<hello> ");
    assert_int_equal(imap_connection_mailbox(f->connection)->uidvalidity, 7);
}

static void
session_cut_anywhere_ends_in_an_error(void **state)
{
    Fixture *f = *state;
    gsize total = 0;

    for (guint i = 0; session[i] != NULL; i++) {
        if (g_str_has_prefix(session[i], "S:"))
            total += strlen(session[i]);
        else if (g_str_has_prefix(session[i], "R:"))
            total += strlen(session[i]) - 2;
    }
    for (gsize cut = 0; cut < total; cut++) {
        start_cut(f, session, cut);
        assert_false(run_session(f));
        assert_error(f->error, IMAP_ERROR_CLOSED, "");
        drop(f);
    }
}

static void
session_hung_anywhere_times_out(void **state)
{
    Fixture *f = *state;
    static const char *const ends[] = {"HANG", "CHATTER", "DRIP"};
    const char *steps[G_N_ELEMENTS(session)];

    f->settings->timeout_ms = TIMEOUT_MS;
    for (guint i = 0; session[i] != NULL; i++) {
        /* Every place where the server is to speak. */
        if (session[i][0] == 'C')
            continue;
        for (guint j = 0; j < G_N_ELEMENTS(ends); j++) {
            gint64 began = g_get_monotonic_time();

            /* Chatter is not IMAP before the greeting is. */
            if (i == 0 && j == 1)
                continue;
            memcpy(steps, session, sizeof session);
            steps[i] = ends[j];
            start(f, steps);
            assert_false(run_session(f));
            assert_error(f->error, IMAP_ERROR_TIMEOUT, "did not answer");
            assert_true(g_get_monotonic_time() - began <
                        60 * TIMEOUT_MS * G_TIME_SPAN_MILLISECOND);
            drop(f);
        }
    }
}

static void
silence_counts_from_the_command_not_the_last_reply(void **state)
{
    /* A busy machine may keep us from going on for half a second. */
    const guint timeout_ms = 24 * TIMEOUT_MS;
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 NOOP", "S:i3 OK", "C:i4 NOOP", "HOLD", "S:i4 OK", NULL,
    };

    open_ready(f, steps);
    set_timeout(f, timeout_ms);
    send_text(f, "NOOP");
    wait_done(f);
    run_for(timeout_ms * 3 / 4);
    send_text(f, "NOOP");
    run_for(timeout_ms / 2);
    script_go_on(f->script);
    wait_done(f);
    assert_null(f->error);
}

/* As where a process is stopped, or others have the processor. */
static void
answer_that_came_while_we_did_not_run_is_no_silence(void **state)
{
    const guint timeout_ms = 10 * TIMEOUT_MS;
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 NOOP", "HOLD", "S:i3 OK", NULL,
    };

    open_ready(f, steps);
    set_timeout(f, timeout_ms);
    send_text(f, "NOOP");
    WAIT_UNTIL(script_is_held(f->script));
    script_go_on(f->script);
    g_usleep((timeout_ms + TIMEOUT_MS) * 1000);
    wait_done(f);
    assert_null(f->error);
}

static void
sending_does_not_extend_the_wait_for_what_was_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "HANG", NULL};

    open_ready(f, steps);
    set_timeout(f, TIMEOUT_MS);
    for (guint i = 0; i < 10 && !f->done; i++) {
        send_text(f, "NOOP");
        run_for(TIMEOUT_MS / 4);
    }
    assert_true(f->done);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "NOOP");
}

/* ---- commands ---- */

static void
commands_are_pipelined_to_the_depth(void **state)
{
    Fixture *f = *state;
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(g_free);
    static const char *const login[] = {LOGIN("")};

    for (guint i = 0; i < G_N_ELEMENTS(login); i++)
        g_ptr_array_add(steps, g_strdup(login[i]));
    for (guint i = 0; i < IMAP_COMMAND_QUEUE_DEPTH; i++)
        g_ptr_array_add(steps, g_strdup_printf("C:i%u NOOP", i + 3));
    g_ptr_array_add(steps, g_strdup("QUIET"));
    g_ptr_array_add(steps, g_strdup("S:i5 OK"));
    g_ptr_array_add(steps, g_strdup("C:i23 NOOP"));
    g_ptr_array_add(steps, g_strdup("S:i23 OK"));
    g_ptr_array_add(steps, NULL);

    open_ready(f, (const char *const *)steps->pdata);
    for (guint i = 0; i < IMAP_COMMAND_QUEUE_DEPTH + 1; i++)
        send_text(f, "NOOP");
    while (f->n_done < 2)
        wait_done(f);
    assert_null(f->error);
}

static void
argument_with_line_break_never_reaches_the_wire(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        "C:i4 NOOP",
        "S:i4 OK",
        NULL,
    };

    open_ready(f, steps);
    imap_request_examine(f->connection, "x\r\ni9 DELETE INBOX", on_done, f);
    assert_false(f->done);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    send_text(f, "NOOP");
    wait_done(f);
    assert_null(f->error);
    assert_true(imap_connection_is_open(f->connection));
}

static void
tag_unknown_closes_and_cancelled_does_not(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 NOOP", "C:i4 NOOP",         "S:i3 OK",
        "S:i4 OK", "C:i5 NOOP", "S:i6 OK too early", NULL,
    };

    open_ready(f, steps);
    imap_connection_cancel(f->connection, send_text(f, "NOOP"));
    send_text(f, "NOOP");
    wait_done(f);
    assert_null(f->error);
    assert_int_equal(f->n_done, 1);
    send_text(f, "NOOP");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "not sent");
    wait_for(&f->closed);
    send_text(f, "NOOP");
    assert_false(f->done);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_PROTOCOL, "not sent");
}

static void
logout_is_sent_and_closes(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 LOGOUT", "S:* BYE see you", "S:i3 OK", NULL,
    };

    open_ready(f, steps);
    imap_connection_logout(f->connection);
    assert_false(imap_connection_is_open(f->connection));
    wait_for(&f->closed);
    check_script(f);
}

static void
logout_unanswered_leaves_nothing_behind(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "C:i3 LOGOUT", "HANG", NULL};

    open_ready(f, steps);
    imap_connection_logout(f->connection);
    run_for(20);
    /* The last reference: what is left is for the leak checker to find. */
    g_clear_pointer(&f->connection, imap_connection_unref);
    run_for(20);
    assert_true(script_is_hung_up(f->script));
}

/* ---- handlers that do the worst ---- */

typedef struct {
    Fixture *fixture;
    enum { CLOSE, UNREF, CANCEL, SEND } what;
    const char *where; /* "untagged", "begin", "data", "end", "done" */
    guint id;
    gboolean acted;
    guint n_done;
} Saboteur;

static void
act(Saboteur *saboteur, const char *where)
{
    Fixture *f = saboteur->fixture;
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_CLOSED, "sabotage");

    if (saboteur->acted || strcmp(where, saboteur->where) != 0)
        return;
    saboteur->acted = TRUE;
    switch (saboteur->what) {
    case CLOSE:
        imap_connection_close(f->connection, error);
        break;
    case UNREF:
        g_clear_pointer(&f->connection, imap_connection_unref);
        break;
    case CANCEL:
        imap_connection_cancel(f->connection, saboteur->id);
        imap_connection_cancel(f->connection, saboteur->id + 1);
        break;
    case SEND:
        send_text(f, "NOOP");
        break;
    }
}

static gboolean
sabotage_untagged(const ImapResponse *response, gpointer user_data)
{
    act(user_data, "untagged");
    return TRUE;
}

static gboolean
sabotage_begin(const ImapBody *body, gpointer user_data)
{
    act(user_data, "begin");
    return TRUE;
}

static void
sabotage_data(const guint8 *data, gsize length, gpointer user_data)
{
    act(user_data, "data");
}

static void
sabotage_end(gpointer user_data)
{
    act(user_data, "end");
}

static void
sabotage_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    ((Saboteur *)user_data)->n_done++;
    act(user_data, "done");
}

static const ImapCommandHandler sabotage = {
    .untagged = sabotage_untagged,
    .body_begin = sabotage_begin,
    .body_data = sabotage_data,
    .body_end = sabotage_end,
    .done = sabotage_done,
};

static void
handler_may_do_anything_anywhere(void **state)
{
    Fixture *f = *state;
    static const char *const where[] = {"untagged", "begin", "data", "end",
                                        "done"};
    static const char *const steps[] = {
        LOGIN(""),
        "C:i3 UID FETCH 1 (BODY[])",
        "C:i4 UID FETCH 2 (BODY[])",
        "R:* 1 FETCH (UID 1 BODY[] {2}\r\nab)\r\n* 5 EXISTS\r\n",
        "R:* 1 FETCH (UID 2 BODY[] {2}\r\nab)\r\n",
        "S:i3 OK",
        "S:i4 OK",
        "C:i5 NOOP",
        "S:i5 OK",
        NULL,
    };

    for (guint i = 0; i < G_N_ELEMENTS(where); i++) {
        for (guint what = CLOSE; what <= SEND; what++) {
            Saboteur first = {.fixture = f, .what = what, .where = where[i]};
            Saboteur second = {.fixture = f, .where = ""};

            open_ready(f, steps);
            first.id = imap_connection_send(
                f->connection, imap_command_new("UID FETCH 1 (BODY[])"),
                &sabotage, &first);
            imap_connection_send(f->connection,
                                 imap_command_new("UID FETCH 2 (BODY[])"),
                                 &sabotage, &second);
            run_for(5);
            assert_true(first.acted);
            if (what == CANCEL) {
                assert_int_equal(first.n_done, i == 4);
                assert_int_equal(second.n_done, 0);
            } else {
                assert_int_equal(first.n_done, 1);
                assert_int_equal(second.n_done, 1);
            }
            if (what == SEND && !f->done)
                wait_done(f);
            if (what == CLOSE)
                wait_for(&f->closed);
            drop(f);
        }
    }
}

static void
unref_of_open_connection_ends_its_commands(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "C:i3 EXAMINE INBOX", "HANG",
                                        NULL};

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    send_text(f, "NOOP");
    run_for(5);
    g_clear_pointer(&f->connection, imap_connection_unref);
    assert_int_equal(f->n_done, 2);
    run_for(5);
    assert_true(script_is_hung_up(f->script));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(session_whole_brings_everything),
        connection_test(session_cut_anywhere_ends_in_an_error),
        connection_test(session_hung_anywhere_times_out),
        connection_test(silence_counts_from_the_command_not_the_last_reply),
        connection_test(answer_that_came_while_we_did_not_run_is_no_silence),
        connection_test(sending_does_not_extend_the_wait_for_what_was_sent),
        connection_test(commands_are_pipelined_to_the_depth),
        connection_test(argument_with_line_break_never_reaches_the_wire),
        connection_test(tag_unknown_closes_and_cancelled_does_not),
        connection_test(logout_is_sent_and_closes),
        connection_test(logout_unanswered_leaves_nothing_behind),
        connection_test(handler_may_do_anything_anywhere),
        connection_test(unref_of_open_connection_ends_its_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
