/* The kernel's requests to change something. A mount that cannot be written to
 * says so with EROFS, as the kernel itself does where it is mounted with "ro";
 * of another one, they go to whom they concern.
 *
 * But one process makes and removes entries, to wake those who watch
 * (fs/live/announcer.h): its requests are granted, and answered by what is so
 * already. They never wait for the server, for the kernel keeps the directory
 * locked meanwhile. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

/* Answers @request if it is that process's; else FALSE. */
gboolean fs_change_handlers_lookup(fuse_req_t request, fuse_ino_t parent,
                                   const char *name);

/* Of a session whose user data is a FsHandlers. */
void fs_change_handlers_create(fuse_req_t request, fuse_ino_t parent,
                               const char *name, mode_t mode,
                               struct fuse_file_info *file);
void fs_change_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                              const char *name, mode_t mode);
void fs_change_handlers_unlink(fuse_req_t request, fuse_ino_t parent,
                               const char *name);
void fs_change_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                              const char *name);
void fs_change_handlers_mknod(fuse_req_t request, fuse_ino_t parent,
                              const char *name, mode_t mode, dev_t device);
void fs_change_handlers_symlink(fuse_req_t request, const char *target,
                                fuse_ino_t parent, const char *name);
void fs_change_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                               const char *name, fuse_ino_t new_parent,
                               const char *new_name, unsigned flags);
void fs_change_handlers_link(fuse_req_t request, fuse_ino_t inode,
                             fuse_ino_t new_parent, const char *new_name);
void fs_change_handlers_setattr(fuse_req_t request, fuse_ino_t inode,
                                struct stat *attributes, int which,
                                struct fuse_file_info *file);
void fs_change_handlers_setxattr(fuse_req_t request, fuse_ino_t inode,
                                 const char *name, const char *value,
                                 size_t size, int flags);
void fs_change_handlers_removexattr(fuse_req_t request, fuse_ino_t inode,
                                    const char *name);
void fs_change_handlers_write(fuse_req_t request, fuse_ino_t inode,
                              const char *data, size_t size, off_t offset,
                              struct fuse_file_info *file);
void fs_change_handlers_fallocate(fuse_req_t request, fuse_ino_t inode,
                                  int mode, off_t offset, off_t length,
                                  struct fuse_file_info *file);
void fs_change_handlers_copy_file_range(fuse_req_t request, fuse_ino_t inode,
                                        off_t offset,
                                        struct fuse_file_info *file,
                                        fuse_ino_t to_inode, off_t to_offset,
                                        struct fuse_file_info *to_file,
                                        size_t length, int flags);
/* Whether something could be changed is asked, too. */
void fs_change_handlers_access(fuse_req_t request, fuse_ino_t inode, int mask);
