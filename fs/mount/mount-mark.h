/* What tells a mount from a later one: the kernel gives the numbers of a mount
 * (fs/mount/mount-identity.h) to the next one as soon as it is gone.
 *
 * Whoever serves the mount is not asked: nothing here waits for him. */
#pragma once

#include "fs/mount/mount-identity.h"

typedef struct {
    guint64 number; /* no other mount ever has it; 0: not told by this kernel */
    int connection; /* fs/mount/fuse-connection.h; -1: none */
} FsMountMark;

#define FS_MOUNT_MARK_INIT ((FsMountMark){.connection = -1})

/* The mark of what has these numbers now; of the caller's mount, if that is at
 * its path and is there still when this has returned. To be cleared. */
FsMountMark fs_mount_mark_take(const FsMountIdentity *mount);
void fs_mount_mark_clear(FsMountMark *mark);

/* The top of @mount, opened as a place alone (O_PATH), if its path leads to it
 * and it has this @mark. Otherwise -1. To be closed. */
int fs_mount_mark_open(const FsMountMark *mark, const FsMountIdentity *mount);
