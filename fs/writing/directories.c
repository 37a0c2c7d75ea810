/* Making, removing and renaming mailboxes: what can be asked for, and how it
 * begins.
 *
 * A change is a chain of requests, each sent when the one before is answered.
 * At its end the list of mailboxes is asked for, and what it says counts. */
#include "fs/writing/directories.h"

#include "fs/names/mailbox-name.h"
#include "fs/writing/directory-change.h"
#include "fs/writing/directory-name.h"
#include "fs/writing/file-name.h"
#include "imap/error.h"
#include "imap/mailbox-requests.h"

#include <errno.h>
#include <string.h>

/* ---- making ---- */

/* FALSE: no mailbox can have that name. */
static gboolean
make_wire_name(FsDirectoryChange *change)
{
    change->to = fs_directory_name_on_wire(
        change->name, change->parent_wire, change->delimiter,
        imap_connection_is_utf8(fs_directory_change_connection(change)));
    return change->to != NULL;
}

static void
on_made(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (!fs_directory_change_has_failed(change, error))
        imap_request_subscribe(fs_directory_change_connection(change),
                               change->to, fs_directory_change_on_subscribed,
                               fs_directory_change_await(change));
}

/* ---- the beginning ---- */

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (!fs_directory_change_take(change, lease))
        return;
    if (lease == NULL)
        fs_directory_change_end(change, error);
    else if (!make_wire_name(change))
        fs_directory_change_end_with(change, IMAP_ERROR_CANNOT,
                                     "no mailbox can have that name");
    else if (change->kind == FS_DIRECTORY_MAKE)
        imap_request_create(fs_directory_change_connection(change), change->to,
                            on_made, fs_directory_change_await(change));
    else
        fs_directory_send_rename(change);
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
    *change = fs_directory_change_new(account, FS_DIRECTORY_MAKE);
    set_place(*change, parent, name);
    imap_pool_acquire(account->pool, NULL, on_lease,
                      fs_directory_change_await(*change));
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
    *change = fs_directory_change_new(account, FS_DIRECTORY_REMOVE);
    (*change)->from = g_strdup(removed->wire_name);
    if (removed->selectable)
        fs_directory_remove_empty(*change);
    else
        fs_directory_remove_now(*change);
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
    *change = fs_directory_change_new(account, FS_DIRECTORY_RENAME);
    (*change)->from = g_strdup(renamed->wire_name);
    set_place(*change, parent, name);
    imap_pool_acquire(account->pool, FS_DIRECTORY_ELSEWHERE, on_lease,
                      fs_directory_change_await(*change));
    return 0;
}
