/* What the selection of a mailbox tells of changes, and when that is believed;
 * and what the server tells later on its own. */
#include "connection-fixture.h"

#define QRESYNC                                                                \
    LOGIN("ENABLE CONDSTORE QRESYNC")                                          \
    , "C:i3 ENABLE QRESYNC", "S:* ENABLED QRESYNC", "S:i3 OK"
#define ASK(n) "C:i" #n " EXAMINE INBOX (QRESYNC (7 100))"
#define SAY                                                                    \
    "S:* 5 EXISTS", "S:* OK [UIDVALIDITY 7]", "S:* OK [HIGHESTMODSEQ 120]"

static const ImapKnown known = {.uidvalidity = 7, .highestmodseq = 100};

/* Changes as "-3:5 7=\\Seen; ", or "none ". */
static void
on_examined(ImapChanges *changes, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;
    g_autofree char *vanished = NULL;

    assert_true(changes == NULL || error == NULL);
    if (changes == NULL) {
        g_string_append(f->log, "none ");
    } else {
        vanished = imap_uid_set_to_string(changes->vanished);
        assert_int_equal(changes->since.uidvalidity, 7);
        assert_int_equal(changes->since.highestmodseq, 100);
        g_string_append_printf(f->log, "-%s ", vanished);
        for (guint i = 0; i < changes->flags->len; i++) {
            ImapFlagsChange *change =
                &g_array_index(changes->flags, ImapFlagsChange, i);

            g_string_append_printf(f->log, "%u=%s; ", change->uid,
                                   change->flags);
        }
    }
    imap_changes_free(changes);
    on_done(error, f);
}

static void
examine_known(Fixture *f)
{
    imap_request_examine_since(f->connection, "INBOX", &known, on_examined, f);
    wait_done(f);
}

static void
selection_brings_what_has_changed(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        QRESYNC,
        ASK(4),
        SAY,
        "S:* VANISHED (EARLIER) 41,43:116",
        "S:* 2 FETCH (UID 120 FLAGS (\\Seen) MODSEQ (119))",
        "S:* 3 FETCH (MODSEQ (118) UID 121 FLAGS ())",
        "S:* VANISHED (EARLIER) 200",
        "S:i4 OK [READ-ONLY] done",
        NULL};
    const ImapMailbox *mailbox;

    open_ready(f, steps);
    examine_known(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "-41,43:116,200 120=\\Seen; 121=; ");
    mailbox = imap_connection_mailbox(f->connection);
    assert_int_equal(mailbox->exists, 5);
    assert_int_equal(mailbox->highestmodseq, 120);
    assert_false(mailbox->nomodseq);
}

static void
changes_in_doubt_are_none(void **state)
{
    static const char *const other_validity[] = {QRESYNC,
                                                 ASK(4),
                                                 "S:* 5 EXISTS",
                                                 "S:* OK [UIDVALIDITY 8]",
                                                 "S:* OK [HIGHESTMODSEQ 120]",
                                                 "S:i4 OK",
                                                 NULL};
    static const char *const no_modseq[] = {
        QRESYNC, ASK(4), SAY, "S:* OK [NOMODSEQ] none", "S:i4 OK", NULL};
    static const char *const backwards[] = {
        QRESYNC, ASK(4), SAY, "S:* OK [HIGHESTMODSEQ 99]", "S:i4 OK", NULL};
    static const char *const untold[] = {QRESYNC,
                                         ASK(4),
                                         "S:* 5 EXISTS",
                                         "S:* OK [UIDVALIDITY 7]",
                                         "S:* VANISHED (EARLIER) 4",
                                         "S:i4 OK",
                                         NULL};
    static const char *const without_uid[] = {
        QRESYNC,   ASK(4), SAY, "S:* 2 FETCH (FLAGS (\\Seen) MODSEQ (119))",
        "S:i4 OK", NULL};
    static const char *const without_flags[] = {
        QRESYNC,   ASK(4), SAY, "S:* 2 FETCH (UID 4 MODSEQ (119))",
        "S:i4 OK", NULL};
    const char *const *const all[] = {other_validity, no_modseq,
                                      backwards,      untold,
                                      without_uid,    without_flags};
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        open_ready(f, all[i]);
        examine_known(f);
        assert_null(f->error);
        assert_string_equal(f->log->str, "none ");
        assert_int_equal(imap_connection_mailbox(f->connection)->exists, 5);
        drop(f);
    }
}

