/* The requests of the kernel. Each handler reads from top to bottom: it takes
 * its answer from the name space, or waits for what is missing and is run
 * again. Those of open files are in fs/kernel/file-handlers.c, those on
 * extended attributes in fs/kernel/xattr-handlers.c; what is about the hidden
 * directory goes to fs/control/control-files.c before anything else is looked
 * at. */
#include "fs/kernel/handlers.h"

#include "fs/bodies/message-bodies.h"
#include "fs/control/control-files.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/change-handlers.h"
#include "fs/kernel/file-handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/message-changes.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/xattr-handlers.h"
#include "fs/live/line.h"
#include "fs/live/watcher.h"
#include "fs/names/maildir-layout.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

struct FsHandlers {
    FsAccount *account;
    FsNameSpace *names;
    FsFileHandlers *files;
    FsWriting *writing;     /* NULL: read-only */
    FsWriteHandlers *write; /* likewise */
    FsKernelCache *kernel_cache;
    FsCrawlers *crawlers;
    FsViews *views;
    FsControlFiles *control;
    FsWatcher *watcher; /* NULL before the mount is up, and once it ends */
    struct fuse_session *fuse;
    GByteArray *portion; /* where parts of listings are put together */
};

static FsHandlers *
handlers_of(const FsOperation *operation)
{
    return operation->user_data;
}

static FsControlFiles *
control_of(fuse_req_t request)
{
    return ((FsHandlers *)fuse_req_userdata(request))->control;
}

/* ---- look-ups and attributes ---- */

static double
attribute_validity(const FsHandlers *handlers, const FsEntry *entry)
{
    return entry->restless
               ? 0
               : fs_kernel_cache_validity(handlers->kernel_cache, entry);
}

void
fs_handlers_fill_entry(FsHandlers *handlers, const FsEntry *entry,
                       struct fuse_entry_param *param)
{
    memset(param, 0, sizeof *param);
    param->ino = entry->inode;
    param->attr = entry->attributes;
    param->attr_timeout = attribute_validity(handlers, entry);
    param->entry_timeout =
        fs_kernel_cache_validity(handlers->kernel_cache, entry);
    if (entry->renamed || entry->former)
        param->entry_timeout = 0;
}

/* Programs that go by the times of a Maildir look at nothing else. If nobody
 * has kept it up for a while, it is seen to first that they are right: else
 * what came since would be found the next time only. TRUE: the operation waits.
 */
static gboolean
waits_for_time(FsOperation *operation, const FsEntry *entry)
{
    FsHandlers *handlers = handlers_of(operation);
    FsPlace place;
    FsNeed *need = NULL;

    if (!entry->restless)
        return FALSE;
    place = fs_name_space_place_of(handlers->names, entry->inode);
    if (place.kind == FS_PLACE_CUR || place.kind == FS_PLACE_NEW)
        need = fs_kernel_cache_need_after_pause(handlers->kernel_cache,
                                                place.mailbox);
    if (need != NULL)
        fs_operation_wait_any(operation, need);
    return need != NULL;
}

static void
run_lookup(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    FsObstacle obstacle = {0};
    struct fuse_entry_param param;
    FsEntry entry;
    FsAnswer answer = fs_name_space_look_up(handlers->names, operation->inode,
                                            operation->name, operation->since,
                                            &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return;
    }
    if (waits_for_time(operation, &entry))
        return;
    fs_kernel_cache_use(handlers->kernel_cache, entry.mailbox);
    fs_handlers_fill_entry(handlers, &entry, &param);
    fs_operation_reply_entry(operation, &param);
}

static void
handle_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (fs_change_handlers_lookup(request, parent, name))
        return;
    if (fs_control_files_own_name(parent, name))
        fs_control_files_lookup(control_of(request), request, parent, name);
    else
        fs_operation_start(request, run_lookup, parent, name, 0, 0, NULL);
}

