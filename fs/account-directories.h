/* Where an account's cache and state lie on disk, and what is in them. */
#pragma once

#include "cache/directory.h"
#include "cache/state.h"
#include "fs/options/options.h"

typedef struct {
    CacheState *state;
    CacheDirectory *state_directory; /* NULL: the state is not kept, and then
                                        the cache cannot be, which uses its
                                        ids */
    CacheDirectory *cache_directory; /* NULL: the cache is not kept */
    char *in_use; /* who has them, as a sentence; NULL: nobody else */
} FsAccountDirectories;

/* Opens the state in what was locked (fs/account-locks.h), and makes the cache
 * go by it. A cache that cannot be used is done without, and a message says so.
 * Fails with CACHE_ERROR when the state cannot be read, and closes all.
 * @thread must outlive the state. */
gboolean fs_account_directories_open(FsAccountDirectories *directories,
                                     const FsOptions *options,
                                     CacheStoreThread *thread, GError **error);
/* Says that there is no cache, as @error has it. */
void fs_account_directories_say_without_cache(const FsOptions *options,
                                              const GError *error);
/* Says that another mount has them, if one has. */
void fs_account_directories_say_in_use(const FsAccountDirectories *directories,
                                       const FsOptions *options);
/* They will be closed soon: another mount of the account waits for that. */
void fs_account_directories_announce_end(FsAccountDirectories *directories);
/* The work of @thread for what lies in them must be over. What is NULL is
 * passed over. */
void fs_account_directories_close(FsAccountDirectories *directories);

/* Where they are, or would be. Caller frees both. */
void fs_account_directories_paths(const FsOptions *options, char **state,
                                  char **cache);

/* Octets that the cache in @directory may take: what @options say, or a tenth
 * of what could be had on that disk, but at least 2 GiB, if there is as much.
 */
guint64 fs_account_cache_size(const FsOptions *options,
                              const CacheDirectory *directory);

/* What messages call the account: its name, where it is one of several in a
 * mount; else NULL. */
const char *fs_account_label(const FsOptions *options);

/* "me@mail.example.org", or "me@127.0.0.1_10143" with a port that is not the
 * default: one path component, and another one for each user, host and port.
 * Caller frees. */
char *fs_account_directory_name(const ImapSettings *settings);
