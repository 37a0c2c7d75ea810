/* Bodies of messages on their way from the server into the store.
 *
 * A transfer takes a lease on its mailbox, sends one UID FETCH, and appends
 * what streams in to a body of the store. When the store falls behind the
 * network, the connection is paused. When the line is cut, the transfer is
 * tried once more: octets that are there already are passed over, for messages
 * are immutable. */
#include "fs/body-transfer.h"

#include "fs/errno.h"
#include "fs/lister.h"
#include "fs/synchroniser.h"
#include "imap/error.h"
#include "imap/requests.h"

/* The store may fall behind by so much before the network has to wait, and has
 * caught up when no more than that is left. */
#define UNWRITTEN_MAX (4u * 1024 * 1024)
#define UNWRITTEN_RESUME (1u * 1024 * 1024)

/* What Courier sends for a message that another client has expunged, and says
 * of its size: nothing of that size is believed without asking. */
#define STAND_IN_SIZE 129

/* So much of a message is read to its end although nobody wants it. */
#define REST_MAX (1u * 1024 * 1024)

/* How much larger than it said a server's message may be before we take it for
 * an attempt to fill the disk. */
#define SURPLUS_MAX (64 * G_GUINT64_CONSTANT(1024) * 1024)

struct FsTransfer {
    FsTransfers *transfers; /* NULL once they are gone, or it is over */
    guint32 mailbox;
    guint32 uid;
    FsNeed *need;
    ImapLease *lease;
    CacheBody *body;
    guint64 announced; /* RFC822.SIZE, or the real size of an earlier body */
    gboolean certain;  /* the body is the message's, its size right */
    gboolean whole;    /* all octets have come */
    guint64 appended;  /* octets handed to the store */
    guint64 position;  /* octets seen in this attempt */
    guint attempts;
    GError *refusal;        /* the server's, of the FETCH */
    ImapConnection *paused; /* a reference; NULL: it is not */
};

struct FsTransfers {
    FsAccount *account;
    GHashTable *under_way; /* by table_key: of FsTransfer, references */
    FsResizedFunc resized;
    gpointer resized_data;
};

static void acquire(FsTransfer *transfer);

static void
resume(FsTransfer *transfer)
{
    if (transfer->paused != NULL)
        imap_connection_set_paused(transfer->paused, FALSE);
    g_clear_pointer(&transfer->paused, imap_connection_unref);
}

static void
transfer_clear(gpointer data)
{
    FsTransfer *transfer = data;

    if (transfer->body != NULL)
        cache_body_set_watch(transfer->body, NULL, NULL);
    cache_body_unref(transfer->body);
    resume(transfer);
    g_clear_error(&transfer->refusal);
    imap_lease_release(transfer->lease);
    fs_need_unref(transfer->need);
}

FsTransfer *
fs_transfer_ref(FsTransfer *transfer)
{
    return g_rc_box_acquire(transfer);
}

void
fs_transfer_unref(FsTransfer *transfer)
{
    if (transfer != NULL)
        g_rc_box_release_full(transfer, transfer_clear);
}

static void
unref_transfer(gpointer transfer)
{
    fs_transfer_unref(transfer);
}

static char *
key_of(guint32 mailbox, guint32 uid)
{
    return g_strdup_printf("%u:%u", mailbox, uid);
}

/* GHashTable keys for 64-bit numbers: the transfer holds its own. */
static gint64 *
table_key(guint32 mailbox, guint32 uid)
{
    gint64 *key = g_new(gint64, 1);

    *key = (gint64)((guint64)mailbox << 32 | uid);
    return key;
}

/* ---- the end ---- */

/* Nobody is going to have what has come so far, but for who has it open: its
 * space is free again. And the rest is not waited for if it is much. */
static void
abandon_body(FsTransfer *transfer)
{
    g_autoptr(GError) others = g_error_new(
        IMAP_ERROR, IMAP_ERROR_CLOSED, "the rest of a message is not wanted");

    if (transfer->body == NULL)
        return;
    if (transfer->lease != NULL && !transfer->whole &&
        cache_body_size(transfer->body) - transfer->position > REST_MAX)
        imap_connection_close(imap_lease_connection(transfer->lease), others);
    cache_body_set_watch(transfer->body, NULL, NULL);
    g_clear_pointer(&transfer->body, cache_body_unref);
}

