/* What views have in common. */
#include "fs/views/view.h"

#include "fs/kernel/inode.h"

#include <string.h>

#define BLOCK_SIZE 4096

guint64
fs_view_root(const FsView *view)
{
    return fs_inode_in_view(view->class->first, FS_INODE_ROOT);
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
fs_view_disguise_directory(const FsView *view, FsViewEntry *entry)
{
    struct stat *stat = &entry->entry.attributes;

    entry->entry.inode = stat->st_ino =
        fs_inode_in_view(view->class->first, entry->entry.inode);
    stat->st_mode = S_IFDIR | 0500;
    entry->lasting = TRUE;
}

void
fs_view_free(FsView *view)
{
    if (view != NULL)
        view->class->free(view);
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
