/* Making, removing and renaming mailboxes.
 *
 * A change is a chain of requests, each sent when the one before is answered.
 * At its end the list of mailboxes is asked for, and what it says counts. */
#include "fs/writing/directories.h"

#include "cache/state.h"
#include "fs/names/mailbox-name.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/directory-name.h"
#include "fs/writing/file-name.h"
#include "fs/writing/mailbox-count.h"
#include "imap/error.h"
#include "imap/mailbox-requests.h"
#include "imap/requests.h"

#include <errno.h>
#include <string.h>

#define ID_PREFIX "m:"
/* What a connection has selected while another mailbox is renamed or deleted:
 * some servers refuse that to who has it open. */
#define ELSEWHERE "INBOX"

/* How often it is tried again to delete what is still there, and empty. */
#define TRIES_MAX 3u

/* Of FsDirectoryChange, borrowed: those that are not over. */
static GQueue under_way = G_QUEUE_INIT;

typedef enum {
    CHANGE_MAKE,
    CHANGE_REMOVE,
    CHANGE_RENAME,
} Kind;

struct FsDirectoryChange {
    guint references;
    Kind kind;
    FsAccount *account;
    FsNeed *need;
    char *from;        /* wire name; NULL: of CHANGE_MAKE */
    guint32 parent;    /* id, of what it is to be in */
    char *parent_wire; /* NULL: the top */
    char *name;        /* there, or a path; NULL: of CHANGE_REMOVE */
    char *to;          /* wire name; NULL: not known yet */
    char delimiter;
    gboolean abandoned;   /* answers are passed over */
    gboolean sent;        /* RENAME, and no list has shown it yet */
    GPtrArray *old_names; /* of RENAME: wire names of it and its children */
    ImapLease *lease;
    guint n_removals; /* DELETEs that were answered by OK */
    guint n_tries;    /* beyond the first */
    guint n_lists;    /* that were asked for, since the last of them */
    gboolean joined;  /* the last was under way before */
    FsNeed *list;     /* waited for; a reference */
    GError *error;    /* of the line, while the list is asked for */
};

void
fs_directory_change_unref(gpointer data)
{
    FsDirectoryChange *change = data;

    if (change == NULL || --change->references > 0)
        return;
    imap_lease_release(change->lease);
    fs_need_unref(change->need);
    fs_need_unref(change->list);
    g_clear_error(&change->error);
    g_clear_pointer(&change->old_names, g_ptr_array_unref);
    g_free(change->from);
    g_free(change->parent_wire);
    g_free(change->name);
    g_free(change->to);
    g_free(change);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDirectoryChange, fs_directory_change_unref)

FsNeed *
fs_directory_change_need(const FsDirectoryChange *change)
{
    return change->need;
}

static FsDirectoryChange *
await(FsDirectoryChange *change)
{
    change->references++;
    return change;
}

static ImapConnection *
connection_of(const FsDirectoryChange *change)
{
    return imap_lease_connection(change->lease);
}

static void
end(FsDirectoryChange *change, const GError *error)
{
    g_queue_remove(&under_way, change);
    g_clear_pointer(&change->lease, imap_lease_release);
    fs_need_complete(change->need, error);
}

static void
end_with(FsDirectoryChange *change, ImapError code, const char *text)
{
    g_autoptr(GError) error = g_error_new_literal(IMAP_ERROR, code, text);

    end(change, error);
}

/* FALSE: no mailbox can have that name. */
static gboolean
make_wire_name(FsDirectoryChange *change)
{
    change->to = fs_directory_name_on_wire(
        change->name, change->parent_wire, change->delimiter,
        imap_connection_is_utf8(connection_of(change)));
    return change->to != NULL;
}

/* ---- the end: what the list says ---- */

static void ask_for_list(FsDirectoryChange *change);
static void remove_again(FsDirectoryChange *change);

