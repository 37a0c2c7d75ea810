/* GLib takes $HOME and $XDG_CONFIG_HOME as they are. */
#include "fs/home-directory.h"

#include <glib.h>
#include <pwd.h>
#include <unistd.h>

static char *
absolute(const char *path)
{
    return path != NULL && g_path_is_absolute(path) ? g_strdup(path) : NULL;
}

char *
fs_home_directory(void)
{
    char *home = absolute(g_getenv("HOME"));
    const struct passwd *user;

    if (home != NULL)
        return home;
    user = getpwuid(getuid());
    home = absolute(user != NULL ? user->pw_dir : NULL);
    return home != NULL ? home : g_strdup("/");
}

char *
fs_config_directory(void)
{
    char *chosen = absolute(g_getenv("XDG_CONFIG_HOME"));
    g_autofree char *home = NULL;

    if (chosen != NULL)
        return chosen;
    home = fs_home_directory();
    return g_build_filename(home, ".config", NULL);
}
