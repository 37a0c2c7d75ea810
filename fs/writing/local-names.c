/* Local files in the name space.
 *
 * A directory lists what is behind first, then its local files by inode. The
 * directory of what was lost is here alone. Everything that can be written is
 * given the permission for it: the layout behind shows what can be read. */
#include "fs/writing/local-names.h"

#include "fs/kernel/inode.h"

#include <errno.h>
#include <string.h>

/* Cookies of local files: beyond those of all others. */
#define LOCAL_COOKIE (G_GUINT64_CONSTANT(1) << 61)
#define BLOCK_SIZE 4096

typedef struct {
    FsNameSpace parent;
    FsNameSpace *behind;
    FsWriting *writing;
} LocalNames;

static LocalNames *
local_of(FsNameSpace *names)
{
    return (LocalNames *)names;
}

static FsLocalFiles *
files_of(FsNameSpace *names)
{
    return fs_writing_files(local_of(names)->writing);
}

static guint32
mailbox_of(guint64 directory)
{
    if (directory == FS_INODE_LOST_FOUND)
        return FS_LOCAL_LOST;
    return directory == FS_INODE_ROOT ? 0 : fs_inode_mailbox(directory);
}

/* ---- attributes ---- */

static void
set_time(struct stat *attributes, gint64 microseconds)
{
    attributes->st_mtim.tv_sec = microseconds / G_USEC_PER_SEC;
    attributes->st_mtim.tv_nsec = microseconds % G_USEC_PER_SEC * 1000;
}

static void
describe_local(const FsAccount *account, const FsLocalFile *file,
               FsEntry *entry)
{
    struct stat *attributes = &entry->attributes;

    memset(entry, 0, sizeof *entry);
    entry->inode = file->inode;
    entry->fleeting = TRUE;
    attributes->st_ino = file->inode;
    attributes->st_mode = S_IFREG | (0666 & ~account->options->umask);
    attributes->st_uid = account->options->uid;
    attributes->st_gid = account->options->gid;
    attributes->st_nlink = 1;
    attributes->st_blksize = BLOCK_SIZE;
    attributes->st_size = (off_t)file->size;
    attributes->st_blocks = (blkcnt_t)((file->size + 511) / 512);
    set_time(attributes, file->modified_at);
    attributes->st_ctim = attributes->st_atim = attributes->st_mtim;
}

static void
describe_lost(const FsAccount *account, FsEntry *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->inode = FS_INODE_LOST_FOUND;
    entry->attributes.st_ino = FS_INODE_LOST_FOUND;
    entry->attributes.st_mode = S_IFDIR | 0700;
    entry->attributes.st_uid = account->options->uid;
    entry->attributes.st_gid = account->options->gid;
    entry->attributes.st_nlink = 1;
    entry->fleeting = TRUE;
    set_time(&entry->attributes, account->mounted_at * G_USEC_PER_SEC);
    entry->attributes.st_ctim = entry->attributes.st_mtim;
    entry->attributes.st_atim = entry->attributes.st_mtim;
}

/* What is behind, as it can be written; or the state of it that is here. */
static void
amend(FsNameSpace *names, FsEntry *entry)
{
    const FsAccount *account = names->account;
    const FsLocalFile *edit = fs_local_files_get(files_of(names), entry->inode);
    FsRights *rights = fs_writing_rights(local_of(names)->writing);

    if (S_ISDIR(entry->attributes.st_mode)
            ? fs_rights_may_insert(rights, entry->mailbox)
            : fs_rights_may_replace(rights, entry->mailbox))
        entry->attributes.st_mode |= 0222 & ~account->options->umask;
    if (fs_writing_has_changed(local_of(names)->writing, entry->inode))
        entry->fleeting = TRUE;
    if (edit == NULL || !fs_local_file_is_ahead(edit))
        return;
    entry->fleeting = TRUE;
    entry->attributes.st_size = (off_t)edit->size;
    entry->attributes.st_blocks = (blkcnt_t)((edit->size + 511) / 512);
    set_time(&entry->attributes, edit->modified_at);
}

/* ---- the interface ---- */

static FsAnswer
local_look_up(FsNameSpace *names, guint64 directory, const char *name,
              gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    const FsLocalFile *file =
        fs_local_files_find(files_of(names), mailbox_of(directory), name);
    FsAnswer answer;

    if (file != NULL) {
        describe_local(names->account, file, entry);
        return FS_ANSWER_FOUND;
    }
    if (directory == FS_INODE_LOST_FOUND)
        return FS_ANSWER_NONE;
    answer = fs_name_space_look_up(local_of(names)->behind, directory, name,
                                   since, entry, obstacle);
    if (answer == FS_ANSWER_FOUND)
        amend(names, entry);
    return answer;
}

