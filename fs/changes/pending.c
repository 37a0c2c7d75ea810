/* One change: its record in the journal, its place among the others, and its
 * end. */
#include "fs/changes/pending.h"

#include "fs/changes/late.h"
#include "fs/kernel/inode.h"
#include "fs/names/given-name.h"
#include "fs/names/maildir-message.h"
#include "fs/names/message-name.h"
#include "fs/sync/synchroniser.h"

#include <string.h>

/* ---- life ---- */

FsPending *
fs_pending_ref(FsPending *pending)
{
    pending->references++;
    return pending;
}

void
fs_pending_unref(gpointer data)
{
    FsPending *pending = data;

    if (pending == NULL || --pending->references > 0)
        return;
    fs_pending_unref(pending->replaced);
    g_clear_error(&pending->refusal);
    fs_need_unref(pending->written);
    fs_need_unref(pending->done);
    g_free(pending->name);
    g_free(pending->text);
    g_free(pending->old_name);
    g_free(pending->way_name);
    g_free(pending);
}

static guint64
key_of(guint32 mailbox, guint32 uid)
{
    return (guint64)mailbox << 32 | uid;
}

/* Its links are the pendings' own. */
static void
free_queue(gpointer queue)
{
    g_queue_init(queue);
    g_queue_free(queue);
}

GHashTable *
fs_pending_queues_new(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                 free_queue);
}

GQueue *
fs_pending_queue(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    guint64 key = key_of(mailbox, uid);

    return g_hash_table_lookup(changes->by_message, &key);
}

static GQueue *
make_queue(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    GQueue *queue = fs_pending_queue(changes, mailbox, uid);

    if (queue == NULL) {
        guint64 *key = g_new(guint64, 1);

        *key = key_of(mailbox, uid);
        queue = g_queue_new();
        g_hash_table_insert(changes->by_message, key, queue);
    }
    return queue;
}

static void
count(FsChanges *changes, guint32 mailbox, gint by)
{
    gpointer key = GUINT_TO_POINTER(mailbox);
    guint before =
        GPOINTER_TO_UINT(g_hash_table_lookup(changes->per_mailbox, key));

    if (mailbox == 0)
        return;
    g_hash_table_insert(changes->per_mailbox, key,
                        GUINT_TO_POINTER(before + (guint)by));
}

FsPending *
fs_pending_new(FsPendingKind kind, guint32 mailbox, guint32 uid)
{
    FsPending *pending = g_new0(FsPending, 1);

    pending->references = 1;
    pending->kind = kind;
    pending->step = FS_STEP_WAITING;
    pending->mailbox = mailbox;
    pending->uid = uid;
    pending->link.data = pending->message_link.data = pending;
    pending->written = fs_need_new_local();
    pending->done = fs_need_new();
    return pending;
}

/* What is first for its message is made first. Moving comes last: it ends what
 * the message's UID means. */
static void
enter_queue(FsChanges *changes, FsPending *pending)
{
    GQueue *queue = make_queue(changes, pending->mailbox, pending->uid);
    FsPending *last = g_queue_peek_tail(queue);

    if (pending->kind == FS_PENDING_FLAGS && last != NULL &&
        last->kind != FS_PENDING_FLAGS && !last->in_flight && !last->uncertain)
        g_queue_insert_before_link(queue, &last->message_link,
                                   &pending->message_link);
    else
        g_queue_push_tail_link(queue, &pending->message_link);
}

void
fs_pending_enter(FsChanges *changes, FsPending *pending)
{
    pending->changes = changes;
    g_queue_push_tail_link(&changes->all, &fs_pending_ref(pending)->link);
    enter_queue(changes, pending);
    count(changes, pending->mailbox, 1);
    count(changes, pending->target, 1);
    if (pending->inode != 0)
        g_hash_table_insert(changes->by_inode, &pending->inode, pending);
}

static void
leave(FsPending *pending)
{
    FsChanges *changes = pending->changes;
    guint64 key = key_of(pending->mailbox, pending->uid);
    GQueue *queue = g_hash_table_lookup(changes->by_message, &key);
    FsGuest *guest = NULL;

    if (pending->inode != 0) {
        guest = fs_overlay_guest_by_inode(changes->account->overlay,
                                          pending->inode);
        if (g_hash_table_lookup(changes->by_inode, &pending->inode) == pending)
            g_hash_table_remove(changes->by_inode, &pending->inode);
    }
    if (guest != NULL)
        g_clear_pointer(&guest->under_way, fs_need_unref);
    g_queue_unlink(&changes->all, &pending->link);
    g_queue_unlink(queue, &pending->message_link);
    if (queue->length == 0)
        g_hash_table_remove(changes->by_message, &key);
    count(changes, pending->mailbox, -1);
    count(changes, pending->target, -1);
    fs_way_forget(pending);
    if (pending->id != 0)
        cache_journal_remove(changes->account->journal, pending->id);
    pending->changes = NULL;
    pending->in_flight = pending->uncertain = FALSE;
}

