/* The kernel's requests on files.
 *
 * The size that the kernel is told by the reply to LOOKUP may be a server's
 * lie. So OPEN waits until the real size is certain, tells the kernel to ask
 * for the attributes again, and only then is answered: whoever reads after that
 * gets the message, not cut and not padded. */
#include "fs/kernel/file-handlers.h"

#include "fs/bodies/message-bodies.h"
#include "fs/changes/changes.h"
#include "fs/changes/overlay.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/page-fill.h"
#include "fs/names/mailbox-layout.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/rights.h"
#include "fs/writing/writing.h"

#include <errno.h>
#include <string.h>

struct FsFileHandlers {
    FsAccount *account;
    FsNameSpace *names;
    struct fuse_session *fuse; /* for notifications */
    GHashTable *open_files;    /* of FsReader, owned */
    FsPageFill *page_fill;
};

static FsFileHandlers *
handlers_of(const FsOperation *operation)
{
    return fs_handlers_files(operation->user_data);
}

static void
free_reader(gpointer reader)
{
    fs_reader_free(reader);
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
fill_pages(FsFileHandlers *handlers, fuse_ino_t inode, FsReader *reader)
{
    GBytes *content;

    if (!fs_page_fill_is_due(handlers->page_fill, inode))
        return;
    content = fs_reader_content(reader);
    if (content != NULL)
        fs_page_fill_give(handlers->page_fill, inode, content);
}

static void
close_file(FsFileHandlers *handlers, fuse_ino_t inode, FsReader *reader)
{
    fs_page_fill_closed(handlers->page_fill, inode);
    g_hash_table_remove(handlers->open_files, reader);
}

/* Whether it is to be marked as seen once it has been read: not for who wants
 * to leave no trace (O_NOATIME), as backup programs do, nor by a program that
 * goes through all files: nobody has seen it then; nor where the server would
 * refuse it. */
static gboolean
is_to_be_marked(const FsOperation *operation)
{
    const FsAccount *account = handlers_of(operation)->account;
    g_autofree char *flags = NULL;
    FsObstacle obstacle = {0};
    CacheMessage message;
    FsEntry entry;

    if (!account->options->mark_seen || account->options->read_only ||
        (operation->file.flags & O_NOATIME) != 0 ||
        fs_crawlers_has(fs_handlers_crawlers(operation->user_data),
                        fs_operation_sender(operation)) ||
        fs_name_space_describe(handlers_of(operation)->names, operation->inode,
                               &entry, &obstacle) != FS_ANSWER_FOUND ||
        !cache_index_message(account->index, entry.mailbox, entry.uid,
                             &message) ||
        !fs_rights_may_flag(
            fs_writing_rights(fs_handlers_writing(operation->user_data)),
            entry.mailbox, "\\Seen", ""))
        return FALSE;
    flags = fs_changes_flags(account->changes, entry.mailbox, entry.uid,
                             message.flags);
    return flags == NULL || strstr(flags, "\\Seen") == NULL;
}

static void
reply_open(FsOperation *operation, FsReader *reader)
{
    FsFileHandlers *handlers = handlers_of(operation);
    fuse_ino_t inode = operation->inode;
    /* What the kernel has of a changed one goes with this open. What it has it
     * gives without a READ, from which alone we know that it was read. */
    gboolean is_kernel_s =
        !fs_handlers_is_changed(operation->user_data, inode) &&
        !is_to_be_marked(operation);

    if (is_kernel_s)
        fill_pages(handlers, inode, reader);
    operation->file.fh = (guintptr)reader;
    operation->file.keep_cache = is_kernel_s;
    operation->file.noflush = 1;
    g_hash_table_add(handlers->open_files, reader);
    fs_page_fill_opened(handlers->page_fill, inode);
    if (!fs_operation_reply_open(operation, &operation->file))
        close_file(handlers, inode, reader);
}

/* What an open remembers while it waits. */
typedef struct {
    guint32 mailbox;
    guint32 uid;
    guint64 announced; /* the size that the kernel may have */
    FsNeed *need;      /* the last that was waited for; a reference, or NULL */
} Opening;

static void
opening_free(gpointer data)
{
    Opening *opening = data;

    fs_need_unref(opening->need);
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

/* FALSE, and the operation has been dealt with, when it is no message. */
static gboolean
begin_opening(FsOperation *operation)
{
    FsFileHandlers *handlers = handlers_of(operation);
    FsObstacle obstacle = {0};
    FsAnswer answer;
    Opening *opening;
    FsNeed *need;
    FsEntry entry;

    answer = fs_name_space_describe(handlers->names, operation->inode, &entry,
                                    &obstacle);
    if (answer != FS_ANSWER_FOUND) {
        answer_obstacle(operation, answer, &obstacle);
        return FALSE;
    }
    if (entry.uid == 0) {
        fs_operation_fail(operation, EISDIR);
        return FALSE;
    }
    need = operation->runs <= FS_MESSAGE_NEED_RUNS
               ? fs_message_need(handlers->account, &entry)
               : NULL;
    if (need != NULL) {
        fs_operation_wait(operation, need);
        return FALSE;
    }
    opening = g_new0(Opening, 1);
    opening->mailbox = entry.mailbox;
    opening->uid = entry.uid;
    opening->announced = entry.attributes.st_size;
    operation->memory = opening;
    operation->free_memory = opening_free;
    return TRUE;
}

/* What it waited for has failed. A guest may be elsewhere by now, moved while
 * it was being fetched: then it is begun anew, and TRUE. */
static gboolean
begins_again(FsOperation *operation, const GError *error)
{
    const FsAccount *account = handlers_of(operation)->account;

    if ((!g_error_matches(error, FS_ERROR, FS_ERROR_GONE) &&
         !g_error_matches(error, FS_ERROR, FS_ERROR_STALE)) ||
        operation->runs > FS_MESSAGE_NEED_RUNS ||
        fs_overlay_guest_by_inode(account->overlay, operation->inode) == NULL)
        return FALSE;
    g_clear_pointer(&operation->memory, opening_free);
    return TRUE;
}

/* A crawler gets what is at hand, and nothing is fetched ahead of it. FALSE: it
 * is none. */
static gboolean
serves_crawler(FsOperation *operation, const Opening *opening)
{
    FsCrawlers *crawlers = fs_handlers_crawlers(operation->user_data);
    FsMessageBodies *bodies = handlers_of(operation)->account->bodies;
    pid_t sender = fs_operation_sender(operation);
    guint64 size;

    if (!fs_crawlers_has(crawlers, sender))
        return FALSE;
    if (fs_message_bodies_at_hand(bodies, opening->mailbox, opening->uid,
                                  &size)) {
        correct_size(handlers_of(operation), operation->inode,
                     opening->announced, size);
        reply_open(operation,
                   fs_reader_new(bodies, opening->mailbox, opening->uid, size));
    } else {
        fs_crawlers_note(crawlers, sender);
        fs_operation_fail(operation, EACCES);
    }
    return TRUE;
}

static void
run_open(FsOperation *operation)
{
    FsFileHandlers *handlers = handlers_of(operation);
    FsMessageBodies *bodies = handlers->account->bodies;
    g_autoptr(FsNeed) need = NULL;
    Opening *opening = operation->memory;
    const GError *error = NULL;
    guint64 size;

    if (opening != NULL && opening->need != NULL)
        error = fs_need_error(opening->need);
    if (error != NULL && !begins_again(operation, error)) {
        fs_operation_fail_with(operation, error);
        return;
    }
    if (operation->memory == NULL && !begin_opening(operation))
        return;
    opening = operation->memory;
    if (serves_crawler(operation, opening))
        return;
    need = fs_message_bodies_open(bodies, opening->mailbox, opening->uid,
                                  fs_operation_sender(operation), &size);
    if (need != NULL) {
        fs_need_unref(opening->need);
        opening->need = g_steal_pointer(&need);
        fs_operation_wait_any(operation, opening->need);
        return;
    }
    correct_size(handlers, operation->inode, opening->announced, size);
    reply_open(operation,
               fs_reader_new(bodies, opening->mailbox, opening->uid, size));
}

void
fs_file_handlers_open(fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file)
{
    if ((file->flags & O_ACCMODE) != O_RDONLY || (file->flags & O_TRUNC) != 0)
        fuse_reply_err(request, EROFS);
    else
        fs_operation_start(request, run_open, inode, NULL, 0, 0, file);
}

/* Who has read a message whole has seen it. */
static void
mark_seen(FsOperation *operation, const FsReader *reader)
{
    const FsAccount *account = handlers_of(operation)->account;
    g_autoptr(FsPending) pending = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(FsNeed) earlier = NULL;
    FsNeed *need = NULL;

    if (!fs_reader_has_read_all(reader) || !is_to_be_marked(operation))
        return;
    pending = fs_changes_set_flags(account->changes, operation->inode, "\\Seen",
                                   "", &need, &error);
    earlier = need;
    if (error != NULL)
        fs_account_say(account, "A message cannot be marked as read: %s",
                       error->message);
}

static void
run_read(FsOperation *operation)
{
    FsReader *reader = (FsReader *)(guintptr)operation->file.fh;
    guint64 size = fs_reader_size(reader);
    guint64 offset = operation->offset;
    g_autoptr(FsNeed) need = NULL;
    g_autofree char *buffer = NULL;
    gssize length;

    if (offset < size)
        buffer = g_malloc(MIN(operation->size, size - offset));
    length = fs_reader_read(reader, offset, buffer, operation->size, &need);
    if (length < 0) {
        fs_operation_wait(operation, need);
        return;
    }
    mark_seen(operation, reader);
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

    close_file(handlers, inode, (FsReader *)(guintptr)file->fh);
    fuse_reply_err(request, 0);
}

/* Nobody may be waiting for the message any more, and still the kernel has to
 * forget the size that it was told. */
static void
on_resized(guint32 mailbox, guint32 uid, gpointer user_data)
{
    FsFileHandlers *handlers = user_data;
    const FsGuest *guest =
        fs_overlay_guest_by_uid(handlers->account->overlay, mailbox, uid);
    guint64 inode =
        guest != NULL ? guest->inode
                      : fs_inode_make(handlers->account->number, mailbox, uid);

    fuse_lowlevel_notify_inval_inode(handlers->fuse, inode, -1, 0);
}

FsFileHandlers *
fs_file_handlers_new(FsAccount *account, FsNameSpace *names)
{
    FsFileHandlers *handlers = g_new0(FsFileHandlers, 1);

    handlers->account = account;
    handlers->names = names;
    handlers->open_files = g_hash_table_new_full(NULL, NULL, free_reader, NULL);
    handlers->page_fill = fs_page_fill_new();
    return handlers;
}

void
fs_file_handlers_free(FsFileHandlers *handlers)
{
    if (handlers == NULL)
        return;
    fs_message_bodies_set_resized(handlers->account->bodies, NULL, NULL);
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(handlers->open_files);
    fs_page_fill_free(handlers->page_fill);
    g_free(handlers);
}

void
fs_file_handlers_attach(FsFileHandlers *handlers, struct fuse_session *fuse)
{
    handlers->fuse = fuse;
    fs_page_fill_attach(handlers->page_fill, fuse);
    fs_message_bodies_set_resized(handlers->account->bodies, on_resized,
                                  handlers);
}
