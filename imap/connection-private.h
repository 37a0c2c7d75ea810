/* What the login, and the requests that change the selected mailbox, may do to
 * a connection that nobody else may. */
#pragma once

#include "imap/connection.h"

/* The parts of ImapConnection that the login owns. */
typedef struct {
    ImapCapabilities *capabilities;
    char **foreign_namespaces;
    char *mechanism; /* by which it logged in, or tried to */
    char *server;    /* how it calls itself (ID); NULL: it does not say */
    gboolean utf8;
    gboolean condstore;     /* enabled */
    gboolean qresync;       /* likewise */
    gboolean plain_examine; /* it takes no parameters, whatever was announced */
    gboolean no_rows_ahead; /* it takes no FETCH before EXAMINE is done */
} ImapSession;

const ImapSettings *imap_connection_settings(const ImapConnection *connection);
ImapSession *imap_connection_session(ImapConnection *connection);

/* From inside the handler of STARTTLS's OK: shakes hands; imap_login_encrypted
 * is called when that is done. Fails with IMAP_ERROR_TLS if octets of the
 * server's are waiting already: somebody injected them. */
gboolean imap_connection_start_tls(ImapConnection *connection, GError **error);

/* From inside the handler of COMPRESS's OK. Fails with IMAP_ERROR_CLOSED if
 * octets of the server's are waiting already, for which it is too late. */
gboolean imap_connection_start_compression(ImapConnection *connection,
                                           GError **error);

void imap_connection_set_literals(ImapConnection *connection,
                                  ImapLiterals literals);

/* Asks the gate of the login. */
gboolean imap_connection_may_log_in(const ImapConnection *connection);

/* The login came to its end. */
void imap_connection_set_ready(ImapConnection *connection);

/* From now on the responses tell of @mailbox (copied, but for its changes);
 * NULL for none. */
void imap_connection_set_mailbox(ImapConnection *connection,
                                 const ImapMailbox *mailbox);

/* The request for rows that was sent with the last selection, as long as nobody
 * has taken it over (imap/fetch-requests.c); NULL: none. */
typedef struct ImapListFetch ImapListFetch;
ImapListFetch **imap_connection_rows_ahead(ImapConnection *connection);

/* From inside the continuation of the only command in flight: the server now
 * answers it only when it is told to, so its silence is none. @end, which tells
 * it, runs once, when somebody sends another command; not when the connection
 * closes. It may run inside this call. */
void imap_connection_rest(ImapConnection *connection,
                          void (*end)(gpointer user_data), gpointer user_data);
/* For @end: sends the line by which it is told to. What was waiting for that
 * follows at once. */
void imap_connection_end_rest(ImapConnection *connection, const char *line);
/* The server has answered by itself: @end does not run. */
void imap_connection_forget_rest(ImapConnection *connection);
