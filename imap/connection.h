/* One connection to a server: connected, encrypted, logged in, and then a line
 * to send commands on.
 *
 * It ties the transport (octets), the parser (responses) and the command queue
 * (replies) together, and knows which mailbox is selected. Everything happens
 * on the main loop; no function here calls back before it returns. */
#pragma once

#include "imap/capability.h"
#include "imap/command-queue.h"
#include "imap/mailbox.h"
#include "imap/peer.h"
#include "imap/settings.h"

#include <glib.h>

typedef struct ImapConnection ImapConnection;
typedef struct ImapLineRate ImapLineRate;

/* @settings must outlive the connection. */
ImapConnection *imap_connection_new(const ImapSettings *settings);
ImapConnection *imap_connection_ref(ImapConnection *connection);
/* Accepts NULL. The last reference to an open connection closes it; commands
 * end inside that call, and must not take new references. */
void imap_connection_unref(ImapConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapConnection, imap_connection_unref)

/* Ready for commands (@error NULL), or not: IMAP_ERROR_RESOLVE, _CONNECT, _TLS,
 * _AUTHENTICATION, _PROTOCOL, _TIMEOUT, _CLOSED, or what the server's refusal
 * says: _UNAVAILABLE, _LIMIT, _IN_USE. Runs once. */
typedef void (*ImapOpenFunc)(ImapConnection *connection, const GError *error,
                             gpointer user_data);

/* What is known of the line, shared with others on it, for the connection to
 * learn from and add to; without it compress=auto does not compress. A
 * reference is taken. Once, before opening. */
void imap_connection_set_line_rate(ImapConnection *connection,
                                   ImapLineRate *rate);

/* Connects, encrypts, logs in, asks for capabilities and namespaces. */
void imap_connection_open(ImapConnection *connection, ImapOpenFunc done,
                          gpointer user_data);
/* The same over the connected socket @fd (takes ownership). For tests. */
void imap_connection_open_fd(ImapConnection *connection, int fd,
                             ImapOpenFunc done, gpointer user_data);

/* Whether the credentials may be sent now. FALSE: the login waits, for as long
 * as it takes, until imap_connection_log_in. */
typedef gboolean (*ImapLoginGate)(gpointer user_data);
/* Before it is opened. Without a gate nothing is asked. */
void imap_connection_set_login_gate(ImapConnection *connection,
                                    ImapLoginGate gate, gpointer user_data);
/* A login that waits asks again. Does nothing to another. */
void imap_connection_log_in(ImapConnection *connection);

/* @closed runs once when a connection that was ready has ended, after all its
 * commands did. */
void imap_connection_set_closed(ImapConnection *connection, ImapOpenFunc closed,
                                gpointer user_data);

/* Sends @command (takes ownership), or queues it. On a closed connection it is
 * done with that error. */
guint imap_connection_send(ImapConnection *connection, ImapCommand *command,
                           const ImapCommandHandler *handler,
                           gpointer user_data);
/* The handler of the command @id is not called any more; see
 * imap_command_queue_cancel. */
void imap_connection_cancel(ImapConnection *connection, guint id);

/* A line outside any command, CRLF added: the answer to a "+". @secret is left
 * out of traces. */
void imap_connection_send_line(ImapConnection *connection, const char *line,
                               gboolean secret);

/* Told of every untagged response that no command takes, while the connection
 * is ready: what the server says on its own. Borrowed; the function may do
 * anything but drop the last reference. */
typedef void (*ImapUnaskedFunc)(const ImapResponse *response,
                                gpointer user_data);
/* At most one; NULL removes it. */
void imap_connection_set_unasked_func(ImapConnection *connection,
                                      ImapUnaskedFunc func, gpointer user_data);

/* Hangs up. Commands end with @reason. */
void imap_connection_close(ImapConnection *connection, const GError *reason);

/* LOGOUT, then hangs up when the server has, or after a short while. */
void imap_connection_logout(ImapConnection *connection);

