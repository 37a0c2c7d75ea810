/* One account: putting its parts together, and taking them apart in the right
 * order. */
#include "fs/account.h"

#include "fs/bodies/message-bodies.h"
#include "fs/changes/changes.h"
#include "fs/changes/overlay.h"
#include "fs/day-limit.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"

/* Blocks in memory: in front of those on disk, and without a disk. */
#define BLOCKS_IN_FRONT (8 * G_GUINT64_CONSTANT(1024) * 1024)
#define BLOCKS_ALONE (64 * G_GUINT64_CONSTANT(1024) * 1024)

static guint32
mailbox_id(const char *name, const char *before, gpointer user_data)
{
    CacheState *state = user_data;

    return before != NULL ? cache_state_id_moved(state, name, before)
                          : cache_state_id(state, name);
}

static guint32
renew_mailbox_id(const char *name, gpointer user_data)
{
    return cache_state_renew(user_data, name);
}

static FsMailboxTree *
new_tree(CacheState *state)
{
    const FsMailboxIds ids = {mailbox_id, renew_mailbox_id, state};

    return fs_mailbox_tree_new_with_ids(&ids);
}

static void
open_cache(FsAccount *account, const CacheDirectory *directory)
{
    const FsOptions *options = account->options;
    guint64 size = options->cache_size;
    const char *path = NULL;

    if (directory != NULL) {
        path = cache_directory_path(directory);
        account->blocks = cache_blocks_new(
            path, BLOCKS_IN_FRONT, fs_account_cache_size(options, directory),
            account->store_thread);
    } else {
        account->blocks = cache_blocks_new(NULL, size > 0 ? size : BLOCKS_ALONE,
                                           0, account->store_thread);
    }
    account->index = cache_index_new(path, account->store_thread);
    account->fields = cache_fields_new(path, account->store_thread);
}

/* What the user has done, and the server does not have. */
static gboolean
open_changes(FsAccount *account, GError **error)
{
    const CacheDirectory *directory = account->directories.state_directory;
    const char *path =
        directory != NULL ? cache_directory_path(directory) : NULL;

    account->journal = cache_journal_open(path, account->store_thread, error);
    if (account->journal == NULL)
        return FALSE;
    account->aliases = cache_aliases_open(path, account->store_thread, error);
    if (account->aliases == NULL)
        return FALSE;
    account->searches = cache_searches_open(path, account->store_thread, error);
    if (account->searches == NULL)
        return FALSE;
    account->overlay = fs_overlay_new();
    return TRUE;
}

static void
open_day_limit(FsAccount *account)
{
    const CacheDirectory *directory = account->directories.state_directory;

    account->day_limit = fs_day_limit_new(
        directory != NULL ? cache_directory_path(directory) : NULL,
        account->options->max_download, account->options->max_upload,
        account->store_thread, account->mounted_at);
}

FsAccount *
fs_account_new(const FsOptions *options, const FsAccountDirectories *locked,
               GError **error)
{
    g_autoptr(FsAccount) account = g_new0(FsAccount, 1);

    account->options = options;
    account->label = fs_account_label(options);
    if (locked != NULL)
        account->directories = *locked;
    account->mounted_at = g_get_real_time() / G_USEC_PER_SEC;
    account->store_thread = cache_store_thread_new();
    if (!fs_account_directories_open(&account->directories, options,
                                     account->store_thread, error))
        return NULL;
    account->state = account->directories.state;
    if (!open_changes(account, error))
        return NULL;
    open_cache(account, account->directories.cache_directory);
    open_day_limit(account);
    /* Who wants but one wants nobody to listen on another. */
    account->pool = imap_pool_new(
        options->settings, options->connections + (options->connections > 1));
    imap_pool_set_max_serving(account->pool, options->connections);
    imap_pool_set_servers(account->pool, options->servers);
    account->tree = new_tree(account->state);
    account->synchroniser = fs_synchroniser_new(account);
    account->lister = fs_lister_new(account, fs_synchroniser_mailbox_gone,
                                    account->synchroniser);
    account->bodies = fs_message_bodies_new(account);
    account->changes = fs_changes_new(account);
    return g_steal_pointer(&account);
}

void
fs_account_announce_end(FsAccount *account)
{
    fs_account_directories_announce_end(&account->directories);
}

void
fs_account_free(FsAccount *account)
{
    if (account == NULL)
        return;
    /* These hold leases on the pool's connections. */
    fs_changes_free(account->changes);
    fs_message_bodies_free(account->bodies);
    fs_lister_free(account->lister);
    fs_synchroniser_free(account->synchroniser);
    if (account->pool != NULL)
        fs_account_note_traffic(account);
    fs_day_limit_free(account->day_limit);
    imap_pool_free(account->pool);
    fs_mailbox_tree_free(account->tree);
    /* Before the index that goes by its ids; the locks only when there is
     * nothing left to write. */
    g_clear_pointer(&account->directories.state, cache_state_close);
    fs_overlay_free(account->overlay);
    cache_aliases_close(account->aliases);
    cache_searches_close(account->searches);
    cache_journal_close(account->journal);
    cache_blocks_free(account->blocks);
    cache_index_free(account->index);
    cache_fields_free(account->fields);
    cache_store_thread_free(account->store_thread);
    fs_account_directories_close(&account->directories);
    g_free(account);
}
