/* "imapfs --check ACCOUNT": whether a mount would work, what it would be like,
 * and where not, why, and what to do about it. */
#pragma once

#include "fs/options/options.h"

/* Prints the report as it comes to be known. @options: of an account, without a
 * mountpoint; the password is obtained here. Returns the exit status: 0 only if
 * a mount would work. */
int fs_check_run(FsOptions *options);