/* Some servers give what is renamed another UIDVALIDITY. */
static void
doubt(FsDirectoryChange *change, guint32 mailbox)
{
    const FsMailboxTree *tree = change->account->tree;
    const FsMailbox *child;
    guint32 after = 0;

    fs_synchroniser_mark_stale(change->account->synchroniser, mailbox);
    for (; (child = fs_mailbox_tree_next_child(tree, mailbox, after)) != NULL;
         after = child->id)
        doubt(change, child->id);
}

/* The server has said OK, but it is there; nor has the line failed. */
static gboolean
may_try_again(const FsDirectoryChange *change)
{
    return change->n_removals > 0 && change->n_tries < TRIES_MAX &&
           (change->error == NULL || (change->error->domain == IMAP_ERROR &&
                                      change->error->code >= IMAP_ERROR_NO));
}

/* With children, a mailbox stays as a directory of them; with some servers
 * also without. */
static gboolean
is_removed(const FsDirectoryChange *change, const FsMailbox *old)
{
    if (old == NULL)
        return TRUE;
    return !old->selectable &&
           (!may_try_again(change) ||
            fs_mailbox_tree_count_children(change->account->tree, old->id) > 0);
}

static void
verify(FsDirectoryChange *change)
{
    FsMailboxTree *tree = change->account->tree;
    const FsMailbox *old =
        change->from != NULL ? fs_mailbox_tree_by_wire_name(tree, change->from)
                             : NULL;
    const FsMailbox *new =
        change->name != NULL
            ? fs_directory_name_find(tree, change->parent, change->name)
            : NULL;
    gboolean done =
        change->kind == CHANGE_REMOVE ? is_removed(change, old) : new != NULL;

    if (change->kind == CHANGE_RENAME && old != NULL && old->selectable)
        done = FALSE;
    /* Cyrus renames children one by one: a list meanwhile may lack them. */
    if (change->kind == CHANGE_RENAME && change->joined && change->n_lists < 2)
        done = FALSE;
    if (done && change->kind == CHANGE_RENAME)
        doubt(change, new->id);
    if (done)
        end(change, NULL);
    else if (change->n_lists < 2)
        ask_for_list(change); /* the first may have been under way before */
    else if (may_try_again(change))
        remove_again(change);
    else if (change->error != NULL)
        end(change, change->error);
    else
        end_with(change, IMAP_ERROR_NO,
                 "the server says OK to what it has not done");
}

static void
on_list(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL)
        end(change, error);
    else
        verify(change);
}

static void
ask_for_list(FsDirectoryChange *change)
{
    FsLister *lister = change->account->lister;
    FsNeed *need;

    g_clear_pointer(&change->lease, imap_lease_release);
    g_clear_pointer(&change->list, fs_need_unref);
    change->n_lists++;
    change->joined = fs_lister_is_under_way(lister);
    fs_lister_mark_old(lister);
    need = fs_lister_need(lister, FS_NOW);
    if (need == NULL) {
        change->n_lists = 2;
        verify(change);
        return;
    }
    change->list = fs_need_ref(need);
    fs_need_wait(need, on_list, await(change));
}

/* TRUE: it is over, or only the list can tell. */
static gboolean
has_failed(FsDirectoryChange *change, const GError *error)
{
    if (error == NULL)
        return FALSE;
    if (change->n_removals > 0 ||
        (error->domain == IMAP_ERROR && (error->code == IMAP_ERROR_CLOSED ||
                                         error->code == IMAP_ERROR_TIMEOUT))) {
        g_clear_error(&change->error);
        change->error = g_error_copy(error);
        ask_for_list(change);
    } else {
        end(change, error);
    }
    return TRUE;
}

/* ---- making ---- */

/* Nobody but other mail programs goes by subscriptions. */
static void
on_subscribed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    ask_for_list(change);
}

static void
on_made(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (!has_failed(change, error))
        imap_request_subscribe(connection_of(change), change->to, on_subscribed,
                               await(change));
}

/* ---- removing ---- */

static void
on_removed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned || has_failed(change, error))
        return;
    change->n_removals++;
    imap_request_unsubscribe(connection_of(change), change->from, on_subscribed,
                             await(change));
}

