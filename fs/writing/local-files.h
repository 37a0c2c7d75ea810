/* All local files, by inode and by directory and name; and, for as long as the
 * mount lives, what has become of their inodes: programs and the kernel go on
 * using the number of a file that is a message now. */
#pragma once

#include "fs/writing/local-file.h"

typedef struct FsLocalFiles FsLocalFiles;

FsLocalFiles *fs_local_files_new(CacheSpool *spool);
void fs_local_files_free(FsLocalFiles *files); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLocalFiles, fs_local_files_free)

/* An empty one in @directory, listed. Borrowed. */
FsLocalFile *fs_local_files_make(FsLocalFiles *files, guint32 directory,
                                 const char *name);
/* An edited state of the message @uid, whose inode is @inode. Borrowed. */
FsLocalFile *fs_local_files_edit(FsLocalFiles *files, guint64 inode,
                                 guint32 directory, guint32 uid,
                                 const char *name);
/* What an earlier mount has left: listed with what was lost. Borrowed. */
FsLocalFile *fs_local_files_found(FsLocalFiles *files, CacheSpoolFile *spool,
                                  const char *name);

/* Borrowed; NULL: there is none. */
FsLocalFile *fs_local_files_get(FsLocalFiles *files, guint64 inode);
FsLocalFile *fs_local_files_find(FsLocalFiles *files, guint32 directory,
                                 const char *name);
/* The one of @directory with the lowest inode above @after; edits are listed as
 * messages, not here. */
FsLocalFile *fs_local_files_next(FsLocalFiles *files, guint32 directory,
                                 guint64 after);
guint fs_local_files_count(FsLocalFiles *files, guint32 directory);

/* It is listed there from now on, in place of what was there; @name NULL: in no
 * directory. The file must be held. */
void fs_local_files_move(FsLocalFiles *files, FsLocalFile *file,
                         guint32 directory, const char *name);
/* It goes to those that are lost, under a name that none of them has; an edit
 * gets an inode of its own. */
void fs_local_files_lose(FsLocalFiles *files, FsLocalFile *file);

/* Whose inode was @file's is the message @uid of @mailbox from now on; @file is
 * in no directory any more. */
void fs_local_files_become(FsLocalFiles *files, FsLocalFile *file,
                           guint32 mailbox, guint32 uid);
/* Whether @inode has become a message, and which; follows more than one step.
 */
gboolean fs_local_files_redirected(FsLocalFiles *files, guint64 inode,
                                   guint32 *mailbox, guint32 *uid);

/* Told that the entry @name of @directory is another, or gone, without a
 * program having asked for it. */
typedef void (*FsLocalChangedFunc)(guint32 directory, const char *name,
                                   guint64 inode, gpointer user_data);
void fs_local_files_set_changed_func(FsLocalFiles *files,
                                     FsLocalChangedFunc func,
                                     gpointer user_data);
