/* Which SASL mechanism to use, and the talk of it.
 *
 * The choice is one table, strongest first, walked once. gsasl speaks what
 * needs cryptography; OAUTHBEARER and XOAUTH2 are one line with the token in
 * it, and a second one to acknowledge the server's complaint.
 *
 * No -PLUS variant is offered: channel binding would need the transport's TLS,
 * and few servers have it. */
#include "imap/auth.h"
#include "imap/error.h"
#include "imap/secret.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* The server chooses how often we hash, while the loop stands still: this many
 * take about a second. */
#define SCRAM_ITERATIONS_MAX 1000000
#define SERVER_MESSAGE_MAX 500 /* octets */
#define OFFER_SHOWN 12         /* mechanisms */

typedef enum {
    NEEDS_TOKEN,
    NEEDS_CLIENT_CERT,
    NEEDS_PASSWORD,
} Need;

typedef struct {
    const char *name;
    Need need;
    gboolean shows_secret; /* to whoever listens on a line in clear */
    gboolean client_first;
    gboolean mutual; /* the server proves that it knows the password, too */
} Mechanism;

static const Mechanism mechanisms[] = {
    {"OAUTHBEARER", NEEDS_TOKEN, TRUE, TRUE, FALSE},
    {"XOAUTH2", NEEDS_TOKEN, TRUE, TRUE, FALSE},
    {"EXTERNAL", NEEDS_CLIENT_CERT, FALSE, TRUE, FALSE},
    {"SCRAM-SHA-256", NEEDS_PASSWORD, FALSE, TRUE, TRUE},
    {"SCRAM-SHA-1", NEEDS_PASSWORD, FALSE, TRUE, TRUE},
    {"PLAIN", NEEDS_PASSWORD, TRUE, TRUE, FALSE},
    {"LOGIN", NEEDS_PASSWORD, TRUE, FALSE, FALSE},
};

static const Mechanism login_command = {NULL, NEEDS_PASSWORD, TRUE, FALSE,
                                        FALSE};

struct ImapAuth {
    const ImapSettings *settings;
    const Mechanism *mechanism;
    Gsasl *library; /* NULL when done by hand */
    Gsasl_session *session;
    guint steps; /* answers given */
    gboolean complete;
    char *server_message;
};

/* ---- the choice ---- */

typedef struct {
    const ImapSettings *settings;
    const char *const *offered;
    gboolean login_disabled;
    gboolean may_show_secret;
    gboolean secret_refused; /* something would do, but not on this line */
} Choice;

static gboolean
is_offered(const Choice *choice, const Mechanism *mechanism)
{
    return mechanism == &login_command
               ? !choice->login_disabled
               : g_strv_contains(choice->offered, mechanism->name);
}

static gboolean
has_what_it_needs(const ImapSettings *settings, const Mechanism *mechanism)
{
    switch (mechanism->need) {
    case NEEDS_TOKEN:
        return settings->token != NULL;
    case NEEDS_CLIENT_CERT:
        /* With a password as well, the certificate may be for TLS alone. */
        return settings->client_cert != NULL &&
               (settings->password == NULL || settings->mechanism != NULL);
    case NEEDS_PASSWORD:
        return settings->password != NULL;
    }
    return FALSE;
}

static gboolean
will_do(Choice *choice, const Mechanism *mechanism)
{
    const char *wanted = choice->settings->mechanism;
    /* "LOGIN" also means the command, for a server without the mechanism. */
    const char *name = mechanism->name != NULL ? mechanism->name : "LOGIN";

    if (wanted != NULL && strcmp(wanted, name) != 0)
        return FALSE;
    if (!has_what_it_needs(choice->settings, mechanism) ||
        !is_offered(choice, mechanism))
        return FALSE;
    if (mechanism->shows_secret && !choice->may_show_secret) {
        choice->secret_refused = TRUE;
        return FALSE;
    }
    return TRUE;
}

static const Mechanism *
choose(Choice *choice)
{
    for (gsize i = 0; i < G_N_ELEMENTS(mechanisms); i++)
        if (will_do(choice, &mechanisms[i]))
            return &mechanisms[i];
    return will_do(choice, &login_command) ? &login_command : NULL;
}

/* ---- why nothing would do ---- */

static void fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(error,
                      g_error_new_valist(IMAP_ERROR, IMAP_ERROR_AUTHENTICATION,
                                         format, arguments));
    va_end(arguments);
}

static char *
describe_offer(const Choice *choice)
{
    GString *text = g_string_new(NULL);

    for (gsize i = 0; choice->offered[i] != NULL && i < OFFER_SHOWN; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
                               choice->offered[i]);
    if (text->len == 0)
        g_string_append(text, choice->login_disabled ? "nothing"
                                                     : "the LOGIN command");
    return g_string_free(text, FALSE);
}