/* Before it is sent. */
static void
give_up(FsDirectoryChange *change, const GError *error)
{
    /* What has been removed before may be gone by now. */
    if (change->n_removals > 0)
        has_failed(change, error);
    else
        end(change, error);
}

/* Until all of ours had left it, some may have come, or another client have
 * made one of that name anew. */
static void
on_counted_again(gboolean holds, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL)
        give_up(change, error);
    else if (holds)
        end_with(change, IMAP_ERROR_HAS_CHILDREN, "it holds messages");
    else
        imap_request_delete(connection_of(change), change->from, on_removed,
                            await(change));
}

static void
on_lease_to_remove(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned) {
        imap_lease_release(lease);
        return;
    }
    change->lease = lease;
    if (lease == NULL)
        give_up(change, error);
    else
        fs_mailbox_count(connection_of(change), change->from, on_counted_again,
                         await(change));
}

/* Nobody of ours looks at it meanwhile. */
static void
remove_now(FsDirectoryChange *change)
{
    ImapWish wish = {.mailbox = ELSEWHERE, .apart = change->from};

    g_clear_pointer(&change->lease, imap_lease_release);
    imap_pool_acquire_wish(change->account->pool, &wish, on_lease_to_remove,
                           await(change));
}

/* Deleting a mailbox deletes what is in it. */
static void
on_counted(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL) {
        give_up(change, error);
        return;
    }
    if (imap_uid_set_n_ranges(found) > 0 ||
        imap_connection_mailbox(connection_of(change))->exists > 0) {
        end_with(change, IMAP_ERROR_HAS_CHILDREN, "it holds messages");
        return;
    }
    remove_now(change);
}

static void
on_lease_to_count(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;
    const ImapSought anything = {0};

    if (change->abandoned) {
        imap_lease_release(lease);
        return;
    }
    change->lease = lease;
    if (lease == NULL)
        give_up(change, error);
    else
        imap_request_find(connection_of(change), &anything, on_counted,
                          await(change));
}

static void
count(FsDirectoryChange *change)
{
    imap_pool_acquire(change->account->pool, change->from, on_lease_to_count,
                      await(change));
}

/* Whatever the answer: Dovecot says that it exists, and repairs it. */
static void
on_made_again(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    g_clear_pointer(&change->lease, imap_lease_release);
    count(change);
}

static void
on_lease_to_make_again(ImapLease *lease, const GError *error,
                       gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned) {
        imap_lease_release(lease);
        return;
    }
    change->lease = lease;
    if (lease == NULL)
        give_up(change, error);
    else
        imap_request_create(connection_of(change), change->from, on_made_again,
                            await(change));
}

/* Dovecot removes the directories of a mailbox one by one. A session that looks
 * at it meanwhile makes some of them again (also one that only tells how many
 * messages there are), and DELETE says OK all the same. What is left may be a
 * mailbox, or none that it would delete: so it is made one first. */
static void
remove_again(FsDirectoryChange *change)
{
    change->n_tries++;
    change->n_lists = 0;
    g_clear_error(&change->error);
    imap_pool_forget_selected(change->account->pool, change->from);
    imap_pool_acquire(change->account->pool, NULL, on_lease_to_make_again,
                      await(change));
}

/* ---- renaming ---- */

static void
note_names(FsDirectoryChange *change, guint32 mailbox)
{
    const FsMailboxTree *tree = change->account->tree;
    const FsMailbox *renamed = fs_mailbox_tree_get(tree, mailbox);
    const FsMailbox *child;
    guint32 after = 0;

    if (renamed->wire_name != NULL)
        g_ptr_array_add(change->old_names, g_strdup(renamed->wire_name));
    for (; (child = fs_mailbox_tree_next_child(tree, mailbox, after)) != NULL;
         after = child->id)
        note_names(change, child->id);
}

/* What other connections have selected under the old names is not what it says
 * any more. Cyrus tells them that every message was expunged. */
static void
leave(const FsDirectoryChange *change)
{
    for (guint i = 0; i < change->old_names->len; i++)
        imap_pool_forget_selected(change->account->pool,
                                  g_ptr_array_index(change->old_names, i));
}