static void
data_before_closed_is_of_the_mailbox_before(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        QRESYNC, "C:i4 EXAMINE Drafts", "S:* 9 EXISTS", "S:i4 OK", ASK(5),
        "S:* VANISHED 2", "S:* VANISHED (EARLIER) 3",
        "S:* 1 FETCH (UID 1 FLAGS (old))", "S:* 2 FETCH (FLAGS (old))",
        "S:* OK [CLOSED] that was Drafts", SAY, "S:* VANISHED (EARLIER) 4",
        "S:* 2 FETCH (UID 6 FLAGS (new))", "S:i5 OK",
        /* Without it, nobody knows whose they are. */
        ASK(6), SAY, "S:* VANISHED (EARLIER) 4",
        "S:* 2 FETCH (UID 6 FLAGS (new))", "S:i6 OK", NULL};

    open_ready(f, steps);
    imap_request_examine(f->connection, "Drafts", on_done, f);
    wait_done(f);
    examine_known(f);
    assert_string_equal(f->log->str, "-4 6=new; ");
    assert_int_equal(imap_connection_mailbox(f->connection)->exists, 5);
    g_string_truncate(f->log, 0);
    examine_known(f);
    assert_string_equal(f->log->str, "none ");
}

static void
changes_too_many_are_none(void **state)
{
    Fixture *f = *state;
    g_autoptr(GString) flood = g_string_new("R:");
    const char *steps[] = {QRESYNC, ASK(4), SAY, NULL, "S:i4 OK", NULL};

    for (guint i = 1; i <= 200001; i++)
        g_string_append_printf(flood, "* 1 FETCH (UID %u FLAGS ())\r\n", i);
    steps[G_N_ELEMENTS(steps) - 3] = flood->str;
    open_ready(f, steps);
    examine_known(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "none ");
}

static void
selection_asks_as_the_server_can(void **state)
{
    static const char *const plain[] = {LOGIN(""), "C:i3 EXAMINE INBOX",
                                        "S:* 1 EXISTS", "S:i3 OK", NULL};
    static const char *const condstore[] = {LOGIN("CONDSTORE"),
                                            "C:i3 EXAMINE INBOX (CONDSTORE)",
                                            "S:* 1 EXISTS", "S:i3 OK", NULL};
    static const char *const enabled[] = {LOGIN("CONDSTORE ENABLE"),
                                          "C:i3 ENABLE CONDSTORE",
                                          "S:* ENABLED CONDSTORE",
                                          "S:i3 OK",
                                          "C:i4 EXAMINE INBOX",
                                          "S:* 1 EXISTS",
                                          "S:i4 OK",
                                          NULL};
    static const char *const not_enabled[] = {LOGIN("CONDSTORE QRESYNC ENABLE"),
                                              "C:i3 ENABLE QRESYNC",
                                              "S:i3 OK",
                                              "C:i4 EXAMINE INBOX (CONDSTORE)",
                                              "S:* 1 EXISTS",
                                              "S:i4 OK",
                                              NULL};
    /* It announced what it does not understand. */
    static const char *const refused[] = {QRESYNC,
                                          ASK(4),
                                          "S:i4 BAD no such thing",
                                          "C:i5 EXAMINE INBOX",
                                          "S:* 1 EXISTS",
                                          "S:i5 OK",
                                          NULL};
    const char *const *const all[] = {plain, condstore, enabled, not_enabled,
                                      refused};
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        open_ready(f, all[i]);
        examine_known(f);
        assert_null(f->error);
        assert_string_equal(f->log->str, "none ");
        drop(f);
    }
}

static void
refusal_is_an_error_without_changes(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {QRESYNC, ASK(4), SAY,
                                        "S:i4 NO [NONEXISTENT] gone", NULL};

    open_ready(f, steps);
    examine_known(f);
    assert_error(f->error, IMAP_ERROR_NONEXISTENT, "gone");
    assert_null(imap_connection_mailbox(f->connection)->name);
}

