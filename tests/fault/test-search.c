/* Searches by keys of any kind, against servers that follow a script. */
#include "connection-fixture.h"

static ImapSearchProgram *
from(const char *whom)
{
    ImapSearchProgram *program = imap_search_program_new();

    imap_search_program_add_key(program, "UNSEEN");
    imap_search_program_add_string(program, "FROM", whom);
    return program;
}

static void
search_for(Fixture *f, const char *whom)
{
    g_autoptr(ImapSearchProgram) program = from(whom);

    imap_request_search_for(f->connection, program, on_found, f);
    wait_done(f);
}

static void
strings_are_sent_as_the_server_takes_them(void **state)
{
    Fixture *f = *state;
    const struct {
        const char *whom;
        const char *steps[20];
    } cases[] = {
        {"alice",
         {LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH UNSEEN FROM alice",
          "S:i3 OK", "S:* SEARCH 7 4", "S:i4 OK"}},
        {"a\" OR ALL",
         {LOGIN("ESEARCH"), "C:i3 NOOP",
          "C:i4 UID SEARCH RETURN (ALL) UNSEEN FROM \"a\\\" OR ALL\"",
          "S:i3 OK", "S:* ESEARCH (TAG \"i4\") UID ALL 4,7", "S:i4 OK"}},
        {"Jos\xc3\xa9",
         {LOGIN("LITERAL+ ESEARCH"), "C:i3 NOOP",
          "C:i4 UID SEARCH RETURN (ALL) CHARSET UTF-8 UNSEEN FROM {5+}",
          "C:Jos\xc3\xa9", "S:i3 OK", "S:* ESEARCH (TAG \"i4\") UID ALL 4,7",
          "S:i4 OK"}},
        {"Jos\xc3\xa9",
         {LOGIN(""), "C:i3 NOOP",
          "C:i4 UID SEARCH CHARSET UTF-8 UNSEEN FROM {5}", "S:i3 OK", "S:+ go",
          "C:Jos\xc3\xa9", "S:* SEARCH 4", "S:* SEARCH 7", "S:i4 OK"}},
        /* RFC 6855 section 3: then CHARSET is an error. */
        {"Jos\xc3\xa9",
         {LOGIN("ENABLE UTF8=ACCEPT"), "C:i3 ENABLE UTF8=ACCEPT",
          "S:* ENABLED UTF8=ACCEPT", "S:i3 OK", "C:i4 NOOP",
          "C:i5 UID SEARCH UNSEEN FROM {5}", "S:i4 OK", "S:+ go",
          "C:Jos\xc3\xa9", "S:* SEARCH 4 7", "S:i5 OK"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        search_for(f, cases[i].whom);
        assert_null(f->error);
        assert_string_equal(f->log->str, "[4,7] ");
        drop(f);
    }
}

static void
nothing_found_is_an_empty_set(void **state)
{
    Fixture *f = *state;
    /* Some servers leave the line out. */
    static const char *const steps[] = {
        LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH UNSEEN FROM alice",
        "S:i3 OK", "S:i4 OK",   NULL};

    open_ready(f, steps);
    search_for(f, "alice");
    assert_null(f->error);
    assert_string_equal(f->log->str, "[] ");
}

static void
line_break_is_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("LITERAL+"), "C:i3 NOOP",
                                        "S:i3 OK", "QUIET", NULL};

    open_ready(f, steps);
    search_for(f, "a\r\ni9 LOGOUT");
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    run_for(2 * WAIT_MS);
    check_script(f);
}

static void
what_the_server_lacks_is_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "C:i3 NOOP", "S:i3 OK",
                                        "QUIET", NULL};
    g_autoptr(ImapSearchProgram) program = from("alice");

    imap_search_program_require(program, "X-GM-EXT-1");
    open_ready(f, steps);
    imap_request_search_for(f->connection, program, on_found, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "X-GM-EXT-1");
    run_for(2 * WAIT_MS);
    check_script(f);
}

static void
refusals_tell_why(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("LITERAL+"),
        "C:i3 NOOP",
        "C:i4 UID SEARCH CHARSET UTF-8 UNSEEN FROM {2+}",
        "C:\xc3\xa9",
        "S:i3 OK",
        "S:i4 NO [BADCHARSET (US-ASCII)] ASCII alone",
        "C:i5 NOOP",
        "C:i6 UID SEARCH UNSEEN FROM b",
        "S:i5 OK",
        "S:i6 BAD what?",
        NULL};

    open_ready(f, steps);
    search_for(f, "\xc3\xa9");
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "ASCII alone");
    search_for(f, "b");
    assert_error(f->error, IMAP_ERROR_BAD, "what?");
}

#define FOUR_WAITS "WAIT", "WAIT", "WAIT", "WAIT"

/* Searching through all that there is takes longer than a server may be silent
 * otherwise. */
static void
search_goes_on_while_the_server_says_so(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""),
                                        "C:i3 NOOP",
                                        "C:i4 UID SEARCH UNSEEN FROM a",
                                        FOUR_WAITS,
                                        "S:* OK Searched 10% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* OK Searched 20% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* OK Searched 30% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* OK Searched 50% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* OK Searched 70% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* OK Searched 90% of the mailbox",
                                        FOUR_WAITS,
                                        "S:* SEARCH 3",
                                        "S:i4 OK",
                                        "S:i3 OK",
                                        NULL};

    open_ready(f, steps);
    /* Less than all of it takes, and far more than a part. */
    set_timeout(f, 24 * WAIT_MS);
    search_for(f, "a");
    assert_null(f->error);
    assert_string_equal(f->log->str, "[3] ");
}

