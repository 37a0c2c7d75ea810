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
#define DELETED "\\Deleted"

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

/* What was added to the flags of the copy: "ADDED\n"; NULL: nothing, or nobody
 * knows. What it lacks, the server may have left out. */
static char *
added_flags(const FsPending *pending)
{
    const FsAccount *account = pending->changes->account;
    const FsGuest *guest = fs_overlay_guest_by_uid(
        account->overlay, pending->target, pending->target_uid);
    g_autofree char *original = NULL;
    g_autofree char *copy = NULL;
    g_autofree char *added = NULL;
    CacheMessage row;

    if (!cache_index_message(account->index, pending->mailbox, pending->uid,
                             &row) ||
        row.flags == NULL)
        return NULL;
    original = fs_changes_merge_flags(row.flags, "", DELETED);
    if (cache_index_message(account->index, pending->target,
                            pending->target_uid, &row))
        copy = g_strdup(row.flags);
    else if (guest != NULL)
        copy = g_strdup(guest->row.flags);
    if (copy == NULL)
        return NULL;
    added = fs_changes_merge_flags(copy, "", original);
    return *added != '\0' ? g_strconcat(added, "\n", NULL) : NULL;
}

/* Takes over @text. */
static void
keep_flags(FsChanges *changes, guint32 mailbox, guint32 uid, char *text)
{
    FsPending *flags = fs_pending_new(FS_PENDING_FLAGS, mailbox, uid);

    flags->text = text;
    flags->unasked = TRUE;
    fs_pending_unref(fs_pending_accept(changes, flags, 0));
}

/* The deletion, and what is to be kept of the copy, is in the journal before
 * the move leaves it. */
void
fs_undo_copy(FsPending *pending, const GError *error)
{
    FsChanges *changes = pending->changes;
    FsPending *deletion;
    char *flags;

    if (fs_undo_is_possible(pending)) {
        flags = added_flags(pending);
        if (flags != NULL)
            keep_flags(changes, pending->mailbox, pending->uid, flags);
        hide_copy(pending);
        deletion = fs_pending_new(FS_PENDING_DELETE, pending->target,
                                  pending->target_uid);
        deletion->text = g_strdup(FS_PENDING_EXPUNGE);
        deletion->unasked = TRUE;
        fs_pending_unref(fs_pending_accept(changes, deletion, 0));
    }
    fs_pending_refuse(pending, error);
}
