/* The kernel's requests that change messages.
 *
 * A request that is run again must not ask for its change again: the change is
 * the operation's memory. */
#include "fs/kernel/message-changes.h"

#include "fs/changes/changes.h"
#include "fs/changes/same-message.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/busy-message.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/flag-values.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/xattr.h"
#include "fs/live/line.h"
#include "fs/names/message-name.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/writing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static FsHandlers *
handlers_of(const FsOperation *operation)
{
    return operation->user_data;
}

static const FsAccount *
account_of(const FsOperation *operation)
{
    return fs_handlers_account(handlers_of(operation));
}

static FsChanges *
changes_of(const FsOperation *operation)
{
    return account_of(operation)->changes;
}

static FsLocalFiles *
local_files_of(const FsOperation *operation)
{
    return fs_writing_files(fs_handlers_writing(handlers_of(operation)));
}

/* Whether the index has the message, as it may not yet if it was just written.
 * FALSE: the operation waits. */
static gboolean
is_known(FsOperation *operation, const FsEntry *entry)
{
    const FsAccount *account = account_of(operation);
    CacheMessage message;
    FsNeed *need;

    if (cache_index_message(account->index, entry->mailbox, entry->uid,
                            &message))
        return TRUE;
    need = fs_synchroniser_need_message(account->synchroniser, entry->mailbox,
                                        entry->uid, operation->since);
    if (need != NULL)
        fs_operation_wait(operation, need);
    return need == NULL;
}

/* Whether a new state of it is being stored, which ends soon, or waits for the
 * line. The operation waits, or has failed, then. */
static gboolean
is_being_stored(FsOperation *operation, const FsEntry *entry)
{
    const FsLocalFile *file =
        fs_local_files_get(local_files_of(operation), entry->inode);

    if (file == NULL || file->upload == NULL)
        return fs_busy_message_is_replaced(operation, account_of(operation),
                                           entry);
    if (fs_upload_state(file->upload) == FS_UPLOAD_UNDER_WAY)
        fs_operation_wait_any(operation, fs_upload_need(file->upload));
    else
        fs_operation_fail(operation, EBUSY);
    return TRUE;
}

/* What is to become of @entry when its writer closes it would become of it
 * where it is now. The operation has failed then. One that was only emptied is
 * what it was before. */
gboolean
fs_message_changes_is_edited(FsOperation *operation, const FsEntry *entry)
{
    const FsLocalFile *file =
        fs_local_files_get(local_files_of(operation), entry->inode);

    if (file == NULL || !fs_local_file_is_dirty(file) ||
        (file->n_handles == 0 && fs_local_file_is_emptied(file)))
        return FALSE;
    fs_operation_fail(operation, EBUSY);
    return TRUE;
}

gboolean
fs_message_changes_find(FsOperation *operation, fuse_ino_t parent,
                        const char *name, FsEntry *entry)
{
    FsObstacle obstacle = {0};
    FsAnswer answer =
        fs_name_space_look_up(fs_handlers_names(handlers_of(operation)), parent,
                              name, operation->since, entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return FALSE;
    }
    if (entry->uid == 0) {
        /* A link to a search is what is left. */
        fs_operation_fail(operation,
                          S_ISDIR(entry->attributes.st_mode) ? EISDIR : EACCES);
        return FALSE;
    }
    return !is_being_stored(operation, entry) && is_known(operation, entry);
}

static FsRights *
rights_of(const FsOperation *operation)
{
    return fs_writing_rights(fs_handlers_writing(handlers_of(operation)));
}

/* FALSE: the operation waits for what may be done in @mailbox. */
static gboolean
knows_rights(FsOperation *operation, guint32 mailbox)
{
    FsNeed *need = NULL;

    if (!fs_line_is_away(account_of(operation)->line))
        need = fs_rights_need(rights_of(operation), mailbox);
    if (need != NULL)
        fs_operation_wait(operation, need);
    return need == NULL;
}

void
fs_message_changes_refuse(FsOperation *operation, guint32 mailbox)
{
    FsRights *rights = rights_of(operation);
    int error_number = fs_rights_refusal(rights, mailbox);
    FsNeed *need = NULL;

    if (error_number != EROFS && !fs_line_is_away(account_of(operation)->line))
        need = fs_rights_need_newer(rights, mailbox, operation->since);
    if (need != NULL)
        fs_operation_wait(operation, need);
    else
        fs_operation_fail(operation, error_number);
}

