/* The mountpoint before the mount, and what libfuse and fusermount3 have to say
 * about it, in sentences that a user can act on. */
#pragma once

#include "fs/mount/mount-mark.h"

#include <glib.h>

/* Sees to it that @mountpoint is a directory, with no dead mount on it (such
 * are unmounted), nor a live one of imapfs. Fails with FS_ERROR_MOUNT. */
gboolean fs_mount_prepare(const char *mountpoint, GError **error);
/* Detaches @mount, if that is at its path with its @mark, and nothing else. Who
 * waits for an answer of it gets an error, if we may unmount without
 * fusermount3. TRUE if it was there, and is detached. */
gboolean fs_mount_detach(const FsMountIdentity *mount, const FsMountMark *mark);

/* From here on the messages of libfuse are gathered, and with them whatever is
 * written to the standard error: fusermount3 writes there. Not nested. */
void fs_mount_gather(void);
/* Ends that; returns what was gathered. Free with g_free. */
char *fs_mount_gathered(void);

/* Puts @gathered into a sentence with the remedy, as FS_ERROR_MOUNT. */
void fs_mount_set_error(GError **error, const char *mountpoint,
                        const char *gathered);
/* Likewise for options that were refused, as FS_ERROR_USAGE. */
void fs_mount_set_option_error(GError **error, const char *gathered);