/* But not while it has got no farther. */
static void
search_that_gets_no_farther_ends(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""),
                                        "C:i3 NOOP",
                                        "C:i4 UID SEARCH UNSEEN FROM a",
                                        "S:* OK Searched 10% of the mailbox",
                                        "WAIT",
                                        "S:* OK Searched 10% of the mailbox",
                                        "WAIT",
                                        "S:* OK Searched 9% of the mailbox",
                                        "WAIT",
                                        "S:* OK Searched 101% of the mailbox",
                                        "WAIT",
                                        "S:* OK Searched all of the mailbox",
                                        "WAIT",
                                        "S:* OK Searched 10% of the mailbox",
                                        "WAIT",
                                        "S:* SEARCH 3",
                                        "S:i4 OK",
                                        NULL};

    open_ready(f, steps);
    set_timeout(f, 3 * WAIT_MS);
    search_for(f, "a");
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "");
}

/* ---- by UIDs ---- */

/* As Dovecot does, which carries out the NOOP behind what follows it. */
static void
what_has_come_behind_the_answer_is_sought_again(void **state)
{
    Fixture *f = *state;
    const struct {
        const char *log;
        const char *steps[24];
    } cases[] = {
        /* It was not known yet. */
        {"[7] ",
         {LOGIN(""), "C:i3 EXAMINE INBOX", "S:* 3 EXISTS", "S:i3 OK",
          "C:i4 NOOP", "C:i5 UID SEARCH UID 7,9", "S:* SEARCH", "S:* 4 EXISTS",
          "S:i4 OK", "S:i5 OK", "C:i6 UID SEARCH UID 7,9", "S:* SEARCH 7",
          "S:* 5 EXISTS", "S:i6 OK"}},
        /* Nor told of: no line at all. */
        {"[7] ",
         {LOGIN(""), "C:i3 EXAMINE INBOX", "S:* 3 EXISTS", "S:i3 OK",
          "C:i4 NOOP", "C:i5 UID SEARCH UID 7,9", "S:* VANISHED 2",
          "S:* 3 EXISTS", "S:i4 OK", "S:i5 OK", "C:i6 UID SEARCH UID 7,9",
          "S:* SEARCH 7", "S:i6 OK"}},
        /* Told of even behind that. */
        {"[7] ",
         {LOGIN(""), "C:i3 EXAMINE INBOX", "S:* 3 EXISTS", "S:i3 OK",
          "C:i4 NOOP", "C:i5 UID SEARCH UID 7,9", "S:* SEARCH", "S:i5 OK",
          "QUIET", "S:* 4 EXISTS", "S:i4 OK", "C:i6 UID SEARCH UID 7,9",
          "S:* SEARCH 7", "S:i6 OK"}},
        /* It was told before, something has gone, or all is there. */
        {"[9] ",
         {LOGIN(""), "C:i3 EXAMINE INBOX", "S:* 3 EXISTS", "S:i3 OK",
          "C:i4 NOOP", "C:i5 UID SEARCH UID 7,9", "S:* 4 EXISTS", "S:i4 OK",
          "S:* SEARCH 9", "S:* 1 EXPUNGE", "S:i5 OK", "QUIET"}},
        {"[7,9] ",
         {LOGIN(""), "C:i3 EXAMINE INBOX", "S:* 3 EXISTS", "S:i3 OK",
          "C:i4 NOOP", "C:i5 UID SEARCH UID 7,9", "S:* SEARCH 7 9",
          "S:* 4 EXISTS", "S:i4 OK", "S:i5 OK", "QUIET"}},
    };
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();

    imap_uid_set_add(uids, 7, 7);
    imap_uid_set_add(uids, 9, 9);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_examine(f->connection, "INBOX", on_done, f);
        wait_done(f);
        imap_request_search(f->connection, uids, on_found, f);
        wait_for(&f->done);
        assert_null(f->error);
        run_for(2 * WAIT_MS);
        check_script(f);
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

/* What has been found then may not be all that was there. */
static void
line_that_ends_before_noop_is_answered_is_an_error(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""),
                                        "C:i3 NOOP",
                                        "C:i4 UID SEARCH ALL",
                                        "S:* SEARCH 7",
                                        "S:i4 OK",
                                        "CLOSE",
                                        NULL};
    static const char *const cut_sooner[] = {
        LOGIN(""), "C:i3 NOOP", "C:i4 UID SEARCH ALL", "CLOSE", NULL};

    open_ready(f, steps);
    imap_request_search(f->connection, NULL, on_found, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "");
    drop(f);
    open_ready(f, cut_sooner);
    imap_request_search(f->connection, NULL, on_found, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(strings_are_sent_as_the_server_takes_them),
        connection_test(nothing_found_is_an_empty_set),
        connection_test(line_break_is_not_sent),
        connection_test(what_the_server_lacks_is_not_sent),
        connection_test(refusals_tell_why),
        connection_test(search_goes_on_while_the_server_says_so),
        connection_test(search_that_gets_no_farther_ends),
        connection_test(what_has_come_behind_the_answer_is_sought_again),
        connection_test(line_that_ends_before_noop_is_answered_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
