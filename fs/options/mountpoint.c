/* Looking at the mountpoint before anything is done. ENOTCONN is what a mount
 * whose daemon died answers, if it does. */
#include "fs/options/mountpoint.h"

#include "fs/mount/guarded-stat.h"
#include "fs/options/option-values.h"
#include "fs/options/usage-error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static gboolean
holds_anything(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

    return directory != NULL && g_dir_read_name(directory) != NULL;
}

/* Whether something is mounted there: then it is left alone, for it may be an
 * automount, which waits for us. */
static gboolean
is_mountpoint(const char *path, const struct stat *attributes)
{
    g_autofree char *parent = g_path_get_dirname(path);
    struct stat above;

    return fs_guarded_stat(parent, &above) != 0 ||
           above.st_dev != attributes->st_dev;
}

static gboolean
check_empty(const FsOptions *options, const struct stat *attributes,
            GError **error)
{
    g_autofree char *printable = fs_option_printable(options->mountpoint);

    if (options->nonempty || is_mountpoint(options->mountpoint, attributes) ||
        !holds_anything(options->mountpoint))
        return TRUE;
    return fs_usage_fail(
        error,
        "mountpoint '%s' is not empty, and what is in it would be "
        "hidden; take an empty directory, or add -o nonempty",
        printable);
}

gboolean
fs_options_take_mountpoint(FsOptions *options, const char *path, GError **error)
{
    struct stat attributes;
    int reason = fs_guarded_stat(path, &attributes);
    char *resolved;
    g_autofree char *printable = fs_option_printable(path);

    if (reason != 0) {
        if (reason == ENOENT)
            return fs_usage_fail(
                error,
                "mountpoint '%s' does not exist; create it with "
                "mkdir",
                printable);
        if (reason != ENOTCONN && reason != ETIMEDOUT)
            return fs_usage_fail(
                error,
                "mountpoint '%s' cannot be looked at: %s; take a "
                "directory of your own",
                printable, g_strerror(reason));
    } else if (!S_ISDIR(attributes.st_mode)) {
        return fs_usage_fail(
            error,
            "mountpoint '%s' is not a directory; take an empty "
            "directory",
            printable);
    }

    resolved = realpath(path, NULL);
    if (resolved != NULL) {
        options->mountpoint = g_strdup(resolved);
        free(resolved);
    } else {
        g_autofree char *here = g_get_current_dir();

        options->mountpoint = g_path_is_absolute(path)
                                  ? g_strdup(path)
                                  : g_build_filename(here, path, NULL);
    }
    return reason != 0 || check_empty(options, &attributes, error);
}
