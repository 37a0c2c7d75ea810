/* What was written may be acknowledged before the server has it (-o writeback),
 * and what was moved always is. Until then a name means something that cannot
 * be told the server as a mailbox and a UID. */
#include "fs/kernel/busy-message.h"

#include "fs/changes/changes.h"
#include "fs/writing/writing.h"

#include <errno.h>

gboolean
fs_busy_message_is_replaced(FsOperation *operation, const FsAccount *account,
                            const FsEntry *entry)
{
    FsUpload *upload = NULL;

    if (account->writing != NULL && entry->uid != 0)
        upload = fs_uploads_onto(fs_writing_uploads(account->writing),
                                 entry->mailbox, entry->uid);
    if (upload == NULL)
        return FALSE;
    if (fs_upload_state(upload) == FS_UPLOAD_PENDING)
        fs_operation_fail(operation, EBUSY);
    else
        fs_operation_wait_any(operation, fs_upload_need(upload));
    return TRUE;
}

gboolean
fs_busy_message_is_moved(FsOperation *operation, const FsAccount *account,
                         const FsEntry *entry)
{
    FsNeed *need = fs_changes_need_landed(account->changes, entry->inode);

    if (need == NULL)
        return FALSE;
    if (fs_changes_are_stuck(account->changes))
        fs_operation_fail(operation, EBUSY);
    else
        fs_operation_wait_any(operation, need);
    return TRUE;
}