void
fs_message_changes_refuse_new(FsOperation *operation, guint32 mailbox,
                              int error_number)
{
    FsRights *rights = rights_of(operation);

    if (!fs_rights_may_insert(rights, mailbox) &&
        error_number == fs_rights_refusal(rights, mailbox))
        fs_message_changes_refuse(operation, mailbox);
    else
        fs_operation_fail(operation, error_number);
}

gboolean
fs_message_changes_may_take(FsOperation *operation, guint32 mailbox,
                            gboolean expunge)
{
    FsRights *rights = rights_of(operation);

    if (!knows_rights(operation, mailbox))
        return FALSE;
    if (fs_rights_may_delete(rights, mailbox, expunge))
        return TRUE;
    fs_message_changes_refuse(operation, mailbox);
    return FALSE;
}

gboolean
fs_message_changes_may_flag(FsOperation *operation, guint32 mailbox,
                            const char *add, const char *remove)
{
    FsRights *rights = rights_of(operation);

    if (!knows_rights(operation, mailbox))
        return FALSE;
    if (fs_rights_may_flag(rights, mailbox, add, remove))
        return TRUE;
    fs_message_changes_refuse(operation, mailbox);
    return FALSE;
}

/* What came of asking: a change to be remembered (FALSE: there is none, and the
 * operation has been dealt with). */
static gboolean
remember(FsOperation *operation, FsPending *pending, FsNeed *need,
         const GError *error)
{
    g_autoptr(FsNeed) earlier = need;

    if (pending != NULL) {
        operation->memory = pending;
        operation->free_memory = fs_pending_unref;
    } else if (earlier != NULL) {
        fs_operation_wait_any(operation, earlier);
    } else {
        fs_operation_fail_with(operation, error);
    }
    return pending != NULL;
}

static void
finish(FsOperation *operation, FsPending *pending)
{
    FsNeed *need = fs_changes_need(changes_of(operation), pending);

    if (need != NULL)
        fs_operation_wait(operation, need);
    else
        fs_operation_reply_done(operation);
}

/* ---- removing ---- */

static gboolean
begin_unlink(FsOperation *operation)
{
    g_autoptr(GError) error = NULL;
    FsNeed *need = NULL;
    FsPending *pending;
    FsEntry entry;

    if (!fs_message_changes_find(operation, operation->inode, operation->name,
                                 &entry) ||
        !fs_message_changes_may_take(operation, entry.mailbox,
                                     account_of(operation)->options->remove !=
                                         FS_REMOVE_MARK))
        return FALSE;
    pending =
        fs_changes_delete(changes_of(operation), entry.inode, operation->name,
                          FS_DELETE_AS_OPTION, &need, &error);
    return remember(operation, pending, need, error);
}

static void
run_unlink(FsOperation *operation)
{
    if (operation->memory == NULL && !begin_unlink(operation))
        return;
    finish(operation, operation->memory);
}

void
fs_message_changes_unlink(fuse_req_t request, fuse_ino_t parent,
                          const char *name)
{
    fs_operation_start(request, run_unlink, parent, name, 0, 0, NULL);
}

/* ---- renaming ---- */

/* What a rename remembers. */
typedef struct {
    char *name;     /* owned */
    char *new_name; /* owned */
    fuse_ino_t new_parent;
    unsigned flags;
    FsSameMessage *same; /* whether what is there is the same; or NULL */
    FsPending *replaced; /* the deletion of that; or NULL */
    FsPending *pending;  /* NULL: not asked for yet */
} Renaming;

static void
renaming_free(gpointer data)
{
    Renaming *renaming = data;

    fs_same_message_free(renaming->same);
    /* It was given up, or interrupted, before the move was asked for. */
    if (renaming->replaced != NULL && renaming->pending == NULL)
        fs_changes_give_up(renaming->replaced);
    fs_pending_unref(renaming->replaced);
    fs_pending_unref(renaming->pending);
    g_free(renaming->name);
    g_free(renaming->new_name);
    g_free(renaming);
}

/* A name is "OLD/NEW" while it has not been taken apart. */
static Renaming *
begin_renaming(FsOperation *operation)
{
    const char *slash = strchr(operation->name, '/');
    Renaming *renaming = g_new0(Renaming, 1);

    renaming->name = g_strndup(operation->name, slash - operation->name);
    renaming->new_name = g_strdup(slash + 1);
    renaming->new_parent = (fuse_ino_t)operation->offset;
    renaming->flags = (unsigned)operation->size;
    operation->memory = renaming;
    operation->free_memory = renaming_free;
    return renaming;
}