static void
finish(FsTransfer *transfer, const GError *error)
{
    FsTransfers *transfers = g_steal_pointer(&transfer->transfers);
    g_autofree gint64 *key = table_key(transfer->mailbox, transfer->uid);

    if (transfers == NULL)
        return;
    fs_transfer_ref(transfer);
    resume(transfer);
    if (error != NULL)
        abandon_body(transfer);
    g_clear_pointer(&transfer->lease, imap_lease_release);
    g_hash_table_remove(transfers->under_way, key);
    if (error != NULL)
        g_message("message %u cannot be read: %s", transfer->uid,
                  error->message);
    fs_need_complete(transfer->need, error);
    fs_transfer_unref(transfer);
}

static void
finish_with(FsTransfer *transfer, FsError code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(FS_ERROR, code, message);

    finish(transfer, error);
}

static void
finish_gone(FsTransfer *transfer)
{
    FsAccount *account = transfer->transfers->account;

    fs_synchroniser_message_gone(account->synchroniser, transfer->mailbox,
                                 transfer->uid);
    finish_with(transfer, transfer->certain ? FS_ERROR_STALE : FS_ERROR_GONE,
                "the message is no longer on the server");
}

/* What has come is enough for good. */
static void
settle(FsTransfer *transfer)
{
    FsTransfers *transfers = transfer->transfers;
    FsAccount *account = transfers->account;
    CacheMessage message;

    transfer->certain = TRUE;
    if (cache_index_message(account->index, transfer->mailbox, transfer->uid,
                            &message) &&
        (!message.size_verified ||
         message.size != cache_body_size(transfer->body))) {
        gboolean resized = message.size != cache_body_size(transfer->body);

        message.size = cache_body_size(transfer->body);
        message.size_verified = TRUE;
        cache_index_put(account->index, transfer->mailbox, &message);
        if (resized && transfers->resized != NULL)
            transfers->resized(transfer->mailbox, transfer->uid,
                               transfers->resized_data);
    }
    cache_body_commit(transfer->body);
    /* The line is free again although the disk may still be busy. */
    g_clear_pointer(&transfer->lease, imap_lease_release);
    if (cache_body_available(transfer->body) == cache_body_size(transfer->body))
        finish(transfer, NULL);
    else
        fs_need_progress(transfer->need);
}

/* ---- whether the message exists at all ---- */

/* Whether to try once more, for the line was cut. */
static gboolean
is_cut(FsTransfer *transfer, const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
           transfer->attempts++ == 0;
}

static void
on_exists(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsTransfer) transfer = user_data;

    if (transfer->transfers == NULL)
        return;
    if (is_cut(transfer, error)) {
        transfer->whole = FALSE;
        g_clear_pointer(&transfer->lease, imap_lease_release);
        acquire(transfer);
    } else if (error != NULL) {
        finish(transfer, error);
    } else if (!imap_uid_set_contains(found, transfer->uid)) {
        finish_gone(transfer);
    } else if (transfer->whole) {
        settle(transfer);
    } else if (transfer->refusal != NULL) {
        finish(transfer, transfer->refusal);
    } else {
        finish_with(transfer, FS_ERROR_INCOMPLETE,
                    "the server lists the message and does not send it");
    }
}

static void
check_exists(FsTransfer *transfer)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();

    imap_uid_set_add(uids, transfer->uid, transfer->uid);
    imap_request_search(imap_lease_connection(transfer->lease), uids, on_exists,
                        fs_transfer_ref(transfer));
}

/* ---- what the server sends ---- */

static guint64
backlog_of(const FsTransfer *transfer)
{
    return transfer->appended - cache_body_available(transfer->body);
}

/* Only who has a backlog of its own pauses, for only then does the store call
 * on_readable again. */
static void
pause_if_behind(FsTransfer *transfer)
{
    CacheBodies *bodies = transfer->transfers->account->bodies;

    if (transfer->paused != NULL || backlog_of(transfer) == 0 ||
        cache_bodies_unwritten(bodies) < UNWRITTEN_MAX)
        return;
    transfer->paused =
        imap_connection_ref(imap_lease_connection(transfer->lease));
    imap_connection_set_paused(transfer->paused, TRUE);
}

