/* Looks whether anything was missed in the mailboxes in use: many by one
 * command, and what has changed is then asked for like all that is told. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"
#include "fs/sync/freshener.h"

typedef struct FsRecheck FsRecheck;

/* What is given must outlive the result. */
FsRecheck *fs_recheck_new(FsAccount *account, FsKernelCache *kernel_cache,
                          FsFreshener *freshener);
void fs_recheck_free(FsRecheck *recheck); /* accepts NULL */

/* Of what was so before this call, nothing is missed then. While a look is under
 * way, another begins after it. */
void fs_recheck_begin(FsRecheck *recheck);
