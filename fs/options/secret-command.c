/* In memory, and with a name that does not tell what it is. It is "." that
 * reads it, and not the shell in place of standard input: that is the command's
 * own, which may want the terminal. */
#include "fs/options/secret-command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* On one line with the command, whose lines keep their numbers. */
#define BEFORE "exec 3<&-;"

G_STATIC_ASSERT(FS_SECRET_COMMAND_FD == 3);

const char *const fs_secret_command_words[] = {"/bin/sh", "-c", ". /dev/fd/3",
                                               NULL};

static gboolean
write_all(int fd, const char *text)
{
    gsize length = strlen(text);

    while (length > 0) {
        ssize_t count = write(fd, text, length);

        if (count < 0 && errno != EINTR)
            return FALSE;
        if (count > 0) {
            text += count;
            length -= (gsize)count;
        }
    }
    return TRUE;
}

int
fs_secret_command_open(const char *command)
{
    int made = memfd_create("command", MFD_CLOEXEC);
    int fd = -1;

    if (made < 0)
        return -1;
    if (write_all(made, BEFORE) && write_all(made, command) &&
        write_all(made, "\n") && lseek(made, 0, SEEK_SET) == 0)
        fd = fcntl(made, F_DUPFD_CLOEXEC, FS_SECRET_COMMAND_FD + 1);
    close(made);
    return fd;
}
