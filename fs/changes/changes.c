/* Messages deleted, moved and flagged: requests, and what they show at once.
 *
 * What another client does meanwhile comes by way of the index: a message that
 * is gone takes its name and its guest with it, and what was to be done with
 * it. That is done a moment later, for others are just being told of it, and
 * need the name. */
#include "fs/changes/changes.h"

#include "fs/changes/late.h"
#include "fs/changes/pending.h"
#include "fs/kernel/inode.h"
#include "fs/live/line.h"
#include "fs/names/given-name.h"
#include "fs/names/message-name.h"
#include "fs/sync/synchroniser.h"
#include "imap/pool-status.h"
#include "imap/response.h"

#include <gio/gio.h>
#include <string.h>

/* How long a change waits for others to go with it; a deletion longer, for
 * programs delete what they are about to write again. */
#define GATHER_US (40 * 1000)
#define GATHER_DELETED_US G_USEC_PER_SEC
/* That are kept in memory; what takes the place of a message is not counted. */
#define PENDING_MAX 100000u
/* Of a text of flags. */
#define FLAGS_MAX 4096

/* ---- where a message is ---- */

guint64
fs_changes_inode(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    const FsAccount *account = changes->account;
    const FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, mailbox, uid);

    return guest != NULL ? guest->inode
                         : fs_inode_make(account->number, mailbox, uid);
}

typedef struct {
    guint32 mailbox; /* where the server has it */
    guint32 uid;
    guint32 shown_in;
    FsGuest *guest;   /* NULL: it shows where it is */
    FsPending *first; /* the move that brings it there; NULL: none */
    CacheMessage row; /* borrowed from the index or the guest */
} Place;

/* Its move, unless the server is being told of it. */
static gboolean
find_move(FsChanges *changes, const FsGuest *guest, Place *place, FsNeed **need,
          GError **error)
{
    FsPending *pending = g_hash_table_lookup(changes->by_inode, &guest->inode);

    if (pending == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                    "it is being written to the server");
        return FALSE;
    }
    if (pending->in_flight || pending->uncertain ||
        pending->step != FS_STEP_WAITING) {
        fs_sender_hurry(changes->sender);
        *need = fs_need_ref(pending->done);
        return FALSE;
    }
    place->first = pending;
    place->mailbox = pending->mailbox;
    place->uid = pending->uid;
    return TRUE;
}

/* FALSE with @need or @error. */
static gboolean
locate(FsChanges *changes, guint64 inode, Place *place, FsNeed **need,
       GError **error)
{
    FsAccount *account = changes->account;
    FsGuest *guest = fs_overlay_guest_by_inode(account->overlay, inode);

    *need = NULL;
    memset(place, 0, sizeof *place);
    place->guest = guest;
    place->mailbox = fs_inode_mailbox(inode);
    place->uid = fs_inode_uid(inode);
    if (guest != NULL) {
        place->row = guest->row;
        place->mailbox = guest->mailbox;
        place->uid = guest->uid;
        if (guest->uid == 0 && !find_move(changes, guest, place, need, error))
            return FALSE;
    }
    place->shown_in = guest != NULL ? guest->mailbox : place->mailbox;
    /* What is held back for a while, as others come, is there all the same. */
    if ((place->first == NULL &&
         fs_overlay_is_taken_away(account->overlay, place->mailbox,
                                  place->uid)) ||
        (!cache_index_message(account->index, place->mailbox, place->uid,
                              &place->row) &&
         guest == NULL)) {
        g_set_error(error, FS_ERROR, FS_ERROR_GONE, "the message is gone");
        return FALSE;
    }
    return TRUE;
}

/* ---- requests ---- */

static void
on_written(const GError *error, gpointer user_data)
{
    FsPending *pending = user_data;

    if (pending->changes != NULL && pending->changes->account != NULL) {
        pending->is_written = TRUE;
        if (error != NULL)
            fs_pending_refuse(pending, error);
        else
            fs_sender_wake(pending->changes->sender);
    }
    fs_need_complete(pending->written, error);
    fs_pending_unref(pending);
}

