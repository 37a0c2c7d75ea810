/* Notices that a mount point is not one any more.
 *
 * A mount that is taken away while files are open (umount -l, fusermount3 -uz)
 * lives on, unseen, until they are closed; the file system is told nothing. Who
 * would wait for ever in such a file has to be told by somebody. */
#pragma once

#include <glib.h>

typedef struct FsMountWatch FsMountWatch;

/* @mountpoint: absolute; it may not be mounted yet. @gone runs once, from the
 * main loop, when it was mounted and is not. NULL when the kernel does not tell
 * of mounts. */
FsMountWatch *fs_mount_watch_new(const char *mountpoint,
                                 void (*gone)(gpointer user_data),
                                 gpointer user_data);
void fs_mount_watch_free(FsMountWatch *watch); /* accepts NULL */
