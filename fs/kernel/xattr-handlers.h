/* The kernel's requests on extended attributes (fs/kernel/xattr.h); those that
 * change them are in fs/kernel/message-changes.h. */
#pragma once

#include <fuse_lowlevel.h>

/* Of a session whose user data is a FsHandlers. */
void fs_xattr_handlers_getxattr(fuse_req_t request, fuse_ino_t inode,
                                const char *name, size_t size);
void fs_xattr_handlers_listxattr(fuse_req_t request, fuse_ino_t inode,
                                 size_t size);
