/* First the configuration, and what it says of the login; then the credentials,
 * for a new password is the usual reason; then the connections; then a login,
 * so that whoever has sent the signal reads in the log whether it works, and
 * not only the next program that wants mail.
 *
 * What cannot be obtained leaves things as they were: a password manager that
 * is locked just now must not take the mount away. */
#include "fs/service/reload.h"

#include "fs/options/credentials-again.h"
#include "fs/options/options-again.h"
#include "fs/service/mount-report.h"
#include "fs/service/service-manager.h"

struct FsReload {
    FsAccount *account; /* NULL once stopped */
    FsOptions *options;
    FsCredentialsAgain *credentials;
    gboolean under_way;
    gboolean again; /* asked for meanwhile */
};

static void
finish(FsReload *reload)
{
    fs_mount_report_line(reload->account);
    fs_service_manager_ready();
    reload->under_way = FALSE;
    if (reload->again) {
        reload->again = FALSE;
        fs_reload_start(reload);
    }
}

static void
on_logged_in(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsReload *reload = user_data;

    imap_lease_release(lease);
    if (reload->account == NULL)
        return;
    if (error == NULL)
        g_message("Reloaded: logged in at %s anew",
                  reload->account->options->settings->host);
    else
        g_message("Reloaded, but there is no connection: %s", error->message);
    finish(reload);
}

static void
reconnect(FsReload *reload)
{
    imap_pool_reconnect(reload->account->pool);
    imap_pool_acquire(reload->account->pool, NULL, on_logged_in, reload);
}

/* There may have been a token, and now a password. */
static void
drop_other_secret(FsOptions *options)
{
    ImapSettings *settings = options->settings;

    if (options->token_command != NULL)
        g_clear_pointer(&settings->password, imap_secret_unref);
    else
        g_clear_pointer(&settings->token, imap_secret_unref);
}

/* A mistake leaves things as they were. */
static void
read_configuration(FsReload *reload)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *left = NULL;

    if (!fs_options_take_again(reload->options, &left, &error))
        g_message("%s; going on with what was known before", error->message);
    if (left != NULL)
        g_message("Changed, but only for the next mount: %s", left);
}

static void
on_credentials(const GError *error, gboolean same, gpointer user_data)
{
    FsReload *reload = user_data;

    if (error != NULL)
        g_message("%s; going on with what was known before", error->message);
    else
        drop_other_secret(reload->options);
    reconnect(reload);
}

void
fs_reload_start(FsReload *reload)
{
    if (reload == NULL || reload->account == NULL)
        return;
    if (reload->under_way) {
        reload->again = TRUE;
        return;
    }
    reload->under_way = TRUE;
    fs_service_manager_reloading();
    read_configuration(reload);
    if (fs_credentials_again_is_possible(reload->credentials))
        fs_credentials_again_start(reload->credentials, on_credentials, reload);
    else
        reconnect(reload);
}

FsReload *
fs_reload_new(FsAccount *account, FsOptions *options)
{
    FsReload *reload = g_new0(FsReload, 1);

    reload->account = account;
    reload->options = options;
    reload->credentials = fs_credentials_again_new(account->options);
    return reload;
}

void
fs_reload_stop(FsReload *reload)
{
    if (reload == NULL)
        return;
    reload->account = NULL;
    g_clear_pointer(&reload->credentials, fs_credentials_again_free);
}

void
fs_reload_free(FsReload *reload)
{
    fs_reload_stop(reload);
    g_free(reload);
}
