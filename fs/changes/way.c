/* A message that was on its way to another folder, and is deleted because
 * another is to be in its place there: the move that the server knows nothing
 * of is not made. If nothing comes of the other, the message is to be where the
 * mount has shown it, so the deletion remembers its way, and it is sent on it
 * again. The journal has that beside the deletion. */
#include "fs/changes/pending.h"

static void
forget(FsPending *deletion, CacheJournal *journal)
{
    cache_journal_remove(journal, deletion->way_record);
    deletion->way_record = 0;
    deletion->way_target = 0;
    g_clear_pointer(&deletion->way_name, g_free);
}

void
fs_way_note(FsChanges *changes, FsPending *deletion, const FsPending *move)
{
    const CacheJournalRecord record = {
        .kind = FS_PENDING_WAY,
        .mailbox = move->mailbox,
        .uid = move->uid,
        .target = move->target,
        .name = move->name,
    };

    deletion->way_target = move->target;
    deletion->way_name = g_strdup(move->name);
    deletion->way_record =
        cache_journal_add(changes->account->journal, &record);
}

void
fs_way_forget(FsPending *deletion)
{
    if (deletion->way_record != 0)
        forget(deletion, deletion->changes->account->journal);
}

/* ---- on it again ---- */

void
fs_way_give_up(FsPending *deletion)
{
    FsChanges *changes = deletion->changes;
    guint32 mailbox = deletion->mailbox;
    guint32 uid = deletion->uid;
    guint32 target = deletion->way_target;
    g_autofree char *name = g_steal_pointer(&deletion->way_name);
    g_autoptr(FsPending) move = NULL;
    g_autoptr(FsNeed) need = NULL;
    g_autoptr(GError) error = NULL;

    fs_pending_take_back(deletion);
    if (target == 0)
        return;
    /* Somebody may have taken it meanwhile. */
    if (!fs_pending_name_is_free(changes->account, target, name)) {
        g_free(name);
        name = g_strdup_printf("%u.eml", uid);
    }
    move = fs_changes_move(changes, fs_changes_inode(changes, mailbox, uid),
                           target, name, &need, &error);
    if (move != NULL)
        move->unasked = TRUE;
}

/* ---- after a crash ---- */

typedef struct {
    FsChanges *changes;
    GArray *unused; /* of guint64: records */
} TakeUp;

static FsPending *
find_deletion(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    const GQueue *queue = fs_pending_queue(changes, mailbox, uid);

    for (GList *link = queue != NULL ? queue->head : NULL; link != NULL;
         link = link->next) {
        FsPending *pending = link->data;

        if (pending->step == FS_STEP_HELD && pending->way_record == 0)
            return pending;
    }
    return NULL;
}

static void
take_up(const CacheJournalRecord *record, gpointer user_data)
{
    TakeUp *all = user_data;
    FsPending *deletion = NULL;

    if (record->kind != FS_PENDING_WAY)
        return;
    if (record->target != 0 && record->name != NULL)
        deletion = find_deletion(all->changes, record->mailbox, record->uid);
    if (deletion == NULL) {
        g_array_append_val(all->unused, record->id);
        return;
    }
    deletion->way_target = record->target;
    deletion->way_name = g_strdup(record->name);
    deletion->way_record = record->id;
}

void
fs_way_take_up(FsChanges *changes)
{
    CacheJournal *journal = changes->account->journal;
    g_autoptr(GArray) unused = g_array_new(FALSE, FALSE, sizeof(guint64));
    TakeUp all = {changes, unused};

    cache_journal_foreach(journal, take_up, &all);
    for (guint i = 0; i < unused->len; i++)
        cache_journal_remove(journal, g_array_index(unused, guint64, i));
}