/* "UID.eml" is the name of what is there, and stays so: with names=uid a
 * message comes under its own. */
static gboolean
gives_way(FsOperation *operation, const char *name)
{
    g_autofree char *stem = NULL;
    guint32 uid;

    return account_of(operation)->options->names == FS_NAMES_UID &&
           fs_message_name_parse(name, &stem, &uid) && stem == NULL;
}

/* The message that is there is replaced only by the same. FALSE: the operation
 * has been dealt with. */
static gboolean
replace(FsOperation *operation, Renaming *renaming, const FsEntry *entry,
        const FsEntry *there)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FsNeed) need = NULL;
    FsNeed *earlier = NULL;
    gboolean same = FALSE;

    if (renaming->same == NULL)
        renaming->same =
            fs_same_message_new(account_of(operation)->bodies, entry->mailbox,
                                entry->uid, there->mailbox, there->uid);
    need = fs_same_message_run(renaming->same, &same);
    if (need != NULL) {
        fs_operation_wait(operation, need);
        return FALSE;
    }
    if (!same) {
        fs_operation_fail(operation, EEXIST);
        return FALSE;
    }
    renaming->replaced =
        fs_changes_delete(changes_of(operation), there->inode, NULL,
                          FS_DELETE_EXPUNGE, &earlier, &error);
    if (renaming->replaced != NULL) {
        fs_changes_hold(renaming->replaced);
        return TRUE;
    }
    if (earlier != NULL)
        fs_operation_wait_any(operation, earlier);
    else
        fs_operation_fail_with(operation, error);
    fs_need_unref(earlier);
    return FALSE;
}

/* A file of ours that has the new name; NULL: there is none. */
static FsLocalFile *
local_in_the_way(const FsOperation *operation, const Renaming *renaming)
{
    guint32 directory = renaming->new_parent == FS_INODE_ROOT
                            ? 0
                            : fs_inode_mailbox(renaming->new_parent);

    return fs_local_files_find(local_files_of(operation), directory,
                               renaming->new_name);
}

/* The move may yet be refused: what the file holds is kept with what was
 * lost. */
static void
clear_local(FsOperation *operation, const Renaming *renaming)
{
    FsWriting *writing = fs_handlers_writing(handlers_of(operation));
    FsLocalFile *file = local_in_the_way(operation, renaming);

    if (file == NULL)
        return;
    fs_writing_let_go(writing, file, TRUE);
    if (file->size > 0)
        fs_local_files_lose(fs_writing_files(writing), file);
    else
        fs_local_files_unlist(fs_writing_files(writing), file);
}

/* Whether the new name is free, or has been made so. FALSE: the operation has
 * been dealt with. */
static gboolean
clear_way(FsOperation *operation, Renaming *renaming, const FsEntry *entry)
{
    FsObstacle obstacle = {0};
    FsAnswer answer;
    FsEntry there;

    if (local_in_the_way(operation, renaming) != NULL)
        return TRUE;
    answer = fs_name_space_look_up(fs_handlers_names(handlers_of(operation)),
                                   renaming->new_parent, renaming->new_name,
                                   operation->since, &there, &obstacle);
    if (answer == FS_ANSWER_NONE ||
        (answer == FS_ANSWER_FOUND &&
         fs_name_space_gives_way(fs_handlers_names(handlers_of(operation)),
                                 &there, renaming->new_name)))
        return TRUE;
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
    } else if (there.inode == entry->inode) {
        fs_operation_reply_done(operation);
    } else if (there.uid == 0) {
        fs_operation_fail(operation, EISDIR);
    } else if ((renaming->flags & RENAME_NOREPLACE) != 0) {
        fs_operation_fail(operation, EEXIST);
    } else if (gives_way(operation, renaming->new_name)) {
        return TRUE;
    } else if (!fs_message_changes_is_edited(operation, &there)) {
        return replace(operation, renaming, entry, &there);
    }
    return FALSE;
}

/* 0 if no message can be there. */
static guint32
mailbox_of(FsOperation *operation, fuse_ino_t directory)
{
    guint32 mailbox =
        directory == FS_INODE_ROOT ? 0 : fs_inode_mailbox(directory);
    const FsMailbox *found =
        fs_mailbox_tree_get(account_of(operation)->tree, mailbox);

    return found != NULL && found->selectable ? mailbox : 0;
}

