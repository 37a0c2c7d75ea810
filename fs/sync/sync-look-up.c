/* Single messages of mailboxes that were never listed: one short FETCH each,
 * side by side on a connection that is shared. What came of it is remembered
 * for as long as a listing would be; the index keeps the row. */
#include "fs/sync/sync-mailbox.h"

#include "fs/kernel/errno.h"
#include "fs/sync/lister.h"
#include "imap/error.h"

/* How long a failure stands for what would happen if it were tried again: the
 * kernel lets programs that look up the same name ask one after the other. */
#define FAILURE_US (1 * G_USEC_PER_SEC)
/* So scattered are the UIDs that are remembered at the most. */
#define MAX_RANGES 10000

typedef struct {
    FsSyncMailbox *mailbox; /* NULL once it is over */
    guint32 uid;
    FsNeed *need;
    ImapLease *lease;
    gboolean sure; /* the server has looked at the mailbox since it was begun */
    GError *refusal;
    ImapRetry retry;
} LookUp;

static void acquire(LookUp *look_up);

static void
look_up_clear(gpointer data)
{
    LookUp *look_up = data;

    fs_need_unref(look_up->need);
    imap_lease_release(look_up->lease);
    g_clear_error(&look_up->refusal);
}

static void
look_up_unref(gpointer look_up)
{
    g_rc_box_release_full(look_up, look_up_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LookUp, look_up_unref)

/* ---- what is remembered ---- */

void
fs_sync_forget_looked_up(FsSyncMailbox *mailbox)
{
    g_clear_pointer(&mailbox->looked_up, imap_uid_set_free);
}

static gboolean
is_fresh(const FsSyncMailbox *mailbox, gint64 since)
{
    gint64 oldest =
        g_get_monotonic_time() -
        (gint64)mailbox->synchroniser->account->options->poll_seconds *
            G_USEC_PER_SEC;

    return mailbox->looked_up_since >= since ||
           (since != FS_NOW && mailbox->looked_up_since >= oldest);
}

gboolean
fs_sync_is_looked_up(FsSyncMailbox *mailbox, guint32 uid, gint64 since)
{
    return mailbox->looked_up != NULL && is_fresh(mailbox, since) &&
           imap_uid_set_contains(mailbox->looked_up, uid);
}

static void
remember(FsSyncMailbox *mailbox, guint32 uid)
{
    if (mailbox->looked_up != NULL &&
        (!is_fresh(mailbox, G_MAXINT64 - 1) ||
         imap_uid_set_n_ranges(mailbox->looked_up) >= MAX_RANGES))
        fs_sync_forget_looked_up(mailbox);
    if (mailbox->looked_up == NULL) {
        mailbox->looked_up = imap_uid_set_new();
        mailbox->looked_up_since = g_get_monotonic_time();
    }
    imap_uid_set_add(mailbox->looked_up, uid, uid);
}

static void
remember_failure(FsSyncMailbox *mailbox, const LookUp *look_up)
{
    fs_need_unref(mailbox->failed_look_up);
    mailbox->failed_look_up = fs_need_ref(look_up->need);
    mailbox->failed_uid = look_up->uid;
    mailbox->failed_at = g_get_monotonic_time();
}

/* A server that is silent is so for every message; until there is another line
 * to it. */
static gboolean
has_just_failed(const FsSyncMailbox *mailbox, guint32 uid)
{
    const ImapPool *pool = mailbox->synchroniser->account->pool;

    return mailbox->failed_look_up != NULL &&
           g_get_monotonic_time() - mailbox->failed_at < FAILURE_US &&
           imap_pool_opened_at(pool) <= mailbox->failed_at &&
           (uid == mailbox->failed_uid ||
            g_error_matches(fs_need_error(mailbox->failed_look_up), IMAP_ERROR,
                            IMAP_ERROR_TIMEOUT));
}

/* ---- the end ---- */

static void
finish(LookUp *look_up, const GError *error)
{
    g_autoptr(FsSyncMailbox) mailbox = fs_sync_mailbox_ref(look_up->mailbox);
    g_autoptr(LookUp) held G_GNUC_UNUSED = look_up; /* the table's */

    g_hash_table_remove(mailbox->look_ups, GUINT_TO_POINTER(look_up->uid));
    look_up->mailbox = NULL;
    g_clear_pointer(&look_up->lease, imap_lease_release);
    fs_need_complete(look_up->need, error);
    if (error == NULL)
        remember(mailbox, look_up->uid);
    else
        remember_failure(mailbox, look_up);
}

gboolean
fs_sync_look_up_waits(const FsSyncMailbox *mailbox, guint32 uid)
{
    return g_hash_table_contains(mailbox->look_ups, GUINT_TO_POINTER(uid));
}

void
fs_sync_look_up_came(FsSyncMailbox *mailbox, guint32 uid)
{
    LookUp *look_up =
        g_hash_table_lookup(mailbox->look_ups, GUINT_TO_POINTER(uid));

    if (look_up != NULL)
        finish(look_up, NULL);
}

void
fs_sync_fail_look_ups(FsSyncMailbox *mailbox, const GError *error)
{
    GHashTableIter iter;
    gpointer value;

    for (;;) {
        g_hash_table_iter_init(&iter, mailbox->look_ups);
        if (!g_hash_table_iter_next(&iter, NULL, &value))
            return;
        finish(value, error);
    }
}

static void
fail(LookUp *look_up, const GError *error)
{
    if (imap_retry_is_due(&look_up->retry,
                          imap_lease_connection(look_up->lease), error)) {
        g_clear_pointer(&look_up->lease, imap_lease_release);
        acquire(look_up);
        return;
    }
    finish(look_up, error);
}

/* The server has none of that UID. */
static void
finish_gone(LookUp *look_up)
{
    fs_sync_remove(look_up->mailbox, look_up->uid);
    finish(look_up, NULL);
}

/* ---- the FETCH ---- */

/* Whether a refusal means that the message is gone (RFC 2180, section 4.1.2).
 */
static void
on_searched(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(LookUp) look_up = user_data;

    if (look_up->mailbox == NULL)
        return;
    if (error != NULL)
        fail(look_up, error);
    else if (imap_uid_set_contains(found, look_up->uid))
        finish(look_up, look_up->refusal);
    else
        finish_gone(look_up);
}

static void
ask_why(LookUp *look_up, const GError *error)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();

    g_clear_error(&look_up->refusal);
    look_up->refusal = g_error_copy(error);
    imap_uid_set_add(uids, look_up->uid, look_up->uid);
    imap_request_search(imap_lease_connection(look_up->lease), uids,
                        on_searched, g_rc_box_acquire(look_up));
}

