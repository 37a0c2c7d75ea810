/* The choice of a mechanism, and the talk with gsasl's server side as an
 * independent judge. */
#include "imap/auth.h"
#include "imap/error.h"

#include <gsasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const char *host;
    const char *password; /* NULL: none; likewise the others */
    const char *token;
    gboolean client_cert;
    const char *forced;
    gboolean cleartext_password;
} Account;

static ImapSettings *
make_settings(const Account *account)
{
    ImapSettings *settings = imap_settings_new();

    settings->host =
        g_strdup(account->host != NULL ? account->host : "mail.example.org");
    settings->username = g_strdup("me");
    if (account->password != NULL)
        settings->password =
            imap_secret_new(account->password, strlen(account->password));
    if (account->token != NULL)
        settings->token =
            imap_secret_new(account->token, strlen(account->token));
    settings->client_cert = g_strdup(account->client_cert ? "c.pem" : NULL);
    settings->mechanism = g_strdup(account->forced);
    settings->cleartext_password = account->cleartext_password;
    return settings;
}

/* ---- choosing ---- */

static void
choice_takes_strongest_of_both(void **state)
{
    static const struct {
        Account account;
        const char *offered;
        gboolean login_disabled;
        gboolean encrypted;
        const char *chosen; /* "" for the LOGIN command */
    } cases[] = {
        {{.password = "p"},
         "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256",
         0,
         1,
         "SCRAM-SHA-256"},
        {{.password = "p"}, "PLAIN SCRAM-SHA-1 LOGIN", 0, 1, "SCRAM-SHA-1"},
        {{.password = "p"}, "SCRAM-SHA-256-PLUS LOGIN PLAIN", 0, 1, "PLAIN"},
        {{.password = "p"}, "GSSAPI LOGIN XOAUTH2", 1, 1, "LOGIN"},
        {{.password = "p"}, "GSSAPI", 0, 1, ""},
        {{.password = "p"}, "", 0, 1, ""},
        {{.token = "t"}, "XOAUTH2 PLAIN OAUTHBEARER", 0, 1, "OAUTHBEARER"},
        {{.token = "t"}, "XOAUTH2 PLAIN", 0, 1, "XOAUTH2"},
        {{.token = "t", .password = "p"}, "PLAIN", 0, 1, "PLAIN"},
        {{.client_cert = TRUE}, "PLAIN EXTERNAL", 0, 1, "EXTERNAL"},
        {{.client_cert = TRUE, .password = "p"},
         "PLAIN EXTERNAL",
         0,
         1,
         "PLAIN"},
        {{.client_cert = TRUE, .password = "p", .forced = "EXTERNAL"},
         "PLAIN EXTERNAL",
         0,
         1,
         "EXTERNAL"},
        {{.password = "p", .forced = "PLAIN"},
         "SCRAM-SHA-256 PLAIN",
         0,
         1,
         "PLAIN"},
        {{.password = "p", .forced = "LOGIN"},
         "SCRAM-SHA-256 LOGIN",
         0,
         1,
         "LOGIN"},
        {{.password = "p", .forced = "LOGIN"}, "SCRAM-SHA-256", 0, 1, ""},
        {{.password = "p", .token = "t", .forced = "PLAIN"},
         "OAUTHBEARER PLAIN",
         0,
         1,
         "PLAIN"},
        /* In clear. */
        {{.password = "p"}, "PLAIN SCRAM-SHA-1", 0, 0, "SCRAM-SHA-1"},
        {{.password = "p", .host = "127.0.0.1"}, "PLAIN", 0, 0, "PLAIN"},
        {{.password = "p", .host = "localhost"}, "", 0, 0, ""},
        {{.token = "t", .host = "::1"}, "XOAUTH2", 0, 0, "XOAUTH2"},
        {{.password = "p", .cleartext_password = TRUE}, "LOGIN", 0, 0, "LOGIN"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapSettings) settings = make_settings(&cases[i].account);
        g_auto(GStrv) offered = g_strsplit(cases[i].offered, " ", 0);
        g_autoptr(GError) error = NULL;
        g_autoptr(ImapAuth) auth = NULL;
        const char *chosen;

        if (*cases[i].offered == '\0')
            g_clear_pointer(&offered[0], g_free);
        auth =
            imap_auth_new(settings, (const char *const *)offered,
                          cases[i].login_disabled, cases[i].encrypted, &error);
        print_message("# case %u: %s\n", (guint)i,
                      error != NULL ? error->message : "");
        assert_non_null(auth);
        chosen = imap_auth_mechanism(auth);
        assert_string_equal(chosen != NULL ? chosen : "", cases[i].chosen);
        assert_int_equal(imap_auth_is_complete(auth), chosen == NULL);
        assert_int_equal(imap_auth_is_client_first(auth),
                         chosen != NULL && strcmp(chosen, "LOGIN") != 0);
    }
}

