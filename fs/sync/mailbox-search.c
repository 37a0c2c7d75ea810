/* One search in one mailbox: a lease, UID SEARCH, and what it takes to show
 * what was found.
 *
 * In a mailbox whose messages are known, what is found and not known is new: it
 * comes by a synchronisation, which misses nothing between. One that is under
 * way may have begun before it came; then it takes another. In another mailbox,
 * rows are asked for of what was found alone, in small portions, two of them at
 * a time, so that others who share the connection get their turn. */
#include "fs/sync/mailbox-search.h"

#include "fs/kernel/errno.h"
#include "fs/sync/lister.h"
#include "fs/sync/sync-mailbox.h"
#include "imap/error.h"

#define GMAIL "X-GM-EXT-1"
/* How often a search is repeated because the mailbox has changed meanwhile. */
#define REPEATS_MAX 2u
/* UIDs in one FETCH, and octets that they take. */
#define PORTION_UIDS 500u
#define PORTION_LENGTH 4000u
#define PORTIONS 2u
/* Rows beyond those asked for, and messages beyond those known of: flags that
 * changed, messages that came. */
#define SURPLUS_MAX 10000u
/* UIDs that are compared with the index in one go. */
#define COMPARED_AT_ONCE 20000u

struct FsMailboxSearch {
    FsSynchroniser *synchroniser;
    guint32 mailbox;
    FsSoughtFunc sought;
    FsFoundFunc done; /* NULL once it is over */
    gpointer user_data;
    gint64 began_at; /* microseconds, monotonic */
    ImapRetry retry;
    ImapLease *lease; /* NULL: none */

    guint repeats;
    guint changes_seen; /* of the connection's mailbox, when it was asked */
    gint64 found_at;    /* microseconds, monotonic: the answer came */
    gboolean renewed;   /* a second synchronisation is waited for */
    ImapUidSet *found;
    ImapUidSet *missing; /* in the index */
    guint range;         /* of found, the first not compared to its end, */
    guint32 compared;    /* of which UIDs up to this one were */
    guint source;        /* for going on with that */
    guint portions;      /* on their way */
    guint64 rows;        /* that have come, and may come */
    guint64 rows_max;
    GError *error;         /* the first of theirs */
    FsNeedWaiter *waiting; /* for a synchronisation; NULL: not */
};

static void acquire(FsMailboxSearch *search);

static void
search_clear(gpointer data)
{
    FsMailboxSearch *search = data;

    imap_lease_release(search->lease);
    imap_uid_set_free(search->found);
    imap_uid_set_free(search->missing);
    g_clear_error(&search->error);
}

static void
search_unref(gpointer search)
{
    g_rc_box_release_full(search, search_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsMailboxSearch, search_unref)

/* ---- the end ---- */

/* Everything that still comes is passed over. */
static void
stop(FsMailboxSearch *search)
{
    search->done = NULL;
    g_clear_handle_id(&search->source, g_source_remove);
    if (search->waiting != NULL)
        fs_need_cancel(g_steal_pointer(&search->waiting));
    g_clear_pointer(&search->lease, imap_lease_release);
}

static void
finish(FsMailboxSearch *search, const GError *error)
{
    g_autoptr(FsMailboxSearch) held G_GNUC_UNUSED = search;
    FsFoundFunc done = search->done;

    stop(search);
    done(error == NULL ? search->found : NULL, error, search->user_data);
}

void
fs_mailbox_search_cancel(FsMailboxSearch *search)
{
    stop(search);
    search_unref(search);
}

static void
fail(FsMailboxSearch *search, const GError *error)
{
    if (search->lease != NULL &&
        imap_retry_is_due(&search->retry, imap_lease_connection(search->lease),
                          error)) {
        g_clear_pointer(&search->lease, imap_lease_release);
        acquire(search);
        return;
    }
    finish(search, error);
}

/* ---- a mailbox whose messages are known ---- */

static void synchronise(FsMailboxSearch *search);

static void
on_synchronised(const GError *error, gpointer user_data)
{
    FsMailboxSearch *search = user_data;

    search->waiting = NULL;
    if (error == NULL && !search->renewed &&
        !fs_synchroniser_has_seen(search->synchroniser, search->mailbox,
                                  search->found_at)) {
        search->renewed = TRUE;
        synchronise(search);
    } else {
        finish(search, error);
    }
}

/* NULL if it is not known, nor being listed. */
static FsSyncMailbox *
find_listed(FsMailboxSearch *search)
{
    FsSyncMailbox *mailbox =
        fs_sync_mailbox_of(search->synchroniser, search->mailbox);

    return mailbox->sync != NULL || fs_sync_is_known(mailbox) ? mailbox : NULL;
}

static void
synchronise(FsMailboxSearch *search)
{
    FsNeed *need;

    g_clear_pointer(&search->lease, imap_lease_release);
    fs_synchroniser_mark_stale(search->synchroniser, search->mailbox);
    need = fs_synchroniser_need_messages(search->synchroniser, search->mailbox,
                                         search->began_at);
    if (need == NULL)
        finish(search, NULL);
    else
        search->waiting = fs_need_wait(need, on_synchronised, search);
}

/* ---- another one ---- */

static void fetch_more(FsMailboxSearch *search);

static void
refuse_flood(FsMailboxSearch *search)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server lists messages without end");

    imap_connection_close(imap_lease_connection(search->lease), error);
}

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    FsMailboxSearch *search = user_data;
    FsSyncMailbox *mailbox;

    if (search->done == NULL || search->lease == NULL)
        return;
    if (++search->rows > search->rows_max) {
        refuse_flood(search);
        return;
    }
    if (!imap_uid_set_contains(search->found, fetch->uid) ||
        fs_mailbox_tree_get(search->synchroniser->account->tree,
                            search->mailbox) == NULL)
        return;
    mailbox = fs_sync_mailbox_of(search->synchroniser, search->mailbox);
    if (mailbox->sync != NULL)
        fs_sync_row(mailbox, fetch, FALSE);
    else if (!fs_sync_is_known(mailbox))
        fs_sync_put(mailbox, fetch, fs_sync_wants_header(mailbox));
}

