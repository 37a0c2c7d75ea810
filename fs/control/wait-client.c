/* "imapfs --wait MOUNTPOINT". */
#include "fs/control/wait-client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
fail(const char *mountpoint, int reason)
{
    if (reason == ENOENT || reason == ENOTDIR)
        fprintf(stderr, "imapfs: %s is no mount of imapfs\n", mountpoint);
    else
        fprintf(stderr, "imapfs: %s: %s\n", mountpoint, g_strerror(reason));
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
