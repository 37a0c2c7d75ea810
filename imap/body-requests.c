/* FETCH of what messages hold, passed on while it comes. */
#include "imap/requests.h"

#include "imap/error.h"
#include "imap/part-requests.h"

/* ---- one message ---- */

typedef struct {
    guint32 uid;
    gboolean begun;
    gboolean ended;   /* the octets are all there */
    gboolean settled; /* and known to be the message's, or not */
    gboolean missed;  /* a body came with its UID, and was not taken */
    const ImapFetchBodyHandler *handler;
    gpointer user_data;
} FetchBodyRequest;

static gboolean
on_body_begin(const ImapBody *body, gpointer user_data)
{
    FetchBodyRequest *request = user_data;

    if (request->begun || (body->uid != 0 && body->uid != request->uid) ||
        body->section[0] != '\0' || body->is_part)
        return FALSE;
    request->begun = TRUE;
    request->handler->begin(body->size, body->uid != 0, request->user_data);
    return TRUE;
}

static void
on_body_data(const guint8 *data, gsize length, gpointer user_data)
{
    FetchBodyRequest *request = user_data;

    request->handler->data(data, length, request->user_data);
}

static void
on_body_end(gpointer user_data)
{
    ((FetchBodyRequest *)user_data)->ended = TRUE;
}

static gboolean
on_fetch_body_untagged(const ImapResponse *response, gpointer user_data)
{
    FetchBodyRequest *request = user_data;

    if (response->type != IMAP_RESPONSE_FETCH ||
        response->fetch->body != IMAP_BODY_DELIVERED || request->settled)
        return FALSE;
    if (request->ended && response->fetch->uid == request->uid) {
        request->settled = TRUE;
        request->handler->end(request->user_data);
        return TRUE;
    }
    if (request->ended) {
        request->begun = request->ended = FALSE;
        request->handler->discard(request->user_data);
    } else if (!request->begun && response->fetch->uid == request->uid) {
        request->missed = TRUE;
    }
    /* Whose it is may be waiting behind. */
    return FALSE;
}

static void
on_fetch_body_done(const ImapStatus *status, const GError *error,
                   gpointer user_data)
{
    FetchBodyRequest *request = user_data;
    g_autoptr(GError) missed = NULL;

    if (error == NULL && request->missed && !request->settled) {
        missed = g_error_new_literal(
            IMAP_ERROR, IMAP_ERROR_PROTOCOL,
            "the server sends the message out of turn or in part");
        error = missed;
    }
    if (request->begun && !request->settled)
        request->handler->discard(request->user_data);
    request->handler->done(error, request->user_data);
    g_free(request);
}

static const ImapCommandHandler fetch_body_handler = {
    .untagged = on_fetch_body_untagged,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
    .done = on_fetch_body_done,
};

void
imap_request_fetch_body(ImapConnection *connection, guint32 uid,
                        const ImapFetchBodyHandler *handler, gpointer user_data)
{
    FetchBodyRequest *request = g_new0(FetchBodyRequest, 1);
    ImapCommand *command = imap_command_new("UID FETCH ");

    request->uid = uid;
    request->handler = handler;
    request->user_data = user_data;
    imap_command_add_format(command, "%u (UID BODY.PEEK[])", uid);
    imap_connection_send(connection, command, &fetch_body_handler, request);
}

/* ---- bodies and parts ---- */

/* Several such commands may be in flight at the same time. A body whose UID is
 * known when it begins goes to a command that wants it; one that is named only
 * at its end goes to the oldest command that wants any, which may then have to
 * discard it. */
typedef struct {
    ImapUidSet *wanted;
    guint64 n_wanted;
    ImapUidSet *delivered; /* those of them that have come */
    char *section;         /* "" for the whole */
    gboolean is_part;
    guint64 offset;     /* of a part */
    guint32 length;     /* likewise */
    gboolean begun;     /* a body is under way */
    gboolean ended;     /* and its octets are all there */
    gboolean refused;   /* and it is not the part asked for */
    ImapUidSet *missed; /* wanted, and came, but were not taken */
    const ImapBodiesHandler *handler;
    gpointer user_data;
} BodiesRequest;

static gboolean
wants(const BodiesRequest *request, guint32 uid)
{
    return imap_uid_set_contains(request->wanted, uid) &&
           !imap_uid_set_contains(request->delivered, uid);
}

/* Whether @body is of the kind that was asked for. The whole, from a server
 * that knows no parts, is as good as a part that it fits in. */
static gboolean
is_as_asked(const BodiesRequest *request, const ImapBody *body)
{
    if (!request->is_part)
        return !body->is_part;
    return body->origin == request->offset && body->size <= request->length;
}

static gboolean
on_bodies_begin(const ImapBody *body, gpointer user_data)
{
    BodiesRequest *request = user_data;

    if (request->begun ||
        g_ascii_strcasecmp(body->section, request->section) != 0)
        return FALSE;
    if (body->uid != 0
            ? !wants(request, body->uid)
            : imap_uid_set_count(request->delivered) >= request->n_wanted)
        return FALSE;
    if (is_as_asked(request, body)) {
        request->begun = TRUE;
        request->handler->begin(body->uid, body->size, request->user_data);
        return TRUE;
    }
    if (!request->is_part || body->uid == 0)
        return FALSE;
    /* It passes by, however long it is. */
    request->begun = request->refused = TRUE;
    return TRUE;
}

