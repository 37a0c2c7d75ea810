/* Flags as files. They have no size, as those of /proc: the flags are those of
 * the moment in which they are read. */
#include "fs/views/flags-view.h"

#include "fs/changes/changes.h"
#include "fs/kernel/errno.h"
#include "fs/views/mirror.h"

#include <string.h>

/* ---- an open file ---- */

typedef struct {
    FsViewFile parent;
    const FsView *view;
    guint64 inode; /* in the mount */
} FlagsFile;

/* A line. Caller frees. */
static char *
make_text(const FsAccount *account, const FsEntry *entry)
{
    g_autofree char *flags = NULL;
    CacheMessage message;

    if (cache_index_message(account->index, entry->mailbox, entry->uid,
                            &message))
        flags = fs_changes_flags(account->changes, entry->mailbox, entry->uid,
                                 message.flags);
    return g_strconcat(flags != NULL ? flags : "", "\n", NULL);
}

static gssize
flags_read(FsViewFile *view_file, guint64 offset, void *buffer, gsize length,
           FsNeed **need)
{
    const FlagsFile *file = (FlagsFile *)view_file;
    g_autofree char *text = NULL;
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(file->view->names, file->inode,
                                             &entry, &obstacle);

    if (answer == FS_ANSWER_WAIT) {
        *need = fs_need_ref(obstacle.need);
        return -1;
    }
    if (answer != FS_ANSWER_FOUND) {
        *need = fs_view_failed_need(FS_ERROR_STALE, "the message is gone");
        return -1;
    }
    text = make_text(file->view->account, &entry);
    offset = MIN(offset, strlen(text));
    length = MIN(length, strlen(text) - offset);
    memcpy(buffer, text + offset, length);
    return (gssize)length;
}

static void
flags_file_free(FsViewFile *file)
{
    g_free(file);
}

static const FsViewFileClass flags_file_class = {.read = flags_read,
                                                 .free = flags_file_free};

static FsAnswer
flags_open(FsView *view, guint64 inode, const FsViewRequest *request,
           FsViewFile **file, FsObstacle *obstacle)
{
    FlagsFile *opened = g_new0(FlagsFile, 1);

    opened->parent.class = &flags_file_class;
    opened->parent.streams = TRUE;
    opened->view = view;
    opened->inode = fs_view_shown(inode);
    *file = &opened->parent;
    return FS_ANSWER_FOUND;
}

/* ---- entries ---- */

static FsAnswer
disguise(const FsView *view, FsAnswer answer, FsViewEntry *entry)
{
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (!fs_mirror_is_directory(entry)) {
        fs_mirror_disguise(view, FS_VIEW_FLAGS, S_IFREG, 0, entry);
        entry->entry.attributes.st_mode |= S_IWUSR;
    }
    entry->lasting = FALSE;
    return FS_ANSWER_FOUND;
}

static FsAnswer
flags_look_up(FsView *view, guint64 directory, const char *name,
              const FsViewRequest *request, FsViewEntry *entry,
              FsObstacle *obstacle)
{
    FsAnswer answer = fs_mirror_look_up(view, directory, name, request->since,
                                        entry, obstacle);

    return disguise(view, answer, entry);
}

static FsAnswer
flags_describe(FsView *view, guint64 inode, const FsViewRequest *request,
               FsViewEntry *entry, FsObstacle *obstacle)
{
    return disguise(view, fs_mirror_describe(view, inode, entry, obstacle),
                    entry);
}

static FsAnswer
flags_open_directory(FsView *view, guint64 directory,
                     const FsViewRequest *request, FsObstacle *obstacle)
{
    return fs_mirror_open_directory(view, directory, request->since, obstacle);
}

static FsAnswer
flags_next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
           FsObstacle *obstacle)
{
    FsAnswer answer = fs_mirror_next(view, directory, cookie, entry, obstacle);

    return disguise(view, answer, entry);
}

static const FsViewClass flags_class = {
    .name = "flags",
    .first = FS_VIEW_FLAGS,
    .last = FS_VIEW_FLAGS,
    .for_crawlers = TRUE,
    .of_files = TRUE,
    .holds_flags = TRUE,
    .look_up = flags_look_up,
    .describe = flags_describe,
    .open_directory = flags_open_directory,
    .next = flags_next,
    .open = flags_open,
};

FsView *
fs_flags_view_new(FsAccount *account, FsNameSpace *names)
{
    return fs_view_new(&flags_class, sizeof(FsView), account, names);
}
