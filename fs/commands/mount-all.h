/* "imapfs --all MOUNTPOINT": every account of the configuration file, each as a
 * directory of its name. */
#pragma once

#include "fs/commands/fetch.h"

/* @options has the mountpoint and the accounts; argv is what it was parsed
 * from. Each account has a mount, and a daemon, of its own below the
 * mountpoint, so that what befalls one leaves the others alone. One that is
 * mounted there already stays. @serve runs in
 * their processes. Returns when all are mounted, or, in the foreground, have
 * ended; SIGTERM, SIGINT and SIGHUP go to all of them then. The exit status is
 * 0 if that of all is. */
int fs_mount_all_run(int argc, char **argv, const FsOptions *options,
                     FsServeFunc serve);
