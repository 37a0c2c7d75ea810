/* The kernel's requests that make files, or open them for writing. */
#include "fs/kernel/write-private.h"

#include "fs/bodies/message-bodies.h"
#include "fs/changes/changes.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/busy-message.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/message-changes.h"
#include "fs/live/line.h"
#include "fs/names/maildir-message.h"
#include "fs/sync/refresh.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/file-name.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_OCTETS 255u

/* TRUE while it is not known what may be done in @mailbox. */
static gboolean
waits_for_rights(FsOperation *operation, guint32 mailbox)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsNeed *need = NULL;

    if (!fs_line_is_away(handlers->account->line))
        need = fs_rights_need(fs_writing_rights(handlers->writing), mailbox);
    if (need != NULL)
        fs_operation_wait(operation, need);
    return need != NULL;
}

/* ---- making ---- */

/* The errno of why no file @name can be made in @parent; 0: it can. */
static int
refusal(const FsWriteHandlers *handlers, const FsEntry *parent,
        const FsPlace *place, const char *name)
{
    const FsMailbox *mailbox =
        fs_mailbox_tree_get(handlers->account->tree, parent->mailbox);
    FsRights *rights = fs_writing_rights(handlers->writing);

    if (place->kind == FS_PLACE_LOST)
        return EACCES;
    if (strlen(name) > NAME_MAX_OCTETS)
        return ENAMETOOLONG;
    if (fs_place_takes_files(place))
        return g_utf8_validate(name, -1, NULL) ? 0 : EINVAL;
    if (place->kind == FS_PLACE_MAILBOX &&
        fs_file_name_kind(name) == FS_FILE_REFUSED)
        return EINVAL;
    if (mailbox == NULL || !mailbox->selectable)
        return EACCES;
    if (!fs_rights_may_insert(rights, parent->mailbox))
        return fs_rights_refusal(rights, parent->mailbox);
    return place->kind == FS_PLACE_MAILBOX
               ? 0
               : fs_maildir_message_refusal(handlers->account, place->mailbox,
                                            name);
}

/* NULL: the operation waits or has failed. */
static FsLocalFile *
make_file(FsOperation *operation, FsEntry *entry)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsPlace place = fs_name_space_place_of(handlers->names, operation->inode);
    FsObstacle obstacle = {0};
    FsLocalFile *file;
    FsAnswer answer;
    int error_number;

    answer = fs_name_space_describe(handlers->names, operation->inode, entry,
                                    &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return NULL;
    }
    if (waits_for_rights(operation, entry->mailbox))
        return NULL;
    error_number = refusal(handlers, entry, &place, operation->name);
    if (error_number != 0) {
        fs_message_changes_refuse_new(operation, entry->mailbox, error_number);
        return NULL;
    }
    answer = fs_name_space_look_up(handlers->names, operation->inode,
                                   operation->name, FS_KNOWN, entry, &obstacle);
    if (answer == FS_ANSWER_FOUND &&
        !fs_name_space_gives_way(handlers->names, entry, operation->name)) {
        fs_operation_fail(operation, EEXIST);
        return NULL;
    }
    file = fs_local_files_make(fs_write_files_of(handlers), place.files,
                               operation->name);
    if (place.kind == FS_PLACE_MAILBOX)
        fs_writing_hold(handlers->writing, file, place.mailbox,
                        operation->name);
    if (fs_name_space_describe(handlers->names, file->inode, entry,
                               &obstacle) != FS_ANSWER_FOUND) {
        fs_operation_fail(operation, EIO);
        return NULL;
    }
    return file;
}

static void
run_create(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    struct fuse_entry_param param;
    FsLocalFile *file;
    FsWriteHandle *handle;
    FsEntry entry;

    file = make_file(operation, &entry);
    if (file == NULL)
        return;
    handle = fs_write_handle_new(operation, file);
    fs_write_handle_fill(&operation->file, handle);
    fs_handlers_fill_entry(operation->user_data, &entry, &param);
    if (!fs_operation_reply_create(operation, &param, &operation->file)) {
        /* Interrupted: there is nobody who would close it. */
        fs_writing_let_go(handlers->writing, file, TRUE);
        fs_local_files_unlist(fs_write_files_of(handlers), file);
        g_hash_table_remove(handlers->handles, handle);
    }
}

void
fs_write_handlers_create(fuse_req_t request, fuse_ino_t parent,
                         const char *name, struct fuse_file_info *file)
{
    fs_operation_start(request, run_create, parent, name, 0, 0, file);
}

static void
run_mknod(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    struct fuse_entry_param param;
    FsLocalFile *file;
    FsEntry entry;

    file = make_file(operation, &entry);
    if (file == NULL)
        return;
    fs_writing_await_opening(handlers->writing, file);
    fs_handlers_fill_entry(operation->user_data, &entry, &param);
    fs_operation_reply_entry(operation, &param);
}

