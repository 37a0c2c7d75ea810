/* The STATUS of each of them, on the connection that listens: those that serve
 * requests may have one of them selected, of which STATUS tells little, or what
 * was there before it was deleted and made again. */
#include "fs/live/recheck.h"

typedef struct {
    const FsAccount *account;
    GPtrArray *names; /* wire names, borrowed from the tree */
} Used;

/* A FsKernelCacheUseFunc. Of what was never listed, nothing is missed. */
static void
add(guint32 id, gpointer user_data)
{
    Used *used = user_data;
    const FsMailbox *mailbox = fs_mailbox_tree_get(used->account->tree, id);
    CacheMailbox known;

    if (mailbox != NULL && mailbox->selectable && mailbox->wire_name != NULL &&
        cache_index_mailbox(used->account->index, id, &known))
        g_ptr_array_add(used->names, (gpointer)mailbox->wire_name);
}

void
fs_recheck(const FsAccount *account, FsKernelCache *kernel_cache,
           ImapWatch *watch)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    Used used = {account, names};

    fs_kernel_cache_foreach_used(kernel_cache, add, &used);
    g_ptr_array_add(names, NULL);
    imap_watch_look(watch, (const char *const *)names->pdata);
}