static gboolean
ask_rename(FsOperation *operation, Renaming *renaming)
{
    guint32 target = mailbox_of(operation, renaming->new_parent);
    FsRights *rights =
        fs_writing_rights(fs_handlers_writing(handlers_of(operation)));
    g_autoptr(GError) error = NULL;
    g_autoptr(FsNeed) need = NULL;
    FsNeed *earlier = NULL;
    FsEntry entry;

    if (!fs_message_changes_find(operation, operation->inode, renaming->name,
                                 &entry) ||
        fs_message_changes_is_edited(operation, &entry))
        return FALSE;
    if (target == 0) {
        fs_operation_fail(operation, EACCES);
        return FALSE;
    }
    if (!fs_rights_may_insert(rights, target)) {
        fs_message_changes_refuse(operation, target);
        return FALSE;
    }
    if (target != entry.mailbox &&
        !fs_message_changes_may_take(operation, entry.mailbox, TRUE))
        return FALSE;
    if (renaming->replaced == NULL && !clear_way(operation, renaming, &entry))
        return FALSE;
    renaming->pending =
        fs_changes_move(changes_of(operation), entry.inode, target,
                        renaming->new_name, &earlier, &error);
    need = earlier;
    if (renaming->pending != NULL && renaming->replaced != NULL)
        fs_changes_delete_after(renaming->replaced, renaming->pending);
    if (renaming->pending != NULL && target == entry.mailbox)
        fs_file_flags_renamed(
            fs_writing_flags(fs_handlers_writing(handlers_of(operation))),
            target, renaming->name, renaming->new_name, entry.uid);
    if (renaming->pending != NULL) {
        clear_local(operation, renaming);
        return TRUE;
    }
    if (need != NULL)
        fs_operation_wait_any(operation, need);
    else
        fs_operation_fail_with(operation, error);
    return FALSE;
}

static void
run_rename(FsOperation *operation)
{
    Renaming *renaming = operation->memory;

    if (renaming == NULL)
        renaming = begin_renaming(operation);
    if (renaming->pending == NULL && !ask_rename(operation, renaming))
        return;
    finish(operation, renaming->pending);
}

void
fs_message_changes_rename(fuse_req_t request, fuse_ino_t parent,
                          const char *name, fuse_ino_t new_parent,
                          const char *new_name, unsigned flags)
{
    g_autofree char *names = NULL;

    /* An exchange would be of two messages, each with its place and name. */
    if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    if (strlen(new_name) > CACHE_ALIAS_MAX) {
        fuse_reply_err(request, ENAMETOOLONG);
        return;
    }
    names = g_strconcat(name, "/", new_name, NULL);
    fs_operation_start(request, run_rename, parent, names, flags,
                       (off_t)new_parent, NULL);
}

/* ---- flags ---- */

static void
reply_flags(FsOperation *operation)
{
    if (operation->size > 0)
        fs_operation_reply_write(operation, operation->size);
    else
        fs_operation_reply_done(operation);
}

static void
finish_flags(FsOperation *operation, FsPending *pending)
{
    FsNeed *need = fs_changes_need(changes_of(operation), pending);

    if (need != NULL)
        fs_operation_wait(operation, need);
    else
        reply_flags(operation);
}

/* FALSE: what is behind the inode is a message already. */
static gboolean
change_file_flags(FsOperation *operation, const char *value, FsFlagsKind kind)
{
    FsWriting *writing = fs_handlers_writing(handlers_of(operation));
    FsLocalFile *file = fs_writing_file(writing, operation->inode);
    g_autofree char *present = NULL;
    g_autofree char *remove = NULL;
    g_autofree char *add = NULL;

    if (!fs_file_flags_is_own(file))
        return FALSE;
    present = fs_file_flags_of(fs_writing_flags(writing), file, file->directory,
                               file->name);
    if (fs_flag_values_parse(value, strlen(value), kind, present, &add,
                             &remove)) {
        fs_file_flags_change(fs_writing_flags(writing), file, add, remove);
        reply_flags(operation);
    } else {
        fs_operation_fail(operation, EINVAL);
    }
    return TRUE;
}

