/* What has changed in a mailbox that is known, or known in part.
 *
 * With QRESYNC the selection itself tells; with CONDSTORE a FETCH of what has
 * changed since, together with one of the new messages. When the number of
 * messages then is not what the server says, or the server can tell nothing, a
 * round: which UIDs exist (SEARCH), which are gone, which are missing. What is
 * dropped is decided only by a complete answer whose count agrees with EXISTS.
 * After MAX_ROUNDS answers that contradict one another the mailbox is an error.
 */
#include "fs/sync/sync-mailbox.h"

#include "imap/error.h"

#define MAX_ROUNDS 3
/* More of them, while the server tells of changes: it contradicts nothing then,
 * and what was found was overtaken. */
#define MAX_OVERTAKEN 16
/* Messages compared before others have their turn. */
#define MESSAGES_PER_SLICE 4096

static ImapConnection *
connection_of(const FsSync *sync)
{
    return imap_lease_connection(sync->lease);
}

static guint64
count_there(const FsSync *sync)
{
    return cache_index_count(fs_sync_index(sync->mailbox), sync->mailbox->id);
}

static guint64
count_said(const FsSync *sync)
{
    return imap_connection_mailbox(connection_of(sync))->exists;
}

/* How many there were when the server had found @found. */
static guint64
count_said_then(const FsSync *sync, const ImapUidSet *found)
{
    const ImapMailbox *mailbox = imap_connection_mailbox(connection_of(sync));

    /* Some servers do not answer a search that finds nothing. */
    return imap_uid_set_count(found) > 0 ? mailbox->exists_searched
                                         : mailbox->exists;
}

/* A server may refuse a whole FETCH because one message was expunged meanwhile
 * (RFC 2180, section 4.1.2): who looks again is told which. */
static gboolean
is_refusal(const GError *error)
{
    return error->domain == IMAP_ERROR && error->code >= IMAP_ERROR_NO;
}

/* ---- the steps ---- */

void
fs_sync_note_changes(FsSync *sync)
{
    const ImapMailbox *mailbox = imap_connection_mailbox(connection_of(sync));

    sync->changes_noted = mailbox->changes;
    sync->arrivals_noted = mailbox->arrivals;
}

/* Whether the server has told of something since. */
static gboolean
has_changed(const FsSync *sync)
{
    return imap_connection_mailbox(connection_of(sync))->changes !=
           sync->changes_noted;
}

/* Whether the server has told of messages that have come since. */
static gboolean
has_grown(const FsSync *sync)
{
    return imap_connection_mailbox(connection_of(sync))->arrivals !=
           sync->arrivals_noted;
}

/* A server may carry out what was asked together with the NOOP before it looks
 * for changes, as Dovecot does; and with one gone and one come the number of
 * messages tells nothing. Then it is asked again, once: what it has told of is
 * in by now. With QRESYNC it has told which have gone; but not which have come,
 * perhaps before we began: of those, too, numbers tell nothing. */
static gboolean
is_overtaken(FsSync *sync)
{
    gboolean by_name = imap_connection_has_qresync(connection_of(sync));

    if (sync->repeated || !(by_name ? has_grown(sync) : has_changed(sync)))
        return FALSE;
    sync->repeated = TRUE;
    return TRUE;
}

/* While others change the mailbox all the time it is never known as it is, but
 * as it was when it was searched; what came later is for the next time. */
static gboolean
is_complete(FsSync *sync)
{
    guint64 count = count_there(sync);

    if (count == count_said(sync))
        return TRUE;
    if (!sync->searched || count != sync->n_found)
        return FALSE;
    fs_refresh_mark_stale(&sync->mailbox->refresh);
    return TRUE;
}

void
fs_sync_check(FsSync *sync)
{
    if (fs_sync_seems_emptied(sync))
        fs_sync_reselect(sync);
    else if (!is_complete(sync) || is_overtaken(sync))
        fs_sync_start_round(sync);
    else if (!sync->flags_in && sync->can_tell)
        fs_sync_fetch_changes(sync, FALSE);
    else
        fs_sync_finish(sync, NULL);
}

