/* Messages as directories of their parts. The number of an entry is that of its
 * message in the mount, with FS_VIEW_PARTS and its index among the parts in
 * place of the account; 0 is the message itself, or a directory of the mount.
 */
#include "fs/views/parts/parts-view.h"

#include "fs/kernel/inode.h"
#include "fs/views/mirror.h"

#include <errno.h>

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

/* ---- directories of the mount ---- */

/* A message is a directory, too. */
static FsAnswer
disguise(const FsView *view, FsAnswer answer, FsViewEntry *entry)
{
    if (answer == FS_ANSWER_FOUND && !fs_mirror_is_directory(entry))
        fs_mirror_disguise(view, FS_VIEW_PARTS, S_IFDIR, 0, entry);
    return answer;
}

/* ---- messages ---- */

static gboolean
is_of_mount(guint64 inode)
{
    guint64 shown = fs_view_shown(inode);

    return index_of(inode) == 0 &&
           (shown == FS_INODE_ROOT || fs_inode_uid(shown) == 0);
}

/* The message that @inode is of, as it is in the mount, and its parts.
 * @request: NULL: it was found a moment ago. */
static FsAnswer
find_tree(FsView *view, guint64 inode, const FsViewRequest *request,
          FsViewEntry *entry, FsPartTree **tree, FsObstacle *obstacle)
{
    FsAnswer answer =
        request != NULL
            ? fs_mirror_describe_to_read(view, inode, request, entry, obstacle)
            : fs_mirror_describe(view, inode, entry, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (fs_mirror_is_directory(entry))
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

    fs_mirror_disguise(view, FS_VIEW_PARTS + index,
                       directory ? S_IFDIR : S_IFREG, 0, entry);
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
        return disguise(view,
                        fs_mirror_look_up(view, directory, name, request->since,
                                          entry, obstacle),
                        entry);
    answer = find_tree(view, directory, request, entry, &tree, obstacle);
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
        return disguise(view, fs_mirror_describe(view, inode, entry, obstacle),
                        entry);
    answer = find_tree(view, inode, request, entry, &tree, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (fs_part_tree_get(tree, index)->kind == FS_PART_DIRECTORY) {
        fill_part(view, tree, index, entry);
        return FS_ANSWER_FOUND;
    }
    answer = fs_part_maker_size(maker_of(view), entry->entry.mailbox,
                                entry->entry.uid, tree, index, &size, obstacle);
    if (answer == FS_ANSWER_FOUND)
        fs_mirror_disguise(view, FS_VIEW_PARTS + index, S_IFREG, size, entry);
    return answer;
}

static FsAnswer
open_directory(FsView *view, guint64 directory, const FsViewRequest *request,
               FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    FsViewEntry entry = {0};

    if (is_of_mount(directory))
        return fs_mirror_open_directory(view, directory, request->since,
                                        obstacle);
    return find_tree(view, directory, request, &entry, &tree, obstacle);
}

static FsAnswer
next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
     FsObstacle *obstacle)
{
    g_autoptr(FsPartTree) tree = NULL;
    FsAnswer answer;

    if (is_of_mount(directory))
        return disguise(
            view, fs_mirror_next(view, directory, cookie, entry, obstacle),
            entry);
    answer = find_tree(view, directory, NULL, entry, &tree, obstacle);
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
    FsAnswer answer = find_tree(view, inode, request, &entry, &tree, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (fs_part_tree_get(tree, index)->kind == FS_PART_DIRECTORY)
        return fs_answer_fail(EISDIR, obstacle);
    answer = fs_part_maker_content(maker_of(view), entry.entry.mailbox,
                                   entry.entry.uid, tree, index, &key, &size,
                                   obstacle);
    if (answer == FS_ANSWER_FOUND)
        *file = fs_part_file_new(maker_of(view), entry.entry.mailbox,
                                 entry.entry.uid, index, key, size);
    return answer;
}

static const FsViewClass parts_class = {
    .name = "parts",
    .about =
        "  The folders once more, with a directory for each message: its\n"
        "  attachments, decoded, as the sender has named them; header.txt,\n"
        "  body.txt, body.html; messages in it as directories. What is read\n"
        "  is fetched alone.",
    .first = FS_VIEW_PARTS,
    .last = FS_VIEW_PARTS_LAST,
    .look_up = look_up,
    .describe = describe,
    .open_directory = open_directory,
    .next = next,
    .open = open_file,
};

FsView *
fs_parts_view_new(FsAccount *account, FsNameSpace *names, FsPartMaker *maker)
{
    FsView *view = fs_view_new(&parts_class, sizeof(PartsView), account, names);

    ((PartsView *)view)->maker = maker;
    return view;
}
