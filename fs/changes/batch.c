/* One command for many messages: from the lease to what its answer means.
 *
 * Before it is sent, the journal has it that it may have been: should we end,
 * or the line be lost, before the answer, it is found out what has become of it
 * (fs/changes/reconcile.c) and not done twice. */
#include "fs/changes/pending.h"

#include "fs/changes/copy.h"
#include "fs/changes/late.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/writing.h"
#include "imap/change-requests.h"
#include "imap/error.h"

#include <string.h>

/* How often a server that says no without a reason is asked; and if nobody
 * waits for it, as for the deletion of what was replaced. */
#define ATTEMPTS_MAX 3
#define UNASKED_ATTEMPTS_MAX 6
/* The wait before that, doubled each time. */
#define AGAIN_US (500 * 1000)
/* After a line that was lost, unless it is back before. */
#define LINE_AGAIN_US (2 * G_USEC_PER_SEC)

/* ---- life ---- */

static void
batch_free(FsBatch *batch)
{
    fs_leases_release(batch->changes->leases, batch->lease);
    g_ptr_array_unref(batch->pendings);
    imap_uid_set_free(batch->uids);
    g_clear_error(&batch->error);
    g_free(batch->key);
    fs_changes_unref(batch->changes);
    g_free(batch);
}

gboolean
fs_batch_is_over(FsBatch *batch)
{
    if (batch->changes->account != NULL)
        return FALSE;
    if (batch->n_waiting == 0)
        batch_free(batch);
    return TRUE;
}

static FsAccount *
account_of(const FsBatch *batch)
{
    return batch->changes->account;
}

static FsPending *
pending_at(const FsBatch *batch, guint i)
{
    return g_ptr_array_index(batch->pendings, i);
}

ImapConnection *
fs_batch_connection(FsBatch *batch)
{
    return imap_lease_connection(batch->lease);
}

/* ---- what others must not see meanwhile ---- */

/* The messages arrive before it is told which they are. */
static void
hold_arrivals(FsBatch *batch)
{
    FsAccount *account = account_of(batch);
    guint64 next =
        fs_synchroniser_next_uid(account->synchroniser, batch->target);

    if (next == 0)
        return;
    batch->holds = TRUE;
    batch->held = (guint32)MIN(next - 1, G_MAXUINT32);
    fs_overlay_hold_new(account->overlay, batch->target, batch->held);
}

/* Those that came meanwhile, and are not ours. */
static void
release_arrivals(FsBatch *batch)
{
    FsAccount *account = account_of(batch);
    guint32 limit;
    CacheMessage message;
    guint32 uid = batch->held;

    if (!batch->holds)
        return;
    batch->holds = FALSE;
    fs_overlay_release_new(account->overlay, batch->target, batch->held);
    limit = fs_overlay_held_above(account->overlay, batch->target);
    while (cache_index_next(account->index, batch->target, uid, &message) &&
           message.uid <= limit) {
        uid = message.uid;
        if (fs_overlay_guest_by_uid(account->overlay, batch->target, uid) ==
            NULL)
            fs_overlay_tell(account->overlay, FS_OVERLAY_NEW, batch->target,
                            uid, NULL);
    }
}

/* ---- the end ---- */

typedef enum {
    VERDICT_LINE,    /* nobody knows what has become of it */
    VERDICT_AGAIN,   /* the server is busy */
    VERDICT_UNCLEAR, /* it says no, and not why */
    VERDICT_REFUSED,
} Verdict;

static Verdict
judge(const GError *error)
{
    if (g_error_matches(error, FS_ERROR, FS_ERROR_INCOMPLETE))
        return VERDICT_UNCLEAR; /* others just change what we have to read */
    if (error->domain != IMAP_ERROR)
        return VERDICT_REFUSED;
    switch ((ImapError)error->code) {
    case IMAP_ERROR_RESOLVE:
    case IMAP_ERROR_CONNECT:
    case IMAP_ERROR_TLS:
    case IMAP_ERROR_AUTHENTICATION:
    case IMAP_ERROR_PROTOCOL:
    case IMAP_ERROR_TIMEOUT:
    case IMAP_ERROR_CLOSED:
        return VERDICT_LINE;
    case IMAP_ERROR_IN_USE:
    case IMAP_ERROR_LIMIT:
    case IMAP_ERROR_UNAVAILABLE:
        return VERDICT_AGAIN;
    case IMAP_ERROR_NO:
        return VERDICT_UNCLEAR;
    case IMAP_ERROR_BAD:
    case IMAP_ERROR_ARGUMENT:
    case IMAP_ERROR_UNSUPPORTED:
    case IMAP_ERROR_NONEXISTENT:
    case IMAP_ERROR_ALREADY_EXISTS:
    case IMAP_ERROR_NO_PERMISSION:
    case IMAP_ERROR_OVER_QUOTA:
    case IMAP_ERROR_TOO_BIG:
    case IMAP_ERROR_HAS_CHILDREN:
    case IMAP_ERROR_READ_ONLY:
    case IMAP_ERROR_CANNOT:
        break;
    }
    return VERDICT_REFUSED;
}

