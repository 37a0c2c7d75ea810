/* From the greeting to the state in which a mailbox can be selected.
 *
 * Each step is one function that sends a command, and one that takes its reply
 * and calls the next step. Capabilities are asked for again after STARTTLS and
 * after the login, unless the OK brings them: the older ones are worth nothing.
 * Those of the greeting save a round trip if they say how to go on; they are
 * mangled by some proxies, and believed for nothing else. A refusal is not
 * believed before the server itself has named the mechanism that it refuses.
 *
 * A done function whose status is NULL has nothing to do but close: either the
 * connection is closed already, or the command could not be sent.
 *
 * STARTTLS (RFC 9051 section 6.2.1) is never opportunistic: no STARTTLS, no
 * login; nothing that came in clear is believed, and a PREAUTH in clear, which
 * would make us skip it, ends the connection. */
#include "imap/login.h"

#include "imap/auth.h"
#include "imap/connection-private.h"
#include "imap/error.h"

#include <string.h>

/* Of a server's name, and of its version, that are kept. */
#define ID_OCTETS 100

struct ImapLogin {
    ImapConnection *connection;
    ImapAuth *auth;
    gboolean waits; /* until the credentials may be sent */
    gboolean authenticated;
    GError *abort_reason;
    gboolean is_greeting_believed; /* the capabilities are those of it */
    GError *refusal;     /* of a mechanism that is in doubt; or NULL */
    guint n_final;       /* of ID, ENABLE and NAMESPACE, unanswered */
    gboolean no_qresync; /* it is broken */
};

static void ask_capability(ImapLogin *login);

static void fail(ImapLogin *login, ImapError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void
fail(ImapLogin *login, ImapError code, const char *format, ...)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    error = g_error_new_literal(IMAP_ERROR, code, text);
    imap_connection_close(login->connection, error);
}

static const char *
host_of(const ImapLogin *login)
{
    return imap_connection_settings(login->connection)->host;
}

static void
take_capabilities(ImapLogin *login, ImapCapabilities *capabilities)
{
    ImapSession *session = imap_connection_session(login->connection);

    g_clear_pointer(&session->capabilities, imap_capabilities_free);
    session->capabilities = capabilities;
}

ImapLogin *
imap_login_new(ImapConnection *connection)
{
    ImapLogin *login = g_new0(ImapLogin, 1);

    login->connection = connection;
    return login;
}

void
imap_login_free(ImapLogin *login)
{
    if (login == NULL)
        return;
    imap_auth_free(login->auth);
    g_clear_error(&login->abort_reason);
    g_clear_error(&login->refusal);
    g_free(login);
}

const GError *
imap_login_refusal(const ImapLogin *login)
{
    return login->refusal;
}

/* ---- ID, ENABLE, NAMESPACE: one round trip for the three ---- */

static void
finish(ImapLogin *login)
{
    if (login->no_qresync)
        imap_connection_session(login->connection)->qresync = FALSE;
    imap_connection_set_ready(login->connection);
}

static void
on_final_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    ImapLogin *login = user_data;

    if (status == NULL)
        imap_connection_close(login->connection, error);
    /* None of the three is worth failing for. */
    else if (--login->n_final == 0)
        finish(login);
}

static void
take_namespaces(ImapLogin *login, const ImapNamespaces *namespaces)
{
    ImapSession *session = imap_connection_session(login->connection);
    const GArray *groups[] = {namespaces->other, namespaces->shared};
    GPtrArray *prefixes = g_ptr_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
        for (guint j = 0; j < groups[i]->len && prefixes->len < 64; j++) {
            const char *prefix =
                g_array_index(groups[i], ImapNamespace, j).prefix;

            if (prefix[0] != '\0' && strpbrk(prefix, "\r\n") == NULL)
                g_ptr_array_add(prefixes, g_strdup(prefix));
        }
    g_ptr_array_add(prefixes, NULL);
    g_strfreev(session->foreign_namespaces);
    session->foreign_namespaces = (char **)g_ptr_array_free(prefixes, FALSE);
}

