/* What is found in the mount, in a view that has the same directories. */
#include "fs/views/mirror.h"

#include "fs/kernel/inode.h"
#include "fs/names/mailbox-layout.h"

#include <string.h>

gboolean
fs_mirror_is_directory(const FsViewEntry *entry)
{
    return S_ISDIR(entry->entry.attributes.st_mode);
}

static gboolean
is_shown(const FsView *view, const FsViewEntry *entry)
{
    return fs_mirror_is_directory(entry) || entry->entry.uid != 0 ||
           (view->class->of_files && S_ISREG(entry->entry.attributes.st_mode));
}

static void
disguise_directory(const FsView *view, FsViewEntry *entry)
{
    struct stat *stat = &entry->entry.attributes;

    entry->entry.inode = stat->st_ino =
        fs_inode_in_view(view->class->first, entry->entry.inode);
    stat->st_mode = S_IFDIR | 0500;
    entry->lasting = TRUE;
}

/* What the mount says (@answer, and @entry), as it is to the view. */
static FsAnswer
show(const FsView *view, FsAnswer answer, FsViewEntry *entry)
{
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (!is_shown(view, entry))
        return FS_ANSWER_NONE;
    if (fs_mirror_is_directory(entry))
        disguise_directory(view, entry);
    return FS_ANSWER_FOUND;
}

FsAnswer
fs_mirror_look_up(FsView *view, guint64 directory, const char *name,
                  gint64 since, FsViewEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer =
        fs_name_space_look_up(view->names, fs_view_shown(directory), name,
                              since, &entry->entry, obstacle);

    return show(view, answer, entry);
}

FsAnswer
fs_mirror_describe(FsView *view, guint64 inode, FsViewEntry *entry,
                   FsObstacle *obstacle)
{
    FsAnswer answer = fs_name_space_describe(view->names, fs_view_shown(inode),
                                             &entry->entry, obstacle);

    return show(view, answer, entry);
}

FsAnswer
fs_mirror_describe_to_read(FsView *view, guint64 inode,
                           const FsViewRequest *request, FsViewEntry *entry,
                           FsObstacle *obstacle)
{
    FsAnswer answer = fs_mirror_describe(view, inode, entry, obstacle);
    FsNeed *need;

    if (answer != FS_ANSWER_FOUND || fs_mirror_is_directory(entry) ||
        request->runs > FS_MESSAGE_NEED_RUNS)
        return answer;
    need = fs_message_need(view->account, &entry->entry);
    return need != NULL ? fs_answer_wait(need, obstacle) : answer;
}

FsAnswer
fs_mirror_open_directory(FsView *view, guint64 directory, gint64 since,
                         FsObstacle *obstacle)
{
    return fs_name_space_open_directory(view->names, fs_view_shown(directory),
                                        since, obstacle);
}

FsAnswer
fs_mirror_next(FsView *view, guint64 directory, guint64 cookie,
               FsViewEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer;

    do {
        answer = fs_name_space_next(view->names, fs_view_shown(directory),
                                    cookie, &entry->entry, obstacle);
        cookie = entry->entry.cookie;
    } while (answer == FS_ANSWER_FOUND && !is_shown(view, entry));
    return show(view, answer, entry);
}

void
fs_mirror_disguise(const FsView *view, guint number, mode_t type, guint64 size,
                   FsViewEntry *entry)
{
    const FsEntry file = entry->entry;

    fs_view_fill(view, fs_inode_in_view(number, file.inode), type, size,
                 file.attributes.st_mtim.tv_sec, entry);
    entry->entry.cookie = file.cookie;
    entry->entry.mailbox = file.mailbox;
    entry->entry.uid = file.uid;
    memcpy(entry->entry.name, file.name, sizeof file.name);
}
