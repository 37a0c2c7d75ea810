/* The file that is read by "imapfs --wait": its beginning comes when all that
 * was changed in the mount is on the server, or will not be, and what is in use
 * is as the server has it. It says what was refused since it was last read, and
 * what could not be done, a line each; so it is empty when all is well. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"

#include <fuse_lowlevel.h>

typedef struct FsWaitFile FsWaitFile;

/* One open file. Both must outlive the result. */
FsWaitFile *fs_wait_file_new(FsAccount *account, FsKernelCache *kernel_cache);
/* Nobody reads it any more. Accepts NULL. */
void fs_wait_file_free(FsWaitFile *file);

/* Answers @request, now or later. @opened is copied. */
void fs_wait_file_read(FsWaitFile *file, fuse_req_t request, fuse_ino_t inode,
                       gsize size, off_t offset,
                       const struct fuse_file_info *opened);