/* Taken here alone: what comes before, perhaps in clear, was not asked for. */
static gboolean
on_enabled(const ImapResponse *response, gpointer user_data)
{
    ImapLogin *login = user_data;
    ImapSession *session = imap_connection_session(login->connection);

    if (response->type != IMAP_RESPONSE_ENABLED)
        return FALSE;
    for (char **word = response->words; *word != NULL; word++) {
        session->utf8 |= g_ascii_strcasecmp(*word, "UTF8=ACCEPT") == 0;
        session->condstore |= g_ascii_strcasecmp(*word, "CONDSTORE") == 0;
        session->qresync |= g_ascii_strcasecmp(*word, "QRESYNC") == 0 &&
                            imap_connection_has(login->connection, "QRESYNC");
    }
    return FALSE;
}

/* Of an ID; NULL if it is not there. */
static const char *
id_value(char **words, const char *name)
{
    for (char **word = words; word[0] != NULL && word[1] != NULL; word += 2)
        if (g_ascii_strcasecmp(word[0], name) == 0)
            return word[1];
    return NULL;
}

/* Zimbra announces QRESYNC and enables it, but does not say where the mailbox
 * before ends ([CLOSED]). */
static gboolean
on_id(const ImapResponse *response, gpointer user_data)
{
    ImapLogin *login = user_data;
    ImapSession *session = imap_connection_session(login->connection);
    const char *name;
    const char *version;

    if (response->type != IMAP_RESPONSE_ID)
        return FALSE;
    name = id_value(response->words, "name");
    version = id_value(response->words, "version");
    if (name == NULL || name[0] == '\0')
        return FALSE;
    login->no_qresync |= g_ascii_strcasecmp(name, "Zimbra") == 0;
    g_free(session->server);
    session->server = g_strdup_printf("%.*s%s%.*s", ID_OCTETS, name,
                                      version != NULL ? " " : "", ID_OCTETS,
                                      version != NULL ? version : "");
    return FALSE;
}

static gboolean
on_namespace(const ImapResponse *response, gpointer user_data)
{
    if (response->type == IMAP_RESPONSE_NAMESPACE)
        take_namespaces(user_data, response->namespaces);
    return FALSE;
}

static const ImapCommandHandler id_handler = {
    .untagged = on_id,
    .done = on_final_done,
};

static const ImapCommandHandler enable_handler = {
    .untagged = on_enabled,
    .done = on_final_done,
};

static const ImapCommandHandler namespace_handler = {
    .untagged = on_namespace,
    .done = on_final_done,
};

static void
send_final(ImapLogin *login, ImapCommand *command,
           const ImapCommandHandler *handler)
{
    login->n_final++;
    imap_connection_send(login->connection, command, handler, login);
}

/* QRESYNC includes CONDSTORE (RFC 7162 section 3.2.3). */
static void
send_enable(ImapLogin *login)
{
    ImapConnection *connection = login->connection;
    g_autoptr(GString) text = g_string_new("ENABLE");

    if (imap_connection_has(connection, "UTF8=ACCEPT") ||
        imap_connection_has(connection, "UTF8=ONLY"))
        g_string_append(text, " UTF8=ACCEPT");
    if (imap_connection_has(connection, "QRESYNC"))
        g_string_append(text, " QRESYNC");
    else if (imap_connection_has(connection, "CONDSTORE"))
        g_string_append(text, " CONDSTORE");
    if (strchr(text->str, ' ') != NULL)
        send_final(login, imap_command_new(text->str), &enable_handler);
}

static void
ask_final(ImapLogin *login)
{
    ImapConnection *connection = login->connection;
    ImapLiterals literals = IMAP_LITERALS_SYNCHRONISING;

    if (imap_connection_has(connection, "LITERAL+"))
        literals = IMAP_LITERALS_PLUS;
    else if (imap_connection_has(connection, "LITERAL-"))
        literals = IMAP_LITERALS_MINUS;
    imap_connection_set_literals(connection, literals);

    if (imap_connection_has(connection, "ID"))
        send_final(login,
                   imap_command_new("ID (\"name\" \"imapfs\" "
                                    "\"version\" \"" IMAPFS_VERSION "\")"),
                   &id_handler);
    if (imap_connection_has(connection, "ENABLE"))
        send_enable(login);
    if (imap_connection_has(connection, "NAMESPACE"))
        send_final(login, imap_command_new("NAMESPACE"), &namespace_handler);
    if (login->n_final == 0)
        finish(login);
}

/* ---- authentication ---- */

/* Some refusals are not the password's fault, and pass; so does a failure of
 * the server's own (RFC 5530, section 3). */
