/* Changes in a Maildir.
 *
 * A message that gets a name there is given its flags first and moved then, if
 * it is to be in another folder: of one message, the server is told of changes
 * in that order. What the name is beside that is ours alone, and kept. Who
 * waits for the server (-o sync) is told the truth of both: it is moved when
 * the flags are set, and if it is not, they are as they were.
 *
 * Folders are made, renamed and removed as in the first layout, under the names
 * that they have there. */
#include "fs/kernel/maildir-handlers.h"

#include "fs/changes/changes.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/entry-handlers.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/message-changes.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/write-private.h"
#include "fs/names/given-name.h"
#include "fs/names/maildir-layout.h"
#include "fs/names/maildir-message.h"
#include "fs/names/maildir-name.h"
#include "fs/writing/directories.h"

#include <errno.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1u << 0)
#endif

static FsNameSpace *
names_of(const FsOperation *operation)
{
    return fs_handlers_names(operation->user_data);
}

static FsAccount *
account_of(const FsOperation *operation)
{
    return fs_writing_account(fs_handlers_writing(operation->user_data));
}

static gboolean
holds_messages(const FsPlace *place)
{
    return place->kind == FS_PLACE_CUR || place->kind == FS_PLACE_NEW;
}

/* ---- messages that get a name ---- */

/* What a rename remembers. */
typedef struct {
    char *name;
    guint64 new_parent;
    char *new_name;
    char *base; /* of it */
    char *letters;
    guint64 inode;    /* of the message, once that is known */
    gboolean flagged; /* the flags were asked for, if there are any */
    FsPending *flags; /* NULL: none were */
    char *added;      /* by that; owned */
    char *removed;
    gboolean moved;       /* and so was this */
    FsPending *placement; /* likewise */
} Renaming;

static void
renaming_free(gpointer data)
{
    Renaming *renaming = data;

    fs_pending_unref(renaming->flags);
    fs_pending_unref(renaming->placement);
    g_free(renaming->added);
    g_free(renaming->removed);
    g_free(renaming->name);
    g_free(renaming->new_name);
    g_free(renaming->base);
    g_free(renaming->letters);
    g_free(renaming);
}

/* What is pending already; or why not: the operation waits or has failed. */
static gboolean
take(FsOperation *operation, const FsPending *pending, FsNeed *need,
     const GError *error)
{
    g_autoptr(FsNeed) earlier = need;

    if (pending != NULL)
        return TRUE;
    if (earlier != NULL)
        fs_operation_wait_any(operation, earlier);
    else
        fs_operation_fail_with(operation, error);
    return FALSE;
}

/* Whether the new name is free. FALSE: the operation has been dealt with. */
static gboolean
is_free(FsOperation *operation, const Renaming *renaming, const FsPlace *place,
        const FsEntry *entry)
{
    FsObstacle obstacle = {0};
    FsEntry there;
    FsAnswer answer = fs_name_space_look_up(
        names_of(operation), renaming->new_parent, renaming->new_name,
        operation->since, &there, &obstacle);

    if (answer == FS_ANSWER_FOUND && there.inode == entry->inode)
        fs_operation_reply_done(operation);
    else if (answer == FS_ANSWER_FOUND ||
             (answer == FS_ANSWER_NONE &&
              fs_maildir_message_is_taken(account_of(operation), place->mailbox,
                                          renaming->base, entry->inode)))
        fs_operation_fail(operation, EEXIST);
    else if (answer != FS_ANSWER_NONE)
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
    else
        return TRUE;
    return FALSE;
}

/* Letters mean in the new folder what they mean in the old one, as far as they
 * mean something there. */
static gboolean
find_change(FsAccount *account, const FsEntry *entry, guint32 source,
            guint32 target, const char *letters, char **add, char **remove)
{
    g_auto(FsMaildirMessage) message = {0};

    if (!fs_maildir_message_find(account, source, entry->inode, entry->mailbox,
                                 entry->uid, &message))
        return FALSE;
    if (fs_maildir_change(account->aliases, source, message.flags, letters, add,
                          remove))
        return TRUE;
    g_clear_pointer(add, g_free);
    g_clear_pointer(remove, g_free);
    return fs_maildir_change(account->aliases, target, message.flags, letters,
                             add, remove);
}

