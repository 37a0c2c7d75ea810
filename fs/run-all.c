/* Several accounts, one mount.
 *
 * All log in at the same time. As soon as one has, the mount is there, so that
 * none waits for another; who looks into the directory of one that is not so
 * far waits for that one alone, also while another mount lets go of it. One
 * whose login fails is served all the same:
 * from its cache, and with errors for the rest, until it succeeds. One that
 * cannot be served at all, for its options or its password are missing or its
 * state cannot be opened, has a directory that says so.
 *
 * A server that does not answer keeps the others only from going to the
 * background, and not for long. */
#include "fs/run-all.h"

#include "fs/control/json.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/root-directory.h"
#include "fs/log.h"
#include "fs/mount/background.h"
#include "fs/opening.h"
#include "fs/remedies.h"
#include "fs/run-private.h"
#include "fs/service/service-manager.h"
#include "imap/trace.h"

#include <errno.h>
#include <string.h>

/* What may be told of an error. */
#define TEXT_MAX 1000
#define PATH_MAX_BYTES 4096

struct Together;

typedef struct {
    FsRunAccount *given; /* borrowed */
    struct Together *together;
    guint number;       /* in inode numbers of the kernel */
    FsOpening *opening; /* NULL: it is open, or cannot be served */
    FsServing *serving; /* borrowed; NULL: it cannot be served, or not yet */
    gboolean logged_in; /* or not, but that is over */
    gboolean begun;
    GError *error; /* of opening it, or of the login */
} Account;

typedef struct Together {
    FsMountRun run;
    const FsOptions *options;
    GPtrArray *accounts; /* of Account, owned */
    FsRootDirectory *root;
    gint64 since; /* microseconds since the epoch */
    gboolean mounted;
    gboolean found; /* what is mounted, as */
    FsMountIdentity mount;
    guint n_good;
} Together;

/* ---- saying what has failed ---- */

static void
fail_account(Account *account, GError *error)
{
    g_clear_error(&account->error);
    account->error = error;
    g_printerr("imapfs: %s: %s\n", account->given->name, error->message);
}

/* Wrong options, or a password that is missing, are the user's to put right. */
static int
errno_of(const GError *error)
{
    int number = error->domain == FS_ERROR && error->code != FS_ERROR_MOUNT
                     ? EACCES
                     : fs_errno_from_error(error);

    return number != 0 ? number : EIO;
}

static void
describe_why(JsonBuilder *builder, const Account *account)
{
    g_autofree char *whom = NULL;

    if (account->opening != NULL)
        whom = fs_opening_describe(account->opening);
    if (account->error != NULL)
        fs_json_add_text(builder, "error", account->error->message, TEXT_MAX);
    else
        fs_json_add_text(builder, "error",
                         whom != NULL ? whom : "it is being opened", TEXT_MAX);
}