static gboolean
is_for_now(const ImapStatus *status, const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_UNAVAILABLE) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_LIMIT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_IN_USE) ||
           imap_status_code(status, "SERVERBUG") != NULL;
}

/* What helps against one that does not pass (likewise). */
static const char *
remedy_of(const ImapStatus *status)
{
    if (imap_status_code(status, "EXPIRED") != NULL)
        return "set a new password at the provider";
    if (imap_status_code(status, "CONTACTADMIN") != NULL)
        return "ask whoever runs the server";
    if (imap_status_code(status, "AUTHORIZATIONFAILED") != NULL)
        return "check the user name, or ask whoever runs the server";
    return "check the user name and the password or token";
}

static GError *
refusal_new(const ImapLogin *login, const ImapStatus *status,
            const GError *error, const char *reason)
{
    const ImapSettings *settings = imap_connection_settings(login->connection);
    const char *who =
        settings->username != NULL ? settings->username : "the client";
    /* That has no code of an error by which others know what helps. */
    gboolean is_bug = imap_status_code(status, "SERVERBUG") != NULL;

    if (is_for_now(status, error))
        return g_error_new(
            IMAP_ERROR, error->code, "%s refuses the login of %s for now: %s%s",
            settings->host, who, reason, is_bug ? "; try again later" : "");
    return g_error_new(IMAP_ERROR, IMAP_ERROR_AUTHENTICATION,
                       "%s refuses the login of %s: %s; %s", settings->host,
                       who, reason, remedy_of(status));
}

static void
refused(ImapLogin *login, const ImapStatus *status, const GError *error)
{
    const char *said =
        login->auth != NULL ? imap_auth_server_message(login->auth) : NULL;
    g_autofree char *words = imap_status_words(status);
    g_autoptr(GError) refusal = NULL;

    if (words[0] != '\0')
        said = words;
    refusal = refusal_new(login, status, error,
                          said != NULL ? said : "no reason given");
    if (login->is_greeting_believed && !is_for_now(status, error)) {
        login->refusal = g_steal_pointer(&refusal);
        ask_capability(login);
    } else {
        imap_connection_close(login->connection, refusal);
    }
}

static void
on_authenticate_done(const ImapStatus *status, const GError *error,
                     gpointer user_data)
{
    ImapLogin *login = user_data;

    if (status == NULL) {
        imap_connection_close(login->connection, error);
        return;
    }
    if (login->abort_reason != NULL) {
        imap_connection_close(login->connection, login->abort_reason);
        return;
    }
    if (error != NULL) {
        refused(login, status, error);
        return;
    }
    if (imap_auth_mechanism(login->auth) != NULL &&
        !imap_auth_is_complete(login->auth)) {
        fail(login, IMAP_ERROR_AUTHENTICATION,
             "%s says OK without proving that it knows the password; it may "
             "not be the server it claims to be",
             host_of(login));
        return;
    }
    login->authenticated = TRUE;
    if (imap_status_code(status, "CAPABILITY") != NULL) {
        take_capabilities(login, imap_capabilities_parse(
                                     imap_status_code(status, "CAPABILITY")));
        ask_final(login);
    } else {
        ask_capability(login);
    }
}

static void
on_challenge(const char *text, gpointer user_data)
{
    ImapLogin *login = user_data;
    char *answer;

    /* A server that goes on asking must not keep us here. */
    if (login->abort_reason != NULL) {
        imap_connection_close(login->connection, login->abort_reason);
        return;
    }
    answer = imap_auth_step(login->auth, text, &login->abort_reason);
    /* "*" cancels the exchange; the tagged reply still comes. */
    imap_connection_send_line(login->connection, answer != NULL ? answer : "*",
                              TRUE);
    imap_auth_wipe(answer);
}

static const ImapCommandHandler authenticate_handler = {
    .continuation = on_challenge,
    .done = on_authenticate_done,
};

/* LOGIN: a "+" that is not for its literals asks for nothing we have. */
static const ImapCommandHandler login_handler = {.done = on_authenticate_done};