static void
choice_impossible_names_offer_and_remedy(void **state)
{
    static const struct {
        Account account;
        const char *offered;
        gboolean login_disabled;
        gboolean encrypted;
        const char *says[3];
    } cases[] = {
        {{.password = "p"}, "PLAIN LOGIN", 0, 0, {"in clear", "tls=", "PLAIN"}},
        {{.password = "p", .forced = "LOGIN"}, "X", 0, 0, {"in clear"}},
        {{.token = "t"}, "XOAUTH2", 0, 0, {"in clear", "tls="}},
        {{.password = "p", .host = "128.0.0.1"}, "PLAIN", 0, 0, {"in clear"}},
        {{.password = "p"}, "GSSAPI", 1, 1, {"GSSAPI", "token_command="}},
        {{.token = "t"}, "PLAIN", 0, 1, {"PLAIN", "password_file="}},
        {{.client_cert = TRUE}, "PLAIN", 0, 1, {"PLAIN", "password_file="}},
        {{.host = NULL}, "PLAIN", 0, 1, {"password_file=", "token_command="}},
        {{.password = "p", .forced = "SCRAM-SHA-256"},
         "PLAIN",
         0,
         1,
         {"PLAIN", "SCRAM-SHA-256", "auth="}},
        {{.password = "p", .forced = "LOGIN"},
         "PLAIN",
         1,
         1,
         {"PLAIN", "LOGIN", "auth="}},
        {{.password = "p", .forced = "GSSAPI"},
         "GSSAPI",
         0,
         1,
         {"auth=GSSAPI", "SCRAM-SHA-1"}},
        {{.password = "p", .forced = "XOAUTH2"},
         "XOAUTH2",
         0,
         1,
         {"token_command="}},
        {{.password = "p", .forced = "EXTERNAL"},
         "EXTERNAL",
         0,
         1,
         {"client_cert="}},
        {{.token = "t", .forced = "PLAIN"}, "PLAIN", 0, 1, {"password_file="}},
        {{.password = ""}, "PLAIN", 0, 1, {"empty", "password_file="}},
        {{.token = ""}, "XOAUTH2", 0, 1, {"empty", "token_command="}},
        {{.token = "a\1b"}, "XOAUTH2", 0, 1, {"control", "token_command="}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapSettings) settings = make_settings(&cases[i].account);
        g_auto(GStrv) offered = g_strsplit(cases[i].offered, " ", 0);
        g_autoptr(GError) error = NULL;
        g_autoptr(ImapAuth) auth =
            imap_auth_new(settings, (const char *const *)offered,
                          cases[i].login_disabled, cases[i].encrypted, &error);

        assert_null(auth);
        assert_true(
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION));
        print_message("# %s\n", error->message);
        for (gsize j = 0; j < 3 && cases[i].says[j] != NULL; j++)
            assert_non_null(strstr(error->message, cases[i].says[j]));
    }
}

static void
username_absent_is_refused(void **state)
{
    static const char *const offered[] = {"PLAIN", NULL};
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = "p"});
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&settings->username, g_free);
    assert_null(imap_auth_new(settings, offered, FALSE, TRUE, &error));
    assert_non_null(strstr(error->message, "username="));
}

/* ---- talking ---- */

