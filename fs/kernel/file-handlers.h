/* The kernel's requests on files: open, read, release. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

#include <fuse_lowlevel.h>

typedef struct FsFileHandlers FsFileHandlers;

/* @account and @names must outlive the result. */
FsFileHandlers *fs_file_handlers_new(FsAccount *account, FsNameSpace *names);
/* After the session's end. Accepts NULL. */
void fs_file_handlers_free(FsFileHandlers *handlers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsFileHandlers, fs_file_handlers_free)

/* Before the first request: tells @handlers the session that they serve. */
void fs_file_handlers_attach(FsFileHandlers *handlers,
                             struct fuse_session *fuse);

/* Of a session whose user data is a FsHandlers. */
void fs_file_handlers_open(fuse_req_t request, fuse_ino_t inode,
                           struct fuse_file_info *file);
void fs_file_handlers_read(fuse_req_t request, fuse_ino_t inode, size_t size,
                           off_t offset, struct fuse_file_info *file);
void fs_file_handlers_release(fuse_req_t request, fuse_ino_t inode,
                              struct fuse_file_info *file);
