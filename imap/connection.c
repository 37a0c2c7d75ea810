/* One connection to a server.
 *
 * Its life: connecting (the transport has no line yet), greeting (it has, and
 * the server speaks first), login (imap/login.c), ready, closed. Closing frees
 * the transport and stops the parser at once; whoever waits is told from an
 * idle source, so that a connection may be closed from inside any handler.
 *
 * The watchdog bounds silence: it runs while something is awaited, and starts
 * again with what belongs to what is awaited: a reply, a response that a
 * command takes, a piece of its body, a good part of a long response. Chatter
 * ("* OK still here") does not count. */
#include "imap/connection-struct.h"

#include "imap/error.h"
#include "imap/trace.h"

#include <openssl/crypto.h>
#include <string.h>

/* How long a server may take to answer LOGOUT. */
#define LOGOUT_TIMEOUT_MS 2000

/* So much of a message waits for the network at most. */
#define MESSAGE_ROOM (256 * 1024)

static guint last_number;

static void connection_settle(ImapConnection *connection);

/* ---- the watchdog ---- */

static const char *
what_is_awaited(const ImapConnection *connection)
{
    const char *command = imap_command_queue_head(connection->queue);

    if (connection->state == STATE_CONNECTING)
        return "connecting";
    if (connection->tls_starting)
        return "the TLS handshake";
    if (connection->state == STATE_GREETING)
        return imap_connection_is_encrypted(connection)
                   ? "the greeting"
                   : "the greeting; if this port speaks TLS from the start, "
                     "use imaps://";
    return command != NULL ? command : "the login";
}

GError *
imap_connection_timed_out(const ImapConnection *connection)
{
    return g_error_new(
        IMAP_ERROR, IMAP_ERROR_TIMEOUT,
        "%s did not answer for %.3g seconds (%s)", connection->settings->host,
        connection->watchdog.limit_ms / 1e3, what_is_awaited(connection));
}

static void
on_silence(gpointer user_data)
{
    ImapConnection *connection = user_data;
    g_autoptr(GError) error = imap_connection_timed_out(connection);

    imap_connection_close(connection, error);
}

/* ---- for what comes in ---- */

void
imap_connection_close_with(ImapConnection *connection, ImapError code,
                           const char *message)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, code, "%s: %s",
                                          connection->settings->host, message);

    imap_connection_close(connection, error);
}

/* Of a message no more is read than the line is likely to take soon. */
void
imap_connection_send_message(ImapConnection *connection)
{
    g_autoptr(GError) error = NULL;
    gsize unsent;

    if (connection->transport == NULL ||
        !imap_command_queue_has_message(connection->queue))
        return;
    unsent = imap_transport_unsent(connection->transport);
    if (unsent >= MESSAGE_ROOM / 2)
        return;
    if (!imap_command_queue_send_message(connection->queue,
                                         MESSAGE_ROOM - unsent, &error))
        imap_connection_close(connection, error);
}

void
imap_connection_flush(ImapConnection *connection)
{
    imap_command_queue_flush(connection->queue);
    imap_connection_send_message(connection);
    if (imap_command_queue_has_unsendable(connection->queue))
        connection_settle(connection);
}

/* ---- the transport ---- */

static void
on_transport_ready(gpointer user_data)
{
    ImapConnection *connection = user_data;

    imap_watchdog_begin_wait(&connection->watchdog);
    if (connection->tls_starting) {
        connection->tls_starting = FALSE;
        imap_login_encrypted(connection->login);
        return;
    }
    connection->state = STATE_GREETING;
}

/* Commands alone: a stage of the login has its deadline whole. */
static void
note_part_of_response(ImapConnection *connection, gsize length)
{
    if (connection->state != STATE_READY || connection->body_unasked ||
        !imap_parser_is_inside(connection->parser))
        return;
    imap_watchdog_note_part(&connection->watchdog, length);
}

static void
on_transport_received(const guint8 *data, gsize length, gpointer user_data)
{
    g_autoptr(ImapConnection) connection = imap_connection_ref(user_data);
    g_autoptr(GError) error = NULL;

    imap_trace_received(connection->number, data, length);
    connection->parsing = TRUE;
    imap_parser_feed(connection->parser, data, length, &error);
    connection->parsing = FALSE;
    if (connection->state == STATE_CLOSED) {
        g_clear_pointer(&connection->parser, imap_parser_free);
        return;
    }
    if (error != NULL)
        imap_connection_close_with(connection, IMAP_ERROR_PROTOCOL,
                                   error->message);
    else
        note_part_of_response(connection, length);
    if (connection->state == STATE_READY)
        imap_compression_received(&connection->compression, connection, length,
                                  imap_connection_is_awaiting(connection),
                                  imap_transport_waited(connection->transport));
    imap_watchdog_watch(&connection->watchdog);
}

