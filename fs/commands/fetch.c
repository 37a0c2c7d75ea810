/* The command: which mount, which folders; the bar while it goes on; and what
 * came of it. Ctrl-C ends it at once, and what has come stays. */
#include "fs/commands/fetch.h"

#include "fs/commands/fetch-work.h"
#include "fs/commands/mount-status.h"
#include "fs/commands/private-mount.h"
#include "fs/commands/progress.h"
#include "fs/commands/top-mount.h"
#include "fs/commands/words.h"
#include "fs/kernel/errno.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* At most ten times a second. */
#define REDRAW_MS 125u
/* Ctrl-C ends a mount of our own, too, and we may hear of that first. */
#define SIGNAL_MS 300u

typedef struct {
    FsOptions *options;
    FsServeFunc serve;
    FsOutput output;
    GMainLoop *loop;
    FsPrivateMount *own; /* NULL: somebody else's mount is used */
    char *mountpoint;
    FsProgress *progress;
    FsFetchWork *work; /* NULL until it begins */
    gint64 began_at;   /* microseconds, monotonic */
    int signal;        /* that has ended it; 0: none */
    gboolean failed;
    gboolean said; /* and why was said, by the mount */
    GError *error;
} Fetch;

/* ---- folders ---- */

/* A path in the mount, or one that leads to it. */
static char *
folder_path(const Fetch *fetch, const char *folder)
{
    gsize length = strlen(fetch->mountpoint);

    if (strncmp(folder, fetch->mountpoint, length) == 0 &&
        (folder[length] == '/' || folder[length] == '\0'))
        folder += length;
    while (*folder == '/')
        folder++;
    return g_strdup(folder);
}

static char **
folder_paths(const Fetch *fetch, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    for (char **folder = fetch->options->folders; *folder != NULL; folder++) {
        char *path = folder_path(fetch, *folder);
        g_autofree char *full = g_build_filename(fetch->mountpoint, path, NULL);

        g_ptr_array_add(paths, path);
        if (!g_file_test(full, G_FILE_TEST_IS_DIR)) {
            g_autofree char *shown = fs_output_text(&fetch->output, *folder);

            g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                        "there is no folder %s; imapfs --check and ls show "
                        "what there is",
                        shown);
            return NULL;
        }
    }
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_steal(paths, NULL);
}

/* ---- going on ---- */

