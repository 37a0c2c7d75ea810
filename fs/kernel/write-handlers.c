/* The kernel's requests on files that are written, once they are open. */
#include "fs/kernel/write-private.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/handlers.h"
#include "fs/writing/file-name.h"
#include "fs/writing/writer-process.h"

#include <errno.h>

FsWriteHandlers *
fs_write_handlers_of(const FsOperation *operation)
{
    return fs_handlers_write(operation->user_data);
}

FsWriteHandle *
fs_write_handle_of(const FsOperation *operation)
{
    return (FsWriteHandle *)(guintptr)operation->file.fh;
}

FsLocalFiles *
fs_write_files_of(const FsWriteHandlers *handlers)
{
    return fs_writing_files(handlers->writing);
}

/* ---- handles ---- */

static void
handle_free(gpointer data)
{
    FsWriteHandle *handle = data;
    FsLocalFile *file = handle->file;

    file->n_handles--;
    file->n_writers -= handle->writes;
    file->n_appenders -= handle->appends;
    fs_local_files_released(fs_write_files_of(handle->handlers), file);
    fs_local_file_unref(file);
    g_free(handle);
}

FsWriteHandle *
fs_write_handle_new(const FsOperation *operation, FsLocalFile *file)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsWriteHandle *handle = g_new0(FsWriteHandle, 1);
    int flags = operation->file.flags;

    handle->handlers = handlers;
    handle->file = fs_local_file_ref(file);
    handle->writes = (flags & O_ACCMODE) != O_RDONLY;
    handle->appends = handle->writes && (flags & O_APPEND) != 0;
    handle->opener = fs_operation_sender(operation);
    file->n_handles++;
    file->n_writers += handle->writes;
    file->n_appenders += handle->appends;
    file->listed_at = g_get_monotonic_time();
    g_hash_table_add(handlers->handles, handle);
    return handle;
}

void
fs_write_handle_fill(struct fuse_file_info *file, FsWriteHandle *handle)
{
    file->fh = (guintptr)handle;
    file->keep_cache = 0;
    file->noflush = !handle->writes;
}

gboolean
fs_write_handlers_own_file(FsWriteHandlers *handlers,
                           const struct fuse_file_info *file)
{
    return handlers != NULL && file != NULL &&
           g_hash_table_contains(handlers->handles,
                                 (gpointer)(guintptr)file->fh);
}

gboolean
fs_write_handlers_own_open(FsWriteHandlers *handlers, guint64 inode, int flags)
{
    const FsLocalFile *file;

    if (handlers == NULL)
        return FALSE;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)
        return TRUE;
    file = fs_local_files_get(fs_write_files_of(handlers), inode);
    return file != NULL && fs_local_file_is_ahead(file);
}

/* ---- reading and writing ---- */

/* TRUE while the operation waits for the file's octets. */
static gboolean
waits_for_octets(FsOperation *operation, FsLocalFile *file)
{
    FsNeed *need =
        fs_writing_fill(fs_write_handlers_of(operation)->writing, file);

    if (need != NULL)
        fs_operation_wait(operation, need);
    return need != NULL;
}

static void
run_read(FsOperation *operation)
{
    FsLocalFile *file = fs_write_handle_of(operation)->file;
    g_autofree char *buffer = NULL;
    g_autoptr(GError) error = NULL;
    gssize got;

    if (waits_for_octets(operation, file))
        return;
    buffer = g_malloc(MAX(operation->size, 1));
    got = cache_spool_file_read(file->spool, (guint64)operation->offset, buffer,
                                operation->size, &error);
    if (got < 0)
        fs_operation_fail_with(operation, error);
    else
        fs_operation_reply_buffer(operation, buffer, (gsize)got);
}

void
fs_write_handlers_read(fuse_req_t request, fuse_ino_t inode, size_t size,
                       off_t offset, struct fuse_file_info *file)
{
    fs_operation_start(request, run_read, inode, NULL, size, offset, file);
}

/* What a write, or a change of size, remembers. */
typedef struct {
    GBytes *data;
    struct stat attributes;
    int which;
    FsNeed *need; /* of the disk; NULL: it was not asked yet */
} Change;

