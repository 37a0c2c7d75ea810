/* The life of a mount of several accounts: each is a directory of it, and is
 * served as if it were alone; what befalls one leaves the others alone. */
#pragma once

#include "fs/mount/helper-process.h"
#include "fs/mount/supervisor.h"
#include "fs/options/options.h"

typedef struct {
    char *name;
    FsOptions *options;          /* NULL: there are none */
    FsHelperProcess *announcing; /* NULL: nobody announces its changes */
    GError *error;               /* why it cannot be served; NULL: it can */
} FsRunAccount;

void fs_run_account_free(FsRunAccount *account); /* accepts NULL */

/* Runs as fs_run does, with @mount for what the accounts (of FsRunAccount) have
 * together. It is mounted when the first is logged in, and in the background
 * when all are, or have failed. Those that fail say why; the exit status is 1
 * then, and the mount is there but for them. If all fail, there is none. */
int fs_run_all(const FsOptions *mount, GPtrArray *accounts,
               FsSupervisor *supervisor);
