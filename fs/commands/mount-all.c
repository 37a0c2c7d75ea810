/* Before the mount: what each account is to be, and what it needs to log in.
 *
 * All of it comes one after another, for each may ask for its password at the
 * same terminal; but servers are looked for all at once, for a DNS that does
 * not answer takes its time. What is wrong with one account is said, and the
 * others go on. What they do not agree in, and have to, is the end of it. */
#include "fs/commands/mount-all.h"

#include "fs/live/announcer.h"
#include "fs/options/arguments.h"
#include "fs/options/credentials.h"
#include "fs/options/discovery.h"
#include "fs/options/options-together.h"
#include "fs/run-all.h"
#include "fs/run.h"

#include <stdio.h>
#include <stdlib.h>

/* What inode numbers have room for (fs/kernel/node-numbers.h), by far. */
#define ACCOUNTS_MAX 500u

typedef struct {
    FsRunAccount *account;
    GError *error; /* NULL: its server is known */
    GThread *thread;
} Discovery;

static int
fail(const GError *error)
{
    fprintf(stderr, "imapfs: %s\n", error->message);
    return EXIT_FAILURE;
}

static void
fail_account(FsRunAccount *account, GError *error)
{
    fprintf(stderr, "imapfs: %s: %s\n", account->name, error->message);
    account->error = error;
}

/* ---- what they are to be ---- */

static void
parse(int argc, char **argv, const FsOptions *options, FsRunAccount *account)
{
    GError *error = NULL;

    if (!fs_options_parse_account(argc, argv, account->name,
                                  options->mountpoint, &account->options,
                                  &error))
        fail_account(account, error);
}

static GPtrArray *
parse_all(int argc, char **argv, const FsOptions *options)
{
    GPtrArray *accounts =
        g_ptr_array_new_with_free_func((GDestroyNotify)fs_run_account_free);

    for (char **name = options->accounts; *name != NULL; name++) {
        FsRunAccount *account = g_new0(FsRunAccount, 1);

        account->name = g_strdup(*name);
        g_ptr_array_add(accounts, account);
        parse(argc, argv, options, account);
    }
    return accounts;
}

/* Of those that have any. FALSE also if there are none, which was said. */
static gboolean
join(FsOptions *options, const GPtrArray *accounts, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (guint i = 0; i < accounts->len; i++) {
        const FsRunAccount *account = g_ptr_array_index(accounts, i);

        if (account->options != NULL)
            g_ptr_array_add(all, account->options);
    }
    return all->len > 0 && fs_options_join(options, all, error);
}

/* ---- what they need ---- */

static gpointer
discover(gpointer user_data)
{
    Discovery *discovery = user_data;

    fs_discovery_run(discovery->account->options, &discovery->error);
    return NULL;
}

static void
discover_all(GPtrArray *accounts)
{
    g_autofree Discovery *all = g_new0(Discovery, accounts->len);

    for (guint i = 0; i < accounts->len; i++) {
        FsRunAccount *account = g_ptr_array_index(accounts, i);

        all[i].account = account;
        if (account->error == NULL && account->options->discover != NULL)
            all[i].thread = g_thread_new("imapfs-discover", discover, &all[i]);
    }
    for (guint i = 0; i < accounts->len; i++) {
        if (all[i].thread != NULL)
            g_thread_join(all[i].thread);
        if (all[i].error != NULL)
            fail_account(all[i].account, all[i].error);
    }
}

static void
obtain_all(GPtrArray *accounts, gboolean discovered)
{
    for (guint i = 0; i < accounts->len; i++) {
        FsRunAccount *account = g_ptr_array_index(accounts, i);
        GError *error = NULL;

        if (account->error == NULL &&
            (account->options->discover != NULL) == discovered &&
            !fs_credentials_obtain(account->options, &error))
            fail_account(account, error);
    }
}

/* The kernel would not let them do anything in a mount that is read-only. */
static void
start_announcing(GPtrArray *accounts)
{
    for (guint i = 0; i < accounts->len; i++) {
        FsRunAccount *account = g_ptr_array_index(accounts, i);

        if (account->error == NULL)
            account->announcing = fs_announcer_fork();
    }
}

static int
serve(FsOptions *options, GPtrArray *accounts)
{
    FsSupervisor *supervisor;

    fs_run_begin(options);
    supervisor = fs_supervisor_start();
    if (!options->read_only)
        start_announcing(accounts);
    /* Commands that tell a password are run before there are threads. */
    obtain_all(accounts, FALSE);
    discover_all(accounts);
    obtain_all(accounts, TRUE);
    return fs_run_all(options, accounts, supervisor);
}

int
fs_mount_all_run(int argc, char **argv, FsOptions *options)
{
    g_autoptr(GPtrArray) accounts = NULL;
    g_autoptr(GError) error = NULL;

    if (g_strv_length(options->accounts) > ACCOUNTS_MAX) {
        fprintf(stderr, "imapfs: --all takes %u accounts at most\n",
                ACCOUNTS_MAX);
        return EXIT_FAILURE;
    }
    accounts = parse_all(argc, argv, options);
    fs_arguments_hide();
    if (!join(options, accounts, &error))
        return error != NULL ? fail(error) : EXIT_FAILURE;
    return serve(options, accounts);
}
