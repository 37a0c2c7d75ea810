/* What a connection tells of itself. */
#include "imap/connection-struct.h"

gboolean
imap_connection_is_awaiting(gpointer user_data)
{
    const ImapConnection *connection = user_data;

    if (connection->paused || connection->end_rest != NULL)
        return FALSE;
    switch (connection->state) {
    case STATE_CONNECTING:
    case STATE_GREETING:
        return TRUE;
    case STATE_LOGIN:
        return !imap_login_is_waiting(connection->login);
    case STATE_READY:
        return imap_command_queue_n_pending(connection->queue) > 0;
    case STATE_NEW:
    case STATE_CLOSED:
        break;
    }
    return FALSE;
}

gboolean
imap_connection_is_open(const ImapConnection *connection)
{
    return connection->state == STATE_READY && !connection->logging_out;
}

ImapListFetch **
imap_connection_rows_ahead(ImapConnection *connection)
{
    return &connection->rows_ahead;
}

gint64
imap_connection_ready_at(const ImapConnection *connection)
{
    return connection->ready_at;
}

void
imap_connection_set_paused(ImapConnection *connection, gboolean paused)
{
    if (connection->paused == paused || connection->transport == NULL)
        return;
    connection->paused = paused;
    imap_transport_set_paused(connection->transport, paused);
    imap_watchdog_begin_wait(&connection->watchdog);
    imap_watchdog_watch(&connection->watchdog);
}

gboolean
imap_connection_is_paused(const ImapConnection *connection)
{
    return connection->paused;
}

gint64
imap_connection_silence(const ImapConnection *connection)
{
    if (!imap_connection_is_awaiting((gpointer)connection))
        return 0;
    return imap_watchdog_silence(&connection->watchdog);
}

gint64
imap_connection_last_progress(const ImapConnection *connection)
{
    return connection->watchdog.last_progress;
}

gint64
imap_connection_throttled_until(const ImapConnection *connection)
{
    return connection->throttled_until;
}

gint64
imap_connection_round_trip(const ImapConnection *connection)
{
    return connection->round_trip;
}

gboolean
imap_connection_is_compressed(const ImapConnection *connection)
{
    return connection->compressed;
}

const ImapMailbox *
imap_connection_mailbox(const ImapConnection *connection)
{
    return &connection->mailbox;
}

gboolean
imap_connection_is_writable(const ImapConnection *connection)
{
    const ImapMailbox *mailbox = &connection->mailbox;

    return mailbox->name != NULL && !mailbox->examined && !mailbox->read_only;
}

void
imap_connection_traffic(const ImapConnection *connection, ImapTraffic *traffic)
{
    *traffic = connection->traffic;
    if (connection->transport == NULL)
        return;
    traffic->bytes_received =
        imap_transport_line_received(connection->transport);
    traffic->text_received =
        imap_transport_bytes_received(connection->transport);
    traffic->bytes_sent = imap_transport_bytes_sent(connection->transport);
}

guint
imap_connection_number(const ImapConnection *connection)
{
    return connection->number;
}

const ImapSettings *
imap_connection_settings(const ImapConnection *connection)
{
    return connection->settings;
}

const ImapPeer *
imap_connection_peer(const ImapConnection *connection)
{
    return connection->transport != NULL
               ? imap_transport_peer(connection->transport)
               : &connection->peer;
}

gboolean
imap_connection_was_greeted(const ImapConnection *connection)
{
    return connection->greeted;
}

ImapSession *
imap_connection_session(ImapConnection *connection)
{
    return &connection->session;
}

gboolean
imap_connection_is_encrypted(const ImapConnection *connection)
{
    return connection->transport != NULL &&
           imap_transport_is_encrypted(connection->transport);
}
