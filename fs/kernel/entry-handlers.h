/* The kernel's requests on entries that are no messages: local files are
 * removed, renamed and linked; directories, which are mailboxes, are made,
 * removed and renamed. Those of messages are elsewhere. */
#pragma once

#include "fs/kernel/operation.h"
#include "fs/writing/directories.h"

#include <fuse_lowlevel.h>
#include <glib.h>

/* Of a session whose user data is a FsHandlers, and which can be written to.
 * Each that returns FALSE has not touched the request: it is about a message.
 */
gboolean fs_entry_handlers_unlink(fuse_req_t request, fuse_ino_t parent,
                                  const char *name);
gboolean fs_entry_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                                  const char *name, fuse_ino_t new_parent,
                                  const char *new_name, unsigned flags);
/* @name in @parent is a directory of the first layout, and so is @new_parent.
 */
void fs_entry_handlers_rename_directory(fuse_req_t request, fuse_ino_t parent,
                                        const char *name, fuse_ino_t new_parent,
                                        const char *new_name, unsigned flags);
void fs_entry_handlers_link(fuse_req_t request, fuse_ino_t inode,
                            fuse_ino_t new_parent, const char *new_name);
void fs_entry_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                             const char *name);
void fs_entry_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                             const char *name);

/* For others who make directories. */

/* Waits for what was begun, or fails; @reply is called once it is done. */
void fs_entry_handlers_follow(FsOperation *operation, FsDirectoryChange *change,
                              void (*reply)(FsOperation *operation));
/* Replies what is called as the operation says, and must be there. */
void fs_entry_handlers_reply_made(FsOperation *operation);
