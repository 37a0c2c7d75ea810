/* A connection against servers that follow a script: from the greeting to the
 * requests, and each way in which it can go wrong. */
#include "imap/connection-private.h"
#include "imap/error.h"
#include "imap/requests.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_MS 100
/* For tests in which nothing is to time out. */
#define LONG_TIMEOUT_MS 10000

/* The steps up to the first command of a test, which is i3. */
#define LOGIN(capabilities)                                                    \
    "S:* OK hello", "C:i1 CAPABILITY",                                         \
        "S:* CAPABILITY IMAP4rev1 " capabilities, "S:i1 OK done",              \
        "C:i2 LOGIN me secret",                                                \
        "S:i2 OK [CAPABILITY IMAP4rev1 " capabilities "] in"

typedef struct {
    ImapSettings *settings;
    ImapConnection *connection;
    Script *script;
    gboolean opened;
    GError *open_error;
    gboolean closed;

    gboolean done; /* of the command of a test */
    guint n_done;
    GError *error;
    GString *log;
} Fixture;

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->settings = imap_settings_new();
    g_free(f->settings->host);
    f->settings->host = g_strdup("127.0.0.1");
    f->settings->tls = IMAP_TLS_OFF;
    g_free(f->settings->username);
    f->settings->username = g_strdup("me");
    f->settings->password = imap_secret_new("secret", 6);
    f->settings->timeout_ms = LONG_TIMEOUT_MS;
    f->log = g_string_new(NULL);
    *state = f;
    return 0;
}

static void
drop(Fixture *f)
{
    g_clear_pointer(&f->connection, imap_connection_unref);
    g_clear_pointer(&f->script, script_free);
    g_clear_error(&f->open_error);
    g_clear_error(&f->error);
    g_string_truncate(f->log, 0);
    f->opened = f->closed = f->done = FALSE;
    f->n_done = 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    drop(f);
    imap_settings_free(f->settings);
    g_string_free(f->log, TRUE);
    g_free(f);
    return 0;
}

static void
on_opened(ImapConnection *connection, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_false(f->opened);
    f->opened = TRUE;
    f->open_error = error != NULL ? g_error_copy(error) : NULL;
}

static void
on_closed(ImapConnection *connection, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_non_null(error);
    assert_false(f->closed);
    f->closed = TRUE;
}

static void
start_cut(Fixture *f, const char *const *steps, gsize cut)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    f->script = script_new(pair[1], steps, cut);
    f->connection = imap_connection_new(f->settings);
    imap_connection_set_closed(f->connection, on_closed, f);
    imap_connection_open_fd(f->connection, pair[0], on_opened, f);
    assert_false(f->opened);
}

static void
start(Fixture *f, const char *const *steps)
{
    start_cut(f, steps, G_MAXSIZE);
}

static void
check_script(Fixture *f)
{
    if (script_failure(f->script) != NULL)
        fail_msg("%s", script_failure(f->script));
}

static void
open_ready(Fixture *f, const char *const *steps)
{
    start(f, steps);
    wait_for(&f->opened);
    check_script(f);
    if (f->open_error != NULL)
        fail_msg("%s", f->open_error->message);
}

static void
assert_error(const GError *error, ImapError code, const char *words)
{
    if (error == NULL)
        fail_msg("no error, but \"%s\" was expected", words);
    if (!g_error_matches(error, IMAP_ERROR, code) ||
        strstr(error->message, words) == NULL)
        fail_msg("\"%s\" expected; error %d: %s", words, error->code,
                 error->message);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    f->done = TRUE;
    f->n_done++;
    g_clear_error(&f->error);
    f->error = error != NULL ? g_error_copy(error) : NULL;
}

static void
on_command_done(const ImapStatus *status, const GError *error,
                gpointer user_data)
{
    on_done(error, user_data);
}

static const ImapCommandHandler command_handler = {.done = on_command_done};

static guint
send_text(Fixture *f, const char *text)
{
    return imap_connection_send(f->connection, imap_command_new(text),
                                &command_handler, f);
}

static void
wait_done(Fixture *f)
{
    wait_for(&f->done);
    check_script(f);
    f->done = FALSE;
}

/* ---- getting in, or not ---- */

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
    };

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++)
        try_opening(*state, &openings[i]);
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
         "no sugar",
         {CAPABLE("AUTH=PLAIN"), "C:i2 AUTHENTICATE PLAIN",
          "S:i2 NO [AUTHENTICATIONFAILED] no sugar"}},
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

static void
on_list(const GArray *mailboxes, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((mailboxes == NULL) == (error != NULL));
    for (guint i = 0; mailboxes != NULL && i < mailboxes->len; i++)
        g_string_append_printf(
            f->log, "%s ", g_array_index(mailboxes, ImapListedMailbox, i).name);
    on_done(error, f);
}

