/* What the server says on a connection, and whose affair it is: the command's
 * that is awaited, the login's, the selected mailbox's, or nobody's. */
#include "imap/connection-struct.h"

#include "imap/error.h"

#include <string.h>

/* UIDs must keep their meaning while a mailbox is selected (RFC 9051 section
 * 2.3.1.1). If they do not, only selecting it anew shows what they mean. */
static void
apply_codes(ImapConnection *connection, const ImapStatus *status)
{
    guint64 uidvalidity = connection->mailbox.uidvalidity;

    imap_mailbox_apply_codes(&connection->mailbox, status);
    if (connection->mailbox.uidvalidity != uidvalidity)
        imap_connection_close_with(
            connection, IMAP_ERROR_CLOSED,
            "the UIDVALIDITY of the selected mailbox has changed");
}

static void
tell_unasked(ImapConnection *connection, const ImapResponse *response)
{
    if (connection->state == STATE_READY && connection->unasked != NULL)
        connection->unasked(response, connection->unasked_data);
}

/* What Dovecot says every ten seconds while it reads a mailbox to search it:
 * "Searched 37% of the mailbox, ETA 1:20". */
#define SEARCHED "Searched "

static void
note_search(ImapConnection *connection, const char *text)
{
    guint64 percent;

    if (g_str_has_prefix(text, SEARCHED) &&
        imap_command_queue_awaits(connection->queue, "UID SEARCH")) {
        percent = g_ascii_strtoull(text + strlen(SEARCHED), NULL, 10);
        imap_watchdog_note_percent(&connection->watchdog,
                                   (guint)MIN(percent, G_MAXUINT));
    }
}

static void
on_untagged_status(ImapConnection *connection, const ImapResponse *response)
{
    const ImapStatus *status = response->status;

    if (connection->state == STATE_GREETING) {
        connection->state = STATE_LOGIN;
        connection->greeted = TRUE;
        imap_watchdog_begin_wait(&connection->watchdog);
        imap_login_greeting(connection->login, status);
        return;
    }
    if (status->condition == IMAP_CONDITION_BYE) {
        imap_connection_close_with(
            connection, IMAP_ERROR_CLOSED,
            status->text[0] != '\0' ? status->text : "the server says goodbye");
        return;
    }
    if (status->condition == IMAP_CONDITION_PREAUTH) {
        imap_connection_close_with(connection, IMAP_ERROR_PROTOCOL,
                                   "PREAUTH after the greeting");
        return;
    }
    if (status->condition == IMAP_CONDITION_OK)
        note_search(connection, status->text);
    if (status->text[0] != '\0' && imap_status_code(status, "ALERT") != NULL &&
        imap_connection_is_encrypted(connection))
        g_message("%s says: %s", connection->settings->host, status->text);
    if (imap_command_queue_offer(connection->queue, response))
        return;
    if (connection->mailbox.name != NULL)
        apply_codes(connection, status);
    tell_unasked(connection, response);
}

static gboolean
on_tagged_status(ImapConnection *connection, const ImapStatus *status,
                 GError **error)
{
    gsize unsent = imap_transport_unsent(connection->transport);
    gint64 elapsed = g_get_monotonic_time() - connection->asked_at;
    guint backoff_ms = imap_status_backoff_ms(status);

    imap_watchdog_note_progress(&connection->watchdog);
    if (connection->asked_at != 0 &&
        (connection->round_trip == 0 || elapsed < connection->round_trip))
        connection->round_trip = MAX(elapsed, 1);
    connection->asked_at = 0;
    if (backoff_ms > 0)
        connection->throttled_until =
            connection->watchdog.last_progress +
            backoff_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    if (!imap_command_queue_answer(connection->queue, status, unsent, error))
        return FALSE;
    if (connection->state != STATE_CLOSED)
        imap_connection_flush(connection);
    return TRUE;
}

static void
on_response(const ImapResponse *response, gpointer user_data)
{
    ImapConnection *connection = user_data;
    g_autoptr(GError) error = NULL;

    imap_watchdog_end_part(&connection->watchdog);
    if (connection->state == STATE_GREETING &&
        (response->type != IMAP_RESPONSE_STATUS ||
         response->status->tag != NULL)) {
        imap_connection_close_with(connection, IMAP_ERROR_PROTOCOL,
                                   "no IMAP greeting; check the port");
        return;
    }
    if (response->type == IMAP_RESPONSE_CONTINUATION) {
        imap_watchdog_note_progress(&connection->watchdog);
        if (imap_command_queue_continue(connection->queue, response->text,
                                        &error))
            imap_connection_send_message(connection);
    } else if (response->type == IMAP_RESPONSE_STATUS &&
               response->status->tag != NULL) {
        on_tagged_status(connection, response->status, &error);
    } else if (response->type == IMAP_RESPONSE_STATUS) {
        on_untagged_status(connection, response);
    } else {
        imap_mailbox_apply(&connection->mailbox, response);
        if (imap_command_queue_offer(connection->queue, response)) {
            imap_watchdog_note_progress(&connection->watchdog);
        } else if (connection->login != NULL) {
            imap_login_untagged(connection->login, response);
        } else {
            imap_mailbox_apply_unasked(&connection->mailbox, response);
            tell_unasked(connection, response);
        }
    }
    if (error != NULL)
        imap_connection_close(connection, error);
}

static void
on_body_begin(const ImapBody *body, gpointer user_data)
{
    ImapConnection *connection = user_data;

    connection->body_unasked =
        !imap_command_queue_body_begin(connection->queue, body);
    if (!connection->body_unasked)
        imap_watchdog_note_progress(&connection->watchdog);
}

static void
on_body_data(const guint8 *data, gsize length, gpointer user_data)
{
    ImapConnection *connection = user_data;

    if (imap_command_queue_body_data(connection->queue, data, length))
        imap_watchdog_note_progress(&connection->watchdog);
}

static void
on_body_end(gpointer user_data)
{
    ImapConnection *connection = user_data;

    connection->body_unasked = FALSE;
    imap_command_queue_body_end(connection->queue);
}

const ImapParserHandler imap_connection_input = {
    .response = on_response,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
};
