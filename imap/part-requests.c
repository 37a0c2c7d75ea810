/* FETCH of structures and headers. Those of parts are in
 * imap/body-requests.c. */
#include "imap/part-requests.h"

#include <string.h>

typedef enum { STRUCTURE, HEADER, SIZES } Kind;

typedef struct {
    ImapUidSet *uids;
    Kind kind;
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

/* "UID FETCH @uids", of which what is wanted is to follow. */
static ImapCommand *
begin(HeadsRequest **request, const ImapUidSet *uids, Kind kind,
      const ImapHeadsHandler *handler, gpointer user_data)
{
    ImapCommand *command = imap_command_new("UID FETCH ");
    g_autofree char *text = imap_uid_set_to_string(uids);

    *request = g_new0(HeadsRequest, 1);
    (*request)->uids = imap_uid_set_parse(text, strlen(text));
    (*request)->kind = kind;
    (*request)->handler = handler;
    (*request)->user_data = user_data;
    imap_command_add_text(command, text);
    return command;
}

void
imap_request_heads(ImapConnection *connection, const ImapUidSet *uids,
                   const char *section, const ImapHeadsHandler *handler,
                   gpointer user_data)
{
    HeadsRequest *request;
    ImapCommand *command =
        begin(&request, uids, section == NULL ? STRUCTURE : HEADER, handler,
              user_data);

    if (section == NULL)
        imap_command_add_text(
            command, " (UID RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER])");
    else
        imap_command_add_format(command, " (UID BODY.PEEK[%s.HEADER])",
                                section);
    imap_connection_send(connection, command, &heads_handler, request);
}

void
imap_request_fields(ImapConnection *connection, const ImapUidSet *uids,
                    const char *fields, gboolean with_structure,
                    const ImapHeadsHandler *handler, gpointer user_data)
{
    HeadsRequest *request;
    ImapCommand *command =
        begin(&request, uids, with_structure ? STRUCTURE : HEADER, handler,
              user_data);

    imap_command_add_format(command, " (UID%s BODY.PEEK[HEADER.FIELDS (%s)])",
                            with_structure ? " BODYSTRUCTURE" : "", fields);
    imap_connection_send(connection, command, &heads_handler, request);
}

void
imap_request_binary_size(ImapConnection *connection, guint32 uid,
                         const char *section, const ImapHeadsHandler *handler,
                         gpointer user_data)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();
    HeadsRequest *request;
    ImapCommand *command;

    imap_uid_set_add(uids, uid, uid);
    command = begin(&request, uids, SIZES, handler, user_data);
    imap_command_add_format(command, " (UID BINARY.SIZE[%s])", section);
    imap_connection_send(connection, command, &heads_handler, request);
}