static void
on_bodies_data(const guint8 *data, gsize length, gpointer user_data)
{
    BodiesRequest *request = user_data;

    if (!request->refused)
        request->handler->data(data, length, request->user_data);
}

static void
on_bodies_end(gpointer user_data)
{
    ((BodiesRequest *)user_data)->ended = TRUE;
}

static gboolean
on_bodies_untagged(const ImapResponse *response, gpointer user_data)
{
    BodiesRequest *request = user_data;
    gboolean taken = request->ended && !request->refused;
    guint32 uid;

    if (response->type != IMAP_RESPONSE_FETCH ||
        response->fetch->body != IMAP_BODY_DELIVERED)
        return FALSE;
    uid = response->fetch->uid;
    request->begun = request->ended = request->refused = FALSE;
    if (taken && wants(request, uid)) {
        imap_uid_set_add(request->delivered, uid, uid);
        request->handler->end(uid, request->user_data);
        return TRUE;
    }
    if (taken)
        request->handler->discard(request->user_data);
    else if (wants(request, uid))
        imap_uid_set_add(request->missed, uid, uid);
    /* Whose it is may be waiting behind. */
    return FALSE;
}

static GError *
missed_error(const BodiesRequest *request)
{
    guint32 first;
    guint32 last;

    for (guint i = 0; i < imap_uid_set_n_ranges(request->missed); i++) {
        imap_uid_set_range(request->missed, i, &first, &last);
        for (guint64 uid = first; uid <= last; uid++)
            if (wants(request, (guint32)uid))
                return g_error_new_literal(
                    IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    request->is_part
                        ? "the server does not send the part of a message "
                          "that was asked for"
                        : "the server sends the message out of turn or in "
                          "part");
    }
    return NULL;
}

static void
on_bodies_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    BodiesRequest *request = user_data;
    g_autoptr(GError) missed = error == NULL ? missed_error(request) : NULL;

    if (request->begun && !request->refused)
        request->handler->discard(request->user_data);
    request->handler->done(error != NULL ? error : missed, request->user_data);
    imap_uid_set_free(request->wanted);
    imap_uid_set_free(request->delivered);
    imap_uid_set_free(request->missed);
    g_free(request->section);
    g_free(request);
}

static const ImapCommandHandler bodies_handler = {
    .untagged = on_bodies_untagged,
    .body_begin = on_bodies_begin,
    .body_data = on_bodies_data,
    .body_end = on_bodies_end,
    .done = on_bodies_done,
};

static BodiesRequest *
bodies_request_new(const char *section, const ImapBodiesHandler *handler,
                   gpointer user_data)
{
    BodiesRequest *request = g_new0(BodiesRequest, 1);

    request->section = g_strdup(section);
    request->wanted = imap_uid_set_new();
    request->delivered = imap_uid_set_new();
    request->missed = imap_uid_set_new();
    request->handler = handler;
    request->user_data = user_data;
    return request;
}

void
imap_request_fetch_section(ImapConnection *connection, const ImapUidSet *uids,
                           const char *section, gboolean decoded,
                           const ImapBodiesHandler *handler, gpointer user_data)
{
    BodiesRequest *request = bodies_request_new(section, handler, user_data);
    ImapCommand *command = imap_command_new("UID FETCH ");
    g_autofree char *text = imap_uid_set_to_string(uids);
    guint32 first;
    guint32 last;

    for (guint i = 0; i < imap_uid_set_n_ranges(uids); i++) {
        imap_uid_set_range(uids, i, &first, &last);
        imap_uid_set_add(request->wanted, first, last);
    }
    request->n_wanted = imap_uid_set_count(uids);
    imap_command_add_text(command, text);
    imap_command_add_format(command, " (UID %s.PEEK[%s])",
                            decoded ? "BINARY" : "BODY", section);
    imap_connection_send(connection, command, &bodies_handler, request);
}

void
imap_request_fetch_bodies(ImapConnection *connection, const ImapUidSet *uids,
                          const ImapBodiesHandler *handler, gpointer user_data)
{
    imap_request_fetch_section(connection, uids, "", FALSE, handler, user_data);
}

void
imap_request_fetch_section_part(ImapConnection *connection, guint32 uid,
                                const char *section, guint64 offset,
                                guint32 length,
                                const ImapBodiesHandler *handler,
                                gpointer user_data)
{
    BodiesRequest *request = bodies_request_new(section, handler, user_data);
    ImapCommand *command = imap_command_new("UID FETCH ");

    imap_uid_set_add(request->wanted, uid, uid);
    request->n_wanted = 1;
    request->is_part = TRUE;
    request->offset = offset;
    request->length = length;
    imap_command_add_format(command,
                            "%u (UID BODY.PEEK[%s]<%" G_GUINT64_FORMAT ".%u>)",
                            uid, section, offset, length);
    imap_connection_send(connection, command, &bodies_handler, request);
}

void
imap_request_fetch_part(ImapConnection *connection, guint32 uid, guint64 offset,
                        guint32 length, const ImapBodiesHandler *handler,
                        gpointer user_data)
{
    imap_request_fetch_section_part(connection, uid, "", offset, length,
                                    handler, user_data);
}