static const Mechanism *
find_mechanism(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(mechanisms); i++)
        if (strcmp(mechanisms[i].name, name) == 0)
            return &mechanisms[i];
    return NULL;
}

static const char *
missing_option(Need need)
{
    switch (need) {
    case NEEDS_TOKEN:
        return "an access token: pass -o token_command=COMMAND";
    case NEEDS_CLIENT_CERT:
        return "a client certificate: pass -o client_cert=FILE";
    case NEEDS_PASSWORD:
        return "a password: pass -o password_file=FILE";
    }
    return "";
}

static void
explain_forced(const Choice *choice, const char *offer, GError **error)
{
    const char *wanted = choice->settings->mechanism;
    const Mechanism *mechanism = find_mechanism(wanted);

    if (mechanism == NULL)
        fail(error,
             "auth=%s is not known here; leave it out or choose among "
             "SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, EXTERNAL, OAUTHBEARER "
             "and XOAUTH2",
             wanted);
    else if (!has_what_it_needs(choice->settings, mechanism))
        fail(error, "auth=%s needs %s", wanted,
             missing_option(mechanism->need));
    else
        fail(error,
             "%s does not offer %s; leave auth= out or choose what it "
             "offers: %s",
             choice->settings->host, wanted, offer);
}

static void
explain(const Choice *choice, GError **error)
{
    const ImapSettings *settings = choice->settings;
    g_autofree char *offer = describe_offer(choice);

    if (choice->secret_refused)
        fail(error,
             "the line to %s is in clear, and logging in (it offers %s) would "
             "show your secret to everybody on the way; use tls=starttls or "
             "tls=implicit",
             settings->host, offer);
    else if (settings->mechanism != NULL)
        explain_forced(choice, offer, error);
    else if (settings->password == NULL && settings->token == NULL &&
             settings->client_cert == NULL)
        fail(error,
             "there is nothing to log in to %s with (it offers %s); pass "
             "-o password_file=FILE or -o token_command=COMMAND",
             settings->host, offer);
    else if (settings->password == NULL && settings->token != NULL)
        fail(error,
             "%s takes no access token (it offers %s); use -o "
             "password_file=FILE instead of token_command=",
             settings->host, offer);
    else if (settings->password == NULL)
        fail(error,
             "%s takes no login by client certificate (it offers %s); pass "
             "-o password_file=FILE as well",
             settings->host, offer);
    else if (settings->tls == IMAP_TLS_OFF)
        fail(error,
             "%s takes no password on a line in clear (it offers %s); use "
             "tls=starttls or tls=implicit",
             settings->host, offer);
    else
        fail(error,
             "%s offers no way of logging in with a password (it offers %s); "
             "if it wants OAuth2, pass -o token_command=COMMAND",
             settings->host, offer);
}

/* ---- what we send must be sendable ---- */

static gboolean
has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if (g_ascii_iscntrl(*text))
            return TRUE;
    return FALSE;
}

static gboolean
check_credentials(const ImapSettings *settings, const Mechanism *mechanism,
                  GError **error)
{
    const char *username = settings->username;

    if (mechanism->need != NEEDS_CLIENT_CERT &&
        (username == NULL || *username == '\0')) {
        fail(error,
             "no user name was given for %s; write it in the URL, "
             "imaps://USER@HOST/, or pass -o username=USER",
             settings->host);
        return FALSE;
    }
    if (username != NULL && has_control(username)) {
        fail(error, "the user name holds a control character; check username=");
        return FALSE;
    }
    if (mechanism->need == NEEDS_PASSWORD &&
        *imap_secret_text(settings->password) == '\0') {
        fail(error,
             "the password for %s is empty; check password_file= or "
             "password_command=",
             settings->host);
        return FALSE;
    }
    if (mechanism->need == NEEDS_TOKEN &&
        (*imap_secret_text(settings->token) == '\0' ||
         has_control(imap_secret_text(settings->token)))) {
        fail(error,
             "the access token for %s is empty or holds a control "
             "character; check token_command=",
             settings->host);
        return FALSE;
    }
    return TRUE;
}

