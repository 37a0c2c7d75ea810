/* The life of one mount.
 *
 * The login comes before the mount and before the background, so that a wrong
 * password is a sentence on the terminal and nothing else. */
#include "fs/run.h"

#include "fs/account.h"
#include "fs/changes/changes.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/session.h"
#include "fs/live/announcer.h"
#include "fs/live/line.h"
#include "fs/log.h"
#include "fs/mount/background.h"
#include "fs/mount/mount-identity.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-layout.h"
#include "fs/remedies.h"
#include "fs/service/mount-report.h"
#include "fs/service/reload.h"
#include "fs/service/service-manager.h"
#include "fs/service/terminal.h"
#include "fs/sync/lister.h"
#include "fs/views/searches-view.h"
#include "fs/writing/local-names.h"
#include "fs/writing/writing.h"
#include "imap/error.h"
#include "imap/trace.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* With offline_ok, what is in the cache is shown after so long: the server may
 * well come later. */
#define OFFLINE_LOGIN_MS 10000u

/* The mailboxes are listed before the mount is there, so that who comes first
 * need not wait for them; but it does not wait for longer. */
#define LIST_MS 2000u

/* What was changed is sent before the end, for so long at the most: the next
 * mount of the account waits a little longer (cache/directory.c). What is left
 * then, is left to it. */
#define DRAIN_MS 15000u

typedef struct {
    FsOptions *options;
    GMainLoop *loop;
    FsAccount *account;
    FsNameSpace *names;
    FsWriting *writing; /* NULL: read-only */
    FsSession *session;
    FsHandlers *handlers;
    gboolean stopped; /* nobody waits for the kernel any longer */
    FsLine *line;     /* NULL before and after serving */
    FsReload *reload; /* NULL before serving */
    gboolean waiting; /* for the login, of which this is the error */
    GError *error;
    FsNeedWaiter *listing; /* NULL: nothing is waited for */
    FsSupervisor *supervisor;
    FsAnnouncer *announcer;
    FsHelperProcess *announcing; /* until the announcer has it */
} Mount;

static gboolean
on_end(gpointer user_data)
{
    Mount *mount = user_data;

    g_main_loop_quit(mount->loop);
    return G_SOURCE_REMOVE;
}

static void
on_drained(gpointer user_data)
{
    on_end(user_data);
}

static gboolean
on_signal(gpointer user_data)
{
    on_end(user_data);
    return G_SOURCE_CONTINUE;
}

/* As daemons do; but what stays in the foreground of a terminal ends with that.
 */
