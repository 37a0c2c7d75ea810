/* The command's output comes through a pipe of our own into a buffer that is
 * wiped: GSubprocess would keep it in memory that nobody wipes. The end of the
 * command counts, not that of its output, which something that it has started
 * (an agent) may hold open. */
#include "fs/options/credentials-again.h"

#include "fs/file-limit.h"
#include "fs/kernel/errno.h"
#include "fs/options/credentials-private.h"
#include "fs/options/secret-command.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct FsCredentialsAgain {
    const FsOptions *options;
    char *directory;

    FsCredentialsFunc func; /* NULL: not under way */
    gpointer user_data;

    GSubprocess *process; /* NULL: no command is running */
    GCancellable *cancellable;
    int output;
    guint output_source;
    guint timer;
    guint idle;
    gboolean timed_out;
    char *buffer; /* FS_CREDENTIALS_COMMAND_BYTES + 1 */
    gsize length;
};

FsCredentialsAgain *
fs_credentials_again_new(const FsOptions *options)
{
    FsCredentialsAgain *again = g_new0(FsCredentialsAgain, 1);

    again->options = options;
    again->directory = g_get_current_dir();
    again->output = -1;
    return again;
}

gboolean
fs_credentials_again_is_possible(const FsCredentialsAgain *again)
{
    const FsOptions *options = again->options;
    const ImapSettings *settings = options->settings;

    /* With a certificate alone there never was a secret. */
    if (settings->password == NULL && settings->token == NULL)
        return FALSE;
    return options->token_command != NULL ||
           fs_credentials_is_stored(options) ||
           options->password_command != NULL;
}

static const char *
name_of_command(const FsCredentialsAgain *again)
{
    return again->options->token_command != NULL ? "token_command"
                                                 : "password_command";
}

static ImapSecret **
place_of_secret(const FsCredentialsAgain *again)
{
    ImapSettings *settings = again->options->settings;

    return again->options->token_command != NULL ? &settings->token
                                                 : &settings->password;
}

/* With all that it has started. */
static void
end_command(FsCredentialsAgain *again)
{
    const char *identifier = g_subprocess_get_identifier(again->process);

    if (identifier != NULL)
        kill(-(pid_t)g_ascii_strtoll(identifier, NULL, 10), SIGKILL);
    g_subprocess_force_exit(again->process);
}

/* ---- the end ---- */

static void
clear_command(FsCredentialsAgain *again)
{
    g_clear_handle_id(&again->output_source, g_source_remove);
    g_clear_handle_id(&again->timer, g_source_remove);
    g_clear_handle_id(&again->idle, g_source_remove);
    g_clear_object(&again->process);
    g_clear_object(&again->cancellable);
    if (again->output >= 0)
        close(again->output);
    again->output = -1;
    if (again->buffer != NULL)
        OPENSSL_cleanse(again->buffer, FS_CREDENTIALS_COMMAND_BYTES + 1);
    g_clear_pointer(&again->buffer, g_free);
    again->length = 0;
}

/* @secret, taken over, is what was found; NULL: nothing, and @error. */
static void
finish(FsCredentialsAgain *again, ImapSecret *secret, const GError *error)
{
    ImapSecret **place = place_of_secret(again);
    FsCredentialsFunc func = g_steal_pointer(&again->func);
    gboolean same = FALSE;

    clear_command(again);
    if (secret != NULL) {
        same = *place != NULL &&
               strcmp(imap_secret_text(*place), imap_secret_text(secret)) == 0;
        imap_secret_unref(*place);
        *place = secret;
    }
    func(error, same, again->user_data);
}

/* ---- a command ---- */

