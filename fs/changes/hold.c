/* Deletions that wait for what comes in the place of what was deleted: programs
 * remove a file, and then make it anew; or move another there. */
#include "fs/changes/pending.h"

#include <string.h>

static gboolean
is_deletion(const FsPending *pending)
{
    return pending->kind == FS_PENDING_DELETE ||
           (pending->kind == FS_PENDING_MOVE && pending->name == NULL);
}

/* Whether the server knows nothing of it, nor can hear of it yet by a line that
 * was cut. */
static gboolean
can_be_held(const FsPending *pending)
{
    return is_deletion(pending) && !fs_pending_is_under_way(pending);
}

guint64
fs_changes_hold_deleted(FsChanges *changes, guint32 mailbox, const char *name,
                        guint64 upload, guint32 *uid)
{
    if (g_hash_table_lookup(changes->per_mailbox, GUINT_TO_POINTER(mailbox)) ==
        NULL)
        return 0;
    for (GList *link = changes->all.tail; link != NULL; link = link->prev) {
        FsPending *pending = link->data;

        if (!can_be_held(pending) || pending->shown_in != mailbox ||
            pending->mailbox != mailbox ||
            g_strcmp0(pending->old_name, name) != 0)
            continue;
        pending->step = FS_STEP_HELD;
        pending->number = upload;
        fs_pending_note(pending);
        *uid = pending->uid;
        return pending->id;
    }
    return 0;
}

/* ---- for a move ---- */

/* No record of the journal has the number 0. */
void
fs_changes_hold(FsPending *deletion)
{
    if (deletion->changes == NULL || fs_pending_is_under_way(deletion))
        return;
    deletion->step = FS_STEP_HELD;
    deletion->number = 0;
    fs_pending_note(deletion);
}

void
fs_changes_delete_after(FsPending *deletion, FsPending *move)
{
    if (deletion->changes == NULL || deletion->step != FS_STEP_HELD)
        return;
    if (move->changes == NULL) {
        fs_changes_release(deletion->changes, deletion->id, TRUE);
        return;
    }
    deletion->number = move->id;
    fs_pending_note(deletion);
    move->replaced = fs_pending_ref(deletion);
}

void
fs_changes_give_up(FsPending *deletion)
{
    if (deletion->changes != NULL && deletion->step == FS_STEP_HELD)
        fs_way_give_up(deletion);
}

/* ---- for what is written ---- */

static void
release(FsChanges *changes, FsPending *pending, gboolean done)
{
    if (!done) {
        fs_way_give_up(pending);
        return;
    }
    fs_way_forget(pending);
    pending->step = FS_STEP_WAITING;
    pending->number = 0;
    fs_pending_note(pending);
    fs_sender_wake(changes->sender);
}

void
fs_changes_release(FsChanges *changes, guint64 held, gboolean done)
{
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        FsPending *pending = link->data;

        if (pending->id == held && pending->step == FS_STEP_HELD) {
            release(changes, pending, done);
            return;
        }
    }
}

void
fs_changes_release_orphans(FsChanges *changes)
{
    GList *next;

    for (GList *link = changes->all.head; link != NULL; link = next) {
        FsPending *pending = link->data;

        next = link->next;
        if (pending->step == FS_STEP_HELD &&
            cache_journal_get(changes->account->journal, pending->number) ==
                NULL)
            release(changes, pending, FALSE);
    }
}
