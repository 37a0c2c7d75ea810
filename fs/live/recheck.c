/* STATUS of all of them, and a hint for each that is not found to be as it is
 * known. The list of mailboxes is not asked for: that is long, and seldom has
 * anything to tell. */
#include "fs/live/recheck.h"

#include "fs/sync/status-poll.h"

struct FsRecheck {
    FsKernelCache *kernel_cache;
    FsFreshener *freshener;
    FsStatusPoll *poll;
    GArray *mailboxes; /* of guint32: those that are looked at */
    FsNeed *need;      /* of their STATUS; NULL: no look is under way */
    FsNeedWaiter *waiter;
    gboolean again; /* as soon as this look has ended */
};

FsRecheck *
fs_recheck_new(FsAccount *account, FsKernelCache *kernel_cache,
               FsFreshener *freshener)
{
    FsRecheck *recheck = g_new0(FsRecheck, 1);

    recheck->kernel_cache = kernel_cache;
    recheck->freshener = freshener;
    recheck->poll = fs_status_poll_new(account);
    recheck->mailboxes = g_array_new(FALSE, FALSE, sizeof(guint32));
    return recheck;
}

void
fs_recheck_free(FsRecheck *recheck)
{
    if (recheck == NULL)
        return;
    if (recheck->need != NULL) {
        fs_need_cancel(recheck->waiter);
        fs_need_unref(recheck->need);
    }
    fs_status_poll_free(recheck->poll);
    g_array_unref(recheck->mailboxes);
    g_free(recheck);
}

static void
hint_unsettled(FsRecheck *recheck)
{
    for (guint i = 0; i < recheck->mailboxes->len; i++) {
        guint32 id = g_array_index(recheck->mailboxes, guint32, i);

        if (fs_kernel_cache_is_used(recheck->kernel_cache, id) &&
            !fs_status_poll_is_settled(recheck->poll, id))
            fs_freshener_hint(recheck->freshener, id);
    }
}

static void
on_need(const GError *error, gpointer user_data)
{
    FsRecheck *recheck = user_data;

    if (!fs_need_is_complete(recheck->need)) {
        recheck->waiter = fs_need_wait(recheck->need, on_need, recheck);
        return;
    }
    g_clear_pointer(&recheck->need, fs_need_unref);
    hint_unsettled(recheck);
    if (recheck->again)
        fs_recheck_begin(recheck);
}

/* A FsKernelCacheUseFunc. */
static void
add(guint32 mailbox, gpointer user_data)
{
    FsRecheck *recheck = user_data;

    if (mailbox != FS_MAILBOX_TREE_ROOT)
        g_array_append_val(recheck->mailboxes, mailbox);
}

void
fs_recheck_begin(FsRecheck *recheck)
{
    FsNeed *need;

    recheck->again = recheck->need != NULL;
    if (recheck->again)
        return;
    g_array_set_size(recheck->mailboxes, 0);
    fs_kernel_cache_foreach_used(recheck->kernel_cache, add, recheck);
    need = fs_status_poll_begin(recheck->poll,
                                (const guint32 *)recheck->mailboxes->data,
                                recheck->mailboxes->len);
    if (need == NULL) {
        hint_unsettled(recheck);
        return;
    }
    recheck->need = fs_need_ref(need);
    recheck->waiter = fs_need_wait(need, on_need, recheck);
}
