/* The requests of the kernel. Each handler reads from top to bottom: it takes
 * its answer from the name space, or waits for what is missing and is run
 * again. Those of open files are in fs/file-handlers.c. */
#include "fs/handlers.h"

#include "fs/file-handlers.h"
#include "fs/inode.h"
#include "fs/message-bodies.h"
#include "fs/operation.h"

#include <errno.h>
#include <string.h>

struct FsHandlers {
    FsAccount *account;
    FsNameSpace *names;
    FsFileHandlers *files;
};

static FsHandlers *
handlers_of(const FsOperation *operation)
{
    return operation->user_data;
}

/* The kernel may believe names and attributes for as long as we ourselves do
 * not ask the server again. */
static double
validity(const FsHandlers *handlers)
{
    return handlers->account->options->poll_seconds;
}

/* Waits, or fails, as @answer says; FS_ANSWER_NONE is @none_errno. */
static void
answer_obstacle(FsOperation *operation, FsAnswer answer,
                const FsObstacle *obstacle, int none_errno)
{
    if (answer == FS_ANSWER_WAIT)
        fs_operation_wait(operation, obstacle->need);
    else if (answer == FS_ANSWER_NONE)
        fs_operation_fail(operation, none_errno);
    else
        fs_operation_fail(operation, obstacle->error_number);
}

/* ---- look-ups and attributes ---- */

static void
fill_entry(const FsHandlers *handlers, const FsEntry *entry,
           struct fuse_entry_param *param)
{
    memset(param, 0, sizeof *param);
    param->ino = entry->inode;
    param->attr = entry->attributes;
    param->attr_timeout = validity(handlers);
    param->entry_timeout = validity(handlers);
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
        answer_obstacle(operation, answer, &obstacle, ENOENT);
        return;
    }
    fill_entry(handlers, &entry, &param);
    fs_operation_reply_entry(operation, &param);
}

static void
handle_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fs_operation_start(request, run_lookup, parent, name, 0, 0, NULL);
}

static void
run_getattr(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    FsObstacle obstacle = {0};
    FsEntry entry;
    FsAnswer answer = fs_name_space_describe(handlers->names, operation->inode,
                                             &entry, &obstacle);

    if (answer != FS_ANSWER_FOUND)
        answer_obstacle(operation, answer, &obstacle, ESTALE);
    else
        fs_operation_reply_attr(operation, &entry.attributes,
                                validity(handlers));
}

static void
handle_getattr(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    fs_operation_start(request, run_getattr, inode, NULL, 0, 0, NULL);
}

/* ---- directories ---- */

static void
reply_opendir(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);

    if (operation->inode != FS_INODE_ROOT)
        fs_message_bodies_listed(handlers->account->bodies,
                                 fs_inode_mailbox(operation->inode));
    fs_operation_reply_open(operation, &operation->file);
}

static void
run_opendir(FsOperation *operation)
{
    FsHandlers *handlers = handlers_of(operation);
    FsObstacle obstacle = {0};
    FsAnswer answer = fs_name_space_open_directory(
        handlers->names, operation->inode, operation->since, &obstacle);

    if (answer != FS_ANSWER_FOUND)
        answer_obstacle(operation, answer, &obstacle, ESTALE);
    else
        reply_opendir(operation);
}

static void
handle_opendir(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    fs_operation_start(request, run_opendir, inode, NULL, 0, 0, file);
}

/* A directory's entries go to the kernel in portions of its buffer's size. The
 * offset of an entry is the cookie of the name space plus 3: "." and ".." have
 * 1 and 2, and 0 is the beginning. */
#define DOT_ENTRIES 3

typedef struct {
    FsOperation *operation;
    gboolean plus;
    char *buffer;
    gsize used;
} Portion;

static gboolean
portion_add(Portion *portion, const FsEntry *entry, const char *name,
            off_t offset)
{
    FsOperation *operation = portion->operation;
    gsize room = operation->size - portion->used;
    char *place = portion->buffer + portion->used;
    struct fuse_entry_param param;
    gsize needed;

    fill_entry(handlers_of(operation), entry, &param);
    if (portion->plus) {
        /* Of "." and ".." the kernel keeps no count. */
        if (offset < DOT_ENTRIES)
            param.ino = 0;
        needed = fuse_add_direntry_plus(operation->request, place, room, name,
                                        &param, offset);
    } else {
        needed = fuse_add_direntry(operation->request, place, room, name,
                                   &param.attr, offset);
    }
    if (needed > room)
        return FALSE;
    portion->used += needed;
    return TRUE;
}

