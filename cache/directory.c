/* A directory of ours on disk. */
#include "cache/directory.h"

struct CacheDirectory {
    char *path;
};

CacheDirectory *
cache_directory_open(const char *path, GError **error)
{
    CacheDirectory *directory = g_new0(CacheDirectory, 1);

    directory->path = g_strdup(path);
    g_mkdir_with_parents(path, 0700);
    return directory;
}

void
cache_directory_close(CacheDirectory *directory)
{
    if (directory == NULL)
        return;
    g_free(directory->path);
    g_free(directory);
}

const char *
cache_directory_path(const CacheDirectory *directory)
{
    return directory->path;
}

void
cache_directory_set_pid(CacheDirectory *directory, GPid pid)
{
}
