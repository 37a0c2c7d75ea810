/* Fetching messages whole.
 *
 * The octets of a message can be had when it is certain that they are: the
 * server has said whose they are, and has announced as many. Of such a message
 * each block is there as soon as it is full. Others are held back, and the
 * server is asked whether the message exists at all: what it sends for one that
 * another client has expunged may be a stand-in.
 *
 * When the line is cut, who asked for one message alone tries again. */
#include "fs/bodies/body-fetch.h"

#include "fs/bodies/body-writer.h"
#include "fs/kernel/errno.h"
#include "fs/sync/existence.h"
#include "fs/sync/synchroniser.h"
#include "imap/error.h"
#include "imap/requests.h"

/* How much larger than it said a server's message may be before we take it for
 * an attempt to fill the disk. */
#define SURPLUS_MAX (64 * G_GUINT64_CONSTANT(1024) * 1024)

/* So much of a message is read to its end although nobody wants it. */
#define REST_MAX (1u * 1024 * 1024)

/* So often may the server list a message and not send it. */
#define CONTRADICTIONS_MAX 3u

struct FsBodyFetch {
    FsMessageBodies *bodies; /* a reference */
    guint32 mailbox;
    GPtrArray *wanted;          /* of FsBody, references */
    ImapLease *lease;           /* of one alone */
    ImapConnection *connection; /* a reference; NULL: not sent yet */
    gboolean sent;              /* or about to be */
    gboolean batch;
    guint n_ranges; /* at most, of the command */
    guint32 last_uid;
    guint64 largest; /* announced */
    FsBatchFunc done;
    gpointer user_data;

    /* The message that is coming. */
    FsBody *body;         /* a reference; NULL: not known, or not wanted */
    FsBodyWriter *writer; /* NULL: it is passed over */
};

/* A body that may be a stand-in. */
typedef struct {
    FsBody *body;         /* a reference */
    FsBodyWriter *writer; /* NULL: nothing came */
    GError *refusal;      /* NULL: the server said OK */
} Doubt;

static void
clear_incoming(FsBodyFetch *fetch)
{
    g_clear_pointer(&fetch->writer, fs_body_writer_free);
    g_clear_pointer(&fetch->body, fs_body_unref);
}

static void
fetch_free(FsBodyFetch *fetch)
{
    clear_incoming(fetch);
    for (guint i = 0; i < fetch->wanted->len; i++) {
        FsBody *body = g_ptr_array_index(fetch->wanted, i);

        if (body->fetch == fetch)
            body->fetch = NULL;
    }
    g_ptr_array_unref(fetch->wanted);
    fs_leases_release(fetch->bodies->leases, fetch->lease);
    if (fetch->connection != NULL)
        imap_connection_unref(fetch->connection);
    fs_message_bodies_unref(fetch->bodies);
    g_free(fetch);
}

static FsBodyFetch *
fetch_new(FsMessageBodies *bodies, guint32 mailbox)
{
    FsBodyFetch *fetch = g_new0(FsBodyFetch, 1);

    fetch->bodies = fs_message_bodies_ref(bodies);
    fetch->mailbox = mailbox;
    fetch->wanted =
        g_ptr_array_new_with_free_func((GDestroyNotify)fs_body_unref);
    return fetch;
}

static void
add(FsBodyFetch *fetch, FsBody *body)
{
    body->fetch = fetch;
    body->whole = TRUE;
    fetch->largest = MAX(fetch->largest, body->announced);
    g_ptr_array_add(fetch->wanted, fs_body_ref(body));
}

/* ---- whether the message exists at all ---- */

static void
doubt_free(gpointer data)
{
    Doubt *doubt = data;

    fs_body_writer_free(doubt->writer);
    g_clear_error(&doubt->refusal);
    fs_body_unref(doubt->body);
    g_free(doubt);
}

/* The message is there, and its octets have come. Where the cache has no room
 * for them all, who reads asks for those that are lost again: its size is
 * certain all the same. */