static void
complete(FsPending *pending, const GError *error)
{
    FsPending *replaced = pending->replaced;

    if (replaced != NULL && replaced->changes != NULL &&
        replaced->step == FS_STEP_HELD)
        fs_changes_release(replaced->changes, replaced->id, error == NULL);
    fs_need_complete(pending->written, error);
    fs_need_complete(pending->done, error);
    fs_pending_unref(pending);
}

gboolean
fs_pending_is_first(const FsPending *pending)
{
    const GQueue *queue =
        fs_pending_queue(pending->changes, pending->mailbox, pending->uid);

    return queue != NULL && queue->head == &pending->message_link;
}

/* ---- the journal ---- */

void
fs_pending_note(FsPending *pending)
{
    CacheJournal *journal = pending->changes->account->journal;
    CacheJournalRecord record = {
        .id = pending->id,
        .kind = pending->kind,
        .step = pending->step,
        .mailbox = pending->mailbox,
        .uid = pending->uid,
        .target = pending->target,
        .target_uid = pending->target_uid,
        .number = pending->number,
        .name = pending->name,
        .text = pending->text,
    };

    if (pending->id == 0)
        pending->id = cache_journal_add(journal, &record);
    else
        cache_journal_set(journal, &record);
}

void
fs_pending_set_number(FsPending *pending, guint64 next)
{
    if (pending->number == 0 || pending->n_unanswered == 0)
        pending->number = next;
}

FsPending *
fs_pending_from_record(const CacheJournalRecord *record)
{
    FsPending *pending = fs_pending_new((FsPendingKind)record->kind,
                                        record->mailbox, record->uid);

    pending->id = record->id;
    pending->step = (FsStep)record->step;
    pending->target = record->target;
    pending->target_uid = record->target_uid;
    pending->number = record->number;
    pending->name = g_strdup(record->name);
    pending->text = g_strdup(record->text);
    pending->is_written = TRUE;
    fs_need_complete(pending->written, NULL);
    return pending;
}

gboolean
fs_pending_is_of_copy(const FsPending *pending)
{
    return pending->kind == FS_PENDING_DELETE &&
           pending->step != FS_STEP_HELD && pending->number == FS_PENDING_COPY;
}

/* ---- words ---- */

char *
fs_changes_path(const FsChanges *changes, guint32 mailbox)
{
    char *path = fs_mailbox_tree_path(changes->account->tree, mailbox);

    return path != NULL ? path : g_strdup("a folder that is gone");
}

char *
fs_pending_describe(const FsPending *pending)
{
    g_autofree char *from = fs_changes_path(pending->changes, pending->mailbox);
    g_autofree char *to = NULL;

    switch (pending->kind) {
    case FS_PENDING_MOVE:
        to = fs_changes_path(pending->changes, pending->target);
        return g_strdup_printf("message %u of %s was not moved to %s",
                               pending->uid, from, to);
    case FS_PENDING_FLAGS:
        return g_strdup_printf("the flags of message %u of %s were not changed",
                               pending->uid, from);
    case FS_PENDING_DELETE:
    case FS_PENDING_MARKS:
    case FS_PENDING_LATE:
    case FS_PENDING_WAY:
        break;
    }
    return g_strdup_printf("message %u of %s was not deleted", pending->uid,
                           from);
}

/* ---- what the mount shows ---- */

static FsGuest *
guest_of(const FsPending *pending)
{
    if (pending->inode == 0)
        return NULL;
    return fs_overlay_guest_by_inode(pending->changes->account->overlay,
                                     pending->inode);
}

/* "UID.eml" stands for that message, and so is no other's for long. Nor was a
 * name given to the message that we have made up. */
gboolean
fs_pending_keeps_name(const char *name)
{
    g_autofree char *stem = NULL;
    guint32 uid;

    return strlen(name) <= CACHE_ALIAS_MAX &&
           !fs_pending_is_made_up_name(name) &&
           !(fs_message_name_parse(name, &stem, &uid) && stem == NULL);
}