void
fs_handlers_reply_attributes(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(handlers->names, operation->inode,
                                             &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    if (waits_for_time(operation, &entry))
        return;
    fs_kernel_cache_use(handlers->kernel_cache, entry.mailbox);
    fs_operation_reply_attr(operation, &entry.attributes,
                            attribute_validity(handlers, &entry));
}

/* There are links in the views alone; and where the whole mount is a Maildir,
 * that is where this is. */
static void
handle_readlink(fuse_req_t request, fuse_ino_t inode)
{
    mode_t type;

    if (fs_views_own(inode))
        fs_views_readlink(request, inode);
    else if (inode ==
                 fs_maildir_layout_top(
                     fs_handlers_names(fuse_req_userdata(request)), &type) &&
             S_ISLNK(type))
        fuse_reply_readlink(request, "..");
    else
        fuse_reply_err(request, EINVAL);
}

static void
handle_getattr(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_getattr(control_of(request), request, inode);
    else
        fs_operation_start(request, fs_handlers_reply_attributes, inode, NULL,
                           0, 0, NULL);
}

/* ---- directories ---- */

/* Of a Maildir, the kernel keeps listings of messages: some programs go through
 * all of them for each message that they open. */
static gboolean
is_kept_by_kernel(const FsPlace *place)
{
    return place->kind != FS_PLACE_FOLDER && place->kind != FS_PLACE_TMP;
}

/* Whether there are messages in it. */
static gboolean
holds_messages(const FsPlace *place)
{
    return place->mailbox != 0 &&
           (place->kind == FS_PLACE_MAILBOX || place->kind == FS_PLACE_CUR ||
            place->kind == FS_PLACE_NEW);
}

static void
run_opendir(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    struct fuse_file_info file = operation->file;
    guint64 inode = operation->inode;
    FsPlace place = fs_name_space_place_of(handlers->names, inode);
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (operation->runs == 1 && holds_messages(&place))
        fs_message_bodies_expect(handlers->account->bodies, place.mailbox);
    answer = fs_name_space_open_directory(handlers->names, inode,
                                          operation->since, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    fs_kernel_cache_use(handlers->kernel_cache, place.mailbox);
    if (is_kept_by_kernel(&place))
        fs_kernel_cache_open(handlers->kernel_cache, inode, &file);
    if (holds_messages(&place))
        fs_message_bodies_listed(handlers->account->bodies, place.mailbox,
                                 fs_operation_sender(operation));
    if (!fs_operation_reply_open(operation, &file) && is_kept_by_kernel(&place))
        fs_kernel_cache_close(handlers->kernel_cache, inode, &file);
}

static void
handle_opendir(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_opendir(control_of(request), request, inode, file);
    else
        fs_operation_start(request, run_opendir, inode, NULL, 0, 0, file);
}

static void
handle_releasedir(fuse_req_t request, fuse_ino_t inode,
                  struct fuse_file_info *file)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsPlace place = fs_name_space_place_of(handlers->names, inode);

    if (!fs_control_files_own(inode) && is_kept_by_kernel(&place))
        fs_kernel_cache_close(handlers->kernel_cache, inode, file);
    fuse_reply_err(request, 0);
}

/* One for all: an answer is given before the next is begun. */
static char *
portion_buffer(FsHandlers *handlers, gsize size)
{
    if (handlers->portion->len < size)
        g_byte_array_set_size(handlers->portion, size);
    return (char *)handlers->portion->data;
}

/* A FsListingFunc. */
static FsAnswer
next_entry(FsOperation *operation, guint64 cookie, FsEntry *entry,
           struct fuse_entry_param *param, FsObstacle *obstacle)
{
    FsHandlers *handlers = handlers_of(operation);
    FsAnswer answer = fs_name_space_next(handlers->names, operation->inode,
                                         cookie, entry, obstacle);

    if (answer == FS_ANSWER_FOUND)
        fs_handlers_fill_entry(handlers, entry, param);
    return answer;
}

static void
run_readdir_as(FsOperation *operation, gboolean plus)
{
    FsHandlers *handlers = handlers_of(operation);
    guint64 inode = operation->inode;
    FsPlace place = fs_name_space_place_of(handlers->names, inode);
    /* It is answered by what follows. */
    struct fuse_file_info file = operation->file;

    if (operation->offset == 0 && operation->runs == 1 &&
        is_kept_by_kernel(&place))
        fs_kernel_cache_read(handlers->kernel_cache, inode, &file);
    if (fs_answer_listing(operation, plus,
                          portion_buffer(handlers, operation->size),
                          next_entry) &&
        is_kept_by_kernel(&place))
        fs_kernel_cache_read_to_its_end(handlers->kernel_cache, inode, &file);
}

static void
run_readdir(FsOperation *operation)
{
    run_readdir_as(operation, FALSE);
}

static void
run_readdirplus(FsOperation *operation)
{
    run_readdir_as(operation, TRUE);
}

/* The kernel asks for a page or so; a program cannot make it more. */
#define MAX_PORTION (1024u * 1024)

static void
handle_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
               struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_readdir(control_of(request), request, inode, size,
                                 offset, FALSE);
    else
        fs_operation_start(request, run_readdir, inode, NULL,
                           MIN(size, MAX_PORTION), offset, file);
}

