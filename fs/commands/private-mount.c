/* The process of the mount is a child, in our process group, so that it may ask
 * for the password; and the kernel ends it if we are killed. */
#include "fs/commands/private-mount.h"

#include "fs/commands/mount-status.h"
#include "fs/commands/top-mount.h"
#include "fs/kernel/errno.h"
#include "fs/mount/mount-identity.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixmounts.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 50u

struct FsPrivateMount {
    char *path;
    pid_t child; /* 0: it has ended */
    int words;   /* what it says comes out of here */
    guint words_source;
    guint timer;
    FsPrivateMountFunc ready;
    FsPrivateMountSaidFunc said;
    gpointer user_data;
};

/* ---- one that is there already ---- */

/* Of an address it is the domain that counts: which of its servers serves the
 * mount, nobody else need know. */
static gboolean
is_same_server(JsonObject *account, const FsOptions *options)
{
    const ImapSettings *settings = options->settings;

    if (options->discover != NULL)
        return g_strcmp0(fs_mount_status_text(account, "domain"),
                         options->discover) == 0;
    return g_strcmp0(fs_mount_status_text(account, "host"), settings->host) ==
               0 &&
           fs_mount_status_number(account, "port") ==
               imap_settings_port(settings);
}

static gboolean
is_of_account(const char *mountpoint, const FsOptions *options)
{
    const ImapSettings *settings = options->settings;
    const char *user =
        settings->username != NULL ? settings->username : g_get_user_name();
    g_autoptr(JsonObject) status = fs_mount_status_read(mountpoint, NULL);
    JsonObject *account = fs_mount_status_object(status, "account");

    return account != NULL &&
           g_strcmp0(fs_mount_status_text(account, "user"), user) == 0 &&
           is_same_server(account, options) &&
           fs_mount_status_number(fs_mount_status_object(status, "cache"),
                                  "disk_limit_bytes") > 0;
}

/* At @mountpoint, or in a directory of it. */
static char *
find_account(const char *mountpoint, const FsOptions *options)
{
    g_autoptr(GPtrArray) accounts = fs_top_mount_find(mountpoint);

    if (accounts == NULL)
        return is_of_account(mountpoint, options) ? g_strdup(mountpoint) : NULL;
    for (guint i = 0; i < accounts->len; i++) {
        const FsTopAccount *account = g_ptr_array_index(accounts, i);

        if (account->error == NULL && is_of_account(account->path, options))
            return g_strdup(account->path);
    }
    return NULL;
}

char *
fs_private_mount_find_other(const FsOptions *options)
{
    GList *mounts = g_unix_mounts_get(NULL);
    char *found = NULL;

    for (GList *link = mounts; link != NULL && found == NULL;
         link = link->next) {
        GUnixMountEntry *mount = link->data;
        const char *path = g_unix_mount_get_mount_path(mount);

        if (strcmp(g_unix_mount_get_fs_type(mount), "fuse.imapfs") == 0)
            found = find_account(path, options);
    }
    g_list_free_full(mounts, (GDestroyNotify)g_unix_mount_free);
    return found;
}

/* ---- one of our own ---- */

/* All that is there by now. */
static void
pass_on(FsPrivateMount *mount)
{
    char text[4096];
    ssize_t length;

    while ((length = read(mount->words, text, sizeof text - 1)) > 0) {
        text[length] = '\0';
        mount->said(text, mount->user_data);
    }
}

static gboolean
on_words(int fd, GIOCondition condition, gpointer user_data)
{
    FsPrivateMount *mount = user_data;

    pass_on(mount);
    if ((condition & G_IO_IN) != 0)
        return G_SOURCE_CONTINUE;
    mount->words_source = 0;
    return G_SOURCE_REMOVE;
}

static void
tell(FsPrivateMount *mount, gboolean mounted)
{
    g_clear_handle_id(&mount->timer, g_source_remove);
    mount->ready(mounted, mount->user_data);
}

static gboolean
on_look(gpointer user_data)
{
    FsPrivateMount *mount = user_data;
    FsMountIdentity identity;

    if (waitpid(mount->child, NULL, WNOHANG) == mount->child) {
        mount->child = 0;
        mount->timer = 0;
        pass_on(mount);
        tell(mount, FALSE);
        return G_SOURCE_REMOVE;
    }
    if (!fs_mount_identity_find(mount->path, &identity))
        return G_SOURCE_CONTINUE;
    mount->timer = 0;
    tell(mount, TRUE);
    return G_SOURCE_REMOVE;
}

static void G_GNUC_NORETURN
serve_in_child(FsPrivateMount *mount, FsOptions *options, FsServeFunc serve,
               pid_t parent, int words)
{
    dup2(words, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    g_free(options->mountpoint);
    options->mountpoint = g_strdup(mount->path);
    options->foreground = TRUE;
    options->unannounced = TRUE;
    options->read_only = TRUE;
    options->allow_other = FALSE;
    options->mark_seen = FALSE;
    exit(serve(options));
}

static FsPrivateMount *
mount_fail(FsPrivateMount *mount, GError **error, const char *what)
{
    g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                "cannot mount for oneself: "
                "%s: %s",
                what, g_strerror(errno));
    g_free(mount->path);
    g_free(mount);
    return NULL;
}

FsPrivateMount *
fs_private_mount_new(FsOptions *options, FsServeFunc serve,
                     FsPrivateMountFunc ready, FsPrivateMountSaidFunc said,
                     gpointer user_data, GError **error)
{
    FsPrivateMount *mount = g_new0(FsPrivateMount, 1);
    pid_t parent = getpid();
    int ends[2];

    mount->ready = ready;
    mount->said = said;
    mount->user_data = user_data;
    mount->path =
        g_build_filename(g_get_tmp_dir(), "imapfs-fetch-XXXXXX", NULL);
    if (g_mkdtemp(mount->path) == NULL)
        return mount_fail(mount, error, mount->path);
    if (!g_unix_open_pipe(ends, FD_CLOEXEC, NULL)) {
        g_rmdir(mount->path);
        return mount_fail(mount, error, "pipe");
    }
    signal(SIGCHLD, SIG_DFL);
    fflush(NULL);
    mount->child = fork();
    if (mount->child < 0) {
        close(ends[0]);
        close(ends[1]);
        g_rmdir(mount->path);
        return mount_fail(mount, error, "fork");
    }
    if (mount->child == 0)
        serve_in_child(mount, options, serve, parent, ends[1]);
    close(ends[1]);
    mount->words = ends[0];
    g_unix_set_fd_nonblocking(mount->words, TRUE, NULL);
    mount->words_source =
        g_unix_fd_add(mount->words, G_IO_IN | G_IO_HUP, on_words, mount);
    mount->timer = g_timeout_add(LOOK_MS, on_look, mount);
    return mount;
}

const char *
fs_private_mount_path(const FsPrivateMount *mount)
{
    return mount->path;
}

void
fs_private_mount_free(FsPrivateMount *mount)
{
    if (mount == NULL)
        return;
    g_clear_handle_id(&mount->timer, g_source_remove);
    if (mount->child > 0) {
        kill(mount->child, SIGTERM);
        while (waitpid(mount->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    pass_on(mount);
    g_clear_handle_id(&mount->words_source, g_source_remove);
    close(mount->words);
    g_rmdir(mount->path);
    g_free(mount->path);
    g_free(mount);
}
