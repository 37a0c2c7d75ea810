/* How far a listing that is still arriving can be shown. With everything asked
 * for, a message is the next one if its number is; with a set, if its UID is
 * the next of the set. */
#include "fs/sync/frontier.h"

void
fs_frontier_begin_all(FsFrontier *frontier)
{
    *frontier = (FsFrontier){0};
}

/* All up to the range that is due next are there. */
static void
enter_range(FsFrontier *frontier)
{
    guint32 last;

    if (frontier->range >= imap_uid_set_n_ranges(frontier->wanted)) {
        frontier->uid = frontier->last;
        frontier->stopped = TRUE;
        return;
    }
    imap_uid_set_range(frontier->wanted, frontier->range, &frontier->next,
                       &last);
    frontier->uid = frontier->next - 1;
}

void
fs_frontier_begin_wanted(FsFrontier *frontier, const ImapUidSet *wanted,
                         guint32 last)
{
    *frontier = (FsFrontier){.wanted = wanted, .last = last};
    enter_range(frontier);
}

static gboolean
advance_in_set(FsFrontier *frontier, guint32 uid)
{
    guint32 first;
    guint32 last;

    if (uid < frontier->next)
        return FALSE; /* once more */
    if (uid != frontier->next) {
        frontier->stopped = TRUE;
        return FALSE;
    }
    imap_uid_set_range(frontier->wanted, frontier->range, &first, &last);
    frontier->uid = uid;
    if (uid < last) {
        frontier->next = uid + 1;
    } else {
        frontier->range++;
        enter_range(frontier);
    }
    return TRUE;
}

gboolean
fs_frontier_advance(FsFrontier *frontier, guint32 sequence, guint32 uid)
{
    if (frontier->stopped)
        return FALSE;
    if (frontier->wanted != NULL)
        return advance_in_set(frontier, uid);
    if (sequence != frontier->sequence + 1 || uid <= frontier->uid) {
        frontier->stopped = TRUE;
        return FALSE;
    }
    frontier->sequence = sequence;
    frontier->uid = uid;
    return TRUE;
}

void
fs_frontier_stop(FsFrontier *frontier)
{
    frontier->stopped = TRUE;
}