static void
on_fetched(const GError *error, gpointer user_data)
{
    g_autoptr(FsMailboxSearch) search = user_data;

    if (search->done == NULL)
        return;
    search->portions--;
    if (error != NULL && search->error == NULL)
        search->error = g_error_copy(error);
    if (search->error == NULL)
        fetch_more(search);
    if (search->portions > 0)
        return;
    if (search->error != NULL)
        fail(search, search->error);
    else if (find_listed(search) != NULL)
        synchronise(search); /* begun meanwhile, it wants no rows of ours */
    else
        finish(search, NULL);
}

static const ImapFetchListHandler rows_handler = {
    .message = on_row,
    .done = on_fetched,
};

static void
fetch_portion(FsMailboxSearch *search)
{
    FsSyncMailbox *mailbox =
        fs_sync_mailbox_of(search->synchroniser, search->mailbox);
    g_autoptr(ImapUidSet) uids =
        imap_uid_set_take(search->missing, PORTION_UIDS, PORTION_LENGTH);
    g_autofree char *text = imap_uid_set_to_string(uids);

    search->portions++;
    search->rows_max += imap_uid_set_count(uids);
    imap_request_fetch_list(imap_lease_connection(search->lease), text,
                            fs_sync_wants_header(mailbox), &rows_handler,
                            g_rc_box_acquire(search));
}

static void
fetch_more(FsMailboxSearch *search)
{
    while (search->portions < PORTIONS &&
           imap_uid_set_n_ranges(search->missing) > 0)
        fetch_portion(search);
}

/* ---- what is missing ---- */

static void
take_up_missing(FsMailboxSearch *search)
{
    if (imap_uid_set_n_ranges(search->missing) == 0) {
        finish(search, NULL);
    } else if (find_listed(search) != NULL) {
        synchronise(search);
    } else {
        search->rows = 0;
        search->rows_max = SURPLUS_MAX;
        g_clear_error(&search->error);
        fetch_more(search);
    }
}

/* Adds to what is missing the UIDs above @after and below @uid. */
static gboolean
note_gap(FsMailboxSearch *search, guint32 after, guint32 uid)
{
    return uid <= after + 1 ||
           imap_uid_set_add(search->missing, after + 1, uid - 1);
}

/* Compares up to @count UIDs of the range up to @last. */
static gboolean
compare_some(FsMailboxSearch *search, guint32 last, guint *count)
{
    CacheIndex *index = search->synchroniser->account->index;
    CacheMessage message;

    while (*count > 0 && search->compared < last) {
        guint32 next = last;

        if (cache_index_next(index, search->mailbox, search->compared,
                             &message) &&
            message.uid <= last) {
            if (!note_gap(search, search->compared, message.uid))
                return FALSE;
            next = message.uid;
        } else if (!imap_uid_set_add(search->missing, search->compared + 1,
                                     last)) {
            return FALSE;
        }
        search->compared = next;
        (*count)--;
    }
    return TRUE;
}

static gboolean
on_compare(gpointer user_data)
{
    FsMailboxSearch *search = user_data;
    guint count = COMPARED_AT_ONCE;
    g_autoptr(GError) error = NULL;

    while (count > 0 && search->range < imap_uid_set_n_ranges(search->found)) {
        guint32 first;
        guint32 last;

        imap_uid_set_range(search->found, search->range, &first, &last);
        search->compared = MAX(search->compared, first - 1);
        if (!compare_some(search, last, &count)) {
            search->source = 0;
            error = g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                                "the server finds more than can be listed");
            finish(search, error);
            return G_SOURCE_REMOVE;
        }
        if (search->compared >= last)
            search->range++;
    }
    if (count == 0)
        return G_SOURCE_CONTINUE;
    search->source = 0;
    take_up_missing(search);
    return G_SOURCE_REMOVE;
}

