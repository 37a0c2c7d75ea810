/* The kernel's requests on entries that are no messages.
 *
 * A local file that gets the name of a message becomes one: the answer waits
 * until the server has it, and only then is it there under that name. If the
 * server refuses, the file stays where it was. */
#include "fs/kernel/entry-handlers.h"

#include "fs/changes/changes.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/busy-message.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/message-changes.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/write-private.h"
#include "fs/names/maildir-layout.h"
#include "fs/names/maildir-message.h"
#include "fs/sync/refresh.h"
#include "fs/writing/directories.h"
#include "fs/writing/file-name.h"

#include <errno.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1u << 0)
#endif

#define NAME_MAX_OCTETS 255u

static FsLocalFiles *
files_of(FsHandlers *handlers)
{
    return fs_writing_files(fs_handlers_writing(handlers));
}

static FsAccount *
account_of(const FsOperation *operation)
{
    return fs_writing_account(fs_handlers_writing(operation->user_data));
}

static FsPlace
place_of(FsHandlers *handlers, guint64 directory)
{
    return fs_name_space_place_of(fs_handlers_names(handlers), directory);
}

/* Where the local files of @directory are. */
static guint32
files_in(FsHandlers *handlers, guint64 directory)
{
    return place_of(handlers, directory).files;
}

/* A directory of the first layout: its mailbox. */
static guint32
directory_of(guint64 inode)
{
    return inode == FS_INODE_ROOT ? 0 : fs_inode_mailbox(inode);
}

/* ---- removing ---- */

static void
run_forgotten(FsOperation *operation)
{
    FsNeed *need = operation->memory;

    operation->patient = TRUE;
    if (!fs_need_is_complete(need))
        fs_operation_wait(operation, need);
    else if (fs_need_error(need) != NULL)
        fs_operation_fail_with(operation, fs_need_error(need));
    else
        fs_operation_reply_done(operation);
}

/* What was to be stored is not, also if we are killed next: that is on the disk
 * before anybody is told. */
static void
reply_unlinked(fuse_req_t request, fuse_ino_t parent, gboolean given_up)
{
    FsHandlers *handlers = fuse_req_userdata(request);

    if (given_up)
        fs_operation_start_with(
            request, run_forgotten, parent, NULL, 0, NULL,
            fs_writing_forget(fs_handlers_writing(handlers)),
            (GDestroyNotify)fs_need_unref);
    else
        fuse_reply_err(request, 0);
}

gboolean
fs_entry_handlers_unlink(fuse_req_t request, fuse_ino_t parent,
                         const char *name)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsLocalFiles *files = files_of(handlers);
    FsPlace place = place_of(handlers, parent);
    FsLocalFile *file = fs_local_files_find(files, place.files, name);
    gboolean is_pending = file != NULL && file->upload != NULL;

    if (file == NULL) {
        if (place.kind != FS_PLACE_LOST && place.kind != FS_PLACE_TMP)
            return FALSE;
        fuse_reply_err(request, ENOENT);
        return TRUE;
    }
    if (fs_local_files_unlink_first(files, file, place.files, name)) {
        fuse_reply_err(request, 0); /* it has another name */
        return TRUE;
    }
    if (is_pending && !fs_writing_give_up(file)) {
        /* The server may have it in a moment. */
        fuse_reply_err(request, EBUSY);
        return TRUE;
    }
    if (fs_local_files_take_back(files, file)) {
        file->linked = FALSE;
        /* What it was linked from is there. */
        reply_unlinked(request, parent, is_pending);
        return TRUE;
    }
    fs_writing_let_go(fs_handlers_writing(handlers), file, TRUE);
    fs_local_files_unlist(files, file);
    reply_unlinked(request, parent, is_pending);
    return TRUE;
}

/* ---- local files that get another name ---- */

/* What a rename or link remembers. */
typedef struct {
    guint64 new_parent;
    FsPlace place; /* of that */
    char *new_name;
    unsigned flags;
    gboolean links;
    gboolean begun;    /* it is being stored */
    FsLocalFile *file; /* a reference; NULL: a directory */
    FsDirectoryChange *change;
} Move;

