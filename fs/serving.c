/* The parts of an account that is served, and the order in which they begin and
 * end. */
#include "fs/serving.h"

#include "fs/changes/changes.h"
#include "fs/live/announcer.h"
#include "fs/live/line.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-layout.h"
#include "fs/options/discovery-again.h"
#include "fs/options/known-server.h"
#include "fs/service/mount-report.h"
#include "fs/service/reload.h"
#include "fs/service/service-manager.h"
#include "fs/sync/lister.h"
#include "fs/views/search/searches-view.h"
#include "fs/writing/local-names.h"
#include "fs/writing/writing.h"
#include "imap/error.h"

#include <errno.h>

/* With offline_ok, what is in the cache is shown after so long: the server may
 * well come later. */
#define OFFLINE_LOGIN_MS 10000u

/* The mailboxes are listed before the mount is there, so that who comes first
 * need not wait for them; but it does not wait for longer. */
#define LIST_MS 2000u

/* What was changed is sent before the end, for so long at the most: the next
 * mount of the account waits a little longer (cache/directory-opening.c). What
 * is left then, is left to it. */
#define DRAIN_MS 15000u

/* What is waited for, to be told once. */
typedef struct {
    FsServingFunc func; /* NULL: nobody waits */
    gpointer user_data;
} Done;

struct FsServing {
    FsOptions *options;
    FsAccount *account;
    FsNameSpace *names;
    FsWriting *writing; /* NULL: read-only */
    FsHandlers *handlers;
    FsAnnouncer *announcer;
    FsLine *line;                /* NULL before and after serving */
    FsReload *reload;            /* NULL before serving */
    FsDiscoveryAgain *discovery; /* NULL likewise, and where it is not needed */
    FsDrain *drain;              /* NULL but at the end */
    Done login;
    guint late;            /* a source, while the login or the list is late */
    FsNeedWaiter *listing; /* NULL: nothing is waited for */
    Done drained, stopped, logged_out;
};

static void
tell(FsServing *serving, Done *done, const GError *error)
{
    const Done told = *done;

    *done = (Done){NULL, NULL};
    if (told.func != NULL)
        told.func(serving, error, told.user_data);
}

/* ---- making and ending ---- */

static gboolean
begin_writing(FsServing *serving, GError **error)
{
    serving->writing = fs_writing_new(serving->account, error);
    if (serving->writing == NULL)
        return FALSE;
    serving->account->writing = serving->writing;
    serving->names =
        fs_local_names_new(serving->account, serving->names, serving->writing);
    return TRUE;
}

FsServing *
fs_serving_new(FsOptions *options, const FsAccountDirectories *locked,
               FsHelperProcess *announcing, GError **error)
{
    g_autoptr(FsServing) serving = g_new0(FsServing, 1);
    g_autoptr(FsHelperProcess) process = announcing;

    serving->options = options;
    serving->account = fs_account_new(options, locked, error);
    if (serving->account == NULL)
        return NULL;
    serving->announcer =
        fs_announcer_new(g_steal_pointer(&process), serving->account->tree);
    /* What it announces are entries of folders. */
    if (options->layout == FS_LAYOUT_MAILBOX)
        serving->account->announcer = serving->announcer;
    serving->names = fs_mailbox_layout_new(serving->account);
    if (!options->read_only && !begin_writing(serving, error))
        return NULL;
    if (options->searches)
        serving->names = fs_root_searches_new(serving->account, serving->names);
    serving->names = fs_maildir_layout_new(serving->account, serving->names,
                                           serving->writing);
    serving->handlers =
        fs_handlers_new(serving->account, serving->names, serving->writing);
    return g_steal_pointer(&serving);
}

