/* Moving where the server has no MOVE. */
#include "fs/changes/copy.h"

#include "fs/changes/late.h"
#include "fs/sync/synchroniser.h"
#include "imap/change-requests.h"
#include "imap/error.h"

/* To read the target. */
#define ATTEMPTS_MAX 5

typedef struct {
    FsBatch *batch;
    char *target; /* wire name */
    gint64 since; /* microseconds, monotonic */
    guint attempts;
} Copy;

static void
copy_free(Copy *copy)
{
    g_free(copy->target);
    g_free(copy);
}

static void
end(Copy *copy, const GError *error)
{
    FsBatch *batch = copy->batch;

    copy_free(copy);
    fs_batch_end(batch, error);
}

/* The same before anything was sent. */
static void
end_unsent(Copy *copy, const GError *error)
{
    FsBatch *batch = copy->batch;

    for (guint i = 0; i < batch->pendings->len; i++)
        ((FsPending *)g_ptr_array_index(batch->pendings, i))->step =
            FS_STEP_WAITING;
    end(copy, error);
}

/* TRUE if it is all over, and @copy is freed. */
static gboolean
is_over(Copy *copy)
{
    copy->batch->n_waiting--;
    if (!fs_batch_is_over(copy->batch))
        return FALSE;
    copy_free(copy);
    return TRUE;
}

/* ---- the copy ---- */

/* A message that has a copy is the sender's again, to be deleted; of one of
 * which nothing is told, it is found out what has become. So it is if that is
 * told to be the copy which was there before. */
static void
note_copied(FsBatch *batch, FsPending *pending, const ImapCopied *copied)
{
    guint32 uid;

    pending->in_flight = FALSE;
    if (!fs_batch_find_copied(batch, copied, pending->uid, &uid) ||
        (uid != 0 && uid < pending->number)) {
        fs_batch_note_untold(batch, pending);
        /* It may be there all the same: another is not to be made. */
        pending->step = FS_STEP_SENT;
        return;
    }
    pending->target_uid = uid;
    fs_undo_note_told(pending);
    fs_late_expect_move(pending, uid);
    fs_pending_copied(pending);
}

static void
on_copied(const ImapCopied *copied, const GError *error, gpointer user_data)
{
    Copy *copy = user_data;
    FsBatch *batch = copy->batch;

    if (is_over(copy))
        return;
    if (error != NULL) {
        end(copy, error);
        return;
    }
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = g_ptr_array_index(batch->pendings, i);

        if (pending->changes != NULL)
            note_copied(batch, pending, copied);
    }
    g_ptr_array_set_size(batch->pendings, 0);
    end(copy, NULL);
}

static void
on_noted(const GError *error, gpointer user_data)
{
    Copy *copy = user_data;
    FsBatch *batch = copy->batch;

    if (is_over(copy))
        return;
    if (error != NULL) {
        end(copy, error);
        return;
    }
    batch->n_waiting++;
    imap_request_copy(fs_batch_connection(batch), batch->uids, copy->target,
                      on_copied, copy);
}

/* From which UID on a copy of ours can be is durable before it is made. */
static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Copy *copy = user_data;
    FsBatch *batch = copy->batch;
    FsAccount *account = batch->changes->account;
    guint64 next;

    batch->n_waiting--;
    if (lease == NULL) {
        end(copy, error);
        return;
    }
    batch->lease = lease;
    next = fs_synchroniser_next_uid(account->synchroniser, batch->target);
    for (guint i = 0; i < batch->pendings->len; i++) {
        FsPending *pending = g_ptr_array_index(batch->pendings, i);

        fs_pending_set_number(pending, next);
        fs_pending_note(pending);
    }
    batch->n_waiting++;
    cache_journal_flush(account->journal, TRUE, on_noted, copy);
}

static void
forget(gpointer user_data)
{
    Copy *copy = user_data;

    if (!is_over(copy))
        g_warn_if_reached();
}

/* ---- what is there before ---- */

static void look(Copy *copy);

static void
on_looked(const GError *error, gpointer user_data)
{
    Copy *copy = user_data;

    if (is_over(copy))
        return;
    if (error != NULL)
        end_unsent(copy, error);
    else
        look(copy);
}

/* The target is read first, as long as we hold no connection that this might
 * need. */
static void
look(Copy *copy)
{
    FsBatch *batch = copy->batch;
    FsChanges *changes = batch->changes;
    FsSynchroniser *synchroniser = changes->account->synchroniser;
    g_autoptr(GError) unknown = NULL;
    FsNeed *need = NULL;

    batch->n_waiting++;
    if (fs_synchroniser_has_seen(synchroniser, batch->target, copy->since)) {
        fs_leases_acquire_writable(changes->leases, batch->mailbox, on_lease,
                                   copy, forget);
        return;
    }
    if (copy->attempts++ < ATTEMPTS_MAX)
        need =
            fs_synchroniser_need_messages(synchroniser, batch->target, FS_NOW);
    if (need != NULL) {
        fs_need_wait(need, on_looked, copy);
        return;
    }
    batch->n_waiting--;
    unknown = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                          "the other folder could not be read");
    end_unsent(copy, unknown);
}

void
fs_copy_start(FsBatch *batch, const char *target)
{
    Copy *copy = g_new0(Copy, 1);

    copy->batch = batch;
    copy->target = g_strdup(target);
    copy->since = g_get_monotonic_time();
    fs_leases_release(batch->changes->leases, g_steal_pointer(&batch->lease));
    look(copy);
}
