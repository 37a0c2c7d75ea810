/* The kernel's requests that change something in a Maildir
 * (fs/names/maildir-layout.h) and mean something else there than in a folder:
 * a name says what flags a message has. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

/* Of a session whose user data is a FsHandlers, and which can be written to.
 * FALSE: it is nothing of a Maildir, or the same as elsewhere. */
gboolean fs_maildir_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                                    const char *name, fuse_ino_t new_parent,
                                    const char *new_name, unsigned flags);
gboolean fs_maildir_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                                   const char *name);
gboolean fs_maildir_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                                   const char *name);
