/* FETCH of what is kept of every message: the rows of a listing, and flags. */
#include "imap/requests.h"

#include "imap/changes.h"
#include "imap/connection-private.h"
#include "imap/error.h"
#include "imap/requests-private.h"

/* ---- the rows of a listing ---- */

#define ALL "1:*"
/* Rows beyond the messages that there are. */
#define SURPLUS_MAX 10000

struct ImapListFetch {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    gboolean with_header;
    gboolean ahead; /* it was sent with the selection */
    guint64 n_rows;
    gboolean missed;                     /* a row, while nobody wanted it */
    const ImapFetchListHandler *handler; /* NULL: nobody has asked for it yet */
    gpointer user_data;
};

/* Flags alone are what a server sends on its own. A size may be missing: some
 * servers send -1. */
static gboolean
is_listed(const ImapFetch *fetch)
{
    return fetch->has_size || fetch->has_internal_date || fetch->header != NULL;
}

/* Whoever takes over bounds what comes; until then we do. */
static void
miss(ImapListFetch *request)
{
    guint64 exists = imap_connection_mailbox(request->connection)->exists;
    g_autoptr(GError) error = NULL;

    request->missed = TRUE;
    if (request->n_rows <= exists + SURPLUS_MAX)
        return;
    error = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                                "the server lists messages without end");
    imap_connection_close(request->connection, error);
}

static gboolean
on_fetch_list_untagged(const ImapResponse *response, gpointer user_data)
{
    ImapListFetch *request = user_data;

    if (response->type != IMAP_RESPONSE_FETCH || response->fetch->uid == 0 ||
        !is_listed(response->fetch) || response->fetch->has_structure ||
        response->fetch->body == IMAP_BODY_DELIVERED)
        return FALSE;
    request->n_rows++;
    /* Nobody else's either: it may lack what they have asked for. */
    if (request->handler == NULL)
        miss(request);
    else
        request->handler->message(response->fetch, request->user_data);
    return TRUE;
}

static void send_list_fetch(ImapListFetch *request, const char *uids,
                            gboolean follows);

/* The server did not know yet that something is selected. */
static gboolean
is_sent_again(ImapListFetch *request, const GError *error)
{
    if (!request->ahead || request->handler == NULL || request->n_rows > 0 ||
        (!g_error_matches(error, IMAP_ERROR, IMAP_ERROR_BAD) &&
         !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO)) ||
        !imap_connection_is_open(request->connection))
        return FALSE;
    request->ahead = FALSE;
    imap_connection_session(request->connection)->no_rows_ahead = TRUE;
    send_list_fetch(request, ALL, FALSE);
    return TRUE;
}

static void
on_fetch_list_done(const ImapStatus *status, const GError *error,
                   gpointer user_data)
{
    ImapListFetch *request = user_data;
    ImapListFetch **ahead = imap_connection_rows_ahead(request->connection);

    if (*ahead == request)
        *ahead = NULL;
    if (is_sent_again(request, error))
        return;
    if (request->handler != NULL)
        request->handler->done(error, request->user_data);
    g_free(request);
}

static const ImapCommandHandler fetch_list_handler = {
    .untagged = on_fetch_list_untagged,
    .done = on_fetch_list_done,
};

static void
send_list_fetch(ImapListFetch *request, const char *uids, gboolean follows)
{
    ImapConnection *connection = request->connection;
    ImapCommand *command = imap_command_new("UID FETCH ");

    imap_command_add_text(command, uids);
    imap_command_add_text(command, " (UID FLAGS INTERNALDATE RFC822.SIZE");
    if (request->with_header)
        imap_command_add_text(command,
                              " BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT)]");
    if (imap_connection_has(connection, "OBJECTID"))
        imap_command_add_text(command, " EMAILID");
    else if (imap_connection_has(connection, "X-GM-EXT-1"))
        imap_command_add_text(command, " X-GM-MSGID");
    imap_command_add_text(command, ")");
    if (follows)
        imap_command_set_follower(command);
    imap_connection_send(connection, command, &fetch_list_handler, request);
}

static ImapListFetch *
list_fetch_new(ImapConnection *connection, gboolean with_header)
{
    ImapListFetch *request = g_new0(ImapListFetch, 1);

    request->connection = connection;
    request->with_header = with_header;
    return request;
}

void
imap_request_rows_ahead(ImapConnection *connection, gboolean with_header)
{
    ImapListFetch *request = list_fetch_new(connection, with_header);

    request->ahead = TRUE;
    *imap_connection_rows_ahead(connection) = request;
    send_list_fetch(request, ALL, TRUE);
}

