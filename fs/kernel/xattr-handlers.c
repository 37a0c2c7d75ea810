/* The kernel's requests on extended attributes: what they are made of is the
 * message as the index has it, with the flags that the user has set since; or
 * the file that is to be one. */
#include "fs/kernel/xattr-handlers.h"

#include "fs/changes/changes.h"
#include "fs/control/control-files.h"
#include "fs/kernel/answer.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/xattr.h"
#include "fs/writing/writing.h"

#include <errno.h>

static const FsOptions *
options_of(fuse_req_t request)
{
    return fs_handlers_account(fuse_req_userdata(request))->options;
}

/* The message behind the inode, with the flags that the user has set: @flags,
 * which the caller frees. FALSE: the request is answered, or waits. */
static gboolean
find_message(FsOperation *operation, CacheMessage *message,
             CacheMailbox *mailbox, char **flags)
{
    FsHandlers *handlers = operation->user_data;
    const FsAccount *account = fs_handlers_account(handlers);
    FsWriting *writing = fs_handlers_writing(handlers);
    const FsLocalFile *file = fs_writing_file(writing, operation->inode);
    CacheIndex *index = account->index;
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer;

    if (fs_file_flags_is_own(file)) {
        *flags = fs_file_flags_of(fs_writing_flags(writing), file,
                                  file->directory, file->name);
        *message = (CacheMessage){.flags = *flags};
        *mailbox = (CacheMailbox){0};
        return TRUE;
    }
    answer = fs_name_space_describe(fs_handlers_names(handlers),
                                    operation->inode, &entry, &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
        return FALSE;
    }
    if (entry.uid == 0 || !cache_index_mailbox(index, entry.mailbox, mailbox) ||
        !cache_index_message(index, entry.mailbox, entry.uid, message)) {
        fs_operation_fail(operation, ENODATA);
        return FALSE;
    }
    *flags = fs_changes_flags(account->changes, entry.mailbox, entry.uid,
                              message->flags);
    message->flags = *flags;
    fs_kernel_cache_use(fs_handlers_kernel_cache(handlers), entry.mailbox);
    return TRUE;
}

/* A program asks for the size first, or offers a buffer of some size. */
static void
reply_xattr(FsOperation *operation, const char *data, gsize length)
{
    if (operation->size == 0)
        fs_operation_reply_xattr(operation, length);
    else if (operation->size < length)
        fs_operation_fail(operation, ERANGE);
    else
        fs_operation_reply_buffer(operation, data, length);
}

static void
run_getxattr(FsOperation *operation)
{
    g_autoptr(GString) value = NULL;
    g_autofree char *flags = NULL;
    CacheMessage message;
    CacheMailbox mailbox;

    if (!find_message(operation, &message, &mailbox, &flags))
        return;
    value = fs_xattr_value(&mailbox, &message, operation->name);
    if (value == NULL)
        fs_operation_fail(operation, ENODATA);
    else
        reply_xattr(operation, value->str, value->len);
}

static void
run_listxattr(FsOperation *operation)
{
    g_autoptr(GString) names = NULL;
    g_autofree char *flags = NULL;
    CacheMessage message;
    CacheMailbox mailbox;

    if (!fs_local_files_own(operation->inode) &&
        (fs_inode_mailbox(operation->inode) == 0 ||
         fs_inode_uid(operation->inode) == 0)) {
        reply_xattr(operation, "", 0);
        return;
    }
    if (!find_message(operation, &message, &mailbox, &flags))
        return;
    names = fs_xattr_names(&message);
    reply_xattr(operation, names->str, names->len);
}

void
fs_xattr_handlers_getxattr(fuse_req_t request, fuse_ino_t inode,
                           const char *name, size_t size)
{
    const FsOptions *options = options_of(request);

    if (!options->xattr)
        fuse_reply_err(request, fs_xattr_errno(options));
    else if (!fs_xattr_is_ours(name) || fs_control_files_own(inode))
        fuse_reply_err(request, ENODATA);
    else
        fs_operation_start(request, run_getxattr, inode, name, size, 0, NULL);
}

void
fs_xattr_handlers_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    const FsOptions *options = options_of(request);

    if (!options->xattr)
        fuse_reply_err(request, fs_xattr_errno(options));
    else
        fs_operation_start(request, run_listxattr, inode, NULL, size, 0, NULL);
}
