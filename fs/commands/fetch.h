/* "imapfs --fetch MOUNTPOINT|ACCOUNT [FOLDER...]": has all mail, or that of
 * some folders, put into the cache. */
#pragma once

#include "fs/options/options.h"

/* Serves the account of @options as a mount, until that ends, and returns the
 * exit status. */
typedef int (*FsServeFunc)(FsOptions *options);

/* Returns the exit status: 0 if all of it is in the cache. @options: with the
 * mountpoint or an account, and the folders. @serve is used in a process of its
 * own for an account that is not mounted. */
int fs_fetch_run(FsOptions *options, FsServeFunc serve);
