/* Choosing a SASL mechanism and speaking it (RFC 9051 section 6.2.2). The
 * mechanisms are libgsasl's, but for XOAUTH2 and OAUTHBEARER (RFC 7628), which
 * are one line each. Knows nothing of the connection. */
#pragma once

#include "imap/settings.h"

#include <glib.h>

typedef struct ImapAuth ImapAuth;

/* Picks the strongest mechanism that @settings can serve and the server offers.
 *
 * @offered: the mechanisms of the server's AUTH= capabilities, upper case,
 * NULL-terminated. @login_disabled: LOGINDISABLED was among the capabilities.
 * @encrypted: the line is. With a token: OAUTHBEARER, XOAUTH2. With a client
 * certificate and no password: EXTERNAL. With a password: SCRAM-SHA-256,
 * SCRAM-SHA-1, PLAIN, LOGIN, and the LOGIN command when no mechanism will do
 * and it is not disabled. settings->mechanism names the only one to try.
 *
 * On a line in clear, whatever shows the secret is refused unless the host is
 * loopback or settings->cleartext_password is set.
 *
 * Fails with IMAP_ERROR_AUTHENTICATION, naming what the server offers and the
 * option to change. @settings must outlive the result. */
ImapAuth *imap_auth_new(const ImapSettings *settings,
                        const char *const *offered, gboolean login_disabled,
                        gboolean encrypted, GError **error);
void imap_auth_free(ImapAuth *auth); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapAuth, imap_auth_free)

/* "SCRAM-SHA-256"; NULL means: use the LOGIN command. */
const char *imap_auth_mechanism(const ImapAuth *auth);

/* Whether the client speaks first, so that SASL-IR (RFC 4959) saves a round
 * trip. */
gboolean imap_auth_is_client_first(const ImapAuth *auth);

/* The answer to the server's @challenge (base64 as it came, "" for the first
 * of a client-first mechanism), as base64; "" for an empty answer. Caller frees
 * with imap_auth_wipe. Fails with IMAP_ERROR_AUTHENTICATION when the challenge
 * makes no sense or the server does not prove that it knows the password; the
 * caller then cancels with "*". */
char *imap_auth_step(ImapAuth *auth, const char *challenge, GError **error);

/* Whether the exchange is complete on our side: an OK before that is a server
 * that has not proven itself (SCRAM), and must be refused. */
gboolean imap_auth_is_complete(const ImapAuth *auth);

/* What a refused OAuth2 server said in its challenge, for people; NULL if
 * nothing. Borrowed. */
const char *imap_auth_server_message(const ImapAuth *auth);

/* Wipes and frees a string. Accepts NULL. */
void imap_auth_wipe(char *text);