static void
send_login_command(ImapLogin *login)
{
    const ImapSettings *settings = imap_connection_settings(login->connection);
    ImapCommand *command = imap_command_new("LOGIN ");

    imap_command_add_string(command, settings->username);
    imap_command_add_text(command, " ");
    imap_command_add_string(command, imap_secret_text(settings->password));
    imap_command_set_secret(command);
    imap_command_set_exclusive(command);
    imap_connection_send(login->connection, command, &login_handler, login);
}

static void
send_authenticate(ImapLogin *login)
{
    ImapCommand *command = imap_command_new("AUTHENTICATE ");
    g_autoptr(GError) error = NULL;
    char *first;

    imap_command_add_text(command, imap_auth_mechanism(login->auth));
    if (imap_auth_is_client_first(login->auth) &&
        imap_connection_has(login->connection, "SASL-IR")) {
        first = imap_auth_step(login->auth, "", &error);
        if (first == NULL) {
            imap_command_free(command);
            imap_connection_close(login->connection, error);
            return;
        }
        imap_command_add_text(command, " ");
        imap_command_add_text(command, first[0] != '\0' ? first : "=");
        imap_auth_wipe(first);
    }
    imap_command_set_secret(command);
    imap_command_set_exclusive(command);
    imap_connection_send(login->connection, command, &authenticate_handler,
                         login);
}

static void
authenticate(ImapLogin *login)
{
    ImapConnection *connection = login->connection;
    ImapSession *session = imap_connection_session(connection);
    g_auto(GStrv) mechanisms =
        imap_capabilities_mechanisms(session->capabilities);
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&login->auth, imap_auth_free);
    login->auth = imap_auth_new(
        imap_connection_settings(connection), (const char *const *)mechanisms,
        imap_connection_has(connection, "LOGINDISABLED"),
        imap_connection_is_encrypted(connection), &error);
    g_clear_pointer(&session->mechanism, g_free);
    if (login->auth != NULL)
        session->mechanism = g_strdup(imap_auth_mechanism(login->auth) != NULL
                                          ? imap_auth_mechanism(login->auth)
                                          : "LOGIN command");
    if (login->auth == NULL)
        imap_connection_close(connection, error);
    else if (imap_auth_mechanism(login->auth) != NULL)
        send_authenticate(login);
    else
        send_login_command(login);
}

/* What the server offers is known by now, so nothing is left to be done once
 * they may be sent. */
static void
authenticate_if_allowed(ImapLogin *login)
{
    login->waits = !imap_connection_may_log_in(login->connection);
    if (!login->waits)
        authenticate(login);
}

gboolean
imap_login_is_waiting(const ImapLogin *login)
{
    return login->waits;
}

void
imap_login_go_on(ImapLogin *login)
{
    if (login->waits)
        authenticate_if_allowed(login);
}

/* ---- STARTTLS ---- */

static void
on_starttls_done(const ImapStatus *status, const GError *error,
                 gpointer user_data)
{
    ImapLogin *login = user_data;
    g_autoptr(GError) injected = NULL;

    if (status == NULL) {
        imap_connection_close(login->connection, error);
        return;
    }
    if (error != NULL) {
        fail(login, IMAP_ERROR_TLS,
             "%s refuses STARTTLS: %s; try imaps:// (port 993)", host_of(login),
             status->text);
        return;
    }
    take_capabilities(login, NULL);
    if (!imap_connection_start_tls(login->connection, &injected))
        imap_connection_close(login->connection, injected);
}

static const ImapCommandHandler starttls_handler = {.done = on_starttls_done};

static void
send_starttls(ImapLogin *login)
{
    ImapCommand *command;

    if (!imap_connection_has(login->connection, "STARTTLS")) {
        fail(login, IMAP_ERROR_TLS,
             "%s does not offer STARTTLS, or somebody on the way has removed "
             "it; try imaps:// (port 993)",
             host_of(login));
        return;
    }
    command = imap_command_new("STARTTLS");
    imap_command_set_exclusive(command);
    imap_connection_send(login->connection, command, &starttls_handler, login);
}

void
imap_login_encrypted(ImapLogin *login)
{
    ask_capability(login);
}

/* ---- capabilities, and what comes next ---- */

/* Whether the server itself has named the mechanism that it has refused. */
static gboolean
is_refusal_certain(const ImapLogin *login)
{
    g_auto(GStrv) mechanisms = imap_capabilities_mechanisms(
        imap_connection_capabilities(login->connection));

    return g_strv_contains((const char *const *)mechanisms,
                           imap_auth_mechanism(login->auth));
}

