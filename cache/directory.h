/* A directory of ours on disk, the account's: the owner's alone, and one
 * process's at a time. */
#pragma once

#include <glib.h>

typedef struct CacheDirectory CacheDirectory;

/* Makes @path, with its parents, owner-only, and locks it until it is closed or
 * the process ends, however it ends. Fails with CACHE_ERROR_LOCKED (the message
 * names the process that has it), CACHE_ERROR_NO_SPACE or CACHE_ERROR_IO: it
 * cannot be made or written, or belongs to somebody else. */
CacheDirectory *cache_directory_open(const char *path, GError **error);
void cache_directory_close(CacheDirectory *directory); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheDirectory, cache_directory_close)

const char *cache_directory_path(const CacheDirectory *directory);

/* The process that holds the lock goes on in a child of the calling one: the
 * lock file is to name that. */
void cache_directory_set_pid(CacheDirectory *directory, GPid pid);
