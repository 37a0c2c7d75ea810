/* One account: putting its parts together, and taking them apart in the right
 * order. */
#include "fs/account.h"

#include "fs/lister.h"
#include "fs/message-bodies.h"
#include "fs/synchroniser.h"

/* Octets of messages kept in memory: more than is fetched ahead of a scan. */
#define BLOCKS_IN_MEMORY (32 * G_GUINT64_CONSTANT(1024) * 1024)

FsAccount *
fs_account_new(const FsOptions *options)
{
    FsAccount *account = g_new0(FsAccount, 1);

    account->options = options;
    account->mounted_at = g_get_real_time() / G_USEC_PER_SEC;
    account->pool = imap_pool_new(options->settings, options->connections);
    account->store_thread = cache_store_thread_new();
    account->index = cache_index_new(NULL, NULL);
    account->blocks =
        cache_blocks_new(NULL, BLOCKS_IN_MEMORY, 0, account->store_thread);
    account->tree = fs_mailbox_tree_new();
    account->synchroniser = fs_synchroniser_new(account);
    account->lister = fs_lister_new(account, fs_synchroniser_mailbox_gone,
                                    account->synchroniser);
    account->bodies = fs_message_bodies_new(account);
    return account;
}

void
fs_account_free(FsAccount *account)
{
    if (account == NULL)
        return;
    /* These hold leases on the pool's connections. */
    fs_message_bodies_free(account->bodies);
    fs_lister_free(account->lister);
    fs_synchroniser_free(account->synchroniser);
    imap_pool_free(account->pool);
    fs_mailbox_tree_free(account->tree);
    cache_blocks_free(account->blocks);
    cache_index_free(account->index);
    cache_store_thread_free(account->store_thread);
    g_free(account);
}