/* It shows there no more. */
static void
tell_gone(FsOverlay *overlay, const FsGuest *guest)
{
    fs_overlay_tell(overlay, FS_OVERLAY_NAME, guest->mailbox, 0, guest->name);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, guest->mailbox, 0,
                    guest->name);
}

/* The message stands where it was, by the number that it had. */
static void
take_guest_home(FsPending *pending)
{
    FsAccount *account = pending->changes->account;
    FsGuest *guest = guest_of(pending);

    if (guest == NULL)
        return;
    tell_gone(account->overlay, guest);
    if (guest->inode ==
        fs_inode_make(account->number, pending->mailbox, pending->uid)) {
        fs_overlay_remove_guest(account->overlay, guest);
    } else {
        fs_overlay_move_guest(account->overlay, guest, pending->mailbox, "");
        fs_overlay_land_guest(account->overlay, guest, pending->uid);
    }
}

/* What was to take its place has its inode number, and in the Maildir its name:
 * of two, none could be told by that. */
static void
part_from_heir(const FsPending *pending)
{
    FsAccount *account = pending->changes->account;
    FsOverlay *overlay = account->overlay;
    guint32 mailbox = pending->mailbox;
    FsGuest *guest = fs_overlay_guest_by_inode(
        overlay, fs_inode_make(account->number, mailbox, pending->uid));
    guint32 heir = fs_maildir_message_heir(account, mailbox, pending->uid);

    if (heir != 0) {
        fs_overlay_tell(overlay, FS_OVERLAY_AWAY, mailbox, heir, NULL);
        cache_aliases_remove(account->aliases, mailbox | FS_GIVEN_IN_MAILDIR,
                             heir);
    }
    if (guest != NULL && guest->mailbox == mailbox && guest->uid != 0 &&
        guest->uid != pending->uid) {
        fs_overlay_tell(overlay, FS_OVERLAY_AWAY, mailbox, guest->uid, NULL);
        fs_overlay_remove_guest(overlay, guest);
    }
}

static void
show_again(FsPending *pending)
{
    FsOverlay *overlay = pending->changes->account->overlay;

    if (pending->kind == FS_PENDING_FLAGS)
        return;
    part_from_heir(pending);
    /* It is in both, if only its original could not be deleted. */
    take_guest_home(pending);
    fs_overlay_show(overlay, pending->mailbox, pending->uid);
    fs_overlay_touch(overlay, pending->mailbox);
    fs_overlay_tell(overlay, FS_OVERLAY_NEW, pending->mailbox, pending->uid,
                    NULL);
}

/* Its new UID is known: it goes by that, with the name that it was given. */
static void
land(FsPending *pending, guint32 uid)
{
    FsAccount *account = pending->changes->account;
    FsGuest *guest = guest_of(pending);
    g_autofree char *name = NULL;

    if (guest == NULL)
        return;
    name = g_strdup(guest->name);
    if (uid == 0) {
        tell_gone(account->overlay, guest);
        fs_overlay_remove_guest(account->overlay, guest);
        return;
    }
    fs_overlay_land_guest(account->overlay, guest, uid);
    if (fs_pending_keeps_name(pending->name))
        fs_given_name_set(account->aliases, pending->target, uid,
                          pending->name);
    if (guest->maildir != NULL)
        fs_given_name_set(account->aliases, pending->target, uid,
                          guest->maildir);
    if (!g_str_equal(name, pending->name) ||
        !fs_pending_keeps_name(pending->name)) {
        fs_overlay_keep_former_name(account->overlay, guest);
        fs_overlay_tell(account->overlay, FS_OVERLAY_NAME, pending->target, 0,
                        name);
    }
}

void
fs_pending_copied(FsPending *pending)
{
    FsChanges *changes = pending->changes;
    FsGuest *guest;

    pending->step = FS_STEP_COPIED;
    fs_pending_note(pending);
    land(pending, pending->target_uid);
    guest = guest_of(pending); /* none, if it is not known where it is */
    if (guest != NULL)
        g_clear_pointer(&guest->under_way, fs_need_unref);
    if (g_hash_table_lookup(changes->by_inode, &pending->inode) == pending)
        g_hash_table_remove(changes->by_inode, &pending->inode);
    pending->inode = 0;
}

