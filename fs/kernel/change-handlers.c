/* Changes by our own process; those by others go to who makes them. */
#include "fs/kernel/change-handlers.h"

#include "fs/control/control-files.h"
#include "fs/kernel/entry-handlers.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/maildir-handlers.h"
#include "fs/kernel/message-changes.h"
#include "fs/live/announcer.h"
#include "fs/sync/refresh.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static FsAnnouncer *
announcer_of(fuse_req_t request)
{
    return fs_handlers_account(fuse_req_userdata(request))->announcer;
}

static gboolean
is_ours(fuse_req_t request)
{
    return fs_announcer_is_ours(announcer_of(request),
                                fuse_req_ctx(request)->pid);
}

/* What our process is about to do when it asks for @kind; NULL, and the request
 * is refused, if it is another one's, or about something else. */
static const FsAnnouncement *
announcement_of(fuse_req_t request, FsAnnouncementKind kind, fuse_ino_t parent,
                const char *name)
{
    const FsAnnouncement *found = NULL;

    if (is_ours(request))
        found = fs_announcer_find(announcer_of(request), parent, name);
    if (found != NULL && found->kind == kind)
        return found;
    fuse_reply_err(request, EROFS);
    return NULL;
}

/* Whether @request is a user's, on a mount that can be written to. */
static gboolean
writes(fuse_req_t request)
{
    return fs_handlers_writing(fuse_req_userdata(request)) != NULL &&
           !is_ours(request);
}

/* Nothing is made or removed beside the files of the hidden directory. */
static gboolean
is_control(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (!fs_control_files_own_name(parent, name))
        return FALSE;
    fuse_reply_err(request, EACCES);
    return TRUE;
}

/* What an entry of a view stands for is changed in its place. FALSE, and the
 * request is answered, if @name in @parent is nothing that can be changed. */
static gboolean
find_shown(fuse_req_t request, fuse_ino_t *parent, const char **name,
           char **shown_name)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsAnswer answer = FS_ANSWER_NONE;
    FsObstacle obstacle = {0};
    guint64 shown;

    if (fs_views_own(*parent))
        answer = fs_views_stands_for(fs_handlers_views(handlers), *parent,
                                     *name, &shown, shown_name, &obstacle);
    if (answer == FS_ANSWER_FAILED) {
        fuse_reply_err(request, obstacle.error_number);
        return FALSE;
    }
    if (answer == FS_ANSWER_FOUND) {
        *parent = shown;
        *name = *shown_name;
        /* The kernel knows the change of the view's entry alone. */
        fs_kernel_cache_entry_changed(fs_handlers_kernel_cache(handlers), shown,
                                      *shown_name);
    }
    return !is_control(request, *parent, *name);
}

/* ---- what our process looks up ---- */

/* It has to be there, to be removed; it was believed for the last time. Not the
 * kernel's own inode of it: who has a message open goes on reading that, and a
 * directory that comes back is not to be one that was removed. */
static void
reply_gone(fuse_req_t request, const FsAnnouncement *announcement)
{
    struct fuse_entry_param param = {0};
    gboolean file = announcement->kind == FS_ANNOUNCE_GONE_FILE;

    param.ino = announcement->inode | FS_INODE_STAND_IN;
    param.attr.st_ino = param.ino;
    param.attr_timeout = 1;
    param.attr.st_mode = file ? S_IFREG | S_IRUSR : S_IFDIR | S_IRUSR | S_IXUSR;
    param.attr.st_nlink = 1;
    fuse_reply_entry(request, &param);
}

/* A directory on the way to where something is announced. */
static void
reply_directory(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    struct fuse_entry_param param;
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_look_up(fs_handlers_names(handlers), parent,
                                            name, FS_KNOWN, &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND || entry.uid != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    fs_handlers_fill_entry(handlers, &entry, &param);
    fuse_reply_entry(request, &param);
}

gboolean
fs_change_handlers_lookup(fuse_req_t request, fuse_ino_t parent,
                          const char *name)
{
    const FsAnnouncement *announcement;

    if (!is_ours(request))
        return FALSE;
    announcement = fs_announcer_find(announcer_of(request), parent, name);
    if (announcement == NULL)
        reply_directory(request, parent, name);
    else if (announcement->kind == FS_ANNOUNCE_GONE_FILE ||
             announcement->kind == FS_ANNOUNCE_GONE_DIRECTORY)
        reply_gone(request, announcement);
    else
        fuse_reply_err(request, ENOENT); /* not there yet: to be made */
    return TRUE;
}

/* ---- what it makes and removes ---- */

/* FALSE, and the request is answered, if it is not there any more. */
static gboolean
describe_new(fuse_req_t request, const FsAnnouncement *announcement,
             struct fuse_entry_param *param)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsObstacle obstacle = {0};
    FsEntry entry;

    if (fs_name_space_describe(fs_handlers_names(handlers), announcement->inode,
                               &entry, &obstacle) != FS_ANSWER_FOUND) {
        fuse_reply_err(request, ENOENT);
        return FALSE;
    }
    fs_handlers_fill_entry(handlers, &entry, param);
    return TRUE;
}

void
fs_change_handlers_create(fuse_req_t request, fuse_ino_t parent,
                          const char *name, mode_t mode,
                          struct fuse_file_info *file)
{
    const FsAnnouncement *announcement;
    struct fuse_entry_param param;

    if (writes(request)) {
        if (!is_control(request, parent, name))
            fs_write_handlers_create(request, parent, name, file);
        return;
    }
    announcement = announcement_of(request, FS_ANNOUNCE_NEW_FILE, parent, name);
    if (announcement == NULL || !describe_new(request, announcement, &param))
        return;
    /* It is closed at once; there is nothing behind it. */
    file->fh = 0;
    file->keep_cache = 1;
    file->noflush = 1;
    fuse_reply_create(request, &param, file);
}