static void
move_free(gpointer data)
{
    Move *move = data;

    fs_local_file_unref(move->file);
    fs_directory_change_unref(move->change);
    g_free(move->new_name);
    g_free(move);
}

static void
reply_moved(FsOperation *operation)
{
    const Move *move = operation->memory;
    FsHandlers *handlers = operation->user_data;
    struct fuse_entry_param param;
    FsObstacle obstacle = {0};
    FsAnswer answer;
    FsEntry entry;

    if (!move->links) {
        fs_operation_reply_done(operation);
        return;
    }
    answer = fs_name_space_describe(fs_handlers_names(handlers),
                                    move->file->inode, &entry, &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, EIO);
        return;
    }
    fs_handlers_fill_entry(handlers, &entry, &param);
    fs_operation_reply_entry(operation, &param);
}

/* The errno of why nothing can come to be there; 0: it can. */
static int
target_refusal(FsHandlers *handlers, const Move *move)
{
    const FsAccount *account = fs_handlers_account(handlers);
    const FsMailbox *mailbox =
        fs_mailbox_tree_get(account->tree, move->place.mailbox);
    FsRights *rights = fs_writing_rights(fs_handlers_writing(handlers));

    if (move->place.kind == FS_PLACE_LOST)
        return EACCES;
    if (strlen(move->new_name) > NAME_MAX_OCTETS)
        return ENAMETOOLONG;
    if (fs_place_takes_files(&move->place))
        return fs_maildir_layout_is_inner(move->new_name) ? EISDIR : 0;
    if (move->place.kind == FS_PLACE_MAILBOX &&
        fs_file_name_kind(move->new_name) == FS_FILE_REFUSED)
        return EINVAL;
    if (mailbox == NULL || !mailbox->selectable)
        return EACCES;
    if (!fs_rights_may_insert(rights, mailbox->id))
        return fs_rights_refusal(rights, mailbox->id);
    if (move->place.kind == FS_PLACE_MAILBOX)
        return 0;
    return move->file->size == 0 ? EINVAL
                                 : fs_maildir_message_refusal(
                                       account, mailbox->id, move->new_name);
}

/* What is at the new name. FALSE: the operation waits or has failed. *@uid: of
 * a message; 0: there is none. */
static gboolean
look_at_target(FsOperation *operation, guint32 *uid)
{
    const Move *move = operation->memory;
    FsHandlers *handlers = operation->user_data;
    FsLocalFile *local = fs_local_files_find(files_of(handlers),
                                             move->place.files, move->new_name);
    FsObstacle obstacle = {0};
    FsAnswer answer;
    FsEntry entry;

    *uid = 0;
    if (local == move->file)
        return TRUE;
    if (local != NULL && local->upload != NULL) {
        fs_operation_fail(operation, EBUSY);
        return FALSE;
    }
    if (local != NULL) {
        if ((move->flags & RENAME_NOREPLACE) == 0 && !move->links)
            return TRUE;
        fs_operation_fail(operation, EEXIST);
        return FALSE;
    }
    answer =
        fs_name_space_look_up(fs_handlers_names(handlers), move->new_parent,
                              move->new_name, FS_KNOWN, &entry, &obstacle);
    if (answer == FS_ANSWER_NONE ||
        (answer == FS_ANSWER_FOUND &&
         fs_name_space_gives_way(fs_handlers_names(handlers), &entry,
                                 move->new_name)))
        return TRUE;
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return FALSE;
    }
    if (fs_write_waits_for_arrival(operation, account_of(operation),
                                   entry.inode) ||
        fs_busy_message_is_replaced(operation, account_of(operation), &entry))
        return FALSE;
    *uid = entry.uid;
    if (entry.uid != 0 && (move->flags & RENAME_NOREPLACE) == 0 && !move->links)
        return TRUE;
    fs_operation_fail(operation,
                      S_ISDIR(entry.attributes.st_mode) ? EISDIR : EEXIST);
    return FALSE;
}

/* Whether the octets are those of a message, by the new name. */
static gboolean
becomes_message(const Move *move)
{
    if (fs_place_takes_files(&move->place))
        return FALSE;
    return move->file->size > 0 &&
           (move->place.kind != FS_PLACE_MAILBOX ||
            fs_file_name_kind(move->new_name) != FS_FILE_SCRATCH);
}

