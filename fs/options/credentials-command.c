/* Running a command that prints a secret, before all else.
 *
 * A plain fork, for this runs before anything has a thread, and not a process
 * group of its own, for the command may want the terminal (pinentry): so what
 * it has started is looked for when it is to be ended. Its end counts, not that
 * of its output, which something that goes on (an agent) may hold open, and
 * which it may close long before. Where the kernel does not tell of its end by
 * a descriptor (before Linux 5.3, or in a sandbox), that is looked for now and
 * then. */
#include "fs/options/credentials-private.h"

#include "fs/file-limit.h"
#include "fs/options/secret-command.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of processes that one has started, which have started others. */
#define DEPTH_MAX 8u
/* It may put the terminal in order. */
#define GRACE_MS 1000
/* From one look to the next, whether it has ended. */
#define LOOK_MS 20

guint fs_credentials_command_ms = 120 * 1000;

typedef struct {
    pid_t child;
    int output;
    int ended; /* can be read when it has; -1: the kernel has no such thing */
    gboolean reaped;
    int status;   /* once it is */
    char *buffer; /* FS_CREDENTIALS_COMMAND_BYTES + 1 */
    gsize length;
    gint64 deadline; /* microseconds, monotonic */
} Command;

/* ---- beginning ---- */

/* gpg's pinentry finds the terminal by GPG_TTY, which is easily forgotten. */
static void
offer_terminal(void)
{
    const char *name = ttyname(STDIN_FILENO);

    if (name != NULL)
        setenv("GPG_TTY", name, FALSE);
}

/* SIGCHLD may have been inherited as ignored, and then there is no status. */
static gboolean
start(Command *command, const char *text)
{
    int ends[2];
    int script = fs_secret_command_open(text);

    if (script < 0)
        return FALSE;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(script);
        return FALSE;
    }
    signal(SIGCHLD, SIG_DFL);
    offer_terminal();
    command->child = fork();
    if (command->child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(script, FS_SECRET_COMMAND_FD);
        fs_file_limit_restore();
        execv(fs_secret_command_words[0], (char **)fs_secret_command_words);
        _exit(127);
    }
    close(script);
    close(ends[1]);
    command->output = ends[0];
    if (command->child < 0) {
        close(ends[0]);
        return FALSE;
    }
    command->ended = (int)syscall(SYS_pidfd_open, command->child, 0);
    fcntl(command->output, F_SETFL, O_NONBLOCK);
    return TRUE;
}

/* ---- its output ---- */

/* FALSE: there is no more of it, or too much. */
static gboolean
read_some(Command *command)
{
    while (command->length <= FS_CREDENTIALS_COMMAND_BYTES) {
        ssize_t count =
            read(command->output, command->buffer + command->length,
                 FS_CREDENTIALS_COMMAND_BYTES + 1 - command->length);

        if (count > 0)
            command->length += (gsize)count;
        else if (count == 0 || errno != EINTR)
            return count < 0 && errno == EAGAIN;
    }
    return FALSE;
}

/* Until @deadline (microseconds, monotonic), or for a moment, if its end has to
 * be looked for. FALSE: it has come. */
static gboolean
wait_for(const Command *command, struct pollfd *fds, nfds_t n, gint64 deadline)
{
    for (;;) {
        gint64 left = deadline - g_get_monotonic_time();
        gint64 most = command->ended < 0 ? LOOK_MS : G_MAXINT;
        int found = poll(fds, n, (int)CLAMP(left / 1000 + 1, 0, most));

        if (found > 0)
            return TRUE;
        if (found == 0 && left > 0 && command->ended < 0)
            return TRUE;
        if (found == 0 || errno != EINTR)
            return FALSE;
    }
}

static gboolean
has_ended(Command *command)
{
    pid_t found = command->reaped
                      ? command->child
                      : waitpid(command->child, &command->status, WNOHANG);

    command->reaped = found == command->child;
    return command->reaped || (found < 0 && errno == ECHILD);
}

/* FALSE: the command has not ended in time. */
static gboolean
wait_for_end(Command *command)
{
    struct pollfd fds[] = {
        {.fd = command->ended, .events = POLLIN},
        {.fd = command->output, .events = POLLIN},
    };

    while (wait_for(command, fds, G_N_ELEMENTS(fds), command->deadline)) {
        if (fds[1].fd >= 0 && !read_some(command)) {
            fds[1].fd = -1;
            if (command->length > FS_CREDENTIALS_COMMAND_BYTES)
                return TRUE;
        }
        if (has_ended(command))
            return TRUE;
    }
    return FALSE;
}

/* ---- its end ---- */

/* @process and those that it has started. */
static void
end_all(pid_t process, guint depth)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/task/%d/children", process, process);
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;

    if (depth < DEPTH_MAX && g_file_get_contents(path, &text, NULL, NULL))
        words = g_strsplit(text, " ", -1);
    kill(process, SIGTERM);
    for (char **word = words; word != NULL && *word != NULL; word++)
        if (**word != '\0')
            end_all((pid_t)g_ascii_strtoll(*word, NULL, 10), depth + 1);
}

static void
end(Command *command)
{
    struct pollfd fd = {.fd = command->ended, .events = POLLIN};
    gint64 deadline = g_get_monotonic_time() + GRACE_MS * 1000;

    end_all(command->child, 0);
    while (!has_ended(command) && wait_for(command, &fd, 1, deadline))
        ;
    if (!command->reaped)
        kill(command->child, SIGKILL);
}

static gboolean
reap(Command *command)
{
    while (!command->reaped && waitpid(command->child, &command->status, 0) < 0)
        if (errno != EINTR)
            return FALSE;
    return TRUE;
}

static gboolean
take(Command *command, const char *name, ImapSecret **secret, GError **error)
{
    gboolean in_time = wait_for_end(command);
    gboolean too_long = command->length > FS_CREDENTIALS_COMMAND_BYTES;
    gboolean reaped;

    if (!in_time || too_long)
        end(command);
    reaped = reap(command);
    if (!in_time)
        return fs_credentials_fail(
            error,
            "%s did not end within %u seconds, and was ended; run it in a "
            "terminal to see what it waits for",
            name, fs_credentials_command_ms / 1000);
    if (too_long)
        return fs_credentials_fail(
            error,
            "%s prints more than %d octets, and should print the secret alone",
            name, FS_CREDENTIALS_COMMAND_BYTES);
    if (!reaped)
        return fs_credentials_fail(error, "%s: %s", name, g_strerror(errno));
    read_some(command);
    return fs_credentials_check_status(command->status, name, error) &&
           fs_credentials_take_line(
               command->buffer,
               MIN(command->length, FS_CREDENTIALS_COMMAND_BYTES), name, secret,
               error);
}

gboolean
fs_credentials_run(const char *name, const char *text, ImapSecret **secret,
                   GError **error)
{
    gsize size = FS_CREDENTIALS_COMMAND_BYTES + 1;
    g_autofree char *buffer = g_malloc(size);
    Command command = {.buffer = buffer};
    gboolean taken;

    if (!start(&command, text))
        return fs_credentials_fail(error, "%s: cannot be run: %s", name,
                                   g_strerror(errno));
    command.deadline =
        g_get_monotonic_time() + (gint64)fs_credentials_command_ms * 1000;
    taken = take(&command, name, secret, error);
    close(command.output);
    if (command.ended >= 0)
        close(command.ended);
    OPENSSL_cleanse(buffer, size);
    return taken;
}
