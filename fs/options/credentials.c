/* The password, or the token.
 *
 * Whatever held it on the way is wiped; only ImapSecret keeps it. */
#include "fs/options/credentials.h"

#include "fs/kernel/errno.h"
#include "fs/options/credentials-private.h"
#include "fs/options/option-values.h"
#include "fs/options/terminal-prompt.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
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
        return fs_credentials_run("token_command", options->token_command,
                                  &settings->token, error);
    if (options->password_command != NULL)
        return fs_credentials_run("password_command", options->password_command,
                                  &settings->password, error);
    return ask_at_terminal(settings, error);
}