void
fs_serving_free(FsServing *serving)
{
    if (serving == NULL)
        return;
    g_clear_handle_id(&serving->late, g_source_remove);
    if (serving->listing != NULL)
        fs_need_cancel(serving->listing);
    fs_drain_free(serving->drain);
    if (serving->line != NULL)
        fs_line_free(serving->line);
    fs_discovery_again_free(serving->discovery);
    fs_handlers_free(serving->handlers);
    fs_name_space_free(serving->names);
    fs_writing_free(serving->writing);
    fs_announcer_free(serving->announcer);
    serving->login.func = NULL;
    fs_account_free(serving->account);
    fs_reload_free(serving->reload);
    g_free(serving);
}

FsAccount *
fs_serving_account(FsServing *serving)
{
    return serving->account;
}

FsHandlers *
fs_serving_handlers(FsServing *serving)
{
    return serving->handlers;
}

/* ---- the login ---- */

static void
end_list(FsServing *serving)
{
    g_clear_handle_id(&serving->late, g_source_remove);
    if (serving->listing != NULL)
        fs_need_cancel(g_steal_pointer(&serving->listing));
    tell(serving, &serving->login, NULL);
}

static void
on_listed(const GError *error, gpointer user_data)
{
    FsServing *serving = user_data;

    serving->listing = NULL;
    end_list(serving);
}

static gboolean
on_list_late(gpointer user_data)
{
    FsServing *serving = user_data;

    serving->late = 0;
    end_list(serving);
    return G_SOURCE_REMOVE;
}

/* If that fails, whoever looks into the mount is told why. */
static void
list_mailboxes(FsServing *serving)
{
    FsNeed *need =
        fs_lister_need(serving->account->lister, g_get_monotonic_time());

    if (need == NULL) {
        tell(serving, &serving->login, NULL);
        return;
    }
    serving->listing = fs_need_wait(need, on_listed, serving);
    serving->late = g_timeout_add(LIST_MS, on_list_late, serving);
}

static void
keep_server(const FsServing *serving)
{
    const CacheDirectory *directory =
        serving->account->directories.state_directory;

    fs_known_server_keep(serving->options, directory != NULL
                                               ? cache_directory_path(directory)
                                               : NULL);
}

/* Not inside the login: the answer may be the end of the account. */
static void
on_logged_in(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsServing *serving = user_data;

    imap_lease_release(lease);
    if (serving->login.func == NULL || serving->listing != NULL)
        return;
    g_clear_handle_id(&serving->late, g_source_remove);
    if (error != NULL) {
        tell(serving, &serving->login, error);
    } else {
        keep_server(serving);
        list_mailboxes(serving);
    }
}

guint
fs_serving_patience_ms(const FsServing *serving)
{
    return MIN(OFFLINE_LOGIN_MS, serving->options->settings->timeout_ms);
}

static gboolean
on_late(gpointer user_data)
{
    FsServing *serving = user_data;
    g_autoptr(GError) error = g_error_new(
        IMAP_ERROR, IMAP_ERROR_TIMEOUT, "%s did not answer for %.3g seconds",
        serving->options->settings->host,
        fs_serving_patience_ms(serving) / 1e3);

    serving->late = 0;
    tell(serving, &serving->login, error);
    return G_SOURCE_REMOVE;
}

void
fs_serving_log_in(FsServing *serving, guint patience_ms, FsServingFunc done,
                  gpointer user_data)
{
    serving->login = (Done){done, user_data};
    if (patience_ms > 0)
        serving->late = g_timeout_add(patience_ms, on_late, serving);
    imap_pool_acquire(serving->account->pool, NULL, on_logged_in, serving);
}

gboolean
fs_serving_may_pass(const GError *error)
{
    static const int codes[] = {
        IMAP_ERROR_RESOLVE,     IMAP_ERROR_CONNECT, IMAP_ERROR_TIMEOUT,
        IMAP_ERROR_CLOSED,      IMAP_ERROR_LIMIT,   IMAP_ERROR_IN_USE,
        IMAP_ERROR_UNAVAILABLE,
    };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
        if (g_error_matches(error, IMAP_ERROR, codes[i]))
            return TRUE;
    return FALSE;
}