/* A message that goes on its way brings its command further, and where it goes
 * there is a line. */
static void
on_upload_moved(gpointer user_data)
{
    ImapConnection *connection = user_data;

    imap_watchdog_note_progress(&connection->watchdog);
}

static guint64
upload_delivered(gpointer user_data)
{
    const ImapConnection *connection = user_data;
    guint64 sent = imap_transport_bytes_sent(connection->transport);
    guint64 queued = imap_transport_queued(connection->transport);

    return sent - MIN(queued, sent);
}

static gboolean
has_upload(gpointer user_data)
{
    const ImapConnection *connection = user_data;

    return imap_command_queue_has_upload(connection->queue);
}

/* The server takes what it was slow to take. What leaves at once says nothing
 * of the server. */
static void
on_transport_sent(gpointer user_data)
{
    ImapConnection *connection = user_data;

    if (connection->is_backlog)
        imap_watchdog_begin_wait(&connection->watchdog);
    if (has_upload(connection))
        imap_upload_watch_begin(&connection->upload_watch,
                                connection->settings->timeout_ms);
    imap_connection_send_message(connection);
    if (connection->transport == NULL)
        return;
    connection->is_backlog = imap_transport_unsent(connection->transport) > 0;
}

static void
on_transport_closed(const GError *error, gpointer user_data)
{
    imap_connection_close(user_data, error);
}

static const ImapTransportHandler transport_handler = {
    .ready = on_transport_ready,
    .received = on_transport_received,
    .sent = on_transport_sent,
    .closed = on_transport_closed,
};

static void
write_out(const char *data, gsize length, gboolean secret, gpointer user_data)
{
    ImapConnection *connection = user_data;
    static const char hidden[] = "<credentials left out>";

    if (connection->transport == NULL)
        return;
    if (imap_trace_is_enabled())
        imap_trace_line(connection->number, TRUE, secret ? hidden : data,
                        secret ? strlen(hidden) : length);
    imap_transport_write(connection->transport, data, length);
}

/* ---- opening ---- */

ImapConnection *
imap_connection_new(const ImapSettings *settings)
{
    ImapConnection *connection = g_rc_box_new0(ImapConnection);

    connection->number = ++last_number;
    connection->settings = settings;
    connection->queue = imap_command_queue_new(write_out, connection);
    connection->upload_watch = (ImapUploadWatch){
        .delivered = upload_delivered,
        .is_due = has_upload,
        .moved = on_upload_moved,
        .user_data = connection,
    };
    imap_watchdog_init(&connection->watchdog,
                       settings->opening_ms != 0 ? settings->opening_ms
                                                 : settings->timeout_ms,
                       imap_connection_is_awaiting, on_silence, connection);
    return connection;
}

void
imap_connection_set_line_rate(ImapConnection *connection, ImapLineRate *rate)
{
    connection->compression.rate = imap_line_rate_ref(rate);
}

static void
prepare(ImapConnection *connection, ImapOpenFunc done, gpointer user_data)
{
    connection->opened = done;
    connection->opened_data = user_data;
    connection->transport = imap_transport_new(connection->settings,
                                               &transport_handler, connection);
    connection->parser = imap_parser_new(&imap_connection_input, connection);
    connection->login = imap_login_new(connection);
    connection->state = STATE_CONNECTING;
    imap_watchdog_watch(&connection->watchdog);
}

void
imap_connection_open(ImapConnection *connection, ImapOpenFunc done,
                     gpointer user_data)
{
    prepare(connection, done, user_data);
    imap_transport_connect(connection->transport);
}

void
imap_connection_open_fd(ImapConnection *connection, int fd, ImapOpenFunc done,
                        gpointer user_data)
{
    prepare(connection, done, user_data);
    imap_transport_adopt(connection->transport, fd);
}

gboolean
imap_connection_start_tls(ImapConnection *connection, GError **error)
{
    if (imap_parser_unread(connection->parser) > 0) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "%s: data came in clear after the OK to STARTTLS; somebody "
                    "may be tampering with the connection",
                    connection->settings->host);
        return FALSE;
    }
    connection->tls_starting = TRUE;
    imap_transport_start_tls(connection->transport);
    return TRUE;
}

gboolean
imap_connection_start_compression(ImapConnection *connection, GError **error)
{
    if (imap_parser_unread(connection->parser) > 0) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_CLOSED,
                    "%s: data came in clear after the OK to COMPRESS",
                    connection->settings->host);
        return FALSE;
    }
    connection->compressed = TRUE;
    imap_transport_start_compression(connection->transport);
    return TRUE;
}

