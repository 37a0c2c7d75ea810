/* What follows when a message is stored, or will not be: it has the name that
 * the user gave it, and what it takes the place of goes, or shows again. */
#include "fs/writing/upload-private.h"

#include "fs/sync/synchroniser.h"

void
fs_upload_settle(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;

    fs_synchroniser_mark_stale(account->synchroniser, upload->mailbox);
}