/* A FsRootStatusFunc. */
static char *
describe(gpointer user_data)
{
    const Together *together = user_data;
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    fs_json_add_text(builder, "version", IMAPFS_VERSION, TEXT_MAX);
    fs_json_add_text(builder, "mountpoint", together->options->mountpoint,
                     PATH_MAX_BYTES);
    fs_json_add_time(builder, "since", together->since);
    json_builder_set_member_name(builder, "accounts");
    json_builder_begin_array(builder);
    for (guint i = 0; i < together->accounts->len; i++) {
        const Account *account = g_ptr_array_index(together->accounts, i);

        json_builder_begin_object(builder);
        fs_json_add_text(builder, "name", account->given->name, TEXT_MAX);
        fs_json_add_bool(builder, "served", account->serving != NULL);
        if (account->serving == NULL)
            describe_why(builder, account);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    text = fs_json_to_text(builder, TRUE);
    return g_strconcat(text, "\n", NULL);
}

/* ---- opening ---- */

static void join_mount(Account *account);
static void log_in(Account *account);

/* A FsOpenedFunc. */
static void
on_opened(FsServing *serving, const GError *error, gpointer user_data)
{
    Account *account = user_data;
    Together *together = account->together;

    account->opening = NULL;
    account->serving = serving;
    if (serving != NULL)
        g_ptr_array_add(together->run.servings, serving);
    else
        fail_account(account, g_error_copy(error));
    if (together->mounted)
        join_mount(account);
    if (account->serving != NULL)
        log_in(account);
    g_main_loop_quit(together->run.loop);
}

static void
open_account(Account *account)
{
    FsRunAccount *given = account->given;

    if (given->error != NULL)
        account->error = g_error_copy(given->error);
    else
        account->opening = fs_opening_start(given->options,
                                            g_steal_pointer(&given->announcing),
                                            on_opened, account);
}

static void
open_accounts(Together *together, GPtrArray *given)
{
    g_autofree const char **names = g_new(const char *, given->len);
    g_autofree guint *numbers = g_new(guint, given->len);

    for (guint i = 0; i < given->len; i++)
        names[i] = ((FsRunAccount *)g_ptr_array_index(given, i))->name;
    fs_node_numbers_of_names(names, given->len, numbers);
    for (guint i = 0; i < given->len; i++) {
        Account *account = g_new0(Account, 1);

        account->given = g_ptr_array_index(given, i);
        account->together = together;
        account->number = numbers[i];
        g_ptr_array_add(together->accounts, account);
        open_account(account);
    }
}

/* ---- the mount ---- */

static gboolean
add_branch(Together *together, Account *account, GError **error)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *fuse;

    fs_mount_run_add_options(&args, together->options, account->given->name);
    fuse = fs_branches_add(together->run.branches, account->number,
                           account->given->name, &args, &fs_handlers_ops,
                           fs_serving_handlers(account->serving), error);
    fuse_opt_free_args(&args);
    if (fuse != NULL)
        fs_serving_attach(
            account->serving, fuse,
            fs_branches_root(together->run.branches, account->number) -
                FS_INODE_ROOT);
    return fuse != NULL;
}

static guint64
root_of(const Account *account)
{
    return fs_branches_root(account->together->run.branches, account->number);
}

static gboolean
add_accounts(Together *together, GError **error)
{
    for (guint i = 0; i < together->accounts->len; i++) {
        Account *account = g_ptr_array_index(together->accounts, i);
        const char *name = account->given->name;
        gboolean added = TRUE;

        fs_root_directory_add(together->root, name, root_of(account));
        if (account->serving != NULL)
            added = add_branch(together, account, error);
        else if (account->opening != NULL)
            added = fs_branches_expect(together->run.branches, account->number,
                                       name, error);
        else
            fs_root_directory_set_broken(together->root, root_of(account),
                                         errno_of(account->error));
        if (!added)
            return FALSE;
    }
    return TRUE;
}

/* Who may look into the top is who may look into any of the accounts: if they
 * are not all one user's and one group's, everybody. */
static mode_t
mode_of_top(const Together *together)
{
    mode_t umask = 0777;

    for (guint i = 0; i < together->accounts->len; i++) {
        const Account *account = g_ptr_array_index(together->accounts, i);
        const FsOptions *options = account->given->options;

        if (options == NULL)
            continue;
        if (options->uid != together->options->uid ||
            options->gid != together->options->gid)
            return 0555;
        umask &= options->umask;
    }
    return (0555 & ~umask) | 0500;
}

static gboolean
attach(Together *together, GError **error)
{
    FsMountRun *run = &together->run;
    const FsOptions *options = together->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

    together->root = fs_root_directory_new(
        options->uid, options->gid, mode_of_top(together), describe, together);
    fs_mount_run_add_options(&args, options, "all");
    run->session =
        fs_session_new(&args, &fs_root_directory_ops, together->root, error);
    fuse_opt_free_args(&args);
    if (run->session == NULL)
        return FALSE;
    run->branches = fs_branches_new(run->session);
    return add_accounts(together, error) &&
           fs_mount_run_mount(run, options, error);
}