static void
handle_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                   off_t offset, struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_readdir(control_of(request), request, inode, size,
                                 offset, TRUE);
    else
        fs_operation_start(request, run_readdirplus, inode, NULL,
                           MIN(size, MAX_PORTION), offset, file);
}

/* ---- the file system as a whole ---- */

/* Where a server tells of no quota, a large number stands for its free space,
 * for tools that look before they copy. */
#define BLOCKS_BEYOND ((fsblkcnt_t)1 << 30)

static void
apply_quota(const ImapQuota *quota, struct statvfs *statfs)
{
    if (quota->has_storage) {
        statfs->f_blocks = quota->storage_limit / statfs->f_bsize;
        statfs->f_bfree = statfs->f_bavail =
            (quota->storage_limit -
             MIN(quota->storage_used, quota->storage_limit)) /
            statfs->f_bsize;
    }
    if (quota->has_messages) {
        statfs->f_files = quota->messages_limit;
        statfs->f_ffree = statfs->f_favail =
            quota->messages_limit -
            MIN(quota->messages_used, quota->messages_limit);
    }
}

static void
run_statfs(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    struct statvfs statfs = {0};
    ImapQuota quota = {0};
    FsNeed *need = NULL;
    guint64 messages;
    guint64 octets;

    if (handlers->writing != NULL && !fs_line_is_away(handlers->account->line))
        need = fs_quota_need(fs_writing_quota(handlers->writing),
                             fs_inode_mailbox(operation->inode),
                             operation->since, &quota);
    if (need != NULL) {
        fs_operation_wait(operation, need);
        return;
    }
    cache_index_totals(handlers->account->index, &messages, &octets);
    statfs.f_bsize = statfs.f_frsize = 4096;
    statfs.f_blocks = (octets + 4095) / 4096 + BLOCKS_BEYOND;
    statfs.f_bfree = statfs.f_bavail = BLOCKS_BEYOND;
    statfs.f_files = messages + BLOCKS_BEYOND;
    statfs.f_ffree = statfs.f_favail = BLOCKS_BEYOND;
    statfs.f_namemax = 255;
    apply_quota(&quota, &statfs);
    fs_operation_reply_statfs(operation, &statfs);
}

static void
handle_statfs(fuse_req_t request, fuse_ino_t inode)
{
    fs_operation_start(request, run_statfs, inode, NULL, 0, 0, NULL);
}

/* ---- open files ---- */

static void
handle_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    FsHandlers *handlers = fuse_req_userdata(request);

    if (fs_control_files_own(inode))
        fs_control_files_open(control_of(request), request, inode, file);
    else if (fs_write_handlers_own_open(handlers->write, inode, file->flags))
        fs_write_handlers_open(request, inode, file);
    else
        fs_file_handlers_open(request, inode, file);
}

static void
handle_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
            struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_read(control_of(request), request, inode, size, offset,
                              file);
    else if (fs_write_handlers_own_file(
                 fs_handlers_write(fuse_req_userdata(request)), file))
        fs_write_handlers_read(request, inode, size, offset, file);
    else
        fs_file_handlers_read(request, inode, size, offset, file);
}

