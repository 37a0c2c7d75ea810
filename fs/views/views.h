/* The kernel's requests on the hidden views (fs/views/view.h). */
#pragma once

#include "fs/kernel/kernel-cache.h"
#include "fs/views/view.h"

#include <fuse_lowlevel.h>

typedef struct FsViews FsViews;

/* All the views that there are. All three must outlive the result. */
FsViews *fs_views_new(FsAccount *account, FsNameSpace *names,
                      FsKernelCache *kernel_cache);
/* After the session's end. Accepts NULL. */
void fs_views_free(FsViews *views);
/* Before the first request. */
void fs_views_attach(FsViews *views, struct fuse_session *fuse);

/* Whether @inode is of a view. */
gboolean fs_views_own(guint64 inode);
/* The number of the directory of the view @name; 0: there is none. */
guint64 fs_views_root(FsViews *views, const char *name);
/* What views there are, for people: in short ("parts, text"), and what each is;
 * with @writes, also what can be changed there. Caller frees. */
char *fs_views_names(FsViews *views);
char *fs_views_about(FsViews *views, gboolean writes);

/* The requests, each of which is answered, or waits. The user data of the
 * session is a FsHandlers. */
void fs_views_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_views_getattr(fuse_req_t request, fuse_ino_t inode);
void fs_views_readlink(fuse_req_t request, fuse_ino_t inode);
void fs_views_opendir(fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file);
void fs_views_readdir(fuse_req_t request, fuse_ino_t inode, gsize size,
                      off_t offset, gboolean plus);
void fs_views_open(fuse_req_t request, fuse_ino_t inode,
                   struct fuse_file_info *file);
void fs_views_read(fuse_req_t request, fuse_ino_t inode, gsize size,
                   off_t offset, struct fuse_file_info *file);
void fs_views_release(fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file);
void fs_views_write(fuse_req_t request, fuse_ino_t inode, const char *data,
                    gsize size, off_t offset);
/* Nothing comes of it: a shell cuts a file before it writes. */
void fs_views_setattr(fuse_req_t request, fuse_ino_t inode);
void fs_views_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_views_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);

/* The entry of the mount that @name in @parent stands for; see FsViewClass. */
FsAnswer fs_views_stands_for(FsViews *views, guint64 parent, const char *name,
                             guint64 *shown_parent, char **shown_name,
                             FsObstacle *obstacle);