FsPending *
fs_pending_accept(FsChanges *changes, FsPending *pending, gint64 gather_us)
{
    if (!changes->account->options->sync)
        pending->ready_at = g_get_monotonic_time() + gather_us;
    fs_pending_enter(changes, pending);
    fs_pending_note(pending);
    cache_journal_flush(changes->account->journal, FALSE, on_written,
                        fs_pending_ref(pending));
    return pending;
}

typedef struct {
    FsPending *pending; /* a reference */
    guint n_waiting;
} Writing;

static void
on_either_written(const GError *error, gpointer user_data)
{
    Writing *writing = user_data;
    FsPending *pending = writing->pending;

    writing->n_waiting--;
    if (error != NULL || writing->n_waiting == 0) {
        fs_need_complete(pending->written, error);
        fs_need_complete(pending->done, error);
    }
    if (writing->n_waiting > 0)
        return;
    fs_pending_unref(pending);
    g_free(writing);
}

/* One of which the server need not know: all of it is done, and is to be
 * written: the name, and that an earlier change is not to be made. */
FsPending *
fs_changes_named(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    FsPending *pending = fs_pending_new(FS_PENDING_MOVE, mailbox, uid);
    Writing *writing = g_new0(Writing, 1);

    writing->pending = fs_pending_ref(pending);
    writing->n_waiting = 2;
    cache_aliases_flush(changes->account->aliases, on_either_written, writing);
    cache_journal_flush(changes->account->journal, FALSE, on_either_written,
                        writing);
    return pending;
}

static FsPending *
done_here(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    fs_overlay_touch(changes->account->overlay, mailbox);
    return fs_changes_named(changes, mailbox, uid);
}

static void
hide(FsChanges *changes, const Place *place)
{
    FsOverlay *overlay = changes->account->overlay;

    fs_overlay_tell(overlay, FS_OVERLAY_AWAY, place->mailbox, place->uid, NULL);
    fs_overlay_hide(overlay, place->mailbox, place->uid);
    fs_overlay_touch(overlay, place->shown_in);
    if (place->shown_in != place->mailbox)
        fs_overlay_tell(overlay, FS_OVERLAY_LISTING, place->shown_in, 0, NULL);
}

/* The move that was to bring it there is not made: it is hidden where it is,
 * and no guest any more. */
static void
retract_move(FsChanges *changes, Place *place)
{
    if (place->first == NULL)
        return;
    fs_pending_retract(place->first);
    place->first = NULL;
    fs_overlay_show(changes->account->overlay, place->mailbox, place->uid);
}

/* Each takes memory, so who asks for more waits until some are made. FALSE with
 * @need or @error. */
static gboolean
has_room(FsChanges *changes, FsNeed **need, GError **error)
{
    *need = NULL;
    if (changes->all.length < PENDING_MAX)
        return TRUE;
    if (fs_changes_are_stuck(changes)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                    "%u changes wait for the server", changes->all.length);
    } else {
        fs_sender_hurry(changes->sender);
        *need = fs_need_ref(changes->moved);
    }
    return FALSE;
}

/* ---- deleting ---- */

static gboolean
would_archive(FsChanges *changes)
{
    changes->gmail |= imap_pool_has(changes->account->pool, "X-GM-EXT-1");
    return changes->gmail;
}

static guint32
trash_of(FsChanges *changes)
{
    FsMailboxTree *tree = changes->account->tree;
    const FsMailbox *known = fs_mailbox_tree_get(tree, changes->trash);

    if (known == NULL || !known->selectable ||
        (known->attributes & IMAP_LIST_TRASH) == 0)
        changes->trash = fs_mailbox_tree_find_use(tree, IMAP_LIST_TRASH);
    return changes->trash;
}

