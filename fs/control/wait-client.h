/* "imapfs --wait MOUNTPOINT": asks the mount to say when the server has all
 * that was changed in it. */
#pragma once

/* Returns the exit status: 0 if it has. Otherwise the reasons why not go to the
 * standard error, below @heading, which may be NULL. */
int fs_wait_client_run(const char *mountpoint, const char *heading);