typedef struct {
    Gsasl *library;
    Gsasl_session *session;
    const char *username;
    const char *password;
    gboolean external; /* EXTERNAL was validated */
} Judge;

static int
on_judge(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    Judge *judge = gsasl_session_hook_get(session);

    switch ((int)property) {
    case GSASL_PASSWORD:
        if (g_strcmp0(gsasl_property_fast(session, GSASL_AUTHID),
                      judge->username) != 0)
            return GSASL_AUTHENTICATION_ERROR;
        return gsasl_property_set(session, GSASL_PASSWORD, judge->password);
    case GSASL_VALIDATE_EXTERNAL:
        judge->external = TRUE;
        return GSASL_OK;
    default:
        return GSASL_NO_CALLBACK;
    }
}

static void
judge_start(Judge *judge, const char *mechanism)
{
    assert_int_equal(gsasl_init(&judge->library), GSASL_OK);
    gsasl_callback_set(judge->library, on_judge);
    assert_int_equal(
        gsasl_server_start(judge->library, mechanism, &judge->session),
        GSASL_OK);
    gsasl_session_hook_set(judge->session, judge);
}

static void
judge_finish(Judge *judge)
{
    gsasl_finish(judge->session);
    gsasl_done(judge->library);
}

static ImapAuth *
start(const ImapSettings *settings, const char *mechanism)
{
    const char *offered[] = {mechanism, NULL};
    g_autoptr(GError) error = NULL;
    ImapAuth *auth = imap_auth_new(settings, offered, TRUE, TRUE, &error);

    assert_null(error);
    assert_string_equal(imap_auth_mechanism(auth), mechanism);
    return auth;
}

/* Talks until one side ends it; what the judge says of us. */
static int
talk(ImapAuth *auth, Judge *judge)
{
    char *challenge = g_strdup("");
    int verdict = GSASL_NEEDS_MORE;

    if (!imap_auth_is_client_first(auth)) {
        char *output = NULL;

        verdict = gsasl_step64(judge->session, NULL, &output);
        g_free(challenge);
        challenge = g_strdup(output != NULL ? output : "");
        gsasl_free(output);
    }
    while (verdict == GSASL_NEEDS_MORE) {
        g_autoptr(GError) error = NULL;
        char *answer = imap_auth_step(auth, challenge, &error);
        char *output = NULL;

        assert_null(error);
        verdict = gsasl_step64(judge->session, answer, &output);
        imap_auth_wipe(answer);
        g_free(challenge);
        challenge = g_strdup(output != NULL ? output : "");
        gsasl_free(output);
        /* What the server adds to its success: SCRAM's proof. */
        if (verdict == GSASL_OK && *challenge != '\0') {
            answer = imap_auth_step(auth, challenge, &error);
            assert_null(error);
            assert_string_equal(answer, "");
            imap_auth_wipe(answer);
        }
    }
    g_free(challenge);
    return verdict;
}

static void
password_is_judged(const char *mechanism, const char *username,
                   const char *given, const char *right, int expected)
{
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = given});
    g_autoptr(ImapAuth) auth = NULL;
    Judge judge = {.username = username, .password = right};

    g_free(settings->username);
    settings->username = g_strdup(username);
    auth = start(settings, mechanism);
    judge_start(&judge, mechanism);
    assert_int_equal(talk(auth, &judge), expected);
    if (expected == GSASL_OK)
        assert_true(imap_auth_is_complete(auth));
    judge_finish(&judge);
}

static void
password_right_succeeds_and_wrong_fails(void **state)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1",
                                             "PLAIN", "LOGIN"};

    for (gsize i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        password_is_judged(mechanisms[i], "me", "pencil", "pencil", GSASL_OK);
        password_is_judged(mechanisms[i], "a=b,c=2C", "pa,ss=wörd",
                           "pa,ss=wörd", GSASL_OK);
        password_is_judged(mechanisms[i], "me", "pencil", "stencil",
                           GSASL_AUTHENTICATION_ERROR);
    }
}

