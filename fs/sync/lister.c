/* Keeps the list of mailboxes as the server has them: one LIST at a time, tried
 * again when the line was cut. */
#include "fs/sync/lister.h"

#include "cache/mailbox-list.h"
#include "fs/kernel/errno.h"
#include "fs/live/line.h"
#include "imap/error.h"
#include "imap/mailbox-encoding.h"
#include "imap/requests.h"
#include "imap/retry.h"

struct FsLister {
    FsAccount *account;
    FsRefresh refresh;
    FsMailboxGoneFunc gone;
    gpointer gone_data;
    FsListedFunc listed; /* or NULL */
    gpointer listed_data;
    struct Listing *listing; /* NULL unless under way; a reference */
    GBytes *kept;            /* the list in the cache; NULL: not known */
};

/* A LIST under way. */
typedef struct Listing {
    FsLister *lister; /* NULL once that is gone */
    ImapLease *lease;
    ImapRetry retry;
} Listing;

static void acquire(Listing *listing);

static void
listing_clear(gpointer data)
{
    imap_lease_release(((Listing *)data)->lease);
}

static void
listing_unref(gpointer listing)
{
    g_rc_box_release_full(listing, listing_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listing, listing_unref)

static void
finish(Listing *listing, const GError *error)
{
    FsLister *lister = listing->lister;
    const char *before;

    g_clear_pointer(&listing->lease, imap_lease_release);
    if (error != NULL && fs_refresh_is_news(&lister->refresh))
        fs_account_say(lister->account, "the mailboxes cannot be listed: %s",
                       error->message);
    g_clear_pointer(&lister->listing, listing_unref);
    before = fs_log_set_present(lister->account->label);
    fs_refresh_end(&lister->refresh, error);
    fs_log_set_present(before);
}

/* ---- the list in the cache ---- */

static const char *
cache_path(const FsLister *lister)
{
    const CacheDirectory *directory =
        lister->account->directories.cache_directory;

    return directory != NULL ? cache_directory_path(directory) : NULL;
}

static void
keep(FsLister *lister, const GArray *listed)
{
    g_autoptr(GArray) mailboxes = NULL;
    g_autoptr(GBytes) list = NULL;

    if (cache_path(lister) == NULL)
        return;
    mailboxes = g_array_sized_new(FALSE, FALSE, sizeof(CacheListedMailbox),
                                  listed->len);
    for (guint i = 0; i < listed->len; i++) {
        const FsMailboxListing *listing =
            &g_array_index(listed, FsMailboxListing, i);
        CacheListedMailbox mailbox = {listing->wire_name, listing->name,
                                      listing->delimiter, listing->attributes};

        g_array_append_val(mailboxes, mailbox);
    }
    list = cache_mailbox_list_pack((const CacheListedMailbox *)mailboxes->data,
                                   mailboxes->len);
    if (lister->kept != NULL && g_bytes_equal(list, lister->kept))
        return;
    g_clear_pointer(&lister->kept, g_bytes_unref);
    lister->kept = g_steal_pointer(&list);
    cache_mailbox_list_save(cache_path(lister), lister->kept,
                            lister->account->store_thread);
}

static void
on_restored(const CacheListedMailbox *mailboxes, gsize n, gpointer user_data)
{
    FsLister *lister = user_data;
    g_autofree FsMailboxListing *listings = g_new0(FsMailboxListing, n);

    for (gsize i = 0; i < n; i++)
        listings[i] = (FsMailboxListing){
            .wire_name = mailboxes[i].wire_name,
            .name = mailboxes[i].name,
            .delimiter = mailboxes[i].delimiter,
            .attributes = mailboxes[i].attributes,
        };
    if (!fs_mailbox_tree_update(lister->account->tree, listings, n, NULL, NULL,
                                NULL))
        return;
    lister->refresh.known = TRUE;
    fs_refresh_mark_stale(&lister->refresh);
}

gboolean
fs_lister_restore(FsLister *lister)
{
    g_autoptr(GError) error = NULL;

    if (cache_path(lister) != NULL &&
        !cache_mailbox_list_load(cache_path(lister), on_restored, lister,
                                 &error))
        g_debug("no list of mailboxes in the cache: %s", error->message);
    return lister->refresh.known;
}

/* ---- a list from the server ---- */

/* Gmail shows messages of other mailboxes once more in some that are views of
 * them: with these, every tool that goes through the mount reads all mail two
 * or three times. */
static gboolean
is_view(const Listing *listing, guint attributes)
{
    const guint views = IMAP_LIST_ALL | IMAP_LIST_IMPORTANT | IMAP_LIST_FLAGGED;

    return (attributes & views) != 0 &&
           !listing->lister->account->options->all_mail &&
           imap_connection_has(imap_lease_connection(listing->lease),
                               "X-GM-EXT-1");
}

static gboolean
update_tree(Listing *listing, const GArray *mailboxes, GError **error)
{
    FsLister *lister = listing->lister;
    gboolean utf8 =
        imap_connection_is_utf8(imap_lease_connection(listing->lease));
    g_autoptr(GArray) listed = g_array_sized_new(
        FALSE, FALSE, sizeof(FsMailboxListing), mailboxes->len);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < mailboxes->len; i++) {
        const ImapListedMailbox *mailbox =
            &g_array_index(mailboxes, ImapListedMailbox, i);
        char *name;
        FsMailboxListing one = {
            .wire_name = mailbox->name,
            .delimiter = mailbox->delimiter,
            .attributes = mailbox->attributes,
        };

        if (is_view(listing, mailbox->attributes))
            continue;
        name = imap_mailbox_decode(mailbox->name, utf8);
        one.name = name;
        g_ptr_array_add(names, name);
        g_array_append_val(listed, one);
    }
    if (lister->listed != NULL)
        lister->listed((const FsMailboxListing *)listed->data, listed->len,
                       lister->listed_data);
    if (!fs_mailbox_tree_update(
            lister->account->tree, (const FsMailboxListing *)listed->data,
            listed->len, lister->gone, lister->gone_data, error))
        return FALSE;
    keep(lister, listed);
    return TRUE;
}

