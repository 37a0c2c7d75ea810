/* What is different in the mount from what the index has.
 *
 * Most mailboxes have nothing of it, and are long: for those, every question
 * costs one look-up. */
#include "fs/changes/overlay.h"

#include "fs/listeners.h"
#include "fs/names/maildir-name.h"

typedef struct {
    GHashTable *hidden;  /* UID -> how often */
    GTree *guests;       /* number -> FsGuest, borrowed */
    GHashTable *by_uid;  /* UID -> FsGuest, borrowed */
    GHashTable *by_name; /* guest->name -> FsGuest, borrowed: without a UID */
    GHashTable *by_former_name; /* likewise, with one; NULL: there are none */
    GArray *held;               /* of guint32: see fs_overlay_hold_new */
    gint64 changed_at;
} Mailbox;

struct FsOverlay {
    GHashTable *mailboxes; /* id -> Mailbox, owned */
    GHashTable *guests;    /* &guest->inode -> FsGuest, owned */
    GQueue former; /* of FsGuest, borrowed, by the time when they landed */
    guint32 last_number;
    FsListeners listeners;
};

/* ---- records ---- */

static gint
compare_numbers(gconstpointer a, gconstpointer b, gpointer user_data)
{
    guint first = GPOINTER_TO_UINT(a);
    guint second = GPOINTER_TO_UINT(b);

    return first < second ? -1 : first > second;
}

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    g_hash_table_unref(mailbox->hidden);
    g_tree_unref(mailbox->guests);
    g_hash_table_unref(mailbox->by_uid);
    g_hash_table_unref(mailbox->by_name);
    g_clear_pointer(&mailbox->by_former_name, g_hash_table_unref);
    g_array_unref(mailbox->held);
    g_free(mailbox);
}

static Mailbox *
find(const FsOverlay *overlay, guint32 id)
{
    return g_hash_table_lookup(overlay->mailboxes, GUINT_TO_POINTER(id));
}