void
fs_change_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                         const char *name, mode_t mode)
{
    const FsAnnouncement *announcement;
    struct fuse_entry_param param;

    if (writes(request)) {
        if (fs_views_own(parent))
            fs_views_mkdir(request, parent, name);
        else if (!is_control(request, parent, name) &&
                 !fs_maildir_handlers_mkdir(request, parent, name))
            fs_entry_handlers_mkdir(request, parent, name);
        return;
    }
    announcement =
        announcement_of(request, FS_ANNOUNCE_NEW_DIRECTORY, parent, name);
    if (announcement != NULL && describe_new(request, announcement, &param))
        fuse_reply_entry(request, &param);
}

void
fs_change_handlers_unlink(fuse_req_t request, fuse_ino_t parent,
                          const char *name)
{
    g_autofree char *shown_name = NULL;

    if (writes(request)) {
        if (find_shown(request, &parent, &name, &shown_name) &&
            !fs_entry_handlers_unlink(request, parent, name))
            fs_message_changes_unlink(request, parent, name);
    } else if (announcement_of(request, FS_ANNOUNCE_GONE_FILE, parent, name) !=
               NULL)
        fuse_reply_err(request, 0);
}

void
fs_change_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                         const char *name)
{
    if (writes(request)) {
        if (fs_views_own(parent))
            fs_views_rmdir(request, parent, name);
        else if (!is_control(request, parent, name) &&
                 !fs_maildir_handlers_rmdir(request, parent, name))
            fs_entry_handlers_rmdir(request, parent, name);
        return;
    }
    if (announcement_of(request, FS_ANNOUNCE_GONE_DIRECTORY, parent, name) !=
        NULL)
        fuse_reply_err(request, 0);
}

/* ---- what our process does not do ---- */

void
fs_change_handlers_mknod(fuse_req_t request, fuse_ino_t parent,
                         const char *name, mode_t mode, dev_t device)
{
    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (!is_control(request, parent, name))
        fs_write_handlers_mknod(request, parent, name, mode);
}

void
fs_change_handlers_symlink(fuse_req_t request, const char *target,
                           fuse_ino_t parent, const char *name)
{
    fuse_reply_err(request, writes(request) ? EPERM : EROFS);
}

void
fs_change_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                          const char *name, fuse_ino_t new_parent,
                          const char *new_name, unsigned flags)
{
    g_autofree char *shown_name = NULL;

    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (find_shown(request, &parent, &name, &shown_name) &&
             !is_control(request, new_parent, new_name) &&
             !fs_maildir_handlers_rename(request, parent, name, new_parent,
                                         new_name, flags) &&
             !fs_entry_handlers_rename(request, parent, name, new_parent,
                                       new_name, flags))
        fs_message_changes_rename(request, parent, name, new_parent, new_name,
                                  flags);
}

void
fs_change_handlers_link(fuse_req_t request, fuse_ino_t inode,
                        fuse_ino_t new_parent, const char *new_name)
{
    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (!is_control(request, new_parent, new_name))
        fs_entry_handlers_link(request, inode, new_parent, new_name);
}

void
fs_change_handlers_setattr(fuse_req_t request, fuse_ino_t inode,
                           struct stat *attributes, int which,
                           struct fuse_file_info *file)
{
    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (fs_views_own(inode))
        fs_views_setattr(request, inode);
    else if (fs_control_files_own(inode))
        fuse_reply_err(request, EACCES);
    else
        fs_write_handlers_setattr(request, inode, attributes, which, file);
}

void
fs_change_handlers_setxattr(fuse_req_t request, fuse_ino_t inode,
                            const char *name, const char *value, size_t size,
                            int flags)
{
    if (fs_views_own(inode))
        fuse_reply_err(request, ENOTSUP);
    else
        fs_message_changes_setxattr(request, inode, name, value, size, flags);
}

void
fs_change_handlers_removexattr(fuse_req_t request, fuse_ino_t inode,
                               const char *name)
{
    if (fs_views_own(inode))
        fuse_reply_err(request, ENOTSUP);
    else
        fs_message_changes_removexattr(request, inode, name);
}

void
fs_change_handlers_write(fuse_req_t request, fuse_ino_t inode, const char *data,
                         size_t size, off_t offset, struct fuse_file_info *file)
{
    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (fs_views_own(inode))
        fs_views_write(request, inode, data, size, offset);
    else
        fs_write_handlers_write(request, inode, data, size, offset, file);
}

void
fs_change_handlers_fallocate(fuse_req_t request, fuse_ino_t inode, int mode,
                             off_t offset, off_t length,
                             struct fuse_file_info *file)
{
    fuse_reply_err(request, writes(request) ? EOPNOTSUPP : EROFS);
}

void
fs_change_handlers_copy_file_range(fuse_req_t request, fuse_ino_t inode,
                                   off_t offset, struct fuse_file_info *file,
                                   fuse_ino_t to_inode, off_t to_offset,
                                   struct fuse_file_info *to_file,
                                   size_t length, int flags)
{
    if (!writes(request))
        fuse_reply_err(request, EROFS);
    else if (fs_control_files_own(inode))
        /* The server knows the message alone: who copies reads and writes. */
        fuse_reply_err(request, EOPNOTSUPP);
    else
        fs_write_handlers_copy_file_range(request, inode, offset, to_inode,
                                          to_offset, to_file, length);
}

void
fs_change_handlers_access(fuse_req_t request, fuse_ino_t inode, int mask)
{
    fuse_reply_err(request, (mask & W_OK) != 0 && !writes(request) ? EROFS : 0);
}
