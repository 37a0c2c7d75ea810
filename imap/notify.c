/* NOTIFY, in the one form that is of use here: the state of every mailbox of
 * the user's own, without a first account of it. */
#include "imap/notify.h"

typedef struct {
    ImapNotifyFunc done;
    gpointer user_data;
} NotifyRequest;

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    g_autofree NotifyRequest *request = user_data;

    request->done(error, request->user_data);
}

static const ImapCommandHandler notify_handler = {.done = on_done};

void
imap_request_notify(ImapConnection *connection, ImapNotifyFunc done,
                    gpointer user_data)
{
    NotifyRequest *request = g_new0(NotifyRequest, 1);

    request->done = done;
    request->user_data = user_data;
    imap_connection_send(
        connection,
        imap_command_new("NOTIFY SET (personal (MailboxName SubscriptionChange "
                         "MessageNew MessageExpunge FlagChange))"),
        &notify_handler, request);
}

gboolean
imap_notify_is_overflow(const ImapResponse *response)
{
    return response->type == IMAP_RESPONSE_STATUS &&
           imap_status_code(response->status, "NOTIFICATIONOVERFLOW") != NULL;
}
