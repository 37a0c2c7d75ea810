/* Brings the octets of a message into the local file that is to be a new state
 * of it. */
#pragma once

#include "fs/account.h"
#include "fs/writing/local-file.h"

/* @file holds the octets once the result, its need (borrowed), is met; fails as
 * reading does. It has not been begun yet. */
FsNeed *fs_fill_begin(FsAccount *account, FsLocalFile *file);
/* Before the end of what is read from: none goes on. */
void fs_fill_abandon_all(void);
