/* The life of one mount.
 *
 * The login comes before the mount and before the background, so that a wrong
 * password is a sentence on the terminal and nothing else. */
#include "fs/run.h"

#include "fs/file-limit.h"
#include "fs/log.h"
#include "fs/mount/background.h"
#include "fs/mount/mount.h"
#include "fs/opening.h"
#include "fs/remedies.h"
#include "fs/run-private.h"
#include "fs/service/mount-report.h"
#include "fs/service/service-manager.h"
#include "fs/service/terminal.h"
#include "imap/trace.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* ---- what ends it ---- */

static gboolean
on_signal(gpointer user_data)
{
    FsMountRun *run = user_data;

    run->ended = run->interrupted = TRUE;
    g_main_loop_quit(run->loop);
    return G_SOURCE_CONTINUE;
}

static void
on_ended(gpointer user_data)
{
    FsMountRun *run = user_data;

    run->ended = TRUE;
    g_main_loop_quit(run->loop);
}

/* As daemons do; but what stays in the foreground of a terminal ends with that.
 */
static gboolean
on_hangup(gpointer user_data)
{
    FsMountRun *run = user_data;
    gboolean reloads = FALSE;

    if (!fs_terminal_is_lost())
        for (guint i = 0; i < run->servings->len; i++)
            reloads |= fs_serving_reload(g_ptr_array_index(run->servings, i));
    return reloads ? G_SOURCE_CONTINUE : on_signal(run);
}

static gboolean
on_question(gpointer user_data)
{
    FsMountRun *run = user_data;

    for (guint i = 0; i < run->servings->len; i++)
        fs_mount_report_log(
            fs_serving_account(g_ptr_array_index(run->servings, i)));
    return G_SOURCE_CONTINUE;
}

static void
ignore_signals(FsMountRun *run)
{
    for (guint i = 0; i < FS_RUN_SIGNALS; i++)
        g_clear_handle_id(&run->signals[i], g_source_remove);
}

static void
heed_signals(FsMountRun *run)
{
    static const struct {
        int number;
        GSourceFunc func;
    } signals[FS_RUN_SIGNALS] = {
        {SIGTERM, on_signal},
        {SIGINT, on_signal},
        {SIGHUP, on_hangup},
        {SIGUSR1, on_question},
    };

    ignore_signals(run);
    for (guint i = 0; i < FS_RUN_SIGNALS; i++)
        run->signals[i] =
            g_unix_signal_add(signals[i].number, signals[i].func, run);
}

/* ---- what ends it before it is mounted ---- */