static gboolean
on_redraw(gpointer user_data)
{
    Fetch *fetch = user_data;
    FsFetchState state;

    fs_fetch_work_look(fetch->work, &state);
    if (state.phase != FS_FETCH_ENDED)
        fs_progress_show(fetch->progress, &state, g_get_monotonic_time());
    g_free(state.folder);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_over(gpointer user_data)
{
    Fetch *fetch = user_data;

    g_main_loop_quit(fetch->loop);
    return G_SOURCE_REMOVE;
}

static gboolean
on_ended(gpointer user_data)
{
    Fetch *fetch = user_data;

    if (fetch->own != NULL && fs_fetch_work_error(fetch->work) != NULL)
        g_timeout_add(SIGNAL_MS, on_over, fetch);
    else
        on_over(fetch);
    return G_SOURCE_REMOVE;
}

/* Of the one with a cache on disk. */
static gboolean
find_room(Fetch *fetch, guint64 *room)
{
    g_autoptr(JsonObject) status =
        fs_mount_status_read(fetch->mountpoint, &fetch->error);

    if (status == NULL)
        return FALSE;
    *room = fs_mount_status_number(fs_mount_status_object(status, "cache"),
                                   "disk_limit_bytes");
    if (*room > 0)
        return TRUE;
    g_set_error(&fetch->error, FS_ERROR, FS_ERROR_MOUNT,
                "the mount at %s keeps nothing on disk: it has no cache_dir, "
                "or is the second one of its account",
                fetch->mountpoint);
    return FALSE;
}

static void
begin(Fetch *fetch)
{
    g_auto(GStrv) folders = NULL;
    guint64 room;

    if (find_room(fetch, &room))
        folders = folder_paths(fetch, &fetch->error);
    if (folders == NULL) {
        g_main_loop_quit(fetch->loop);
        return;
    }
    fetch->began_at = g_get_monotonic_time();
    fetch->work = fs_fetch_work_new(
        fetch->mountpoint, (const char *const *)folders, room, on_ended, fetch);
    g_timeout_add(REDRAW_MS, on_redraw, fetch);
}

static gboolean
on_begin(gpointer user_data)
{
    begin(user_data);
    return G_SOURCE_REMOVE;
}

/* A FsPrivateMountSaidFunc. */
static void
on_said(const char *text, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (fetch->output.is_terminal)
        fs_progress_clear(fetch->progress);
    fputs(text, stderr);
}

static void
on_mounted(gboolean mounted, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (mounted) {
        begin(fetch);
        return;
    }
    fetch->failed = fetch->said = TRUE;
    g_main_loop_quit(fetch->loop);
}

/* ---- the end ---- */

static gboolean
on_interrupt(gpointer user_data)
{
    Fetch *fetch = user_data;

    fetch->signal = SIGINT;
    g_main_loop_quit(fetch->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_terminate(gpointer user_data)
{
    Fetch *fetch = user_data;

    fetch->signal = SIGTERM;
    g_main_loop_quit(fetch->loop);
    return G_SOURCE_CONTINUE;
}

static void
say_result(const Fetch *fetch, const FsFetchState *state)
{
    gint64 took = g_get_monotonic_time() - fetch->began_at;
    g_autofree char *done = fs_words_count(state->n_done);
    g_autofree char *octets = fs_words_size(state->octets_done);
    g_autofree char *time = fs_words_time(took);
    g_autofree char *all = fs_words_count(state->n_all);
    g_autofree char *size = fs_words_size(state->octets_all);

    if (fetch->signal != 0)
        printf("Stopped after %s messages, %s; they stay. Run it again to go "
               "on.\n",
               done, octets);
    else if (state->n_done > 0)
        printf("Fetched %s message%s, %s, in %s.\n", done,
               state->n_done == 1 ? "" : "s", octets, time);
    if (fetch->signal == 0 && fs_fetch_work_error(fetch->work) == NULL)
        printf(state->n_all == 1 ? "The %s message, %s, is in the cache.\n"
                                 : "All %s messages, %s, are in the cache.\n",
               all, size);
    fflush(stdout);
}

static void
take_result(Fetch *fetch)
{
    FsFetchState state;

    if (fetch->progress != NULL && fetch->output.is_terminal)
        fs_progress_clear(fetch->progress);
    if (fetch->work == NULL)
        return;
    fs_fetch_work_look(fetch->work, &state);
    say_result(fetch, &state);
    g_free(state.folder);
    /* After a signal its thread may still be waiting for the server. */
    if (fetch->signal != 0)
        return;
    if (fs_fetch_work_error(fetch->work) != NULL)
        fetch->error = g_error_copy(fs_fetch_work_error(fetch->work));
    fs_fetch_work_free(fetch->work);
}

static gboolean
choose_mount(Fetch *fetch)
{
    if (fetch->options->mountpoint != NULL) {
        fetch->mountpoint = g_strdup(fetch->options->mountpoint);
    } else {
        fetch->mountpoint = fs_private_mount_find_other(fetch->options);
        if (fetch->mountpoint != NULL) {
            printf("The account is mounted at %s, and fetched there.\n",
                   fetch->mountpoint);
            fflush(stdout);
        }
    }
    if (fetch->mountpoint != NULL) {
        g_idle_add(on_begin, fetch);
        return TRUE;
    }
    fetch->own = fs_private_mount_new(fetch->options, fetch->serve, on_mounted,
                                      on_said, fetch, &fetch->error);
    if (fetch->own != NULL)
        fetch->mountpoint = g_strdup(fs_private_mount_path(fetch->own));
    return fetch->own != NULL;
}

static int
fetch_one(FsOptions *options, FsServeFunc serve)
{
    Fetch fetch = {.options = options, .serve = serve};
    int ended_by;

    fs_output_look(&fetch.output, STDOUT_FILENO);
    fetch.loop = g_main_loop_new(NULL, FALSE);
    fetch.progress = fs_progress_new(&fetch.output);
    if (choose_mount(&fetch)) {
        g_unix_signal_add(SIGINT, on_interrupt, &fetch);
        g_unix_signal_add(SIGTERM, on_terminate, &fetch);
        g_unix_signal_add(SIGHUP, on_terminate, &fetch);
        g_main_loop_run(fetch.loop);
    }
    take_result(&fetch);
    fs_private_mount_free(fetch.own);
    if (fetch.error != NULL)
        fprintf(stderr, "imapfs: %s\n", fetch.error->message);
    fetch.failed |= fetch.error != NULL;
    ended_by = fetch.signal;
    fs_progress_free(fetch.progress);
    g_main_loop_unref(fetch.loop);
    g_clear_error(&fetch.error);
    g_free(fetch.mountpoint);
    if (ended_by != 0) {
        signal(ended_by, SIG_DFL);
        raise(ended_by);
    }
    return fetch.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- several accounts ---- */

/* The folders that are in the directory of @account, as they are called there;
 * those of other accounts are left out. */
static char **
folders_of(const FsTopAccount *account, char **folders, guint *n_found)
{
    GPtrArray *found = g_ptr_array_new();
    gsize length = strlen(account->name);

    for (char **folder = folders; *folder != NULL; folder++) {
        const char *name = *folder;
        gboolean whole = g_str_has_prefix(name, account->path);

        if (whole)
            name += strlen(account->path);
        else if (strncmp(name, account->name, length) == 0)
            name += length;
        else
            continue;
        if (*name != '/' && *name != '\0')
            continue;
        g_ptr_array_add(found, g_strdup(*name == '/' ? name + 1 : name));
    }
    *n_found += found->len;
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}

/* In a process of its own, for a loop that has ended is no good for another
 * one. Ctrl-C ends us, too. */
static int
fetch_account(const FsOptions *options, const FsTopAccount *account,
              char **folders)
{
    pid_t child;
    int status = 0;

    if (account->error != NULL) {
        fprintf(stderr, "imapfs: %s: %s\n", account->name, account->error);
        return EXIT_FAILURE;
    }
    printf("%s:\n", account->name);
    fflush(NULL);
    signal(SIGCHLD, SIG_DFL);
    child = fork();
    if (child == 0) {
        FsOptions own = *options;

        own.mountpoint = account->path;
        own.folders = folders;
        exit(fetch_one(&own, NULL));
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int
fetch_all(const FsOptions *options, const GPtrArray *accounts)
{
    guint n_folders = g_strv_length(options->folders);
    g_autoptr(GPtrArray) folders =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    int worst = EXIT_SUCCESS;
    guint n_found = 0;

    for (guint i = 0; i < accounts->len; i++)
        g_ptr_array_add(folders, folders_of(g_ptr_array_index(accounts, i),
                                            options->folders, &n_found));
    if (n_found < n_folders) {
        fprintf(stderr,
                "imapfs: %s has several accounts; write ACCOUNT/FOLDER "
                "for each folder\n",
                options->mountpoint);
        return EXIT_FAILURE;
    }
    for (guint i = 0; i < accounts->len; i++) {
        char **own = g_ptr_array_index(folders, i);

        if (n_folders == 0 || own[0] != NULL)
            worst =
                MAX(worst, fetch_account(options,
                                         g_ptr_array_index(accounts, i), own));
    }
    return worst;
}

int
fs_fetch_run(FsOptions *options, FsServeFunc serve)
{
    g_autoptr(GPtrArray) accounts = options->mountpoint != NULL
                                        ? fs_top_mount_find(options->mountpoint)
                                        : NULL;

    return accounts != NULL ? fetch_all(options, accounts)
                            : fetch_one(options, serve);
}
