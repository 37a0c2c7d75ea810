/* Looks whether anything was missed in the mailboxes in use. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"
#include "imap/watch.h"

/* Has the server tell @watch how they are, as if it did so on its own. */
void fs_recheck(const FsAccount *account, FsKernelCache *kernel_cache,
                ImapWatch *watch);