/* What is to become of it, as a change that is not asked for yet. */
static FsPending *
new_deletion(FsChanges *changes, const Place *place, FsDelete how,
             GError **error)
{
    FsRemove remove = changes->account->options->remove;
    FsPending *pending;
    guint32 trash;

    if (how != FS_DELETE_AS_OPTION || remove == FS_REMOVE_AS_SERVER)
        remove = would_archive(changes) ? FS_REMOVE_TRASH : FS_REMOVE_EXPUNGE;
    trash = remove == FS_REMOVE_TRASH ? trash_of(changes) : 0;
    if (remove == FS_REMOVE_TRASH && trash == 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                    "no folder is marked as the trash by the server");
        return NULL;
    }
    if (remove == FS_REMOVE_TRASH && trash != place->mailbox) {
        pending = fs_pending_new(FS_PENDING_MOVE, place->mailbox, place->uid);
        pending->target = trash;
        return pending;
    }
    pending = fs_pending_new(FS_PENDING_DELETE, place->mailbox, place->uid);
    pending->text = g_strdup(remove == FS_REMOVE_MARK ? FS_PENDING_MARK
                                                      : FS_PENDING_EXPUNGE);
    return pending;
}

FsPending *
fs_changes_delete(FsChanges *changes, guint64 inode, const char *name,
                  FsDelete how, FsNeed **need, GError **error)
{
    FsOverlay *overlay = changes->account->overlay;
    FsPending *pending;
    Place place;

    if ((how == FS_DELETE_AS_OPTION && !has_room(changes, need, error)) ||
        !locate(changes, inode, &place, need, error))
        return NULL;
    pending = new_deletion(changes, &place, how, error);
    if (pending == NULL)
        return NULL;
    pending->old_name = g_strdup(name);
    pending->is_replaced = how == FS_DELETE_EXPUNGE;
    pending->unasked = how != FS_DELETE_AS_OPTION;
    if (how == FS_DELETE_COPY && pending->kind == FS_PENDING_DELETE)
        pending->number = FS_PENDING_COPY;
    pending->shown_in = place.shown_in;
    hide(changes, &place);
    if (place.first != NULL) {
        retract_move(changes, &place);
        fs_overlay_remove_guest(overlay, place.guest);
    }
    return fs_pending_accept(changes, pending, GATHER_DELETED_US);
}

/* ---- moving ---- */

/* Within its directory, only its name changes, and that is ours alone. */
static FsPending *
rename_here(FsChanges *changes, const Place *place, const char *name,
            GError **error)
{
    FsAccount *account = changes->account;
    g_autofree char *stem = NULL;
    guint32 uid;

    if (fs_message_name_parse(name, &stem, &uid) && stem == NULL &&
        uid != place->uid) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "%s is the name of another message", name);
        return NULL;
    }
    fs_overlay_tell(account->overlay, FS_OVERLAY_AWAY, place->mailbox,
                    place->uid, NULL);
    if (fs_pending_keeps_name(name))
        fs_given_name_set(account->aliases, place->mailbox, place->uid, name);
    else
        cache_aliases_remove(account->aliases, place->mailbox, place->uid);
    return done_here(changes, place->mailbox, place->uid);
}

/* A move that was not made yet goes somewhere else. */
static FsPending *
move_on(FsChanges *changes, Place *place, guint32 mailbox, const char *name)
{
    FsOverlay *overlay = changes->account->overlay;

    fs_overlay_touch(overlay, place->shown_in);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, place->shown_in, 0, NULL);
    fs_overlay_tell(overlay, FS_OVERLAY_NAME, place->shown_in, 0,
                    place->guest->name);
    retract_move(changes, place);
    if (mailbox != place->mailbox)
        return NULL;
    /* Home again. */
    if (place->guest->inode ==
        fs_inode_make(changes->account->number, place->mailbox, place->uid)) {
        fs_overlay_remove_guest(overlay, place->guest);
    } else {
        fs_overlay_move_guest(overlay, place->guest, mailbox, "");
        fs_overlay_land_guest(overlay, place->guest, place->uid);
    }
    if (fs_pending_keeps_name(name))
        fs_given_name_set(changes->account->aliases, mailbox, place->uid, name);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, mailbox, 0, NULL);
    return done_here(changes, mailbox, place->uid);
}