/* Microseconds, g_get_monotonic_time: when it became ready for commands; 0: it
 * is not yet. */
gint64 imap_connection_ready_at(const ImapConnection *connection);

gboolean imap_connection_is_open(const ImapConnection *connection);

/* While paused nothing is read, and silence does not count. */
void imap_connection_set_paused(ImapConnection *connection, gboolean paused);
gboolean imap_connection_is_paused(const ImapConnection *connection);

/* Microseconds, g_get_monotonic_time: when the server last brought a command
 * any further. Not chatter, nor what we send. */
gint64 imap_connection_last_progress(const ImapConnection *connection);

/* Microseconds: how long nothing has brought nearer what is awaited; 0: nothing
 * is, or the connection is paused. */
gint64 imap_connection_silence(const ImapConnection *connection);

/* That it waits too long for the server, and what for. Free with g_error_free.
 */
GError *imap_connection_timed_out(const ImapConnection *connection);

/* Microseconds: the quickest that the server has answered a command; 0: not
 * known. */
gint64 imap_connection_round_trip(const ImapConnection *connection);

/* Whether COMPRESS=DEFLATE is in use. */
gboolean imap_connection_is_compressed(const ImapConnection *connection);

/* Microseconds, g_get_monotonic_time: until when the server does not want to be
 * asked for more; in the past, or 0, if it has not said so. */
gint64 imap_connection_throttled_until(const ImapConnection *connection);

/* Whether the server announced @capability (upper case) after the login. */
gboolean imap_connection_has(const ImapConnection *connection,
                             const char *capability);
const ImapCapabilities *
imap_connection_capabilities(const ImapConnection *connection);
/* UTF8=ACCEPT is enabled: names are UTF-8. */
gboolean imap_connection_is_utf8(const ImapConnection *connection);
/* RFC 7162: whether flags that changed since a mod-sequence can be asked for;
 * and, QRESYNC being enabled, the messages that have vanished since, too. */
gboolean imap_connection_has_condstore(const ImapConnection *connection);
gboolean imap_connection_has_qresync(const ImapConnection *connection);
/* Wire prefixes of the namespaces that are not the user's own,
 * NULL-terminated; borrowed. */
char **imap_connection_foreign_namespaces(const ImapConnection *connection);

/* Who is at the other end; also of a connection that is closed, or could not be
 * opened, as far as was known then. Borrowed. */
const ImapPeer *imap_connection_peer(const ImapConnection *connection);
/* Whether the server has ever said a line of IMAP. */
gboolean imap_connection_was_greeted(const ImapConnection *connection);
/* The SASL mechanism of the login, tried or done, or "LOGIN command"; NULL: it
 * did not come to that, or needed none. */
const char *imap_connection_mechanism(const ImapConnection *connection);
/* What the server calls itself, name and version (ID, RFC 2971): its own text,
 * cut; NULL if it does not say. */
const char *imap_connection_server_name(const ImapConnection *connection);

/* What is selected; its name is NULL when nothing is. Borrowed; kept current.
 */
const ImapMailbox *imap_connection_mailbox(const ImapConnection *connection);

/* Whether what is selected may be changed: it was selected for that, and the
 * server has not said that it can only be read. */
gboolean imap_connection_is_writable(const ImapConnection *connection);

/* What has gone over one connection, or several. */
typedef struct {
    guint64 bytes_received; /* on the line, less what TLS adds */
    guint64 bytes_sent;     /* likewise */
    guint64 text_received;  /* the same, inflated: what the server has said */
    guint64 commands;
    guint64 round_trips; /* commands that nothing else was waited for with */
} ImapTraffic;
void imap_connection_traffic(const ImapConnection *connection,
                             ImapTraffic *traffic);
/* From 1, by which it is called where users see it. */
guint imap_connection_number(const ImapConnection *connection);
gboolean imap_connection_is_encrypted(const ImapConnection *connection);
