/* The kernel's requests on entries that are no messages: local files are
 * removed, renamed and linked; directories, which are mailboxes, are made,
 * removed and renamed. Those of messages are elsewhere. */
#pragma once

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
void fs_entry_handlers_link(fuse_req_t request, fuse_ino_t inode,
                            fuse_ino_t new_parent, const char *new_name);
void fs_entry_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                             const char *name);
void fs_entry_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                             const char *name);