static void
take_over(FsBody *body, FsBodyWriter *writer)
{
    guint64 size = fs_body_writer_size(writer);
    g_autofree char *key = fs_body_key(body, size);

    fs_body_writer_finish(writer, key);
    if (fs_body_writer_left(writer) > 0)
        fs_body_finish_with(body, FS_ERROR_INCOMPLETE,
                            "not all octets of the message have come");
    else if (fs_body_settle(body, size))
        fs_body_finish(body, NULL);
}

/* Two connections may disagree for a moment whether a message has gone. */
static void
on_exists(gboolean exists, const GError *error, gpointer user_data)
{
    Doubt *doubt = user_data;
    FsBody *body = doubt->body;

    if (body->bodies != NULL) {
        if (error != NULL)
            fs_body_finish(body, error);
        else if (!exists)
            fs_body_finish_gone(body);
        else if (doubt->writer != NULL)
            take_over(body, doubt->writer);
        else if (doubt->refusal != NULL)
            fs_body_finish(body, doubt->refusal);
        else if (++body->n_contradictions < CONTRADICTIONS_MAX)
            fs_body_fetch_alone(body);
        else
            fs_body_finish_with(
                body, FS_ERROR_INCOMPLETE,
                "the server lists the message and does not send it");
    }
    doubt_free(doubt);
}

/* Takes over @writer. */
static void
doubt(FsBody *body, FsBodyWriter *writer, const GError *refusal)
{
    Doubt *doubt = g_new0(Doubt, 1);

    doubt->body = fs_body_ref(body);
    doubt->writer = writer;
    doubt->refusal = refusal != NULL ? g_error_copy(refusal) : NULL;
    body->fetch = NULL;
    fs_existence_ask(body->bodies, body->mailbox, body->uid, on_exists, doubt,
                     doubt_free);
}

/* ---- what the server sends ---- */

static void
refuse_flood(FsBodyFetch *fetch, FsBody *body, guint64 size)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server sends %" G_GUINT64_FORMAT
                    " octets for a message of %" G_GUINT64_FORMAT,
                    size, body != NULL ? body->announced : fetch->largest);
    g_autoptr(GError) others = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                           "the connection was given up");

    for (guint i = 0; body == NULL && i < fetch->wanted->len; i++) {
        FsBody *wanted = g_ptr_array_index(fetch->wanted, i);

        if (wanted->fetch == fetch)
            fs_body_finish(wanted, error);
    }
    if (body != NULL)
        fs_body_finish(body, error);
    /* Other commands on the line are tried again elsewhere. */
    imap_connection_close(fetch->connection, others);
}

static FsBody *
find_wanted(FsBodyFetch *fetch, guint32 uid)
{
    FsBody *body = fs_body_find(fetch->bodies, fetch->mailbox, uid);

    return body != NULL && body->fetch == fetch ? body : NULL;
}

static void
begin_body(FsBodyFetch *fetch, FsBody *body, guint64 size)
{
    g_autofree char *key = NULL;

    if (body != NULL && fs_body_is_plausible(body, size))
        key = fs_body_key(body, size);
    fetch->body = body != NULL ? fs_body_ref(body) : NULL;
    fetch->writer =
        fs_body_writer_new(fetch->bodies->account->blocks, key, 0, size);
    /* Who opens it need not wait for its end. */
    if (key != NULL && size > FS_WHOLE_MAX && fs_body_settle(body, size))
        fs_need_progress(fs_body_need(body));
}

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    FsBodyFetch *fetch = user_data;
    FsBody *body = NULL;
    guint64 announced = fetch->largest;

    if (fetch->bodies->account == NULL)
        return;
    clear_incoming(fetch);
    if (uid != 0) {
        body = find_wanted(fetch, uid);
        if (body == NULL)
            return;
        announced = body->announced;
    }
    if (size > announced && size - announced > SURPLUS_MAX)
        refuse_flood(fetch, body, size);
    else
        begin_body(fetch, body, size);
}

