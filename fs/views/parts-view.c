/* Messages as directories of their parts. The number of an entry is that of its
 * message in the mount, with FS_VIEW_PARTS and its index among the parts in
 * place of the account; 0 is the message itself, or a directory of the mount.
 */
#include "fs/views/parts-view.h"

#include "fs/kernel/inode.h"

#include <errno.h>
#include <string.h>

G_STATIC_ASSERT(FS_VIEW_PARTS + FS_PART_TREE_MAX <= FS_VIEW_PARTS_LAST);

typedef struct {
    FsView parent;
    FsPartMaker *maker;
} PartsView;

static FsPartMaker *
maker_of(FsView *view)
{
    return ((PartsView *)view)->maker;
}

static guint
index_of(guint64 inode)
{
    return fs_inode_account(inode) - FS_VIEW_PARTS;
}

static gboolean
is_directory(const FsViewEntry *entry)
{
    return S_ISDIR(entry->entry.attributes.st_mode);
}

/* Makes of a message of the mount, which @entry has been filled with, the entry
 * @index of its parts. */
static void
disguise_part(FsView *view, guint index, mode_t type, guint64 size,
              FsViewEntry *entry)
{
    const FsEntry message = entry->entry;

    fs_view_fill(view, fs_inode_in_view(FS_VIEW_PARTS + index, message.inode),
                 type, size, message.attributes.st_mtim.tv_sec, entry);
    entry->entry.cookie = message.cookie;
    entry->entry.mailbox = message.mailbox;
    entry->entry.uid = message.uid;
    memcpy(entry->entry.name, message.name, sizeof message.name);
}

/* ---- directories of the mount ---- */

