/* First the credentials, for a new password is the usual reason; then the
 * connections; then a login, so that whoever has sent the signal reads in the
 * log whether it works, and not only the next program that wants mail.
 *
 * What cannot be obtained leaves things as they were: a password manager that
 * is locked just now must not take the mount away. */
#include "fs/service/reload.h"

#include "fs/options/credentials-again.h"
#include "fs/service/mount-report.h"
#include "fs/service/service-manager.h"

struct FsReload {
    FsAccount *account; /* NULL once stopped */
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

static void
on_credentials(const GError *error, gboolean same, gpointer user_data)
{
    FsReload *reload = user_data;

    if (error != NULL)
        g_message("%s; going on with what was known before", error->message);
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
    if (fs_credentials_again_is_possible(reload->credentials))
        fs_credentials_again_start(reload->credentials, on_credentials, reload);
    else
        reconnect(reload);
}

FsReload *
fs_reload_new(FsAccount *account)
{
    FsReload *reload = g_new0(FsReload, 1);

    reload->account = account;
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
