/* Rows of messages as they stream in.
 *
 * A listing may show those up to the frontier (fs/sync/frontier.h) while the
 * rest is still on its way; who waits for more is woken now and then. Should a
 * message turn up where a listing has passed by already, listings fail for a
 * while: who was told of the one before it must not take what is shown for all
 * there is.
 *
 * When the disk is slower than the line, the line waits. */
#include "fs/sync/sync-mailbox.h"

#include "fs/kernel/errno.h"
#include "imap/error.h"

/* A FETCH names at most this many UIDs, and so stays a short line. */
#define MAX_RANGES_PER_FETCH 300
/* So many rows beyond those expected: flags that changed, messages that came
 * meanwhile. */
#define SURPLUS_MAX 10000

/* Rows after which those who list are woken, if the line does not fall silent
 * before. */
#define ROWS_PER_WAKE 512
/* Rows that may wait for the disk, and how often that is looked at. */
#define UNWRITTEN_MAX 50000
#define ROWS_PER_LOOK 1024

/* ---- who lists ---- */

void
fs_sync_wake(FsSync *sync)
{
    sync->unannounced = 0;
    g_clear_handle_id(&sync->wake_source, g_source_remove);
    if (sync->mailbox->more != NULL)
        fs_need_progress(sync->mailbox->more);
}

static gboolean
on_wake(gpointer user_data)
{
    FsSync *sync = user_data;

    sync->wake_source = 0;
    fs_sync_wake(sync);
    return G_SOURCE_REMOVE;
}

/* Many rows in a row are announced together. */
static void
wake_soon(FsSync *sync)
{
    if (sync->mailbox->more == NULL)
        return;
    if (++sync->unannounced >= ROWS_PER_WAKE)
        fs_sync_wake(sync);
    else if (sync->wake_source == 0)
        sync->wake_source = g_idle_add(on_wake, sync);
}

void
fs_sync_break_listings(FsSync *sync)
{
    g_autoptr(FsSync) held G_GNUC_UNUSED = g_rc_box_acquire(sync);
    FsSyncMailbox *mailbox = sync->mailbox;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server lists a message that it had left out");

    g_clear_pointer(&mailbox->broken, fs_need_unref);
    mailbox->broken = fs_need_new();
    fs_need_complete(mailbox->broken, error);
    mailbox->broken_at = g_get_monotonic_time();
    mailbox->shown_to = 0;
    /* Others have a copy of what was shown. */
    fs_sync_tell_all(mailbox);
    fs_sync_finish(sync, error);
}

/* ---- the disk ---- */

static void
on_written(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->paused != NULL)
        imap_connection_set_paused(sync->paused, FALSE);
    g_clear_pointer(&sync->paused, imap_connection_unref);
}

static void
spare_disk(FsSync *sync)
{
    CacheIndex *index = fs_sync_index(sync->mailbox);

    if (sync->total_rows % ROWS_PER_LOOK != 0 || sync->paused != NULL ||
        cache_index_unwritten(index) <= UNWRITTEN_MAX)
        return;
    sync->paused = imap_connection_ref(imap_lease_connection(sync->lease));
    imap_connection_set_paused(sync->paused, TRUE);
    fs_sync_wake(sync);
    cache_index_flush(index, on_written, g_rc_box_acquire(sync));
}

void
fs_sync_stop_rows(FsSync *sync)
{
    if (sync->paused != NULL)
        imap_connection_set_paused(sync->paused, FALSE);
    g_clear_pointer(&sync->paused, imap_connection_unref);
    g_clear_handle_id(&sync->wake_source, g_source_remove);
}

/* ---- one row ---- */

static void
refuse_flood(FsSync *sync)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server lists messages without end");

    imap_connection_close(imap_lease_connection(sync->lease), error);
}

static gboolean
is_wanted(const FsSync *sync, guint32 uid)
{
    return uid >= sync->from &&
           (sync->wanted == NULL || imap_uid_set_contains(sync->wanted, uid));
}

/* A message that goes moves the numbers of those after it. Of several changes
 * at once the number of messages does not tell. */
static void
heed_numbers(FsSync *sync)
{
    const ImapMailbox *mailbox =
        imap_connection_mailbox(imap_lease_connection(sync->lease));

    if (mailbox->changes == sync->changes_seen)
        return;
    if (sync->wanted == NULL && (mailbox->changes - sync->changes_seen > 1 ||
                                 mailbox->exists <= sync->exists_seen))
        fs_frontier_stop(&sync->frontier);
    sync->changes_seen = mailbox->changes;
    sync->exists_seen = mailbox->exists;
}