/* What is on its way, if it is the same. */
static ImapListFetch *
take_rows_ahead(ImapConnection *connection, const char *uids,
                gboolean with_header)
{
    ImapListFetch **ahead = imap_connection_rows_ahead(connection);

    return *ahead != NULL && !(*ahead)->missed &&
                   (*ahead)->with_header == with_header &&
                   g_str_equal(uids, ALL)
               ? g_steal_pointer(ahead)
               : NULL;
}

void
imap_request_fetch_list(ImapConnection *connection, const char *uids,
                        gboolean with_header,
                        const ImapFetchListHandler *handler, gpointer user_data)
{
    ImapListFetch *ahead = take_rows_ahead(connection, uids, with_header);
    ImapListFetch *request =
        ahead != NULL ? ahead : list_fetch_new(connection, with_header);

    request->handler = handler;
    request->user_data = user_data;
    if (ahead == NULL)
        send_list_fetch(request, uids, FALSE);
}

/* ---- flags ---- */

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    const ImapFlagsHandler *handler;
    gpointer user_data;
    gboolean fetched; /* the FETCH is answered */
    gboolean looked;  /* and the NOOP */
    GError *error;    /* of the FETCH, or of the line */
    guint64 heard;    /* the highest mod-sequence told before it was sent */
    guint64 told;     /* and by the answer to the FETCH; 0: none */
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

        if (response->fetch->has_modseq && !request->fetched)
            request->told = MAX(request->told, response->fetch->modseq);
        request->handler->flags(response->fetch->uid, flags,
                                request->user_data);
        return TRUE;
    }
    return FALSE;
}

/* What NOOP brings may be told behind the answer to the FETCH. */
static gboolean
on_noop_untagged(const ImapResponse *response, gpointer user_data)
{
    FlagsRequest *request = user_data;

    return request->fetched && on_flags_untagged(response, request);
}

/* The answer is complete up to what had happened before it was asked for. Not
 * up to what it tells: a message may change behind a server that goes through
 * them, and another before it, which it then tells with a higher mod-sequence.
 * And only up to what it tells: what was heard before may have come from where
 * more is known than in what this answer was read from. */
static void
tell_complete(const FlagsRequest *request)
{
    const ImapMailbox *mailbox = imap_connection_mailbox(request->connection);
    guint64 modseq = MIN(request->heard, request->told);

    /* The server may have taken it back. */
    modseq = MIN(modseq, mailbox->modseq_heard);
    if (request->error == NULL && modseq > 0 &&
        request->handler->complete != NULL)
        request->handler->complete(modseq, request->user_data);
}

static void
end_flags(FlagsRequest *request)
{
    if (!request->fetched || !request->looked)
        return;
    tell_complete(request);
    request->handler->done(request->error, request->user_data);
    g_clear_error(&request->error);
    g_free(request);
}

static void
on_flags_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    FlagsRequest *request = user_data;
    guint64 highest;

    request->fetched = TRUE;
    if (status != NULL &&
        imap_status_code_number(status, "HIGHESTMODSEQ", &highest))
        request->told = MIN(request->told, highest);
    if (request->error == NULL && error != NULL)
        request->error = g_error_copy(error);
    end_flags(request);
}

static void
on_noop_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    FlagsRequest *request = user_data;

    request->looked = TRUE;
    if (request->error == NULL && imap_error_is_of_the_line(error))
        request->error = g_error_copy(error);
    end_flags(request);
}

static const ImapCommandHandler flags_handler = {
    .untagged = on_flags_untagged,
    .done = on_flags_done,
};

static const ImapCommandHandler noop_handler = {
    .untagged = on_noop_untagged,
    .done = on_noop_done,
};

void
imap_request_flags(ImapConnection *connection, const char *uids, guint64 modseq,
                   const ImapFlagsHandler *handler, gpointer user_data)
{
    FlagsRequest *request = g_new0(FlagsRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");

    request->connection = connection;
    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_text(command, uids);
    imap_command_add_text(command, " (UID FLAGS)");
    if (modseq > 0 && imap_connection_has_condstore(connection)) {
        request->heard = imap_connection_mailbox(connection)->modseq_heard;
        imap_command_add_format(
            command, " (CHANGEDSINCE %" G_GUINT64_FORMAT "%s)", modseq,
            imap_connection_has_qresync(connection) ? " VANISHED" : "");
    }
    imap_connection_send(connection, imap_command_new("NOOP"), &noop_handler,
                         request);
    imap_connection_send(connection, command, &flags_handler, request);
}
