/* One account: putting its parts together, and taking them apart in the right
 * order. */
#include "fs/account.h"

#include "fs/body-transfer.h"
#include "fs/lister.h"
#include "fs/synchroniser.h"

/* Complete bodies kept in memory; those in use come on top. */
#define BODIES_IN_MEMORY (16 * G_GUINT64_CONSTANT(1024) * 1024)
/* And in unlinked files, unless cache_size says otherwise. */
#define BODIES_ON_DISK (2 * G_GUINT64_CONSTANT(1024) * 1024 * 1024)

static char *
bodies_directory(const FsOptions *options)
{
    if (options->cache_dir != NULL)
        return g_strdup(options->cache_dir);
    if (options->no_cache_dir)
        return g_strdup(g_get_tmp_dir());
    return g_build_filename(g_get_user_cache_dir(), "imapfs", NULL);
}

FsAccount *
fs_account_new(const FsOptions *options)
{
    FsAccount *account = g_new0(FsAccount, 1);
    g_autofree char *directory = bodies_directory(options);

    account->options = options;
    account->mounted_at = g_get_real_time() / G_USEC_PER_SEC;
    account->pool = imap_pool_new(options->settings, options->connections);
    account->store_thread = cache_store_thread_new();
    account->index = cache_index_new(NULL, NULL);
    account->bodies = cache_bodies_new(
        directory, BODIES_IN_MEMORY,
        options->cache_size > 0 ? options->cache_size : BODIES_ON_DISK,
        account->store_thread);
    account->tree = fs_mailbox_tree_new();
    account->synchroniser = fs_synchroniser_new(account);
    account->lister = fs_lister_new(account, fs_synchroniser_mailbox_gone,
                                    account->synchroniser);
    account->transfers = fs_transfers_new(account);
    return account;
}

void
fs_account_free(FsAccount *account)
{
    if (account == NULL)
        return;
    /* These hold leases on the pool's connections. */
    fs_transfers_free(account->transfers);
    fs_lister_free(account->lister);
    fs_synchroniser_free(account->synchroniser);
    imap_pool_free(account->pool);
    fs_mailbox_tree_free(account->tree);
    cache_bodies_free(account->bodies);
    cache_index_free(account->index);
    cache_store_thread_free(account->store_thread);
    g_free(account);
}
