/* A connection's files get inode numbers that no other file there had. */
#include "fs/mount/fuse-connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 64

static void
path_of(guint32 device, char path[PATH_BYTES])
{
    g_snprintf(path, PATH_BYTES, "/sys/fs/fuse/connections/%u/abort",
               (guint)device);
}

int
fs_fuse_connection_open(guint32 device)
{
    char path[PATH_BYTES];

    path_of(device, path);
    return open(path, O_WRONLY | O_CLOEXEC);
}

gboolean
fs_fuse_connection_is_cut(int fuse)
{
    struct pollfd end = {.fd = fuse};

    return poll(&end, 1, 0) > 0;
}

void
fs_fuse_connection_abort(int connection)
{
    if (connection >= 0 && write(connection, "1", 1) != 1)
        g_debug("abort: %s", g_strerror(errno));
}

gboolean
fs_fuse_connection_has(int connection, guint32 device)
{
    struct stat ours, there;
    char path[PATH_BYTES];

    path_of(device, path);
    return connection >= 0 && fstat(connection, &ours) == 0 &&
           stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}
