/* The hidden directory at the top of the mount, and the files in it: how to
 * look into what this program does.
 *
 *     .imapfs/
 *       events      what happens, a line of JSON each, as it happens
 *       status      what is so, as JSON
 *       lost+found  what could not be stored; a directory of the name space
 *       flags       a view (fs/views/flags-view.h)
 *       README      what there is here
 *
 * and the other views (fs/views/view.h), which are not listed.
 *
 * It is found by its name and not listed at the top, so that no program that
 * goes through all files runs into it. It stands in front of the name space,
 * whatever the layout there: handlers ask here first whether a request is about
 * it. A mailbox of that name has another one in the mount
 * (fs/names/mailbox-name.h). */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"
#include "fs/names/name-space.h"
#include "fs/views/views.h"

#include <fuse_lowlevel.h>

typedef struct FsControlFiles FsControlFiles;

/* All four must outlive the result. */
FsControlFiles *fs_control_files_new(FsAccount *account, FsNameSpace *names,
                                     FsKernelCache *kernel_cache,
                                     FsViews *views);
/* After the session's end. Accepts NULL. */
void fs_control_files_free(FsControlFiles *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsControlFiles, fs_control_files_free)

/* Before the mount: from then on, readers of events are told the end of it also
 * when it is taken away while they read. */
void fs_control_files_attach(FsControlFiles *control);
/* For the end: those who read events have read all. */
void fs_control_files_stop(FsControlFiles *control);

/* Whether a request on @inode is for the functions below. */
gboolean fs_control_files_own(guint64 inode);
/* Likewise a look-up of @name in @directory. */
gboolean fs_control_files_own_name(guint64 directory, const char *name);
/* The requests, each of which is answered, or waits. */
void fs_control_files_lookup(FsControlFiles *control, fuse_req_t request,
                             fuse_ino_t directory, const char *name);
void fs_control_files_getattr(FsControlFiles *control, fuse_req_t request,
                              fuse_ino_t inode);
void fs_control_files_opendir(FsControlFiles *control, fuse_req_t request,
                              fuse_ino_t inode, struct fuse_file_info *file);
void fs_control_files_readdir(FsControlFiles *control, fuse_req_t request,
                              fuse_ino_t inode, gsize size, off_t offset,
                              gboolean plus);
void fs_control_files_open(FsControlFiles *control, fuse_req_t request,
                           fuse_ino_t inode, struct fuse_file_info *file);
void fs_control_files_read(FsControlFiles *control, fuse_req_t request,
                           fuse_ino_t inode, gsize size, off_t offset,
                           struct fuse_file_info *file);
void fs_control_files_release(FsControlFiles *control, fuse_req_t request,
                              fuse_ino_t inode, struct fuse_file_info *file);
/* See fs/control/cached-query.h. */
void fs_control_files_ioctl(FsControlFiles *control, fuse_req_t request,
                            fuse_ino_t inode, guint command, const void *data,
                            gsize length);
/* @handle: NULL unless the kernel wants to be told; taken over. */
void fs_control_files_poll(fuse_req_t request, fuse_ino_t inode,
                           struct fuse_file_info *file,
                           struct fuse_pollhandle *handle);
