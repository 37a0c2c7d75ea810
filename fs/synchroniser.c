/* Keeps the list of mailboxes, and the messages of those in use, as the server
 * has them.
 *
 * A first synchronisation is one streamed FETCH of everything. A later one, and
 * a first one whose count disagrees with EXISTS, asks for the UIDs that exist
 * (SEARCH), drops those that are gone and fetches those that are new. What is
 * dropped is decided only by a complete answer. After MAX_ROUNDS answers that
 * contradict one another the mailbox is an error. */
#include "fs/synchroniser.h"

#include "fs/errno.h"
#include "fs/message-name.h"
#include "imap/error.h"
#include "imap/mailbox-encoding.h"
#include "imap/requests.h"

#define MAX_ROUNDS 3
/* A FETCH names at most this many UIDs, and so stays a short line. */
#define MAX_RANGES_PER_FETCH 300
/* The server names that many messages at the most. */
#define MAX_MESSAGES (20u * 1000 * 1000)
/* After a failed refresh of what is known, it is served as it is for so
 * long. */
#define REFRESH_RETRY_US (5 * G_USEC_PER_SEC)

typedef struct {
    FsSynchroniser *synchroniser; /* NULL once that is gone */
    guint32 id;
    gboolean known;    /* completely, at synced_at */
    gint64 synced_at;  /* microseconds, monotonic */
    gint64 changed_at; /* seconds since the epoch */
    FsNeed *need;      /* NULL unless it is being synchronised */

    /* While it is being synchronised. */
    ImapLease *lease;
    ImapUidSet *wanted; /* being fetched; NULL: everything */
    guint fetch_range;  /* the first of wanted not yet asked for */
    guint rounds;
    guint attempts;
    gboolean changed;
    gboolean flooded;
} Mailbox;

/* A LIST under way. */
typedef struct {
    FsSynchroniser *synchroniser; /* NULL once that is gone */
    ImapLease *lease;
    guint attempts;
} Listing;

struct FsSynchroniser {
    FsAccount *account;
    GHashTable *mailboxes; /* id -> Mailbox, a reference */
    gboolean list_known;
    gint64 listed_at;  /* microseconds, monotonic */
    FsNeed *list_need; /* NULL unless it is being listed */
    Listing *listing;  /* likewise; a reference */
};

static void start_round(Mailbox *mailbox);
static void acquire(Mailbox *mailbox);

/* ---- the mailboxes' records ---- */

static void
mailbox_clear(gpointer data)
{
    Mailbox *mailbox = data;

    fs_need_unref(mailbox->need);
    imap_lease_release(mailbox->lease);
    imap_uid_set_free(mailbox->wanted);
}

static void
mailbox_unref(gpointer mailbox)
{
    g_rc_box_release_full(mailbox, mailbox_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mailbox, mailbox_unref)

static Mailbox *
mailbox_of(FsSynchroniser *synchroniser, guint32 id)
{
    Mailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox == NULL) {
        mailbox = g_rc_box_new0(Mailbox);
        mailbox->synchroniser = synchroniser;
        mailbox->id = id;
        g_hash_table_insert(synchroniser->mailboxes, GUINT_TO_POINTER(id),
                            mailbox);
    }
    return mailbox;
}

static CacheIndex *
index_of(const Mailbox *mailbox)
{
    return mailbox->synchroniser->account->index;
}

/* Whether @error is the line's and not the server's answer: then what is known
 * is still the best there is. */
static gboolean
is_of_the_line(const GError *error)
{
    return error->domain == IMAP_ERROR && (error->code == IMAP_ERROR_CLOSED ||
                                           error->code == IMAP_ERROR_TIMEOUT ||
                                           error->code == IMAP_ERROR_CONNECT ||
                                           error->code == IMAP_ERROR_RESOLVE);
}

/* The age that lets what is known count as fresh for REFRESH_RETRY_US. */
static gint64
retry_later(const FsSynchroniser *synchroniser)
{
    return g_get_monotonic_time() + REFRESH_RETRY_US -
           synchroniser->account->options->poll_seconds * G_USEC_PER_SEC;
}

/* ---- the end of a synchronisation ---- */

