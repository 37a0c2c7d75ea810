/* Keeps the INBOX in use. It has to be known before its changes are, and its
 * place in the list of mailboxes before that: while one of them is missing, it
 * is looked again soon, and then less and less often; the server may be away.
 */
#include "fs/live/inbox-use.h"

#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"

#define INBOX "INBOX"
#define FIRST_LOOK_MS 200
/* By far less than what makes a mailbox unused. */
#define LAST_LOOK_MS (60 * 1000)

struct FsInboxUse {
    FsAccount *account;
    FsKernelCache *kernel_cache;
    const FsEvents *events;
    guint delay_ms;
    guint timer; /* 0: nobody reads */
    gboolean stopped;
};

/* Whether all of it is known. */
static gboolean
use_inbox(FsInboxUse *use)
{
    FsAccount *account = use->account;
    const FsMailbox *inbox = fs_mailbox_tree_by_wire_name(account->tree, INBOX);
    guint32 id;

    if (inbox == NULL || !inbox->selectable) {
        fs_lister_need(account->lister, FS_KNOWN);
        return FALSE;
    }
    id = inbox->id;
    fs_kernel_cache_use(use->kernel_cache, id);
    return fs_synchroniser_need_messages(account->synchroniser, id, FS_KNOWN) ==
           NULL;
}

static void look(FsInboxUse *use);

static gboolean
on_timer(gpointer user_data)
{
    FsInboxUse *use = user_data;

    use->timer = 0;
    if (fs_events_n_readers(use->events) > 0)
        look(use);
    return G_SOURCE_REMOVE;
}

static void
look(FsInboxUse *use)
{
    if (use_inbox(use))
        use->delay_ms = LAST_LOOK_MS;
    else
        use->delay_ms = MIN(use->delay_ms * 2, LAST_LOOK_MS);
    use->timer = g_timeout_add(use->delay_ms, on_timer, use);
}

void
fs_inbox_use_begin(FsInboxUse *use)
{
    if (use->stopped || use->timer != 0)
        return;
    use->delay_ms = FIRST_LOOK_MS / 2;
    look(use);
}

void
fs_inbox_use_stop(FsInboxUse *use)
{
    use->stopped = TRUE;
    g_clear_handle_id(&use->timer, g_source_remove);
}

FsInboxUse *
fs_inbox_use_new(FsAccount *account, FsKernelCache *kernel_cache,
                 const FsEvents *events)
{
    FsInboxUse *use = g_new0(FsInboxUse, 1);

    use->account = account;
    use->kernel_cache = kernel_cache;
    use->events = events;
    return use;
}

void
fs_inbox_use_free(FsInboxUse *use)
{
    if (use == NULL)
        return;
    fs_inbox_use_stop(use);
    g_free(use);
}