static void
make_guest(FsChanges *changes, Place *place, const FsPending *pending)
{
    FsOverlay *overlay = changes->account->overlay;
    const char *name = pending->name;
    guint32 mailbox = pending->target;
    g_autofree char *shown =
        fs_pending_name_on_the_way(changes, pending, &place->row);

    if (place->guest == NULL)
        place->guest = fs_overlay_add_guest(overlay, pending->inode, mailbox, 0,
                                            shown, &place->row);
    else
        fs_overlay_move_guest(overlay, place->guest, mailbox, shown);
    place->guest->from_mailbox = place->mailbox;
    place->guest->from_uid = place->uid;
    if (fs_given_name_is_maildir(name))
        fs_overlay_name_in_maildir(overlay, place->guest, name);
    fs_overlay_touch(overlay, mailbox);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, mailbox, 0, NULL);
    if (!g_str_equal(shown, name) && !fs_given_name_is_maildir(name))
        fs_overlay_tell(overlay, FS_OVERLAY_NAME, mailbox, 0, name);
}

FsPending *
fs_changes_move(FsChanges *changes, guint64 inode, guint32 mailbox,
                const char *name, FsNeed **need, GError **error)
{
    FsPending *pending;
    Place place;

    if (!has_room(changes, need, error) ||
        !locate(changes, inode, &place, need, error))
        return NULL;
    if (place.first == NULL && mailbox == place.mailbox)
        return rename_here(changes, &place, name, error);
    if (place.first != NULL) {
        pending = move_on(changes, &place, mailbox, name);
        if (pending != NULL)
            return pending;
    }
    pending = fs_pending_new(FS_PENDING_MOVE, place.mailbox, place.uid);
    pending->target = mailbox;
    pending->name = g_strdup(name);
    pending->inode = inode;
    hide(changes, &place);
    make_guest(changes, &place, pending);
    return fs_pending_accept(changes, pending, GATHER_US);
}

/* ---- flagging ---- */

FsPending *
fs_changes_set_flags(FsChanges *changes, guint64 inode, const char *add,
                     const char *remove, FsNeed **need, GError **error)
{
    FsPending *pending;
    Place place;

    if (strlen(add) + strlen(remove) > FLAGS_MAX) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "too many flags");
        return NULL;
    }
    if (!has_room(changes, need, error) ||
        !locate(changes, inode, &place, need, error))
        return NULL;
    pending = fs_pending_new(FS_PENDING_FLAGS, place.mailbox, place.uid);
    pending->text = g_strconcat(add, "\n", remove, NULL);
    fs_pending_accept(changes, pending, GATHER_US);
    fs_overlay_tell(changes->account->overlay, FS_OVERLAY_FLAGS, place.shown_in,
                    place.first == NULL ? place.uid : 0, NULL);
    return pending;
}

/* ---- waiting ---- */

FsNeed *
fs_changes_need(FsChanges *changes, FsPending *pending)
{
    if (changes->account->options->sync)
        return fs_changes_need_done(changes, pending);
    return fs_need_is_complete(pending->written) &&
                   fs_need_error(pending->written) == NULL
               ? NULL
               : pending->written;
}

FsNeed *
fs_changes_need_done(FsChanges *changes, FsPending *pending)
{
    return fs_need_is_complete(pending->done) &&
                   fs_need_error(pending->done) == NULL
               ? NULL
               : pending->done;
}

