/* The first layout: mailboxes are directories, messages are files in them. */
#pragma once

#include "fs/names/name-space.h"

FsNameSpace *fs_mailbox_layout_new(FsAccount *account);

/* Whether the message does not show: the user has removed it, or somebody has
 * marked it and that is what removing does. */
gboolean fs_message_is_hidden(const FsAccount *account, guint32 mailbox,
                              const CacheMessage *message);

/* What to wait for until the message that @entry shows can be had: the server
 * is being told to move or to keep it, or has just done so. NULL: nothing. It
 * may be met, and is asked for anew. Borrowed. */
FsNeed *fs_message_need(const FsAccount *account, const FsEntry *entry);
/* Runs of an operation, in all of which this is asked for. */
#define FS_MESSAGE_NEED_RUNS 10u
