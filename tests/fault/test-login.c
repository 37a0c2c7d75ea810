/* The login against servers that follow a script: from the greeting to the
 * state in which a mailbox can be selected, and each way in which it can go
 * wrong. */
#include "connection-fixture.h"

typedef struct {
    ImapTls tls;
    int code; /* -1: it gets in */
    const char *words;
    const char *steps[20];
} Opening;

static void
try_opening(Fixture *f, const Opening *opening)
{
    f->settings->tls = opening->tls;
    start(f, opening->steps);
    wait_for(&f->opened);
    check_script(f);
    if (opening->code < 0 && f->open_error != NULL)
        fail_msg("%s", f->open_error->message);
    if (opening->code >= 0)
        assert_error(f->open_error, opening->code, opening->words);
    drop(f);
}

static void
greeting_decides_what_follows(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_OFF, -1, NULL, {LOGIN("")}},
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {"S:* PREAUTH in", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1",
          "S:i1 OK"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "PREAUTH",
         {"S:* PREAUTH in", "QUIET"}},
        {IMAP_TLS_OFF, IMAP_ERROR_CLOSED, "too many", {"S:* BYE too many"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "go away", {"S:* NO go away"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "go away", {"S:* BAD go away"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "SSH-2.0", {"S:SSH-2.0-Ope"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "greeting", {"S:i1 OK early"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "greeting", {"S:+ go"}},
        {IMAP_TLS_OFF, IMAP_ERROR_PROTOCOL, "greeting", {"S:* 5 EXISTS"}},
        {IMAP_TLS_OFF, IMAP_ERROR_CLOSED, "", {"CLOSE"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

#define CAPABLE(capabilities)                                                  \
    "S:* OK hello", "C:i1 CAPABILITY",                                         \
        "S:* CAPABILITY IMAP4rev1 " capabilities, "S:i1 OK done"

static void
capabilities_are_asked_for_and_believed_late(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "capabilities",
         {"S:* OK [CAPABILITY IMAP4rev1] hello", "C:i1 CAPABILITY", "S:i1 OK"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "not now",
         {"S:* OK hello", "C:i1 CAPABILITY", "S:i1 NO not now"}},
        /* Enough to go on by, and to no other end. */
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {"S:* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR] hello",
          "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==", "S:i1 OK in",
          "C:i2 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i2 OK", "QUIET"}},
        /* Not enough, or mangled. */
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {"S:* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLA] hello",
          "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR",
          "S:i1 OK", "C:i2 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
        /* Those of before the login are asked for again. */
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("ID"), "C:i2 LOGIN me secret", "S:i2 OK in",
          "C:i3 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i3 OK", "QUIET"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "capabilities",
         {CAPABLE("ID"), "C:i2 LOGIN me secret", "S:i2 OK in",
          "C:i3 CAPABILITY", "S:i3 OK"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

static void
server_is_known_by_what_it_says(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        CAPABLE("ID"),
        "C:i2 LOGIN me secret",
        "S:i2 OK [CAPABILITY IMAP4rev1 ID] in",
        "C:i3 ID (\"name\" \"imapfs\" \"version\" *)",
        "S:* ID (\"vendor\" NIL \"VERSION\" \"2.3\" \"Name\" \"Postbox\")",
        "S:i3 OK",
        NULL,
    };

    open_ready(f, steps);
    assert_string_equal(imap_connection_server_name(f->connection),
                        "Postbox 2.3");
    assert_string_equal(imap_connection_mechanism(f->connection),
                        "LOGIN command");
    assert_true(imap_connection_was_greeted(f->connection));
    assert_true(imap_connection_peer(f->connection)->resolved);
    assert_null(imap_connection_peer(f->connection)->protocol);
}

#define GREETED "S:* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello"

/* A refusal may be of the mechanism, which only the greeting had named. */
static void
refusal_counts_when_the_server_has_named_the_mechanism(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO unsupported", "C:i2 CAPABILITY", "S:* CAPABILITY IMAP4rev1",
          "S:i2 OK", "C:i3 LOGIN me secret",
          "S:i3 OK [CAPABILITY IMAP4rev1] in", "QUIET"}},
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==", "S:i1 BAD what",
          "C:i2 CAPABILITY", "S:* CAPABILITY IMAP4rev1 AUTH=LOGIN", "S:i2 OK",
          "C:i3 AUTHENTICATE LOGIN", "S:+ VXNlcm5hbWU6",
          "C:bWU=", "S:+ UGFzc3dvcmQ6", "C:c2VjcmV0",
          "S:i3 OK [CAPABILITY IMAP4rev1]", "QUIET"}},
        /* The password is not tried twice by the same mechanism, whatever the
         * server does next. */
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "wrong one",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO wrong one", "C:i2 CAPABILITY",
          "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN", "S:i2 OK", "QUIET"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "wrong one",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO wrong one", "CLOSE"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "wrong one",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO wrong one", "C:i2 CAPABILITY", "S:* BYE that was it"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "wrong one",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO wrong one", "C:i2 CAPABILITY", "S:i2 NO"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "offers",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO wrong one", "C:i2 CAPABILITY",
          "S:* CAPABILITY IMAP4rev1 AUTH=GSSAPI LOGINDISABLED", "S:i2 OK"}},
        /* Not that of the mechanism. */
        {IMAP_TLS_OFF,
         IMAP_ERROR_UNAVAILABLE,
         "later",
         {GREETED, "C:i1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==",
          "S:i1 NO [UNAVAILABLE] later", "QUIET"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

static void
starttls_is_required_and_not_to_be_tampered_with(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "does not offer STARTTLS",
         {CAPABLE(""), "QUIET"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "no TLS today",
         {CAPABLE("STARTTLS"), "C:i2 STARTTLS", "S:i2 NO no TLS today"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "tampering",
         {CAPABLE("STARTTLS"), "C:i2 STARTTLS", "S:i2 OK begin",
          "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "tampering",
         {CAPABLE("STARTTLS"), "C:i2 STARTTLS", "R:i2 OK begin\r\n*"}},
        /* The OK comes before the command has left. */
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_PROTOCOL,
         "not sent",
         {CAPABLE("STARTTLS"), "S:i2 OK begin"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_CLOSED,
         "",
         {CAPABLE("STARTTLS"), "C:i2 STARTTLS", "S:i2 OK begin", "CLOSE"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "tampering",
         {"S:* OK [CAPABILITY IMAP4rev1 STARTTLS] hello", "C:i1 STARTTLS",
          "S:i1 OK begin", "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN"}},
        /* What the greeting says is missing is asked for. */
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "does not offer STARTTLS",
         {"S:* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello", "C:i1 CAPABILITY",
          "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN", "S:i1 OK", "QUIET"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

/* A reload may change the settings while a connection is being opened. */
static void
clear_connection_does_not_pass_for_one_with_tls_from_the_start(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "PREAUTH",
         {"S:* PREAUTH in", "QUIET"}},
        {IMAP_TLS_STARTTLS,
         IMAP_ERROR_TLS,
         "does not offer STARTTLS",
         {CAPABLE("AUTH=PLAIN"), "QUIET"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_TLS,
         "does not offer STARTTLS",
         {"S:* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello", "C:i1 CAPABILITY",
          "S:* CAPABILITY IMAP4rev1 AUTH=PLAIN", "S:i1 OK", "QUIET"}},
    };
    Fixture *f = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
        f->settings->tls = openings[i].tls;
        start(f, openings[i].steps);
        f->settings->tls = IMAP_TLS_IMPLICIT;
        wait_for(&f->opened);
        check_script(f);
        assert_error(f->open_error, openings[i].code, openings[i].words);
        drop(f);
    }
}

#define PLAIN_ANSWER "AG1lAHNlY3JldA=="

static void
login_takes_the_way_that_is_offered(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("AUTH=PLAIN SASL-IR"),
          "C:i2 AUTHENTICATE PLAIN " PLAIN_ANSWER,
          "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("AUTH=PLAIN"), "C:i2 AUTHENTICATE PLAIN", "QUIET", "S:+ ",
          "C:" PLAIN_ANSWER, "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("AUTH=PLAIN"), "C:i2 AUTHENTICATE PLAIN", "S:+",
          "C:" PLAIN_ANSWER, "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("AUTH=LOGIN"), "C:i2 AUTHENTICATE LOGIN", "S:+ VXNlcm5hbWU6",
          "C:bWU=", "S:+ UGFzc3dvcmQ6", "C:c2VjcmV0",
          "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
        /* Nothing may follow LOGIN before its OK. */
        {IMAP_TLS_OFF,
         -1,
         NULL,
         {CAPABLE("ID"), "C:i2 LOGIN me secret", "QUIET",
          "S:i2 OK [CAPABILITY IMAP4rev1] in"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

static void
login_refused_says_what_the_server_said(void **state)
{
    static const Opening openings[] = {
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "wrong, try again",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:i2 NO wrong, try again"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "no sugar; check the user name and the password or token",
         {CAPABLE("AUTH=PLAIN"), "C:i2 AUTHENTICATE PLAIN",
          "S:i2 NO [AUTHENTICATIONFAILED] no sugar"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "too old; set a new password at the provider",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:i2 NO [EXPIRED] too old"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "locked; ask whoever runs the server",
         {CAPABLE(""), "C:i2 LOGIN me secret",
          "S:i2 NO [CONTACTADMIN] locked"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "no IMAP; check the user name, or ask whoever runs the server",
         {CAPABLE(""), "C:i2 LOGIN me secret",
          "S:i2 NO [AUTHORIZATIONFAILED] no IMAP"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "",
         {CAPABLE("LOGINDISABLED"), "QUIET"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_UNAVAILABLE,
         "for now: database",
         {CAPABLE(""), "C:i2 LOGIN me secret",
          "S:i2 NO [UNAVAILABLE] database"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_NO,
         "for now: Internal login failure; try again later",
         {CAPABLE(""), "C:i2 LOGIN me secret",
          "S:i2 NO [SERVERBUG] Internal login failure"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_LIMIT,
         "for now",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:i2 NO [LIMIT] many"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_CLOSED,
         "tired",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:* BYE tired"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

static void
login_to_a_lying_server_ends(void **state)
{
    static const Opening openings[] = {
        /* More is asked for than LOGIN has. */
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "asks for more",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:+ ", "QUIET"}},
        /* The answer comes before the question. */
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "not sent",
         {CAPABLE(""), "S:i2 OK in"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "not sent",
         {CAPABLE(""), "C:i2 LOGIN *", "S:i7 OK in"}},
        /* SCRAM: OK without proof; nonsense, which we cancel; and a server
         * that has no end. */
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "without proving",
         {CAPABLE("AUTH=SCRAM-SHA-256 SASL-IR"),
          "C:i2 AUTHENTICATE SCRAM-SHA-256 *", "S:i2 OK in"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "makes no sense",
         {CAPABLE("AUTH=SCRAM-SHA-256 SASL-IR"),
          "C:i2 AUTHENTICATE SCRAM-SHA-256 *", "S:+ bm9uc2Vuc2U=", "C:?",
          "S:i2 BAD cancelled"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "makes no sense",
         {CAPABLE("AUTH=SCRAM-SHA-256 SASL-IR"),
          "C:i2 AUTHENTICATE SCRAM-SHA-256 *", "S:+ bm9uc2Vuc2U=", "C:?",
          "S:i2 OK cancelled"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_AUTHENTICATION,
         "makes no sense",
         {CAPABLE("AUTH=SCRAM-SHA-256 SASL-IR"),
          "C:i2 AUTHENTICATE SCRAM-SHA-256 *", "S:+ bm9uc2Vuc2U=", "C:?",
          "S:+ more", "QUIET"}},
        {IMAP_TLS_OFF,
         IMAP_ERROR_PROTOCOL,
         "PREAUTH",
         {CAPABLE(""), "C:i2 LOGIN me secret", "S:* PREAUTH in"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
}

static void
password_with_line_break_ends_the_login_at_once(void **state)
{
    Fixture *f = *state;
    static const Opening opening = {
        IMAP_TLS_OFF,
        IMAP_ERROR_ARGUMENT,
        "line break",
        {CAPABLE(""), "QUIET"},
    };

    imap_secret_unref(f->settings->password);
    f->settings->password = imap_secret_new("a\r\nb", 4);
    try_opening(f, &opening);
}

static void
final_three_are_pipelined_and_their_answers_kept(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        "S:* OK hello",
        "C:i1 CAPABILITY",
        /* Said before it was asked: not to be believed. */
        "S:* NAMESPACE ((\"\" \"/\")) ((\"evil/\" \"/\")) NIL",
        "S:* CAPABILITY IMAP4rev1",
        "S:i1 OK done",
        "C:i2 LOGIN me secret",
        "S:i2 OK [CAPABILITY IMAP4rev1 ID ENABLE UTF8=ACCEPT NAMESPACE] in",
        "C:i3 ID (\"name\" \"imapfs\" \"version\" *)",
        "C:i4 ENABLE UTF8=ACCEPT",
        "C:i5 NAMESPACE",
        "S:* ENABLED UTF8=ACCEPT",
        "S:i4 OK",
        "R:* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")({4}\r\nx\r\ny \"/\")) "
        "((\"#shared/\" \"/\"))\r\n",
        "S:i5 OK",
        "S:i3 BAD what",
        NULL,
    };
    char **prefixes;

    open_ready(f, steps);
    assert_true(imap_connection_is_utf8(f->connection));
    prefixes = imap_connection_foreign_namespaces(f->connection);
    assert_int_equal(g_strv_length(prefixes), 2);
    assert_string_equal(prefixes[0], "~");
    assert_string_equal(prefixes[1], "#shared/");
}

static void
final_three_unanswered_promise_nothing(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        "S:* OK hello",
        "C:i1 CAPABILITY",
        "S:* CAPABILITY IMAP4rev1",
        "S:* ENABLED UTF8=ACCEPT",
        "S:i1 OK done",
        "C:i2 LOGIN me secret",
        "S:i2 OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT] in",
        "C:i3 ENABLE UTF8=ACCEPT",
        "S:i3 OK as iCloud does",
        NULL,
    };

    open_ready(f, steps);
    assert_false(imap_connection_is_utf8(f->connection));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(greeting_decides_what_follows),
        connection_test(capabilities_are_asked_for_and_believed_late),
        connection_test(server_is_known_by_what_it_says),
        connection_test(refusal_counts_when_the_server_has_named_the_mechanism),
        connection_test(starttls_is_required_and_not_to_be_tampered_with),
        connection_test(
            clear_connection_does_not_pass_for_one_with_tls_from_the_start),
        connection_test(login_takes_the_way_that_is_offered),
        connection_test(login_refused_says_what_the_server_said),
        connection_test(login_to_a_lying_server_ends),
        connection_test(password_with_line_break_ends_the_login_at_once),
        connection_test(final_three_are_pipelined_and_their_answers_kept),
        connection_test(final_three_unanswered_promise_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
