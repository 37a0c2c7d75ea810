/* Messages that the server itself has taken away, because another one was put
 * in their place (REPLACE): nothing is to be sent for them. */
#include "fs/changes/late.h"
#include "fs/changes/pending.h"

#include "fs/sync/synchroniser.h"

gboolean
fs_changes_concern(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    return fs_pending_queue(changes, mailbox, uid) != NULL;
}

/* The index loses it while it is hidden, so that it is nobody's loss. */
void
fs_changes_note_replaced(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    FsAccount *account = changes->account;

    fs_overlay_tell(account->overlay, FS_OVERLAY_AWAY, mailbox, uid, NULL);
    fs_overlay_hide(account->overlay, mailbox, uid);
    fs_overlay_touch(account->overlay, mailbox);
    fs_late_note_away(changes, mailbox, uid, 0, 0);
    fs_synchroniser_message_gone(account->synchroniser, mailbox, uid);
    fs_overlay_show(account->overlay, mailbox, uid);
}
