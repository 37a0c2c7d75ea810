/* A change of mailboxes under way: its life, and its end, which is what the
 * list of mailboxes says. */
#include "fs/writing/directory-change.h"

#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/directory-name.h"
#include "imap/mailbox-requests.h"

/* How often it is tried again to delete what is still there, and empty. */
#define TRIES_MAX 3u

/* Of FsDirectoryChange, borrowed: those that are not over. */
static GQueue under_way = G_QUEUE_INIT;

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

const GQueue *
fs_directory_changes_under_way(void)
{
    return &under_way;
}

FsNeed *
fs_directory_change_need(const FsDirectoryChange *change)
{
    return change->need;
}

FsDirectoryChange *
fs_directory_change_await(FsDirectoryChange *change)
{
    change->references++;
    return change;
}

gboolean
fs_directory_change_take(FsDirectoryChange *change, ImapLease *lease)
{
    if (change->abandoned)
        imap_lease_release(lease);
    else
        change->lease = lease;
    return !change->abandoned;
}

ImapConnection *
fs_directory_change_connection(const FsDirectoryChange *change)
{
    return imap_lease_connection(change->lease);
}

void
fs_directory_change_end(FsDirectoryChange *change, const GError *error)
{
    g_queue_remove(&under_way, change);
    g_clear_pointer(&change->lease, imap_lease_release);
    fs_need_complete(change->need, error);
}

void
fs_directory_change_end_with(FsDirectoryChange *change, ImapError code,
                             const char *text)
{
    g_autoptr(GError) error = g_error_new_literal(IMAP_ERROR, code, text);

    fs_directory_change_end(change, error);
}

FsDirectoryChange *
fs_directory_change_new(FsAccount *account, FsDirectoryChangeKind kind)
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
        fs_directory_change_end_with(change, IMAP_ERROR_CLOSED,
                                     "the mount is over");
    }
}

/* ---- the end: what the list says ---- */

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
    gboolean done = change->kind == FS_DIRECTORY_REMOVE
                        ? is_removed(change, old)
                        : new != NULL;

    if (change->kind == FS_DIRECTORY_RENAME && old != NULL && old->selectable)
        done = FALSE;
    /* Cyrus renames children one by one: a list meanwhile may lack them. */
    if (change->kind == FS_DIRECTORY_RENAME && change->joined &&
        change->n_lists < 2)
        done = FALSE;
    if (done && change->kind == FS_DIRECTORY_RENAME)
        doubt(change, new->id);
    if (done)
        fs_directory_change_end(change, NULL);
    else if (change->n_lists < 2)
        fs_directory_change_ask_for_list(
            change); /* the first may have been under way before */
    else if (may_try_again(change))
        fs_directory_remove_again(change);
    else if (change->error != NULL)
        fs_directory_change_end(change, change->error);
    else
        fs_directory_change_end_with(
            change, IMAP_ERROR_NO,
            "the server says OK to what it has not done");
}

static void
on_list(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL)
        fs_directory_change_end(change, error);
    else
        verify(change);
}

void
fs_directory_change_ask_for_list(FsDirectoryChange *change)
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
    fs_need_wait(need, on_list, fs_directory_change_await(change));
}

/* TRUE: it is over, or only the list can tell. */
gboolean
fs_directory_change_has_failed(FsDirectoryChange *change, const GError *error)
{
    if (error == NULL)
        return FALSE;
    if (change->n_removals > 0 ||
        (error->domain == IMAP_ERROR && (error->code == IMAP_ERROR_CLOSED ||
                                         error->code == IMAP_ERROR_TIMEOUT))) {
        g_clear_error(&change->error);
        change->error = g_error_copy(error);
        fs_directory_change_ask_for_list(change);
    } else {
        fs_directory_change_end(change, error);
    }
    return TRUE;
}

/* Nobody but other mail programs goes by subscriptions. */
void
fs_directory_change_on_subscribed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    fs_directory_change_ask_for_list(change);
}