static void
read_output(FsCredentialsAgain *again)
{
    while (again->length <= FS_CREDENTIALS_COMMAND_BYTES) {
        ssize_t count = read(again->output, again->buffer + again->length,
                             FS_CREDENTIALS_COMMAND_BYTES + 1 - again->length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        again->length += (gsize)count;
    }
}

static gboolean
on_output(gint fd, GIOCondition condition, gpointer user_data)
{
    FsCredentialsAgain *again = user_data;

    read_output(again);
    if ((condition & G_IO_HUP) == 0 &&
        again->length <= FS_CREDENTIALS_COMMAND_BYTES)
        return G_SOURCE_CONTINUE;
    if (again->length > FS_CREDENTIALS_COMMAND_BYTES)
        end_command(again);
    again->output_source = 0;
    return G_SOURCE_REMOVE;
}

static gboolean
on_timeout(gpointer user_data)
{
    FsCredentialsAgain *again = user_data;

    again->timer = 0;
    again->timed_out = TRUE;
    end_command(again);
    return G_SOURCE_REMOVE;
}

static gboolean
take_output(FsCredentialsAgain *again, ImapSecret **secret, GError **error)
{
    const char *name = name_of_command(again);

    if (again->timed_out)
        return fs_credentials_fail(error, "%s did not end within %u seconds",
                                   name, fs_credentials_command_ms / 1000);
    if (again->length > FS_CREDENTIALS_COMMAND_BYTES)
        return fs_credentials_fail(error, "%s prints more than %d octets", name,
                                   FS_CREDENTIALS_COMMAND_BYTES);
    return fs_credentials_check_status(g_subprocess_get_status(again->process),
                                       name, error) &&
           fs_credentials_take_line(again->buffer, again->length, name, secret,
                                    error);
}

static void
on_exit_of_command(GObject *process, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) cancelled = NULL;
    g_autoptr(GError) error = NULL;
    FsCredentialsAgain *again = user_data;
    ImapSecret *secret = NULL;

    /* Cancelled: there is no @again any more. */
    if (!g_subprocess_wait_finish(G_SUBPROCESS(process), result, &cancelled))
        return;
    read_output(again);
    take_output(again, &secret, &error);
    finish(again, secret, error);
}

/* Nothing waits for a terminal any more, so it can be ended as a whole. */
static void
set_up_child(gpointer user_data)
{
    setpgid(0, 0);
    fs_file_limit_restore();
}

static GSubprocess *
spawn(FsCredentialsAgain *again, int script, int output, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);

    g_subprocess_launcher_set_cwd(launcher, again->directory);
    g_subprocess_launcher_take_stdout_fd(launcher, output);
    g_subprocess_launcher_take_fd(launcher, script, FS_SECRET_COMMAND_FD);
    g_subprocess_launcher_set_child_setup(launcher, set_up_child, NULL, NULL);
    return g_subprocess_launcher_spawnv(launcher, fs_secret_command_words,
                                        error);
}

static gboolean
run_command(FsCredentialsAgain *again, const char *command, GError **error)
{
    g_autoptr(GError) reason = NULL;
    int script = fs_secret_command_open(command);
    int ends[2];

    if (script < 0)
        return fs_credentials_fail(error, "%s: cannot be run: %s",
                                   name_of_command(again), g_strerror(errno));
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(script);
        return fs_credentials_fail(error, "%s: cannot be run: %s",
                                   name_of_command(again), g_strerror(errno));
    }
    again->output = ends[0];
    again->timed_out = FALSE;
    again->process = spawn(again, script, ends[1], &reason);
    if (again->process == NULL)
        return fs_credentials_fail(error, "%s: cannot be run: %s",
                                   name_of_command(again), reason->message);
    again->buffer = g_malloc(FS_CREDENTIALS_COMMAND_BYTES + 1);
    g_unix_set_fd_nonblocking(ends[0], TRUE, NULL);
    again->output_source =
        g_unix_fd_add(ends[0], G_IO_IN | G_IO_HUP, on_output, again);
    again->timer = g_timeout_add(fs_credentials_command_ms, on_timeout, again);
    again->cancellable = g_cancellable_new();
    g_subprocess_wait_async(again->process, again->cancellable,
                            on_exit_of_command, again);
    return TRUE;
}

/* ---- beginning ---- */

static gboolean
begin(gpointer user_data)
{
    FsCredentialsAgain *again = user_data;
    const FsOptions *options = again->options;
    g_autoptr(GError) error = NULL;
    ImapSecret *secret = NULL;
    const char *command = options->token_command;

    again->idle = 0;
    if (command == NULL && fs_credentials_is_stored(options)) {
        fs_credentials_read_stored(options, &secret, &error);
        finish(again, secret, error);
        return G_SOURCE_REMOVE;
    }
    if (command == NULL)
        command = options->password_command;
    if (!run_command(again, command, &error))
        finish(again, NULL, error);
    return G_SOURCE_REMOVE;
}

void
fs_credentials_again_start(FsCredentialsAgain *again, FsCredentialsFunc func,
                           gpointer user_data)
{
    if (again->func != NULL || !fs_credentials_again_is_possible(again))
        return;
    again->func = func;
    again->user_data = user_data;
    again->idle = g_idle_add_full(G_PRIORITY_DEFAULT, begin, again, NULL);
}

void
fs_credentials_again_free(FsCredentialsAgain *again)
{
    if (again == NULL)
        return;
    if (again->process != NULL) {
        g_cancellable_cancel(again->cancellable);
        end_command(again);
    }
    clear_command(again);
    g_free(again->directory);
    g_free(again);
}
