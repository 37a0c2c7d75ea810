/* What the mount is doing, in a few words: for the service manager, which shows
 * one line, and for the log, when somebody asks for it with SIGUSR1. */
#pragma once

#include "fs/account.h"

/* Tells the service manager how the line to the server is. To be called when
 * that may have changed. */
void fs_mount_report_line(const FsAccount *account);

/* Writes to the log, as an answer, how things are. */
void fs_mount_report_log(const FsAccount *account);