static void
finish_message(FsOperation *operation)
{
    const Move *move = operation->memory;
    FsHandlers *handlers = operation->user_data;
    FsLocalFile *before = fs_local_files_find(
        files_of(handlers), move->place.files, move->new_name);

    /* A file that was in its way. */
    if (before != NULL && before != move->file) {
        fs_writing_let_go(fs_handlers_writing(handlers), before, TRUE);
        fs_local_files_unlist(files_of(handlers), before);
    }
    /* It is on the disk, and not on the server yet (-o writeback). */
    if (move->file->upload != NULL && move->links)
        fs_local_files_link(files_of(handlers), move->file, move->place.files,
                            move->new_name);
    else if (move->file->upload != NULL)
        fs_local_files_move(files_of(handlers), move->file, move->place.files,
                            move->new_name);
    reply_moved(operation);
}

static void
store_moved(FsOperation *operation)
{
    Move *move = operation->memory;
    FsHandlers *handlers = operation->user_data;
    FsNeed *need = NULL;
    int error_number = 0;
    FsCommit result;

    result = fs_writing_commit(fs_handlers_writing(handlers), move->file,
                               move->place.files, move->new_name, &need,
                               &error_number);
    if (result == FS_COMMIT_WAIT)
        fs_operation_wait_any(operation, need);
    else if (result == FS_COMMIT_FAILED)
        fs_operation_fail(operation, error_number);
    else
        finish_message(operation);
}

/* FALSE: the operation waits, or is over. */
static gboolean
prepare_move(FsOperation *operation)
{
    Move *move = operation->memory;
    FsLocalFile *file = move->file;
    FsHandlers *handlers = operation->user_data;
    int error_number = target_refusal(handlers, move);
    guint32 uid;

    /* It was closed while this waited, and is being stored where it was, or
     * has been: it is not to come to be there twice. */
    if (file->upload != NULL || !file->listed) {
        fs_operation_fail(operation, EBUSY);
        return FALSE;
    }
    if (error_number != 0) {
        fs_message_changes_refuse_new(operation, move->place.mailbox,
                                      error_number);
        return FALSE;
    }
    if (!look_at_target(operation, &uid))
        return FALSE;
    if (becomes_message(move)) {
        fs_writing_let_go(fs_handlers_writing(handlers), file, TRUE);
        file->replaces = uid;
        file->must_match = uid != 0;
        if (move->place.kind == FS_PLACE_MAILBOX)
            fs_writing_hold(fs_handlers_writing(handlers), file,
                            move->place.mailbox, move->new_name);
        /* One from lost+found is a new one, and what was refused once may not
         * be so again. */
        if (file->generation == 0 || file->generation == file->stored)
            file->generation++; /* nor is a second name the first message */
        file->refused = 0;
        file->linked = move->links;
        move->begun = TRUE;
        return TRUE;
    }
    if (move->links || uid != 0) {
        fs_operation_fail(operation, move->links ? EPERM : EEXIST);
        return FALSE;
    }
    fs_local_files_move(files_of(handlers), file, move->place.files,
                        move->new_name);
    fs_operation_reply_done(operation);
    return FALSE;
}

static void
run_move_file(FsOperation *operation)
{
    const Move *move = operation->memory;

    if (move->begun || prepare_move(operation))
        store_moved(operation);
}

/* ---- directories ---- */

void
fs_entry_handlers_follow(FsOperation *operation, FsDirectoryChange *change,
                         void (*reply)(FsOperation *operation))
{
    FsNeed *need = fs_directory_change_need(change);

    if (!fs_need_is_complete(need))
        fs_operation_wait_any(operation, need);
    else if (fs_need_error(need) != NULL)
        fs_operation_fail_with(operation, fs_need_error(need));
    else
        reply(operation);
}

/* FALSE: the operation waits for what is pending in the directory, or below
 * it. */
