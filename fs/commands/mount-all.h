/* "imapfs --all MOUNTPOINT": every account of the configuration file, each as a
 * directory of its name, in one mount. */
#pragma once

#include "fs/options/options.h"

/* @options has the mountpoint and the accounts; argv is what it was parsed
 * from. Runs until it is unmounted, in the background unless told otherwise.
 * Returns the exit status (fs/run-all.h). */
int fs_mount_all_run(int argc, char **argv, FsOptions *options);