static FsAnswer
local_describe(FsNameSpace *names, guint64 inode, FsEntry *entry,
               FsObstacle *obstacle)
{
    const FsLocalFile *file = fs_local_files_get(files_of(names), inode);
    FsAnswer answer;

    if (inode == FS_INODE_LOST_FOUND) {
        describe_lost(names->account, entry);
        return FS_ANSWER_FOUND;
    }
    if (file != NULL && fs_local_files_own(inode) &&
        (fs_local_file_is_ahead(file) || file->generation != file->stored)) {
        describe_local(names->account, file, entry);
        return FS_ANSWER_FOUND;
    }
    answer =
        fs_name_space_describe(local_of(names)->behind, inode, entry, obstacle);
    if (answer == FS_ANSWER_FOUND) {
        amend(names, entry);
    } else if (file != NULL && answer != FS_ANSWER_WAIT) {
        /* Removed, and still open. */
        describe_local(names->account, file, entry);
        answer = FS_ANSWER_FOUND;
    }
    return answer;
}

static FsAnswer
local_open_directory(FsNameSpace *names, guint64 directory, gint64 since,
                     FsObstacle *obstacle)
{
    if (directory == FS_INODE_LOST_FOUND)
        return FS_ANSWER_FOUND;
    /* Nobody waits for it here. */
    fs_rights_need(fs_writing_rights(local_of(names)->writing),
                   mailbox_of(directory));
    return fs_name_space_open_directory(local_of(names)->behind, directory,
                                        since, obstacle);
}

static FsAnswer
next_local(FsNameSpace *names, guint64 directory, guint64 after, FsEntry *entry)
{
    const FsLocalFile *file =
        fs_local_files_next(files_of(names), mailbox_of(directory), after);

    if (file == NULL)
        return FS_ANSWER_NONE;
    describe_local(names->account, file, entry);
    g_strlcpy(entry->name, file->name, sizeof entry->name);
    entry->cookie = LOCAL_COOKIE | file->inode;
    return FS_ANSWER_FOUND;
}

/* A message is not listed beside what is about to take its place. */
static gboolean
gives_way(FsNameSpace *names, guint64 directory, const FsEntry *entry)
{
    return entry->uid != 0 &&
           fs_local_files_find(files_of(names), mailbox_of(directory),
                               entry->name) != NULL;
}

static FsAnswer
local_next(FsNameSpace *names, guint64 directory, guint64 cookie,
           FsEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer;

    if (directory == FS_INODE_LOST_FOUND || (cookie & LOCAL_COOKIE) != 0)
        return next_local(names, directory, cookie & ~LOCAL_COOKIE, entry);
    do {
        answer = fs_name_space_next(local_of(names)->behind, directory, cookie,
                                    entry, obstacle);
        cookie = entry->cookie;
    } while (answer == FS_ANSWER_FOUND && gives_way(names, directory, entry));
    if (answer == FS_ANSWER_NONE)
        return next_local(names, directory, 0, entry);
    if (answer == FS_ANSWER_FOUND)
        amend(names, entry);
    return answer;
}

static guint64
local_directory_of(FsNameSpace *names, guint32 mailbox)
{
    if (mailbox == FS_LOCAL_LOST)
        return FS_INODE_LOST_FOUND;
    return fs_name_space_directory_of(local_of(names)->behind, mailbox);
}

static FsPlace
local_place_of(FsNameSpace *names, guint64 directory)
{
    if (directory == FS_INODE_LOST_FOUND)
        return (FsPlace){FS_PLACE_LOST, 0, FS_LOCAL_LOST};
    return fs_name_space_place_of(local_of(names)->behind, directory);
}

static void
local_names_of(FsNameSpace *names, guint32 mailbox, const CacheMessage *message,
               FsNameFunc func, gpointer user_data)
{
    fs_name_space_names_of(local_of(names)->behind, mailbox, message, func,
                           user_data);
}

static void
local_free(FsNameSpace *names)
{
    fs_name_space_free(local_of(names)->behind);
    g_free(names);
}

static const FsNameSpaceClass local_class = {
    .look_up = local_look_up,
    .describe = local_describe,
    .open_directory = local_open_directory,
    .next = local_next,
    .directory_of = local_directory_of,
    .place_of = local_place_of,
    .names_of = local_names_of,
    .free = local_free,
};

FsNameSpace *
fs_local_names_new(FsAccount *account, FsNameSpace *behind, FsWriting *writing)
{
    LocalNames *names = g_new0(LocalNames, 1);

    names->parent.class = &local_class;
    names->parent.account = account;
    names->behind = behind;
    names->writing = writing;
    return &names->parent;
}
