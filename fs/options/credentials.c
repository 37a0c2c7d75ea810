/* The password, or the token.
 *
 * Whatever held it on the way is wiped; only ImapSecret keeps it. A command's
 * output goes through a pipe of our own and a plain fork, for this runs before
 * anything has a thread, and the command may want the terminal (pinentry). */
#include "fs/options/credentials.h"

#include "fs/file-limit.h"
#include "fs/kernel/errno.h"
#include "fs/options/credentials-private.h"
#include "fs/options/option-values.h"
#include "fs/options/secret-command.h"
#include "fs/options/terminal-prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

gboolean
fs_credentials_fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(error, g_error_new_valist(FS_ERROR, FS_ERROR_CREDENTIALS,
                                                format, arguments));
    va_end(arguments);
    return FALSE;
}

gboolean
fs_credentials_take_line(const char *text, gsize length, const char *source,
                         ImapSecret **secret, GError **error)
{
    const char *end = memchr(text, '\n', length);
    gsize line = end != NULL ? (gsize)(end - text) : length;

    if (line > 0 && text[line - 1] == '\r')
        line--;
    if (line == 0)
        return fs_credentials_fail(
            error, "%s: the first line is empty, and should be the secret",
            source);
    if (memchr(text, '\0', line) != NULL)
        return fs_credentials_fail(
            error,
            "%s: the first line holds a NUL octet, and should be the secret",
            source);
    imap_secret_unref(*secret);
    *secret = imap_secret_new(text, line);
    return TRUE;
}

gssize
fs_credentials_read_all(int fd, char *buffer, gsize size)
{
    gsize length = 0;

    while (length < size) {
        ssize_t count = read(fd, buffer + length, size - length);

        if (count == 0)
            break;
        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0)
            length += (gsize)count;
    }
    return (gssize)length;
}

/* gpg's pinentry finds the terminal by GPG_TTY, which is easily forgotten. */
static void
offer_terminal(void)
{
    const char *name = ttyname(STDIN_FILENO);

    if (name != NULL)
        setenv("GPG_TTY", name, FALSE);
}

/* SIGCHLD may have been inherited as ignored, and then there is no status. */
static pid_t
start_command(const char *command, int *output)
{
    int ends[2];
    int script = fs_secret_command_open(command);
    pid_t child;

    if (script < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(script);
        return -1;
    }
    signal(SIGCHLD, SIG_DFL);
    offer_terminal();
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(script, FS_SECRET_COMMAND_FD);
        fs_file_limit_restore();
        execv(fs_secret_command_words[0], (char **)fs_secret_command_words);
        _exit(127);
    }
    close(script);
    close(ends[1]);
    *output = ends[0];
    if (child < 0)
        close(ends[0]);
    return child;
}

gboolean
fs_credentials_check_status(int status, const char *name, GError **error)
{
    if (WIFSIGNALED(status))
        return fs_credentials_fail(
            error,
            "%s was ended by signal %d (%s); run it in a terminal to see why",
            name, WTERMSIG(status), g_strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return fs_credentials_fail(
            error,
            "%s failed with exit status %d; run it in a terminal to see why",
            name, WEXITSTATUS(status));
    return TRUE;
}

static gboolean
wait_for_command(pid_t child, const char *name, GError **error)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return fs_credentials_fail(error, "%s: %s", name,
                                       g_strerror(errno));
    }
    return fs_credentials_check_status(status, name, error);
}

/* @name: the option's. The command is not shown: it may hold a secret. */
static gboolean
run_command(const char *name, const char *command, ImapSecret **secret,
            GError **error)
{
    gsize size = FS_CREDENTIALS_COMMAND_BYTES + 1;
    g_autofree char *buffer = NULL;
    int output;
    pid_t child = start_command(command, &output);
    gssize length;
    gboolean taken;

    if (child < 0)
        return fs_credentials_fail(error, "%s: cannot be run: %s", name,
                                   g_strerror(errno));
    buffer = g_malloc(size);
    length = fs_credentials_read_all(output, buffer, size);
    close(output);

    if (length > FS_CREDENTIALS_COMMAND_BYTES) {
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
        taken = fs_credentials_fail(
            error,
            "%s prints more than %d octets, and should print the secret alone",
            name, FS_CREDENTIALS_COMMAND_BYTES);
    } else {
        taken = wait_for_command(child, name, error) &&
                fs_credentials_take_line(buffer, (gsize)MAX(length, 0), name,
                                         secret, error);
    }
    OPENSSL_cleanse(buffer, size);
    return taken;
}

static gboolean
ask_at_terminal(ImapSettings *settings, GError **error)
{
    char answer[FS_TERMINAL_SECRET_BYTES + 1];
    g_autofree char *user = fs_option_printable(settings->username);
    g_autofree char *host = fs_option_printable(settings->host);
    g_autofree char *prompt =
        g_strdup_printf("Password for %s at %s: ", user, host);
    gboolean answered = fs_terminal_prompt(prompt, answer, error);

    if (answered) {
        imap_secret_unref(settings->password);
        settings->password = imap_secret_new(answer, strlen(answer));
    }
    OPENSSL_cleanse(answer, sizeof answer);
    return answered;
}

/* Whether the certificate alone says who we are. */
static gboolean
certificate_suffices(const FsOptions *options)
{
    const ImapSettings *settings = options->settings;

    if (settings->mechanism != NULL)
        return strcmp(settings->mechanism, "EXTERNAL") == 0;
    return settings->client_cert != NULL &&
           !fs_credentials_is_stored(options) &&
           options->password_command == NULL && options->token_command == NULL;
}

gboolean
fs_credentials_obtain(FsOptions *options, GError **error)
{
    ImapSettings *settings = options->settings;

    if (certificate_suffices(options))
        return TRUE;
    fs_credentials_find_stored(options);
    if (fs_credentials_is_stored(options) &&
        !fs_credentials_read_stored(options, &settings->password, error))
        return FALSE;
    if (settings->username == NULL)
        settings->username = g_strdup(g_get_user_name());
    if (fs_credentials_is_stored(options))
        return TRUE;
    if (options->token_command != NULL)
        return run_command("token_command", options->token_command,
                           &settings->token, error);
    if (options->password_command != NULL)
        return run_command("password_command", options->password_command,
                           &settings->password, error);
    return ask_at_terminal(settings, error);
}
