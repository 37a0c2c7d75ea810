/* Who asks a file system that does not answer cannot even be killed. So it is
 * another process that asks. It is nobody's child, for it may be there for
 * long. */
#include "fs/mount/guarded-stat.h"

#include "fs/mount/mount-identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file system that lives answers for its top at once. */
#define ANSWER_MS 5000

typedef struct {
    int error;
    struct stat attributes;
} Answer;

static void
look(const char *path, Answer *answer)
{
    answer->error = stat(path, &answer->attributes) == 0 ? 0 : errno;
}

/* In a process forked from one that may have threads: system calls alone. */
static void G_GNUC_NORETURN
look_apart(const char *path, int pipe_end)
{
    Answer answer = {0};
    pid_t child = fork();

    if (child != 0)
        _exit(child < 0);
    /* It may be there for ever: nobody is to wait for what we had open. */
    if (pipe_end > 0)
        close_range(0, (unsigned)pipe_end - 1, 0);
    close_range((unsigned)pipe_end + 1, ~0U, 0);
    look(path, &answer);
    _exit(write(pipe_end, &answer, sizeof answer) != (ssize_t)sizeof answer);
}

static void
wait_for_answer(int pipe_end, Answer *answer)
{
    struct pollfd wait = {.fd = pipe_end, .events = POLLIN};
    int ready;

    do
        ready = poll(&wait, 1, ANSWER_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        answer->error = ETIMEDOUT;
    else if (read(pipe_end, answer, sizeof *answer) != (ssize_t)sizeof *answer)
        answer->error = EIO;
}

static void
ask(const char *path, Answer *answer)
{
    pid_t child;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        answer->error = errno;
        return;
    }
    child = fork();
    if (child == 0)
        look_apart(path, ends[1]);
    close(ends[1]);
    if (child < 0) {
        answer->error = errno;
    } else {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
        wait_for_answer(ends[0], answer);
    }
    close(ends[0]);
}

int
fs_guarded_stat(const char *path, struct stat *attributes)
{
    FsMountIdentity mount;
    Answer answer = {0};
    /* This asks for links alone, and the top of a mount is none. */
    char *resolved = realpath(path, NULL);

    if (resolved != NULL && fs_mount_identity_find(resolved, &mount))
        ask(resolved, &answer);
    else
        look(path, &answer);
    free(resolved);
    *attributes = answer.attributes;
    return answer.error;
}