static void
change_free(gpointer data)
{
    Change *change = data;

    g_clear_pointer(&change->data, g_bytes_unref);
    fs_need_unref(change->need);
    g_free(change);
}

/* A CacheSpoolDoneFunc; takes the reference. */
static void
on_changed(const GError *error, gpointer user_data)
{
    g_autoptr(FsNeed) need = user_data;

    fs_need_complete(need, error);
}

static FsNeed *
ask_disk(Change *change)
{
    change->need = fs_need_new();
    return fs_need_ref(change->need);
}

static void
run_write(FsOperation *operation)
{
    Change *change = operation->memory;
    const FsWriteHandle *handle = fs_write_handle_of(operation);
    FsLocalFile *file = handle->file;
    gsize size = g_bytes_get_size(change->data);
    guint64 offset = (guint64)operation->offset;

    operation->patient = TRUE;
    if (change->need == NULL) {
        if (waits_for_octets(operation, file))
            return;
        /* Where the end is, the kernel may not know yet: what is stored has
         * other line ends than what was written. What was changed by mapping
         * the file (mmap) comes by any handle, and is where it is. */
        if (handle->appends && !operation->file.writepage)
            offset = file->size;
        fs_local_file_write(file, offset, change->data, on_changed,
                            ask_disk(change));
    }
    if (!fs_need_is_complete(change->need))
        fs_operation_wait(operation, change->need);
    else if (fs_need_error(change->need) != NULL)
        fs_operation_fail_with(operation, fs_need_error(change->need));
    else
        fs_operation_reply_write(operation, size);
}

/* Begins an operation with @change (taken over) as its memory. */
static void
start_change(fuse_req_t request, FsOperationFunc run, fuse_ino_t inode,
             off_t offset, const struct fuse_file_info *file, Change *change)
{
    fs_operation_start_with(request, run, inode, NULL, offset, file, change,
                            change_free);
}

void
fs_write_handlers_write(fuse_req_t request, fuse_ino_t inode, const char *data,
                        size_t size, off_t offset, struct fuse_file_info *file)
{
    FsWriteHandlers *handlers = fs_handlers_write(fuse_req_userdata(request));
    Change *change;

    if (!fs_write_handlers_own_file(handlers, file) || offset < 0) {
        fuse_reply_err(request, EBADF);
        return;
    }
    change = g_new0(Change, 1);
    change->data = g_bytes_new(data, size);
    start_change(request, run_write, inode, offset, file, change);
}

/* ---- attributes ---- */

static void
set_times(FsLocalFile *file, const Change *change)
{
    const struct timespec *time = &change->attributes.st_mtim;

    if (change->which & FUSE_SET_ATTR_MTIME_NOW) {
        file->modified_at = g_get_real_time();
        file->dated = FALSE;
    } else if (change->which & FUSE_SET_ATTR_MTIME) {
        fs_local_file_set_time(file, (gint64)time->tv_sec * G_USEC_PER_SEC +
                                         time->tv_nsec / 1000);
    }
}

/* TRUE when the operation waits, or has failed. */
static gboolean
set_size(FsOperation *operation, FsLocalFile *file)
{
    Change *change = operation->memory;
    guint64 size = (guint64)change->attributes.st_size;

    if (change->need == NULL) {
        if (size == file->size)
            return FALSE;
        if (size == 0)
            file->filled = TRUE;
        else if (waits_for_octets(operation, file))
            return TRUE;
        fs_local_file_truncate(file, size, on_changed, ask_disk(change));
    }
    if (!fs_need_is_complete(change->need)) {
        fs_operation_wait(operation, change->need);
        return TRUE;
    }
    if (fs_need_error(change->need) == NULL)
        return FALSE;
    fs_operation_fail_with(operation, fs_need_error(change->need));
    return TRUE;
}