static gboolean
kill_by(FsMountRun *run, int number)
{
    run->killed_by = number;
    g_main_loop_quit(run->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt(gpointer user_data)
{
    return kill_by(user_data, SIGINT);
}

static gboolean
on_termination(gpointer user_data)
{
    return kill_by(user_data, SIGTERM);
}

void
fs_mount_run_heed_interrupts(FsMountRun *run)
{
    run->signals[0] = g_unix_signal_add(SIGINT, on_interrupt, run);
    run->signals[1] = g_unix_signal_add(SIGTERM, on_termination, run);
}

void
fs_mount_run_ignore_interrupts(FsMountRun *run)
{
    ignore_signals(run);
}

GError *
fs_mount_run_interrupted(const char *whom)
{
    return g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED,
                       "interrupted before it was mounted%s%s",
                       whom != NULL ? "; " : "", whom != NULL ? whom : "");
}

int
fs_mount_run_fail(const FsMountRun *run, const GError *error)
{
    if (error != NULL)
        g_printerr("imapfs: %s\n", error->message);
    if (run->killed_by != 0) {
        signal(run->killed_by, SIG_DFL);
        raise(run->killed_by);
    }
    return 1;
}

/* ---- the mount ---- */

void
fs_mount_run_add_option(struct fuse_args *args, const char *option)
{
    fuse_opt_add_arg(args, "-o");
    fuse_opt_add_arg(args, option);
}

void
fs_mount_run_add_options(struct fuse_args *args, const FsOptions *options,
                         const char *name)
{
    g_autofree char *fsname = g_strdup_printf("fsname=imapfs#%s", name);

    g_strdelimit(fsname, ",\\", '_');
    fuse_opt_add_arg(args, "imapfs");
    fs_mount_run_add_option(args, fsname);
    fs_mount_run_add_option(args, "subtype=imapfs");
    for (char **option = options->fuse_options; *option != NULL; option++)
        fs_mount_run_add_option(args, *option);
    /* Without it nobody would look at the mode bits, and umask be void. */
    if (options->allow_other)
        fs_mount_run_add_option(args, "default_permissions");
    /* Last, for mount(8) begins with "rw". Without it, too, nothing can be
     * written; but the kernel lets watchers be woken (fs/live/announcer.h). */
    if (options->read_only)
        fs_mount_run_add_option(args, "ro");
}

gboolean
fs_mount_run_mount(FsMountRun *run, const FsOptions *options, GError **error)
{
    gboolean mounted;

    fs_session_set_ended(run->session, on_ended, run);
    heed_signals(run);
    mounted = fs_session_mount(run->session, options->mountpoint, error);
    /* Whoever waits to hear that it is mounted must not hear that it is. */
    if (mounted && !options->foreground && fs_session_has_ended(run->session)) {
        fs_session_unmount(run->session);
        fs_mount_set_error(error, options->mountpoint,
                           "it was unmounted before it could be served");
        mounted = FALSE;
    }
    if (!mounted)
        ignore_signals(run);
    return mounted;
}

gboolean
fs_mount_run_find(FsMountRun *run, FsMountIdentity *identity)
{
    if (!fs_mount_identity_find(fs_session_mountpoint(run->session),
                                identity)) {
        g_message("The mount is not in the list of mounts");
        return FALSE;
    }
    fs_supervisor_watch(run->supervisor, identity,
                        fuse_session_fd(fs_session_fuse(run->session)));
    return TRUE;
}

/* ---- the end ---- */

/* A FsServingFunc. */
static void
on_answer(FsServing *serving, const GError *error, gpointer user_data)
{
    FsMountRun *run = user_data;

    run->n_awaited--;
    if (run->n_awaited == 0)
        g_main_loop_quit(run->loop);
}

/* A signal ends that, too. */
static void
await(FsMountRun *run)
{
    run->interrupted = FALSE;
    while (run->n_awaited > 0 && !run->interrupted)
        g_main_loop_run(run->loop);
    run->n_awaited = 0;
}

static void
drain(FsMountRun *run)
{
    for (guint i = 0; i < run->servings->len; i++)
        if (fs_serving_drain(g_ptr_array_index(run->servings, i), on_answer,
                             run))
            run->n_awaited++;
    await(run);
    for (guint i = 0; i < run->servings->len; i++)
        fs_serving_end_drain(g_ptr_array_index(run->servings, i));
}

static void
stop(FsMountRun *run)
{
    for (guint i = 0; i < run->servings->len; i++) {
        run->n_awaited++;
        fs_serving_stop(g_ptr_array_index(run->servings, i), on_answer, run);
    }
    /* To the end: the session must not go before. */
    while (run->n_awaited > 0)
        g_main_loop_run(run->loop);
}

static void
unmount(FsMountRun *run)
{
    if (run->branches != NULL)
        fs_branches_end(run->branches);
    fs_session_unmount(run->session);
    for (guint i = 0; i < run->servings->len; i++)
        fs_serving_unmounted(g_ptr_array_index(run->servings, i));
    g_clear_pointer(&run->supervisor, fs_supervisor_free);
}

static void
log_out(FsMountRun *run)
{
    for (guint i = 0; i < run->servings->len; i++) {
        run->n_awaited++;
        fs_serving_log_out(g_ptr_array_index(run->servings, i), on_answer, run);
    }
    await(run);
}

void
fs_mount_run_serve(FsMountRun *run)
{
    fs_service_manager_ready();
    while (!run->ended)
        g_main_loop_run(run->loop);
    fs_service_manager_stopping();
    drain(run);
    stop(run);
    unmount(run);
    log_out(run);
    ignore_signals(run);
}

void
fs_mount_run_init(FsMountRun *run, FsSupervisor *supervisor)
{
    *run = (FsMountRun){
        .loop = g_main_loop_new(NULL, FALSE),
        .servings =
            g_ptr_array_new_with_free_func((GDestroyNotify)fs_serving_free),
        .supervisor = supervisor,
    };
}

void
fs_mount_run_finish(FsMountRun *run)
{
    ignore_signals(run);
    if (run->branches != NULL)
        fs_branches_end(run->branches);
    if (run->session != NULL)
        fs_session_unmount(run->session);
    fs_branches_free(run->branches);
    fs_session_free(run->session);
    fs_supervisor_free(run->supervisor);
    g_ptr_array_unref(run->servings);
    fs_service_manager_forget();
    g_main_loop_unref(run->loop);
}

void
fs_mount_run_announce_views(const FsOptions *options, const char *directory,
                            FsServing *serving)
{
    g_autofree char *names = NULL;

    if (options->quiet || options->unannounced ||
        (options->foreground && !isatty(STDOUT_FILENO)))
        return; /* a service's standard output is its log */
    names = fs_views_names(fs_handlers_views(fs_serving_handlers(serving)));
    printf("imapfs: %s/.imapfs, which is not listed, has the same mail in "
           "other forms: maildir, %s. Its README tells of them.\n",
           directory, names);
    fflush(stdout);
}

/* ---- one account ---- */

typedef struct {
    FsMountRun *run;
    FsServing *serving;
    GError *error;
    gboolean done;
} Opened;

/* A FsOpenedFunc. */
static void
on_opened(FsServing *serving, const GError *error, gpointer user_data)
{
    Opened *opened = user_data;

    opened->done = TRUE;
    opened->serving = serving;
    if (error != NULL)
        opened->error = g_error_copy(error);
    g_main_loop_quit(opened->run->loop);
}

/* Whoever has just unmounted the account may still be at work for it. */
static FsServing *
open_account(FsMountRun *run, FsOptions *options, FsHelperProcess *announcing,
             GError **error)
{
    Opened opened = {.run = run};
    FsOpening *opening =
        fs_opening_start(options, announcing, on_opened, &opened);
    g_autofree char *whom = NULL;

    fs_mount_run_heed_interrupts(run);
    while (!opened.done && run->killed_by == 0)
        g_main_loop_run(run->loop);
    fs_mount_run_ignore_interrupts(run);
    if (run->killed_by != 0) {
        if (!opened.done) {
            whom = fs_opening_describe(opening);
            fs_opening_cancel(opening);
        }
        g_clear_pointer(&opened.serving, fs_serving_free);
        g_clear_error(&opened.error);
        opened.error = fs_mount_run_interrupted(whom);
    }
    if (opened.error != NULL)
        g_propagate_error(error, opened.error);
    return opened.serving;
}

typedef struct {
    FsMountRun *run;
    GError *error;
    gboolean done;
} Login;

/* A FsServingFunc. */
static void
on_logged_in(FsServing *serving, const GError *error, gpointer user_data)
{
    Login *login = user_data;

    login->done = TRUE;
    if (error != NULL)
        login->error = g_error_copy(error);
    g_main_loop_quit(login->run->loop);
}

static void
go_offline(FsServing *serving, GError **error)
{
    gboolean has_list = fs_serving_go_offline(serving);

    g_message("%s; mounting %s", (*error)->message,
              has_list ? "what is in the cache"
                       : "without anything, for nothing is in the cache");
    g_clear_error(error);
}

static gboolean
log_in(FsMountRun *run, FsServing *serving, const FsOptions *options,
       GError **error)
{
    Login login = {.run = run};

    fs_service_manager_status("Logging in at %s", options->settings->host);
    fs_serving_log_in(serving,
                      options->offline_ok ? fs_serving_patience_ms(serving) : 0,
                      on_logged_in, &login);
    while (!login.done)
        g_main_loop_run(run->loop);
    if (options->offline_ok && fs_serving_may_pass(login.error))
        go_offline(serving, &login.error);
    if (login.error == NULL)
        return TRUE;
    fs_remedies_add(&login.error, options);
    g_propagate_error(error, login.error);
    return FALSE;
}

static gboolean
attach(FsMountRun *run, FsServing *serving, const FsOptions *options,
       GError **error)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    const char *user = options->settings->username;
    g_autofree char *name = g_strdup_printf("%s@%s", user != NULL ? user : "",
                                            options->settings->host);

    fs_mount_run_add_options(&args, options, name);
    run->session = fs_session_new(&args, &fs_handlers_ops,
                                  fs_serving_handlers(serving), error);
    fuse_opt_free_args(&args);
    if (run->session == NULL)
        return FALSE;
    fs_serving_attach(serving, fs_session_fuse(run->session), 0);
    if (fs_mount_run_mount(run, options, error))
        return TRUE;
    g_clear_pointer(&run->session, fs_session_free);
    return FALSE;
}