static void ask(LookUp *look_up);

static void
on_looked(const GError *error, gpointer user_data)
{
    g_autoptr(LookUp) look_up = user_data;

    if (look_up->mailbox == NULL)
        return;
    look_up->sure = TRUE;
    if (error != NULL && error->code < IMAP_ERROR_NO)
        fail(look_up, error);
    else
        ask(look_up);
}

/* On a connection that had the mailbox selected already, the server may not
 * know yet what has come since. What is asked for together with the NOOP may be
 * carried out before it looks. */
static void
have_looked(LookUp *look_up)
{
    imap_request_ping(imap_lease_connection(look_up->lease), on_looked,
                      g_rc_box_acquire(look_up));
}

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    LookUp *look_up = user_data;

    if (look_up->mailbox != NULL)
        fs_sync_row(look_up->mailbox, fetch, FALSE);
}

static void
on_fetched(const GError *error, gpointer user_data)
{
    g_autoptr(LookUp) look_up = user_data;

    if (look_up->mailbox == NULL)
        return;
    if (error == NULL && !look_up->sure)
        have_looked(look_up);
    else if (error == NULL)
        finish_gone(look_up);
    else if (error->domain == IMAP_ERROR && error->code >= IMAP_ERROR_NO)
        ask_why(look_up, error);
    else
        fail(look_up, error);
}