static gboolean
on_hangup(gpointer user_data)
{
    Mount *mount = user_data;

    if (mount->reload == NULL || fs_terminal_is_lost())
        return on_signal(mount);
    fs_reload_start(mount->reload);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_question(gpointer user_data)
{
    Mount *mount = user_data;

    fs_mount_report_log(mount->account);
    return G_SOURCE_CONTINUE;
}

static void
on_ended(gpointer user_data)
{
    on_end(user_data);
}

static void
on_stopped(gpointer user_data)
{
    Mount *mount = user_data;

    mount->stopped = TRUE;
    on_end(mount);
}

static void
on_logged_in(ImapLease *lease, const GError *error, gpointer user_data)
{
    Mount *mount = user_data;

    imap_lease_release(lease);
    if (!mount->waiting)
        return;
    if (error != NULL)
        mount->error = g_error_copy(error);
    g_main_loop_quit(mount->loop);
}

static gboolean
on_late(gpointer user_data)
{
    Mount *mount = user_data;

    mount->error = g_error_new(
        IMAP_ERROR, IMAP_ERROR_TIMEOUT, "%s did not answer for %.3g seconds",
        mount->options->settings->host,
        MIN(OFFLINE_LOGIN_MS, mount->options->settings->timeout_ms) / 1e3);
    g_main_loop_quit(mount->loop);
    return G_SOURCE_CONTINUE;
}

/* Whether the error of the login may be over later, by itself: not a wrong
 * password, nor a wrong certificate. */
static gboolean
may_pass(const GError *error)
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

static void
go_offline(Mount *mount)
{
    gboolean has_list = fs_lister_restore(mount->account->lister);

    g_message("%s; mounting %s", mount->error->message,
              has_list ? "what is in the cache"
                       : "without anything, for nothing is in the cache");
    g_clear_error(&mount->error);
}

static void
on_listed(const GError *error, gpointer user_data)
{
    Mount *mount = user_data;

    mount->listing = NULL;
    g_main_loop_quit(mount->loop);
}

static gboolean
on_list_late(gpointer user_data)
{
    Mount *mount = user_data;

    g_main_loop_quit(mount->loop);
    return G_SOURCE_CONTINUE;
}

/* If that fails, whoever looks into the mount is told why. */
static void
list_mailboxes(Mount *mount)
{
    FsNeed *need =
        fs_lister_need(mount->account->lister, g_get_monotonic_time());
    guint late;

    if (need == NULL)
        return;
    mount->listing = fs_need_wait(need, on_listed, mount);
    late = g_timeout_add(LIST_MS, on_list_late, mount);
    g_main_loop_run(mount->loop);
    g_source_remove(late);
    if (mount->listing != NULL)
        fs_need_cancel(g_steal_pointer(&mount->listing));
}

static gboolean
log_in(Mount *mount, GError **error)
{
    const FsOptions *options = mount->options;
    guint late = 0;

    if (options->offline_ok)
        late =
            g_timeout_add(MIN(OFFLINE_LOGIN_MS, options->settings->timeout_ms),
                          on_late, mount);
    mount->waiting = TRUE;
    fs_service_manager_status("Logging in at %s", options->settings->host);
    imap_pool_acquire(mount->account->pool, NULL, on_logged_in, mount);
    g_main_loop_run(mount->loop);
    mount->waiting = FALSE;
    g_clear_handle_id(&late, g_source_remove);
    if (mount->error == NULL)
        list_mailboxes(mount);
    if (options->offline_ok && may_pass(mount->error))
        go_offline(mount);
    if (mount->error == NULL)
        return TRUE;
    fs_remedies_add(&mount->error, options);
    g_propagate_error(error, g_steal_pointer(&mount->error));
    return FALSE;
}

static void
add_option(struct fuse_args *args, const char *option)
{
    fuse_opt_add_arg(args, "-o");
    fuse_opt_add_arg(args, option);
}

static gboolean
attach(Mount *mount, GError **error)
{
    const FsOptions *options = mount->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    g_autofree char *fsname = NULL;
    gboolean attached;

    fsname = g_strdup_printf(
        "fsname=imapfs#%s@%s",
        options->settings->username != NULL ? options->settings->username : "",
        options->settings->host);
    g_strdelimit(fsname, ",\\", '_');
    fuse_opt_add_arg(&args, "imapfs");
    add_option(&args, fsname);
    add_option(&args, "subtype=imapfs");
    for (char **option = options->fuse_options; *option != NULL; option++)
        add_option(&args, *option);
    /* Without it nobody would look at the mode bits, and umask be void. */
    if (options->allow_other)
        add_option(&args, "default_permissions");
    /* Last, for mount(8) begins with "rw". Without it, too, nothing can be
     * written; but the kernel lets watchers be woken (fs/live/announcer.h). */
    if (options->read_only)
        add_option(&args, "ro");

    mount->session =
        fs_session_new(&args, &fs_handlers_ops, mount->handlers, error);
    fuse_opt_free_args(&args);
    if (mount->session == NULL)
        return FALSE;
    fs_handlers_attach(mount->handlers, fs_session_fuse(mount->session));
    fs_session_set_ended(mount->session, on_ended, mount);
    attached = fs_session_mount(mount->session, options->mountpoint, error);
    if (!attached)
        g_clear_pointer(&mount->session, fs_session_free);
    return attached;
}

/* From here on somebody sees to the mount if we are killed. */
static void
introduce_helpers(Mount *mount)
{
    FsMountIdentity identity;

    if (!fs_mount_identity_find(fs_session_mountpoint(mount->session),
                                &identity)) {
        g_message("The mount is not in the list of mounts");
        return;
    }
    fs_supervisor_watch(mount->supervisor, &identity);
    fs_announcer_start(mount->announcer, &identity);
}

/* Another signal ends this, too. */
static void
drain(Mount *mount)
{
    FsChanges *changes = mount->account->changes;
    FsDrain *drain;

    if (!fs_drain_is_needed(changes))
        return;
    fs_account_announce_end(mount->account);
    fs_service_manager_status("Sending %u changes before the end",
                              fs_changes_count(changes));
    drain = fs_drain_new(changes, DRAIN_MS, on_drained, mount);
    g_main_loop_run(mount->loop);
    fs_drain_free(drain);
    if (fs_changes_count(changes) > 0)
        g_message("%u changes are left to the next mount",
                  fs_changes_count(changes));
}

/* Nothing else tells of it: it is in no listing. */
static void
announce_views(Mount *mount)
{
    g_autofree char *names = NULL;

    if (mount->options->quiet || mount->options->unannounced ||
        (mount->options->foreground && !isatty(STDOUT_FILENO)))
        return; /* a service's standard output is its log */
    names = fs_views_names(fs_handlers_views(mount->handlers));
    printf("imapfs: %s/.imapfs, which is not listed, has the same mail in "
           "other forms: %s. Its README tells of them.\n",
           mount->options->mountpoint, names);
    fflush(stdout);
}

static void
serve(Mount *mount)
{
    announce_views(mount);
    mount->line =
        fs_line_new(mount->account, fs_handlers_kernel_cache(mount->handlers));
    mount->reload = fs_reload_new(mount->account, mount->options);
    if (!mount->options->foreground) {
        fs_log_use_system();
        fs_background_detach();
    }
    introduce_helpers(mount);
    fs_handlers_watch(mount->handlers);
    fs_writing_resume(mount->writing);
    fs_mount_report_line(mount->account);
    fs_service_manager_ready();
    g_main_loop_run(mount->loop);
    fs_service_manager_stopping();
    fs_reload_stop(mount->reload);
    drain(mount);
    fs_announcer_retire(mount->announcer);
    g_clear_pointer(&mount->line, fs_line_free);
    fs_handlers_stop(mount->handlers, ENETDOWN, on_stopped, mount);
    while (!mount->stopped)
        g_main_loop_run(mount->loop);
    fs_session_unmount(mount->session);
    mount->account->writing = NULL;
    fs_writing_stop(mount->writing);
    fs_announcer_stop(mount->announcer);
    g_clear_pointer(&mount->supervisor, fs_supervisor_free);
    fs_account_announce_end(mount->account);
    imap_pool_log_out(mount->account->pool, on_end, mount);
    g_main_loop_run(mount->loop);
}

/* From before it is mounted, so that no signal leaves a dead mount. */
static gboolean
attach_and_serve(Mount *mount, GError **error)
{
    static const struct {
        int number;
        GSourceFunc func;
    } signals[] = {
        {SIGTERM, on_signal},
        {SIGINT, on_signal},
        {SIGHUP, on_hangup},
        {SIGUSR1, on_question},
    };
    guint sources[G_N_ELEMENTS(signals)];
    gboolean attached;

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sources[i] =
            g_unix_signal_add(signals[i].number, signals[i].func, mount);
    attached = attach(mount, error);
    if (attached)
        serve(mount);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        g_source_remove(sources[i]);
    return attached;
}

static gboolean
begin_writing(Mount *mount, GError **error)
{
    mount->writing = fs_writing_new(mount->account, error);
    if (mount->writing == NULL)
        return FALSE;
    mount->account->writing = mount->writing;
    mount->names =
        fs_local_names_new(mount->account, mount->names, mount->writing);
    return TRUE;
}

static void
name_mount(const FsOptions *options)
{
    const ImapSettings *settings = options->settings;
    g_autofree char *account = g_strdup_printf(
        "%s@%s", settings->username != NULL ? settings->username : "",
        settings->host);

    fs_log_set_mount(account, options->mountpoint);
}

static gboolean
run(Mount *mount, GError **error)
{
    mount->account = fs_account_new(mount->options, error);
    if (mount->account == NULL)
        return FALSE;
    mount->announcer = fs_announcer_new(g_steal_pointer(&mount->announcing),
                                        mount->account->tree);
    /* What it announces are entries of folders. */
    if (mount->options->layout == FS_LAYOUT_MAILBOX)
        mount->account->announcer = mount->announcer;
    mount->names = fs_mailbox_layout_new(mount->account);
    if (!mount->options->read_only && !begin_writing(mount, error))
        return FALSE;
    if (mount->options->searches)
        mount->names = fs_root_searches_new(mount->account, mount->names);
    mount->names =
        fs_maildir_layout_new(mount->account, mount->names, mount->writing);
    mount->handlers =
        fs_handlers_new(mount->account, mount->names, mount->writing);
    return log_in(mount, error) && attach_and_serve(mount, error);
}

int
fs_run(FsOptions *options, FsHelpers *helpers)
{
    Mount mount = {
        .options = options,
        .supervisor = g_steal_pointer(&helpers->supervisor),
        .announcing = g_steal_pointer(&helpers->announcing),
    };
    g_autoptr(GError) error = NULL;

    fs_log_start(options->debug);
    fs_log_set_verbosity(options->verbose, options->quiet);
    name_mount(options);
    imap_trace_enable(options->trace);
    mount.loop = g_main_loop_new(NULL, FALSE);
    run(&mount, &error);
    fs_session_free(mount.session);
    fs_handlers_free(mount.handlers);
    fs_name_space_free(mount.names);
    fs_writing_free(mount.writing);
    fs_announcer_free(mount.announcer);
    fs_helper_process_free(mount.announcing);
    fs_supervisor_free(mount.supervisor);
    fs_account_free(mount.account);
    fs_reload_free(mount.reload);
    fs_service_manager_forget();
    g_main_loop_unref(mount.loop);
    if (error == NULL)
        return 0;
    g_printerr("imapfs: %s\n", error->message);
    return 1;
}