static void
finish(Mailbox *mailbox, const GError *error)
{
    g_autoptr(Mailbox) keep = g_rc_box_acquire(mailbox);
    g_autoptr(FsNeed) need = g_steal_pointer(&mailbox->need);

    g_clear_pointer(&mailbox->lease, imap_lease_release);
    g_clear_pointer(&mailbox->wanted, imap_uid_set_free);
    if (error == NULL) {
        if (mailbox->changed || !mailbox->known)
            mailbox->changed_at = g_get_real_time() / G_USEC_PER_SEC;
        mailbox->known = TRUE;
        mailbox->synced_at = g_get_monotonic_time();
    } else if (mailbox->known && is_of_the_line(error)) {
        g_message("showing a mailbox as it was: %s", error->message);
        mailbox->synced_at = retry_later(mailbox->synchroniser);
        error = NULL;
    } else if (!mailbox->known) {
        cache_index_drop_mailbox(index_of(mailbox), mailbox->id);
    }
    if (error != NULL)
        g_message("a mailbox cannot be listed: %s", error->message);
    fs_need_complete(need, error);
}

static void
finish_incomplete(Mailbox *mailbox, const char *why)
{
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server's listing is not complete: %s", why);

    finish(mailbox, error);
}

/* A cut line is tried once more; other errors are final. */
static void
fail(Mailbox *mailbox, const GError *error)
{
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        mailbox->attempts++ == 0 && mailbox->lease != NULL) {
        g_clear_pointer(&mailbox->lease, imap_lease_release);
        acquire(mailbox);
        return;
    }
    finish(mailbox, error);
}

/* ---- one FETCH ---- */

static gboolean
is_wanted(const Mailbox *mailbox, guint32 uid)
{
    return mailbox->wanted == NULL ||
           imap_uid_set_contains(mailbox->wanted, uid);
}

static void
on_message(const ImapFetch *fetch, gpointer user_data)
{
    Mailbox *mailbox = user_data;
    const FsOptions *options;
    CacheMessage message = {.uid = fetch->uid, .size = fetch->size};
    g_autofree char *stem = NULL;
    const char *header = "";
    gsize length = 0;

    if (mailbox->synchroniser == NULL || !is_wanted(mailbox, fetch->uid))
        return;
    if (cache_index_count(index_of(mailbox), mailbox->id) >= MAX_MESSAGES) {
        mailbox->flooded = TRUE;
        return;
    }
    options = mailbox->synchroniser->account->options;
    if (fetch->header != NULL)
        header = g_bytes_get_data(fetch->header, &length);
    message.internal_date = fetch->has_internal_date ? fetch->internal_date : 0;
    if (!fs_message_sent_date(header, length, &message.sent_date))
        message.sent_date = G_MININT64;
    if (options->names == FS_NAMES_SUBJECT) {
        stem = fs_message_stem(options->date == FS_DATE_SENT &&
                                       message.sent_date != G_MININT64
                                   ? message.sent_date
                                   : message.internal_date,
                               header, length);
        message.stem = stem;
    }
    mailbox->changed = TRUE;
    cache_index_put(index_of(mailbox), mailbox->id, &message);
}

static void on_fetched(const GError *error, gpointer user_data);

static const ImapFetchListHandler fetch_handler = {
    .message = on_message,
    .done = on_fetched,
};

static void
fetch(Mailbox *mailbox, const char *uids)
{
    const FsOptions *options = mailbox->synchroniser->account->options;

    imap_request_fetch_list(imap_lease_connection(mailbox->lease), uids,
                            options->names == FS_NAMES_SUBJECT ||
                                options->date == FS_DATE_SENT,
                            &fetch_handler, g_rc_box_acquire(mailbox));
}

/* Asks for the next of the wanted UIDs. FALSE when all have been asked for. */
static gboolean
fetch_more(Mailbox *mailbox)
{
    guint n = imap_uid_set_n_ranges(mailbox->wanted);
    g_autoptr(ImapUidSet) part = imap_uid_set_new();
    g_autofree char *text = NULL;
    guint32 first;
    guint32 last;

    if (mailbox->fetch_range >= n)
        return FALSE;
    for (guint i = 0; i < MAX_RANGES_PER_FETCH && mailbox->fetch_range < n;
         i++) {
        imap_uid_set_range(mailbox->wanted, mailbox->fetch_range++, &first,
                           &last);
        imap_uid_set_add(part, first, last);
    }
    text = imap_uid_set_to_string(part);
    fetch(mailbox, text);
    return TRUE;
}