void
imap_connection_set_login_gate(ImapConnection *connection, ImapLoginGate gate,
                               gpointer user_data)
{
    connection->login_gate = gate;
    connection->login_gate_data = user_data;
}

gboolean
imap_connection_may_log_in(const ImapConnection *connection)
{
    return connection->login_gate == NULL ||
           connection->login_gate(connection->login_gate_data);
}

void
imap_connection_log_in(ImapConnection *connection)
{
    if (connection->state != STATE_LOGIN ||
        !imap_login_is_waiting(connection->login))
        return;
    imap_login_go_on(connection->login);
}

static void
tell_of_login(const ImapConnection *connection)
{
    const ImapPeer *peer = imap_connection_peer(connection);
    const ImapSession *session = &connection->session;

    g_info("connection %u to %s (%s): %s, %s", connection->number,
           connection->settings->host,
           peer->address != NULL ? peer->address : "no address",
           peer->protocol != NULL ? peer->protocol : "not encrypted",
           session->mechanism != NULL ? session->mechanism : "no login");
}

void
imap_connection_set_ready(ImapConnection *connection)
{
    connection->state = STATE_READY;
    connection->ready_at = g_get_monotonic_time();
    connection->watchdog.limit_ms = connection->settings->timeout_ms;
    tell_of_login(connection);
    imap_compression_begin(&connection->compression, connection);
    connection_settle(connection);
}

/* ---- closing, and telling who waits ---- */

static gboolean
on_settle(gpointer user_data)
{
    g_autoptr(ImapConnection) connection = imap_connection_ref(user_data);
    ImapOpenFunc opened;
    ImapOpenFunc closed;

    connection->settle_source = 0;
    imap_command_queue_fail_unsendable(connection->queue);
    if (connection->state == STATE_CLOSED)
        imap_command_queue_fail_all(connection->queue, connection->reason);
    else if (connection->state != STATE_READY)
        return G_SOURCE_REMOVE;
    opened = g_steal_pointer(&connection->opened);
    /* The login is at its end either way, and not in use here. */
    g_clear_pointer(&connection->login, imap_login_free);
    if (opened != NULL) {
        opened(connection, connection->reason, connection->opened_data);
    } else if (connection->state == STATE_CLOSED) {
        closed = g_steal_pointer(&connection->closed);
        if (closed != NULL)
            closed(connection, connection->reason, connection->closed_data);
    }
    return G_SOURCE_REMOVE;
}

static void
connection_settle(ImapConnection *connection)
{
    if (connection->settle_source == 0)
        connection->settle_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_settle, connection, NULL);
}

static void
hang_up(ImapConnection *connection, const GError *reason)
{
    if (imap_trace_is_enabled())
        imap_trace_line(connection->number, FALSE, reason->message,
                        strlen(reason->message));
    connection->state = STATE_CLOSED;
    connection->end_rest = NULL;
    connection->reason = g_error_copy(reason);
    imap_connection_traffic(connection, &connection->traffic);
    imap_peer_clear(&connection->peer);
    if (connection->transport != NULL)
        connection->peer = imap_transport_take_peer(connection->transport);
    g_clear_pointer(&connection->transport, imap_transport_free);
    if (connection->parser != NULL)
        imap_parser_stop(connection->parser);
    if (!connection->parsing)
        g_clear_pointer(&connection->parser, imap_parser_free);
    imap_watchdog_stop(&connection->watchdog);
    imap_upload_watch_stop(&connection->upload_watch);
    g_clear_handle_id(&connection->logout_source, g_source_remove);
}

void
imap_connection_close(ImapConnection *connection, const GError *reason)
{
    const GError *refusal = NULL;

    if (connection->state == STATE_CLOSED)
        return;
    if (connection->login != NULL)
        refusal = imap_login_refusal(connection->login);
    hang_up(connection, refusal != NULL ? refusal : reason);
    connection_settle(connection);
}

ImapConnection *
imap_connection_ref(ImapConnection *connection)
{
    return g_rc_box_acquire(connection);
}

static void
connection_clear(gpointer data)
{
    ImapConnection *connection = data;
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the connection is not needed");

    if (connection->state != STATE_CLOSED)
        hang_up(connection, error);
    imap_command_queue_fail_all(connection->queue, connection->reason);
    imap_command_queue_free(connection->queue);
    imap_parser_free(connection->parser);
    imap_login_free(connection->login);
    g_clear_handle_id(&connection->settle_source, g_source_remove);
    imap_capabilities_free(connection->session.capabilities);
    g_strfreev(connection->session.foreign_namespaces);
    g_free(connection->session.mechanism);
    g_free(connection->session.server);
    imap_peer_clear(&connection->peer);
    imap_mailbox_clear(&connection->mailbox);
    imap_line_rate_unref(connection->compression.rate);
    g_clear_error(&connection->reason);
}

