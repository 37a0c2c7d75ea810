/* Leases on the account's mailboxes. */
#include "fs/sync/mailbox-lease.h"

#include "fs/day-limit.h"
#include "fs/kernel/errno.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "imap/error.h"

/* Reference counted: the pool and the lister may call back after the end. */
struct FsLeases {
    FsAccount *account; /* NULL after the end */
    GHashTable *given;  /* of ImapLease, owned */
};

typedef struct {
    FsLeases *leases; /* a reference */
    guint32 mailbox;
    FsLeaseFunc func; /* NULL once it has run */
    gpointer user_data;
    GDestroyNotify free_data;
    GError *refusal; /* of our own; NULL: the server is asked */
} Request;

static void
release(gpointer lease)
{
    imap_lease_release(lease);
}

FsLeases *
fs_leases_new(FsAccount *account)
{
    FsLeases *leases = g_rc_box_new0(FsLeases);

    leases->account = account;
    leases->given = g_hash_table_new_full(NULL, NULL, release, NULL);
    return leases;
}

void
fs_leases_free(FsLeases *leases)
{
    if (leases == NULL)
        return;
    leases->account = NULL;
    g_hash_table_unref(leases->given);
    g_rc_box_release(leases);
}

void
fs_leases_release(FsLeases *leases, ImapLease *lease)
{
    if (leases != NULL && lease != NULL)
        g_hash_table_remove(leases->given, lease);
}

static void
answer(Request *request, ImapLease *lease, const GError *error)
{
    if (request->leases->account != NULL) {
        if (lease != NULL)
            g_hash_table_add(request->leases->given, lease);
        request->func(lease, error, request->user_data);
    } else {
        imap_lease_release(lease);
        request->free_data(request->user_data);
    }
    g_rc_box_release(request->leases);
    g_clear_error(&request->refusal);
    g_free(request);
}

static void
on_explained(const GError *error, gpointer user_data)
{
    answer(user_data, NULL, error);
}

/* The connection goes, too: who selects the mailbox next must find out by a new
 * selection, as we did. */
static void
refuse_replaced(Request *request, ImapLease *lease)
{
    FsAccount *account = request->leases->account;
    const FsMailbox *mailbox =
        fs_mailbox_tree_get(account->tree, request->mailbox);
    g_autoptr(GError) others =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE,
                    "the server has replaced the mailbox (UIDVALIDITY)");

    imap_connection_close(imap_lease_connection(lease), others);
    imap_lease_release(lease);
    if (mailbox != NULL && mailbox->wire_name != NULL)
        imap_pool_forget_selected(account->pool, mailbox->wire_name);
    fs_synchroniser_mark_stale(request->leases->account->synchroniser,
                               request->mailbox);
    answer(request, NULL, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Request *request = user_data;
    FsAccount *account = request->leases->account;
    const ImapMailbox *selected;
    CacheMailbox known;

    if (account == NULL) {
        answer(request, lease, error);
    } else if (lease == NULL) {
        fs_lister_explain(account->lister, request->mailbox, error,
                          on_explained, request);
    } else {
        selected = imap_connection_mailbox(imap_lease_connection(lease));
        if (!cache_index_mailbox(account->index, request->mailbox, &known) ||
            fs_synchroniser_is_another(&known, selected,
                                       imap_lease_is_fresh(lease)))
            refuse_replaced(request, lease);
        else
            answer(request, lease, NULL);
    }
}

static gboolean
on_refused(gpointer user_data)
{
    Request *request = user_data;

    answer(request, NULL, request->refusal);
    return G_SOURCE_REMOVE;
}

static void
acquire(FsLeases *leases, guint32 mailbox, ImapWish wish, gboolean to_fetch,
        FsLeaseFunc func, gpointer user_data, GDestroyNotify free_data)
{
    const FsMailbox *directory =
        fs_mailbox_tree_get(leases->account->tree, mailbox);
    Request *request = g_new0(Request, 1);

    request->leases = g_rc_box_acquire(leases);
    request->mailbox = mailbox;
    request->func = func;
    request->user_data = user_data;
    request->free_data = free_data;
    if (directory == NULL || directory->wire_name == NULL)
        request->refusal =
            g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");
    else if (to_fetch)
        fs_account_may_download(leases->account, &request->refusal);
    if (request->refusal != NULL) {
        g_idle_add_full(G_PRIORITY_DEFAULT, on_refused, request, NULL);
        return;
    }
    wish.mailbox = directory->wire_name;
    imap_pool_acquire_wish(leases->account->pool, &wish, on_lease, request);
}

void
fs_leases_acquire(FsLeases *leases, guint32 mailbox, ImapLeaseKind kind,
                  FsLeaseFunc func, gpointer user_data,
                  GDestroyNotify free_data)
{
    const ImapWish wish = {.kind = kind};

    acquire(leases, mailbox, wish, FALSE, func, user_data, free_data);
}

void
fs_leases_acquire_to_fetch(FsLeases *leases, guint32 mailbox,
                           ImapLeaseKind kind, FsLeaseFunc func,
                           gpointer user_data, GDestroyNotify free_data)
{
    const ImapWish wish = {.kind = kind};

    acquire(leases, mailbox, wish, TRUE, func, user_data, free_data);
}

void
fs_leases_acquire_writable(FsLeases *leases, guint32 mailbox, FsLeaseFunc func,
                           gpointer user_data, GDestroyNotify free_data)
{
    const ImapWish wish = {.kind = IMAP_LEASE_SINGLE, .writable = TRUE};

    acquire(leases, mailbox, wish, FALSE, func, user_data, free_data);
}
