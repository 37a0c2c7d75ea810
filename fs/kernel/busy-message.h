/* Requests on messages of which the server is yet to be told, or to tell,
 * something that comes first. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/operation.h"
#include "fs/names/name-space.h"

/* TRUE while what a program has written is being stored in the place of the
 * message @entry: nothing else can be done with it until it is known what has
 * become of that. The operation waits, or fails with EBUSY if there is no line.
 */
gboolean fs_busy_message_is_replaced(FsOperation *operation,
                                     const FsAccount *account,
                                     const FsEntry *entry);
/* The same while the message shows at a place where it has no UID yet: its
 * mailbox and UID still are those that it comes from. */
gboolean fs_busy_message_is_moved(FsOperation *operation,
                                  const FsAccount *account,
                                  const FsEntry *entry);
