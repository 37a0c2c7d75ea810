/* "imapfs --status MOUNTPOINT [--watch]". */
#pragma once

#include <glib.h>

/* Returns the exit status: 0; 1, and a sentence on the standard error, if
 * nothing of ours is mounted there. With @watch, until Ctrl-C, or the mount's
 * end. */
int fs_show_status_run(const char *mountpoint, gboolean watch);