void
fs_sync_step_done(FsSync *sync, const GError *error)
{
    g_autoptr(GError) first = NULL;

    if (error != NULL && sync->error == NULL)
        sync->error = g_error_copy(error);
    if (--sync->pending > 0)
        return;
    first = g_steal_pointer(&sync->error);
    /* New messages bring their part of it, and may not have come. */
    if (first != NULL)
        sync->complete_to = 0;
    if (first != NULL && is_refusal(first) && sync->rounds < MAX_ROUNDS)
        fs_sync_start_round(sync);
    else if (first != NULL)
        fs_sync_fail(sync, first);
    else
        fs_sync_check(sync);
}

/* ---- what has changed since ---- */

void
fs_sync_apply(FsSync *sync, const ImapChanges *changes)
{
    FsSyncMailbox *mailbox = sync->mailbox;

    fs_sync_remove_set(mailbox, changes->vanished);
    for (guint i = 0; i < changes->flags->len; i++) {
        const ImapFlagsChange *change =
            &g_array_index(changes->flags, ImapFlagsChange, i);

        fs_sync_set_flags(mailbox, change->uid, change->flags);
    }
}

static void
on_flags(guint32 uid, const char *flags, gpointer user_data)
{
    FsSync *sync = user_data;

    if (sync->mailbox != NULL)
        fs_sync_set_flags(sync->mailbox, uid, flags);
}

static void
on_vanished(const ImapUidSet *uids, gpointer user_data)
{
    FsSync *sync = user_data;
    guint32 first;
    guint32 last;

    if (sync->mailbox == NULL)
        return;
    if (sync->vanished == NULL)
        sync->vanished = imap_uid_set_new();
    for (guint i = 0; i < imap_uid_set_n_ranges(uids); i++) {
        imap_uid_set_range(uids, i, &first, &last);
        /* What does not fit, the count will tell. */
        imap_uid_set_add(sync->vanished, first, last);
    }
}

/* While a mailbox stays selected its HIGHESTMODSEQ is that of long ago, and all
 * that has changed since would be told again and again. */
static void
on_complete(guint64 modseq, gpointer user_data)
{
    ((FsSync *)user_data)->complete_to = modseq;
}

static void
on_changes_done(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    if (error == NULL) {
        sync->flags_in = TRUE;
        if (sync->vanished != NULL && !fs_sync_seems_emptied(sync))
            fs_sync_remove_set(sync->mailbox, sync->vanished);
    } else if (is_refusal(error)) {
        /* It cannot, after all. */
        sync->can_tell = FALSE;
    }
    g_clear_pointer(&sync->vanished, imap_uid_set_free);
    fs_sync_step_done(sync, error);
}

static const ImapFlagsHandler changes_handler = {
    .flags = on_flags,
    .vanished = on_vanished,
    .complete = on_complete,
    .done = on_changes_done,
};

void
fs_sync_fetch_changes(FsSync *sync, gboolean with_new)
{
    guint64 next = sync->mailbox->next_uid;
    g_autofree char *uids = NULL;

    /* New messages bring their flags themselves. */
    if (with_new && next > 1)
        uids = g_strdup_printf("1:%u", (guint32)MIN(next - 1, G_MAXUINT32));
    sync->pending++;
    imap_request_flags(connection_of(sync), uids != NULL ? uids : "1:*",
                       sync->known.highestmodseq, &changes_handler,
                       g_rc_box_acquire(sync));
    if (with_new && next <= G_MAXUINT32)
        fs_sync_fetch_from(sync, MAX(next, 1));
}

/* ---- a round: which UIDs exist, which are missing here ---- */

/* FALSE when the set grows beyond bounds. */
static gboolean
note_missing(FsSync *sync, guint32 first, guint32 last)
{
    return imap_uid_set_add(sync->missing, first, last);
}

static void
end_comparison(FsSync *sync)
{
    guint n = imap_uid_set_n_ranges(sync->found);
    guint32 first = 0;
    guint32 last = 0;

    if (n > 0)
        imap_uid_set_range(sync->found, n - 1, &first, &last);
    g_clear_pointer(&sync->found, imap_uid_set_free);
    imap_uid_set_free(sync->wanted);
    sync->wanted = g_steal_pointer(&sync->missing);
    if (imap_uid_set_n_ranges(sync->wanted) > 0)
        fs_sync_fetch_wanted(sync, last);
    else
        fs_sync_check(sync);
}

/* The part of the range under way that has not been compared. FALSE: none is
 * left. */