static void
take_row(FsSync *sync, const ImapFetch *fetch, gboolean listed)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    FsRow row = fs_sync_put(mailbox, fetch, sync->with_header);

    sync->total_rows++;
    if (row == FS_ROW_NEW && fetch->uid <= mailbox->shown_to) {
        fs_sync_break_listings(sync);
        return;
    }
    if (sync->streaming && listed) {
        heed_numbers(sync);
        if (fs_frontier_advance(&sync->frontier, fetch->sequence, fetch->uid))
            wake_soon(sync);
    }
    spare_disk(sync);
}

void
fs_sync_row(FsSyncMailbox *mailbox, const ImapFetch *fetch, gboolean listed)
{
    g_autoptr(FsSyncMailbox) held G_GNUC_UNUSED = fs_sync_mailbox_ref(mailbox);
    FsSync *sync = mailbox->sync;
    gboolean waited_for = fs_sync_look_up_waits(mailbox, fetch->uid);

    if (sync != NULL && sync->fetching) {
        if (++sync->rows > sync->rows_max)
            refuse_flood(sync);
        else if (is_wanted(sync, fetch->uid))
            take_row(sync, fetch, listed);
        else if (waited_for)
            fs_sync_put(mailbox, fetch, sync->with_header);
    } else if (waited_for) {
        fs_sync_put(mailbox, fetch, fs_sync_wants_header(mailbox));
    }
    if (waited_for)
        fs_sync_look_up_came(mailbox, fetch->uid);
}

/* ---- FETCHes ---- */

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    FsSync *sync = user_data;

    if (sync->mailbox != NULL)
        fs_sync_row(sync->mailbox, fetch, TRUE);
}

static void fetch_wanted_part(FsSync *sync);

static void
on_fetched(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    sync->fetching = FALSE;
    if (error == NULL && sync->wanted != NULL &&
        sync->fetch_range < imap_uid_set_n_ranges(sync->wanted)) {
        sync->pending--;
        fetch_wanted_part(sync);
        return;
    }
    fs_sync_step_done(sync, error);
}

static const ImapFetchListHandler rows_handler = {
    .message = on_row,
    .done = on_fetched,
};

/* @expected: how many messages that should bring. */
static void
fetch(FsSync *sync, const char *uids, guint64 expected)
{
    const ImapMailbox *mailbox =
        imap_connection_mailbox(imap_lease_connection(sync->lease));

    sync->fetching = TRUE;
    sync->rows = 0;
    sync->rows_max = MIN(expected, FS_SYNC_MAX_MESSAGES) + SURPLUS_MAX;
    sync->changes_seen = mailbox->changes;
    sync->exists_seen = mailbox->exists;
    sync->pending++;
    imap_request_fetch_list(imap_lease_connection(sync->lease), uids,
                            sync->with_header, &rows_handler,
                            g_rc_box_acquire(sync));
}

static void
begin_streaming(FsSync *sync)
{
    if (!sync->mailbox->refresh.known) {
        sync->streaming = TRUE;
        fs_sync_wake(sync);
    }
}

static guint64
count_said(const FsSync *sync)
{
    return imap_connection_mailbox(imap_lease_connection(sync->lease))->exists;
}

void
fs_sync_fetch_all(FsSync *sync)
{
    sync->from = 0;
    fs_frontier_begin_all(&sync->frontier);
    begin_streaming(sync);
    fetch(sync, "1:*", count_said(sync));
}

void
fs_sync_fetch_from(FsSync *sync, guint32 uid)
{
    g_autofree char *uids = g_strdup_printf("%u:*", uid);

    sync->from = uid;
    fetch(sync, uids, count_said(sync));
}

static void
fetch_wanted_part(FsSync *sync)
{
    guint n = imap_uid_set_n_ranges(sync->wanted);
    g_autoptr(ImapUidSet) part = imap_uid_set_new();
    g_autofree char *text = NULL;
    guint32 first;
    guint32 last;

    for (guint i = 0; i < MAX_RANGES_PER_FETCH && sync->fetch_range < n; i++) {
        imap_uid_set_range(sync->wanted, sync->fetch_range++, &first, &last);
        imap_uid_set_add(part, first, last);
    }
    text = imap_uid_set_to_string(part);
    fetch(sync, text, imap_uid_set_count(part));
}

void
fs_sync_fetch_wanted(FsSync *sync, guint32 last)
{
    sync->from = 0;
    sync->fetch_range = 0;
    fs_frontier_begin_wanted(&sync->frontier, sync->wanted, last);
    begin_streaming(sync);
    fetch_wanted_part(sync);
}
