/* Keeps the messages of the mailboxes in use as the server has them.
 *
 * A first synchronisation is one streamed FETCH of everything. A later one, and
 * a first one whose count disagrees with EXISTS, asks for the UIDs that exist
 * (SEARCH), drops those that are gone and fetches those that are new. What is
 * dropped is decided only by a complete answer. After MAX_ROUNDS answers that
 * contradict one another the mailbox is an error. */
#include "fs/synchroniser.h"

#include "fs/body-transfer.h"
#include "fs/errno.h"
#include "fs/lister.h"
#include "fs/message-name.h"
#include "imap/error.h"
#include "imap/requests.h"

#define MAX_ROUNDS 3
/* A FETCH names at most this many UIDs, and so stays a short line. */
#define MAX_RANGES_PER_FETCH 300
/* So many rows beyond those expected: flags that changed, messages that came
 * meanwhile. */
#define SURPLUS_MAX 10000
/* A mailbox holds that many messages at the most. */
#define MAX_MESSAGES (5u * 1000 * 1000)

typedef struct {
    FsSynchroniser *synchroniser; /* NULL once that is gone */
    guint32 id;
    FsRefresh refresh;
    gint64 changed_at; /* seconds since the epoch */

    /* While it is being synchronised. */
    ImapLease *lease;
    ImapUidSet *wanted; /* being fetched; NULL: everything */
    guint fetch_range;  /* the first of wanted not yet asked for */
    guint rounds;
    guint attempts;
    gboolean changed;
    guint64 rows;     /* that the FETCH under way has brought */
    guint64 rows_max; /* that it may bring */

    gboolean unusable; /* the server has replaced it, and no id is left */
} Mailbox;

struct FsSynchroniser {
    FsAccount *account;
    GHashTable *mailboxes; /* id -> Mailbox, a reference */
    FsChangeFunc change_func;
    gpointer change_data;
};

static void start_round(Mailbox *mailbox);
static void reselect(Mailbox *mailbox);
static void acquire(Mailbox *mailbox);

/* ---- the mailboxes' records ---- */