static void
tell_mounted(const Account *account)
{
    const Together *together = account->together;
    FsMountIdentity identity = together->mount;
    gsize used = strlen(identity.path);
    gboolean fits =
        (gsize)g_snprintf(identity.path + used, sizeof identity.path - used,
                          "/%s",
                          account->given->name) < sizeof identity.path - used;

    fs_serving_say_in_use(account->serving);
    fs_log_set_present(account->given->name);
    fs_serving_mounted(account->serving,
                       together->found && fits ? &identity : NULL);
    fs_log_set_present(NULL);
}

static void
tell_all_mounted(Together *together)
{
    together->mounted = TRUE;
    together->found = fs_mount_run_find(&together->run, &together->mount);
    for (guint i = 0; i < together->accounts->len; i++) {
        const Account *account = g_ptr_array_index(together->accounts, i);

        if (account->serving != NULL)
            tell_mounted(account);
    }
}

/* One that was opened, or not, when the others were mounted already. */
static void
join_mount(Account *account)
{
    Together *together = account->together;
    GError *error = NULL;

    if (account->serving != NULL && !add_branch(together, account, &error)) {
        g_ptr_array_remove(together->run.servings, account->serving);
        account->serving = NULL;
        fail_account(account, error);
    }
    if (account->serving != NULL)
        tell_mounted(account);
    else
        fs_root_directory_set_broken(together->root, root_of(account),
                                     errno_of(account->error));
    fs_branches_serve_kept(together->run.branches, account->number);
}

/* The end has come before them. */
static void
give_up_opening(Together *together)
{
    for (guint i = 0; i < together->accounts->len; i++) {
        Account *account = g_ptr_array_index(together->accounts, i);

        if (account->opening == NULL)
            continue;
        fs_opening_cancel(g_steal_pointer(&account->opening));
        if (together->run.branches == NULL)
            continue;
        fs_root_directory_set_broken(together->root, root_of(account),
                                     ENETDOWN);
        fs_branches_serve_kept(together->run.branches, account->number);
    }
}

/* ---- the login ---- */

/* A FsServingFunc. What follows has to wait until this has returned. */
static void
on_logged_in(FsServing *serving, const GError *error, gpointer user_data)
{
    Account *account = user_data;

    account->logged_in = TRUE;
    if (error != NULL)
        account->error = g_error_copy(error);
    g_main_loop_quit(account->together->run.loop);
}

/* Not for longer than somebody at a terminal would wait. */
static void
log_in(Account *account)
{
    fs_serving_log_in(account->serving,
                      fs_serving_patience_ms(account->serving), on_logged_in,
                      account);
}

static void
take_failure(Account *account)
{
    const FsOptions *options = account->given->options;
    gboolean has_list = fs_serving_go_offline(account->serving);

    if (options->offline_ok && fs_serving_may_pass(account->error)) {
        fs_log_of(account->given->name, "%s; mounting %s",
                  account->error->message,
                  has_list ? "what is in the cache"
                           : "without anything, for nothing is in the cache");
        g_clear_error(&account->error);
        return;
    }
    /* Without asking the DNS: the others are served meanwhile. */
    fs_remedies_add_known(&account->error, options);
    fail_account(account, g_steal_pointer(&account->error));
}

/* FALSE: some are not open, or not logged in, yet. */
static gboolean
take_logins(Together *together)
{
    gboolean all = TRUE;

    for (guint i = 0; i < together->accounts->len; i++) {
        Account *account = g_ptr_array_index(together->accounts, i);

        if (account->opening != NULL ||
            (account->serving != NULL && !account->logged_in)) {
            all = FALSE;
            continue;
        }
        if (account->serving == NULL || account->begun)
            continue;
        if (account->error != NULL)
            take_failure(account);
        together->n_good += account->error == NULL;
        account->begun = TRUE;
        fs_log_set_present(account->given->name);
        fs_serving_begin(account->serving);
        /* Some wait since the mount is there, and may have what they need. */
        fs_operation_run_all_again(fs_serving_handlers(account->serving));
        fs_log_set_present(NULL);
    }
    return all;
}

