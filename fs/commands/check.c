/* The order of the check, and how its parts wait. */
#include "fs/commands/check.h"

#include "fs/commands/check-private.h"
#include "fs/log.h"
#include "fs/mount/background.h"
#include "fs/options/credentials.h"
#include "fs/options/discovery.h"
#include "imap/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
fs_check_print(GString *report)
{
    fputs(report->str, stdout);
    fflush(stdout);
    g_string_truncate(report, 0);
}

void
fs_check_say(FsCheck *check, FsMark mark, const char *name, const char *format,
             ...)
{
    g_autoptr(GString) report = g_string_new(NULL);
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    check->failed |= mark == FS_MARK_BAD;
    fs_report_line(report, &check->output, mark, name, text);
    fs_check_print(report);
}

void
fs_check_head(FsCheck *check, const char *heading)
{
    g_autoptr(GString) report = g_string_new(NULL);

    fs_report_heading(report, &check->output, heading);
    fs_check_print(report);
}

gboolean
fs_check_wait(FsCheck *check)
{
    while (!check->done)
        g_main_loop_run(check->loop);
    check->done = FALSE;
    return check->error == NULL;
}

void
fs_check_done(FsCheck *check, const GError *error)
{
    g_clear_error(&check->error);
    if (error != NULL)
        check->error = g_error_copy(error);
    check->done = TRUE;
    g_main_loop_quit(check->loop);
}

void
fs_check_on_done(const GError *error, gpointer user_data)
{
    fs_check_done(user_data, error);
}

static const char *
source_of_secret(const FsOptions *options)
{
    if (options->token_command != NULL)
        return "an access token, from token_command";
    if (options->password_file != NULL)
        return "from password_file";
    if (options->password_command != NULL)
        return "from password_command";
    if (options->netrc != NULL)
        return "from netrc";
    if (options->credential != NULL)
        return "a credential of the service";
    if (options->settings->password != NULL)
        return "from the terminal";
    return "none; the certificate says who we are";
}

/* Of an address, the domain knows it. */
static gboolean
find_server(FsCheck *check, const GError *error)
{
    const FsOptions *options = check->options;

    if (error != NULL)
        fs_check_say(check, FS_MARK_BAD, "Server", "%s", error->message);
    else if (options->discover != NULL)
        fs_check_say(check, FS_MARK_GOOD, "Server", "%s, as %s says",
                     options->settings->host, options->discover);
    return error == NULL;
}

/* Before the main loop runs, for commands may be run. */
static gboolean
get_password(FsCheck *check)
{
    g_autoptr(GError) error = NULL;

    if (!fs_credentials_obtain(check->options, &error)) {
        fs_check_say(check, FS_MARK_BAD, "Password", "%s", error->message);
        return FALSE;
    }
    fs_check_say(check, FS_MARK_GOOD, "Password", "%s",
                 source_of_secret(check->options));
    return TRUE;
}

static void
say_title(FsCheck *check)
{
    const ImapSettings *settings = check->options->settings;
    g_autoptr(GString) report = g_string_new(NULL);
    g_autofree char *title = g_strdup_printf(
        "imapfs " IMAPFS_VERSION " checks %s at %s, port %u",
        settings->username != NULL ? settings->username : g_get_user_name(),
        settings->host != NULL ? settings->host : check->options->discover,
        imap_settings_port(settings));

    fs_report_title(report, &check->output, title);
    g_string_append_c(report, '\n');
    fs_check_print(report);
}

static void
look_at_account(FsCheck *check)
{
    fs_check_folders(check);
    fs_check_push(check);
    fs_check_writing(check);
    fs_check_head(check, "What to expect");
    fs_check_speed(check);
    fs_check_server(check);
    fs_check_head(check, "What the server offers");
    fs_check_capabilities(check);
    fs_check_print_folders(check);
    if (!imap_connection_is_open(check->connection) && !check->failed)
        fs_check_say(check, FS_MARK_BAD, "Connection",
                     "it ended while the server was asked: %s",
                     check->error != NULL ? check->error->message
                                          : "no reason is known");
}

static void
say_verdict(FsCheck *check)
{
    FsStyle style = check->failed ? FS_STYLE_BAD : FS_STYLE_GOOD;

    printf("\n%s%s%s\n", fs_output_begin(&check->output, style),
           check->failed ? "A mount would not work; see above."
                         : "A mount would work.",
           fs_output_end(&check->output));
    fflush(stdout);
}

static void
folder_clear(gpointer data)
{
    FsCheckFolder *folder = data;

    g_free(folder->path);
    g_free(folder->wire);
}

int
fs_check_run(FsOptions *options)
{
    FsCheck check = {.options = options};
    g_autoptr(GError) lost = NULL;
    gboolean has_password;

    fs_log_start(options->debug);
    fs_log_set_verbosity(options->verbose, options->quiet);
    imap_trace_enable(options->trace);
    if (!options->debug)
        fs_background_protect_secrets();
    fs_output_look(&check.output, STDOUT_FILENO);
    check.loop = g_main_loop_new(NULL, FALSE);
    check.folders = g_array_new(FALSE, FALSE, sizeof(FsCheckFolder));
    g_array_set_clear_func(check.folders, folder_clear);

    fs_discovery_run(options, &lost);
    say_title(&check);
    has_password = find_server(&check, lost) && get_password(&check);
    if (lost == NULL)
        fs_check_machine(&check);
    if (has_password && fs_check_connect(&check))
        look_at_account(&check);
    say_verdict(&check);

    imap_connection_unref(check.connection);
    fs_mailbox_tree_free(check.tree);
    g_array_unref(check.folders);
    g_clear_error(&check.error);
    g_main_loop_unref(check.loop);
    return check.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