static void
mailbox_clear(gpointer data)
{
    Mailbox *mailbox = data;

    fs_refresh_clear(&mailbox->refresh);
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

static void
forget(FsSynchroniser *synchroniser, guint32 id)
{
    cache_index_drop_mailbox(synchroniser->account->index, id);
    g_hash_table_remove(synchroniser->mailboxes, GUINT_TO_POINTER(id));
}

static CacheIndex *
index_of(const Mailbox *mailbox)
{
    return mailbox->synchroniser->account->index;
}

/* ---- the end of a synchronisation ---- */

static void
finish(Mailbox *mailbox, const GError *error)
{
    FsSynchroniser *synchroniser = mailbox->synchroniser;
    FsAccount *account = synchroniser->account;

    g_rc_box_acquire(mailbox);
    g_clear_pointer(&mailbox->lease, imap_lease_release);
    g_clear_pointer(&mailbox->wanted, imap_uid_set_free);
    /* To be listed is no change: a tool that looks at the directory before it
     * reads it, and after, would take it for one. */
    if (error == NULL && !mailbox->refresh.known)
        mailbox->changed_at = account->mounted_at;
    else if (error == NULL && mailbox->changed)
        mailbox->changed_at = g_get_real_time() / G_USEC_PER_SEC;
    if (error != NULL && !mailbox->refresh.known)
        cache_index_drop_mailbox(account->index, mailbox->id);
    if (error != NULL)
        g_message("a mailbox cannot be listed: %s", error->message);
    fs_refresh_end(&mailbox->refresh, error, account->options->poll_seconds);
    if (fs_mailbox_tree_get(account->tree, mailbox->id) == NULL)
        forget(synchroniser, mailbox->id);
    mailbox_unref(mailbox);
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
refuse_flood(Mailbox *mailbox)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server lists messages without end");

    imap_connection_close(imap_lease_connection(mailbox->lease), error);
}

/* What was read already has told its size: a server's word is not taken again.
 */
static void
correct_size(const Mailbox *mailbox, CacheMessage *message)
{
    g_autoptr(CacheBody) body = fs_transfers_find(
        mailbox->synchroniser->account->transfers, mailbox->id, message->uid);

    if (body == NULL)
        return;
    message->size = cache_body_size(body);
    message->size_verified = TRUE;
}

/* For those who look on: nothing is a change in a mailbox not known before. */
static void
tell_change(Mailbox *mailbox, FsChange change, const CacheMessage *message)
{
    FsSynchroniser *synchroniser = mailbox->synchroniser;

    if (mailbox->refresh.known && synchroniser->change_func != NULL)
        synchroniser->change_func(change, mailbox->id, message,
                                  synchroniser->change_data);
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

    if (mailbox->synchroniser == NULL || mailbox->lease == NULL)
        return;
    if (++mailbox->rows > mailbox->rows_max) {
        refuse_flood(mailbox);
        return;
    }
    if (!is_wanted(mailbox, fetch->uid))
        return;
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
    correct_size(mailbox, &message);
    mailbox->changed = TRUE;
    cache_index_put(index_of(mailbox), mailbox->id, &message);
    tell_change(mailbox, FS_CHANGE_NEW, &message);
}

static void on_fetched(const GError *error, gpointer user_data);

static const ImapFetchListHandler fetch_handler = {
    .message = on_message,
    .done = on_fetched,
};

/* @expected: how many messages that should bring. */
static void
fetch(Mailbox *mailbox, const char *uids, guint64 expected)
{
    const FsOptions *options = mailbox->synchroniser->account->options;

    mailbox->rows = 0;
    mailbox->rows_max = MIN(expected, MAX_MESSAGES) + SURPLUS_MAX;
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
    fetch(mailbox, text, imap_uid_set_count(part));
    return TRUE;
}

/* A server may refuse a whole FETCH because one message was expunged meanwhile
 * (RFC 2180, section 4.1.2): who looks again is told which. */
static gboolean
is_refusal(const GError *error)
{
    return error->domain == IMAP_ERROR && error->code >= IMAP_ERROR_NO;
}

static void
on_fetched(const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;

    if (mailbox->synchroniser == NULL || mailbox->lease == NULL)
        return;
    if (error != NULL && is_refusal(error) && mailbox->rounds < MAX_ROUNDS)
        start_round(mailbox);
    else if (error != NULL)
        fail(mailbox, error);
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
            tell_change(mailbox, FS_CHANGE_GONE, &message);
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
        /* It has just changed, or the server does not tell of changes in a
         * mailbox that stays selected: select it anew. */
        if (mailbox->rounds < MAX_ROUNDS)
            reselect(mailbox);
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
 * this id is gone, and what is there now gets an id of its own. Without one it
 * cannot be shown: its messages would pass for the old ones. */
static void
replaced(Mailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) others =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");

    /* What others have asked for on this line was meant for the old one. */
    imap_connection_close(imap_lease_connection(mailbox->lease), others);
    if (fs_mailbox_tree_new_id(account->tree, mailbox->id, &error) != 0)
        error = g_error_new(FS_ERROR, FS_ERROR_STALE,
                            "the server has replaced the mailbox "
                            "(UIDVALIDITY)");
    else
        mailbox->unusable = TRUE;
    mailbox->refresh.known = FALSE;
    finish(mailbox, error);
}

gboolean
fs_synchroniser_is_another(const CacheMailbox *known,
                           const ImapMailbox *selected, gboolean fresh)
{
    return known->uidvalidity != selected->uidvalidity ||
           (fresh && known->uidnext != 0 && selected->uidnext != 0 &&
            selected->uidnext < known->uidnext);
}

/* Begins with what the selection says; @fresh: it has just been made. */
static void
begin(Mailbox *mailbox, gboolean fresh)
{
    const ImapMailbox *selected =
        imap_connection_mailbox(imap_lease_connection(mailbox->lease));
    CacheMailbox state = {0};

    if (cache_index_mailbox(index_of(mailbox), mailbox->id, &state) &&
        fs_synchroniser_is_another(&state, selected, fresh)) {
        replaced(mailbox);
        return;
    }
    if (fresh)
        state.uidnext = 0;
    state = (CacheMailbox){
        .uidvalidity = selected->uidvalidity,
        .uidnext = MAX(state.uidnext, selected->uidnext),
    };
    cache_index_set_mailbox(index_of(mailbox), mailbox->id, &state);
    /* A selection that is not new may show what is gone: a round asks first. */
    if (!fresh || mailbox->refresh.known || count_there(mailbox) > 0)
        start_round(mailbox);
    else if (selected->exists == 0)
        finish(mailbox, NULL);
    else
        fetch(mailbox, "1:*", selected->exists);
}

static void
on_reselected(const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;
    ImapConnection *connection;

    if (mailbox->synchroniser == NULL || mailbox->lease == NULL)
        return;
    if (error == NULL) {
        begin(mailbox, TRUE);
        return;
    }
    /* Now it has no mailbox selected, whatever its other leases believe. */
    connection = imap_lease_connection(mailbox->lease);
    imap_connection_close(connection, error);
    finish(mailbox, error);
}

static void
reselect(Mailbox *mailbox)
{
    const FsMailbox *directory =
        fs_mailbox_tree_get(mailbox->synchroniser->account->tree, mailbox->id);

    if (directory == NULL || directory->wire_name == NULL) {
        finish_incomplete(mailbox, "the mailbox is gone");
        return;
    }
    imap_request_examine(imap_lease_connection(mailbox->lease),
                         directory->wire_name, on_reselected,
                         g_rc_box_acquire(mailbox));
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;

    if (mailbox->synchroniser != NULL)
        finish(mailbox, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(Mailbox) mailbox = user_data;

    if (mailbox->synchroniser == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        fs_lister_explain(mailbox->synchroniser->account->lister, mailbox->id,
                          error, on_explained, g_rc_box_acquire(mailbox));
        return;
    }
    mailbox->lease = lease;
    mailbox->rounds = 0;
    g_clear_pointer(&mailbox->wanted, imap_uid_set_free);
    begin(mailbox, imap_lease_is_fresh(lease));
}

static void
acquire(Mailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    g_autoptr(GError) error = NULL;

    if (directory == NULL || directory->wire_name == NULL ||
        mailbox->unusable) {
        error = g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");
        finish(mailbox, error);
        return;
    }
    imap_pool_acquire(account->pool, directory->wire_name, on_lease,
                      g_rc_box_acquire(mailbox));
}

FsNeed *
fs_synchroniser_need_messages(FsSynchroniser *synchroniser, guint32 id,
                              gint64 since)
{
    Mailbox *mailbox = mailbox_of(synchroniser, id);
    gboolean start;
    FsNeed *need =
        fs_refresh_ask(&mailbox->refresh, since,
                       synchroniser->account->options->poll_seconds, &start);

    if (start) {
        mailbox->attempts = 0;
        mailbox->changed = FALSE;
        acquire(mailbox);
    }
    return need;
}

guint32
fs_synchroniser_listed_to(FsSynchroniser *synchroniser, guint32 id)
{
    const Mailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL && mailbox->refresh.known ? G_MAXUINT32 : 0;
}

void
fs_synchroniser_set_change_func(FsSynchroniser *synchroniser, FsChangeFunc func,
                                gpointer user_data)
{
    synchroniser->change_func = func;
    synchroniser->change_data = user_data;
}

void
fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 id)
{
    Mailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox != NULL)
        fs_refresh_mark_stale(&mailbox->refresh);
}

void
fs_synchroniser_message_gone(FsSynchroniser *synchroniser, guint32 id,
                             guint32 uid)
{
    CacheIndex *index = synchroniser->account->index;
    CacheMessage message;

    if (cache_index_message(index, id, uid, &message) &&
        synchroniser->change_func != NULL)
        synchroniser->change_func(FS_CHANGE_GONE, id, &message,
                                  synchroniser->change_data);
    cache_index_remove(index, id, uid);
    fs_synchroniser_mark_stale(synchroniser, id);
}

gint64
fs_synchroniser_changed_at(FsSynchroniser *synchroniser, guint32 id)
{
    const Mailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL ? mailbox->changed_at : 0;
}

void
fs_synchroniser_mailbox_gone(const FsMailbox *mailbox, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    Mailbox *known = g_hash_table_lookup(synchroniser->mailboxes,
                                         GUINT_TO_POINTER(mailbox->id));

    /* What is under way ends by itself, and forgets it then. */
    if (known != NULL && !fs_refresh_is_under_way(&known->refresh))
        forget(synchroniser, mailbox->id);
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
    g_hash_table_unref(synchroniser->mailboxes);
    g_free(synchroniser);
}