static void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((found == NULL) == (error != NULL));
    if (found != NULL) {
        g_autofree char *text = imap_uid_set_to_string(found);

        g_string_append_printf(f->log, "[%s] ", text);
    }
    on_done(error, f);
}

static void
on_message(const ImapFetch *fetch, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u ", fetch->uid);
}

static const ImapFetchListHandler list_handler = {on_message, on_done};

static void
on_begin(guint64 size, gboolean certain, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u%s<", (guint)size,
                           certain ? "!" : "?");
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    g_string_append_len(((Fixture *)user_data)->log, (const char *)data,
                        length);
}

static void
on_end(gpointer user_data)
{
    g_string_append(((Fixture *)user_data)->log, "> ");
}

static void
on_discard(gpointer user_data)
{
    g_string_append(((Fixture *)user_data)->log, "# ");
}

static const ImapFetchBodyHandler body_handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
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
                        4 * TIMEOUT_MS * G_TIME_SPAN_MILLISECOND);
            drop(f);
        }
    }
}

static void
silence_counts_from_the_command_not_the_last_reply(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 NOOP", "S:i3 OK", "C:i4 NOOP",
        "QUIET",   "S:i4 OK",   NULL,
    };

    f->settings->timeout_ms = TIMEOUT_MS;
    open_ready(f, steps);
    send_text(f, "NOOP");
    wait_done(f);
    run_for(TIMEOUT_MS * 8 / 10);
    send_text(f, "NOOP");
    wait_done(f);
    assert_null(f->error);
}

static void
sending_does_not_extend_the_wait_for_what_was_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "HANG", NULL};
    gint64 began;

    f->settings->timeout_ms = TIMEOUT_MS;
    open_ready(f, steps);
    began = g_get_monotonic_time();
    for (guint i = 0; i < 10 && !f->done; i++) {
        send_text(f, "NOOP");
        run_for(TIMEOUT_MS / 4);
    }
    assert_true(f->done);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "NOOP");
    assert_true(g_get_monotonic_time() - began <
                2 * TIMEOUT_MS * G_TIME_SPAN_MILLISECOND);
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
        /* A namespace that is refused takes nothing away. */
        {-1,
         "INBOX ",
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

static void
paused_connection_reads_nothing_and_does_not_time_out(void **state)
{
    Fixture *f = *state;
    gsize size = 8 * 1024 * 1024;
    g_autoptr(GString) response = g_string_new("R:* 1 FETCH (UID 7 BODY[] {");
    const char *steps[] = {LOGIN(""), "C:i3 UID FETCH 7 *", NULL, "S:i3 OK",
                           NULL};
    guint64 received;

    g_string_append_printf(response, "%" G_GSIZE_FORMAT "}\r\n", size);
    for (gsize i = 0; i < size; i++)
        g_string_append_c(response, 'x');
    g_string_append(response, ")\r\n");
    steps[G_N_ELEMENTS(steps) - 3] = response->str;

    f->settings->timeout_ms = TIMEOUT_MS;
    open_ready(f, steps);
    imap_request_fetch_body(f->connection, 7, &body_handler, f);
    while (f->log->len < 100000)
        g_main_context_iteration(NULL, TRUE);
    imap_connection_set_paused(f->connection, TRUE);
    received = imap_connection_bytes_received(f->connection);
    run_for(TIMEOUT_MS * 2);
    assert_int_equal(imap_connection_bytes_received(f->connection), received);
    assert_true(received < size);
    assert_false(f->done);
    imap_connection_set_paused(f->connection, FALSE);
    wait_done(f);
    assert_null(f->error);
    assert_true(f->log->len > size);
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

#define connection_test(name)                                                  \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(greeting_decides_what_follows),
        connection_test(capabilities_are_asked_for_and_believed_late),
        connection_test(starttls_is_required_and_not_to_be_tampered_with),
        connection_test(login_takes_the_way_that_is_offered),
        connection_test(login_refused_says_what_the_server_said),
        connection_test(login_to_a_lying_server_ends),
        connection_test(password_with_line_break_ends_the_login_at_once),
        connection_test(final_three_are_pipelined_and_their_answers_kept),
        connection_test(final_three_unanswered_promise_nothing),
        connection_test(session_whole_brings_everything),
        connection_test(session_cut_anywhere_ends_in_an_error),
        connection_test(session_hung_anywhere_times_out),
        connection_test(silence_counts_from_the_command_not_the_last_reply),
        connection_test(sending_does_not_extend_the_wait_for_what_was_sent),
        connection_test(commands_are_pipelined_to_the_depth),
        connection_test(argument_with_line_break_never_reaches_the_wire),
        connection_test(tag_unknown_closes_and_cancelled_does_not),
        connection_test(logout_is_sent_and_closes),
        connection_test(logout_unanswered_leaves_nothing_behind),
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
        connection_test(handler_may_do_anything_anywhere),
        connection_test(unref_of_open_connection_ends_its_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
