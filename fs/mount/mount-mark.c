/* Linux 6.8 and later have a number for it. Before, it is the connection that
 * tells: as long as it has the number of the device, so has its file system,
 * and that number in /proc/self/mountinfo is no other's. Where there is
 * neither, a mount that comes to the same place with the same numbers is taken
 * for it. */
#include "fs/mount/mount-mark.h"

#include "fs/mount/fuse-connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

/* Its number of that kind, or 0. Asks for nothing that the kernel would have to
 * ask for in its turn. */
static guint64
number_of(int directory, const char *path, guint kind, guint32 device)
{
    struct statx found;

    if (statx(directory, path,
              AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
                  AT_STATX_DONT_SYNC,
              kind, &found) == 0 &&
        (found.stx_mask & kind) != 0 && found.stx_dev_major == 0 &&
        found.stx_dev_minor == device)
        return found.stx_mnt_id;
    return 0;
}

/* It is not opened, for then a user who unmounts might hear that it is busy. */
FsMountMark
fs_mount_mark_take(const FsMountIdentity *mount)
{
    return (FsMountMark){
        .number = number_of(AT_FDCWD, mount->path, STATX_MNT_ID_UNIQUE,
                            mount->device),
        .connection = fs_fuse_connection_open(mount->device),
    };
}

void
fs_mount_mark_clear(FsMountMark *mark)
{
    if (mark->connection >= 0)
        close(mark->connection);
    *mark = FS_MOUNT_MARK_INIT;
}

static gboolean
is_of(const FsMountMark *mark, int top, const FsMountIdentity *mount)
{
    if (number_of(top, "", STATX_MNT_ID, mount->device) != mount->id)
        return FALSE;
    if (mark->number != 0)
        return number_of(top, "", STATX_MNT_ID_UNIQUE, mount->device) ==
               mark->number;
    return mark->connection < 0 ||
           fs_fuse_connection_has(mark->connection, mount->device);
}

int
fs_mount_mark_open(const FsMountMark *mark, const FsMountIdentity *mount)
{
    int top = open(mount->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (top < 0 || is_of(mark, top, mount))
        return top;
    close(top);
    return -1;
}