static gboolean
rest_of_range(const FsSync *sync, guint32 *first, guint32 *last)
{
    if (sync->range >= imap_uid_set_n_ranges(sync->found))
        return FALSE;
    imap_uid_set_range(sync->found, sync->range, first, last);
    *first = MAX(*first, sync->compared + 1);
    return TRUE;
}

/* Takes the next message, or the next range without one. FALSE: there is
 * neither. */
static gboolean
compare_next(FsSync *sync)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    CacheMessage message = {0};
    gboolean row = cache_index_next(fs_sync_index(mailbox), mailbox->id,
                                    sync->compared, &message);
    guint32 first = 0;
    guint32 last = 0;
    gboolean range = rest_of_range(sync, &first, &last);
    guint32 uid = message.uid;

    if (!row && !range)
        return FALSE;
    if (row && (!range || uid < first)) {
        sync->compared = uid;
        fs_sync_remove(mailbox, uid);
        return uid < G_MAXUINT32;
    }
    if (!row || uid > last) {
        sync->compared = last;
        sync->range++;
        if (!note_missing(sync, first, last))
            sync->compared = G_MAXUINT32;
    } else {
        sync->compared = uid;
        sync->range += uid == last;
        if (uid > first && !note_missing(sync, first, uid - 1))
            sync->compared = G_MAXUINT32;
        if (sync->with_header && message.stem == NULL)
            note_missing(sync, uid, uid);
    }
    return sync->compared < G_MAXUINT32;
}

/* Whether a message is missing where a listing has passed by: but for those
 * that are there, and lack their header. */
static gboolean
has_left_out(FsSync *sync)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    guint32 first;
    guint32 last;

    if (mailbox->shown_to == 0 || imap_uid_set_n_ranges(sync->missing) == 0)
        return FALSE;
    imap_uid_set_range(sync->missing, 0, &first, &last);
    return first <= mailbox->shown_to;
}

static gboolean
on_compare(gpointer user_data)
{
    g_autoptr(FsSync) sync = g_rc_box_acquire(user_data);

    for (guint i = 0; i < MESSAGES_PER_SLICE; i++)
        if (!compare_next(sync)) {
            sync->compare_source = 0;
            if (has_left_out(sync))
                fs_sync_break_listings(sync);
            else
                end_comparison(sync);
            return G_SOURCE_REMOVE;
        }
    return G_SOURCE_CONTINUE;
}

static ImapUidSet *
copy_set(const ImapUidSet *set)
{
    ImapUidSet *copy = imap_uid_set_new();
    guint32 first;
    guint32 last;

    for (guint i = 0; i < imap_uid_set_n_ranges(set); i++) {
        imap_uid_set_range(set, i, &first, &last);
        imap_uid_set_add(copy, first, last);
    }
    return copy;
}

static void search(FsSync *sync);

static void
on_searched(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    if (error != NULL) {
        fs_sync_fail(sync, error);
    } else if (is_overtaken(sync)) {
        search(sync);
    } else if (fs_sync_seems_emptied(sync)) {
        fs_sync_reselect(sync);
    } else if (imap_uid_set_count(found) != count_said_then(sync, found)) {
        /* It has just changed, or the server does not tell of changes in a
         * mailbox that stays selected: select it anew. */
        if (sync->rounds < MAX_ROUNDS)
            fs_sync_reselect(sync);
        else
            fs_sync_finish_incomplete(sync, "UID SEARCH and EXISTS disagree");
    } else if (imap_uid_set_count(found) > FS_SYNC_MAX_MESSAGES) {
        fs_sync_finish_incomplete(sync, "it has no end");
    } else {
        sync->searched = TRUE;
        sync->n_found = imap_uid_set_count(found);
        sync->found = copy_set(found);
        sync->missing = imap_uid_set_new();
        sync->range = 0;
        sync->compared = 0;
        sync->compare_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_compare, sync, NULL);
    }
}

static void
search(FsSync *sync)
{
    sync->searched = FALSE;
    fs_sync_note_changes(sync);
    imap_request_search(connection_of(sync), NULL, on_searched,
                        g_rc_box_acquire(sync));
}

void
fs_sync_start_round(FsSync *sync)
{
    if (sync->rounds > 0 && has_changed(sync) &&
        sync->overtaken < MAX_OVERTAKEN)
        sync->overtaken++;
    else if (sync->rounds++ >= MAX_ROUNDS) {
        fs_sync_finish_incomplete(sync, "FETCH and EXISTS disagree");
        return;
    }
    search(sync);
}