/* Until the index has the message where it shows, it has these flags. */
static void
flag_guest(FsGuest *guest, char **words)
{
    g_autofree char *flags = NULL;

    if (guest == NULL)
        return;
    flags = fs_changes_merge_flags(guest->row.flags, words[0], words[1]);
    fs_overlay_set_guest_flags(guest, flags);
}

static void
finish_flags(FsPending *pending)
{
    FsAccount *account = pending->changes->account;
    const GQueue *queue =
        fs_pending_queue(pending->changes, pending->mailbox, pending->uid);
    g_auto(GStrv) words = g_strsplit(pending->text, "\n", 2);
    g_autofree char *flags = NULL;
    CacheMessage message;

    flag_guest(fs_overlay_guest_by_uid(account->overlay, pending->mailbox,
                                       pending->uid),
               words);
    for (GList *link = queue != NULL ? queue->head : NULL; link != NULL;
         link = link->next)
        flag_guest(guest_of(link->data), words);
    if (!cache_index_message(account->index, pending->mailbox, pending->uid,
                             &message))
        return;
    flags = fs_changes_merge_flags(message.flags, words[0], words[1]);
    fs_synchroniser_set_flags(account->synchroniser, pending->mailbox,
                              pending->uid, flags);
}

/* The index loses it while it is still hidden: nobody has to be told. */
static void
finish_away(FsPending *pending)
{
    FsAccount *account = pending->changes->account;

    fs_synchroniser_message_gone(account->synchroniser, pending->mailbox,
                                 pending->uid);
    fs_overlay_show(account->overlay, pending->mailbox, pending->uid);
}

/* ---- the ends ---- */

/* Only what is moved somewhere has a name there. */
static void
note_away(const FsPending *pending, guint32 uid)
{
    if (pending->name == NULL && !pending->is_replaced)
        fs_late_note_deleted(pending->changes, pending->mailbox, pending->uid);
    else
        fs_late_note_away(pending->changes, pending->mailbox, pending->uid,
                          pending->target, uid);
}

void
fs_pending_finish(FsPending *pending, guint32 uid)
{
    if (pending->kind == FS_PENDING_FLAGS) {
        finish_flags(pending);
    } else if (pending->kind == FS_PENDING_DELETE &&
               g_strcmp0(pending->text, FS_PENDING_MARK) == 0) {
        note_away(pending, 0);
        finish_flags(pending);
        fs_overlay_show(pending->changes->account->overlay, pending->mailbox,
                        pending->uid);
    } else {
        land(pending, uid);
        note_away(pending, uid);
        finish_away(pending);
    }
    leave(pending);
    complete(pending, NULL);
}

void
fs_pending_refuse(FsPending *pending, const GError *error)
{
    FsChanges *changes = pending->changes;
    g_autofree char *what = fs_pending_describe(pending);
    g_autofree char *text = g_strdup_printf("%s: %s", what, error->message);

    *text = g_ascii_toupper(*text);
    fs_account_say(changes->account, "%s", text);
    fs_refusals_add(changes->refusals, pending->mailbox, pending->target, error,
                    text);
    show_again(pending);
    leave(pending);
    if (pending->kind == FS_PENDING_FLAGS)
        fs_overlay_tell(changes->account->overlay, FS_OVERLAY_FLAGS,
                        pending->mailbox, pending->uid, NULL);
    complete(pending, error);
}

void
fs_pending_drop(FsPending *pending)
{
    FsAccount *account = pending->changes->account;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_GONE,
                    "another program has deleted or moved it meanwhile");

    if (pending->kind == FS_PENDING_DELETE ||
        (pending->kind == FS_PENDING_MOVE && pending->name == NULL)) {
        fs_overlay_show(account->overlay, pending->mailbox, pending->uid);
        leave(pending);
        complete(pending, NULL);
    } else {
        fs_pending_refuse(pending, error);
    }
}

void
fs_pending_take_back(FsPending *pending)
{
    show_again(pending);
    leave(pending);
    complete(pending, NULL);
}

void
fs_pending_retract(FsPending *pending)
{
    leave(pending);
    complete(pending, NULL);
}

gboolean
fs_pending_is_under_way(const FsPending *pending)
{
    return pending->in_flight || pending->uncertain ||
           pending->n_unanswered > 0 || pending->step != FS_STEP_WAITING;
}

gboolean
fs_changes_can_redirect(const FsChanges *changes, guint64 inode)
{
    const FsPending *move = g_hash_table_lookup(changes->by_inode, &inode);

    return move != NULL && !fs_pending_is_under_way(move);
}