void
fs_write_handlers_mknod(fuse_req_t request, fuse_ino_t parent, const char *name,
                        mode_t mode)
{
    if (!S_ISREG(mode))
        fuse_reply_err(request, EPERM);
    else
        fs_operation_start(request, run_mknod, parent, name, 0, 0, NULL);
}

/* ---- opening ---- */

gboolean
fs_write_waits_for_arrival(FsOperation *operation, FsAccount *account,
                           guint64 inode)
{
    gboolean stuck = FALSE;
    FsNeed *need = fs_changes_need_arrival(account->changes, inode, &stuck);

    if (need != NULL)
        fs_operation_wait(operation, need);
    else if (stuck)
        fs_operation_fail(operation, EBUSY);
    return need != NULL || stuck;
}

/* A FsNameFunc: the first is the one that is listed. */
static void
take_name(guint64 directory, const char *name, gpointer user_data)
{
    char **taken = user_data;

    if (*taken == NULL)
        *taken = g_strdup(name);
}

/* Whether the index has the message, as it may not yet if it was just stored.
 * FALSE: the operation waits or has failed. */
static gboolean
is_known(FsOperation *operation, const FsEntry *entry, CacheMessage *message)
{
    FsAccount *account = fs_write_handlers_of(operation)->account;
    FsNeed *need;

    if (cache_index_message(account->index, entry->mailbox, entry->uid,
                            message))
        return TRUE;
    need = fs_synchroniser_need_message(account->synchroniser, entry->mailbox,
                                        entry->uid, operation->since);
    if (need != NULL)
        fs_operation_wait(operation, need);
    else
        fs_operation_fail(operation, ENOENT);
    return FALSE;
}

/* The file that holds a new state of the message @entry; NULL: the operation
 * waits or has failed. */
static FsLocalFile *
edit_message(FsOperation *operation, const FsEntry *entry)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsAccount *account = handlers->account;
    guint64 size = (guint64)entry->attributes.st_size;
    g_autofree char *name = NULL;
    g_autoptr(FsNeed) need = NULL;
    CacheMessage message;

    if (!is_known(operation, entry, &message))
        return NULL;
    if ((operation->file.flags & O_TRUNC) == 0)
        need =
            fs_message_bodies_open(account->bodies, entry->mailbox, entry->uid,
                                   fs_operation_sender(operation), &size);
    if (need != NULL) {
        fs_operation_wait(operation, need);
        return NULL;
    }
    if (!is_known(operation, entry, &message))
        return NULL;
    fs_name_space_names_of(handlers->names, entry->mailbox, &message, take_name,
                           &name);
    return fs_local_files_edit(fs_write_files_of(handlers), operation->inode,
                               entry->mailbox, entry->uid, size,
                               name != NULL ? name : "message.eml");
}

FsLocalFile *
fs_write_find_file(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsLocalFile *file =
        fs_local_files_get(fs_write_files_of(handlers), operation->inode);
    FsObstacle obstacle = {0};
    FsAnswer answer;
    FsEntry entry;

    if (file != NULL)
        return file;
    if (fs_write_waits_for_arrival(operation, handlers->account,
                                   operation->inode))
        return NULL;
    answer = fs_name_space_describe(handlers->names, operation->inode, &entry,
                                    &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return NULL;
    }
    if (S_ISDIR(entry.attributes.st_mode))
        fs_operation_fail(operation, EISDIR);
    else if (entry.uid == 0)
        fs_operation_fail(operation, EBUSY); /* it is just being moved here */
    else if (waits_for_rights(operation, entry.mailbox))
        return NULL;
    else if (!fs_rights_may_replace(fs_writing_rights(handlers->writing),
                                    entry.mailbox))
        fs_message_changes_refuse(operation, entry.mailbox);
    else if (!fs_busy_message_is_replaced(operation, handlers->account, &entry))
        return edit_message(operation, &entry);
    return NULL;
}

/* The file is to begin anew. Only the same message may be written over. */
static void
empty_file(FsLocalFile *file)
{
    file->filled = TRUE;
    if (file->n_writers == 0)
        g_clear_error(&file->error);
    if (file->replaces != 0 && file->n_handles == 0)
        file->must_match = TRUE;
    fs_local_file_truncate(file, 0, NULL, NULL);
}

static void
run_open(FsOperation *operation)
{
    FsWriteHandlers *handlers = fs_write_handlers_of(operation);
    FsLocalFile *file = fs_write_find_file(operation);
    FsWriteHandle *handle;

    if (file == NULL)
        return;
    if ((operation->file.flags & O_TRUNC) != 0)
        empty_file(file);
    handle = fs_write_handle_new(operation, file);
    fs_write_handle_fill(&operation->file, handle);
    if (!fs_operation_reply_open(operation, &operation->file))
        g_hash_table_remove(handlers->handles, handle);
}

void
fs_write_handlers_open(fuse_req_t request, fuse_ino_t inode,
                       struct fuse_file_info *file)
{
    fs_operation_start(request, run_open, inode, NULL, 0, 0, file);
}
