/* What the server says of messages, into the index.
 *
 * A size that was verified is never replaced by what the server claims, and
 * what a row says of headers outlives a row that comes without. Whoever wants
 * to know of changes is told of those in mailboxes that were known before, and
 * of every message that goes. */
#include "fs/names/message-name.h"
#include "fs/sync/sync-mailbox.h"

/* ---- telling ---- */

static void
tell_listeners(FsSyncMailbox *mailbox, FsChange change,
               const CacheMessage *message)
{
    const FsListeners *listeners = &mailbox->synchroniser->listeners;

    for (guint i = 0; i < fs_listeners_count(listeners); i++) {
        gpointer user_data;
        FsChangeFunc func =
            (FsChangeFunc)fs_listeners_get(listeners, i, &user_data);

        func(change, mailbox->id, message, user_data);
    }
}

static gboolean
has_listeners(const FsSyncMailbox *mailbox)
{
    return fs_listeners_count(&mailbox->synchroniser->listeners) > 0;
}

/* @message may be borrowed from the index, which is called meanwhile. */
static void
tell(FsSyncMailbox *mailbox, FsChange change, const CacheMessage *message)
{
    g_autofree char *stem = g_strdup(message->stem);
    g_autofree char *flags = g_strdup(message->flags);
    g_autofree char *identity = g_strdup(message->identity);
    CacheMessage copy = *message;

    copy.stem = stem;
    copy.flags = flags;
    copy.identity = identity;
    tell_listeners(mailbox, change, &copy);
}

static gboolean
is_told(FsSyncMailbox *mailbox)
{
    return mailbox->refresh.known && has_listeners(mailbox);
}

static void
tell_of(FsSyncMailbox *mailbox, FsChange change, guint32 uid)
{
    CacheMessage message;

    if (is_told(mailbox) &&
        cache_index_message(fs_sync_index(mailbox), mailbox->id, uid, &message))
        tell(mailbox, change, &message);
}

void
fs_sync_tell_all(FsSyncMailbox *mailbox)
{
    tell_listeners(mailbox, FS_CHANGE_ALL, NULL);
}

/* In a mailbox that was known before: directories do not change by being read.
 * At once, for whoever sees the change may look at the time, too. */
static void
note_change(FsSyncMailbox *mailbox)
{
    if (mailbox->refresh.known)
        mailbox->changed_at = g_get_real_time();
}

/* ---- rows ---- */

/* The index may have lost the mailbox since the synchronisation began: then
 * the rows that are missing are found by their count. */
static void
keep_mailbox(FsSyncMailbox *mailbox, gboolean with_header)
{
    CacheMailbox state = {.has_headers = with_header};

    if (cache_index_mailbox(fs_sync_index(mailbox), mailbox->id, &state))
        return;
    state.uidvalidity = mailbox->uidvalidity;
    cache_index_set_mailbox(fs_sync_index(mailbox), mailbox->id, &state);
}

static gboolean
find_old(FsSyncMailbox *mailbox, guint32 uid, CacheMessage *old)
{
    return uid <= mailbox->highest &&
           cache_index_message(fs_sync_index(mailbox), mailbox->id, uid, old);
}

FsRow
fs_sync_put(FsSyncMailbox *mailbox, const ImapFetch *fetch,
            gboolean with_header)
{
    CacheMessage old = {.sent_date = G_MININT64};
    CacheMessage message = {.uid = fetch->uid, .size = fetch->size};
    g_autofree char *identity = imap_fetch_identity(fetch);
    g_autofree char *stem = NULL;
    g_autofree char *flags = NULL;
    const char *header = "";
    gsize length = 0;
    gboolean had;

    keep_mailbox(mailbox, with_header);
    if (fetch->header != NULL)
        header = g_bytes_get_data(fetch->header, &length);
    if (with_header)
        stem = fs_message_stem(header, length);
    if (fetch->flags != NULL)
        flags = imap_flags_to_string((const char *const *)fetch->flags);

    had = find_old(mailbox, fetch->uid, &old);
    message.internal_date =
        fetch->has_internal_date ? fetch->internal_date : old.internal_date;
    if (!with_header)
        message.sent_date = old.sent_date;
    else if (!fs_message_sent_date(header, length, &message.sent_date))
        message.sent_date = G_MININT64;
    message.stem = with_header ? stem : old.stem;
    message.flags = flags != NULL ? flags : old.flags;
    message.identity = identity != NULL ? identity : old.identity;
    if (old.size_verified || !fetch->has_size)
        message.size = old.size;
    message.size_verified = old.size_verified;
    cache_index_put(fs_sync_index(mailbox), mailbox->id, &message);

    mailbox->next_uid = MAX(mailbox->next_uid, (guint64)fetch->uid + 1);
    mailbox->highest = MAX(mailbox->highest, fetch->uid);
    if (!had) {
        note_change(mailbox);
        mailbox->synchroniser->new_header = fetch->header;
        tell_of(mailbox, FS_CHANGE_NEW, fetch->uid);
        mailbox->synchroniser->new_header = NULL;
    }
    return had ? FS_ROW_AGAIN : FS_ROW_NEW;
}

gboolean
fs_sync_set_flags(FsSyncMailbox *mailbox, guint32 uid, const char *flags)
{
    CacheMessage message;

    if (!cache_index_message(fs_sync_index(mailbox), mailbox->id, uid,
                             &message) ||
        g_strcmp0(message.flags, flags) == 0)
        return FALSE;
    message.flags = flags;
    cache_index_put(fs_sync_index(mailbox), mailbox->id, &message);
    tell_of(mailbox, FS_CHANGE_FLAGS, uid);
    return TRUE;
}

static void
remove_told(FsSyncMailbox *mailbox, const CacheMessage *message)
{
    g_autofree char *stem = g_strdup(message->stem);
    g_autofree char *flags = g_strdup(message->flags);
    g_autofree char *identity = g_strdup(message->identity);
    CacheMessage gone = *message;

    gone.stem = stem;
    gone.flags = flags;
    gone.identity = identity;
    cache_index_remove(fs_sync_index(mailbox), mailbox->id, gone.uid);
    tell(mailbox, FS_CHANGE_GONE, &gone);
}

gboolean
fs_sync_remove(FsSyncMailbox *mailbox, guint32 uid)
{
    CacheMessage message;

    if (!cache_index_message(fs_sync_index(mailbox), mailbox->id, uid,
                             &message))
        return FALSE;
    note_change(mailbox);
    cache_fields_remove(mailbox->synchroniser->account->fields, mailbox->id,
                        uid);
    /* Also in a mailbox that is not known yet: a listing that streams, or a
     * look-up, may have shown it. */
    if (has_listeners(mailbox))
        remove_told(mailbox, &message);
    else
        cache_index_remove(fs_sync_index(mailbox), mailbox->id, uid);
    return TRUE;
}

/* A server may say that billions are gone: those that are there count. */
void
fs_sync_remove_set(FsSyncMailbox *mailbox, const ImapUidSet *uids)
{
    CacheMessage message;
    guint32 first;
    guint32 last;

    for (guint i = 0; i < imap_uid_set_n_ranges(uids); i++) {
        imap_uid_set_range(uids, i, &first, &last);
        while (cache_index_next(fs_sync_index(mailbox), mailbox->id, first - 1,
                                &message) &&
               message.uid <= last)
            fs_sync_remove(mailbox, message.uid);
    }
}