static void
on_listed(const GArray *mailboxes, const GError *error, gpointer user_data)
{
    g_autoptr(Listing) listing = user_data;
    g_autoptr(GError) unfit = NULL;

    if (listing->lister == NULL)
        return;
    if (imap_retry_is_due(&listing->retry,
                          imap_lease_connection(listing->lease), error)) {
        g_clear_pointer(&listing->lease, imap_lease_release);
        acquire(listing);
        return;
    }
    if (error == NULL && !update_tree(listing, mailboxes, &unfit))
        error = unfit;
    finish(listing, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(Listing) listing = user_data;

    if (listing->lister == NULL) {
        imap_lease_release(lease);
    } else if (lease == NULL) {
        finish(listing, error);
    } else {
        listing->lease = lease;
        imap_request_list(imap_lease_connection(lease), on_listed,
                          g_rc_box_acquire(listing));
    }
}

static void
acquire(Listing *listing)
{
    imap_pool_acquire(listing->lister->account->pool, NULL, on_lease,
                      g_rc_box_acquire(listing));
}

FsNeed *
fs_lister_need(FsLister *lister, gint64 since)
{
    gboolean start;
    FsNeed *need = fs_refresh_ask(
        &lister->refresh, since, lister->account->options->poll_seconds,
        imap_pool_opened_at(lister->account->pool), &start);

    if (start) {
        lister->listing = g_rc_box_new0(Listing);
        lister->listing->lister = lister;
        imap_retry_begin(&lister->listing->retry);
        acquire(lister->listing);
    }
    if (since != FS_NOW && lister->refresh.known &&
        fs_line_is_away(lister->account->line))
        return NULL;
    return need;
}

gboolean
fs_lister_is_failing(const FsLister *lister)
{
    return lister->refresh.failing;
}

gboolean
fs_lister_is_under_way(const FsLister *lister)
{
    return fs_refresh_is_under_way(&lister->refresh);
}

void
fs_lister_mark_old(FsLister *lister)
{
    fs_refresh_mark_old(&lister->refresh);
}

/* ---- explaining a refusal ---- */

typedef struct {
    FsLister *lister;
    guint32 mailbox;
    GError *error;
    FsNeedFunc func;
    gpointer user_data;
} Explanation;

static gboolean
may_be_gone(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NONEXISTENT);
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autofree Explanation *explanation = user_data;
    g_autoptr(GError) reason = explanation->error;
    const FsMailbox *mailbox = fs_mailbox_tree_get(
        explanation->lister->account->tree, explanation->mailbox);

    if (may_be_gone(reason) &&
        (mailbox == NULL || mailbox->wire_name == NULL)) {
        g_clear_error(&reason);
        reason = g_error_new(FS_ERROR, FS_ERROR_GONE,
                             "the mailbox is no longer on the server");
    }
    explanation->func(reason, explanation->user_data);
}

void
fs_lister_explain(FsLister *lister, guint32 mailbox, const GError *error,
                  FsNeedFunc func, gpointer user_data)
{
    Explanation *explanation = g_new0(Explanation, 1);
    g_autoptr(FsNeed) nothing = NULL;
    FsNeed *need;

    explanation->lister = lister;
    explanation->mailbox = mailbox;
    explanation->error = g_error_copy(error);
    explanation->func = func;
    explanation->user_data = user_data;
    if (may_be_gone(error)) {
        need = fs_lister_need(lister, FS_NOW);
    } else {
        need = nothing = fs_need_new();
        fs_need_complete(nothing, NULL);
    }
    fs_need_wait(need, on_explained, explanation);
}

/* ---- making and ending ---- */

FsLister *
fs_lister_new(FsAccount *account, FsMailboxGoneFunc gone, gpointer user_data)
{
    FsLister *lister = g_new0(FsLister, 1);

    lister->account = account;
    lister->gone = gone;
    lister->gone_data = user_data;
    return lister;
}

void
fs_lister_set_listed_func(FsLister *lister, FsListedFunc func,
                          gpointer user_data)
{
    lister->listed = func;
    lister->listed_data = user_data;
}

void
fs_lister_free(FsLister *lister)
{
    if (lister == NULL)
        return;
    if (lister->listing != NULL) {
        lister->listing->lister = NULL;
        g_clear_pointer(&lister->listing->lease, imap_lease_release);
        listing_unref(lister->listing);
    }
    fs_refresh_clear(&lister->refresh);
    g_clear_pointer(&lister->kept, g_bytes_unref);
    g_free(lister);
}