/* FALSE: the operation waits or has failed. */
static gboolean
ask_flags(FsOperation *operation, Renaming *renaming, const FsEntry *entry,
          guint32 target)
{
    FsAccount *account = account_of(operation);
    guint32 source =
        fs_name_space_place_of(names_of(operation), operation->inode).mailbox;
    g_autoptr(GError) error = NULL;
    g_autofree char *remove = NULL;
    g_autofree char *add = NULL;
    FsNeed *need = NULL;

    if (renaming->flagged)
        return TRUE;
    if (!find_change(account, entry, source, target, renaming->letters, &add,
                     &remove)) {
        fs_operation_fail(operation, EINVAL);
        return FALSE;
    }
    if (*add != '\0' || *remove != '\0') {
        if (!fs_message_changes_may_flag(operation, entry->mailbox, add,
                                         remove))
            return FALSE;
        renaming->flags = fs_changes_set_flags(account->changes, entry->inode,
                                               add, remove, &need, &error);
        if (!take(operation, renaming->flags, need, error))
            return FALSE;
        renaming->added = g_steal_pointer(&add);
        renaming->removed = g_steal_pointer(&remove);
    }
    renaming->flagged = TRUE;
    return TRUE;
}

static FsNeed *
need_of(const FsOperation *operation, FsPending *pending)
{
    return pending != NULL
               ? fs_changes_need(account_of(operation)->changes, pending)
               : NULL;
}

/* Where the server is waited for, nothing is moved before it has the flags.
 * FALSE: the operation waits, or fails as that does. */
static gboolean
has_flags(FsOperation *operation, const Renaming *renaming)
{
    FsNeed *need = account_of(operation)->options->sync
                       ? need_of(operation, renaming->flags)
                       : NULL;

    if (need != NULL)
        fs_operation_wait(operation, need);
    return need == NULL;
}

/* The server has set the flags, and refused the rest: nothing is to have
 * happened. If that is refused as well, it is told as any change is. */
static void
fail_as_a_whole(FsOperation *operation, const Renaming *renaming,
                const GError *error)
{
    FsAccount *account = account_of(operation);
    g_autoptr(FsPending) back = NULL;
    g_autoptr(FsNeed) earlier = NULL;

    if (account->options->sync && renaming->flags != NULL)
        back = fs_changes_set_flags(account->changes, renaming->inode,
                                    renaming->removed, renaming->added,
                                    &earlier, NULL);
    fs_operation_fail_with(operation, error);
}

/* Whether it is in the folder that it shows in, and not only on its way there.
 */
static gboolean
is_home(const FsOperation *operation, const FsEntry *entry)
{
    return entry->mailbox ==
           fs_name_space_place_of(names_of(operation), operation->inode)
               .mailbox;
}

/* Within its folder: nobody but us need know. */
static void
give_name(FsOperation *operation, Renaming *renaming, const FsPlace *place,
          const FsEntry *entry)
{
    FsNameSpace *names = names_of(operation);
    FsPlace before = fs_name_space_place_of(names, operation->inode);
    gboolean is_new = place->kind == FS_PLACE_NEW;

    fs_maildir_message_give(account_of(operation), entry->mailbox, entry->uid,
                            renaming->base, is_new);
    renaming->placement = fs_changes_named(account_of(operation)->changes,
                                           entry->mailbox, entry->uid);
    fs_kernel_cache_names_changed(
        fs_handlers_kernel_cache(operation->user_data), entry->mailbox);
    /* With other flags, that of "cur" has moved already. */
    fs_maildir_layout_touch(names, entry->mailbox, entry->uid,
                            renaming->flags == NULL &&
                                (!is_new || before.kind == FS_PLACE_CUR),
                            is_new || before.kind == FS_PLACE_NEW);
}

