/* LIST with STATUS takes patterns: a name that would be one is asked for by a
 * STATUS of its own. */
#include "imap/status-request.h"

#include <string.h>

/* Of one LIST: servers take lines of some 8000 octets. */
#define MAX_NAMES 50
#define MAX_OCTETS 4000

typedef struct {
    const ImapStatusHandler *handler;
    gpointer user_data;
    guint pending;
    GError *error; /* the first of the line's; NULL: none */
} Request;

static gboolean
on_untagged(const ImapResponse *response, gpointer user_data)
{
    Request *request = user_data;

    if (response->type == IMAP_RESPONSE_MAILBOX_STATUS)
        request->handler->status(response->mailbox_status, request->user_data);
    return response->type == IMAP_RESPONSE_MAILBOX_STATUS ||
           (response->type == IMAP_RESPONSE_LIST && !request->handler->singly);
}

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    Request *request = user_data;

    if (status == NULL && request->error == NULL)
        request->error = g_error_copy(error);
    if (--request->pending > 0)
        return;
    request->handler->done(request->error, request->user_data);
    g_clear_error(&request->error);
    g_free(request);
}

static const ImapCommandHandler command_handler = {
    .untagged = on_untagged,
    .done = on_done,
};

static void
send_command(ImapConnection *connection, Request *request, ImapCommand *command)
{
    request->pending++;
    imap_connection_send(connection, command, &command_handler, request);
}

static void
add_items(ImapCommand *command, const ImapConnection *connection, guint more)
{
    imap_command_add_text(command, "(MESSAGES UIDNEXT UIDVALIDITY");
    if (imap_connection_has_condstore(connection))
        imap_command_add_text(command, " HIGHESTMODSEQ");
    if ((more & IMAP_MAILBOX_UNSEEN) != 0)
        imap_command_add_text(command, " UNSEEN");
    if ((more & IMAP_MAILBOX_SIZE) != 0 &&
        imap_connection_has(connection, "STATUS=SIZE"))
        imap_command_add_text(command, " SIZE");
    imap_command_add_text(command, ")");
}

static void
ask_one(ImapConnection *connection, Request *request, const char *mailbox)
{
    ImapCommand *command = imap_command_new("STATUS ");

    imap_command_add_string(command, mailbox);
    imap_command_add_text(command, " ");
    add_items(command, connection, request->handler->more);
    send_command(connection, request, command);
}

/* Those of @mailboxes from *@at on that fit into one command. */
static void
ask_many(ImapConnection *connection, Request *request,
         const GPtrArray *mailboxes, guint *at)
{
    ImapCommand *command = imap_command_new("LIST \"\" (");
    gsize octets = 0;

    for (guint n = 0; *at < mailboxes->len && n < MAX_NAMES; n++, (*at)++) {
        const char *mailbox = g_ptr_array_index(mailboxes, *at);

        octets += strlen(mailbox);
        if (n > 0 && octets > MAX_OCTETS)
            break;
        if (n > 0)
            imap_command_add_text(command, " ");
        imap_command_add_string(command, mailbox);
    }
    imap_command_add_text(command, ") RETURN (STATUS ");
    add_items(command, connection, request->handler->more);
    imap_command_add_text(command, ")");
    send_command(connection, request, command);
}

gboolean
imap_request_statuses(ImapConnection *connection, const char *const *mailboxes,
                      const ImapStatusHandler *handler, gpointer user_data)
{
    gboolean can_list = !handler->singly &&
                        imap_connection_has(connection, "LIST-STATUS") &&
                        imap_connection_has(connection, "LIST-EXTENDED");
    const char *selected = imap_connection_mailbox(connection)->name;
    g_autoptr(GPtrArray) listed = g_ptr_array_new();
    Request *request = g_new0(Request, 1);

    request->handler = handler;
    request->user_data = user_data;
    /* It must not end while it is being sent. */
    request->pending = 1;
    for (; *mailboxes != NULL; mailboxes++) {
        if (g_strcmp0(*mailboxes, selected) == 0)
            continue;
        if (can_list && strpbrk(*mailboxes, "*%") == NULL)
            g_ptr_array_add(listed, (gpointer)*mailboxes);
        else
            ask_one(connection, request, *mailboxes);
    }
    for (guint at = 0; at < listed->len;)
        ask_many(connection, request, listed, &at);
    if (--request->pending > 0)
        return TRUE;
    g_free(request);
    return FALSE;
}