gboolean
fs_serving_go_offline(FsServing *serving)
{
    return fs_lister_restore(serving->account->lister);
}

/* ---- the mount ---- */

void
fs_serving_attach(FsServing *serving, struct fuse_session *fuse,
                  guint64 first_inode)
{
    serving->account->first_inode = first_inode;
    fs_handlers_attach(serving->handlers, fuse);
}

void
fs_serving_begin(FsServing *serving)
{
    serving->line = fs_line_new(serving->account,
                                fs_handlers_kernel_cache(serving->handlers));
    serving->reload = fs_reload_new(serving->account, serving->options);
    serving->discovery = fs_discovery_again_new(serving->options);
    fs_mount_report_line(serving->account);
}

void
fs_serving_say_in_use(const FsServing *serving)
{
    fs_account_directories_say_in_use(&serving->account->directories,
                                      serving->options);
}

void
fs_serving_mounted(FsServing *serving, const FsMountIdentity *identity)
{
    if (identity != NULL) {
        fs_announcer_set_first(serving->announcer,
                               serving->account->first_inode);
        fs_announcer_start(serving->announcer, identity);
    }
    fs_handlers_watch(serving->handlers);
    fs_writing_resume(serving->writing);
    fs_mount_report_add(serving->account);
}

gboolean
fs_serving_reload(FsServing *serving)
{
    if (serving->reload == NULL)
        return FALSE;
    fs_reload_start(serving->reload);
    return TRUE;
}

/* ---- the end ---- */

static void
on_drained(gpointer user_data)
{
    FsServing *serving = user_data;

    tell(serving, &serving->drained, NULL);
}

gboolean
fs_serving_drain(FsServing *serving, FsServingFunc done, gpointer user_data)
{
    FsChanges *changes = serving->account->changes;

    fs_reload_stop(serving->reload);
    if (!fs_drain_is_needed(changes))
        return FALSE;
    fs_account_announce_end(serving->account);
    fs_service_manager_status("Sending %u changes before the end",
                              fs_changes_count(changes));
    serving->drained = (Done){done, user_data};
    serving->drain = fs_drain_new(changes, DRAIN_MS, on_drained, serving);
    return TRUE;
}

void
fs_serving_end_drain(FsServing *serving)
{
    FsChanges *changes = serving->account->changes;

    if (serving->drain == NULL)
        return;
    serving->drained.func = NULL;
    g_clear_pointer(&serving->drain, fs_drain_free);
    if (fs_changes_count(changes) > 0)
        fs_account_say(serving->account,
                       "%u changes are left to the next mount",
                       fs_changes_count(changes));
}

static void
on_stopped(gpointer user_data)
{
    FsServing *serving = user_data;

    tell(serving, &serving->stopped, NULL);
}

void
fs_serving_stop(FsServing *serving, FsServingFunc done, gpointer user_data)
{
    fs_mount_report_remove(serving->account);
    fs_announcer_retire(serving->announcer);
    g_clear_pointer(&serving->line, fs_line_free);
    g_clear_pointer(&serving->discovery, fs_discovery_again_free);
    serving->stopped = (Done){done, user_data};
    fs_handlers_stop(serving->handlers, ENETDOWN, on_stopped, serving);
}

void
fs_serving_unmounted(FsServing *serving)
{
    serving->account->writing = NULL;
    fs_writing_stop(serving->writing);
    fs_announcer_stop(serving->announcer);
}

static gboolean
on_logged_out(gpointer user_data)
{
    FsServing *serving = user_data;

    tell(serving, &serving->logged_out, NULL);
    return G_SOURCE_REMOVE;
}

void
fs_serving_log_out(FsServing *serving, FsServingFunc done, gpointer user_data)
{
    serving->logged_out = (Done){done, user_data};
    fs_account_announce_end(serving->account);
    imap_pool_log_out(serving->account->pool, on_logged_out, serving);
}