static gboolean
is_settled(FsOperation *operation, guint32 mailbox)
{
    const FsMailboxTree *tree = account_of(operation)->tree;
    const FsMailbox *child;
    guint32 after = 0;
    FsUploads *uploads =
        fs_writing_uploads(fs_handlers_writing(operation->user_data));
    FsNeed *need =
        fs_changes_need_settled(account_of(operation)->changes, mailbox);

    if (need != NULL)
        fs_operation_wait(operation, need);
    else if (fs_uploads_pending(uploads, mailbox) > 0)
        fs_operation_fail(operation, EBUSY);
    if (need != NULL || fs_uploads_pending(uploads, mailbox) > 0)
        return FALSE;
    for (; (child = fs_mailbox_tree_next_child(tree, mailbox, after)) != NULL;
         after = child->id)
        if (!is_settled(operation, child->id))
            return FALSE;
    return TRUE;
}

static void
run_rename_directory(FsOperation *operation)
{
    Move *move = operation->memory;
    FsAccount *account = account_of(operation);
    guint32 new_parent = directory_of(move->new_parent);
    const FsMailbox *source = fs_mailbox_tree_child(
        account->tree, directory_of(operation->inode), operation->name);
    int error_number;

    if (move->change == NULL) {
        if (source == NULL) {
            fs_operation_fail(operation, ENOENT);
            return;
        }
        if (move->new_parent == FS_INODE_LOST_FOUND ||
            move->flags > RENAME_NOREPLACE) {
            fs_operation_fail(operation, EINVAL);
            return;
        }
        if (!is_settled(operation, source->id))
            return;
        error_number = fs_directory_rename(account, source->id, new_parent,
                                           move->new_name, &move->change);
        if (error_number != 0) {
            fs_operation_fail(operation, error_number);
            return;
        }
    }
    fs_entry_handlers_follow(operation, move->change, fs_operation_reply_done);
}

void
fs_entry_handlers_reply_made(FsOperation *operation)
{
    FsHandlers *handlers = operation->user_data;
    struct fuse_entry_param param;
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer =
        fs_name_space_look_up(fs_handlers_names(handlers), operation->inode,
                              operation->name, FS_KNOWN, &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, EIO);
        return;
    }
    fs_handlers_fill_entry(handlers, &entry, &param);
    fs_operation_reply_entry(operation, &param);
}

static void
run_mkdir(FsOperation *operation)
{
    FsHandlers *handlers = operation->user_data;
    FsDirectoryChange *change = operation->memory;
    guint32 parent = directory_of(operation->inode);
    int error_number;

    if (change == NULL) {
        if (fs_local_files_find(files_of(handlers), parent, operation->name))
            error_number = EEXIST;
        else
            error_number = fs_directory_make(account_of(operation), parent,
                                             operation->name, &change);
        if (error_number != 0) {
            fs_operation_fail(operation, error_number);
            return;
        }
        operation->memory = change;
        operation->free_memory = fs_directory_change_unref;
    }
    fs_entry_handlers_follow(operation, change, fs_entry_handlers_reply_made);
}

void
fs_entry_handlers_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (parent == FS_INODE_LOST_FOUND)
        fuse_reply_err(request, EACCES);
    else
        fs_operation_start(request, run_mkdir, parent, name, 0, 0, NULL);
}

/* What a Maildir had beside its messages does not show by this layout, and has
 * no place any more. */
static void
reply_removed(FsOperation *operation)
{
    fs_local_files_lose_all(files_of(operation->user_data),
                            (guint32)operation->offset | FS_LOCAL_FOLDER);
    fs_operation_reply_done(operation);
}

static void
run_rmdir(FsOperation *operation)
{
    FsHandlers *handlers = operation->user_data;
    FsAccount *account = account_of(operation);
    FsDirectoryChange *change = operation->memory;
    const FsMailbox *mailbox = fs_mailbox_tree_child(
        account->tree, directory_of(operation->inode), operation->name);
    int error_number;

    if (change == NULL) {
        if (mailbox == NULL) {
            fs_operation_fail(operation, ENOENT);
            return;
        }
        if (!is_settled(operation, mailbox->id))
            return;
        if (fs_local_files_count(files_of(handlers), mailbox->id) > 0)
            error_number = ENOTEMPTY;
        else
            error_number = fs_directory_remove(account, mailbox->id, &change);
        if (error_number != 0) {
            fs_operation_fail(operation, error_number);
            return;
        }
        operation->memory = change;
        operation->free_memory = fs_directory_change_unref;
        operation->offset = (off_t)mailbox->id;
    }
    fs_entry_handlers_follow(operation, change, reply_removed);
}

