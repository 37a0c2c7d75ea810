/* What views have in common. */
#include "fs/views/view.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/sync/lister.h"

#include <string.h>

#define BLOCK_SIZE 4096

/* ---- numbers ---- */

guint64
fs_view_root(const FsView *view)
{
    return fs_inode_in_view(view->class->first, FS_INODE_ROOT);
}

gboolean
fs_view_is_top(const FsView *view, guint64 inode)
{
    return inode == fs_view_root(view);
}

guint64
fs_view_directory(const FsView *view, guint32 mailbox)
{
    return fs_inode_in_view(view->class->first,
                            fs_name_space_directory_of(view->names, mailbox));
}

guint64
fs_view_shown(guint64 inode)
{
    return inode & ~FS_INODE_STAND_IN;
}

/* ---- entries ---- */

void
fs_view_fill(const FsView *view, guint64 inode, mode_t type, guint64 size,
             gint64 time, FsViewEntry *entry)
{
    const FsAccount *account = view->account;
    struct stat *stat = &entry->entry.attributes;

    memset(entry, 0, sizeof *entry);
    entry->entry.inode = stat->st_ino = inode;
    stat->st_mode = type | (S_ISDIR(type) ? 0500 : S_ISLNK(type) ? 0777 : 0400);
    stat->st_nlink = 1;
    stat->st_uid = account->options->uid;
    stat->st_gid = account->options->gid;
    stat->st_blksize = BLOCK_SIZE;
    stat->st_size = (off_t)size;
    stat->st_blocks = (blkcnt_t)((size + 511) / 512);
    stat->st_mtim.tv_sec = time != 0 ? time : account->mounted_at;
    stat->st_ctim = stat->st_atim = stat->st_mtim;
}

void
fs_view_fill_top(const FsView *view, FsViewEntry *entry)
{
    fs_view_fill(view, fs_view_root(view), S_IFDIR, 0, 0, entry);
}

void
fs_view_fill_folder(const FsView *view, guint32 mailbox, FsViewEntry *entry)
{
    fs_view_fill(view, fs_view_directory(view, mailbox), S_IFDIR, 0, 0, entry);
}

void
fs_view_make_writable(const FsView *view, FsViewEntry *entry)
{
    if (!view->account->options->read_only)
        entry->entry.attributes.st_mode |= S_IWUSR;
}

FsAnswer
fs_view_know_folders(const FsView *view, gint64 since, FsObstacle *obstacle)
{
    FsNeed *need = fs_lister_need(view->account->lister, since);

    return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_FOUND;
}

/* ---- making and ending ---- */

FsView *
fs_view_new(const FsViewClass *class, gsize size, FsAccount *account,
            FsNameSpace *names)
{
    FsView *view = g_malloc0(size);

    view->class = class;
    view->account = account;
    view->names = names;
    return view;
}

void
fs_view_free(FsView *view)
{
    if (view == NULL)
        return;
    if (view->class->clear != NULL)
        view->class->clear(view);
    g_free(view);
}

/* ---- a text that is at hand ---- */

typedef struct {
    FsViewFile parent;
    char *text;
} TextFile;

static gssize
text_read(FsViewFile *file, guint64 offset, void *buffer, gsize length,
          FsNeed **need)
{
    gsize taken;

    if (offset >= file->size)
        return 0;
    taken = MIN(length, file->size - offset);
    memcpy(buffer, ((TextFile *)file)->text + offset, taken);
    return (gssize)taken;
}

static void
text_free(FsViewFile *file)
{
    g_free(((TextFile *)file)->text);
    g_free(file);
}

static const FsViewFileClass text_class = {.read = text_read,
                                           .free = text_free};

FsViewFile *
fs_view_file_of_text(char *text, gsize length)
{
    TextFile *file = g_new0(TextFile, 1);

    file->parent.class = &text_class;
    file->parent.size = length;
    file->text = text;
    return &file->parent;
}

void
fs_view_file_free(FsViewFile *file)
{
    if (file != NULL)
        file->class->free(file);
}

FsNeed *
fs_view_failed_need(int code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(FS_ERROR, code, message);
    FsNeed *need = fs_need_new();

    fs_need_complete(need, error);
    return need;
}
