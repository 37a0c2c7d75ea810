/* The kernel's connection to whoever serves a FUSE mount. It has the number of
 * the mount's device, which goes to the next mount as soon as this one is gone;
 * so it is held by its file below /sys/fs/fuse/connections, which belongs to
 * this one for ever.
 *
 * Nothing here waits, whatever became of the mount. */
#pragma once

#include <glib.h>

/* The connection that has the number of @device now. It belongs to whoever
 * mounted. -1: none, or fusectl is not mounted. To be closed. */
int fs_fuse_connection_open(guint32 device);

/* Whether the kernel has cut the connection of @fuse, the descriptor of whoever
 * serves it: there is no mount any more, and its numbers may be another's. */
gboolean fs_fuse_connection_is_cut(int fuse);

/* Ends it: all that waits for an answer gets an error. Does nothing if it has
 * ended, or if @connection is -1. */
void fs_fuse_connection_abort(int connection);

/* Whether it still has that number, which is then nobody else's: its file
 * system is still mounted, or in use. FALSE for -1. */
gboolean fs_fuse_connection_has(int connection, guint32 device);
