/* Keeps the INBOX in use for as long as somebody reads events: he wants to hear
 * of new mail, also where nobody looks at the folder, or never did. */
#pragma once

#include "fs/control/events.h"
#include "fs/kernel/kernel-cache.h"

typedef struct FsInboxUse FsInboxUse;

/* All three must outlive the result. */
FsInboxUse *fs_inbox_use_new(FsAccount *account, FsKernelCache *kernel_cache,
                             const FsEvents *events);
void fs_inbox_use_free(FsInboxUse *use); /* accepts NULL */

/* Somebody begins to read events. */
void fs_inbox_use_begin(FsInboxUse *use);
/* For the end: asks for nothing more. */
void fs_inbox_use_stop(FsInboxUse *use);