void
fs_entry_handlers_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (parent == FS_INODE_LOST_FOUND)
        fuse_reply_err(request, ENOTDIR);
    else
        fs_operation_start(request, run_rmdir, parent, name, 0, 0, NULL);
}

/* ---- which of them it is ---- */

static void
start_move(fuse_req_t request, FsOperationFunc run, fuse_ino_t parent,
           const char *name, Move *move)
{
    fs_operation_start_with(request, run, parent, name, 0, NULL, move,
                            move_free);
}

static Move *
new_move(FsHandlers *handlers, FsLocalFile *file, guint64 new_parent,
         const char *new_name, unsigned flags)
{
    Move *move = g_new0(Move, 1);

    move->place = place_of(handlers, new_parent);
    move->file = file != NULL ? fs_local_file_ref(file) : NULL;
    move->new_parent = new_parent;
    move->new_name = g_strdup(new_name);
    move->flags = flags;
    return move;
}

/* A message comes to where a file of ours is, which goes when it has come.
 * TRUE: that cannot be. */
static gboolean
refuse_onto_local(fuse_req_t request, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsLocalFile *target = fs_local_files_find(
        files_of(handlers), files_in(handlers, new_parent), new_name);

    if (new_parent == FS_INODE_LOST_FOUND) {
        fuse_reply_err(request, EACCES);
        return TRUE;
    }
    if (target == NULL)
        return FALSE;
    if (flags != 0 || target->upload != NULL) {
        fuse_reply_err(request, flags == RENAME_NOREPLACE ? EEXIST : EBUSY);
        return TRUE;
    }
    return FALSE;
}

gboolean
fs_entry_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                         const char *name, fuse_ino_t new_parent,
                         const char *new_name, unsigned flags)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsLocalFile *file = fs_local_files_find(files_of(handlers),
                                            files_in(handlers, parent), name);

    if (file != NULL && (file->upload != NULL || flags > RENAME_NOREPLACE)) {
        fuse_reply_err(request, file->upload != NULL ? EBUSY : EINVAL);
        return TRUE;
    }
    if (file != NULL) {
        start_move(request, run_move_file, parent, name,
                   new_move(handlers, file, new_parent, new_name, flags));
        return TRUE;
    }
    if (parent == FS_INODE_LOST_FOUND) {
        fuse_reply_err(request, ENOENT);
        return TRUE;
    }
    if (place_of(handlers, parent).kind != FS_PLACE_MAILBOX ||
        fs_mailbox_tree_child(fs_handlers_account(handlers)->tree,
                              directory_of(parent), name) == NULL)
        return refuse_onto_local(request, new_parent, new_name, flags);
    if (place_of(handlers, new_parent).kind != FS_PLACE_MAILBOX &&
        new_parent != FS_INODE_LOST_FOUND)
        fuse_reply_err(request, EXDEV);
    else
        fs_entry_handlers_rename_directory(request, parent, name, new_parent,
                                           new_name, flags);
    return TRUE;
}

void
fs_entry_handlers_rename_directory(fuse_req_t request, fuse_ino_t parent,
                                   const char *name, fuse_ino_t new_parent,
                                   const char *new_name, unsigned flags)
{
    start_move(request, run_rename_directory, parent, name,
               new_move(fuse_req_userdata(request), NULL, new_parent, new_name,
                        flags));
}

/* A second name for what is on its way to be a message: how a Maildir is
 * delivered to. The first one is removed next. */
void
fs_entry_handlers_link(fuse_req_t request, fuse_ino_t inode,
                       fuse_ino_t new_parent, const char *new_name)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsLocalFile *file = fs_local_files_get(files_of(handlers), inode);
    Move *move;

    if (file == NULL || !file->listed || file->upload != NULL ||
        file->directory == FS_LOCAL_LOST) {
        fuse_reply_err(request, EPERM);
        return;
    }
    move = new_move(handlers, file, new_parent, new_name, 0);
    move->links = TRUE;
    start_move(request, run_move_file, inode, NULL, move);
}
