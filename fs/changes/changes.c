/* The changes of an account: what waits for them, and how they begin and end.
 *
 * What another client does meanwhile comes by way of the index: a message that
 * is gone takes its name and its guest with it, and what was to be done with
 * it. That is done a moment later, for others are just being told of it, and
 * need the name. */
#include "fs/changes/changes.h"

#include "fs/changes/late.h"
#include "fs/changes/pending.h"
#include "fs/names/given-name.h"
#include "fs/sync/synchroniser.h"

#include <gio/gio.h>

/* ---- waiting ---- */

FsNeed *
fs_changes_need(FsChanges *changes, FsPending *pending)
{
    if (changes->account->options->sync)
        return fs_changes_need_done(changes, pending);
    return fs_need_is_complete(pending->written) &&
                   fs_need_error(pending->written) == NULL
               ? NULL
               : pending->written;
}

FsNeed *
fs_changes_need_done(FsChanges *changes, FsPending *pending)
{
    return fs_need_is_complete(pending->done) &&
                   fs_need_error(pending->done) == NULL
               ? NULL
               : pending->done;
}

gboolean
fs_changes_go_on(const FsChanges *changes, guint32 mailbox)
{
    gpointer key = GUINT_TO_POINTER(mailbox);

    if (mailbox != 0 && g_hash_table_lookup(changes->per_mailbox, key) == NULL)
        return FALSE;
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->step != FS_STEP_HELD &&
            (mailbox == 0 || pending->mailbox == mailbox ||
             pending->target == mailbox))
            return TRUE;
    }
    return FALSE;
}

FsNeed *
fs_changes_need_settled(FsChanges *changes, guint32 mailbox)
{
    if (!fs_changes_go_on(changes, mailbox))
        return NULL;
    fs_sender_hurry(changes->sender);
    return changes->moved;
}

FsNeed *
fs_changes_need_arrival(FsChanges *changes, guint64 inode, gboolean *stuck)
{
    const FsGuest *guest =
        fs_overlay_guest_by_inode(changes->account->overlay, inode);

    *stuck = FALSE;
    if (guest == NULL || guest->uid != 0)
        return NULL;
    *stuck = fs_changes_are_stuck(changes);
    return *stuck ? NULL : fs_changes_need_settled(changes, guest->mailbox);
}

void
fs_changes_moved(FsChanges *changes)
{
    if (changes->account != NULL)
        fs_need_progress(changes->moved);
}

GError *
fs_changes_take_error(FsChanges *changes, guint32 mailbox)
{
    return fs_refusals_take_error(changes->refusals, mailbox);
}

char **
fs_changes_take_refused(FsChanges *changes)
{
    return fs_refusals_take_all(changes->refusals);
}

char **
fs_changes_refused(FsChanges *changes)
{
    return fs_refusals_untold(changes->refusals);
}

guint
fs_changes_count(const FsChanges *changes)
{
    return changes != NULL ? changes->all.length : 0;
}

gboolean
fs_changes_are_stuck(const FsChanges *changes)
{
    return changes->all.length > 0 && fs_sender_is_away(changes->sender);
}

void
fs_changes_line_is_back(FsChanges *changes)
{
    fs_sender_retry_now(changes->sender);
}

/* ---- what others do ---- */

typedef struct {
    guint32 mailbox;
    guint32 uid;
} Gone;

static void
forget_gone(FsChanges *changes, const Gone *gone)
{
    FsAccount *account = changes->account;
    FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, gone->mailbox, gone->uid);
    GQueue *queue;
    CacheMessage message;

    if (cache_index_message(account->index, gone->mailbox, gone->uid, &message))
        return;
    fs_given_name_forget(account->aliases, gone->mailbox, gone->uid);
    if (guest != NULL)
        fs_overlay_remove_guest(account->overlay, guest);
    queue = fs_pending_queue(changes, gone->mailbox, gone->uid);
    while (queue != NULL) {
        FsPending *pending = g_queue_peek_head(queue);

        /* It may be by what we have sent, and given up. */
        if (pending->in_flight || pending->uncertain ||
            pending->n_unanswered > 0 || pending->step == FS_STEP_COPIED)
            break;
        fs_pending_drop(pending);
        queue = fs_pending_queue(changes, gone->mailbox, gone->uid);
    }
}