static void
resume_if_caught_up(FsTransfer *transfer)
{
    CacheBodies *bodies = transfer->transfers->account->bodies;

    if (backlog_of(transfer) == 0 ||
        cache_bodies_unwritten(bodies) <= UNWRITTEN_RESUME)
        resume(transfer);
}

static void
on_readable(CacheBody *body, gpointer user_data)
{
    FsTransfer *transfer = user_data;

    if (transfer->transfers == NULL)
        return;
    resume_if_caught_up(transfer);
    if (cache_body_error(body) != NULL)
        finish(transfer, cache_body_error(body));
    else if (transfer->certain && transfer->whole &&
             cache_body_available(body) == cache_body_size(body))
        finish(transfer, NULL);
    else if (transfer->certain)
        fs_need_progress(transfer->need);
}

static gboolean
is_plausible(const FsTransfer *transfer, guint64 size)
{
    return size == transfer->announced && size != STAND_IN_SIZE;
}

static void
refuse_flood(FsTransfer *transfer, guint64 size)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server sends %" G_GUINT64_FORMAT
                    " octets for a message of %" G_GUINT64_FORMAT,
                    size, transfer->announced);
    g_autoptr(GError) others = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                           "the connection was given up");
    g_autoptr(ImapConnection) connection =
        imap_connection_ref(imap_lease_connection(transfer->lease));

    finish(transfer, error);
    /* Other commands on the line are tried again elsewhere. */
    imap_connection_close(connection, others);
}

static void
on_begin(guint64 size, gboolean certain, gpointer user_data)
{
    FsTransfer *transfer = user_data;
    g_autofree char *key = key_of(transfer->mailbox, transfer->uid);

    if (transfer->transfers == NULL)
        return;
    transfer->position = 0;
    if (size > transfer->announced &&
        size - transfer->announced > SURPLUS_MAX) {
        refuse_flood(transfer, size);
        return;
    }
    if (transfer->body != NULL) {
        /* Whoever reads has part of it already: no more guessing. */
        if (cache_body_size(transfer->body) != size)
            finish_with(transfer, FS_ERROR_STALE,
                        "the message changed its size while it was read");
        else if (!certain)
            finish_with(transfer, FS_ERROR_INCOMPLETE,
                        "the server does not say whose octets it sends");
        return;
    }
    transfer->body =
        cache_bodies_create(transfer->transfers->account->bodies, key, size);
    cache_body_set_watch(transfer->body, on_readable, transfer);
    if (certain && is_plausible(transfer, size)) {
        transfer->certain = TRUE;
        fs_need_progress(transfer->need);
    }
}

/* Octets that an earlier attempt has brought are passed over. */
static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    FsTransfer *transfer = user_data;
    guint64 there;
    gsize skip = 0;

    if (transfer->transfers == NULL || transfer->lease == NULL)
        return;
    there = transfer->appended;
    if (transfer->position < there)
        skip = MIN(there - transfer->position, length);
    transfer->position += length;
    if (skip == length)
        return;
    transfer->appended += length - skip;
    cache_body_append(transfer->body, data + skip, length - skip);
    pause_if_behind(transfer);
}

static void
on_end(gpointer user_data)
{
    FsTransfer *transfer = user_data;

    if (transfer->transfers == NULL)
        return;
    transfer->whole = TRUE;
    if (!is_plausible(transfer, cache_body_size(transfer->body)))
        check_exists(transfer);
    else
        settle(transfer);
}

static void
on_discard(gpointer user_data)
{
    FsTransfer *transfer = user_data;

    if (transfer->transfers == NULL || transfer->certain)
        return;
    if (transfer->body != NULL)
        cache_body_set_watch(transfer->body, NULL, NULL);
    g_clear_pointer(&transfer->body, cache_body_unref);
    transfer->appended = 0;
}

static void
on_done(const GError *error, gpointer user_data)
{
    g_autoptr(FsTransfer) transfer = user_data;

    if (transfer->transfers == NULL || transfer->whole)
        return;
    if (is_cut(transfer, error)) {
        g_clear_pointer(&transfer->lease, imap_lease_release);
        acquire(transfer);
    } else if (error != NULL && error->code < IMAP_ERROR_NO) {
        finish(transfer, error);
    } else {
        /* Refused, or OK with nothing in it. */
        g_clear_error(&transfer->refusal);
        transfer->refusal = error != NULL ? g_error_copy(error) : NULL;
        check_exists(transfer);
    }
}

