/* UIDs from some point down, gathered in pieces that are longer where there are
 * few. */
#include "fs/bodies/uids-below.h"

#define SPAN_FIRST 256u
#define FEW 64

struct FsUidsBelow {
    CacheIndex *index;
    guint32 mailbox;
    GArray *uids; /* descending; from n_used */
    guint n_used;
    guint32 span; /* how far to look */
};

FsUidsBelow *
fs_uids_below_new(CacheIndex *index, guint32 mailbox)
{
    FsUidsBelow *below = g_new0(FsUidsBelow, 1);

    below->index = index;
    below->mailbox = mailbox;
    below->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    below->span = SPAN_FIRST;
    return below;
}

void
fs_uids_below_free(FsUidsBelow *below)
{
    if (below == NULL)
        return;
    g_array_unref(below->uids);
    g_free(below);
}

/* Those from @from up to @uid, both left out, the last first. */
static void
gather(FsUidsBelow *below, guint32 from, guint32 uid)
{
    CacheMessage message;

    while (cache_index_next(below->index, below->mailbox, from, &message) &&
           message.uid < uid) {
        from = message.uid;
        g_array_append_val(below->uids, from);
    }
    for (guint i = 0; i < below->uids->len / 2; i++) {
        guint32 *a = &g_array_index(below->uids, guint32, i);
        guint32 *b =
            &g_array_index(below->uids, guint32, below->uids->len - 1 - i);
        guint32 swapped = *a;

        *a = *b;
        *b = swapped;
    }
}

guint32
fs_uids_below_next(FsUidsBelow *below, guint32 uid)
{
    guint32 from = uid;

    while (below->n_used == below->uids->len && from > 0) {
        g_array_set_size(below->uids, 0);
        below->n_used = 0;
        from = uid > below->span ? uid - below->span : 0;
        gather(below, from, uid);
        if (below->uids->len < FEW)
            below->span =
                below->span > G_MAXUINT32 / 2 ? G_MAXUINT32 : below->span * 2;
    }
    if (below->n_used == below->uids->len)
        return 0;
    return g_array_index(below->uids, guint32, below->n_used++);
}

void
fs_uids_below_take_back(FsUidsBelow *below)
{
    below->n_used--;
}
