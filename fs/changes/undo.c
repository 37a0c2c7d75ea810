/* A message was to be moved by a copy, and its original cannot be deleted: then
 * the copy that we have made goes again, so that the message is not in two
 * places.
 *
 * Only a copy of which the server itself has said that it is ours, and that
 * nobody has done anything with since; and only when the source, read again
 * after the refusal, still has the original. */
#include "fs/changes/pending.h"

#include "fs/writing/writing.h"

/* The text of a move whose copy the server has told of. */
#define TOLD "told"

void
fs_undo_note_told(FsPending *pending)
{
    g_free(pending->text);
    pending->text = g_strdup(TOLD);
}

void
fs_undo_forbid(FsPending *pending)
{
    if (pending->kind == FS_PENDING_MOVE)
        g_clear_pointer(&pending->text, g_free);
}

gboolean
fs_undo_is_possible(const FsPending *pending)
{
    const FsChanges *changes = pending->changes;
    const FsWriting *writing = changes->account->writing;

    return pending->kind == FS_PENDING_MOVE &&
           pending->step == FS_STEP_COPIED && pending->target_uid != 0 &&
           g_strcmp0(pending->text, TOLD) == 0 &&
           !fs_changes_concern(changes, pending->target, pending->target_uid) &&
           (writing == NULL ||
            fs_uploads_onto(fs_writing_uploads((FsWriting *)writing),
                            pending->target, pending->target_uid) == NULL);
}

/* It shows no more where it was to go; by the same inode number it shows where
 * it is. */
static void
hide_copy(FsPending *pending)
{
    FsAccount *account = pending->changes->account;
    FsGuest *guest = fs_overlay_guest_by_uid(account->overlay, pending->target,
                                             pending->target_uid);
    g_autofree char *name = g_strdup(cache_aliases_name(
        account->aliases, pending->target, pending->target_uid));

    fs_overlay_tell(account->overlay, FS_OVERLAY_AWAY, pending->target,
                    pending->target_uid, NULL);
    if (guest != NULL)
        pending->inode = guest->inode;
    fs_overlay_hide(account->overlay, pending->target, pending->target_uid);
    fs_overlay_touch(account->overlay, pending->target);
    if (name != NULL)
        fs_overlay_tell(account->overlay, FS_OVERLAY_NAME, pending->target, 0,
                        name);
    cache_aliases_remove(account->aliases, pending->target,
                         pending->target_uid);
    fs_overlay_tell(account->overlay, FS_OVERLAY_LISTING, pending->target, 0,
                    NULL);
}

/* The deletion is in the journal before the move leaves it. */
void
fs_undo_copy(FsPending *pending, const GError *error)
{
    FsChanges *changes = pending->changes;
    FsPending *deletion;

    if (fs_undo_is_possible(pending)) {
        hide_copy(pending);
        deletion = fs_pending_new(FS_PENDING_DELETE, pending->target,
                                  pending->target_uid);
        deletion->text = g_strdup(FS_PENDING_EXPUNGE);
        deletion->unasked = TRUE;
        fs_pending_unref(fs_pending_accept(changes, deletion, 0));
    }
    fs_pending_refuse(pending, error);
}