gboolean
fs_changes_go_on(const FsChanges *changes, guint32 mailbox)
{
    gpointer key = GUINT_TO_POINTER(mailbox);

    if (mailbox != 0 && g_hash_table_lookup(changes->per_mailbox, key) == NULL)
        return FALSE;
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->step != FS_STEP_HELD &&
            (mailbox == 0 || pending->mailbox == mailbox ||
             pending->target == mailbox))
            return TRUE;
    }
    return FALSE;
}

FsNeed *
fs_changes_need_settled(FsChanges *changes, guint32 mailbox)
{
    if (!fs_changes_go_on(changes, mailbox))
        return NULL;
    fs_sender_hurry(changes->sender);
    return changes->moved;
}

FsNeed *
fs_changes_need_arrival(FsChanges *changes, guint64 inode, gboolean *stuck)
{
    const FsGuest *guest =
        fs_overlay_guest_by_inode(changes->account->overlay, inode);

    *stuck = FALSE;
    if (guest == NULL || guest->uid != 0)
        return NULL;
    *stuck = fs_changes_are_stuck(changes);
    return *stuck ? NULL : fs_changes_need_settled(changes, guest->mailbox);
}

void
fs_changes_moved(FsChanges *changes)
{
    if (changes->account != NULL)
        fs_need_progress(changes->moved);
}

GError *
fs_changes_take_error(FsChanges *changes, guint32 mailbox)
{
    return fs_refusals_take_error(changes->refusals, mailbox);
}

char **
fs_changes_take_refused(FsChanges *changes)
{
    return fs_refusals_take_all(changes->refusals);
}

char **
fs_changes_refused(FsChanges *changes)
{
    return fs_refusals_untold(changes->refusals);
}

guint
fs_changes_count(const FsChanges *changes)
{
    return changes != NULL ? changes->all.length : 0;
}

gboolean
fs_changes_are_stuck(const FsChanges *changes)
{
    return changes->all.length > 0 && fs_sender_is_away(changes->sender);
}

void
fs_changes_line_is_back(FsChanges *changes)
{
    fs_sender_retry_now(changes->sender);
}

/* ---- what others do ---- */

typedef struct {
    guint32 mailbox;
    guint32 uid;
} Gone;

static void
forget_gone(FsChanges *changes, const Gone *gone)
{
    FsAccount *account = changes->account;
    FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, gone->mailbox, gone->uid);
    GQueue *queue;
    CacheMessage message;

    if (cache_index_message(account->index, gone->mailbox, gone->uid, &message))
        return;
    fs_given_name_forget(account->aliases, gone->mailbox, gone->uid);
    if (guest != NULL)
        fs_overlay_remove_guest(account->overlay, guest);
    queue = fs_pending_queue(changes, gone->mailbox, gone->uid);
    while (queue != NULL) {
        FsPending *pending = g_queue_peek_head(queue);

        if (pending->in_flight || pending->uncertain ||
            pending->step == FS_STEP_COPIED)
            break;
        fs_pending_drop(pending);
        queue = fs_pending_queue(changes, gone->mailbox, gone->uid);
    }
}

static gboolean
forget_all_gone(gpointer user_data)
{
    FsChanges *changes = user_data;
    g_autoptr(GArray) gone = changes->gone;

    changes->gone = g_array_new(FALSE, FALSE, sizeof(Gone));
    changes->gone_source = 0;
    for (guint i = 0; i < gone->len; i++)
        forget_gone(changes, &g_array_index(gone, Gone, i));
    fs_changes_moved(changes);
    return G_SOURCE_REMOVE;
}

/* A FsChangeFunc. */
static void
on_change(FsChange change, guint32 mailbox, const CacheMessage *message,
          gpointer user_data)
{
    FsChanges *changes = user_data;
    Gone gone = {mailbox, message != NULL ? message->uid : 0};

    if (change != FS_CHANGE_GONE)
        return;
    g_array_append_val(changes->gone, gone);
    if (changes->gone_source == 0)
        changes->gone_source =
            g_idle_add_full(G_PRIORITY_HIGH, forget_all_gone, changes, NULL);
}

