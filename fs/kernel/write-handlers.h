/* The kernel's requests on files that are written: made, opened for writing,
 * written, closed. What a file becomes is decided in fs/writing/writing.h; here
 * is who means it by which request.
 *
 * - A FLUSH is a close. It has a message stored, and its answer waits; unless
 *   it comes from another process than the one that has opened the file, or
 *   from one that is dying of a signal: that has written a part, which is lost.
 * - An FSYNC has it stored, too, whoever asks.
 * - RELEASE comes last, and nobody hears its answer. What is complete and was
 *   not stored is stored then. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"
#include "fs/writing/writing.h"

#include <fuse_lowlevel.h>

typedef struct FsWriteHandlers FsWriteHandlers;

/* All three must outlive the result. */
FsWriteHandlers *fs_write_handlers_new(FsAccount *account, FsNameSpace *names,
                                       FsWriting *writing);
/* After the session's end. Accepts NULL. */
void fs_write_handlers_free(FsWriteHandlers *handlers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsWriteHandlers, fs_write_handlers_free)

/* Whether an open of @inode with @flags, or a request on the open file @file,
 * is for the functions below. */
gboolean fs_write_handlers_own_open(FsWriteHandlers *handlers, guint64 inode,
                                    int flags);
gboolean fs_write_handlers_own_file(FsWriteHandlers *handlers,
                                    const struct fuse_file_info *file);

/* Of a session whose user data is a FsHandlers, and which can be written to.
 * None of those that make something waits for the server, but for what may be
 * done in a mailbox: the kernel keeps the directory locked meanwhile. */
void fs_write_handlers_create(fuse_req_t request, fuse_ino_t parent,
                              const char *name, struct fuse_file_info *file);
void fs_write_handlers_mknod(fuse_req_t request, fuse_ino_t parent,
                             const char *name, mode_t mode);
void fs_write_handlers_open(fuse_req_t request, fuse_ino_t inode,
                            struct fuse_file_info *file);
void fs_write_handlers_read(fuse_req_t request, fuse_ino_t inode, size_t size,
                            off_t offset, struct fuse_file_info *file);
void fs_write_handlers_write(fuse_req_t request, fuse_ino_t inode,
                             const char *data, size_t size, off_t offset,
                             struct fuse_file_info *file);
void fs_write_handlers_flush(fuse_req_t request, fuse_ino_t inode,
                             struct fuse_file_info *file);
void fs_write_handlers_fsync(fuse_req_t request, fuse_ino_t inode,
                             struct fuse_file_info *file);
void fs_write_handlers_release(fuse_req_t request, fuse_ino_t inode,
                               struct fuse_file_info *file);
void fs_write_handlers_setattr(fuse_req_t request, fuse_ino_t inode,
                               const struct stat *attributes, int which,
                               struct fuse_file_info *file);
void fs_write_handlers_copy_file_range(fuse_req_t request, fuse_ino_t inode,
                                       off_t offset, fuse_ino_t to_inode,
                                       off_t to_offset,
                                       struct fuse_file_info *to_file,
                                       size_t length);
