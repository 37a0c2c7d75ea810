/* Taking an account's directories, which one mount at a time may have. */
#pragma once

#include "fs/account-directories.h"

typedef struct FsAccountLocks FsAccountLocks;

/* @locked: the directories that may be used, and no state yet; they are the
 * callee's. NULL with @error. Runs once, from the main loop, unless cancelled;
 * the locks are gone then. */
typedef void (*FsAccountLockedFunc)(const FsAccountDirectories *locked,
                                    const GError *error, gpointer user_data);

/* Makes and locks what @options (borrowed until it is over) name, by default in
 * the XDG base directories. When another process has either, and does not leave
 * it soon (cache/directory-opening.h), or the cache cannot be used, a message
 * says so, and it goes on without. Fails with FS_ERROR_USAGE, or with
 * CACHE_ERROR when the state cannot be kept: nobody would know that all inode
 * numbers are new. */
FsAccountLocks *fs_account_locks_take(const FsOptions *options,
                                      FsAccountLockedFunc locked,
                                      gpointer user_data);
/* Nobody waits any more. Accepts NULL. */
void fs_account_locks_cancel(FsAccountLocks *locks);

/* Who has what is waited for, as a part of a sentence; NULL: nobody has. Caller
 * frees. */
char *fs_account_locks_describe(const FsAccountLocks *locks);