/* ---- making and ending ---- */

/* What an earlier mount has left shows as it did then. The row of what is being
 * moved is the index's, if that has it; until then, little is known of it. */
static void
show_taken_up(FsChanges *changes, FsPending *pending)
{
    FsAccount *account = changes->account;
    CacheMessage row = {.uid = pending->uid, .sent_date = G_MININT64};
    Place place = {.mailbox = pending->mailbox, .uid = pending->uid};

    fs_overlay_hide(account->overlay, pending->mailbox, pending->uid);
    if (pending->kind != FS_PENDING_MOVE || pending->name == NULL)
        return;
    if (pending->step == FS_STEP_COPIED) {
        if (fs_pending_keeps_name(pending->name))
            fs_given_name_set(account->aliases, pending->target,
                              pending->target_uid, pending->name);
        return;
    }
    if (cache_index_message(account->index, pending->mailbox, pending->uid,
                            &place.row) == FALSE)
        place.row = row;
    pending->inode =
        fs_inode_make(account->number, pending->mailbox, pending->uid);
    make_guest(changes, &place, pending);
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
static void
take_up_all(FsChanges *changes)
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
    if (changes->all.length > 0)
        fs_account_say(account,
                       "%u changes of an earlier mount are still to be made",
                       changes->all.length);
}

FsChanges *
fs_changes_new(FsAccount *account)
{
    FsChanges *changes = g_rc_box_new0(FsChanges);

    changes->account = account;
    changes->leases = fs_leases_new(account);
    changes->by_message = fs_pending_queues_new();
    changes->by_inode = g_hash_table_new(g_int64_hash, g_int64_equal);
    changes->per_mailbox = g_hash_table_new(NULL, NULL);
    changes->reconciling = g_hash_table_new(NULL, NULL);
    changes->moved = fs_need_new_standing();
    changes->refusals = fs_refusals_new();
    changes->gone = g_array_new(FALSE, FALSE, sizeof(Gone));
    changes->marks = g_ptr_array_new();
    changes->late = fs_late_array_new();
    take_up_all(changes);
    changes->sender = fs_sender_new(changes);
    fs_synchroniser_add_change_func(account->synchroniser, on_change, changes);
    return changes;
}

FsChanges *
fs_changes_ref(FsChanges *changes)
{
    return g_rc_box_acquire(changes);
}

void
fs_changes_unref(gpointer changes)
{
    g_rc_box_release(changes);
}

/* What is pending stays in the journal. */
static void
abandon(FsPending *pending)
{
    g_autoptr(GError) error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED,
                                                  "the mount is being ended");

    pending->changes = NULL;
    fs_need_complete(pending->written, error);
    fs_need_complete(pending->done, error);
    fs_pending_unref(pending);
}

void
fs_changes_free(FsChanges *changes)
{
    GList *link;

    if (changes == NULL)
        return;
    fs_synchroniser_remove_change_func(changes->account->synchroniser,
                                       on_change, changes);
    g_clear_handle_id(&changes->gone_source, g_source_remove);
    g_clear_pointer(&changes->late, g_ptr_array_unref);
    fs_sender_free(changes->sender);
    fs_leases_free(changes->leases);
    changes->leases = NULL;
    changes->account = NULL;
    g_hash_table_unref(changes->by_message);
    g_hash_table_unref(changes->by_inode);
    while ((link = g_queue_pop_head_link(&changes->all)) != NULL)
        abandon(link->data);
    g_hash_table_unref(changes->per_mailbox);
    g_hash_table_unref(changes->reconciling);
    fs_need_unref(changes->moved);
    fs_refusals_free(changes->refusals);
    g_array_unref(changes->gone);
    g_ptr_array_unref(changes->marks);
    fs_changes_unref(changes);
}
