/* What the layout hides is hidden here, too. */
#include "fs/views/shown.h"

#include "fs/kernel/inode.h"
#include "fs/names/mailbox-layout.h"

typedef struct {
    guint64 directory;
    char *name; /* owned; NULL: not yet */
} Listed;

/* A FsNameFunc: the first name is that which is listed. */
static void
keep_first(guint64 directory, const char *name, gpointer user_data)
{
    Listed *listed = user_data;

    if (listed->name != NULL)
        return;
    listed->directory = directory;
    listed->name = g_strdup(name);
}

char *
fs_shown_name(const FsAccount *account, FsNameSpace *names, guint32 mailbox,
              guint32 uid)
{
    Listed listed = {0};
    CacheMessage message;

    if (fs_mailbox_tree_get(account->tree, mailbox) != NULL &&
        cache_index_message(account->index, mailbox, uid, &message))
        fs_name_space_names_of(names, mailbox, &message, keep_first, &listed);
    return listed.name;
}

gboolean
fs_shown_find(const FsAccount *account, FsNameSpace *names, guint32 mailbox,
              guint32 uid, FsEntry *entry, guint64 *directory)
{
    g_autofree char *name = NULL;
    FsObstacle obstacle = {0};
    Listed listed = {0};
    CacheMessage message;

    if (fs_mailbox_tree_get(account->tree, mailbox) == NULL ||
        !cache_index_message(account->index, mailbox, uid, &message) ||
        fs_message_is_hidden(account, mailbox, &message))
        return FALSE;
    fs_name_space_names_of(names, mailbox, &message, keep_first, &listed);
    name = listed.name;
    if (name == NULL || fs_name_space_describe(
                            names, fs_inode_make(account->number, mailbox, uid),
                            entry, &obstacle) != FS_ANSWER_FOUND)
        return FALSE;
    g_strlcpy(entry->name, name, sizeof entry->name);
    if (directory != NULL)
        *directory = listed.directory;
    return TRUE;
}
