/* All local files, by inode, and by directory and name. */
#pragma once

#include "fs/writing/local-file.h"

typedef struct FsLocalFiles FsLocalFiles;

/* @spool outlives the result. */
FsLocalFiles *fs_local_files_new(CacheSpool *spool);
/* What is listed stays on the disk. Accepts NULL. */
void fs_local_files_free(FsLocalFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLocalFiles, fs_local_files_free)

/* Whether @inode is from the range of those that are not messages. */
gboolean fs_local_files_own(guint64 inode);

/* An empty one in @directory, listed. Borrowed, as all are. */
FsLocalFile *fs_local_files_make(FsLocalFiles *files, guint32 directory,
                                 const char *name);
/* A new state of the message @uid of @mailbox, whose inode is @inode. It has
 * the octets that the message has. */
FsLocalFile *fs_local_files_edit(FsLocalFiles *files, guint64 inode,
                                 guint32 mailbox, guint32 uid, guint64 size,
                                 const char *name);
/* What an earlier mount has left (taken over): listed with what was lost. */
FsLocalFile *fs_local_files_found(FsLocalFiles *files, CacheSpoolFile *spool,
                                  const char *name);

/* The same of a file that is kept in @directory as @name. */
void fs_local_files_take_kept(FsLocalFiles *files, CacheSpoolFile *spool,
                              guint32 directory, const char *name);

/* NULL: there is none. */
FsLocalFile *fs_local_files_get(FsLocalFiles *files, guint64 inode);
FsLocalFile *fs_local_files_find(FsLocalFiles *files, guint32 directory,
                                 const char *name);
/* The listed one of @directory with the lowest inode above @after. */
FsLocalFile *fs_local_files_next(FsLocalFiles *files, guint32 directory,
                                 guint64 after);
guint fs_local_files_count(FsLocalFiles *files, guint32 directory);

/* It is listed there from now on, in place of what was there. */
void fs_local_files_move(FsLocalFiles *files, FsLocalFile *file,
                         guint32 directory, const char *name);
/* The same, and by the name that it has had it is found, too, though not
 * listed: until one of the two below is called, or it is moved or unlisted. */
void fs_local_files_link(FsLocalFiles *files, FsLocalFile *file,
                         guint32 directory, const char *name);
/* TRUE if that is @name in @directory, and then it is so no more. */
gboolean fs_local_files_unlink_first(FsLocalFiles *files, FsLocalFile *file,
                                     guint32 directory, const char *name);
/* It is listed by that name, and no longer by the other. FALSE: it has none. */
gboolean fs_local_files_take_back(FsLocalFiles *files, FsLocalFile *file);
/* It is listed nowhere any more; it lives on for those who have it open. */
void fs_local_files_unlist(FsLocalFiles *files, FsLocalFile *file);
/* If nobody has it open any more, and it is neither listed nor being stored,
 * its inode does not mean it any more; if it was emptied, in a while, unless
 * something is written until then. */
void fs_local_files_released(FsLocalFiles *files, FsLocalFile *file);
/* It goes to those that are lost, under a name that none of them has. One that
 * was an edit gets an inode of its own, and with it the octets; the edit is no
 * more. */
void fs_local_files_lose(FsLocalFiles *files, FsLocalFile *file);
/* The same of all of @directory, which is gone; those that are empty just
 * go. */
void fs_local_files_lose_all(FsLocalFiles *files, guint32 directory);

/* Told of each entry that goes from @directory, or comes to those that are
 * lost, without a program having asked for it; or, with the name NULL, that the
 * message behind @inode (else 0) is what it was before it was changed. */
typedef void (*FsLocalEntryFunc)(guint32 directory, const char *name,
                                 guint64 inode, gpointer user_data);
void fs_local_files_set_entry_func(FsLocalFiles *files, FsLocalEntryFunc func,
                                   gpointer user_data);

/* It stays where it is listed, but the server has it: the next mount need not
 * keep it. */
void fs_local_files_note_stored(FsLocalFile *file);

/* What it holds, and that it does, is on the disk for good when @done runs. */
void fs_local_files_sync(FsLocalFile *file, CacheSpoolDoneFunc done,
                         gpointer user_data);

/* Calls @func with each that is listed, or is an edit that is not finished; it
 * may move and unlist it. */
void fs_local_files_foreach(FsLocalFiles *files,
                            void (*func)(FsLocalFile *file, gpointer user_data),
                            gpointer user_data);