/* Of whatever kind: the settings may have become others since this connection
 * was begun in clear. */
static gboolean
lacks_tls(const ImapLogin *login)
{
    return imap_connection_settings(login->connection)->tls != IMAP_TLS_OFF &&
           !imap_connection_is_encrypted(login->connection);
}

static void
next_step(ImapLogin *login)
{
    if (lacks_tls(login))
        send_starttls(login);
    else if (login->authenticated)
        ask_final(login);
    else
        authenticate_if_allowed(login);
}

static void
on_capability_done(const ImapStatus *status, const GError *error,
                   gpointer user_data)
{
    ImapLogin *login = user_data;

    if (status == NULL) {
        imap_connection_close(login->connection, error);
    } else if (error != NULL ||
               imap_connection_capabilities(login->connection) == NULL) {
        fail(login, IMAP_ERROR_PROTOCOL,
             "%s does not tell its capabilities: %s", host_of(login),
             status->text);
    } else if (login->refusal != NULL && is_refusal_certain(login)) {
        imap_connection_close(login->connection, login->refusal);
    } else {
        g_clear_error(&login->refusal);
        next_step(login);
    }
}

static const ImapCommandHandler capability_handler = {
    .done = on_capability_done,
};

static void
ask_capability(ImapLogin *login)
{
    ImapCommand *command = imap_command_new("CAPABILITY");

    login->is_greeting_believed = FALSE;
    take_capabilities(login, NULL);
    imap_command_set_exclusive(command);
    imap_connection_send(login->connection, command, &capability_handler,
                         login);
}

/* Whether what the greeting has told is enough for the next step. */
static gboolean
is_way_known(const ImapLogin *login)
{
    ImapConnection *connection = login->connection;
    ImapSession *session = imap_connection_session(connection);
    g_auto(GStrv) mechanisms = NULL;
    gboolean is_known;
    ImapAuth *auth;

    if (lacks_tls(login))
        return imap_connection_has(connection, "STARTTLS");
    mechanisms = imap_capabilities_mechanisms(session->capabilities);
    if (mechanisms[0] == NULL)
        return FALSE;
    auth = imap_auth_new(imap_connection_settings(connection),
                         (const char *const *)mechanisms,
                         imap_connection_has(connection, "LOGINDISABLED"),
                         imap_connection_is_encrypted(connection), NULL);
    /* That there is nothing but LOGIN is not believed of a greeting. */
    is_known = auth != NULL && imap_auth_mechanism(auth) != NULL;
    imap_auth_free(auth);
    return is_known;
}

static void
begin(ImapLogin *login, const ImapStatus *greeting)
{
    const char *told = imap_status_code(greeting, "CAPABILITY");

    if (told != NULL) {
        take_capabilities(login, imap_capabilities_parse(told));
        if (is_way_known(login)) {
            login->is_greeting_believed = TRUE;
            next_step(login);
            return;
        }
    }
    ask_capability(login);
}

void
imap_login_greeting(ImapLogin *login, const ImapStatus *greeting)
{
    const ImapSettings *settings = imap_connection_settings(login->connection);

    switch (greeting->condition) {
    case IMAP_CONDITION_OK:
        begin(login, greeting);
        break;
    case IMAP_CONDITION_PREAUTH:
        if (lacks_tls(login)) {
            fail(login, IMAP_ERROR_TLS,
                 "%s claims in clear that we are logged in (PREAUTH), which "
                 "would skip encryption; somebody may be tampering with the "
                 "connection; try imaps:// (port 993)",
                 settings->host);
            break;
        }
        login->authenticated = TRUE;
        ask_capability(login);
        break;
    case IMAP_CONDITION_BYE:
        fail(login, IMAP_ERROR_CLOSED, "%s hangs up: %s", settings->host,
             greeting->text);
        break;
    case IMAP_CONDITION_NO:
    case IMAP_CONDITION_BAD:
        fail(login, IMAP_ERROR_PROTOCOL, "%s greets with an error: %s",
             settings->host, greeting->text);
        break;
    }
}

void
imap_login_untagged(ImapLogin *login, const ImapResponse *response)
{
    if (response->type == IMAP_RESPONSE_CAPABILITY)
        take_capabilities(
            login, imap_capabilities_new((const char *const *)response->words));
}