static void
enable_is_one_command(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("ENABLE UTF8=ACCEPT CONDSTORE QRESYNC"),
        "C:i3 ENABLE UTF8=ACCEPT QRESYNC",
        "S:* ENABLED UTF8=ACCEPT",
        "S:* ENABLED QRESYNC",
        "S:i3 OK",
        NULL};

    open_ready(f, steps);
    assert_true(imap_connection_is_utf8(f->connection));
    assert_true(imap_connection_has_qresync(f->connection));
}

static void
flags_told_unasked_are_counted(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        QRESYNC, "C:i4 EXAMINE INBOX", SAY, "S:i4 OK", "C:i5 NOOP",
        "S:* 1 FETCH (UID 1 FLAGS (a))", "S:* VANISHED (EARLIER) 8:9",
        "S:* VANISHED 2:3", "S:* 2 FETCH (FLAGS (b))", "S:* 2 FETCH (UID 9)",
        "S:i5 OK",
        /* What was asked for is no news. */
        "C:i6 NOOP", "S:i6 OK", "C:i7 UID FETCH *",
        "S:* 1 FETCH (UID 1 FLAGS (a))", "S:i7 OK", NULL};
    const ImapMailbox *mailbox;
    guint before;

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    mailbox = imap_connection_mailbox(f->connection);
    before = mailbox->flag_changes;
    send_text(f, "NOOP");
    wait_done(f);
    assert_int_equal(mailbox->flag_changes, before + 2);
    assert_int_equal(mailbox->exists, 3);
    imap_request_flags(f->connection, "1:*", 0, &flags_handler, f);
    wait_done(f);
    assert_int_equal(mailbox->flag_changes, before + 2);
}

static void
on_complete(guint64 modseq, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log,
                           "to %" G_GUINT64_FORMAT "; ", modseq);
}

/* @expected: what the second of two answers tells, and how far it is complete,
 * if it is: "7=\\Seen; to 105; ". */
static void
expect_complete(Fixture *f, const char *const *steps, const char *expected)
{
    ImapFlagsHandler handler = flags_handler;

    handler.complete = on_complete;
    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    for (guint i = 0; i < 2; i++) {
        g_string_truncate(f->log, 0);
        imap_request_flags(f->connection, "1:*", 100, &handler, f);
        wait_done(f);
    }
    if (strcmp(f->log->str, expected) != 0)
        fail_msg("\"%s\" instead of \"%s\"", f->log->str, expected);
    drop(f);
}

#define SELECTED QRESYNC, "C:i4 EXAMINE INBOX", SAY, "S:i4 OK"
#define SINCE(noop, fetch)                                                     \
    "C:i" #noop " NOOP",                                                       \
        "C:i" #fetch " UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 100 VANISHED)"

