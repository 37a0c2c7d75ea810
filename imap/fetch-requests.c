/* FETCH of what is kept of every message: the rows of a listing, and flags. */
#include "imap/requests.h"

#include "imap/changes.h"
#include "imap/requests-private.h"

/* ---- the rows of a listing ---- */

typedef struct {
    const ImapFetchListHandler *handler;
    gpointer user_data;
} FetchListRequest;

/* Flags alone are what a server sends on its own. A size may be missing: some
 * servers send -1. */
static gboolean
is_listed(const ImapFetch *fetch)
{
    return fetch->has_size || fetch->has_internal_date || fetch->header != NULL;
}

static gboolean
on_fetch_list_untagged(const ImapResponse *response, gpointer user_data)
{
    FetchListRequest *request = user_data;

    if (response->type != IMAP_RESPONSE_FETCH || response->fetch->uid == 0 ||
        !is_listed(response->fetch) ||
        response->fetch->body == IMAP_BODY_DELIVERED)
        return FALSE;
    request->handler->message(response->fetch, request->user_data);
    return TRUE;
}

static void
on_fetch_list_done(const ImapStatus *status, const GError *error,
                   gpointer user_data)
{
    FetchListRequest *request = user_data;

    request->handler->done(error, request->user_data);
    g_free(request);
}

static const ImapCommandHandler fetch_list_handler = {
    .untagged = on_fetch_list_untagged,
    .done = on_fetch_list_done,
};

void
imap_request_fetch_list(ImapConnection *connection, const char *uids,
                        gboolean with_header,
                        const ImapFetchListHandler *handler, gpointer user_data)
{
    FetchListRequest *request = g_new0(FetchListRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");

    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_text(command, uids);
    imap_command_add_text(command, " (UID FLAGS INTERNALDATE RFC822.SIZE");
    if (with_header)
        imap_command_add_text(command,
                              " BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT)]");
    if (imap_connection_has(connection, "OBJECTID"))
        imap_command_add_text(command, " EMAILID");
    else if (imap_connection_has(connection, "X-GM-EXT-1"))
        imap_command_add_text(command, " X-GM-MSGID");
    imap_command_add_text(command, ")");
    imap_connection_send(connection, command, &fetch_list_handler, request);
}

/* ---- flags ---- */

typedef struct {
    const ImapFlagsHandler *handler;
    gpointer user_data;
} FlagsRequest;

/* What the server says on its own while it answers is as true as the answer:
 * others may want to hear it, too. */
static gboolean
on_flags_untagged(const ImapResponse *response, gpointer user_data)
{
    FlagsRequest *request = user_data;

    if (response->type == IMAP_RESPONSE_VANISHED) {
        request->handler->vanished(response->vanished->uids,
                                   request->user_data);
        return response->vanished->earlier;
    }
    if (response->type == IMAP_RESPONSE_FETCH && response->fetch->uid != 0 &&
        response->fetch->flags != NULL && !is_listed(response->fetch) &&
        response->fetch->body == IMAP_BODY_NONE) {
        g_autofree char *flags =
            imap_flags_to_string((const char *const *)response->fetch->flags);

        request->handler->flags(response->fetch->uid, flags,
                                request->user_data);
        return TRUE;
    }
    return FALSE;
}

static void
on_flags_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    FlagsRequest *request = user_data;

    request->handler->done(error, request->user_data);
    g_free(request);
}

static const ImapCommandHandler flags_handler = {
    .untagged = on_flags_untagged,
    .done = on_flags_done,
};

void
imap_request_flags(ImapConnection *connection, const char *uids, guint64 modseq,
                   const ImapFlagsHandler *handler, gpointer user_data)
{
    FlagsRequest *request = g_new0(FlagsRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");

    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_text(command, uids);
    imap_command_add_text(command, " (UID FLAGS)");
    if (modseq > 0 && imap_connection_has_condstore(connection))
        imap_command_add_format(
            command, " (CHANGEDSINCE %" G_GUINT64_FORMAT "%s)", modseq,
            imap_connection_has_qresync(connection) ? " VANISHED" : "");
    imap_request_noop(connection);
    imap_connection_send(connection, command, &flags_handler, request);
}