void
imap_connection_unref(ImapConnection *connection)
{
    if (connection != NULL)
        g_rc_box_release_full(connection, connection_clear);
}

void
imap_connection_set_closed(ImapConnection *connection, ImapOpenFunc closed,
                           gpointer user_data)
{
    connection->closed = closed;
    connection->closed_data = user_data;
}

/* ---- commands ---- */

static void
end_rest(ImapConnection *connection)
{
    void (*end)(gpointer user_data) = g_steal_pointer(&connection->end_rest);

    if (end == NULL)
        return;
    end(connection->end_rest_data);
    imap_watchdog_begin_wait(&connection->watchdog);
    imap_watchdog_watch(&connection->watchdog);
}

guint
imap_connection_send(ImapConnection *connection, ImapCommand *command,
                     const ImapCommandHandler *handler, gpointer user_data)
{
    gboolean is_only = connection->end_rest != NULL ||
                       imap_command_queue_n_pending(connection->queue) == 0;
    guint id;

    if (is_only)
        imap_watchdog_begin_wait(&connection->watchdog);
    connection->asked_at = is_only ? g_get_monotonic_time() : 0;
    connection->traffic.commands++;
    connection->traffic.round_trips += is_only;
    id =
        imap_command_queue_push(connection->queue, command, handler, user_data);
    if (connection->state == STATE_CLOSED)
        connection_settle(connection);
    else
        imap_connection_flush(connection);
    end_rest(connection);
    imap_watchdog_watch(&connection->watchdog);
    return id;
}

void
imap_connection_rest(ImapConnection *connection,
                     void (*end)(gpointer user_data), gpointer user_data)
{
    connection->end_rest = end;
    connection->end_rest_data = user_data;
    if (imap_command_queue_n_pending(connection->queue) > 1)
        end_rest(connection);
}

void
imap_connection_end_rest(ImapConnection *connection, const char *line)
{
    if (connection->state != STATE_CLOSED)
        imap_command_queue_end_exclusive(connection->queue, line);
}

void
imap_connection_forget_rest(ImapConnection *connection)
{
    connection->end_rest = NULL;
}

void
imap_connection_set_unasked_func(ImapConnection *connection,
                                 ImapUnaskedFunc func, gpointer user_data)
{
    connection->unasked = func;
    connection->unasked_data = user_data;
}

void
imap_connection_cancel(ImapConnection *connection, guint id)
{
    imap_command_queue_cancel(connection->queue, id);
}

void
imap_connection_send_line(ImapConnection *connection, const char *line,
                          gboolean secret)
{
    gsize length = strlen(line) + 2;
    char *text = g_strconcat(line, "\r\n", NULL);

    write_out(text, length, secret, connection);
    OPENSSL_cleanse(text, length);
    g_free(text);
}

static void
on_logout_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    ImapConnection *connection = user_data;

    if (status != NULL)
        imap_connection_close_with(connection, IMAP_ERROR_CLOSED, "logged out");
}

static const ImapCommandHandler logout_handler = {.done = on_logout_done};

static gboolean
on_logout_timeout(gpointer user_data)
{
    ImapConnection *connection = user_data;

    connection->logout_source = 0;
    imap_connection_close_with(connection, IMAP_ERROR_TIMEOUT,
                               "no answer to LOGOUT");
    return G_SOURCE_REMOVE;
}

void
imap_connection_logout(ImapConnection *connection)
{
    if (connection->logging_out || connection->state == STATE_CLOSED)
        return;
    connection->logging_out = TRUE;
    if (connection->state != STATE_READY) {
        imap_connection_close_with(connection, IMAP_ERROR_CLOSED,
                                   "not needed any more");
        return;
    }
    connection->logout_source =
        g_timeout_add(LOGOUT_TIMEOUT_MS, on_logout_timeout, connection);
    imap_connection_send(connection, imap_command_new("LOGOUT"),
                         &logout_handler, connection);
}

/* ---- for the login and the requests ---- */

void
imap_connection_set_literals(ImapConnection *connection, ImapLiterals literals)
{
    imap_command_queue_set_literals(connection->queue, literals);
}

void
imap_connection_set_mailbox(ImapConnection *connection,
                            const ImapMailbox *mailbox)
{
    guint changes = connection->mailbox.changes;
    guint flag_changes = connection->mailbox.flag_changes;

    imap_mailbox_clear(&connection->mailbox);
    connection->mailbox = mailbox != NULL ? *mailbox : (ImapMailbox){0};
    connection->mailbox.name = g_strdup(connection->mailbox.name);
    connection->mailbox.permanent_flags =
        g_strdup(connection->mailbox.permanent_flags);
    connection->mailbox.changes = changes;
    connection->mailbox.flag_changes = flag_changes;
}
