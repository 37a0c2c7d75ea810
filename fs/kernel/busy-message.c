/* What was written may be acknowledged before the server has it (-o writeback),
 * or wait for the line: until then the older message is still there. And it may
 * be there already, as a message like others, before the server has said which
 * it is: were that moved away, it would be looked for in vain, and stored once
 * more. */
#include "fs/kernel/busy-message.h"

#include "fs/writing/writing.h"

#include <errno.h>

static FsUpload *
find_upload(const FsAccount *account, const FsEntry *entry)
{
    const FsUploads *uploads = fs_writing_uploads(account->writing);
    FsUpload *upload = fs_uploads_onto(uploads, entry->mailbox, entry->uid);
    CacheMessage message;

    if (upload == NULL && cache_index_message(account->index, entry->mailbox,
                                              entry->uid, &message))
        upload = fs_uploads_that_may_be(uploads, entry->mailbox, entry->uid,
                                        message.size);
    return upload;
}

gboolean
fs_busy_message_is_replaced(FsOperation *operation, const FsAccount *account,
                            const FsEntry *entry)
{
    FsUpload *upload = NULL;

    if (account->writing != NULL && entry->uid != 0)
        upload = find_upload(account, entry);
    if (upload == NULL)
        return FALSE;
    if (fs_upload_state(upload) == FS_UPLOAD_PENDING)
        fs_operation_fail(operation, EBUSY);
    else
        fs_operation_wait_any(operation, fs_upload_need(upload));
    return TRUE;
}