static void
handle_release(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    if (fs_control_files_own(inode))
        fs_control_files_release(control_of(request), request, inode, file);
    else if (fs_write_handlers_own_file(
                 fs_handlers_write(fuse_req_userdata(request)), file))
        fs_write_handlers_release(request, inode, file);
    else
        fs_file_handlers_release(request, inode, file);
}

static void
handle_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    if (fs_write_handlers_own_file(
            fs_handlers_write(fuse_req_userdata(request)), file))
        fs_write_handlers_flush(request, inode, file);
    else
        fuse_reply_err(request, 0);
}

static void
handle_fsync(fuse_req_t request, fuse_ino_t inode, int data_only,
             struct fuse_file_info *file)
{
    if (fs_write_handlers_own_file(
            fs_handlers_write(fuse_req_userdata(request)), file))
        fs_write_handlers_fsync(request, inode, file);
    else
        fuse_reply_err(request, 0);
}

/* A message can always be read, as any plain file. */
static void
handle_poll(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file,
            struct fuse_pollhandle *handle)
{
    if (fs_control_files_own(inode)) {
        fs_control_files_poll(request, inode, file, handle);
        return;
    }
    if (handle != NULL)
        fuse_pollhandle_destroy(handle);
    fuse_reply_poll(request, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

static void
handle_ioctl(fuse_req_t request, fuse_ino_t inode, unsigned command,
             void *argument, struct fuse_file_info *file, unsigned flags,
             const void *data, size_t length, size_t answer_length)
{
    if (fs_control_files_own(inode))
        fs_control_files_ioctl(control_of(request), request, inode, command,
                               data, length);
    else
        fuse_reply_err(request, ENOTTY);
}

/* A FsMailboxEntryFunc. What is called so in the mount is so called in the
 * Maildirs, too, or nearly. */
static void
on_mailbox_entry(guint32 parent, const char *name, guint32 before,
                 gpointer user_data)
{
    FsHandlers *handlers = user_data;

    fs_kernel_cache_entry_changed(
        handlers->kernel_cache,
        fs_maildir_layout_directory(handlers->names, parent),
        fs_maildir_layout_entry(handlers->names, name));
}

FsHandlers *
fs_handlers_new(FsAccount *account, FsNameSpace *names, FsWriting *writing)
{
    FsHandlers *handlers = g_new0(FsHandlers, 1);

    handlers->account = account;
    account->served_by = handlers;
    handlers->names = names;
    handlers->files = fs_file_handlers_new(account, names);
    handlers->writing = writing;
    if (writing != NULL)
        handlers->write = fs_write_handlers_new(account, names, writing);
    handlers->kernel_cache = fs_kernel_cache_new(account, names);
    handlers->crawlers = fs_crawlers_new(account->options->crawlers);
    handlers->views = fs_views_new(account, fs_maildir_layout_behind(names),
                                   handlers->kernel_cache);
    handlers->control = fs_control_files_new(
        account, names, handlers->kernel_cache, handlers->views);
    handlers->portion = g_byte_array_new();
    fs_mailbox_tree_add_entry_func(account->tree, on_mailbox_entry, handlers);
    return handlers;
}

void
fs_handlers_free(FsHandlers *handlers)
{
    if (handlers == NULL)
        return;
    fs_operation_forget_owner(handlers);
    fs_mailbox_tree_remove_entry_func(handlers->account->tree, on_mailbox_entry,
                                      handlers);
    fs_write_handlers_free(handlers->write);
    fs_file_handlers_free(handlers->files);
    fs_watcher_free(handlers->watcher);
    fs_control_files_free(handlers->control);
    fs_views_free(handlers->views);
    fs_kernel_cache_free(handlers->kernel_cache);
    fs_crawlers_free(handlers->crawlers);
    g_byte_array_unref(handlers->portion);
    g_free(handlers);
}

/* A FsWritingChangedFunc. */
static void
on_written(guint32 mailbox, const char *name, guint64 inode, gpointer user_data)
{
    FsHandlers *handlers = user_data;

    fs_kernel_cache_names_changed(handlers->kernel_cache, mailbox);
    if (name != NULL)
        fs_kernel_cache_entry_changed(
            handlers->kernel_cache,
            fs_name_space_directory_of(handlers->names, mailbox), name);
    /* Safe on the loop: attributes alone. */
    if (inode != 0)
        fuse_lowlevel_notify_inval_inode(handlers->fuse, inode, -1, 0);
}

void
fs_handlers_attach(FsHandlers *handlers, struct fuse_session *fuse)
{
    handlers->fuse = fuse;
    if (handlers->writing != NULL)
        fs_writing_set_changed_func(handlers->writing, on_written, handlers);
    fs_file_handlers_attach(handlers->files, fuse);
    fs_kernel_cache_attach(handlers->kernel_cache, fuse);
    fs_views_attach(handlers->views, fuse);
    fs_control_files_attach(handlers->control);
}

void
fs_handlers_watch(FsHandlers *handlers)
{
    handlers->watcher =
        fs_watcher_new(handlers->account, handlers->kernel_cache);
    handlers->account->watcher = handlers->watcher;
}

void
fs_handlers_stop(FsHandlers *handlers, int error_number,
                 void (*stopped)(gpointer user_data), gpointer user_data)
{
    if (handlers->writing != NULL)
        fs_writing_set_changed_func(handlers->writing, NULL, NULL);
    handlers->account->watcher = NULL;
    g_clear_pointer(&handlers->watcher, fs_watcher_free);
    fs_control_files_stop(handlers->control);
    fs_operation_fail_all(handlers, error_number);
    fs_kernel_cache_stop(handlers->kernel_cache, stopped, user_data);
}

const FsAccount *
fs_handlers_account(const FsHandlers *handlers)
{
    return handlers->account;
}

FsNameSpace *
fs_handlers_names(FsHandlers *handlers)
{
    return handlers->names;
}

FsFileHandlers *
fs_handlers_files(FsHandlers *handlers)
{
    return handlers->files;
}

FsWriteHandlers *
fs_handlers_write(FsHandlers *handlers)
{
    return handlers->write;
}

FsWriting *
fs_handlers_writing(FsHandlers *handlers)
{
    return handlers->writing;
}

gboolean
fs_handlers_is_changed(const FsHandlers *handlers, guint64 inode)
{
    return handlers->writing != NULL &&
           fs_writing_has_changed(handlers->writing, inode);
}

FsViews *
fs_handlers_views(FsHandlers *handlers)
{
    return handlers->views;
}

FsCrawlers *
fs_handlers_crawlers(FsHandlers *handlers)
{
    return handlers->crawlers;
}

FsKernelCache *
fs_handlers_kernel_cache(FsHandlers *handlers)
{
    return handlers->kernel_cache;
}

const struct fuse_lowlevel_ops fs_handlers_ops = {
    .lookup = handle_lookup,
    .getattr = handle_getattr,
    .readlink = handle_readlink,
    .opendir = handle_opendir,
    .readdir = handle_readdir,
    .readdirplus = handle_readdirplus,
    .releasedir = handle_releasedir,
    .fsyncdir = fs_message_changes_fsyncdir,
    .open = handle_open,
    .read = handle_read,
    .release = handle_release,
    .flush = handle_flush,
    .fsync = handle_fsync,
    .poll = handle_poll,
    .ioctl = handle_ioctl,
    .statfs = handle_statfs,
    .getxattr = fs_xattr_handlers_getxattr,
    .listxattr = fs_xattr_handlers_listxattr,
    .create = fs_change_handlers_create,
    .mkdir = fs_change_handlers_mkdir,
    .unlink = fs_change_handlers_unlink,
    .rmdir = fs_change_handlers_rmdir,
    .mknod = fs_change_handlers_mknod,
    .symlink = fs_change_handlers_symlink,
    .rename = fs_change_handlers_rename,
    .link = fs_change_handlers_link,
    .setattr = fs_change_handlers_setattr,
    .setxattr = fs_change_handlers_setxattr,
    .removexattr = fs_change_handlers_removexattr,
    .write = fs_change_handlers_write,
    .fallocate = fs_change_handlers_fallocate,
    .copy_file_range = fs_change_handlers_copy_file_range,
    .access = fs_change_handlers_access,
};
