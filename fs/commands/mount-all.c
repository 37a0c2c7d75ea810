/* One process for each account.
 *
 * In the background one begins when the one before it has mounted, or failed:
 * each may ask for its password at the same terminal. In the foreground they
 * run side by side, and we wait for all. */
#include "fs/commands/mount-all.h"

#include "fs/mount/guarded-stat.h"
#include "fs/mount/mount-identity.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCOUNTS_MAX 4096

/* Those that run in the foreground; for the signal handler. */
static pid_t children[ACCOUNTS_MAX];
static volatile sig_atomic_t n_children;

static void
pass_on(int number)
{
    int before = errno;

    for (int i = 0; i < n_children; i++)
        if (children[i] > 0)
            kill(children[i], number);
    errno = before;
}

static void
pass_signals_on(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = pass_on};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &action, NULL);
}

static void
stop_passing_on(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    n_children = 0;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        signal(numbers[i], SIG_DFL);
}

/* ---- one account ---- */

static int
fail(const char *account, const char *reason)
{
    fprintf(stderr, "imapfs: %s: %s\n", account, reason);
    return EXIT_FAILURE;
}

static int
mount_account(int argc, char **argv, const char *account, const char *path,
              FsServeFunc serve)
{
    g_autoptr(FsOptions) options = NULL;
    g_autoptr(GError) error = NULL;

    if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != ENOTCONN)
        return fail(account, g_strerror(errno));
    if (!fs_options_parse_account(argc, argv, account, path, &options, &error))
        return fail(account, error->message);
    return serve(options);
}

/* And served: what a daemon that died has left is mounted anew. */
static gboolean
is_mounted(const char *path)
{
    FsMountIdentity identity;
    struct stat attributes;

    return fs_guarded_stat(path, &attributes) == 0 &&
           fs_mount_identity_find(path, &identity) &&
           strcmp(identity.path, path) == 0;
}

static pid_t
start(int argc, char **argv, const FsOptions *options, const char *account,
      const char *path, FsServeFunc serve)
{
    pid_t parent = getpid();
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child != 0)
        return child;
    stop_passing_on();
    if (options->foreground)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    exit(mount_account(argc, argv, account, path, serve));
}

/* Whether it has ended well. */
static gboolean
wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return FALSE;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* ---- all of them ---- */

static gboolean
wait_for_all(void)
{
    gboolean good = TRUE;

    for (int i = 0; i < n_children; i++) {
        good = wait_for(children[i]) && good;
        children[i] = 0;
    }
    return good;
}

int
fs_mount_all_run(int argc, char **argv, const FsOptions *options,
                 FsServeFunc serve)
{
    gboolean good = TRUE;

    if (g_strv_length(options->accounts) > ACCOUNTS_MAX)
        return fail("--all", "there are too many accounts");
    signal(SIGCHLD, SIG_DFL);
    if (options->foreground)
        pass_signals_on();
    for (char **account = options->accounts; *account != NULL; account++) {
        g_autofree char *path =
            g_build_filename(options->mountpoint, *account, NULL);
        pid_t child;

        if (is_mounted(path))
            continue;
        child = start(argc, argv, options, *account, path, serve);
        if (child < 0) {
            fail(*account, g_strerror(errno));
            good = FALSE;
        } else if (options->foreground) {
            children[n_children] = child;
            n_children++;
        } else {
            good = wait_for(child) && good;
        }
    }
    good = wait_for_all() && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
