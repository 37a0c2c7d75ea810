/* Has changes that others make on the server show at once.
 *
 * What the server tells on its own (imap/watch.h) makes a mailbox stale; one
 * that is in use is synchronised at once, and what has changed then goes the
 * way of all changes. Events are hints: nothing is taken from them but where to
 * look. The polls go on, for some servers say that they tell and never do. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"

/* @account and @kernel_cache, which says what is in use, must outlive the
 * result. Begins at once to watch. */
FsWatcher *fs_watcher_new(FsAccount *account, FsKernelCache *kernel_cache);
void fs_watcher_free(FsWatcher *watcher); /* accepts NULL */

typedef enum {
    FS_WATCHER_POLLS, /* nothing is told: changes show at the next poll */
    FS_WATCHER_ONE,   /* of one mailbox (IDLE) */
    FS_WATCHER_ALL,   /* of all mailboxes of the user's own (NOTIFY) */
} FsWatcherMode;

/* What is told. A mode counts from when all that was missed before is in. */
FsWatcherMode fs_watcher_mode(FsWatcher *watcher);
/* Why the server, which offers to tell, does not; NULL: it does, or has not
 * been asked to. Borrowed. */
const char *fs_watcher_refusal(const FsWatcher *watcher);
