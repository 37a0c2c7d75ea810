/* How the mailboxes were last brought up to date. Looks, and changes nothing.
 */
#include "fs/sync/sync-status.h"

#include "fs/sync/sync-mailbox.h"

static gboolean
is_stale(const FsSyncMailbox *mailbox)
{
    gint64 poll_us =
        (gint64)mailbox->synchroniser->account->options->poll_seconds *
        G_USEC_PER_SEC;

    return !mailbox->refresh.known ||
           mailbox->refresh.known_at < g_get_monotonic_time() - poll_us;
}

void
fs_synchroniser_describe(FsSynchroniser *synchroniser, FsSyncStatusFunc func,
                         gpointer user_data)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, synchroniser->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FsSyncMailbox *mailbox = value;
        FsSyncStatus status = {
            .mailbox = mailbox->id,
            .uidvalidity = mailbox->uidvalidity,
            .synchronised_at = mailbox->synchronised_at,
            .complete = mailbox->refresh.known,
            .stale = is_stale(mailbox),
            .failing = mailbox->refresh.failing,
            .under_way = mailbox->sync != NULL,
        };

        status.messages =
            cache_index_count(fs_sync_index(mailbox), mailbox->id);
        func(&status, user_data);
    }
}