/* A copy goes again only if its original is seen to be there. */
static void
refuse(FsPending *pending, const GError *error)
{
    if (!fs_undo_is_possible(pending)) {
        fs_pending_refuse(pending, error);
        return;
    }
    pending->refusal = g_error_copy(error);
    pending->uncertain = TRUE;
}

/* @sent: the server may have done it. */
static void
end_pending(FsPending *pending, Verdict verdict, gboolean sent,
            const GError *error)
{
    gboolean sync =
        pending->changes->account->options->sync && !pending->unasked;
    guint attempts_max = pending->unasked ? UNASKED_ATTEMPTS_MAX : ATTEMPTS_MAX;

    pending->in_flight = FALSE;
    pending->uncertain = sent;
    if (verdict == VERDICT_LINE && !sent && fs_pending_is_of_copy(pending)) {
        fs_pending_take_back(pending);
        return;
    }
    if (verdict == VERDICT_LINE) {
        pending->not_before = g_get_monotonic_time() + LINE_AGAIN_US;
        /* Who waits for the server is told that it cannot be reached. */
        if (sync && !sent)
            fs_pending_refuse(pending, error);
        return;
    }
    /* It has answered, and is busy with it no longer. */
    pending->answered = pending->untold = TRUE;
    pending->attempts++;
    if (verdict == VERDICT_REFUSED || pending->attempts >= attempts_max ||
        (sync && verdict == VERDICT_AGAIN))
        refuse(pending, error);
    else
        pending->ready_at =
            g_get_monotonic_time() + ((gint64)AGAIN_US << pending->attempts);
}

static void
end_failed(FsBatch *batch, const GError *error)
{
    FsSender *sender = batch->changes->sender;
    Verdict verdict = judge(error);
    gboolean sent = FALSE;

    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);

        if (pending->changes == NULL)
            continue;
        sent = pending->step != FS_STEP_WAITING;
        end_pending(pending, verdict, sent, error);
    }
    if (verdict == VERDICT_LINE)
        fs_sender_retry(sender);
}

static void
end_done(FsBatch *batch)
{
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);

        if (pending->changes == NULL)
            continue;
        pending->in_flight = FALSE;
        fs_pending_finish(pending, pending->target_uid);
    }
}

static void
note_move(const FsBatch *batch)
{
    FsChanges *changes = batch->changes;

    changes->moved_at = g_get_monotonic_time();
    changes->move_took_us = changes->moved_at - batch->began;
}

void
fs_batch_end(FsBatch *batch, const GError *error)
{
    FsSender *sender = batch->changes->sender;
    gboolean begun = FALSE;

    if (error != NULL)
        end_failed(batch, error);
    else
        end_done(batch);
    if (batch->target != 0)
        note_move(batch);
    if (batch->target != 0)
        fs_synchroniser_freshen(account_of(batch)->synchroniser, batch->target,
                                g_get_monotonic_time(), &begun);
    release_arrivals(batch);
    fs_sender_batch_over(sender, batch->key);
    batch_free(batch);
}

/* ---- several requests, and one end ---- */

/* FALSE: others are still to come, or it is all over. */
static gboolean
is_last(FsBatch *batch, const GError *error)
{
    if (error != NULL && batch->error == NULL)
        batch->error = g_error_copy(error);
    batch->n_waiting--;
    return !fs_batch_is_over(batch) && batch->n_waiting == 0;
}

static void
end_with_own_error(FsBatch *batch)
{
    g_autoptr(GError) error = g_steal_pointer(&batch->error);

    fs_batch_end(batch, error);
}

static void
on_done(const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;

    if (is_last(batch, error))
        end_with_own_error(batch);
}

