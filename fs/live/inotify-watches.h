/* Who watches with inotify: the kernel tells a file system nothing of that, but
 * /proc/PID/fdinfo does, of the processes that we may look at. */
#pragma once

#include <glib.h>

/* Inodes are not looked for beyond that many. */
#define FS_INOTIFY_MAX 4096u

/* Adds to @inodes (of guint64) those of the file system with the st_dev 0:
 * @device that a text as /proc/PID/fdinfo/FD has it says are watched. FALSE
 * when there are FS_INOTIFY_MAX. */
gboolean fs_inotify_watches_parse(const char *text, guint32 device,
                                  GArray *inodes);

/* The same for all processes; each inode once, in their order. Looks at every
 * open file of the machine: not for the main loop. */
gboolean fs_inotify_watches_find(guint32 device, GArray *inodes);
