/* Renaming a mailbox: it and its children keep their numbers, and nobody goes
 * on by their old names. */
#include "cache/state.h"
#include "fs/sync/lister.h"
#include "fs/writing/directory-change.h"
#include "imap/mailbox-requests.h"

#include <string.h>

#define ID_PREFIX "m:"

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

    for (GList *link = fs_directory_changes_under_way()->head; link != NULL;
         link = link->next) {
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
    imap_request_subscribe(fs_directory_change_connection(change), change->to,
                           fs_directory_change_on_subscribed,
                           fs_directory_change_await(change));
}

static void
on_listed(const ImapListedMailbox *listed, const GError *error,
          gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned || fs_directory_change_has_failed(change, error))
        return;
    if (listed == NULL) {
        fs_directory_change_end_with(
            change, IMAP_ERROR_NO,
            "the server says OK to what it has not done");
        return;
    }
    imap_request_unsubscribe(fs_directory_change_connection(change),
                             change->from, on_unsubscribed,
                             fs_directory_change_await(change));
}

static void
on_renamed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    /* Others may have selected it meanwhile. */
    leave(change);
    if (!fs_directory_change_has_failed(change, error))
        imap_request_list_one(fs_directory_change_connection(change),
                              change->to, on_listed,
                              fs_directory_change_await(change));
}

void
fs_directory_send_rename(FsDirectoryChange *change)
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
    imap_request_rename(fs_directory_change_connection(change), change->from,
                        change->to, on_renamed,
                        fs_directory_change_await(change));
}