/* Whether it is of no use to go on with the one that is coming. */
static gboolean
is_abandoned(const FsBodyFetch *fetch)
{
    return fetch->body != NULL && !fetch->batch &&
           fs_body_writer_left(fetch->writer) > REST_MAX &&
           !fs_body_is_awaited(fetch->body) && !fs_body_is_open(fetch->body);
}

static void
abandon(FsBodyFetch *fetch)
{
    g_autoptr(GError) error = g_error_new(
        IMAP_ERROR, IMAP_ERROR_CLOSED, "the rest of a message is not wanted");

    fs_body_finish(fetch->body, error);
    clear_incoming(fetch);
    imap_connection_close(fetch->connection, error);
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    FsBodyFetch *fetch = user_data;

    if (fetch->bodies->account == NULL || fetch->writer == NULL)
        return;
    if (fs_body_writer_append(fetch->writer, data, length) &&
        fetch->body->need != NULL)
        fs_need_progress(fetch->body->need);
    if (is_abandoned(fetch))
        abandon(fetch);
    else
        fs_message_bodies_pause_if_behind(fetch->bodies, fetch->connection);
}

static void
on_end(guint32 uid, gpointer user_data)
{
    FsBodyFetch *fetch = user_data;
    g_autoptr(FsBodyWriter) writer = g_steal_pointer(&fetch->writer);
    FsBody *body;

    g_clear_pointer(&fetch->body, fs_body_unref);
    if (fetch->bodies->account == NULL || writer == NULL)
        return;
    body = find_wanted(fetch, uid);
    if (body == NULL)
        return;
    if (fs_body_is_plausible(body, fs_body_writer_size(writer)))
        take_over(body, writer);
    else
        doubt(body, g_steal_pointer(&writer), NULL);
}

static void
on_discard(gpointer user_data)
{
    clear_incoming(user_data);
}

/* ---- the end ---- */

/* Neither the server nor the line is to blame for what has not come. */
static gboolean
is_refusal(const GError *error)
{
    return error == NULL || error->code >= IMAP_ERROR_NO;
}

static void
end_alone(FsBody *body, const ImapConnection *connection, const GError *error)
{
    if (imap_retry_is_due(&body->retry, connection, error))
        fs_body_fetch_alone(body);
    else if (is_refusal(error))
        doubt(body, NULL, error);
    else
        fs_body_finish(body, error);
}

/* What has not come is fetched alone if somebody waits for it. */
static void
end_batched(FsBody *body)
{
    if (fs_body_is_awaited(body))
        fs_body_fetch_alone(body);
    else
        fs_body_finish(body, NULL);
}

static void
end_all(FsBodyFetch *fetch, const GError *error)
{
    gboolean missing = FALSE;

    clear_incoming(fetch);
    for (guint i = 0; i < fetch->wanted->len; i++) {
        FsBody *body = g_ptr_array_index(fetch->wanted, i);

        if (body->bodies == NULL || body->fetch != fetch)
            continue;
        missing = TRUE;
        body->fetch = NULL;
        if (fetch->batch)
            end_batched(body);
        else
            end_alone(body, fetch->connection, error);
    }
    if (fetch->batch && missing && error == NULL)
        fs_synchroniser_mark_stale(fetch->bodies->account->synchroniser,
                                   fetch->mailbox);
    if (fetch->done != NULL)
        fetch->done(error, fetch->user_data);
}

static void
on_done(const GError *error, gpointer user_data)
{
    FsBodyFetch *fetch = user_data;

    if (fetch->bodies->account != NULL)
        end_all(fetch, error);
    fetch_free(fetch);
}

static const ImapBodiesHandler handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

/* ---- one alone ---- */

static void
free_fetch(gpointer fetch)
{
    fetch_free(fetch);
}