static gboolean
ask_move(FsOperation *operation, Renaming *renaming, const FsPlace *place,
         const FsEntry *entry)
{
    FsAccount *account = account_of(operation);
    g_autofree char *given = NULL;
    g_autoptr(GError) error = NULL;
    FsNeed *need = NULL;

    if (entry->mailbox == place->mailbox && is_home(operation, entry)) {
        give_name(operation, renaming, place, entry);
        return TRUE;
    }
    given = g_strconcat(place->kind == FS_PLACE_NEW ? "/new/" : "/cur/",
                        renaming->base, NULL);
    renaming->placement = fs_changes_move(account->changes, entry->inode,
                                          place->mailbox, given, &need, &error);
    return take(operation, renaming->placement, need, error);
}

static gboolean
may_move(FsOperation *operation, const FsPlace *place, const FsEntry *entry)
{
    FsRights *rights =
        fs_writing_rights(fs_handlers_writing(operation->user_data));
    const FsMailbox *target =
        fs_mailbox_tree_get(account_of(operation)->tree, place->mailbox);

    if (entry->mailbox == place->mailbox)
        return TRUE;
    if (fs_message_changes_is_edited(operation, entry))
        return FALSE;
    if (target == NULL || !target->selectable) {
        fs_operation_fail(operation, EACCES);
        return FALSE;
    }
    if (!fs_rights_may_insert(rights, place->mailbox)) {
        fs_message_changes_refuse(operation, place->mailbox);
        return FALSE;
    }
    return fs_message_changes_may_take(operation, entry->mailbox, TRUE);
}

/* The message, which has its old name no longer once it has other flags.
 * FALSE: the operation waits or has failed. */
static gboolean
find_source(FsOperation *operation, Renaming *renaming, FsEntry *entry)
{
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (!renaming->flagged) {
        if (!fs_message_changes_find(operation, operation->inode,
                                     renaming->name, entry))
            return FALSE;
        if (!fs_changes_can_redirect(account_of(operation)->changes,
                                     entry->inode) &&
            fs_write_waits_for_arrival(operation, account_of(operation),
                                       entry->inode))
            return FALSE;
        renaming->inode = entry->inode;
        return TRUE;
    }
    answer = fs_name_space_describe(names_of(operation), renaming->inode, entry,
                                    &obstacle);
    if (answer != FS_ANSWER_FOUND)
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
    return answer == FS_ANSWER_FOUND;
}

/* FALSE: the operation waits or has been dealt with. */
static gboolean
ask_rename(FsOperation *operation, Renaming *renaming)
{
    FsPlace place =
        fs_name_space_place_of(names_of(operation), renaming->new_parent);
    FsEntry entry;

    if (renaming->moved)
        return TRUE;
    if (!find_source(operation, renaming, &entry))
        return FALSE;
    if (!renaming->flagged && (!may_move(operation, &place, &entry) ||
                               !is_free(operation, renaming, &place, &entry)))
        return FALSE;
    if (!ask_flags(operation, renaming, &entry, place.mailbox) ||
        !has_flags(operation, renaming) ||
        !ask_move(operation, renaming, &place, &entry))
        return FALSE;
    renaming->moved = TRUE;
    return TRUE;
}

static void
run_rename(FsOperation *operation)
{
    Renaming *renaming = operation->memory;
    FsNeed *need;

    if (!ask_rename(operation, renaming))
        return;
    need = need_of(operation, renaming->flags);
    if (need != NULL) {
        fs_operation_wait(operation, need);
        return;
    }
    need = need_of(operation, renaming->placement);
    if (need != NULL && fs_need_is_complete(need)) {
        fail_as_a_whole(operation, renaming, fs_need_error(need));
        return;
    }
    if (need != NULL) {
        fs_operation_wait_any(operation, need);
        return;
    }
    /* What the kernel knew for long by its old name, it would by the new. */
    if (fs_name_space_place_of(names_of(operation), operation->inode).kind ==
        FS_PLACE_MAILBOX)
        fs_kernel_cache_entry_changed(
            fs_handlers_kernel_cache(operation->user_data),
            renaming->new_parent, renaming->new_name);
    fs_operation_reply_done(operation);
}