static guint64
count_there(const Mailbox *mailbox)
{
    return cache_index_count(index_of(mailbox), mailbox->id);
}

static guint64
count_said(const Mailbox *mailbox)
{
    return imap_connection_mailbox(imap_lease_connection(mailbox->lease))
        ->exists;
}

static void
on_fetched(const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;

    if (mailbox->synchroniser == NULL || mailbox->lease == NULL)
        return;
    if (error != NULL)
        fail(mailbox, error);
    else if (mailbox->flooded)
        finish_incomplete(mailbox, "it has no end");
    else if (mailbox->wanted != NULL && fetch_more(mailbox))
        return;
    else if (count_there(mailbox) == count_said(mailbox))
        finish(mailbox, NULL);
    else
        start_round(mailbox);
}

/* ---- a round: which UIDs exist, which are missing here ---- */

static void
drop_vanished(Mailbox *mailbox, const ImapUidSet *found)
{
    CacheIndex *index = index_of(mailbox);
    CacheMessage message = {0};

    while (cache_index_next(index, mailbox->id, message.uid, &message))
        if (!imap_uid_set_contains(found, message.uid)) {
            mailbox->changed = TRUE;
            cache_index_remove(index, mailbox->id, message.uid);
        }
}

/* NULL when the set of those missing grows beyond bounds. */
static ImapUidSet *
find_missing(Mailbox *mailbox, const ImapUidSet *found)
{
    g_autoptr(ImapUidSet) missing = imap_uid_set_new();
    CacheMessage message;
    guint32 first;
    guint32 last;

    if (imap_uid_set_count(found) > MAX_MESSAGES)
        return NULL;
    for (guint i = 0; i < imap_uid_set_n_ranges(found); i++) {
        guint64 next;

        imap_uid_set_range(found, i, &first, &last);
        next = first;
        while (next <= last) {
            guint32 there = last;
            gboolean has = cache_index_next(index_of(mailbox), mailbox->id,
                                            next - 1, &message) &&
                           message.uid <= last;

            if (has)
                there = message.uid - 1;
            if (there >= next && !imap_uid_set_add(missing, next, there))
                return NULL;
            next = has ? (guint64)message.uid + 1 : (guint64)last + 1;
        }
    }
    return g_steal_pointer(&missing);
}

static void
on_searched(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;

    if (mailbox->synchroniser == NULL || mailbox->lease == NULL)
        return;
    if (error != NULL) {
        fail(mailbox, error);
        return;
    }
    if (imap_uid_set_count(found) != count_said(mailbox)) {
        /* One of the two is wrong, or it has just changed: look again. */
        if (mailbox->rounds < MAX_ROUNDS)
            start_round(mailbox);
        else
            finish_incomplete(mailbox, "UID SEARCH and EXISTS disagree");
        return;
    }
    drop_vanished(mailbox, found);
    g_clear_pointer(&mailbox->wanted, imap_uid_set_free);
    mailbox->wanted = find_missing(mailbox, found);
    mailbox->fetch_range = 0;
    if (mailbox->wanted == NULL)
        finish_incomplete(mailbox, "it has no end");
    else if (!fetch_more(mailbox))
        finish(mailbox, NULL);
}

static void
start_round(Mailbox *mailbox)
{
    if (mailbox->rounds++ >= MAX_ROUNDS) {
        finish_incomplete(mailbox, "FETCH and EXISTS disagree");
        return;
    }
    imap_request_search(imap_lease_connection(mailbox->lease), NULL,
                        on_searched, g_rc_box_acquire(mailbox));
}

/* ---- the beginning ---- */

/* The server has given the mailbox's name to another one: what we knew under
 * this id is gone, and what is there now gets an id of its own. */
