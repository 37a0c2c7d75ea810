/* The kernel's requests that change messages: removing and renaming them, and
 * setting their flags. Each is asked of fs/changes/changes.h, and answered when
 * the user may rely on it. */
#pragma once

#include "fs/kernel/operation.h"
#include "fs/names/name-space.h"

#include <fuse_lowlevel.h>
#include <glib.h>

/* Of a session whose user data is a FsHandlers, and which can be written to. */
void fs_message_changes_unlink(fuse_req_t request, fuse_ino_t parent,
                               const char *name);
void fs_message_changes_rename(fuse_req_t request, fuse_ino_t parent,
                               const char *name, fuse_ino_t new_parent,
                               const char *new_name, unsigned flags);
void fs_message_changes_setxattr(fuse_req_t request, fuse_ino_t inode,
                                 const char *name, const char *value,
                                 size_t size, int flags);
void fs_message_changes_removexattr(fuse_req_t request, fuse_ino_t inode,
                                    const char *name);
/* Sets the flags as @data says, which was written to the file of flags of what
 * @inode is. */
void fs_message_changes_write_flags(fuse_req_t request, fuse_ino_t inode,
                                    const char *data, gsize size);
/* What was changed in the directory is on the server, or was refused: the first
 * refusal since this was last asked is its error. */
void fs_message_changes_fsyncdir(fuse_req_t request, fuse_ino_t inode,
                                 int data_only, struct fuse_file_info *file);

/* For others who change messages. */

/* The message @name of @parent; FALSE, and the operation has been dealt with,
 * if it is none, or cannot be changed now. */
gboolean fs_message_changes_find(FsOperation *operation, fuse_ino_t parent,
                                 const char *name, FsEntry *entry);
/* Whether a program has @entry open, and has changed it. The operation has
 * failed then, with EBUSY. */
gboolean fs_message_changes_is_edited(FsOperation *operation,
                                      const FsEntry *entry);
/* Something in @mailbox may not be done, as far as is known (see
 * fs/writing/rights.h). The operation has failed, or waits to be told whether
 * that is still so. */
void fs_message_changes_refuse(FsOperation *operation, guint32 mailbox);
/* Nothing can be put into @mailbox, because of @error_number: the same, if that
 * is for want of a right, else the operation has failed. */
void fs_message_changes_refuse_new(FsOperation *operation, guint32 mailbox,
                                   int error_number);
/* Whether messages can be taken out of @mailbox. FALSE: the operation waits for
 * the answer, or has failed: nothing is sent that is going to be refused. */
gboolean fs_message_changes_may_take(FsOperation *operation, guint32 mailbox,
                                     gboolean expunge);
/* The same of giving messages of @mailbox the flags of @add, and taking those
 * of @remove. */
gboolean fs_message_changes_may_flag(FsOperation *operation, guint32 mailbox,
                                     const char *add, const char *remove);