/* As mutt does before it opens a draft to write it anew. */
static void
empty_message(FsOperation *operation)
{
    const Change *change = operation->memory;
    FsLocalFile *file;

    if (change->attributes.st_size != 0) {
        fs_operation_fail(operation, EOPNOTSUPP);
        return;
    }
    operation->file.flags = O_WRONLY | O_TRUNC;
    file = fs_write_find_file(operation);
    if (file == NULL)
        return;
    file->filled = TRUE;
    file->listed_at = g_get_monotonic_time();
    fs_local_file_truncate(file, 0, NULL, NULL);
    fs_local_files_released(fs_write_files_of(fs_write_handlers_of(operation)),
                            file);
    fs_handlers_reply_attributes(operation);
}

/* Owner, permissions and the time of what is stored stay what they are:
 * programs that set them would be of no use otherwise. */
static void
run_setattr(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    Change *change = operation->memory;
    FsLocalFile *file =
        fs_local_files_get(fs_write_files_of(handlers), operation->inode);

    if (file == NULL && (change->which & FUSE_SET_ATTR_SIZE) != 0) {
        empty_message(operation);
        return;
    }
    if (file != NULL && (change->which & FUSE_SET_ATTR_SIZE) != 0 &&
        set_size(operation, file))
        return;
    if (file != NULL)
        set_times(file, change);
    fs_handlers_reply_attributes(operation);
}

void
fs_write_handlers_setattr(fuse_req_t request, fuse_ino_t inode,
                          const struct stat *attributes, int which,
                          struct fuse_file_info *file)
{
    Change *change = g_new0(Change, 1);

    change->attributes = *attributes;
    change->which = which;
    start_change(request, run_setattr, inode, 0, file, change);
}

/* ---- closing ---- */

static void
commit(FsOperation *operation, FsLocalFile *file)
{
    FsNeed *need = NULL;
    int error_number = 0;
    FsCommit result;

    if (!file->listed && !file->in_place) {
        /* It was removed while it was open. */
        fs_operation_reply_done(operation);
        return;
    }
    result =
        fs_writing_commit(fs_write_handlers_of(operation)->writing, file,
                          file->directory, file->name, &need, &error_number);
    if (result == FS_COMMIT_WAIT)
        fs_operation_wait_any(operation, need);
    else
        fs_operation_fail(operation,
                          result == FS_COMMIT_FAILED ? error_number : 0);
}

/* What a program leaves that was killed, or for which there was no room, is a
 * part of what it was to be. */
static void
lose_part(FsWriteHandlers *handlers, FsLocalFile *file)
{
    if (file->generation == 0 || file->generation == file->stored ||
        fs_local_file_is_scratch(file) || file->upload != NULL ||
        file->directory == FS_LOCAL_LOST)
        return;
    fs_account_say(handlers->account,
                   "%s was not written to its end; what there is of it is in "
                   "lost+found",
                   file->name);
    fs_writing_let_go(handlers->writing, file, FALSE);
    fs_local_files_lose(fs_write_files_of(handlers), file);
}

static void
run_flush(FsOperation *operation)
{
    const FsWriteHandle *handle = fs_write_handle_of(operation);
    pid_t sender = fs_operation_sender(operation);

    if (operation->runs == 1) {
        if (!handle->writes || !fs_writer_is_same(sender, handle->opener)) {
            fs_operation_reply_done(operation);
            return;
        }
        if (fs_writer_is_dying(sender)) {
            lose_part(fs_write_handlers_of(operation), handle->file);
            fs_operation_reply_done(operation);
            return;
        }
    }
    commit(operation, handle->file);
}

void
fs_write_handlers_flush(fuse_req_t request, fuse_ino_t inode,
                        struct fuse_file_info *file)
{
    fs_operation_start(request, run_flush, inode, NULL, 0, 0, file);
}

/* What is not to be stored, or not yet, is on this disk. */
static void
sync_here(FsOperation *operation, FsLocalFile *file)
{
    FsNeed *need = operation->memory;

    if (need == NULL) {
        need = operation->memory = fs_need_new();
        operation->free_memory = (GDestroyNotify)fs_need_unref;
        fs_local_files_sync(file, on_changed, fs_need_ref(need));
    }
    operation->patient = TRUE;
    if (!fs_need_is_complete(need))
        fs_operation_wait(operation, need);
    else
        fs_operation_reply_done(operation);
}