static void
answer_is_complete_to_what_was_heard_before_it(void **state)
{
    Fixture *f = *state;
    /* Each message's change is asked for once after it was heard of. */
    static const char *const late[] = {
        SELECTED,
        SINCE(5, 6),
        "S:i5 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i6 OK",
        SINCE(7, 8),
        "S:i7 OK",
        "S:* 1 FETCH (UID 1 FLAGS (a) MODSEQ (131))",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:* 3 FETCH (UID 3 FLAGS (c) MODSEQ (140))",
        "S:i8 OK",
        NULL};
    /* Unasked, and not what it tells itself. */
    static const char *const unasked[] = {
        SELECTED,  SINCE(5, 6), "S:i5 OK",
        "S:i6 OK", SINCE(7, 8), "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i7 OK", "S:i8 OK",   NULL};
    /* Of what was heard before, this answer knows nothing. */
    static const char *const behind[] = {
        SELECTED,  SINCE(5, 6),
        "S:i5 OK", "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i6 OK", SINCE(7, 8),
        "S:i7 OK", "S:* 3 FETCH (UID 3 FLAGS (c) MODSEQ (110))",
        "S:i8 OK", NULL};
    static const char *const silent[] = {
        SELECTED,  SINCE(5, 6),
        "S:i5 OK", "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i6 OK", SINCE(7, 8),
        "S:i7 OK", "S:* VANISHED (EARLIER) 9",
        "S:i8 OK", NULL};
    static const char *const refused[] = {
        SELECTED,
        SINCE(5, 6),
        "S:i5 OK",
        "S:i6 OK",
        SINCE(7, 8),
        "S:i7 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i8 NO some are gone",
        NULL};
    /* Dovecot, when it has not told yet what has gone. */
    static const char *const taken_back[] = {
        SELECTED,
        SINCE(5, 6),
        "S:i5 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i6 OK",
        SINCE(7, 8),
        "S:i7 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:* OK [HIGHESTMODSEQ 125] highest",
        "S:i8 OK",
        NULL};
    static const char *const tagged[] = {
        SELECTED,
        SINCE(5, 6),
        "S:i5 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i6 OK",
        SINCE(7, 8),
        "S:i7 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i8 OK [HIGHESTMODSEQ 126] done",
        NULL};
    static const char *const by_code[] = {
        SELECTED,  SINCE(5, 6),
        "S:i5 OK", "S:* OK [HIGHESTMODSEQ 130] highest",
        "S:i6 OK", SINCE(7, 8),
        "S:i7 OK", "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i8 OK", NULL};
    static const char *const none[] = {
        SELECTED,  SINCE(5, 6),
        "S:i5 OK", "S:* OK [NOMODSEQ] none",
        "S:i6 OK", SINCE(7, 8),
        "S:i7 OK", "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (132))",
        "S:i8 OK", NULL};
    static const char *const too_high[] = {
        SELECTED,
        SINCE(5, 6),
        "S:i5 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (18446744073709551615))",
        "S:i6 OK",
        SINCE(7, 8),
        "S:i7 OK",
        "S:* 2 FETCH (UID 2 FLAGS (b) MODSEQ (18446744073709551615))",
        "S:i8 OK",
        NULL};

    expect_complete(f, late, "1=a; 2=b; 3=c; to 132; ");
    expect_complete(f, unasked, "2=b; to 120; ");
    expect_complete(f, behind, "3=c; to 110; ");
    expect_complete(f, silent, "-9; ");
    expect_complete(f, refused, "2=b; ");
    expect_complete(f, taken_back, "2=b; to 125; ");
    expect_complete(f, tagged, "2=b; to 126; ");
    expect_complete(f, by_code, "2=b; to 130; ");
    expect_complete(f, none, "2=b; ");
    expect_complete(f, too_high, "2=b; to 120; ");
}

static void
server_that_asks_to_wait_is_heard(void **state)
{
    static const struct {
        const char *reply;
        gint64 seconds; /* 0: none */
        ImapError error;
    } cases[] = {
        {"S:i3 BAD Request is throttled. Suggested Backoff Time: 90000 "
         "milliseconds",
         90, IMAP_ERROR_LIMIT},
        {"S:i3 NO [THROTTLED] too much", 60, IMAP_ERROR_LIMIT},
        {"S:i3 NO Suggested Backoff Time: 99999999999999999999999", 900,
         IMAP_ERROR_LIMIT},
        {"S:i3 NO Suggested Backoff Time: -5", 900, IMAP_ERROR_LIMIT},
        {"S:i3 NO Suggested Backoff Time: soon", 1, IMAP_ERROR_LIMIT},
        {"S:i3 NO [LIMIT] too many", 0, IMAP_ERROR_LIMIT},
        {"S:i3 BAD what", 0, IMAP_ERROR_BAD},
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *steps[] = {LOGIN(""), "C:i3 NOOP", cases[i].reply, NULL};
        gint64 began = g_get_monotonic_time();
        gint64 until;

        open_ready(f, steps);
        send_text(f, "NOOP");
        wait_done(f);
        assert_error(f->error, cases[i].error, "");
        until = imap_connection_throttled_until(f->connection);
        if (cases[i].seconds == 0)
            assert_int_equal(until, 0);
        else
            assert_in_range(until - began,
                            cases[i].seconds * G_TIME_SPAN_SECOND,
                            cases[i].seconds * G_TIME_SPAN_SECOND +
                                g_get_monotonic_time() - began);
        drop(f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(selection_brings_what_has_changed),
        connection_test(changes_in_doubt_are_none),
        connection_test(data_before_closed_is_of_the_mailbox_before),
        connection_test(changes_too_many_are_none),
        connection_test(selection_asks_as_the_server_can),
        connection_test(refusal_is_an_error_without_changes),
        connection_test(enable_is_one_command),
        connection_test(flags_told_unasked_are_counted),
        connection_test(answer_is_complete_to_what_was_heard_before_it),
        connection_test(server_that_asks_to_wait_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
