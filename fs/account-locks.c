/* Taking an account's directories: first that of the state, then that of the
 * cache, for without the state whose ids it uses a cache means nothing. So
 * either both are used, or none, or the state alone. */
#include "fs/account-locks.h"

#include "cache/directory-opening.h"
#include "cache/error.h"
#include "fs/kernel/errno.h"
#include "fs/log.h"

#include <string.h>

struct FsAccountLocks {
    const FsOptions *options;
    char *state; /* paths */
    char *cache;
    FsAccountDirectories taken;
    CacheDirectoryOpening *opening; /* NULL: none is waited for */
    guint source;
    FsAccountLockedFunc locked;
    gpointer user_data;
};

static void
locks_free(FsAccountLocks *locks)
{
    g_clear_handle_id(&locks->source, g_source_remove);
    cache_directory_opening_cancel(locks->opening);
    fs_account_directories_close(&locks->taken);
    g_free(locks->state);
    g_free(locks->cache);
    g_free(locks);
}

static void
end(FsAccountLocks *locks, const GError *error)
{
    FsAccountLockedFunc locked = locks->locked;
    gpointer user_data = locks->user_data;
    const FsAccountDirectories taken = locks->taken;

    memset(&locks->taken, 0, sizeof locks->taken);
    locks_free(locks);
    locked(error == NULL ? &taken : NULL, error, user_data);
}

/* Who mounts a second time at the same place is to read that alone: so it is
 * said when there is a mount. */
static gboolean
is_in_use(FsAccountLocks *locks, const GError *error)
{
    if (!g_error_matches(error, CACHE_ERROR, CACHE_ERROR_LOCKED))
        return FALSE;
    locks->taken.in_use = g_strdup(error->message);
    return TRUE;
}

/* ---- the cache ---- */

/* A CacheDirectoryOpenedFunc. */
static void
on_cache(CacheDirectory *directory, const GError *error, gpointer user_data)
{
    FsAccountLocks *locks = user_data;

    locks->opening = NULL;
    locks->taken.cache_directory = directory;
    if (is_in_use(locks, error)) {
        g_clear_pointer(&locks->taken.state_directory, cache_directory_close);
    } else if (error != NULL) {
        fs_account_directories_say_without_cache(locks->options, error);
    }
    end(locks, NULL);
}

/* ---- the state ---- */

/* A CacheDirectoryOpenedFunc. */
static void
on_state(CacheDirectory *directory, const GError *error, gpointer user_data)
{
    FsAccountLocks *locks = user_data;
    g_autoptr(GError) reason = NULL;

    locks->opening = NULL;
    locks->taken.state_directory = directory;
    if (is_in_use(locks, error)) {
        end(locks, NULL);
        return;
    }
    if (error != NULL) {
        reason = g_error_new(
            error->domain, error->code,
            "%s; name another place for what must be kept with "
            "-o state_dir=DIR, or do without it with -o state_dir=none",
            error->message);
    } else if (!locks->options->no_cache_dir) {
        locks->opening =
            cache_directory_opening_start(locks->cache, on_cache, locks);
        return;
    }
    end(locks, reason);
}

/* ---- the beginning ---- */

static gboolean
begin(gpointer user_data)
{
    FsAccountLocks *locks = user_data;
    const FsOptions *options = locks->options;
    g_autoptr(GError) error = NULL;

    locks->source = 0;
    if (!options->no_state_dir) {
        fs_account_directories_paths(options, &locks->state, &locks->cache);
        /* The cache is emptied at times. */
        if (options->no_cache_dir || strcmp(locks->state, locks->cache) != 0) {
            locks->opening =
                cache_directory_opening_start(locks->state, on_state, locks);
            return G_SOURCE_REMOVE;
        }
        error = g_error_new(FS_ERROR, FS_ERROR_USAGE,
                            "cache_dir and state_dir are the same; write two "
                            "different directories");
    }
    end(locks, error);
    return G_SOURCE_REMOVE;
}

FsAccountLocks *
fs_account_locks_take(const FsOptions *options, FsAccountLockedFunc locked,
                      gpointer user_data)
{
    FsAccountLocks *locks = g_new0(FsAccountLocks, 1);

    locks->options = options;
    locks->locked = locked;
    locks->user_data = user_data;
    locks->source = g_idle_add(begin, locks);
    return locks;
}

void
fs_account_locks_cancel(FsAccountLocks *locks)
{
    if (locks != NULL)
        locks_free(locks);
}

char *
fs_account_locks_describe(const FsAccountLocks *locks)
{
    return locks->opening != NULL
               ? cache_directory_opening_describe(locks->opening)
               : NULL;
}