static FsAnswer
disguise(FsView *view, FsAnswer answer, FsViewEntry *entry)
{
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (is_directory(entry))
        fs_view_disguise_directory(view, entry);
    else if (entry->entry.uid == 0)
        return FS_ANSWER_NONE; /* no message yet */
    else
        disguise_part(view, 0, S_IFDIR, 0, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
next_in_mount(FsView *view, guint64 shown, guint64 cookie, FsViewEntry *entry,
              FsObstacle *obstacle)
{
    FsAnswer answer;

    do {
        answer = fs_name_space_next(view->names, shown, cookie, &entry->entry,
                                    obstacle);
        cookie = entry->entry.cookie;
    } while (answer == FS_ANSWER_FOUND && !is_directory(entry) &&
             entry->entry.uid == 0);
    return disguise(view, answer, entry);
}

/* ---- messages ---- */

static gboolean
is_of_mount(guint64 inode)
{
    guint64 shown = fs_view_shown(inode);

    return index_of(inode) == 0 &&
           (shown == FS_INODE_ROOT || fs_inode_uid(shown) == 0);
}

/* The message that @inode is of, as it is in the mount, and its parts. */
static FsAnswer
find_tree(FsView *view, guint64 inode, FsViewEntry *entry, FsPartTree **tree,
          FsObstacle *obstacle)
{
    FsAnswer answer = fs_name_space_describe(view->names, fs_view_shown(inode),
                                             &entry->entry, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (entry->entry.uid == 0)
        return FS_ANSWER_NONE;
    answer = fs_part_maker_tree(maker_of(view), entry->entry.mailbox,
                                entry->entry.uid, tree, obstacle);
    if (answer == FS_ANSWER_FOUND &&
        fs_part_tree_get(*tree, index_of(inode)) == NULL) {
        g_clear_pointer(tree, fs_part_tree_unref);
        return FS_ANSWER_NONE;
    }
    return answer;
}

static void
fill_part(FsView *view, const FsPartTree *tree, guint index, FsViewEntry *entry)
{
    const FsPart *part = fs_part_tree_get(tree, index);
    gboolean directory = part->kind == FS_PART_DIRECTORY;

    disguise_part(view, index, directory ? S_IFDIR : S_IFREG, 0, entry);
    entry->unsized = !directory;
    g_strlcpy(entry->entry.name, part->name, sizeof entry->entry.name);
    entry->entry.cookie = index;
}

/* ---- the interface ---- */

static FsAnswer
look_up(FsView *view, guint64 directory, const char *name,
        const FsViewRequest *request, FsViewEntry *entry, FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    FsAnswer answer;
    guint index;

    if (is_of_mount(directory))
        return disguise(
            view,
            fs_name_space_look_up(view->names, fs_view_shown(directory), name,
                                  request->since, &entry->entry, obstacle),
            entry);
    answer = find_tree(view, directory, entry, &tree, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    index = fs_part_tree_find(tree, index_of(directory), name);
    if (index == 0)
        return FS_ANSWER_NONE;
    fill_part(view, tree, index, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
describe(FsView *view, guint64 inode, const FsViewRequest *request,
         FsViewEntry *entry, FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    guint index = index_of(inode);
    guint64 size = 0;
    FsAnswer answer;

    if (index == 0)
        return disguise(view,
                        fs_name_space_describe(view->names,
                                               fs_view_shown(inode),
                                               &entry->entry, obstacle),
                        entry);
    answer = find_tree(view, inode, entry, &tree, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (fs_part_tree_get(tree, index)->kind == FS_PART_DIRECTORY) {
        fill_part(view, tree, index, entry);
        return FS_ANSWER_FOUND;
    }
    answer = fs_part_maker_size(maker_of(view), entry->entry.mailbox,
                                entry->entry.uid, tree, index, &size, obstacle);
    if (answer == FS_ANSWER_FOUND)
        disguise_part(view, index, S_IFREG, size, entry);
    return answer;
}

static FsAnswer
open_directory(FsView *view, guint64 directory, const FsViewRequest *request,
               FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    FsViewEntry entry = {0};

    if (is_of_mount(directory))
        return fs_name_space_open_directory(
            view->names, fs_view_shown(directory), request->since, obstacle);
    return find_tree(view, directory, &entry, &tree, obstacle);
}

static FsAnswer
next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
     FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    FsAnswer answer;

    if (is_of_mount(directory))
        return next_in_mount(view, fs_view_shown(directory), cookie, entry,
                             obstacle);
    answer = find_tree(view, directory, entry, &tree, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    for (guint i = (guint)MIN(cookie, FS_PART_TREE_MAX) + 1;
         i < tree->parts->len; i++) {
        if (fs_part_tree_get(tree, i)->parent != index_of(directory))
            continue;
        fill_part(view, tree, i, entry);
        return FS_ANSWER_FOUND;
    }
    return FS_ANSWER_NONE;
}

static FsAnswer
open_file(FsView *view, guint64 inode, const FsViewRequest *request,
          FsViewFile **file, FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    g_autofree char *key = NULL;
    FsViewEntry entry = {0};
    guint index = index_of(inode);
    guint64 size = 0;
    FsAnswer answer = find_tree(view, inode, &entry, &tree, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (fs_part_tree_get(tree, index)->kind == FS_PART_DIRECTORY) {
        obstacle->error_number = EISDIR;
        return FS_ANSWER_FAILED;
    }
    answer = fs_part_maker_content(maker_of(view), entry.entry.mailbox,
                                   entry.entry.uid, tree, index, &key, &size,
                                   obstacle);
    if (answer == FS_ANSWER_FOUND)
        *file = fs_part_file_new(maker_of(view), entry.entry.mailbox,
                                 entry.entry.uid, index, key, size);
    return answer;
}

static void
parts_view_free(FsView *view)
{
    g_free(view);
}

static const FsViewClass parts_class = {
    .name = "parts",
    .about =
        "  The folders once more, with a directory for each message: its\n"
        "  attachments, decoded, as the sender has named them; header.txt,\n"
        "  body.txt, body.html; messages in it as directories. What is read\n"
        "  is fetched alone.\n",
    .first = FS_VIEW_PARTS,
    .last = FS_VIEW_PARTS_LAST,
    .look_up = look_up,
    .describe = describe,
    .open_directory = open_directory,
    .next = next,
    .open = open_file,
    .free = parts_view_free,
};

FsView *
fs_parts_view_new(FsAccount *account, FsNameSpace *names, FsPartMaker *maker)
{
    PartsView *parts = g_new0(PartsView, 1);

    parts->parent.class = &parts_class;
    parts->parent.account = account;
    parts->parent.names = names;
    parts->maker = maker;
    return &parts->parent;
}
