/* Known by its status, as to whoever asks for that: a directory that holds such
 * a file is what the commands take for a mount. */
#include "fs/control/mount-around.h"

#include <stdlib.h>

static gboolean
is_mount(const char *directory)
{
    g_autofree char *status =
        g_build_filename(directory, ".imapfs", "status", NULL);

    return g_file_test(status, G_FILE_TEST_EXISTS);
}

/* The nearest directory above @path that is one; NULL: there is none. */
static char *
mount_above(const char *path)
{
    char *resolved = realpath(path, NULL);
    g_autofree char *below = g_strdup(resolved);

    free(resolved);
    while (below != NULL && !g_str_equal(below, "/")) {
        char *above = g_path_get_dirname(below);

        g_free(below);
        below = above;
        if (is_mount(below))
            return g_steal_pointer(&below);
    }
    return NULL;
}

char *
fs_mount_around_sentence(const char *path)
{
    g_autofree char *mount = mount_above(path);

    if (mount == NULL)
        return g_strdup_printf("%s is no mount of imapfs", path);
    return g_strdup_printf(
        "%s is no mount of imapfs, but lies in the one at %s; name that", path,
        mount);
}
