/* What is asked of a server. Each request is a struct with what it gathers so
 * far; the reply, which comes also when the connection ends, frees it. So these
 * are not cancelled: whoever has lost interest passes over the result. Here,
 * the list of mailboxes. */
#include "imap/requests.h"

#include "imap/connection-private.h"
#include "imap/error.h"

#include <string.h>

#define MAX_MAILBOXES 200000
#define MAX_LIST_OCTETS (64 * 1024 * 1024) /* of all names */

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    GArray *mailboxes;          /* of ImapListedMailbox */
    gsize octets;               /* of their names */
    guint pending;              /* commands */
    GError *error;              /* the first */
    char *host;
    ImapListFunc done;
    gpointer user_data;
} ListRequest;

static void
listed_mailbox_clear(gpointer mailbox)
{
    g_free(((ImapListedMailbox *)mailbox)->name);
}

static gboolean
on_list_untagged(const ImapResponse *response, gpointer user_data)
{
    ListRequest *request = user_data;
    ImapListedMailbox mailbox;

    if (response->type != IMAP_RESPONSE_LIST)
        return FALSE;
    request->octets += strlen(response->list->name);
    if (request->mailboxes->len >= MAX_MAILBOXES ||
        request->octets > MAX_LIST_OCTETS) {
        /* It may never come to an end. */
        g_autoptr(GError) error = g_error_new(
            IMAP_ERROR, IMAP_ERROR_PROTOCOL,
            "%s lists more mailboxes than can be kept", request->host);

        imap_connection_close(request->connection, error);
        return TRUE;
    }
    mailbox.name = g_strdup(response->list->name);
    mailbox.delimiter = response->list->delimiter;
    mailbox.attributes = response->list->attributes;
    g_array_append_val(request->mailboxes, mailbox);
    return TRUE;
}

static gboolean
has_inbox(const GArray *mailboxes)
{
    for (guint i = 0; i < mailboxes->len; i++)
        if (g_ascii_strcasecmp(
                g_array_index(mailboxes, ImapListedMailbox, i).name, "INBOX") ==
            0)
            return TRUE;
    return FALSE;
}

static void
on_list_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    ListRequest *request = user_data;

    if (error != NULL && request->error == NULL)
        request->error = g_error_copy(error);
    if (--request->pending > 0)
        return;
    if (request->error == NULL && !has_inbox(request->mailboxes))
        g_set_error(&request->error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "%s gives an incomplete list of mailboxes: INBOX is "
                    "missing",
                    request->host);
    request->done(request->error == NULL ? request->mailboxes : NULL,
                  request->error, request->user_data);
    g_array_unref(request->mailboxes);
    g_clear_error(&request->error);
    g_free(request->host);
    g_free(request);
}

/* What a server says we may not see it does not show tomorrow either; any other
 * refusal may be for the moment, and a part would pass for the whole. */
static void
on_foreign_list_done(const ImapStatus *status, const GError *error,
                     gpointer user_data)
{
    gboolean hidden =
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO_PERMISSION) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NONEXISTENT);

    if (hidden)
        g_message("a namespace is not shown: %s", error->message);
    on_list_done(status, hidden ? NULL : error, user_data);
}

static const ImapCommandHandler list_handler = {
    .untagged = on_list_untagged,
    .done = on_list_done,
};

static const ImapCommandHandler foreign_list_handler = {
    .untagged = on_list_untagged,
    .done = on_foreign_list_done,
};

static void
send_list(ImapConnection *connection, ListRequest *request, const char *prefix)
{
    ImapCommand *command = imap_command_new("LIST \"\" ");
    g_autofree char *pattern = g_strconcat(prefix, "*", NULL);

    imap_command_add_string(command, pattern);
    if (imap_connection_has(connection, "LIST-EXTENDED"))
        imap_command_add_text(command,
                              imap_connection_has(connection, "SPECIAL-USE")
                                  ? " RETURN (CHILDREN SPECIAL-USE)"
                                  : " RETURN (CHILDREN)");
    request->pending++;
    imap_connection_send(
        connection, command,
        prefix[0] == '\0' ? &list_handler : &foreign_list_handler, request);
}

void
imap_request_list(ImapConnection *connection, ImapListFunc done,
                  gpointer user_data)
{
    ListRequest *request = g_new0(ListRequest, 1);
    char **prefixes = imap_connection_foreign_namespaces(connection);

    request->connection = connection;
    request->mailboxes = g_array_new(FALSE, FALSE, sizeof(ImapListedMailbox));
    g_array_set_clear_func(request->mailboxes, listed_mailbox_clear);
    request->host = g_strdup(imap_connection_settings(connection)->host);
    request->done = done;
    request->user_data = user_data;
    send_list(connection, request, "");
    for (; prefixes != NULL && *prefixes != NULL; prefixes++)
        send_list(connection, request, *prefixes);
}