/* gsasl would notice in the middle of the talk, and leak. */
static gboolean
check_saslprep(const ImapSettings *settings, const Mechanism *mechanism,
               GError **error)
{
    const char *texts[] = {settings->username,
                           imap_secret_text(settings->password)};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        char *prepared = NULL;
        int result = gsasl_saslprep(texts[i], 0, &prepared, NULL);

        if (prepared != NULL)
            OPENSSL_cleanse(prepared, strlen(prepared));
        gsasl_free(prepared);
        if (result != GSASL_OK) {
            fail(error,
                 "the %s holds characters that %s does not allow; use "
                 "auth=PLAIN",
                 i == 0 ? "user name" : "password", mechanism->name);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- life ---- */

static gboolean
start_session(ImapAuth *auth, GError **error)
{
    const ImapSettings *settings = auth->settings;
    int result = gsasl_init(&auth->library);

    if (result == GSASL_OK)
        result = gsasl_client_start(auth->library, auth->mechanism->name,
                                    &auth->session);
    if (result == GSASL_OK && auth->mechanism->need == NEEDS_PASSWORD) {
        gsasl_property_set(auth->session, GSASL_AUTHID, settings->username);
        gsasl_property_set(auth->session, GSASL_PASSWORD,
                           imap_secret_text(settings->password));
    } else if (result == GSASL_OK && settings->username != NULL) {
        gsasl_property_set(auth->session, GSASL_AUTHZID, settings->username);
    }
    if (result == GSASL_OK)
        return TRUE;
    fail(error, "cannot use %s here: %s; choose another with auth=",
         auth->mechanism->name, gsasl_strerror(result));
    return FALSE;
}

ImapAuth *
imap_auth_new(const ImapSettings *settings, const char *const *offered,
              gboolean login_disabled, gboolean encrypted, GError **error)
{
    g_autoptr(ImapAuth) auth = NULL;
    const Mechanism *mechanism;
    Choice choice = {
        .settings = settings,
        .offered = offered,
        .login_disabled = login_disabled,
        .may_show_secret = encrypted || settings->cleartext_password ||
                           imap_settings_is_loopback(settings),
    };

    mechanism = choose(&choice);
    if (mechanism == NULL) {
        explain(&choice, error);
        return NULL;
    }
    if (!check_credentials(settings, mechanism, error) ||
        (mechanism->mutual && !check_saslprep(settings, mechanism, error)))
        return NULL;

    auth = g_new0(ImapAuth, 1);
    auth->settings = settings;
    auth->mechanism = mechanism;
    auth->complete = mechanism == &login_command;
    if (mechanism != &login_command && mechanism->need != NEEDS_TOKEN &&
        !start_session(auth, error))
        return NULL;
    return g_steal_pointer(&auth);
}

void
imap_auth_free(ImapAuth *auth)
{
    if (auth == NULL)
        return;
    if (auth->session != NULL) {
        /* gsasl frees its copy of the password, but does not wipe it. */
        const char *copy = gsasl_property_fast(auth->session, GSASL_PASSWORD);

        if (copy != NULL)
            OPENSSL_cleanse((char *)copy, strlen(copy));
        gsasl_finish(auth->session);
    }
    if (auth->library != NULL)
        gsasl_done(auth->library);
    g_free(auth->server_message);
    g_free(auth);
}

const char *
imap_auth_mechanism(const ImapAuth *auth)
{
    return auth->mechanism->name;
}

gboolean
imap_auth_is_client_first(const ImapAuth *auth)
{
    return auth->mechanism->client_first;
}

gboolean
imap_auth_is_complete(const ImapAuth *auth)
{
    return auth->complete;
}

const char *
imap_auth_server_message(const ImapAuth *auth)
{
    return auth->server_message;
}

void
imap_auth_wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    g_free(text);
}

/* ---- OAuth2 ---- */

/* A GS2 saslname (RFC 5801 section 4): "=" and "," are escaped. */
static void
append_sasl_name(GString *text, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '=')
            g_string_append(text, "=3D");
        else if (*name == ',')
            g_string_append(text, "=2C");
        else
            g_string_append_c(text, *name);
    }
}

static char *
oauth_first_answer(const ImapAuth *auth)
{
    const ImapSettings *settings = auth->settings;
    const char *token = imap_secret_text(settings->token);
    /* Roomy enough never to move: a move would leave the token behind. */
    GString *text =
        g_string_sized_new(strlen(token) + 3 * strlen(settings->username) +
                           strlen(settings->host) + 64);
    char *encoded;

    if (strcmp(auth->mechanism->name, "XOAUTH2") == 0) {
        g_string_append_printf(text, "user=%s\1", settings->username);
    } else {
        g_string_append(text, "n,a=");
        append_sasl_name(text, settings->username);
        g_string_append_printf(text, ",\1host=%s\1port=%u\1", settings->host,
                               imap_settings_port(settings));
    }
    g_string_append(text, "auth=Bearer ");
    g_string_append(text, token);
    g_string_append(text, "\1\1");
    encoded = g_base64_encode((const guchar *)text->str, text->len);
    OPENSSL_cleanse(text->str, text->len);
    g_string_free(text, TRUE);
    return encoded;
}

