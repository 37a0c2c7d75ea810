/* FETCH of structures and headers. Those of parts are in
 * imap/body-requests.c. */
#include "imap/part-requests.h"

#include <string.h>

typedef struct {
    ImapUidSet *uids;
    enum { STRUCTURE, HEADER, SIZES } kind;
    const ImapHeadsHandler *handler;
    gpointer user_data;
} HeadsRequest;

static gboolean
is_as_asked(const HeadsRequest *request, const ImapFetch *fetch)
{
    switch (request->kind) {
    case STRUCTURE:
        return fetch->has_structure;
    case HEADER:
        return fetch->header != NULL && !fetch->has_size;
    case SIZES:
        return fetch->binary_sizes != NULL;
    }
    return FALSE;
}

static gboolean
on_untagged(const ImapResponse *response, gpointer user_data)
{
    HeadsRequest *request = user_data;
    const ImapFetch *fetch = response->fetch;

    if (response->type != IMAP_RESPONSE_FETCH ||
        fetch->body == IMAP_BODY_DELIVERED ||
        !imap_uid_set_contains(request->uids, fetch->uid) ||
        !is_as_asked(request, fetch))
        return FALSE;
    request->handler->head(fetch, request->user_data);
    return TRUE;
}

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    HeadsRequest *request = user_data;

    request->handler->done(error, request->user_data);
    imap_uid_set_free(request->uids);
    g_free(request);
}

static const ImapCommandHandler heads_handler = {
    .untagged = on_untagged,
    .done = on_done,
};

void
imap_request_heads(ImapConnection *connection, const ImapUidSet *uids,
                   const char *section, const ImapHeadsHandler *handler,
                   gpointer user_data)
{
    HeadsRequest *request = g_new0(HeadsRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");
    g_autofree char *text = imap_uid_set_to_string(uids);

    request->uids = imap_uid_set_parse(text, strlen(text));
    request->kind = section == NULL ? STRUCTURE : HEADER;
    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_text(command, text);
    if (section == NULL)
        imap_command_add_text(
            command, " (UID RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER])");
    else
        imap_command_add_format(command, " (UID BODY.PEEK[%s.HEADER])",
                                section);
    imap_connection_send(connection, command, &heads_handler, request);
}

void
imap_request_binary_size(ImapConnection *connection, guint32 uid,
                         const char *section, const ImapHeadsHandler *handler,
                         gpointer user_data)
{
    HeadsRequest *request = g_new0(HeadsRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");

    request->uids = imap_uid_set_new();
    imap_uid_set_add(request->uids, uid, uid);
    request->kind = SIZES;
    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_format(command, "%u (UID BINARY.SIZE[%s])", uid, section);
    imap_connection_send(connection, command, &heads_handler, request);
}
