/* Requests on messages whose place something else is about to take. */
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