static void
external_sends_username(void **state)
{
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.client_cert = TRUE});
    g_autoptr(ImapAuth) auth = start(settings, "EXTERNAL");
    g_autoptr(GError) error = NULL;
    char *answer = imap_auth_step(auth, "", &error);

    assert_string_equal(answer, "bWU=");
    assert_true(imap_auth_is_complete(auth));
    imap_auth_wipe(answer);
}

/* Goes on until the client has sent its proof; the judge's final message. */
static char *
scram_until_proof(ImapAuth *auth, Judge *judge)
{
    char *first = imap_auth_step(auth, "", NULL);
    char *challenge = NULL;
    char *proof;
    char *final = NULL;

    assert_int_equal(gsasl_step64(judge->session, first, &challenge),
                     GSASL_NEEDS_MORE);
    assert_false(imap_auth_is_complete(auth));
    proof = imap_auth_step(auth, challenge, NULL);
    assert_non_null(proof);
    assert_int_equal(gsasl_step64(judge->session, proof, &final), GSASL_OK);
    imap_auth_wipe(first);
    imap_auth_wipe(proof);
    gsasl_free(challenge);
    return final;
}

static void
scram_early_ok_is_incomplete_and_forged_proof_fails(void **state)
{
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = "pencil"});
    g_autoptr(ImapAuth) auth = start(settings, "SCRAM-SHA-256");
    g_autoptr(GError) error = NULL;
    Judge judge = {.username = "me", .password = "pencil"};
    g_autofree guint8 *decoded = NULL;
    g_autofree char *forged = NULL;
    gsize length;
    char *final;

    judge_start(&judge, "SCRAM-SHA-256");
    final = scram_until_proof(auth, &judge);
    /* An OK now would come from a server that has not proven itself. */
    assert_false(imap_auth_is_complete(auth));
    decoded = g_base64_decode(final, &length);
    decoded[2] = decoded[2] == 'A' ? 'B' : 'A'; /* "v=…" */
    forged = g_base64_encode(decoded, length);
    assert_null(imap_auth_step(auth, forged, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION));
    assert_non_null(strstr(error->message, "does not prove"));
    assert_false(imap_auth_is_complete(auth));
    gsasl_free(final);
    judge_finish(&judge);
}

static void
scram_challenge_after_end_is_refused(void **state)
{
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = "pencil"});
    g_autoptr(ImapAuth) auth = start(settings, "SCRAM-SHA-1");
    g_autoptr(GError) error = NULL;
    Judge judge = {.username = "me", .password = "pencil"};
    char *final;
    char *answer;

    judge_start(&judge, "SCRAM-SHA-1");
    final = scram_until_proof(auth, &judge);
    answer = imap_auth_step(auth, final, NULL);
    assert_string_equal(answer, "");
    assert_true(imap_auth_is_complete(auth));
    assert_null(imap_auth_step(auth, final, &error));
    assert_non_null(error);
    assert_false(imap_auth_is_complete(auth));
    imap_auth_wipe(answer);
    gsasl_free(final);
    judge_finish(&judge);
}

/* @format gets the client's nonce. */
static void
scram_first_challenge_is_refused(const char *format, gsize nul_at_end,
                                 const char *says)
{
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = "pencil"});
    g_autoptr(ImapAuth) auth = start(settings, "SCRAM-SHA-256");
    g_autoptr(GError) error = NULL;
    char *first = imap_auth_step(auth, "", NULL);
    gsize length;
    g_autofree guint8 *decoded = g_base64_decode(first, &length);
    g_autofree char *text = g_strndup((char *)decoded, length);
    g_autofree char *message = NULL;
    g_autofree char *challenge = NULL;
    g_auto(GStrv) halves = g_strsplit(format, "NONCE", 2);

    message = g_strjoin(strstr(text, ",r=") + 3, halves[0],
                        halves[1] != NULL ? halves[1] : NULL, NULL);
    challenge =
        g_base64_encode((guchar *)message, strlen(message) + nul_at_end);
    assert_null(imap_auth_step(auth, challenge, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION));
    print_message("# %s\n", error->message);
    assert_non_null(strstr(error->message, says));
    assert_false(imap_auth_is_complete(auth));
    imap_auth_wipe(first);
}