/* A value is "NAME/VALUE" while it has not been taken apart. */
static void
begin_flags(FsOperation *operation)
{
    FsChanges *changes = changes_of(operation);
    CacheIndex *index = account_of(operation)->index;
    const char *value = strchr(operation->name, '/') + 1;
    FsFlagsKind kind = g_str_has_prefix(operation->name, FS_XATTR_TAGS "/")
                           ? FS_FLAGS_KEYWORDS
                           : FS_FLAGS_ALL;
    g_autofree char *present = NULL;
    g_autofree char *remove = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *add = NULL;
    FsObstacle obstacle = {0};
    FsPending *pending;
    FsNeed *need = NULL;
    CacheMessage message;
    FsEntry entry;
    FsAnswer answer =
        fs_name_space_describe(fs_handlers_names(handlers_of(operation)),
                               operation->inode, &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return;
    }
    if (change_file_flags(operation, value, kind))
        return;
    if (entry.uid == 0) {
        fs_operation_fail(operation, EOPNOTSUPP);
        return;
    }
    if (!is_known(operation, &entry))
        return;
    if (cache_index_message(index, entry.mailbox, entry.uid, &message))
        present =
            fs_changes_flags(changes, entry.mailbox, entry.uid, message.flags);
    if (!fs_flag_values_parse(value, strlen(value), kind, present, &add,
                              &remove)) {
        fs_operation_fail(operation, EINVAL);
        return;
    }
    if (*add == '\0' && *remove == '\0') {
        reply_flags(operation);
        return;
    }
    if (!fs_message_changes_may_flag(operation, entry.mailbox, add, remove))
        return;
    pending = fs_changes_set_flags(changes, operation->inode, add, remove,
                                   &need, &error);
    if (remember(operation, pending, need, error))
        finish_flags(operation, pending);
}

static void
run_flags(FsOperation *operation)
{
    if (operation->memory == NULL)
        begin_flags(operation);
    else
        finish_flags(operation, operation->memory);
}

/* Octets of a list of flags. */
#define FLAGS_TEXT_MAX 4096u

/* @written: how much is to be said to be written; 0: nothing was. */
static void
start_flags(fuse_req_t request, fuse_ino_t inode, const char *name,
            const char *value, gsize size, gsize written)
{
    g_autofree char *text = g_strndup(value, size);
    g_autofree char *both = g_strconcat(name, "/", text, NULL);

    if (memchr(value, '\0', size) != NULL || size > FLAGS_TEXT_MAX)
        fuse_reply_err(request, EINVAL);
    else
        fs_operation_start(request, run_flags, inode, both, written, 0, NULL);
}

void
fs_message_changes_write_flags(fuse_req_t request, fuse_ino_t inode,
                               const char *data, gsize size)
{
    start_flags(request, inode, FS_XATTR_FLAGS, data, size, size);
}

static gboolean
is_settable(const char *name)
{
    return g_str_equal(name, FS_XATTR_FLAGS) ||
           g_str_equal(name, FS_XATTR_TAGS);
}

void
fs_message_changes_setxattr(fuse_req_t request, fuse_ino_t inode,
                            const char *name, const char *value, size_t size,
                            int flags)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    const FsOptions *options = fs_handlers_account(handlers)->options;

    if (!options->xattr)
        fuse_reply_err(request, fs_xattr_errno(options));
    else if (!is_settable(name))
        fuse_reply_err(request, fs_xattr_is_ours(name) ? EPERM : EOPNOTSUPP);
    else
        start_flags(request, inode, name, value, size, 0);
}

void
fs_message_changes_removexattr(fuse_req_t request, fuse_ino_t inode,
                               const char *name)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    const FsOptions *options = fs_handlers_account(handlers)->options;

    if (!options->xattr)
        fuse_reply_err(request, fs_xattr_errno(options));
    else if (!is_settable(name))
        fuse_reply_err(request, fs_xattr_is_ours(name) ? EPERM : ENODATA);
    else
        start_flags(request, inode, name, "", 0, 0);
}

/* ---- waiting for the server ---- */

static void
run_fsyncdir(FsOperation *operation)
{
    guint32 mailbox = operation->inode == FS_INODE_ROOT
                          ? 0
                          : fs_inode_mailbox(operation->inode);
    FsChanges *changes = changes_of(operation);
    FsNeed *need = fs_changes_need_settled(changes, mailbox);
    g_autoptr(GError) error = NULL;

    if (need != NULL) {
        fs_operation_wait(operation, need);
        return;
    }
    error = fs_changes_take_error(changes, mailbox);
    if (error != NULL)
        fs_operation_fail_with(operation, error);
    else
        fs_operation_reply_done(operation);
}

void
fs_message_changes_fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only,
                            struct fuse_file_info *file)
{
    fs_operation_start(request, run_fsyncdir, inode, NULL, 0, 0, NULL);
}