/* Who is waited for, if one is; caller frees. */
static char *
whom(const Together *together)
{
    for (guint i = 0; i < together->accounts->len; i++) {
        const Account *account = g_ptr_array_index(together->accounts, i);
        g_autofree char *who = NULL;

        if (account->opening != NULL)
            who = fs_opening_describe(account->opening);
        if (who != NULL)
            return g_strdup_printf("%s: %s", account->given->name, who);
    }
    return NULL;
}

/* FALSE, and nothing is mounted: @error says why, or it was said of each. */
static gboolean
log_in_and_mount(Together *together, GError **error)
{
    FsMountRun *run = &together->run;
    g_autofree char *who = NULL;
    gboolean all;

    while (!(all = take_logins(together)) || together->n_good > 0) {
        if (together->n_good > 0 && !together->mounted) {
            if (!attach(together, error))
                return FALSE;
            tell_all_mounted(together);
        }
        if (all || run->ended)
            break;
        g_main_loop_run(run->loop);
        if (run->killed_by != 0) {
            who = whom(together);
            g_propagate_error(error, fs_mount_run_interrupted(who));
            break;
        }
    }
    return together->mounted;
}

/* ---- serving ---- */

static gboolean
all_are_good(const Together *together)
{
    for (guint i = 0; i < together->accounts->len; i++)
        if (((Account *)g_ptr_array_index(together->accounts, i))->error !=
            NULL)
            return FALSE;
    return TRUE;
}

/* Of one account, for they are the same in all. */
static void
announce_views(const Together *together)
{
    for (guint i = 0; i < together->accounts->len; i++) {
        const Account *account = g_ptr_array_index(together->accounts, i);
        g_autofree char *directory = NULL;

        if (account->serving == NULL)
            continue;
        directory = g_build_filename(together->options->mountpoint,
                                     account->given->name, NULL);
        fs_mount_run_announce_views(together->options, directory,
                                    account->serving);
        return;
    }
}

/* The exit status. */
static int
serve(Together *together)
{
    int status = all_are_good(together) ? 0 : 1;

    announce_views(together);
    if (!together->options->foreground) {
        fs_log_use_system();
        fs_background_detach(status);
    }
    fs_mount_run_serve(&together->run);
    return together->options->foreground ? 0 : status;
}

/* ---- making and ending ---- */

static void
account_free(gpointer data)
{
    Account *account = data;

    g_clear_error(&account->error);
    g_free(account);
}

void
fs_run_account_free(FsRunAccount *account)
{
    if (account == NULL)
        return;
    g_free(account->name);
    fs_helper_process_free(account->announcing);
    fs_options_free(account->options);
    g_clear_error(&account->error);
    g_free(account);
}

int
fs_run_all(const FsOptions *mount, GPtrArray *accounts,
           FsSupervisor *supervisor)
{
    Together together = {
        .options = mount,
        .accounts = g_ptr_array_new_with_free_func(account_free),
        .since = g_get_real_time(),
    };
    g_autoptr(GError) error = NULL;
    gboolean mounted;
    int status = 1;

    fs_log_start(mount->debug);
    fs_log_set_verbosity(mount->verbose, mount->quiet);
    fs_log_set_mount(NULL, mount->mountpoint);
    imap_trace_enable(mount->trace);
    fs_mount_run_init(&together.run, supervisor);
    fs_service_manager_status("Logging in: %u accounts", accounts->len);
    fs_mount_run_heed_interrupts(&together.run);
    open_accounts(&together, accounts);
    mounted = log_in_and_mount(&together, &error);
    give_up_opening(&together);
    if (mounted)
        status = serve(&together);
    fs_mount_run_finish(&together.run);
    fs_root_directory_free(together.root);
    g_ptr_array_unref(together.accounts);
    return mounted ? status : fs_mount_run_fail(&together.run, error);
}
