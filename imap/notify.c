/* NOTIFY, in the one form that is of use here: the state of every mailbox of
 * the user's own, without a first account of it. */
#include "imap/notify.h"

#include "imap/requests.h"

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

static void
on_none_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
}

static const ImapCommandHandler none_handler = {.done = on_none_done};

void
imap_request_notify(ImapConnection *connection, gboolean again,
                    ImapNotifyFunc done, gpointer user_data)
{
    NotifyRequest *request = g_new0(NotifyRequest, 1);

    request->done = done;
    request->user_data = user_data;
    /* Dovecot begins to listen anew before it ends what it did until then; and
     * where both listen to the same file, that ends both. What it was going to
     * tell, which it gathers for half a second, it forgets at that end, and
     * tells at NOOP. */
    if (again) {
        imap_request_noop(connection);
        imap_connection_send(connection, imap_command_new("NOTIFY NONE"),
                             &none_handler, NULL);
    }
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