static void
on_stored(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    on_done(error, user_data);
}

static void
store(FsBatch *batch, ImapStoreMode mode, const char *flags)
{
    g_auto(GStrv) words = g_strsplit(flags, " ", -1);
    const ImapStore request = {batch->uids, mode, (const char *const *)words,
                               0};

    if (*flags == '\0')
        return;
    batch->n_waiting++;
    imap_request_store(fs_batch_connection(batch), &request, on_stored, batch);
}

/* ---- deleting ---- */

static const char *const deleted[] = {"\\Deleted", NULL};

/* Before they are marked for us, the first time: what is read later may be our
 * mark. */
static void
see_marks(FsBatch *batch)
{
    CacheMessage message;

    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);

        if (pending->mark_is_seen)
            continue;
        pending->mark_is_seen = TRUE;
        pending->others_mark =
            cache_index_message(account_of(batch)->index, batch->mailbox,
                                pending->uid, &message) &&
            message.flags != NULL && strstr(message.flags, deleted[0]) != NULL;
    }
}

/* Those that nobody else had marked. */
static ImapUidSet *
marked_by_us(FsBatch *batch)
{
    ImapUidSet *ours = imap_uid_set_new();

    for (guint i = 0; i < batch->pendings->len; i++) {
        const FsPending *pending = pending_at(batch, i);

        if (!pending->others_mark)
            imap_uid_set_add(ours, pending->uid, pending->uid);
    }
    return ours;
}

/* Our marks are gone; they may have been read. */
static void
forget_marks(FsBatch *batch)
{
    FsAccount *account = account_of(batch);
    CacheMessage message;

    for (guint i = 0; i < batch->pendings->len; i++) {
        const FsPending *pending = pending_at(batch, i);
        g_autofree char *flags = NULL;

        if (pending->others_mark ||
            !cache_index_message(account->index, batch->mailbox, pending->uid,
                                 &message) ||
            message.flags == NULL)
            continue;
        flags = fs_changes_merge_flags(message.flags, "", deleted[0]);
        fs_synchroniser_set_flags(account->synchroniser, batch->mailbox,
                                  pending->uid, flags);
    }
}

/* Those of @batch but @uids (NULL: all) may still be marked, and go any moment:
 * then the copies of them are what stays. */
static void
keep_copies(FsBatch *batch, const ImapUidSet *uids)
{
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);

        if (uids == NULL || !imap_uid_set_contains(uids, pending->uid))
            fs_undo_forbid(pending);
    }
}

static void
on_unmarked(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;

    if (batch->changes->account != NULL && error != NULL)
        keep_copies(batch, NULL);
    else if (batch->changes->account != NULL)
        forget_marks(batch);
    on_done(error, batch);
}

/* What cannot be expunged is not to look as if it were going to be. */
static void
on_expunged(const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;
    g_autoptr(ImapUidSet) ours = NULL;
    ImapStore request = {.mode = IMAP_STORE_REMOVE, .flags = deleted};

    if (!is_last(batch, error))
        return;
    if (batch->error != NULL && judge(batch->error) != VERDICT_LINE)
        ours = marked_by_us(batch);
    if (ours != NULL)
        keep_copies(batch, ours);
    if (ours == NULL || imap_uid_set_count(ours) == 0) {
        end_with_own_error(batch);
        return;
    }
    request.uids = ours;
    batch->n_waiting++;
    imap_request_store(fs_batch_connection(batch), &request, on_unmarked,
                       batch);
}

static void
on_marked(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;

    if (!is_last(batch, error))
        return;
    if (batch->error != NULL) {
        end_with_own_error(batch);
        return;
    }
    batch->n_waiting++;
    imap_request_expunge_uids(fs_batch_connection(batch), batch->uids,
                              on_expunged, batch);
}

/* EXPUNGE is sent when the marks are seen to be there: Dovecot, busy with other
 * commands, can pass over marks that came right before it, and say OK. */
void
fs_batch_delete(FsBatch *batch)
{
    const ImapStore request = {batch->uids, IMAP_STORE_ADD, deleted, 0};

    if (!imap_can_expunge_uids(fs_batch_connection(batch))) {
        fs_expunge_start(batch);
        return;
    }
    see_marks(batch);
    batch->n_waiting++;
    imap_request_store(fs_batch_connection(batch), &request, on_marked, batch);
}

/* ---- flags ---- */