/* It and its children keep their numbers, and so does what is known of them. */
static void
move_ids(FsDirectoryChange *change, guint32 mailbox)
{
    const FsMailboxTree *tree = change->account->tree;
    const FsMailbox *moved = fs_mailbox_tree_get(tree, mailbox);
    gsize length = strlen(change->from);
    const FsMailbox *child;
    guint32 after = 0;

    if (moved == NULL)
        return;
    if (moved->wire_name != NULL &&
        strncmp(moved->wire_name, change->from, length) == 0) {
        g_autofree char *before =
            g_strconcat(ID_PREFIX, moved->wire_name, NULL);
        g_autofree char *now =
            g_strconcat(ID_PREFIX, change->to, moved->wire_name + length, NULL);

        cache_state_id_moved(change->account->state, now, before);
    }
    for (; (child = fs_mailbox_tree_next_child(tree, mailbox, after)) != NULL;
         after = child->id)
        move_ids(change, child->id);
}

/* @unless: IMAP_LIST_… by which it does not count. */
static gboolean
is_listed(const FsMailboxListing *listings, gsize n, const char *wire_name,
          guint unless)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(listings[i].wire_name, wire_name) == 0)
            return (listings[i].attributes & unless) == 0;
    return FALSE;
}

/* A FsListedFunc. A list may be answered before RENAME is: the first one that
 * has the new name, and not the old one, decides. */
static void
on_list_of_server(const FsMailboxListing *listings, gsize n, gpointer user_data)
{
    const FsMailboxTree *tree = ((FsAccount *)user_data)->tree;

    for (GList *link = under_way.head; link != NULL; link = link->next) {
        FsDirectoryChange *change = link->data;
        const FsMailbox *old;

        if (!change->sent || change->account != user_data ||
            !is_listed(listings, n, change->to, IMAP_LIST_NONEXISTENT) ||
            is_listed(listings, n, change->from, IMAP_LIST_NOSELECT))
            continue;
        change->sent = FALSE;
        old = fs_mailbox_tree_by_wire_name(tree, change->from);
        if (old != NULL)
            move_ids(change, old->id);
    }
}

static void
on_unsubscribed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    imap_request_subscribe(connection_of(change), change->to, on_subscribed,
                           await(change));
}

static void
on_listed(const ImapListedMailbox *listed, const GError *error,
          gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned || has_failed(change, error))
        return;
    if (listed == NULL) {
        end_with(change, IMAP_ERROR_NO,
                 "the server says OK to what it has not done");
        return;
    }
    imap_request_unsubscribe(connection_of(change), change->from,
                             on_unsubscribed, await(change));
}

static void
on_renamed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    /* Others may have selected it meanwhile. */
    leave(change);
    if (!has_failed(change, error))
        imap_request_list_one(connection_of(change), change->to, on_listed,
                              await(change));
}

static void
send_rename(FsDirectoryChange *change)
{
    FsAccount *account = change->account;
    const FsMailbox *old =
        fs_mailbox_tree_by_wire_name(account->tree, change->from);

    change->old_names = g_ptr_array_new_with_free_func(g_free);
    if (old != NULL)
        note_names(change, old->id);
    leave(change);
    change->sent = TRUE;
    fs_lister_set_listed_func(account->lister, on_list_of_server, account);
    imap_request_rename(connection_of(change), change->from, change->to,
                        on_renamed, await(change));
}

/* ---- the beginning ---- */

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned) {
        imap_lease_release(lease);
        return;
    }
    change->lease = lease;
    if (lease == NULL)
        end(change, error);
    else if (!make_wire_name(change))
        end_with(change, IMAP_ERROR_CANNOT, "no mailbox can have that name");
    else if (change->kind == CHANGE_MAKE)
        imap_request_create(connection_of(change), change->to, on_made,
                            await(change));
    else
        send_rename(change);
}

