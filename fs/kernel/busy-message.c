/* What was written may be acknowledged before the server has it (-o writeback),
 * or wait for the line: until then the older message is still there. */
#include "fs/kernel/busy-message.h"

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