static void
send_flags(FsBatch *batch)
{
    g_auto(GStrv) words = g_strsplit(pending_at(batch, 0)->text, "\n", 2);

    store(batch, IMAP_STORE_ADD, words[0]);
    store(batch, IMAP_STORE_REMOVE, words[1]);
    if (batch->n_waiting == 0)
        fs_batch_end(batch, NULL);
}

/* ---- moving ---- */

/* The server has said OK, and does not tell of this one. If it can tell, the
 * message was not there; or who knows. */
void
fs_batch_note_untold(FsBatch *batch, FsPending *pending)
{
    gboolean tells = imap_connection_has(fs_batch_connection(batch), "UIDPLUS");

    pending->in_flight = FALSE;
    pending->uncertain = TRUE;
    pending->answered = !tells;
    pending->attempts++;
    if (tells)
        pending->step = FS_STEP_WAITING;
}

gboolean
fs_batch_find_copied(const FsBatch *batch, const ImapCopied *copied,
                     guint32 from, guint32 *uid)
{
    CacheMailbox known;

    *uid = copied != NULL ? imap_copied_find(copied, from) : 0;
    if (*uid == 0)
        return FALSE;
    if (cache_index_mailbox(account_of(batch)->index, batch->target, &known) &&
        known.uidvalidity != 0 && copied->uidvalidity != known.uidvalidity)
        *uid = 0;
    return TRUE;
}

/* Of those that the server does not tell of, the rest is found out. */
static void
on_moved(const ImapCopied *copied, const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;
    g_autoptr(GPtrArray) rest = NULL;

    batch->n_waiting--;
    if (fs_batch_is_over(batch))
        return;
    rest = g_ptr_array_new_with_free_func(fs_pending_unref);
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);
        guint32 uid;

        if (pending->changes == NULL)
            continue;
        if (fs_batch_find_copied(batch, copied, pending->uid, &uid)) {
            pending->in_flight = FALSE;
            fs_late_expect_move(pending, uid);
            fs_pending_finish(pending, uid);
        } else {
            if (error == NULL)
                fs_batch_note_untold(batch, pending);
            g_ptr_array_add(rest, fs_pending_ref(pending));
        }
    }
    if (error == NULL)
        g_ptr_array_set_size(rest, 0);
    g_ptr_array_unref(batch->pendings);
    batch->pendings = g_steal_pointer(&rest);
    fs_batch_end(batch, error);
}

static void
send_move(FsBatch *batch)
{
    const FsMailbox *target =
        fs_mailbox_tree_get(account_of(batch)->tree, batch->target);
    g_autoptr(GError) gone = NULL;

    if (target == NULL || target->wire_name == NULL) {
        gone = g_error_new(FS_ERROR, FS_ERROR_GONE, "the folder is gone");
        for (guint i = 0; i < batch->pendings->len; i++)
            pending_at(batch, i)->step = FS_STEP_WAITING;
        fs_batch_end(batch, gone);
    } else if (imap_can_move(fs_batch_connection(batch))) {
        batch->n_waiting++;
        imap_request_move(fs_batch_connection(batch), batch->uids,
                          target->wire_name, on_moved, batch);
    } else {
        fs_copy_start(batch, target->wire_name);
    }
}

/* ---- beginning ---- */

/* What has just come over another connection may not be known to the session of
 * this one, which then would pass it over, and say OK. */
static void
send_command(FsBatch *batch)
{
    imap_request_noop(fs_batch_connection(batch));
    if (fs_pending_is_deletion(pending_at(batch, 0)))
        fs_batch_delete(batch);
    else if (batch->kind == FS_PENDING_MOVE)
        send_move(batch);
    else
        send_flags(batch);
}

static void
on_noted(const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;

    batch->n_waiting--;
    if (fs_batch_is_over(batch))
        return;
    if (error == NULL) {
        send_command(batch);
        return;
    }
    for (guint i = 0; i < batch->pendings->len; i++)
        if (pending_at(batch, i)->step == FS_STEP_SENT)
            pending_at(batch, i)->step = FS_STEP_WAITING;
    fs_batch_end(batch, error);
}

/* Flags may be set twice, and what is deleted is not there to be deleted again:
 * only moving needs to be noted. That a copy is there is durable before its
 * original goes. */
