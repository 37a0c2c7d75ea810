/* Forking a helper, and ending it. */
#include "fs/mount/helper-process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A killed process is gone sooner. */
#define DEATH_MS 1000

struct FsHelperProcess {
    pid_t id;
    int line;
};

/* All but @line: whoever waits for the end of a pipe would wait for us. */
static void
leave_files(int line)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(nowhere, fd);
    if (line > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)line - 1, 0);
    close_range((unsigned)line + 1, ~0U, 0);
}

static void G_GNUC_NORETURN
help(const char *name, FsHelperFunc func, int line, pid_t daemon)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        signal(signals[i], SIG_IGN);
    setsid();
    prctl(PR_SET_NAME, name);
    leave_files(line);
    if (chdir("/") != 0)
        _exit(1);
    func(line, daemon);
    _exit(0);
}

FsHelperProcess *
fs_helper_process_start(const char *name, FsHelperFunc func)
{
    FsHelperProcess *process;
    pid_t daemon = getpid();
    pid_t child = -1;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
        fflush(NULL);
        child = fork();
        if (child == 0) {
            /* Not one of the first three, which are replaced. */
            int line = fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

            if (line < 0)
                _exit(1);
            help(name, func, line, daemon);
        }
        close(ends[1]);
        if (child < 0)
            close(ends[0]);
    }
    if (child < 0) {
        g_message("%s cannot be started: %s", name, g_strerror(errno));
        return NULL;
    }
    process = g_new0(FsHelperProcess, 1);
    process->id = child;
    process->line = ends[0];
    fcntl(process->line, F_SETFL, O_NONBLOCK);
    return process;
}

/* One that waits in the kernel for a file system that does not answer, such as
 * another one on the way to the mount, cannot be killed before that does. It
 * holds nothing of ours, and is reaped by whoever reaps us. */
static void
reap(pid_t id)
{
    int process = pidfd_open(id, 0);
    struct pollfd end = {.fd = process, .events = POLLIN};

    if (process >= 0) {
        while (poll(&end, 1, DEATH_MS) < 0 && errno == EINTR)
            ;
        close(process);
    }
    while (waitpid(id, NULL, process >= 0 ? WNOHANG : 0) < 0 && errno == EINTR)
        ;
}

void
fs_helper_process_free(FsHelperProcess *process)
{
    if (process == NULL)
        return;
    /* Before the line is closed: the end of that means our death to the
     * supervisor, who would look for a mount that is gone, and may find another
     * one under the same numbers. */
    kill(process->id, SIGKILL);
    close(process->line);
    reap(process->id);
    g_free(process);
}

int
fs_helper_process_line(const FsHelperProcess *process)
{
    return process->line;
}

pid_t
fs_helper_process_id(const FsHelperProcess *process)
{
    return process->id;
}
