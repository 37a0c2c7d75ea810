/* The changes that an earlier mount has left in the journal: they are made now,
 * and until then show as they did. Whether the server has been told of any is
 * found out first. */
#include "fs/changes/late.h"
#include "fs/changes/pending.h"
#include "fs/kernel/inode.h"
#include "fs/names/given-name.h"
#include "fs/names/maildir-message.h"

/* What an earlier mount has left shows as it did then. The row of what is being
 * moved is the index's, if that has it; until then, little is known of it. What
 * it was called in its Maildir it may have been seen by, which nobody has
 * noted: it goes on being called so. */
static void
show_taken_up(FsChanges *changes, FsPending *pending)
{
    FsAccount *account = changes->account;
    CacheMessage row = {.uid = pending->uid, .sent_date = G_MININT64};
    FsMessagePlace place = {.mailbox = pending->mailbox, .uid = pending->uid};
    gboolean is_known;

    fs_overlay_hide(account->overlay, pending->mailbox, pending->uid);
    if (pending->kind != FS_PENDING_MOVE || pending->name == NULL)
        return;
    if (pending->step == FS_STEP_COPIED) {
        if (pending->target_uid != 0 && fs_pending_keeps_name(pending->name))
            fs_given_name_set(account->aliases, pending->target,
                              pending->target_uid, pending->name);
        return;
    }
    is_known = cache_index_message(account->index, pending->mailbox,
                                   pending->uid, &place.row);
    if (!is_known)
        place.row = row;
    pending->inode =
        fs_inode_make(account->number, pending->mailbox, pending->uid);
    fs_changes_make_guest(changes, &place, pending);
    if (is_known)
        fs_maildir_message_name_guest(account, place.guest, &place.guest->row);
}

static void
take_up(const CacheJournalRecord *record, gpointer user_data)
{
    FsChanges *changes = user_data;
    FsPending *pending;

    if (record->kind == FS_PENDING_MARKS) {
        g_ptr_array_add(changes->marks, GUINT_TO_POINTER(record->id));
        changes->marks_at =
            g_get_monotonic_time() + (gint64)fs_late_settle_ms() * 1000;
        return;
    }
    if (record->kind == FS_PENDING_LATE)
        fs_late_take_up(changes, record);
    if (record->kind > FS_PENDING_FLAGS || record->mailbox == 0 ||
        record->uid == 0 ||
        (record->kind != FS_PENDING_MOVE && record->text == NULL))
        return;
    pending = fs_pending_from_record(record);
    pending->uncertain = pending->unasked = TRUE;
    if (pending->kind != FS_PENDING_FLAGS)
        show_taken_up(changes, pending);
    fs_pending_enter(changes, pending);
    fs_pending_unref(pending);
}

static FsPending *
find_by_id(const FsChanges *changes, guint64 id)
{
    for (GList *link = changes->all.head; link != NULL; link = link->next)
        if (((FsPending *)link->data)->id == id)
            return link->data;
    return NULL;
}

/* A deletion that waited for a move goes on waiting for it. */
static void
take_up_replaced(FsChanges *changes)
{
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        FsPending *pending = link->data;
        FsPending *move = NULL;

        if (pending->step == FS_STEP_HELD)
            move = find_by_id(changes, pending->number);
        if (move != NULL && move->replaced == NULL)
            move->replaced = fs_pending_ref(pending);
    }
}

/* A CacheJournalFunc. */
static void
count_change(const CacheJournalRecord *record, gpointer user_data)
{
    *(guint *)user_data += record->kind == FS_PENDING_DELETE ||
                           record->kind == FS_PENDING_MOVE ||
                           record->kind == FS_PENDING_FLAGS;
}

/* Who mounts to read alone sees what the server has, and sends nothing: what
 * was left waits for a mount that may change something. */
void
fs_changes_take_up(FsChanges *changes)
{
    const FsAccount *account = changes->account;
    guint left = 0;

    if (account->options->read_only) {
        cache_journal_foreach(account->journal, count_change, &left);
        if (left > 0)
            fs_account_say(
                account,
                "%u changes of an earlier mount wait for one that is "
                "not read-only",
                left);
        return;
    }
    cache_journal_foreach(account->journal, take_up, changes);
    take_up_replaced(changes);
    fs_way_take_up(changes);
    if (changes->all.length > 0)
        fs_account_say(account,
                       "%u changes of an earlier mount are still to be made",
                       changes->all.length);
}
