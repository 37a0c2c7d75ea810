/* Which mount is ours: a path may come to lead to another one at any time, and
 * what is done to a mount by its path must then not be done.
 *
 * Nothing here touches a file system: whoever looks at a mount that nobody
 * serves may wait for ever. */
#pragma once

#include <glib.h>

#define FS_MOUNT_PATH_BYTES 4096

typedef struct {
    guint64 id;     /* of the mount, in /proc/self/mountinfo; 0: none */
    guint32 device; /* minor number of its st_dev, and its connection's name
                       below /sys/fs/fuse/connections */
    char path[FS_MOUNT_PATH_BYTES]; /* absolute */
} FsMountIdentity;

typedef enum {
    FS_MOUNT_GONE,
    FS_MOUNT_COVERED, /* another one is mounted over it */
    FS_MOUNT_ON_TOP,  /* its path leads to it */
} FsMountPlace;

/* The FUSE mount that @path, absolute and without symbolic links, leads to.
 * FALSE if there is none. */
gboolean fs_mount_identity_find(const char *path, FsMountIdentity *identity);

/* Where the mount is; its path is put right if it has been moved. */
FsMountPlace fs_mount_identity_locate(FsMountIdentity *identity);

/* The same, of a text as /proc/self/mountinfo has it. For the tests. */
gboolean fs_mount_identity_find_in(const char *mountinfo, const char *path,
                                   FsMountIdentity *identity);
FsMountPlace fs_mount_identity_locate_in(const char *mountinfo,
                                         FsMountIdentity *identity);