static gboolean
forget_all_gone(gpointer user_data)
{
    FsChanges *changes = user_data;
    g_autoptr(GArray) gone = changes->gone;

    changes->gone = g_array_new(FALSE, FALSE, sizeof(Gone));
    changes->gone_source = 0;
    for (guint i = 0; i < gone->len; i++)
        forget_gone(changes, &g_array_index(gone, Gone, i));
    fs_changes_moved(changes);
    return G_SOURCE_REMOVE;
}

/* A FsChangeFunc. */
static void
on_change(FsChange change, guint32 mailbox, const CacheMessage *message,
          gpointer user_data)
{
    FsChanges *changes = user_data;
    Gone gone = {mailbox, message != NULL ? message->uid : 0};

    if (change != FS_CHANGE_GONE)
        return;
    g_array_append_val(changes->gone, gone);
    if (changes->gone_source == 0)
        changes->gone_source =
            g_idle_add_full(G_PRIORITY_HIGH, forget_all_gone, changes, NULL);
}

/* ---- making and ending ---- */

FsChanges *
fs_changes_new(FsAccount *account)
{
    FsChanges *changes = g_rc_box_new0(FsChanges);

    changes->account = account;
    changes->leases = fs_leases_new(account);
    changes->by_message = fs_pending_queues_new();
    changes->by_inode = g_hash_table_new(g_int64_hash, g_int64_equal);
    changes->per_mailbox = g_hash_table_new(NULL, NULL);
    changes->reconciling = g_hash_table_new(NULL, NULL);
    changes->moved = fs_need_new_standing();
    changes->refusals = fs_refusals_new();
    changes->gone = g_array_new(FALSE, FALSE, sizeof(Gone));
    changes->marks = g_ptr_array_new();
    changes->late = fs_late_array_new();
    fs_changes_take_up(changes);
    changes->sender = fs_sender_new(changes);
    fs_synchroniser_add_change_func(account->synchroniser, on_change, changes);
    return changes;
}

FsChanges *
fs_changes_ref(FsChanges *changes)
{
    return g_rc_box_acquire(changes);
}

void
fs_changes_unref(gpointer changes)
{
    g_rc_box_release(changes);
}

/* What is pending stays in the journal. */
static void
abandon(FsPending *pending)
{
    g_autoptr(GError) error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED,
                                                  "the mount is being ended");

    pending->changes = NULL;
    fs_need_complete(pending->written, error);
    fs_need_complete(pending->done, error);
    fs_pending_unref(pending);
}

void
fs_changes_free(FsChanges *changes)
{
    GList *link;

    if (changes == NULL)
        return;
    fs_synchroniser_remove_change_func(changes->account->synchroniser,
                                       on_change, changes);
    g_clear_handle_id(&changes->gone_source, g_source_remove);
    g_clear_pointer(&changes->late, g_ptr_array_unref);
    fs_sender_free(changes->sender);
    fs_leases_free(changes->leases);
    changes->leases = NULL;
    changes->account = NULL;
    g_hash_table_unref(changes->by_message);
    g_hash_table_unref(changes->by_inode);
    while ((link = g_queue_pop_head_link(&changes->all)) != NULL)
        abandon(link->data);
    g_hash_table_unref(changes->per_mailbox);
    g_hash_table_unref(changes->reconciling);
    fs_need_unref(changes->moved);
    fs_refusals_free(changes->refusals);
    g_array_unref(changes->gone);
    g_ptr_array_unref(changes->marks);
    fs_changes_unref(changes);
}