static gboolean
is_wanted(const FsBodyFetch *fetch, const FsBody *body)
{
    return body->bodies != NULL && body->fetch == fetch;
}

static ImapUidSet *
wanted_uids(const FsBodyFetch *fetch)
{
    ImapUidSet *uids = imap_uid_set_new();

    for (guint i = 0; i < fetch->wanted->len; i++) {
        const FsBody *body = g_ptr_array_index(fetch->wanted, i);

        if (is_wanted(fetch, body))
            imap_uid_set_add(uids, body->uid, body->uid);
    }
    return uids;
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsBodyFetch *fetch = user_data;
    FsBody *body = g_ptr_array_index(fetch->wanted, 0);
    g_autoptr(ImapUidSet) uids = NULL;

    if (lease == NULL || !is_wanted(fetch, body)) {
        if (is_wanted(fetch, body))
            fs_body_finish(body, error);
        fetch->lease = lease;
        fetch_free(fetch);
        return;
    }
    uids = wanted_uids(fetch);
    fetch->lease = lease;
    fetch->connection = imap_connection_ref(imap_lease_connection(lease));
    fetch->sent = TRUE;
    imap_request_fetch_bodies(fetch->connection, uids, &handler, fetch);
}

void
fs_body_fetch_alone(FsBody *body)
{
    FsBodyFetch *fetch = fetch_new(body->bodies, body->mailbox);

    add(fetch, body);
    fs_leases_acquire_to_fetch(body->bodies->leases, body->mailbox,
                               IMAP_LEASE_SINGLE, on_lease, fetch, free_fetch);
}

/* ---- many ---- */

FsBodyFetch *
fs_body_fetch_new_batch(FsMessageBodies *bodies, guint32 mailbox,
                        gboolean at_hand)
{
    FsBodyFetch *batch = fetch_new(bodies, mailbox);

    batch->batch = TRUE;
    batch->sent = at_hand;
    return batch;
}

void
fs_body_fetch_add(FsBodyFetch *batch, const CacheMessage *message)
{
    add(batch, fs_body_new(batch->bodies, batch->mailbox, message));
    if (message->uid != batch->last_uid + 1 &&
        message->uid != batch->last_uid - 1)
        batch->n_ranges++;
    batch->last_uid = message->uid;
}

guint
fs_body_fetch_n_ranges(const FsBodyFetch *batch)
{
    return batch->n_ranges;
}

guint
fs_body_fetch_count(const FsBodyFetch *batch)
{
    return batch->wanted->len;
}

gboolean
fs_body_fetch_send(FsBodyFetch *batch, ImapConnection *connection,
                   FsBatchFunc done, gpointer user_data)
{
    g_autoptr(ImapUidSet) uids = wanted_uids(batch);

    if (imap_uid_set_n_ranges(uids) == 0) {
        fetch_free(batch);
        return FALSE;
    }
    batch->connection = imap_connection_ref(connection);
    batch->sent = TRUE;
    batch->done = done;
    batch->user_data = user_data;
    imap_request_fetch_bodies(connection, uids, &handler, batch);
    return TRUE;
}

void
fs_body_fetch_drop(FsBodyFetch *batch, const GError *error)
{
    if (batch->bodies->account != NULL)
        end_all(batch, error);
    fetch_free(batch);
}

guint64
fs_body_fetch_octets(const FsBodyFetch *fetch)
{
    guint64 octets = 0;

    for (guint i = 0; i < fetch->wanted->len; i++) {
        const FsBody *body = g_ptr_array_index(fetch->wanted, i);

        if (is_wanted(fetch, body))
            octets += body->announced;
    }
    return octets;
}

gboolean
fs_body_fetch_is_sent(const FsBodyFetch *fetch)
{
    return fetch->sent;
}

gboolean
fs_body_fetch_is_batch(const FsBodyFetch *fetch)
{
    return fetch->batch;
}
