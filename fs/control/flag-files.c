/* The hidden tree of flags. */
#include "fs/control/flag-files.h"

#include "fs/changes/changes.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"

#include <errno.h>
#include <string.h>

/* A listing gets no more at a time. */
#define PORTION_MAX (64u * 1024)

struct FsFlagFiles {
    FsAccount *account;
    FsNameSpace *names;
};

FsFlagFiles *
fs_flag_files_new(FsAccount *account, FsNameSpace *names)
{
    FsFlagFiles *files = g_new0(FsFlagFiles, 1);

    files->account = account;
    files->names = names;
    return files;
}

void
fs_flag_files_free(FsFlagFiles *files)
{
    g_free(files);
}

gboolean
fs_flag_files_own(guint64 inode)
{
    return (inode & FS_INODE_STAND_IN) != FS_INODE_STAND_IN &&
           (inode & FS_INODE_FLAGS) != 0;
}

guint64
fs_flag_files_shown(guint64 inode)
{
    return inode & ~FS_INODE_FLAGS;
}

/* ---- attributes ---- */

/* For the owner of the mount alone; a file has no size, as those of /proc. */
static void
disguise(FsEntry *entry)
{
    struct stat *stat = &entry->attributes;

    entry->inode |= FS_INODE_FLAGS;
    stat->st_ino = entry->inode;
    stat->st_mode = S_ISDIR(stat->st_mode) ? S_IFDIR | 0500 : S_IFREG | 0600;
    stat->st_size = 0;
    stat->st_blocks = 0;
}

/* What every operation of ours remembers. */
static FsFlagFiles *
files_of(const FsOperation *operation)
{
    return (FsFlagFiles *)(guintptr)operation->file.fh;
}

static void
start(FsFlagFiles *files, fuse_req_t request, FsOperationFunc run,
      fuse_ino_t inode, const char *name, gsize size, off_t offset,
      const struct fuse_file_info *file)
{
    struct fuse_file_info ours = {0};

    if (file != NULL)
        ours = *file;
    ours.fh = (guintptr)files;
    fs_operation_start(request, run, inode, name, size, offset, &ours);
}

static void
run_lookup(FsOperation *operation)
{
    FsFlagFiles *files = files_of(operation);
    struct fuse_entry_param param = {0};
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_look_up(
        files->names, fs_flag_files_shown(operation->inode), operation->name,
        operation->since, &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return;
    }
    disguise(&entry);
    param.ino = entry.inode;
    param.attr = entry.attributes;
    fs_operation_reply_entry(operation, &param);
}

void
fs_flag_files_lookup(FsFlagFiles *files, fuse_req_t request, fuse_ino_t parent,
                     const char *name)
{
    start(files, request, run_lookup, parent, name, 0, 0, NULL);
}

static void
run_getattr(FsOperation *operation)
{
    FsFlagFiles *files = files_of(operation);
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(
        files->names, fs_flag_files_shown(operation->inode), &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    disguise(&entry);
    fs_operation_reply_attr(operation, &entry.attributes, 0);
}

void
fs_flag_files_getattr(FsFlagFiles *files, fuse_req_t request, fuse_ino_t inode)
{
    start(files, request, run_getattr, inode, NULL, 0, 0, NULL);
}

void
fs_flag_files_setattr(fuse_req_t request, fuse_ino_t inode)
{
    const struct stat stat = {
        .st_ino = inode, .st_mode = S_IFREG | 0600, .st_nlink = 1};

    fuse_reply_attr(request, &stat, 0);
}

/* ---- directories ---- */

static void
run_opendir(FsOperation *operation)
{
    FsFlagFiles *files = files_of(operation);
    struct fuse_file_info file = {0};
    FsObstacle obstacle = {0};
    FsAnswer answer = fs_name_space_open_directory(
        files->names, fs_flag_files_shown(operation->inode), operation->since,
        &obstacle);

    if (answer == FS_ANSWER_FOUND)
        fs_operation_reply_open(operation, &file);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
}

void
fs_flag_files_opendir(FsFlagFiles *files, fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file)
{
    start(files, request, run_opendir, inode, NULL, 0, 0, file);
}

static void
run_readdir_as(FsOperation *operation, gboolean plus)
{
    FsFlagFiles *files = files_of(operation);
    g_autofree char *buffer = g_malloc(operation->size);
    FsPortion portion = {operation, plus, buffer, 0};
    guint64 directory = fs_flag_files_shown(operation->inode);
    guint64 cookie = fs_portion_cookie(&portion);
    FsAnswer answer = FS_ANSWER_FOUND;
    gboolean room = fs_portion_add_dots(&portion);
    FsObstacle obstacle = {0};
    FsEntry entry;

    while (room && answer == FS_ANSWER_FOUND) {
        struct fuse_entry_param param = {0};

        answer = fs_name_space_next(files->names, directory, cookie, &entry,
                                    &obstacle);
        if (answer == FS_ANSWER_FOUND) {
            cookie = entry.cookie;
            disguise(&entry);
            param.ino = entry.inode;
            param.attr = entry.attributes;
            room = fs_portion_add(&portion, &param, entry.name,
                                  (off_t)cookie + FS_DOT_ENTRIES);
        }
    }
    fs_portion_reply(&portion, answer, &obstacle);
}

static void
run_readdir(FsOperation *operation)
{
    run_readdir_as(operation, FALSE);
}

static void
run_readdirplus(FsOperation *operation)
{
    run_readdir_as(operation, TRUE);
}

void
fs_flag_files_readdir(FsFlagFiles *files, fuse_req_t request, fuse_ino_t inode,
                      gsize size, off_t offset, gboolean plus)
{
    start(files, request, plus ? run_readdirplus : run_readdir, inode, NULL,
          MIN(size, PORTION_MAX), offset, NULL);
}

/* ---- files ---- */

void
fs_flag_files_open(FsFlagFiles *files, fuse_req_t request, fuse_ino_t inode,
                   struct fuse_file_info *file)
{
    struct fuse_file_info opened = *file;

    opened.direct_io = 1;
    opened.noflush = 1;
    fuse_reply_open(request, &opened);
}

static void
run_read(FsOperation *operation)
{
    FsFlagFiles *files = files_of(operation);
    CacheIndex *index = files->account->index;
    g_autofree char *flags = NULL;
    g_autofree char *text = NULL;
    FsObstacle obstacle = {0};
    CacheMessage message;
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(
        files->names, fs_flag_files_shown(operation->inode), &entry, &obstacle);
    gsize offset;

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    if (cache_index_message(index, entry.mailbox, entry.uid, &message))
        flags = fs_changes_flags(files->account->changes, entry.mailbox,
                                 entry.uid, message.flags);
    text = g_strconcat(flags != NULL ? flags : "", "\n", NULL);
    offset = MIN((gsize)operation->offset, strlen(text));
    fs_operation_reply_buffer(operation, text + offset,
                              MIN(operation->size, strlen(text) - offset));
}

void
fs_flag_files_read(FsFlagFiles *files, fuse_req_t request, fuse_ino_t inode,
                   gsize size, off_t offset, struct fuse_file_info *file)
{
    start(files, request, run_read, inode, NULL, size, MAX(offset, 0), file);
}