static void
run_fsync(FsOperation *operation)
{
    FsLocalFile *file = fs_write_handle_of(operation)->file;

    if (operation->memory != NULL ||
        (!file->detached && file->error == NULL && file->upload == NULL &&
         file->size > 0 && file->filled && fs_local_file_is_scratch(file)))
        sync_here(operation, file);
    else
        commit(operation, file);
}

void
fs_write_handlers_fsync(fuse_req_t request, fuse_ino_t inode,
                        struct fuse_file_info *file)
{
    fs_operation_start(request, run_fsync, inode, NULL, 0, 0, file);
}

/* Nobody writes to it any more. */
static void
end_writing(FsWriteHandlers *handlers, FsLocalFile *file)
{
    FsNeed *need = NULL;
    int error_number;

    if (file->listed || file->in_place)
        fs_writing_commit(handlers->writing, file, file->directory, file->name,
                          &need, &error_number);
    if (file->error != NULL && file->listed) {
        lose_part(handlers, file);
        return;
    }
    /* Nothing came of it: what was deleted before is so. One with holes may
     * still be filled. */
    if (file->size == 0 || !file->listed)
        fs_writing_let_go(handlers->writing, file, TRUE);
}

void
fs_write_handlers_release(fuse_req_t request, fuse_ino_t inode,
                          struct fuse_file_info *file)
{
    FsWriteHandlers *handlers = fs_handlers_write(fuse_req_userdata(request));
    FsWriteHandle *handle = (FsWriteHandle *)(guintptr)file->fh;
    FsLocalFile *local = handle->file;

    if (handle->writes && local->n_writers == 1)
        end_writing(handlers, local);
    g_hash_table_remove(handlers->handles, handle);
    fuse_reply_err(request, 0);
}

/* ---- copying within the server ---- */

static void
run_copy(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsLocalFile *file = fs_write_handle_of(operation)->file;
    const FsLocalFile *edit =
        fs_local_files_get(fs_write_files_of(handlers), operation->inode);
    FsObstacle obstacle = {0};
    const FsGuest *guest;
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(handlers->names, operation->inode,
                                             &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    /* One that is just being moved may be elsewhere when it is copied; and of
     * one that is being edited, the server has the old octets. */
    guest =
        fs_overlay_guest_by_inode(handlers->account->overlay, operation->inode);
    if (entry.uid == 0 || (guest != NULL && guest->uid == 0) ||
        (edit != NULL && fs_local_file_is_ahead(edit)) ||
        entry.attributes.st_size == 0 ||
        operation->size < (gsize)entry.attributes.st_size || file->size != 0 ||
        file->replaces != 0 || !file->filled) {
        fs_operation_fail(operation, EOPNOTSUPP);
        return;
    }
    file->base_mailbox = entry.mailbox;
    file->base_uid = entry.uid;
    file->filled = FALSE;
    file->size = (guint64)entry.attributes.st_size;
    file->generation++;
    fs_operation_reply_write(operation, file->size);
}

void
fs_write_handlers_copy_file_range(fuse_req_t request, fuse_ino_t inode,
                                  off_t offset, fuse_ino_t to_inode,
                                  off_t to_offset,
                                  struct fuse_file_info *to_file, size_t length)
{
    FsWriteHandlers *handlers = fs_handlers_write(fuse_req_userdata(request));

    /* All of it, or the kernel copies by reading and writing. */
    if (offset != 0 || to_offset != 0 ||
        !fs_write_handlers_own_file(handlers, to_file))
        fuse_reply_err(request, EOPNOTSUPP);
    else
        fs_operation_start(request, run_copy, inode, NULL, length, 0, to_file);
}

/* ---- making and ending ---- */

FsWriteHandlers *
fs_write_handlers_new(FsAccount *account, FsNameSpace *names,
                      FsWriting *writing)
{
    FsWriteHandlers *handlers = g_new0(FsWriteHandlers, 1);

    handlers->account = account;
    handlers->names = names;
    handlers->writing = writing;
    handlers->handles = g_hash_table_new_full(NULL, NULL, handle_free, NULL);
    return handlers;
}

void
fs_write_handlers_free(FsWriteHandlers *handlers)
{
    if (handlers == NULL)
        return;
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(handlers->handles);
    g_free(handlers);
}
