/* SIGHUP: what the mount was told is read again, and every connection made
 * anew with it. Nothing is unmounted, and what programs are doing goes on. */
#pragma once

#include "fs/account.h"

typedef struct FsReload FsReload;

/* @account and its @options must outlive fs_reload_stop. Commands will run in
 * what is the working directory now. */
FsReload *fs_reload_new(FsAccount *account, FsOptions *options);
/* The mount is over. Accepts NULL. */
void fs_reload_stop(FsReload *reload);
/* After fs_reload_stop, when the account's pool is gone. Accepts NULL. */
void fs_reload_free(FsReload *reload);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsReload, fs_reload_free)

/* Begins; if it is under way, it is done once more afterwards. The log and the
 * service manager are told when it is done. Accepts NULL. */
void fs_reload_start(FsReload *reload);
