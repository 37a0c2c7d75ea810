/* What the mount is doing, in a few words: for the service manager, which shows
 * one line, and for the log, when somebody asks for it with SIGUSR1. */
#pragma once

#include "fs/account.h"

/* @account is mounted, or no longer: tells the service manager how its line to
 * the server is, beside those of others that are in the mount. */
void fs_mount_report_add(const FsAccount *account);
void fs_mount_report_remove(const FsAccount *account);
/* To be called when that may have changed. */
void fs_mount_report_line(const FsAccount *account);

/* Writes to the log, as an answer, how things are. */
void fs_mount_report_log(const FsAccount *account);