static const ImapFetchListHandler row_handler = {
    .message = on_row,
    .done = on_fetched,
};

static void
ask(LookUp *look_up)
{
    g_autofree char *uid = g_strdup_printf("%u", look_up->uid);

    imap_request_fetch_list(imap_lease_connection(look_up->lease), uid,
                            fs_sync_wants_header(look_up->mailbox),
                            &row_handler, g_rc_box_acquire(look_up));
}

void
fs_sync_note_first(FsSyncMailbox *mailbox, ImapConnection *connection)
{
    CacheMailbox known;
    const ImapMailbox *selected = imap_connection_mailbox(connection);
    CacheMailbox state = {
        .uidvalidity = selected->uidvalidity,
        .uidnext = selected->uidnext,
        .has_headers = fs_sync_wants_header(mailbox),
    };

    mailbox->uidvalidity = selected->uidvalidity;
    if (cache_index_mailbox(fs_sync_index(mailbox), mailbox->id, &known))
        return;
    if (imap_connection_has_condstore(connection))
        state.highestmodseq = selected->highestmodseq;
    fs_sync_note(mailbox, &state);
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(LookUp) look_up = user_data;

    if (look_up->mailbox != NULL)
        finish(look_up, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(LookUp) look_up = user_data;
    FsSyncMailbox *mailbox = look_up->mailbox;
    ImapConnection *connection;
    CacheMailbox known;

    if (mailbox == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        fs_lister_explain(mailbox->synchroniser->account->lister, mailbox->id,
                          error, on_explained, g_rc_box_acquire(look_up));
        return;
    }
    look_up->lease = lease;
    connection = imap_lease_connection(lease);
    if (fs_sync_known(mailbox, &known) &&
        fs_synchroniser_is_another(&known, imap_connection_mailbox(connection),
                                   imap_lease_is_fresh(lease))) {
        fs_sync_replaced(mailbox, connection);
        return;
    }
    fs_sync_note_first(mailbox, connection);
    look_up->sure = imap_lease_is_fresh(lease);
    ask(look_up);
}

static gboolean
on_refused(gpointer user_data)
{
    LookUp *look_up = user_data;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");

    if (look_up->mailbox != NULL)
        finish(look_up, error);
    return G_SOURCE_REMOVE;
}

static void
acquire(LookUp *look_up)
{
    FsSyncMailbox *mailbox = look_up->mailbox;
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    ImapWish wish = {0};

    if (directory == NULL || directory->wire_name == NULL ||
        mailbox->unusable) {
        g_idle_add_full(G_PRIORITY_DEFAULT, on_refused,
                        g_rc_box_acquire(look_up), look_up_unref);
        return;
    }
    wish.mailbox = directory->wire_name;
    imap_pool_acquire_wish(account->pool, &wish, on_lease,
                           g_rc_box_acquire(look_up));
}

FsNeed *
fs_sync_look_up(FsSyncMailbox *mailbox, guint32 uid)
{
    LookUp *look_up =
        g_hash_table_lookup(mailbox->look_ups, GUINT_TO_POINTER(uid));

    if (look_up == NULL && has_just_failed(mailbox, uid))
        return mailbox->failed_look_up;
    if (look_up == NULL) {
        look_up = g_rc_box_new0(LookUp);
        look_up->mailbox = mailbox;
        look_up->uid = uid;
        look_up->need = fs_need_new();
        imap_retry_begin(&look_up->retry);
        g_hash_table_insert(mailbox->look_ups, GUINT_TO_POINTER(uid), look_up);
        acquire(look_up);
    }
    return look_up->need;
}
