/* What is asked for: a message deleted, moved or flagged, and what shows of
 * that at once.
 *
 * A message is meant by the inode number that it shows under. It may be on its
 * way: then the move that the server does not know of yet is made another one,
 * and the server is told of what has come of it all. */
#include "fs/changes/pending.h"
#include "fs/kernel/inode.h"
#include "fs/names/given-name.h"
#include "fs/names/message-name.h"
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

/* Its move, unless the server is being told of it. */
static gboolean
find_move(FsChanges *changes, const FsGuest *guest, FsMessagePlace *place,
          FsNeed **need, GError **error)
{
    FsPending *pending = g_hash_table_lookup(changes->by_inode, &guest->inode);

    if (pending == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                    "it is being written to the server");
        return FALSE;
    }
    if (fs_pending_is_under_way(pending)) {
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
locate(FsChanges *changes, guint64 inode, FsMessagePlace *place, FsNeed **need,
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
hide(FsChanges *changes, const FsMessagePlace *place)
{
    FsOverlay *overlay = changes->account->overlay;

    fs_overlay_tell(overlay, FS_OVERLAY_AWAY, place->mailbox, place->uid, NULL);
    fs_overlay_hide(overlay, place->mailbox, place->uid);
    fs_overlay_touch(overlay, place->shown_in);
    if (place->shown_in != place->mailbox)
        fs_overlay_tell(overlay, FS_OVERLAY_LISTING, place->shown_in, 0,
                        place->guest->name);
}

/* The move that was to bring it there is not made: it is hidden where it is,
 * and no guest any more. */
static void
retract_move(FsChanges *changes, FsMessagePlace *place)
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
new_deletion(FsChanges *changes, const FsMessagePlace *place, FsDelete how,
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
    FsMessagePlace place;

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
        if (how == FS_DELETE_EXPUNGE)
            fs_way_note(changes, pending, place.first);
        retract_move(changes, &place);
        fs_overlay_remove_guest(overlay, place.guest);
    }
    return fs_pending_accept(changes, pending, GATHER_DELETED_US);
}

/* ---- moving ---- */

/* Whether the message, which stays in or goes back to the folder where the
 * server has it, can be called so there. */
static gboolean
can_be_called(const FsMessagePlace *place, const char *name, GError **error)
{
    g_autofree char *stem = NULL;
    guint32 uid;

    if (!fs_message_name_parse(name, &stem, &uid) || stem != NULL ||
        uid == place->uid)
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "%s is the name of another message", name);
    return FALSE;
}

/* Within its directory, only its name changes, and that is ours alone. */
static FsPending *
rename_here(FsChanges *changes, const FsMessagePlace *place, const char *name)
{
    FsAccount *account = changes->account;

    fs_overlay_tell(account->overlay, FS_OVERLAY_AWAY, place->mailbox,
                    place->uid, NULL);
    if (place->guest != NULL)
        fs_overlay_forget_former_name(account->overlay, place->mailbox,
                                      place->guest->name);
    if (fs_pending_keeps_name(name))
        fs_given_name_set(account->aliases, place->mailbox, place->uid, name);
    else
        cache_aliases_remove(account->aliases, place->mailbox, place->uid);
    return done_here(changes, place->mailbox, place->uid);
}

/* A move that was not made yet goes somewhere else. */
static FsPending *
move_on(FsChanges *changes, FsMessagePlace *place, guint32 mailbox,
        const char *name)
{
    FsOverlay *overlay = changes->account->overlay;

    fs_overlay_touch(overlay, place->shown_in);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, place->shown_in, 0,
                    place->guest->name);
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
    else
        cache_aliases_remove(changes->account->aliases, mailbox, place->uid);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, mailbox, 0, NULL);
    return done_here(changes, mailbox, place->uid);
}

/* The index has been asked for something else since. */
static void
borrow_again(const FsChanges *changes, FsMessagePlace *place)
{
    CacheMessage row;

    if (cache_index_message(changes->account->index, place->mailbox, place->uid,
                            &row))
        place->row = row;
}

void
fs_changes_make_guest(FsChanges *changes, FsMessagePlace *place,
                      const FsPending *pending)
{
    FsOverlay *overlay = changes->account->overlay;
    const char *name = pending->name;
    guint32 mailbox = pending->target;
    g_autofree char *shown = NULL;

    borrow_again(changes, place);
    shown = fs_pending_name_on_the_way(changes, pending, &place->row);
    borrow_again(changes, place);
    if (place->guest == NULL)
        place->guest = fs_overlay_add_guest(overlay, pending->inode, mailbox, 0,
                                            shown, &place->row);
    else
        fs_overlay_move_guest(overlay, place->guest, mailbox, shown);
    place->guest->is_seen = fs_pending_is_made_up_name(name);
    place->guest->from_mailbox = place->mailbox;
    place->guest->from_uid = place->uid;
    if (fs_given_name_is_maildir(name))
        fs_overlay_name_in_maildir(overlay, place->guest, name);
    fs_overlay_touch(overlay, mailbox);
    fs_overlay_tell(overlay, FS_OVERLAY_LISTING, mailbox, 0, shown);
    if (!g_str_equal(shown, name) && !fs_given_name_is_maildir(name))
        fs_overlay_tell(overlay, FS_OVERLAY_NAME, mailbox, 0, name);
}

FsPending *
fs_changes_move(FsChanges *changes, guint64 inode, guint32 mailbox,
                const char *name, FsNeed **need, GError **error)
{
    FsPending *pending;
    FsMessagePlace place;

    if (!has_room(changes, need, error) ||
        !locate(changes, inode, &place, need, error))
        return NULL;
    if (mailbox == place.mailbox && !can_be_called(&place, name, error))
        return NULL;
    if (place.first == NULL && mailbox == place.mailbox)
        return rename_here(changes, &place, name);
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
    fs_changes_make_guest(changes, &place, pending);
    return fs_pending_accept(changes, pending, GATHER_US);
}

/* ---- flagging ---- */

FsPending *
fs_changes_set_flags(FsChanges *changes, guint64 inode, const char *add,
                     const char *remove, FsNeed **need, GError **error)
{
    FsPending *pending;
    FsMessagePlace place;

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