static void
rename_message(fuse_req_t request, fuse_ino_t parent, const char *name,
               fuse_ino_t new_parent, const char *new_name)
{
    Renaming *renaming = g_new0(Renaming, 1);

    renaming->name = g_strdup(name);
    renaming->new_parent = new_parent;
    renaming->new_name = g_strdup(new_name);
    if (!fs_maildir_name_parse(new_name, &renaming->base, &renaming->letters)) {
        fuse_reply_err(request, strlen(new_name) > FS_MAILDIR_BASE_MAX
                                    ? ENAMETOOLONG
                                    : EINVAL);
        renaming_free(renaming);
        return;
    }
    fs_operation_start_with(request, run_rename, parent, name, 0, NULL,
                            renaming, renaming_free);
}

/* ---- folders ---- */

/* Both are folders of Maildirs, or are to be; as the first layout has them. */
static void
rename_folder(fuse_req_t request, fuse_ino_t new_parent, const char *new_name,
              guint32 old, const char *old_child, unsigned flags)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsNameSpace *names = fs_handlers_names(handlers);
    g_autofree char *child = NULL;
    guint32 parent;

    if (!fs_maildir_layout_folder(names, new_parent, new_name, &parent, &child))
        fuse_reply_err(request, EXDEV);
    else
        fs_entry_handlers_rename_directory(
            request, fs_name_space_directory_of(names, old), old_child,
            fs_name_space_directory_of(names, parent), child, flags);
}

gboolean
fs_maildir_handlers_rename(fuse_req_t request, fuse_ino_t parent,
                           const char *name, fuse_ino_t new_parent,
                           const char *new_name, unsigned flags)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsNameSpace *names = fs_handlers_names(handlers);
    FsPlace from = fs_name_space_place_of(names, parent);
    FsPlace to = fs_name_space_place_of(names, new_parent);
    FsLocalFiles *files = fs_writing_files(fs_handlers_writing(handlers));
    g_autofree char *child = NULL;
    guint32 above;

    if (fs_local_files_find(files, from.files, name) != NULL)
        return FALSE;
    if (from.kind == FS_PLACE_FOLDER) {
        if (fs_maildir_layout_folder(names, parent, name, &above, &child))
            rename_folder(request, new_parent, new_name, above, child, flags);
        else
            fuse_reply_err(request, EBUSY); /* one of the three */
    } else if (holds_messages(&to)) {
        if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0)
            fuse_reply_err(request, EINVAL);
        else
            rename_message(request, parent, name, new_parent, new_name);
    } else if (to.kind == FS_PLACE_FOLDER || to.kind == FS_PLACE_TMP) {
        fuse_reply_err(request, EPERM); /* a message is nothing of that kind */
    } else {
        return FALSE;
    }
    return TRUE;
}

/* ---- making ---- */

/* FALSE: it cannot be made, and the operation has failed. */
static gboolean
begin_folder(FsOperation *operation)
{
    FsDirectoryChange *change = NULL;
    g_autofree char *child = NULL;
    int error_number = EINVAL;
    guint32 parent;

    if (fs_maildir_layout_folder(names_of(operation), operation->inode,
                                 operation->name, &parent, &child))
        error_number =
            fs_directory_make(account_of(operation), parent, child, &change);
    operation->memory = change;
    operation->free_memory = fs_directory_change_unref;
    if (error_number != 0)
        fs_operation_fail(operation, error_number);
    return error_number == 0;
}

static void
reply_made(FsOperation *operation)
{
    FsNameSpace *names = names_of(operation);
    g_autofree char *child = NULL;
    const FsMailbox *made = NULL;
    guint32 parent;

    if (fs_maildir_layout_folder(names, operation->inode, operation->name,
                                 &parent, &child))
        made =
            fs_mailbox_tree_child(account_of(operation)->tree, parent, child);
    if (made != NULL)
        fs_maildir_layout_made(names, made->id);
    fs_entry_handlers_reply_made(operation);
}

static void
run_mkdir(FsOperation *operation)
{
    if (operation->memory != NULL || begin_folder(operation))
        fs_entry_handlers_follow(operation, operation->memory, reply_made);
}

