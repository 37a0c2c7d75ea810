/* Making, removing and renaming mailboxes: what can be asked for, and how it
 * begins.
 *
 * A change is a chain of requests, each sent when the one before is answered.
 * At its end the list of mailboxes is asked for, and what it says counts. */
#include "fs/writing/directories.h"

#include "fs/names/mailbox-name.h"
#include "fs/writing/directory-change.h"
#include "fs/writing/file-name.h"
#include "imap/error.h"
#include "imap/mailbox-encoding.h"
#include "imap/mailbox-requests.h"

#include <errno.h>
#include <string.h>

/* ---- names ---- */

static int
hex_pair(const char *text)
{
    if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
        return -1;
    return g_ascii_xdigit_value(text[0]) * 16 + g_ascii_xdigit_value(text[1]);
}

/* The part of a mailbox's name that is shown as @name. Caller frees. */
static char *
unescape(const char *name)
{
    GString *result = g_string_new(NULL);

    for (; *name != '\0'; name++) {
        int octet = *name == '%' ? hex_pair(name + 1) : -1;

        if (octet > 0) {
            g_string_append_c(result, (char)octet);
            name += 2;
        } else {
            g_string_append_c(result, *name);
        }
    }
    return g_string_free(result, FALSE);
}

/* Whether a mailbox @decoded would be shown as @name, and as deep as @parent
 * (decoded, NULL: the top) and one. */
static gboolean
is_shown_as(const char *decoded, const char *parent, char delimiter,
            const char *name)
{
    g_auto(GStrv) parts = fs_mailbox_name_split(decoded, delimiter);
    g_auto(GStrv) above =
        parent != NULL ? fs_mailbox_name_split(parent, delimiter) : NULL;
    guint depth = above != NULL ? g_strv_length(above) : 0;

    return parts != NULL && g_strv_length(parts) == depth + 1 &&
           strcmp(parts[depth], name) == 0;
}

/* FALSE: no mailbox can have that name. */
static gboolean
make_wire_name(FsDirectoryChange *change)
{
    gboolean utf8 =
        imap_connection_is_utf8(fs_directory_change_connection(change));
    g_autofree char *part = unescape(change->name);
    g_autofree char *encoded = NULL;
    g_autofree char *decoded = NULL;
    g_autofree char *parent = NULL;
    char delimiter[2] = {change->delimiter, '\0'};

    if (!g_utf8_validate(part, -1, NULL) || strpbrk(part, "\r\n") != NULL)
        return FALSE;
    encoded = imap_mailbox_encode(part, utf8);
    if (change->parent_wire == NULL) {
        change->to = g_steal_pointer(&encoded);
    } else {
        parent = imap_mailbox_decode(change->parent_wire, utf8);
        change->to = g_strconcat(change->parent_wire, delimiter, encoded, NULL);
    }
    decoded = imap_mailbox_decode(change->to, utf8);
    return is_shown_as(decoded, parent, change->delimiter, change->name);
}

/* ---- making ---- */

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

    if (change->abandoned) {
        imap_lease_release(lease);
        return;
    }
    change->lease = lease;
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

/* The errno of why there can be no mailbox @name in @parent; 0: there can. */
static int
refusal(const FsAccount *account, guint32 parent, const char *name)
{
    const FsMailbox *above = fs_mailbox_tree_get(account->tree, parent);

    if (!fs_file_name_is_mailbox(name))
        return EPERM;
    if (strlen(name) > FS_MAILBOX_NAME_MAX)
        return ENAMETOOLONG;
    if (above == NULL)
        return ENOENT;
    if (fs_mailbox_tree_child(account->tree, parent, name) != NULL)
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
