/* The life of one mount: log in, mount, serve, unmount, log out. */
#pragma once

#include "fs/mount/helper-process.h"
#include "fs/mount/supervisor.h"
#include "fs/options/options.h"

/* The processes that stand beside the daemon, forked before everything else.
 * Each may be NULL. */
typedef struct {
    FsSupervisor *supervisor;
    FsHelperProcess *announcing; /* of fs_announcer_fork */
} FsHelpers;

/* What the process of a mount does first: finds out where it runs, sees to its
 * secrets, and forks, unless it is to stay in the foreground. Before there are
 * threads, and before a secret is there. */
void fs_run_begin(const FsOptions *options);

/* Runs until the file system is unmounted, from outside or by SIGTERM or
 * SIGINT; SIGHUP may change @options (fs/service/reload.h). Prints what goes
 * wrong before it is mounted, one sentence, and leaves no mount behind then.
 * Takes what @helpers holds. Returns the exit status. */
int fs_run(FsOptions *options, FsHelpers *helpers);