static Mailbox *
find_or_make(FsOverlay *overlay, guint32 id)
{
    Mailbox *mailbox = find(overlay, id);

    if (mailbox != NULL)
        return mailbox;
    mailbox = g_new0(Mailbox, 1);
    mailbox->hidden = g_hash_table_new(NULL, NULL);
    mailbox->guests = g_tree_new_full(compare_numbers, NULL, NULL, NULL);
    mailbox->by_uid = g_hash_table_new(NULL, NULL);
    mailbox->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    mailbox->held = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_hash_table_insert(overlay->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

static void
guest_free(gpointer data)
{
    FsGuest *guest = data;

    fs_need_unref(guest->under_way);
    g_free(guest->name);
    g_free(guest->maildir);
    g_free((char *)guest->row.stem);
    g_free((char *)guest->row.flags);
    g_free((char *)guest->row.identity);
    g_free(guest);
}

FsOverlay *
fs_overlay_new(void)
{
    FsOverlay *overlay = g_new0(FsOverlay, 1);

    overlay->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    overlay->guests =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, guest_free);
    return overlay;
}

void
fs_overlay_free(FsOverlay *overlay)
{
    if (overlay == NULL)
        return;
    g_hash_table_unref(overlay->guests);
    g_hash_table_unref(overlay->mailboxes);
    fs_listeners_clear(&overlay->listeners);
    g_free(overlay);
}

void
fs_overlay_add_func(FsOverlay *overlay, FsOverlayFunc func, gpointer user_data)
{
    fs_listeners_add(&overlay->listeners, G_CALLBACK(func), user_data);
}

void
fs_overlay_remove_func(FsOverlay *overlay, FsOverlayFunc func,
                       gpointer user_data)
{
    fs_listeners_remove(&overlay->listeners, G_CALLBACK(func), user_data);
}

void
fs_overlay_tell(FsOverlay *overlay, FsOverlayChange change, guint32 mailbox,
                guint32 uid, const char *name)
{
    for (guint i = 0; i < fs_listeners_count(&overlay->listeners); i++) {
        gpointer user_data;
        FsOverlayFunc func =
            (FsOverlayFunc)fs_listeners_get(&overlay->listeners, i, &user_data);

        func(change, mailbox, uid, name, user_data);
    }
}

/* ---- hidden messages ---- */

void
fs_overlay_hide(FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    GHashTable *hidden = find_or_make(overlay, mailbox)->hidden;
    gpointer key = GUINT_TO_POINTER(uid);
    guint times = GPOINTER_TO_UINT(g_hash_table_lookup(hidden, key));

    g_hash_table_insert(hidden, key, GUINT_TO_POINTER(times + 1));
}

void
fs_overlay_show(FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    GHashTable *hidden = find_or_make(overlay, mailbox)->hidden;
    gpointer key = GUINT_TO_POINTER(uid);
    guint times = GPOINTER_TO_UINT(g_hash_table_lookup(hidden, key));

    if (times > 1)
        g_hash_table_insert(hidden, key, GUINT_TO_POINTER(times - 1));
    else
        g_hash_table_remove(hidden, key);
}

void
fs_overlay_hold_new(FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    g_array_append_val(find_or_make(overlay, mailbox)->held, uid);
}

void
fs_overlay_release_new(FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    GArray *held = find_or_make(overlay, mailbox)->held;

    for (guint i = 0; i < held->len; i++)
        if (g_array_index(held, guint32, i) == uid) {
            g_array_remove_index_fast(held, i);
            return;
        }
}

guint32
fs_overlay_held_above(const FsOverlay *overlay, guint32 mailbox)
{
    const Mailbox *found = find(overlay, mailbox);
    guint32 lowest = G_MAXUINT32;

    for (guint i = 0; found != NULL && i < found->held->len; i++)
        lowest = MIN(lowest, g_array_index(found->held, guint32, i));
    return lowest;
}

gboolean
fs_overlay_is_taken_away(const FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    const Mailbox *found = find(overlay, mailbox);

    return found != NULL &&
           g_hash_table_contains(found->hidden, GUINT_TO_POINTER(uid));
}

gboolean
fs_overlay_is_hidden(const FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    const Mailbox *found = find(overlay, mailbox);
    gpointer key = GUINT_TO_POINTER(uid);

    if (found == NULL)
        return FALSE;
    if (g_hash_table_contains(found->hidden, key))
        return TRUE;
    return found->held->len > 0 &&
           uid > fs_overlay_held_above(overlay, mailbox) &&
           !g_hash_table_contains(found->by_uid, key);
}

/* ---- guests ---- */

static void
list_guest(FsOverlay *overlay, FsGuest *guest)
{
    Mailbox *mailbox = find_or_make(overlay, guest->mailbox);

    g_tree_insert(mailbox->guests, GUINT_TO_POINTER(guest->number), guest);
    if (guest->uid != 0)
        g_hash_table_insert(mailbox->by_uid, GUINT_TO_POINTER(guest->uid),
                            guest);
    else
        g_hash_table_replace(mailbox->by_name, guest->name, guest);
    if (guest->uid == 0 && guest->maildir != NULL)
        g_hash_table_replace(mailbox->by_name, guest->maildir, guest);
}

static void
forget_name(Mailbox *mailbox, const FsGuest *guest, const char *name)
{
    if (name != NULL && g_hash_table_lookup(mailbox->by_name, name) == guest)
        g_hash_table_remove(mailbox->by_name, name);
}

static void
drop_former_name(FsOverlay *overlay, FsGuest *guest)
{
    const Mailbox *mailbox = find(overlay, guest->mailbox);

    if (guest->former.data == NULL)
        return;
    g_queue_unlink(&overlay->former, &guest->former);
    guest->former.data = NULL;
    if (g_hash_table_lookup(mailbox->by_former_name, guest->name) == guest)
        g_hash_table_remove(mailbox->by_former_name, guest->name);
}

static void
unlist_guest(FsOverlay *overlay, FsGuest *guest)
{
    Mailbox *mailbox = find_or_make(overlay, guest->mailbox);

    drop_former_name(overlay, guest);
    g_tree_remove(mailbox->guests, GUINT_TO_POINTER(guest->number));
    if (guest->uid != 0)
        g_hash_table_remove(mailbox->by_uid, GUINT_TO_POINTER(guest->uid));
    else
        forget_name(mailbox, guest, guest->name);
    if (guest->uid == 0)
        forget_name(mailbox, guest, guest->maildir);
}

FsGuest *
fs_overlay_add_guest(FsOverlay *overlay, guint64 inode, guint32 mailbox,
                     guint32 uid, const char *name, const CacheMessage *row)
{
    FsGuest *before = fs_overlay_guest_by_inode(overlay, inode);
    FsGuest *guest = g_new0(FsGuest, 1);

    guest->inode = inode;
    guest->number = ++overlay->last_number;
    guest->mailbox = mailbox;
    guest->uid = uid;
    guest->name = g_strdup(name != NULL ? name : "");
    guest->row = *row;
    guest->row.stem = g_strdup(row->stem);
    guest->row.flags = g_strdup(row->flags);
    guest->row.identity = g_strdup(row->identity);
    guest->landed_at = uid != 0 ? g_get_monotonic_time() : 0;
    if (before != NULL)
        fs_overlay_remove_guest(overlay, before);
    if (uid != 0) {
        FsGuest *same = fs_overlay_guest_by_uid(overlay, mailbox, uid);

        if (same != NULL)
            fs_overlay_remove_guest(overlay, same);
    }
    g_hash_table_insert(overlay->guests, &guest->inode, guest);
    list_guest(overlay, guest);
    return guest;
}

void
fs_overlay_move_guest(FsOverlay *overlay, FsGuest *guest, guint32 mailbox,
                      const char *name)
{
    unlist_guest(overlay, guest);
    guest->mailbox = mailbox;
    guest->uid = 0;
    g_free(guest->name);
    guest->name = g_strdup(name);
    guest->is_seen = FALSE;
    g_clear_pointer(&guest->maildir, g_free);
    /* Who lists the directory that it comes to may be beyond its number. */
    guest->number = ++overlay->last_number;
    list_guest(overlay, guest);
}

void
fs_overlay_name_in_maildir(FsOverlay *overlay, FsGuest *guest, const char *name)
{
    char *info;

    unlist_guest(overlay, guest);
    g_free(guest->maildir);
    guest->maildir = g_strdup(name);
    info = fs_maildir_name_info(guest->maildir);
    if (info != NULL)
        *info = '\0';
    list_guest(overlay, guest);
}

void
fs_overlay_set_guest_flags(FsGuest *guest, const char *flags)
{
    char *copy = g_strdup(flags);

    g_free((char *)guest->row.flags);
    guest->row.flags = copy;
}

void
fs_overlay_land_guest(FsOverlay *overlay, FsGuest *guest, guint32 uid)
{
    FsGuest *same = fs_overlay_guest_by_uid(overlay, guest->mailbox, uid);

    if (same != NULL && same != guest)
        fs_overlay_remove_guest(overlay, same);
    unlist_guest(overlay, guest);
    guest->uid = uid;
    guest->row.uid = uid;
    guest->landed_at = g_get_monotonic_time();
    list_guest(overlay, guest);
}

static gboolean
is_long_landed(const FsGuest *guest)
{
    return g_get_monotonic_time() - guest->landed_at >= FS_OVERLAY_FORMER_US;
}

void
fs_overlay_keep_former_name(FsOverlay *overlay, FsGuest *guest)
{
    Mailbox *mailbox = find_or_make(overlay, guest->mailbox);
    FsGuest *oldest;

    if (!guest->is_seen || guest->uid == 0)
        return;
    while ((oldest = g_queue_peek_head(&overlay->former)) != NULL &&
           (is_long_landed(oldest) ||
            overlay->former.length >= FS_OVERLAY_FORMER_MAX))
        drop_former_name(overlay, oldest);
    drop_former_name(overlay, guest);
    if (mailbox->by_former_name == NULL)
        mailbox->by_former_name = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_replace(mailbox->by_former_name, guest->name, guest);
    guest->former.data = guest;
    g_queue_push_tail_link(&overlay->former, &guest->former);
}

void
fs_overlay_forget_former_name(FsOverlay *overlay, guint32 mailbox,
                              const char *name)
{
    FsGuest *guest = fs_overlay_guest_by_former_name(overlay, mailbox, name);

    if (guest != NULL)
        drop_former_name(overlay, guest);
}

void
fs_overlay_remove_guest(FsOverlay *overlay, FsGuest *guest)
{
    unlist_guest(overlay, guest);
    g_hash_table_remove(overlay->guests, &guest->inode);
}

FsGuest *
fs_overlay_guest_by_inode(const FsOverlay *overlay, guint64 inode)
{
    return g_hash_table_lookup(overlay->guests, &inode);
}

FsGuest *
fs_overlay_guest_by_uid(const FsOverlay *overlay, guint32 mailbox, guint32 uid)
{
    const Mailbox *found = find(overlay, mailbox);

    if (found == NULL)
        return NULL;
    return g_hash_table_lookup(found->by_uid, GUINT_TO_POINTER(uid));
}

FsGuest *
fs_overlay_guest_by_name(const FsOverlay *overlay, guint32 mailbox,
                         const char *name)
{
    const Mailbox *found = find(overlay, mailbox);

    return found != NULL ? g_hash_table_lookup(found->by_name, name) : NULL;
}

FsGuest *
fs_overlay_guest_by_former_name(const FsOverlay *overlay, guint32 mailbox,
                                const char *name)
{
    const Mailbox *found = find(overlay, mailbox);
    FsGuest *guest;

    if (found == NULL || found->by_former_name == NULL)
        return NULL;
    guest = g_hash_table_lookup(found->by_former_name, name);
    return guest != NULL && !is_long_landed(guest) ? guest : NULL;
}

FsGuest *
fs_overlay_next_guest(const FsOverlay *overlay, guint32 mailbox, guint32 after)
{
    const Mailbox *found = find(overlay, mailbox);
    GTreeNode *node;

    if (found == NULL)
        return NULL;
    node = g_tree_upper_bound(found->guests, GUINT_TO_POINTER(after));
    return node != NULL ? g_tree_node_value(node) : NULL;
}

/* ---- times ---- */

void
fs_overlay_touch(FsOverlay *overlay, guint32 mailbox)
{
    find_or_make(overlay, mailbox)->changed_at = g_get_real_time();
}

gint64
fs_overlay_changed_at(const FsOverlay *overlay, guint32 mailbox)
{
    const Mailbox *found = find(overlay, mailbox);

    return found != NULL ? found->changed_at : 0;
}
