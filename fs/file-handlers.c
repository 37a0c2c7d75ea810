/* The kernel's requests on files.
 *
 * The size that the kernel is told by the reply to LOOKUP may be a server's
 * lie. So OPEN waits until the real size is certain, tells the kernel to ask
 * for the attributes again, and only then is answered: whoever reads after that
 * gets the message, not cut and not padded. */
#include "fs/file-handlers.h"

#include "fs/body-transfer.h"
#include "fs/handlers.h"
#include "fs/inode.h"
#include "fs/operation.h"

#include <errno.h>

struct FsFileHandlers {
    FsAccount *account;
    FsNameSpace *names;
    struct fuse_session *fuse; /* for notifications */
    GHashTable *open_files;    /* of OpenFile, owned */
};

/* An open file: the body, and while it is still arriving, its transfer. */
typedef struct {
    CacheBody *body;
    FsTransfer *transfer; /* NULL when the body is whole */
} OpenFile;

static FsFileHandlers *
handlers_of(const FsOperation *operation)
{
    return fs_handlers_files(operation->user_data);
}

static void
open_file_free(gpointer data)
{
    OpenFile *file = data;

    cache_body_unref(file->body);
    fs_transfer_unref(file->transfer);
    g_free(file);
}

/* Whether the kernel's size of the message is the body's. */
static void
correct_size(FsFileHandlers *handlers, fuse_ino_t inode, guint64 announced,
             guint64 size)
{
    /* Safe on the loop: attributes alone, of a file nobody reads yet. */
    if (announced != size)
        fuse_lowlevel_notify_inval_inode(handlers->fuse, inode, -1, 0);
}

static void
reply_open(FsOperation *operation, CacheBody *body, FsTransfer *transfer)
{
    FsFileHandlers *handlers = handlers_of(operation);
    OpenFile *open_file = g_new0(OpenFile, 1);

    open_file->body = body;
    open_file->transfer = transfer;
    operation->file.fh = (guintptr)open_file;
    operation->file.keep_cache = 1;
    operation->file.noflush = 1;
    g_hash_table_add(handlers->open_files, open_file);
    if (!fs_operation_reply_open(operation, &operation->file))
        g_hash_table_remove(handlers->open_files, open_file);
}

/* What an open remembers while it waits. */
typedef struct {
    FsTransfer *transfer;
    guint64 announced; /* the size that the kernel may have */
} Opening;

static void
opening_free(gpointer data)
{
    Opening *opening = data;

    fs_transfer_unref(opening->transfer);
    g_free(opening);
}

static void
answer_obstacle(FsOperation *operation, FsAnswer answer,
                const FsObstacle *obstacle)
{
    if (answer == FS_ANSWER_WAIT)
        fs_operation_wait(operation, obstacle->need);
    else if (answer == FS_ANSWER_NONE)
        fs_operation_fail(operation, ENOENT);
    else
        fs_operation_fail(operation, obstacle->error_number);
}

static void
run_open(FsOperation *operation)
{
    FsFileHandlers *handlers = handlers_of(operation);
    FsTransfers *transfers = handlers->account->transfers;
    Opening *opening = operation->memory;
    FsObstacle obstacle = {0};
    CacheBody *body;
    FsAnswer answer;
    FsEntry entry;

    if (opening == NULL) {
        answer = fs_name_space_describe(handlers->names, operation->inode,
                                        &entry, &obstacle);
        if (answer != FS_ANSWER_FOUND) {
            answer_obstacle(operation, answer, &obstacle);
            return;
        }
        if (entry.uid == 0) {
            fs_operation_fail(operation, EISDIR);
            return;
        }
        body = fs_transfers_find(transfers, entry.mailbox, entry.uid);
        if (body != NULL) {
            correct_size(handlers, operation->inode, entry.attributes.st_size,
                         cache_body_size(body));
            reply_open(operation, body, NULL);
            return;
        }
        opening = g_new0(Opening, 1);
        opening->announced = entry.attributes.st_size;
        opening->transfer =
            fs_transfers_get(transfers, entry.mailbox, entry.uid);
        operation->memory = opening;
        operation->free_memory = opening_free;
    }
    body = fs_transfer_body(opening->transfer);
    if (body == NULL) {
        fs_operation_wait(operation, fs_transfer_need(opening->transfer));
        return;
    }
    correct_size(handlers, operation->inode, opening->announced,
                 cache_body_size(body));
    reply_open(operation, cache_body_ref(body),
               fs_transfer_ref(opening->transfer));
}

void
fs_file_handlers_open(fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file)
{
    if ((file->flags & O_ACCMODE) != O_RDONLY)
        fuse_reply_err(request, EROFS);
    else
        fs_operation_start(request, run_open, inode, NULL, 0, 0, file);
}

static void
run_read(FsOperation *operation)
{
    OpenFile *file = (OpenFile *)(guintptr)operation->file.fh;
    guint64 size = cache_body_size(file->body);
    guint64 offset = operation->offset;
    guint64 end = MIN(size, offset + operation->size);
    g_autoptr(GError) error = NULL;
    g_autofree char *buffer = NULL;
    gssize length;

    if (offset >= size) {
        fs_operation_reply_buffer(operation, NULL, 0);
        return;
    }
    if (cache_body_available(file->body) < end) {
        if (cache_body_error(file->body) != NULL)
            fs_operation_fail_with(operation, cache_body_error(file->body));
        else if (file->transfer == NULL)
            fs_operation_fail(operation, EIO);
        else
            fs_operation_wait(operation, fs_transfer_need(file->transfer));
        return;
    }
    buffer = g_malloc(end - offset);
    length = cache_body_read(file->body, offset, buffer, end - offset, &error);
    if (length < 0)
        fs_operation_fail_with(operation, error);
    else
        fs_operation_reply_buffer(operation, buffer, length);
}

void
fs_file_handlers_read(fuse_req_t request, fuse_ino_t inode, size_t size,
                      off_t offset, struct fuse_file_info *file)
{
    fs_operation_start(request, run_read, inode, NULL, size, offset, file);
}

void
fs_file_handlers_release(fuse_req_t request, fuse_ino_t inode,
                         struct fuse_file_info *file)
{
    FsFileHandlers *handlers = fs_handlers_files(fuse_req_userdata(request));

    g_hash_table_remove(handlers->open_files, (gpointer)(guintptr)file->fh);
    fuse_reply_err(request, 0);
}

/* Nobody may be waiting for the message any more, and still the kernel has to
 * forget the size that it was told. */
static void
on_resized(guint32 mailbox, guint32 uid, gpointer user_data)
{
    FsFileHandlers *handlers = user_data;
    guint64 inode = fs_inode_make(handlers->account->number, mailbox, uid);

    fuse_lowlevel_notify_inval_inode(handlers->fuse, inode, -1, 0);
}

FsFileHandlers *
fs_file_handlers_new(FsAccount *account, FsNameSpace *names)
{
    FsFileHandlers *handlers = g_new0(FsFileHandlers, 1);

    handlers->account = account;
    handlers->names = names;
    handlers->open_files =
        g_hash_table_new_full(NULL, NULL, open_file_free, NULL);
    return handlers;
}

void
fs_file_handlers_free(FsFileHandlers *handlers)
{
    if (handlers == NULL)
        return;
    fs_transfers_set_resized(handlers->account->transfers, NULL, NULL);
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(handlers->open_files);
    g_free(handlers);
}

void
fs_file_handlers_attach(FsFileHandlers *handlers, struct fuse_session *fuse)
{
    handlers->fuse = fuse;
    fs_transfers_set_resized(handlers->account->transfers, on_resized,
                             handlers);
}