static const ImapFetchBodyHandler fetch_handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

/* ---- the beginning ---- */

/* The connection goes, too: who selects the mailbox next must find out by a new
 * selection, as we did. */
static void
finish_replaced(FsTransfer *transfer)
{
    g_autoptr(GError) others =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");

    imap_connection_close(imap_lease_connection(transfer->lease), others);
    fs_synchroniser_mark_stale(transfer->transfers->account->synchroniser,
                               transfer->mailbox);
    finish_with(transfer, FS_ERROR_STALE,
                "the server has replaced the mailbox (UIDVALIDITY)");
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(FsTransfer) transfer = user_data;

    if (transfer->transfers != NULL)
        finish(transfer, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsTransfer) transfer = user_data;
    const ImapMailbox *selected;
    CacheMailbox known;

    if (transfer->transfers == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        fs_lister_explain(transfer->transfers->account->lister,
                          transfer->mailbox, error, on_explained,
                          fs_transfer_ref(transfer));
        return;
    }
    transfer->lease = lease;
    selected = imap_connection_mailbox(imap_lease_connection(lease));
    if (!cache_index_mailbox(transfer->transfers->account->index,
                             transfer->mailbox, &known) ||
        fs_synchroniser_is_another(&known, selected,
                                   imap_lease_is_fresh(lease))) {
        finish_replaced(transfer);
        return;
    }
    imap_request_fetch_body(imap_lease_connection(lease), transfer->uid,
                            &fetch_handler, fs_transfer_ref(transfer));
}

static void
acquire(FsTransfer *transfer)
{
    FsAccount *account = transfer->transfers->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, transfer->mailbox);

    if (directory == NULL || directory->wire_name == NULL)
        finish_with(transfer, FS_ERROR_STALE, "the mailbox is gone");
    else
        imap_pool_acquire(account->pool, directory->wire_name, on_lease,
                          fs_transfer_ref(transfer));
}

FsTransfer *
fs_transfers_get(FsTransfers *transfers, guint32 mailbox, guint32 uid)
{
    g_autofree gint64 *key = table_key(mailbox, uid);
    FsTransfer *transfer = g_hash_table_lookup(transfers->under_way, key);
    CacheMessage message;

    if (transfer != NULL)
        return fs_transfer_ref(transfer);
    transfer = g_rc_box_new0(FsTransfer);
    transfer->transfers = transfers;
    transfer->mailbox = mailbox;
    transfer->uid = uid;
    transfer->need = fs_need_new();
    if (cache_index_message(transfers->account->index, mailbox, uid, &message))
        transfer->announced = message.size;
    g_hash_table_insert(transfers->under_way, g_steal_pointer(&key),
                        fs_transfer_ref(transfer));
    acquire(transfer);
    return transfer;
}

void
fs_transfers_set_resized(FsTransfers *transfers, FsResizedFunc resized,
                         gpointer user_data)
{
    transfers->resized = resized;
    transfers->resized_data = user_data;
}

CacheBody *
fs_transfers_find(FsTransfers *transfers, guint32 mailbox, guint32 uid)
{
    g_autofree char *key = key_of(mailbox, uid);

    return cache_bodies_find(transfers->account->bodies, key);
}

FsNeed *
fs_transfer_need(const FsTransfer *transfer)
{
    return transfer->need;
}

CacheBody *
fs_transfer_body(const FsTransfer *transfer)
{
    return transfer->certain ? transfer->body : NULL;
}

FsTransfers *
fs_transfers_new(FsAccount *account)
{
    FsTransfers *transfers = g_new0(FsTransfers, 1);

    transfers->account = account;
    transfers->under_way = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                                 g_free, unref_transfer);
    return transfers;
}

void
fs_transfers_free(FsTransfers *transfers)
{
    GHashTableIter iter;
    gpointer value;

    if (transfers == NULL)
        return;
    g_hash_table_iter_init(&iter, transfers->under_way);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsTransfer *transfer = value;

        transfer->transfers = NULL;
        g_clear_pointer(&transfer->lease, imap_lease_release);
    }
    g_hash_table_unref(transfers->under_way);
    g_free(transfers);
}