static void
scram_hostile_challenge_is_refused(void **state)
{
    scram_first_challenge_is_refused("r=NONCEx,s=QUFBQUFBQUE=,i=4294967295", 0,
                                     "iterations");
    scram_first_challenge_is_refused("r=NONCEx,s=QUFBQUFBQUE=,i=1000001", 0,
                                     "iterations");
    scram_first_challenge_is_refused("r=NONCEx,s=QUFBQUFBQUE=,i=4096", 1,
                                     "makes no sense");
    scram_first_challenge_is_refused("r=other,s=QUFBQUFBQUE=,i=4096", 0,
                                     "makes no sense");
    scram_first_challenge_is_refused("garbage", 0, "makes no sense");
    scram_first_challenge_is_refused("e=unknown-user", 0, "unknown-user");
}

static void
scram_password_beyond_saslprep_names_plain(void **state)
{
    static const char *const offered[] = {"SCRAM-SHA-256", "PLAIN", NULL};
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.password = "a\x07z"});
    g_autoptr(GError) error = NULL;

    assert_null(imap_auth_new(settings, offered, FALSE, TRUE, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION));
    assert_non_null(strstr(error->message, "auth=PLAIN"));
}

static void
assert_decodes(const char *encoded, const char *expected)
{
    gsize length;
    g_autofree guint8 *decoded = g_base64_decode(encoded, &length);

    assert_int_equal(length, strlen(expected));
    assert_memory_equal(decoded, expected, length);
}

static void
oauth_refusal_is_kept_and_acknowledged(const char *mechanism,
                                       const char *first_line,
                                       const char *acknowledgement)
{
    static const char json[] = "{\"status\":\"401\",\n\"scope\":\"\x1b[31m\"}";
    g_autoptr(ImapSettings) settings =
        make_settings(&(Account){.token = "ya29.tok=en"});
    g_autoptr(ImapAuth) auth = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *challenge =
        g_base64_encode((const guchar *)json, sizeof json - 1);
    char *answer;

    g_free(settings->username);
    settings->username = g_strdup("m,e=@x");
    auth = start(settings, mechanism);
    answer = imap_auth_step(auth, "", &error);
    assert_decodes(answer, first_line);
    assert_true(imap_auth_is_complete(auth));
    assert_null(imap_auth_server_message(auth));
    imap_auth_wipe(answer);

    answer = imap_auth_step(auth, challenge, &error);
    assert_string_equal(answer, acknowledgement);
    assert_string_equal(imap_auth_server_message(auth),
                        "{\"status\":\"401\", \"scope\":\" [31m\"}");
    assert_false(imap_auth_is_complete(auth));
    imap_auth_wipe(answer);

    assert_null(imap_auth_step(auth, challenge, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION));
}

static void
oauth_is_one_line_and_acknowledges_refusal(void **state)
{
    oauth_refusal_is_kept_and_acknowledged(
        "XOAUTH2", "user=m,e=@x\1auth=Bearer ya29.tok=en\1\1", "");
    oauth_refusal_is_kept_and_acknowledged(
        "OAUTHBEARER",
        "n,a=m=2Ce=3D@x,\1host=mail.example.org\1port=993\1"
        "auth=Bearer ya29.tok=en\1\1",
        "AQ==");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choice_takes_strongest_of_both),
        cmocka_unit_test(choice_impossible_names_offer_and_remedy),
        cmocka_unit_test(username_absent_is_refused),
        cmocka_unit_test(password_right_succeeds_and_wrong_fails),
        cmocka_unit_test(external_sends_username),
        cmocka_unit_test(scram_early_ok_is_incomplete_and_forged_proof_fails),
        cmocka_unit_test(scram_challenge_after_end_is_refused),
        cmocka_unit_test(scram_hostile_challenge_is_refused),
        cmocka_unit_test(scram_password_beyond_saslprep_names_plain),
        cmocka_unit_test(oauth_is_one_line_and_acknowledges_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
