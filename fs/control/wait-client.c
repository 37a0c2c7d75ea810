/* "imapfs --wait MOUNTPOINT". */
#include "fs/control/wait-client.h"

#include "fs/control/mount-around.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
fail(const char *mountpoint, int reason)
{
    g_autofree char *sentence =
        reason == ENOENT || reason == ENOTDIR
            ? fs_mount_around_sentence(mountpoint)
            : g_strdup_printf("%s: %s", mountpoint, g_strerror(reason));

    fprintf(stderr, "imapfs: %s\n", sentence);
    return EXIT_FAILURE;
}

int
fs_wait_client_run(const char *mountpoint, const char *heading)
{
    g_autofree char *path =
        g_build_filename(mountpoint, ".imapfs", "wait", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status = EXIT_SUCCESS;
    char buffer[4096];
    ssize_t length;

    if (fd < 0)
        return fail(mountpoint, errno);
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
        if (heading != NULL && status == EXIT_SUCCESS)
            fprintf(stderr, "%s:\n", heading);
        fwrite(buffer, 1, (size_t)length, stderr);
        status = EXIT_FAILURE;
    }
    if (length < 0)
        status = fail(mountpoint, errno);
    close(fd);
    return status;
}
