/* Parent and child, and the pipe between them.
 *
 * The child holds the pipe's only writing end: a status octet means "done, go",
 * and its end without one means that the child is gone, and waitpid knows how.
 *
 * Ctrl-C goes to both, being one process group. The parent leaves it to the
 * child, which may have to put the terminal right first, and then ends the same
 * way. If it is the parent that is killed, the kernel ends the child: nobody
 * would be left to hear whether it succeeded. */
#include "fs/mount/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_pipe = -1; /* the child's end */

static void
give_up(const char *what)
{
    fprintf(stderr, "imapfs: cannot go to the background: %s: %s\n", what,
            g_strerror(errno));
    _exit(1);
}

/* For the shell to see how we ended. */
static void G_GNUC_NORETURN
end_by_signal(int number)
{
    if (number == SIGINT || number == SIGQUIT) {
        signal(number, SIG_DFL);
        raise(number);
    }
    fprintf(stderr, "imapfs: ended by signal %d (%s)\n", number,
            g_strsignal(number));
    _exit(1);
}

static void G_GNUC_NORETURN
wait_for_child(pid_t child, int reading_end)
{
    unsigned char octet;
    ssize_t count;
    int status;

    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    do
        count = read(reading_end, &octet, 1);
    while (count < 0 && errno == EINTR);
    if (count == 1)
        _exit(octet);

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            give_up("waitpid");
    }
    if (WIFSIGNALED(status))
        end_by_signal(WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

void
fs_background_start(void)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("pipe");
    signal(SIGCHLD, SIG_DFL);
    fflush(NULL);
    child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(ends[1]);
        wait_for_child(child, ends[0]);
    }

    close(ends[0]);
    status_pipe = ends[1];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
}

static void
close_standard_streams(void)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    fflush(NULL);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (nowhere >= 0 && nowhere != fd)
            dup2(nowhere, fd);
    }
    if (nowhere > STDERR_FILENO)
        close(nowhere);
}

void
fs_background_detach(int status)
{
    const unsigned char octet = (unsigned char)status;

    if (status_pipe < 0)
        return;
    setsid();
    if (chdir("/") != 0)
        g_debug("cannot leave the working directory");
    close_standard_streams();
    prctl(PR_SET_PDEATHSIG, 0);
    signal(SIGPIPE, SIG_IGN); /* the parent may have been killed just now */
    if (write(status_pipe, &octet, 1) != 1)
        g_debug("nobody waits for the mount");
    close(status_pipe);
    status_pipe = -1;
}

/* LeakSanitizer attaches to the process as a debugger does. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

void
fs_background_protect_secrets(void)
{
#ifndef SANITIZED
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
#endif
}