static void
compare(FsMailboxSearch *search)
{
    search->range = 0;
    search->compared = 0;
    g_clear_pointer(&search->missing, imap_uid_set_free);
    search->missing = imap_uid_set_new();
    search->source =
        g_idle_add_full(G_PRIORITY_DEFAULT, on_compare, search, NULL);
}

/* ---- the search ---- */

static void send_search(FsMailboxSearch *search);

static guint
count_changes(const FsMailboxSearch *search)
{
    const ImapMailbox *mailbox =
        imap_connection_mailbox(imap_lease_connection(search->lease));

    return mailbox->changes + mailbox->flag_changes;
}

/* Some servers search first, and then see what others have changed before: what
 * is told meanwhile may not be in the answer. */
static gboolean
is_repeated(FsMailboxSearch *search)
{
    if (count_changes(search) == search->changes_seen ||
        search->repeats >= REPEATS_MAX)
        return FALSE;
    search->repeats++;
    return TRUE;
}

/* More than there are is no mailbox's: it would take hours to ask for it all.
 * Some may have come that were not told of yet. */
static guint64
most_found(const FsMailboxSearch *search)
{
    const ImapMailbox *mailbox =
        imap_connection_mailbox(imap_lease_connection(search->lease));

    return MIN(mailbox->exists + SURPLUS_MAX, FS_SYNC_MAX_MESSAGES);
}

static void
on_searched(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsMailboxSearch) search = user_data;
    g_autoptr(GError) flood = NULL;

    if (search->done == NULL)
        return;
    if (error != NULL) {
        fail(search, error);
        return;
    }
    if (is_repeated(search)) {
        send_search(search);
        return;
    }
    if (imap_uid_set_count(found) > most_found(search)) {
        flood = g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                            "the server finds more messages than there can be");
        finish(search, flood);
        return;
    }
    g_clear_pointer(&search->found, imap_uid_set_free);
    search->found = imap_uid_set_intersection(found, found);
    search->found_at = g_get_monotonic_time();
    compare(search);
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(FsMailboxSearch) search = user_data;

    if (search->done != NULL)
        finish(search, error);
}

static void
send_search(FsMailboxSearch *search)
{
    ImapConnection *connection = imap_lease_connection(search->lease);
    g_autoptr(GError) error = NULL;
    g_autoptr(ImapSearchProgram) program = search->sought(
        imap_connection_has(connection, GMAIL), search->user_data, &error);

    if (program == NULL) {
        finish(search, error);
        return;
    }
    search->changes_seen = count_changes(search);
    imap_request_search_for(connection, program, on_searched,
                            g_rc_box_acquire(search));
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsMailboxSearch) search = user_data;
    FsSyncMailbox *mailbox;
    g_autoptr(GError) stale = NULL;
    CacheMailbox known;

    if (search->done == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        fs_lister_explain(search->synchroniser->account->lister,
                          search->mailbox, error, on_explained,
                          g_rc_box_acquire(search));
        return;
    }
    search->lease = lease;
    mailbox = fs_sync_mailbox_of(search->synchroniser, search->mailbox);
    if (fs_sync_known(mailbox, &known) &&
        fs_synchroniser_is_another(
            &known, imap_connection_mailbox(imap_lease_connection(lease)),
            imap_lease_is_fresh(lease))) {
        fs_sync_replaced(mailbox, imap_lease_connection(lease));
        stale = g_error_new(FS_ERROR, FS_ERROR_STALE,
                            "the server has replaced the mailbox "
                            "(UIDVALIDITY)");
        finish(search, stale);
        return;
    }
    fs_sync_note_first(mailbox, imap_lease_connection(lease));
    send_search(search);
}

static gboolean
on_gone(gpointer user_data)
{
    FsMailboxSearch *search = user_data;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_GONE, "the mailbox is gone");

    search->source = 0;
    finish(search, error);
    return G_SOURCE_REMOVE;
}

static void
acquire(FsMailboxSearch *search)
{
    FsAccount *account = search->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, search->mailbox);
    ImapWish wish = {.kind = IMAP_LEASE_SLOW};

    if (directory == NULL || !directory->selectable) {
        search->source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_gone, search, NULL);
        return;
    }
    wish.mailbox = directory->wire_name;
    imap_pool_acquire_wish(account->pool, &wish, on_lease,
                           g_rc_box_acquire(search));
}

FsMailboxSearch *
fs_mailbox_search_new(FsSynchroniser *synchroniser, guint32 mailbox,
                      FsSoughtFunc sought, FsFoundFunc found,
                      gpointer user_data)
{
    FsMailboxSearch *search = g_rc_box_new0(FsMailboxSearch);

    search->synchroniser = synchroniser;
    search->mailbox = mailbox;
    search->sought = sought;
    search->done = found;
    search->user_data = user_data;
    search->began_at = g_get_monotonic_time();
    imap_retry_begin(&search->retry);
    acquire(search);
    return search;
}
