/* The hidden tree ".imapfs/flags": the directories of the mount once more, and
 * in them a file for each message, which holds its flags; what is written to it
 * changes them. For where there are no extended attributes.
 *
 * Names are those of the mount, and so are numbers, but for one bit. The kernel
 * keeps nothing of it. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

#include <fuse_lowlevel.h>

typedef struct FsFlagFiles FsFlagFiles;

/* Both must outlive the result. */
FsFlagFiles *fs_flag_files_new(FsAccount *account, FsNameSpace *names);
/* After the session's end. Accepts NULL. */
void fs_flag_files_free(FsFlagFiles *files);

/* Whether @inode is of the tree. */
gboolean fs_flag_files_own(guint64 inode);
/* The number of what it stands for. */
guint64 fs_flag_files_shown(guint64 inode);

/* The requests, each of which is answered, or waits. */
void fs_flag_files_lookup(FsFlagFiles *files, fuse_req_t request,
                          fuse_ino_t parent, const char *name);
void fs_flag_files_getattr(FsFlagFiles *files, fuse_req_t request,
                           fuse_ino_t inode);
/* Nothing comes of it: a shell cuts a file before it writes. */
void fs_flag_files_setattr(fuse_req_t request, fuse_ino_t inode);
void fs_flag_files_opendir(FsFlagFiles *files, fuse_req_t request,
                           fuse_ino_t inode, struct fuse_file_info *file);
void fs_flag_files_readdir(FsFlagFiles *files, fuse_req_t request,
                           fuse_ino_t inode, gsize size, off_t offset,
                           gboolean plus);
void fs_flag_files_open(FsFlagFiles *files, fuse_req_t request,
                        fuse_ino_t inode, struct fuse_file_info *file);
void fs_flag_files_read(FsFlagFiles *files, fuse_req_t request,
                        fuse_ino_t inode, gsize size, off_t offset,
                        struct fuse_file_info *file);