static void
note_sending(FsBatch *batch)
{
    FsAccount *account = account_of(batch);
    gboolean moves = batch->kind == FS_PENDING_MOVE;
    gboolean copied = FALSE;
    guint64 next = 0;

    if (moves)
        next = fs_synchroniser_next_uid(account->synchroniser, batch->target);
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);

        copied |= pending->step == FS_STEP_COPIED;
        if (pending->step == FS_STEP_COPIED)
            continue;
        pending->step = FS_STEP_SENT;
        if (pending->kind == FS_PENDING_MOVE) {
            fs_pending_set_number(pending, next);
            fs_pending_note(pending);
        }
    }
    if (!moves && !copied) {
        send_command(batch);
        return;
    }
    batch->n_waiting++;
    cache_journal_flush(account->journal, copied, on_noted, batch);
}

/* What the selection has told of what may be done there. */
static void
note_right(FsBatch *batch, const GError *error)
{
    FsWriting *writing = account_of(batch)->writing;
    gboolean read_only =
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_READ_ONLY);

    if (writing != NULL && (read_only || error == NULL))
        fs_rights_note_read_only(fs_writing_rights(writing), batch->mailbox,
                                 read_only);
}

/* Into batch->uids, and what does not go into one command leaves. */
static void
take_uids(FsBatch *batch)
{
    g_autoptr(ImapUidSet) all = imap_uid_set_new();

    for (guint i = 0; i < batch->pendings->len; i++)
        imap_uid_set_add(all, pending_at(batch, i)->uid,
                         pending_at(batch, i)->uid);
    batch->uids = imap_uid_set_take(all, IMAP_MAX_CHANGED, IMAP_MAX_SET_LENGTH);
    for (guint i = batch->pendings->len; i > 0; i--)
        if (!imap_uid_set_contains(batch->uids, pending_at(batch, i - 1)->uid))
            g_ptr_array_remove_index_fast(batch->pendings, i - 1);
}

/* Those that are not certain any more to be only copies stay. FALSE: none is
 * left. */
static gboolean
spare_doubtful(FsBatch *batch)
{
    guint n = batch->pendings->len;

    for (guint i = n; i > 0; i--) {
        FsPending *pending = pending_at(batch, i - 1);

        if (pending->changes == NULL || !fs_pending_is_of_copy(pending) ||
            fs_late_is_certain(pending))
            continue;
        fs_late_take_back(pending);
        g_ptr_array_remove_index_fast(batch->pendings, i - 1);
    }
    if (batch->pendings->len < n) {
        imap_uid_set_free(batch->uids);
        take_uids(batch);
    }
    return batch->pendings->len > 0;
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsBatch *batch = user_data;

    batch->n_waiting--;
    note_right(batch, error);
    if (lease == NULL) {
        fs_batch_end(batch, error);
        return;
    }
    batch->lease = lease;
    if (spare_doubtful(batch))
        note_sending(batch);
    else
        fs_batch_end(batch, NULL);
}

static void
forget(gpointer user_data)
{
    FsBatch *batch = user_data;

    batch->n_waiting--;
    batch_free(batch);
}

static void
mark_in_flight(FsBatch *batch)
{
    FsOverlay *overlay = account_of(batch)->overlay;

    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = pending_at(batch, i);
        FsGuest *guest =
            pending->inode != 0
                ? fs_overlay_guest_by_inode(overlay, pending->inode)
                : NULL;

        pending->in_flight = TRUE;
        if (guest != NULL && guest->under_way == NULL)
            guest->under_way = fs_need_ref(pending->done);
    }
}

void
fs_batch_start(FsChanges *changes, char *key, GPtrArray *pendings)
{
    FsBatch *batch = g_new0(FsBatch, 1);
    const FsPending *first = g_ptr_array_index(pendings, 0);

    batch->changes = fs_changes_ref(changes);
    batch->key = key;
    batch->began = g_get_monotonic_time();
    batch->mailbox = first->mailbox;
    batch->kind =
        fs_pending_is_deletion(first) ? FS_PENDING_DELETE : first->kind;
    batch->target = batch->kind == FS_PENDING_MOVE ? first->target : 0;
    batch->pendings = pendings;
    take_uids(batch);
    mark_in_flight(batch);
    if (batch->target != 0) {
        changes->moved_at = batch->began;
        hold_arrivals(batch);
    }
    batch->n_waiting++;
    fs_leases_acquire_writable(changes->leases, batch->mailbox, on_lease, batch,
                               forget);
}
