/* What a synchronisation has to ask for.
 *
 * A selection that is not fresh tells what was so when it was made: from it
 * alone nothing follows. What a fresh one says is compared with what is known:
 * a message can only have come if UIDNEXT has risen, and gone if EXISTS says
 * so. */
#include "fs/sync/sync-plan.h"

gboolean
fs_sync_plan_is_known(const CacheMailbox *known, gboolean with_header)
{
    return known->complete && (known->has_headers || !with_header);
}

gboolean
fs_sync_plan_can_tell(const FsSyncSituation *situation)
{
    guint64 known = situation->known.highestmodseq;
    guint64 selected = situation->selected->highestmodseq;

    /* Going backwards, it counts something else than it did. */
    return situation->condstore && known != 0 && selected != 0 &&
           (!situation->fresh || selected >= known);
}

gboolean
fs_sync_plan_may_be_new(const FsSyncSituation *situation)
{
    guint64 uidnext = situation->selected->uidnext;

    return !situation->fresh || uidnext == 0 || situation->next_uid == 0 ||
           uidnext > situation->next_uid ||
           situation->selected->exists > situation->count;
}

/* The first synchronisation, or one that was not finished. */
static FsSyncStep
plan_first(const FsSyncSituation *situation)
{
    /* A selection that is not new may show what is gone: a search asks first.
     */
    if (situation->count > 0 || !situation->fresh)
        return FS_SYNC_SEARCH;
    return situation->selected->exists == 0 ? FS_SYNC_NOTHING : FS_SYNC_ALL;
}

FsSyncStep
fs_sync_plan(const FsSyncSituation *situation)
{
    guint64 exists = situation->selected->exists;
    gboolean may_be_new = fs_sync_plan_may_be_new(situation);
    gboolean same_modseq =
        situation->fresh &&
        situation->selected->highestmodseq == situation->known.highestmodseq;

    if (!fs_sync_plan_is_known(&situation->known, situation->with_header))
        return plan_first(situation);
    if (!fs_sync_plan_can_tell(situation) || situation->next_uid == 0)
        return FS_SYNC_SEARCH;
    if ((situation->applied || same_modseq) && !may_be_new)
        return exists == situation->count ? FS_SYNC_NOTHING : FS_SYNC_SEARCH;
    return situation->applied ? FS_SYNC_NEW : FS_SYNC_CHANGES;
}