static void
replaced(Mailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE,
                    "the server has replaced the mailbox (UIDVALIDITY)");

    cache_index_drop_mailbox(account->index, mailbox->id);
    mailbox->known = FALSE;
    fs_mailbox_tree_new_id(account->tree, mailbox->id, NULL);
    finish(mailbox, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;
    const ImapMailbox *selected;
    CacheMailbox state;

    if (mailbox->synchroniser == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        finish(mailbox, error);
        return;
    }
    mailbox->lease = lease;
    mailbox->rounds = 0;
    mailbox->flooded = FALSE;
    g_clear_pointer(&mailbox->wanted, imap_uid_set_free);
    selected = imap_connection_mailbox(imap_lease_connection(lease));
    if (cache_index_mailbox(index_of(mailbox), mailbox->id, &state) &&
        state.uidvalidity != selected->uidvalidity) {
        if (mailbox->known) {
            replaced(mailbox);
            return;
        }
        cache_index_drop_mailbox(index_of(mailbox), mailbox->id);
    }
    state = (CacheMailbox){selected->uidvalidity, selected->uidnext};
    cache_index_set_mailbox(index_of(mailbox), mailbox->id, &state);
    if (mailbox->known || count_there(mailbox) > 0)
        start_round(mailbox);
    else if (selected->exists == 0)
        finish(mailbox, NULL);
    else
        fetch(mailbox, "1:*");
}

static void
acquire(Mailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    g_autoptr(GError) error = NULL;

    if (directory == NULL || directory->wire_name == NULL) {
        error = g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");
        finish(mailbox, error);
        return;
    }
    imap_pool_acquire(account->pool, directory->wire_name, on_lease,
                      g_rc_box_acquire(mailbox));
}

static gboolean
is_fresh(const FsSynchroniser *synchroniser, gint64 since)
{
    return g_get_monotonic_time() - since <
           synchroniser->account->options->poll_seconds * G_USEC_PER_SEC;
}

FsNeed *
fs_synchroniser_need_messages(FsSynchroniser *synchroniser, guint32 id,
                              FsFreshness freshness)
{
    Mailbox *mailbox = mailbox_of(synchroniser, id);

    if (mailbox->known &&
        (freshness == FS_KNOWN || is_fresh(synchroniser, mailbox->synced_at)))
        return NULL;
    if (mailbox->need == NULL) {
        mailbox->need = fs_need_new();
        mailbox->attempts = 0;
        mailbox->changed = FALSE;
        acquire(mailbox);
    }
    return mailbox->need;
}

void
fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 id)
{
    mailbox_of(synchroniser, id)->synced_at = G_MININT64 / 2;
}

gint64
fs_synchroniser_changed_at(FsSynchroniser *synchroniser, guint32 id)
{
    return mailbox_of(synchroniser, id)->changed_at;
}

static void
on_pool_change(const char *wire_name, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    const FsMailbox *directory =
        fs_mailbox_tree_by_wire_name(synchroniser->account->tree, wire_name);

    if (directory != NULL)
        fs_synchroniser_mark_stale(synchroniser, directory->id);
}

/* ---- the list of mailboxes ---- */

static void acquire_for_list(Listing *listing);

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
finish_list(Listing *listing, const GError *error)
{
    FsSynchroniser *synchroniser = listing->synchroniser;
    g_autoptr(FsNeed) need = g_steal_pointer(&synchroniser->list_need);
    g_autoptr(Listing) owned = g_steal_pointer(&synchroniser->listing);

    g_clear_pointer(&listing->lease, imap_lease_release);
    if (error == NULL) {
        synchroniser->list_known = TRUE;
        synchroniser->listed_at = g_get_monotonic_time();
    } else if (synchroniser->list_known && is_of_the_line(error)) {
        synchroniser->listed_at = retry_later(synchroniser);
        error = NULL;
    } else {
        g_message("the mailboxes cannot be listed: %s", error->message);
    }
    fs_need_complete(need, error);
}

/* What is under way for it goes on, and finds the mailbox gone. */
static void
on_mailbox_gone(const FsMailbox *mailbox, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    Mailbox *known = g_hash_table_lookup(synchroniser->mailboxes,
                                         GUINT_TO_POINTER(mailbox->id));

    if (known != NULL && known->need == NULL) {
        cache_index_drop_mailbox(synchroniser->account->index, mailbox->id);
        g_hash_table_remove(synchroniser->mailboxes,
                            GUINT_TO_POINTER(mailbox->id));
    }
}

