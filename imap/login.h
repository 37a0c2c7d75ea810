/* From the greeting to the state in which a mailbox can be selected: the
 * capabilities, STARTTLS, authentication, ID, ENABLE and NAMESPACE. */
#pragma once

#include "imap/connection.h"

typedef struct ImapLogin ImapLogin;

/* @connection is borrowed and outlives the result. */
ImapLogin *imap_login_new(ImapConnection *connection);
void imap_login_free(ImapLogin *login); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapLogin, imap_login_free)

/* The server's first line. Ends in imap_connection_set_ready or
 * imap_connection_close. */
void imap_login_greeting(ImapLogin *login, const ImapStatus *greeting);

/* What the server has refused the login with, while it is asked whether the way
 * to log in was wrong; else NULL. When the connection ends now, this is why.
 * Borrowed. */
const GError *imap_login_refusal(const ImapLogin *login);

/* STARTTLS has done its work. */
void imap_login_encrypted(ImapLogin *login);

/* Whether it waits until the credentials may be sent. */
gboolean imap_login_is_waiting(const ImapLogin *login);
/* Asks again, if it does. */
void imap_login_go_on(ImapLogin *login);

/* A response that no command took. */
void imap_login_untagged(ImapLogin *login, const ImapResponse *response);