static void
serve(FsMountRun *run, FsServing *serving, const FsOptions *options)
{
    FsMountIdentity identity;
    /* Before anybody hears that it is mounted, and may unmount it. */
    gboolean found = fs_mount_run_find(run, &identity);

    fs_serving_say_in_use(serving);
    fs_mount_run_announce_views(options, options->mountpoint, serving);
    fs_serving_begin(serving);
    if (!options->foreground) {
        fs_log_use_system();
        fs_background_detach(0);
    }
    fs_serving_mounted(serving, found ? &identity : NULL);
    fs_mount_run_serve(run);
}

static gboolean
run_one(FsMountRun *run, FsOptions *options, FsHelperProcess *announcing,
        GError **error)
{
    FsServing *serving = open_account(run, options, announcing, error);

    if (serving == NULL)
        return FALSE;
    g_ptr_array_add(run->servings, serving);
    if (!log_in(run, serving, options, error) ||
        !attach(run, serving, options, error))
        return FALSE;
    serve(run, serving, options);
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

void
fs_run_begin(const FsOptions *options)
{
    fs_file_limit_raise();
    fs_service_manager_find();
    fs_terminal_note();
    if (!options->debug)
        fs_background_protect_secrets();
    if (!options->foreground)
        fs_background_start();
}

int
fs_run(FsOptions *options, FsHelpers *helpers)
{
    g_autoptr(GError) error = NULL;
    FsMountRun run;

    fs_log_start(options->debug);
    fs_log_set_verbosity(options->verbose, options->quiet);
    name_mount(options);
    imap_trace_enable(options->trace);
    fs_mount_run_init(&run, g_steal_pointer(&helpers->supervisor));
    run_one(&run, options, g_steal_pointer(&helpers->announcing), &error);
    fs_mount_run_finish(&run);
    return error == NULL ? 0 : fs_mount_run_fail(&run, error);
}