/* What the server said, fit for a terminal. */
static char *
make_presentable(const guint8 *data, gsize length)
{
    g_autofree char *valid = g_utf8_make_valid(
        (const char *)data, (gssize)MIN(length, SERVER_MESSAGE_MAX));
    GString *text = g_string_new(NULL);

    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        g_string_append_unichar(text, g_unichar_isprint(c) ? c : ' ');
    }
    imap_secrets_hide(text);
    return g_string_free(text, FALSE);
}

static char *
oauth_step(ImapAuth *auth, const char *challenge, GError **error)
{
    g_autofree guint8 *complaint = NULL;
    gsize length;

    if (auth->steps == 0) {
        auth->complete = TRUE;
        return oauth_first_answer(auth);
    }
    auth->complete = FALSE;
    if (auth->steps > 1) {
        fail(error, "%s does not end the login by %s; try another auth=",
             auth->settings->host, auth->mechanism->name);
        return NULL;
    }
    /* The refusal comes as a challenge; the NO follows our answer to it. */
    complaint = g_base64_decode(challenge, &length);
    if (length > 0)
        auth->server_message = make_presentable(complaint, length);
    return g_strdup(strcmp(auth->mechanism->name, "XOAUTH2") == 0 ? ""
                                                                  : "AQ==");
}

/* ---- gsasl ---- */

/* The value of the attribute @key in the SCRAM message @text, up to the next
 * comma; NULL if there is none. */
static char *
scram_attribute(const char *text, char key)
{
    g_auto(GStrv) attributes = g_strsplit(text, ",", 16);

    for (gsize i = 0; attributes[i] != NULL; i++)
        if (attributes[i][0] == key && attributes[i][1] == '=')
            return g_strdup(attributes[i] + 2);
    return NULL;
}

/* What gsasl does not look after: how long the hashing will take, and the
 * server's own reason for a refusal. */
static gboolean
check_scram_challenge(ImapAuth *auth, const char *challenge, GError **error)
{
    gsize length;
    g_autofree guint8 *decoded = g_base64_decode(challenge, &length);
    g_autofree char *text = g_strndup((const char *)decoded, length);
    g_autofree char *iterations = scram_attribute(text, 'i');
    g_autofree char *refusal = scram_attribute(text, 'e');

    if (refusal != NULL) {
        g_autofree char *reason =
            make_presentable((const guint8 *)refusal, strlen(refusal));

        fail(error, "%s refuses the login: %s; check user name and password",
             auth->settings->host, reason);
        return FALSE;
    }
    if (memchr(decoded, '\0', length) != NULL) {
        fail(error,
             "%s speaks %s in a way that makes no sense; try another "
             "auth=",
             auth->settings->host, auth->mechanism->name);
        return FALSE;
    }
    if (iterations != NULL &&
        !g_ascii_string_to_unsigned(iterations, 10, 1, SCRAM_ITERATIONS_MAX,
                                    NULL, NULL)) {
        fail(error,
             "%s asks for an unreasonable number of hash iterations in %s; "
             "try auth=PLAIN",
             auth->settings->host, auth->mechanism->name);
        return FALSE;
    }
    return TRUE;
}

static void
explain_gsasl(const ImapAuth *auth, int result, GError **error)
{
    const char *host = auth->settings->host;
    const char *name = auth->mechanism->name;

    if (auth->mechanism->mutual && auth->steps > 1)
        fail(error,
             "%s does not prove that it knows the password (%s); it may be "
             "another server than it says",
             host, gsasl_strerror(result));
    else
        fail(error,
             "%s speaks %s in a way that makes no sense (%s); try "
             "another auth=",
             host, name, gsasl_strerror(result));
}

static char *
gsasl_answer(ImapAuth *auth, const char *challenge, GError **error)
{
    char *output = NULL;
    char *answer;
    int result;

    if (auth->complete) {
        auth->complete = FALSE;
        fail(error, "%s does not end the login by %s; try another auth=",
             auth->settings->host, auth->mechanism->name);
        return NULL;
    }
    if (auth->mechanism->mutual && auth->steps > 0 &&
        !check_scram_challenge(auth, challenge, error))
        return NULL;
    result = gsasl_step64(auth->session, challenge, &output);
    if (result != GSASL_OK && result != GSASL_NEEDS_MORE) {
        explain_gsasl(auth, result, error);
        return NULL;
    }
    auth->complete = result == GSASL_OK;
    answer = g_strdup(output != NULL ? output : "");
    if (output != NULL)
        OPENSSL_cleanse(output, strlen(output));
    gsasl_free(output);
    return answer;
}

char *
imap_auth_step(ImapAuth *auth, const char *challenge, GError **error)
{
    char *answer = auth->session != NULL ? gsasl_answer(auth, challenge, error)
                                         : oauth_step(auth, challenge, error);

    auth->steps++;
    return answer;
}