/* FALSE when the portion is full. */
static gboolean
add_dots(Portion *portion)
{
    static const char *const names[] = {".", ".."};
    FsEntry entry = {0};

    entry.attributes.st_mode = S_IFDIR;
    entry.attributes.st_ino = portion->operation->inode;
    entry.inode = portion->operation->inode;
    for (off_t offset = portion->operation->offset; offset < 2; offset++)
        if (!portion_add(portion, &entry, names[offset], offset + 1))
            return FALSE;
    return TRUE;
}

static void
run_readdir_as(FsOperation *operation, gboolean plus)
{
    FsHandlers *handlers = handlers_of(operation);
    g_autofree char *buffer = g_malloc(operation->size);
    Portion portion = {operation, plus, buffer, 0};
    guint64 cookie =
        operation->offset > 2 ? operation->offset - DOT_ENTRIES : 0;
    FsObstacle obstacle = {0};
    FsAnswer answer = FS_ANSWER_FOUND;
    gboolean room = add_dots(&portion);
    FsEntry entry;

    while (room && answer == FS_ANSWER_FOUND) {
        answer = fs_name_space_next(handlers->names, operation->inode, cookie,
                                    &entry, &obstacle);
        if (answer == FS_ANSWER_FOUND) {
            room = portion_add(&portion, &entry, entry.name,
                               entry.cookie + DOT_ENTRIES);
            cookie = entry.cookie;
        }
    }
    /* What is there goes out first; an empty answer is the end, so it is given
     * at the end alone. */
    if (portion.used > 0 || answer == FS_ANSWER_NONE)
        fs_operation_reply_buffer(operation, buffer, portion.used);
    else if (answer == FS_ANSWER_FOUND)
        fs_operation_fail(operation, EINVAL);
    else
        answer_obstacle(operation, answer, &obstacle, ESTALE);
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
    fs_operation_start(request, run_readdir, inode, NULL,
                       MIN(size, MAX_PORTION), offset, file);
}

static void
handle_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                   off_t offset, struct fuse_file_info *file)
{
    fs_operation_start(request, run_readdirplus, inode, NULL,
                       MIN(size, MAX_PORTION), offset, file);
}

/* ---- the file system as a whole ---- */

/* A server's free space is not known: a large number stands for it, for tools
 * that look before they copy; none of it can be had of a read-only mount. */
#define BLOCKS_BEYOND ((fsblkcnt_t)1 << 30)

static void
handle_statfs(fuse_req_t request, fuse_ino_t inode)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    struct statvfs statfs = {0};
    guint64 messages;
    guint64 octets;

    cache_index_totals(handlers->account->index, &messages, &octets);
    statfs.f_bsize = statfs.f_frsize = 4096;
    statfs.f_blocks = (octets + 4095) / 4096 + BLOCKS_BEYOND;
    statfs.f_bfree = statfs.f_bavail = BLOCKS_BEYOND;
    statfs.f_files = messages + BLOCKS_BEYOND;
    statfs.f_ffree = statfs.f_favail = BLOCKS_BEYOND;
    statfs.f_namemax = 255;
    fuse_reply_statfs(request, &statfs);
}

FsHandlers *
fs_handlers_new(FsAccount *account, FsNameSpace *names)
{
    FsHandlers *handlers = g_new0(FsHandlers, 1);

    handlers->account = account;
    handlers->names = names;
    handlers->files = fs_file_handlers_new(account, names);
    return handlers;
}

void
fs_handlers_free(FsHandlers *handlers)
{
    if (handlers == NULL)
        return;
    fs_file_handlers_free(handlers->files);
    g_free(handlers);
}

void
fs_handlers_attach(FsHandlers *handlers, struct fuse_session *fuse)
{
    fs_file_handlers_attach(handlers->files, fuse);
}

FsFileHandlers *
fs_handlers_files(FsHandlers *handlers)
{
    return handlers->files;
}

const struct fuse_lowlevel_ops fs_handlers_ops = {
    .lookup = handle_lookup,
    .getattr = handle_getattr,
    .opendir = handle_opendir,
    .readdir = handle_readdir,
    .readdirplus = handle_readdirplus,
    .open = fs_file_handlers_open,
    .read = fs_file_handlers_read,
    .release = fs_file_handlers_release,
    .statfs = handle_statfs,
};