/* One of the three. */
static void
make_inner(fuse_req_t request, fuse_ino_t parent, const char *name,
           guint32 mailbox)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    const FsMailbox *folder =
        fs_mailbox_tree_get(fs_handlers_account(handlers)->tree, mailbox);

    if (folder == NULL || !folder->selectable)
        fuse_reply_err(request, EACCES); /* there can be no messages */
    else if (fs_maildir_layout_set_there(fs_handlers_names(handlers), mailbox,
                                         name, TRUE))
        fs_operation_start(request, fs_entry_handlers_reply_made, parent, name,
                           0, 0, NULL);
    else
        fuse_reply_err(request, EEXIST); /* again, since it was looked for */
}

gboolean
fs_maildir_handlers_mkdir(fuse_req_t request, fuse_ino_t parent,
                          const char *name)
{
    FsNameSpace *names = fs_handlers_names(fuse_req_userdata(request));
    FsPlace place = fs_name_space_place_of(names, parent);

    if (place.kind == FS_PLACE_MAILBOX || place.kind == FS_PLACE_LOST)
        return FALSE;
    if (place.kind != FS_PLACE_FOLDER)
        fuse_reply_err(request, EPERM);
    else if (fs_maildir_layout_is_inner(name))
        make_inner(request, parent, name, place.mailbox);
    else
        fs_operation_start(request, run_mkdir, parent, name, 0, 0, NULL);
    return TRUE;
}

/* ---- removing ---- */

/* One of the three, which has to be empty. */
static void
run_rmdir_inner(FsOperation *operation)
{
    FsNameSpace *names = names_of(operation);
    FsPlace folder = fs_name_space_place_of(names, operation->inode);
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsEntry first;
    FsAnswer answer =
        fs_name_space_look_up(names, operation->inode, operation->name,
                              operation->since, &entry, &obstacle);

    if (answer == FS_ANSWER_FOUND)
        answer = fs_name_space_open_directory(names, entry.inode,
                                              operation->since, &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
        return;
    }
    answer = fs_name_space_next(names, entry.inode, (guint64)operation->offset,
                                &first, &obstacle);
    if (answer == FS_ANSWER_FOUND) {
        fs_operation_fail(operation, ENOTEMPTY);
    } else if (answer != FS_ANSWER_NONE) {
        if (obstacle.cookie != 0)
            operation->offset = (off_t)obstacle.cookie;
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
    } else {
        fs_maildir_layout_set_there(names, folder.mailbox, operation->name,
                                    FALSE);
        fs_operation_reply_done(operation);
    }
}

static void
rmdir_folder(fuse_req_t request, guint32 parent, const char *child)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsLocalFiles *files = fs_writing_files(fs_handlers_writing(handlers));
    const FsMailbox *found = fs_mailbox_tree_child(
        fs_handlers_account(handlers)->tree, parent, child);

    if (found == NULL)
        fuse_reply_err(request, ENOENT);
    else if (fs_local_files_next(files, found->id | FS_LOCAL_FOLDER, 0) !=
                 NULL ||
             fs_local_files_next(files, found->id | FS_LOCAL_TMP, 0) != NULL)
        fuse_reply_err(request, ENOTEMPTY);
    else
        fs_entry_handlers_rmdir(
            request,
            fs_name_space_directory_of(fs_handlers_names(handlers), parent),
            child);
}

gboolean
fs_maildir_handlers_rmdir(fuse_req_t request, fuse_ino_t parent,
                          const char *name)
{
    FsNameSpace *names = fs_handlers_names(fuse_req_userdata(request));
    FsPlace place = fs_name_space_place_of(names, parent);
    g_autofree char *child = NULL;
    guint32 above;

    if (place.kind == FS_PLACE_MAILBOX || place.kind == FS_PLACE_LOST)
        return FALSE;
    if (place.kind != FS_PLACE_FOLDER)
        fuse_reply_err(request, ENOTDIR);
    else if (fs_maildir_layout_is_inner(name))
        fs_operation_start(request, run_rmdir_inner, parent, name, 0, 0, NULL);
    else if (fs_maildir_layout_folder(names, parent, name, &above, &child))
        rmdir_folder(request, above, child);
    else
        fuse_reply_err(request, ENOENT);
    return TRUE;
}
