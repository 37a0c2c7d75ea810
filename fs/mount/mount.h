/* The mountpoint before the mount, and what libfuse and fusermount3 have to say
 * about it, in sentences that a user can act on. */
#pragma once

#include "fs/mount/mount-identity.h"

#include <glib.h>

/* Sees to it that @mountpoint is a directory, with no dead mount on it (such
 * are unmounted), nor a live one of imapfs. Fails with FS_ERROR_MOUNT. */
gboolean fs_mount_prepare(const char *mountpoint, GError **error);
/* Detaches what is mounted there if nobody serves it any longer, or if it is a
 * mount of imapfs that does not answer. */
void fs_mount_remove_dead(const char *mountpoint);
/* Ends the connection of the kernel to whoever serves @mount: all that waits
 * for an answer gets an error. Only if fusectl is mounted. */
void fs_mount_abort(const FsMountIdentity *mount);
/* What to write to for the same, as long as the connection lives, whatever
 * becomes of the mount; a number that another connection gets is none of it.
 * Without fusectl -1. To be closed. */
int fs_mount_open_abort(const FsMountIdentity *mount);
void fs_mount_abort_by(int file);
/* Detaches what is mounted there, whatever that is. Who waits for an answer of
 * it gets an error, if we may unmount without fusermount3. */
void fs_mount_detach(const char *mountpoint);

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