static FsDirectoryChange *
new_change(FsAccount *account, Kind kind)
{
    FsDirectoryChange *change = g_new0(FsDirectoryChange, 1);

    change->references = 1;
    change->kind = kind;
    change->account = account;
    change->need = fs_need_new();
    g_queue_push_tail(&under_way, change);
    return change;
}

void
fs_directory_changes_abandon(void)
{
    FsDirectoryChange *change;

    while ((change = g_queue_peek_head(&under_way)) != NULL) {
        change->abandoned = TRUE;
        end_with(change, IMAP_ERROR_CLOSED, "the mount is over");
    }
}

/* The errno of why there can be no mailbox @name, or a path, in @parent; 0:
 * there can. */
static int
refusal(const FsAccount *account, guint32 parent, const char *name)
{
    const FsMailbox *above = fs_mailbox_tree_get(account->tree, parent);
    g_auto(GStrv) names = g_strsplit(name, "/", -1);

    for (guint i = 0; names[i] != NULL; i++) {
        if (!fs_file_name_is_mailbox(names[i]))
            return EPERM;
        if (strlen(names[i]) > FS_MAILBOX_NAME_MAX)
            return ENAMETOOLONG;
    }
    if (above == NULL)
        return ENOENT;
    if (fs_directory_name_find(account->tree, parent, name) != NULL)
        return EEXIST;
    if (parent != FS_MAILBOX_TREE_ROOT &&
        (above->wire_name == NULL || above->delimiter == 0))
        return EPERM;
    return 0;
}

static void
set_place(FsDirectoryChange *change, guint32 parent, const char *name)
{
    const FsMailboxTree *tree = change->account->tree;
    const FsMailbox *above = fs_mailbox_tree_get(tree, parent);
    const FsMailbox *inbox = fs_mailbox_tree_by_wire_name(tree, "INBOX");

    change->parent = parent;
    change->name = g_strdup(name);
    if (parent != FS_MAILBOX_TREE_ROOT)
        change->parent_wire = g_strdup(above->wire_name);
    else
        above = inbox;
    change->delimiter = above != NULL ? above->delimiter : 0;
}

int
fs_directory_make(FsAccount *account, guint32 parent, const char *name,
                  FsDirectoryChange **change)
{
    int error_number = refusal(account, parent, name);

    if (error_number != 0)
        return error_number;
    *change = new_change(account, CHANGE_MAKE);
    set_place(*change, parent, name);
    imap_pool_acquire(account->pool, NULL, on_lease, await(*change));
    return 0;
}

static gboolean
is_inbox(const FsMailbox *mailbox)
{
    return mailbox->wire_name != NULL &&
           g_ascii_strcasecmp(mailbox->wire_name, "INBOX") == 0;
}

int
fs_directory_remove(FsAccount *account, guint32 mailbox,
                    FsDirectoryChange **change)
{
    const FsMailbox *removed = fs_mailbox_tree_get(account->tree, mailbox);

    if (removed == NULL)
        return ENOENT;
    if (is_inbox(removed) || removed->wire_name == NULL)
        return EPERM;
    if (fs_mailbox_tree_count_children(account->tree, mailbox) > 0)
        return ENOTEMPTY;
    *change = new_change(account, CHANGE_REMOVE);
    (*change)->from = g_strdup(removed->wire_name);
    if (removed->selectable)
        count(*change);
    else
        remove_now(*change);
    return 0;
}

int
fs_directory_rename(FsAccount *account, guint32 mailbox, guint32 parent,
                    const char *name, FsDirectoryChange **change)
{
    const FsMailbox *renamed = fs_mailbox_tree_get(account->tree, mailbox);
    int error_number = refusal(account, parent, name);

    if (renamed == NULL)
        return ENOENT;
    if (is_inbox(renamed) || renamed->wire_name == NULL)
        return EPERM;
    if (error_number != 0)
        return error_number;
    *change = new_change(account, CHANGE_RENAME);
    (*change)->from = g_strdup(renamed->wire_name);
    set_place(*change, parent, name);
    imap_pool_acquire(account->pool, ELSEWHERE, on_lease, await(*change));
    return 0;
}