static gboolean
update_tree(Listing *listing, const GArray *mailboxes, GError **error)
{
    FsSynchroniser *synchroniser = listing->synchroniser;
    gboolean utf8 =
        imap_connection_is_utf8(imap_lease_connection(listing->lease));
    g_autoptr(GArray) listed = g_array_sized_new(
        FALSE, FALSE, sizeof(FsMailboxListing), mailboxes->len);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < mailboxes->len; i++) {
        const ImapListedMailbox *mailbox =
            &g_array_index(mailboxes, ImapListedMailbox, i);
        FsMailboxListing one = {
            .wire_name = mailbox->name,
            .name = imap_mailbox_decode(mailbox->name, utf8),
            .delimiter = mailbox->delimiter,
            .attributes = mailbox->attributes,
        };

        g_ptr_array_add(names, (gpointer)one.name);
        g_array_append_val(listed, one);
    }
    return fs_mailbox_tree_update(
        synchroniser->account->tree, (const FsMailboxListing *)listed->data,
        listed->len, on_mailbox_gone, synchroniser, error);
}

static void
on_listed(const GArray *mailboxes, const GError *error, gpointer user_data)
{
    g_autoptr(Listing) listing = user_data;
    g_autoptr(GError) unfit = NULL;

    if (listing->synchroniser == NULL)
        return;
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        listing->attempts++ == 0) {
        g_clear_pointer(&listing->lease, imap_lease_release);
        acquire_for_list(listing);
        return;
    }
    if (error == NULL && !update_tree(listing, mailboxes, &unfit))
        error = unfit;
    finish_list(listing, error);
}

static void
on_list_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(Listing) listing = user_data;

    if (listing->synchroniser == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        finish_list(listing, error);
        return;
    }
    listing->lease = lease;
    imap_request_list(imap_lease_connection(lease), on_listed,
                      g_rc_box_acquire(listing));
}

static void
acquire_for_list(Listing *listing)
{
    imap_pool_acquire(listing->synchroniser->account->pool, NULL, on_list_lease,
                      g_rc_box_acquire(listing));
}

FsNeed *
fs_synchroniser_need_mailboxes(FsSynchroniser *synchroniser,
                               FsFreshness freshness)
{
    if (synchroniser->list_known &&
        (freshness == FS_KNOWN ||
         is_fresh(synchroniser, synchroniser->listed_at)))
        return NULL;
    if (synchroniser->list_need == NULL) {
        synchroniser->list_need = fs_need_new();
        synchroniser->listing = g_rc_box_new0(Listing);
        synchroniser->listing->synchroniser = synchroniser;
        acquire_for_list(synchroniser->listing);
    }
    return synchroniser->list_need;
}

/* ---- making and ending ---- */

FsSynchroniser *
fs_synchroniser_new(FsAccount *account)
{
    FsSynchroniser *synchroniser = g_new0(FsSynchroniser, 1);

    synchroniser->account = account;
    synchroniser->mailboxes =
        g_hash_table_new_full(NULL, NULL, NULL, mailbox_unref);
    imap_pool_set_change_func(account->pool, on_pool_change, synchroniser);
    return synchroniser;
}

void
fs_synchroniser_free(FsSynchroniser *synchroniser)
{
    GHashTableIter iter;
    gpointer value;

    if (synchroniser == NULL)
        return;
    imap_pool_set_change_func(synchroniser->account->pool, NULL, NULL);
    g_hash_table_iter_init(&iter, synchroniser->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Mailbox *mailbox = value;

        mailbox->synchroniser = NULL;
        g_clear_pointer(&mailbox->lease, imap_lease_release);
    }
    if (synchroniser->listing != NULL) {
        synchroniser->listing->synchroniser = NULL;
        g_clear_pointer(&synchroniser->listing->lease, imap_lease_release);
        listing_unref(synchroniser->listing);
    }
    fs_need_unref(synchroniser->list_need);
    g_hash_table_unref(synchroniser->mailboxes);
    g_free(synchroniser);
}
