/* Asking a domain again while the mount is served.
 *
 * Asking blocks, so a thread does it, with options of its own; it may outlive
 * us. A failure changes nothing: where the name servers cannot be asked, the
 * old servers cannot be reached either, and are the best that is known. */
#include "fs/options/discovery-again.h"

#include "fs/options/discovery.h"

#include <gio/gio.h>

/* Attempts to connect may follow one another every two seconds. */
#define PAUSE_US (15 * G_USEC_PER_SEC)

struct FsDiscoveryAgain {
    const FsOptions *options; /* NULL: freed, but asking */
    gint64 asked_at;          /* microseconds, monotonic; 0: never */
    gboolean under_way;
};

static FsOptions *
options_to_ask_with(const FsOptions *options)
{
    FsOptions *asked = g_new0(FsOptions, 1);

    asked->settings = imap_settings_new();
    asked->settings->username = g_strdup(options->settings->username);
    asked->settings->timeout_ms = options->settings->timeout_ms;
    asked->settings->tls = options->settings->tls;
    asked->tls_is_chosen = options->tls_is_chosen;
    asked->discover = g_strdup(options->discover);
    asked->no_state_dir = TRUE;
    return asked;
}

/* ---- asking ---- */

static void
free_options(gpointer options)
{
    fs_options_free(options);
}

static void
ask(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    GError *error = NULL;

    if (fs_discovery_run(task_data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
on_asked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FsDiscoveryAgain *again = user_data;
    FsOptions *asked = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;

    again->under_way = FALSE;
    if (again->options == NULL) {
        g_free(again);
        return;
    }
    if (g_task_propagate_boolean(G_TASK(result), &error))
        imap_servers_renew(again->options->servers,
                           g_steal_pointer(&asked->servers));
    else
        g_info("%s", error->message);
}

/* A ImapServersFunc. */
static void
on_failed(gpointer user_data)
{
    FsDiscoveryAgain *again = user_data;
    gint64 now = g_get_monotonic_time();
    g_autoptr(GTask) task = NULL;

    if (again->under_way ||
        (again->asked_at != 0 && now - again->asked_at < PAUSE_US))
        return;
    again->under_way = TRUE;
    again->asked_at = now;
    task = g_task_new(NULL, NULL, on_asked, again);
    g_task_set_task_data(task, options_to_ask_with(again->options),
                         free_options);
    g_task_run_in_thread(task, ask);
}

/* ---- making and ending ---- */

FsDiscoveryAgain *
fs_discovery_again_new(const FsOptions *options)
{
    FsDiscoveryAgain *again;

    if (options->discover == NULL || options->servers == NULL)
        return NULL;
    again = g_new0(FsDiscoveryAgain, 1);
    again->options = options;
    imap_servers_set_failed_func(options->servers, on_failed, again);
    return again;
}

void
fs_discovery_again_free(FsDiscoveryAgain *again)
{
    if (again == NULL)
        return;
    imap_servers_set_failed_func(again->options->servers, NULL, NULL);
    again->options = NULL;
    if (!again->under_way)
        g_free(again);
}
