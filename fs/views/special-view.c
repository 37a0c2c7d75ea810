/* Links to the folders of special use (RFC 6154).
 *
 * Some servers mark none: then a top folder that bears one of the names which
 * mail programs give it stands in, if it is the only one. A link says where it
 * leads each time that it is followed, so it follows a renamed folder. */
#include "fs/views/special-view.h"

#include "fs/kernel/inode.h"
#include "fs/names/maildir-folders.h"

#include <errno.h>
#include <string.h>

/* From the directory to the top of the mount. */
#define TO_THE_TOP "../../"
#define FIRST_NUMBER 16u
#define NAMES_MAX 6u

static const struct {
    const char *name;
    guint attribute;
    const char *names[NAMES_MAX]; /* in any case */
} uses[] = {
    {"Trash",
     IMAP_LIST_TRASH,
     {"Trash", "Deleted Items", "Deleted Messages", "Deleted"}},
    {"Sent",
     IMAP_LIST_SENT,
     {"Sent", "Sent Items", "Sent Messages", "Sent Mail"}},
    {"Drafts", IMAP_LIST_DRAFTS, {"Drafts", "Draft"}},
    {"Archive", IMAP_LIST_ARCHIVE, {"Archive", "Archives"}},
    {"Junk",
     IMAP_LIST_JUNK,
     {"Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"}},
    {"All", IMAP_LIST_ALL, {"All Mail"}},
};

/* ---- which folder ---- */

static gboolean
is_named(const FsMailbox *mailbox, guint use)
{
    for (guint i = 0; i < NAMES_MAX && uses[use].names[i] != NULL; i++)
        if (g_ascii_strcasecmp(mailbox->name, uses[use].names[i]) == 0)
            return TRUE;
    return FALSE;
}

/* At the top, or below INBOX, where some servers have all folders. */
static void
count_named(const FsMailboxTree *tree, guint32 parent, guint use, guint *count,
            guint32 *found)
{
    const FsMailbox *child;
    guint32 after = 0;

    while ((child = fs_mailbox_tree_next_child(tree, parent, after)) != NULL) {
        after = child->id;
        if (child->selectable && is_named(child, use)) {
            *found = after;
            (*count)++;
        }
        if (parent == FS_MAILBOX_TREE_ROOT && g_str_equal(child->name, "INBOX"))
            count_named(tree, after, use, count, found);
    }
}

/* 0: there is none. */
static guint32
find_folder(const FsView *view, guint use)
{
    const FsMailboxTree *tree = view->account->tree;
    guint32 found = fs_mailbox_tree_find_use(tree, uses[use].attribute);
    guint count = 0;

    if (found != 0)
        return found;
    count_named(tree, FS_MAILBOX_TREE_ROOT, use, &count, &found);
    return count == 1 ? found : 0;
}

/* ---- entries ---- */

/* Below the top of the mount. */
static char *
path_of(const FsAccount *account, guint32 folder)
{
    const FsMaildirFolders folders = {account->tree, account->state,
                                      account->options->maildir_layout ==
                                          FS_MAILDIR_PLUS_PLUS};

    return account->options->layout == FS_LAYOUT_MAILDIR
               ? fs_maildir_folders_path(&folders, folder)
               : fs_mailbox_tree_path(account->tree, folder);
}

static char *
make_target(const FsView *view, guint use)
{
    guint32 folder = find_folder(view, use);
    g_autofree char *path = folder != 0 ? path_of(view->account, folder) : NULL;

    return path != NULL ? g_strconcat(TO_THE_TOP, path, NULL) : NULL;
}

static FsAnswer
fill(const FsView *view, guint use, FsViewEntry *entry)
{
    g_autofree char *target = make_target(view, use);

    if (target == NULL)
        return FS_ANSWER_NONE;
    fs_view_fill(view, fs_inode_in_view(FS_VIEW_SPECIAL, FIRST_NUMBER + use),
                 S_IFLNK, strlen(target), 0, entry);
    g_strlcpy(entry->entry.name, uses[use].name, sizeof entry->entry.name);
    entry->entry.cookie = use + 1;
    return FS_ANSWER_FOUND;
}

/* FALSE: @inode is no link of ours. */
static gboolean
find_use(guint64 inode, guint *use)
{
    guint64 number = fs_view_shown(inode);

    *use = (guint)(number - FIRST_NUMBER);
    return number >= FIRST_NUMBER && *use < G_N_ELEMENTS(uses);
}

static FsAnswer
special_look_up(FsView *view, guint64 directory, const char *name,
                const FsViewRequest *request, FsViewEntry *entry,
                FsObstacle *obstacle)
{
    FsAnswer answer = fs_view_know_folders(view, request->since, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    for (guint i = 0; i < G_N_ELEMENTS(uses); i++)
        if (g_str_equal(uses[i].name, name))
            return fill(view, i, entry);
    return FS_ANSWER_NONE;
}

static FsAnswer
special_describe(FsView *view, guint64 inode, const FsViewRequest *request,
                 FsViewEntry *entry, FsObstacle *obstacle)
{
    guint use;

    if (find_use(inode, &use))
        return fill(view, use, entry);
    if (!fs_view_is_top(view, inode))
        return FS_ANSWER_NONE;
    fs_view_fill_top(view, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
special_open_directory(FsView *view, guint64 directory,
                       const FsViewRequest *request, FsObstacle *obstacle)
{
    return fs_view_know_folders(view, request->since, obstacle);
}

static FsAnswer
special_next(FsView *view, guint64 directory, guint64 cookie,
             FsViewEntry *entry, FsObstacle *obstacle)
{
    for (; cookie < G_N_ELEMENTS(uses); cookie++)
        if (fill(view, (guint)cookie, entry) == FS_ANSWER_FOUND)
            return FS_ANSWER_FOUND;
    return FS_ANSWER_NONE;
}

static FsAnswer
special_read_link(FsView *view, guint64 inode, char **target,
                  FsObstacle *obstacle)
{
    guint use;

    *target = find_use(inode, &use) ? make_target(view, use) : NULL;
    return *target != NULL ? FS_ANSWER_FOUND : FS_ANSWER_NONE;
}

static const FsViewClass special_class = {
    .name = "special",
    .about = "  Links to the folders for Trash, Sent, Drafts, Archive, Junk\n"
             "  and All, those that there are.",
    .first = FS_VIEW_SPECIAL,
    .last = FS_VIEW_SPECIAL,
    .look_up = special_look_up,
    .describe = special_describe,
    .open_directory = special_open_directory,
    .next = special_next,
    .read_link = special_read_link,
};

FsView *
fs_special_view_new(FsAccount *account, FsNameSpace *names)
{
    return fs_view_new(&special_class, sizeof(FsView), account, names);
}
