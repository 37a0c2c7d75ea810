/* Requests of the kernel that may have to wait, and their interruption.
 *
 * An operation is either being run or in the list of those that wait, with
 * exactly one waiter; the answer ends it. So whoever finds one in the list, be
 * it an interrupt or the end of the mount, may fail it on the spot.
 *
 * libfuse reports an interrupt with its locks held. Hence only a source is
 * set up then, and the answer given from there. */
#include "fs/kernel/operation.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/process.h"

#include <errno.h>

/* So often may what an operation waited for be complete without its having
 * got an answer out of it. Mere progress does not count: a large message
 * makes a lot of it. */
#define MAX_COMPLETIONS 1000

/* The kernel tells of the first signal alone: so often it is looked for others
 * that are to end the program, when the first was not. */
#define SIGNALS_MS 100

/* How often somebody looks after those that wait. */
#define WATCH_MS 250

static GQueue waiting = G_QUEUE_INIT; /* of FsOperation, by their links */
/* How many of those are on an inode of a bucket's. */
#define BUCKETS 1024
static guint waiting_at[BUCKETS];
static guint watch_timer; /* 0: none wait, or nobody watches */

/* What is said of all operations of one owner. */
typedef struct {
    void (*watch)(gpointer user_data); /* NULL: nobody watches */
    gpointer watch_data;
    int ending; /* the errno of whoever would wait; 0: not yet */
} Owner;

static GHashTable *owners; /* user_data -> Owner, owned; NULL: none yet */

static Owner *
owner_of(gconstpointer user_data)
{
    Owner *owner;

    if (owners == NULL)
        owners = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    owner = g_hash_table_lookup(owners, user_data);
    if (owner == NULL) {
        owner = g_new0(Owner, 1);
        g_hash_table_insert(owners, (gpointer)user_data, owner);
    }
    return owner;
}

void
fs_operation_forget_owner(gconstpointer owner)
{
    if (owners == NULL || !g_hash_table_remove(owners, owner) ||
        g_hash_table_size(owners) > 0)
        return;
    g_clear_pointer(&owners, g_hash_table_unref);
    g_clear_handle_id(&watch_timer, g_source_remove);
}

static guint *
bucket_of(guint64 inode)
{
    /* Mailboxes differ in the upper half, messages in the lower. */
    return &waiting_at[(inode ^ inode >> 32) % BUCKETS];
}

static void
stop_waiting(FsOperation *operation)
{
    operation->waiter = NULL;
    operation->need = NULL;
    g_queue_unlink(&waiting, &operation->link);
    (*bucket_of(operation->inode))--;
}

static void
free_operation(FsOperation *operation)
{
    if (operation->waiter != NULL) {
        fs_need_cancel(operation->waiter);
        stop_waiting(operation);
    }
    g_clear_handle_id(&operation->interrupt_source, g_source_remove);
    if (operation->memory != NULL && operation->free_memory != NULL)
        operation->free_memory(operation->memory);
    g_free(operation->name);
    g_free(operation);
}

static void
run(FsOperation *operation)
{
    operation->runs++;
    operation->run(operation);
}

static FsOperation *
new_operation(fuse_req_t request, FsOperationFunc func, fuse_ino_t inode,
              const char *name, gsize size, off_t offset,
              const struct fuse_file_info *file)
{
    FsOperation *operation = g_new0(FsOperation, 1);

    operation->request = request;
    operation->run = func;
    operation->inode = inode;
    operation->name = g_strdup(name);
    operation->size = size;
    operation->offset = offset;
    operation->user_data = fuse_req_userdata(request);
    operation->since = operation->moved_at = g_get_monotonic_time();
    operation->link.data = operation;
    if (file != NULL) {
        operation->has_file = TRUE;
        operation->file = *file;
    }
    return operation;
}

void
fs_operation_start(fuse_req_t request, FsOperationFunc func, fuse_ino_t inode,
                   const char *name, gsize size, off_t offset,
                   const struct fuse_file_info *file)
{
    run(new_operation(request, func, inode, name, size, offset, file));
}

void
fs_operation_start_with(fuse_req_t request, FsOperationFunc func,
                        fuse_ino_t inode, const char *name, off_t offset,
                        const struct fuse_file_info *file, gpointer memory,
                        GDestroyNotify free_memory)
{
    FsOperation *operation =
        new_operation(request, func, inode, name, 0, offset, file);

    operation->memory = memory;
    operation->free_memory = free_memory;
    run(operation);
}

static gboolean
on_interrupt(gpointer user_data)
{
    FsOperation *operation = user_data;

    operation->interrupt_source = 0;
    if (fs_process_is_to_end(fs_operation_sender(operation)))
        fs_operation_fail(operation, EINTR);
    else
        operation->interrupt_source =
            g_timeout_add(SIGNALS_MS, on_interrupt, operation);
    return G_SOURCE_REMOVE;
}

static void
interrupted(fuse_req_t request, void *data)
{
    FsOperation *operation = data;

    if (operation->interrupt_source == 0)
        operation->interrupt_source =
            g_idle_add_full(G_PRIORITY_HIGH, on_interrupt, operation, NULL);
}

static void
need_moved_on(const GError *error, gpointer user_data)
{
    FsOperation *operation = user_data;

    if (fs_need_is_complete(operation->need))
        operation->completions++;
    operation->moved_at = g_get_monotonic_time();
    stop_waiting(operation);

    if (error != NULL && !operation->sees_errors) {
        fs_operation_fail_with(operation, error);
    } else if (operation->completions > MAX_COMPLETIONS) {
        g_message("A request on inode %" G_GUINT64_FORMAT
                  " was run %u times without an end; it fails",
                  (guint64)operation->inode, operation->runs);
        fs_operation_fail(operation, EIO);
    } else {
        run(operation);
    }
}

/* ---- looking after those that wait ---- */

static gboolean
on_watch(gpointer user_data)
{
    GHashTableIter iter;
    gpointer value;
    gboolean watched = FALSE;

    g_hash_table_iter_init(&iter, owners);
    while (waiting.length > 0 && g_hash_table_iter_next(&iter, NULL, &value)) {
        const Owner *owner = value;

        if (owner->watch == NULL)
            continue;
        watched = TRUE;
        owner->watch(owner->watch_data);
    }
    if (watched)
        return G_SOURCE_CONTINUE;
    watch_timer = 0;
    return G_SOURCE_REMOVE;
}

void
fs_operation_set_watch(gconstpointer owner, void (*func)(gpointer user_data),
                       gpointer user_data)
{
    Owner *watched = owner_of(owner);

    watched->watch = func;
    watched->watch_data = user_data;
}

void
fs_operation_run_all_again(gconstpointer owner)
{
    /* Those that wait on, and those of others, go to the end. */
    for (guint left = waiting.length; left > 0 && waiting.head != NULL;
         left--) {
        FsOperation *operation = waiting.head->data;

        if (operation->user_data != owner) {
            g_queue_push_tail_link(&waiting, g_queue_pop_head_link(&waiting));
            continue;
        }
        fs_need_cancel(operation->waiter);
        stop_waiting(operation);
        run(operation);
    }
}

void
fs_operation_fail_older(gconstpointer owner, gint64 when, int error_number)
{
    GList *next;

    for (GList *link = waiting.head; link != NULL; link = next) {
        FsOperation *operation = link->data;

        next = link->next;
        if (operation->user_data == owner && !operation->patient &&
            !fs_need_is_local(operation->need) && operation->moved_at < when)
            fs_operation_fail(operation, error_number);
    }
}

/* ---- waiting ---- */

static void
wait_for(FsOperation *operation, FsNeed *need, gboolean sees_errors)
{
    const Owner *owner = owner_of(operation->user_data);

    if (owner->ending != 0) {
        fs_operation_fail(operation, owner->ending);
        return;
    }
    operation->sees_errors = sees_errors;
    operation->need = need;
    operation->waiter = fs_need_wait(need, need_moved_on, operation);
    g_queue_push_tail_link(&waiting, &operation->link);
    (*bucket_of(operation->inode))++;
    if (watch_timer == 0 && owner->watch != NULL && !operation->patient)
        watch_timer = g_timeout_add(WATCH_MS, on_watch, NULL);

    /* Most requests are answered in their first run and need none of this.
     * An interrupt that came earlier is reported inside this call. */
    if (operation->runs == 1)
        fuse_req_interrupt_func(operation->request, interrupted, operation);
}

pid_t
fs_operation_sender(const FsOperation *operation)
{
    return fuse_req_ctx(operation->request)->pid;
}

void
fs_operation_wait(FsOperation *operation, FsNeed *need)
{
    wait_for(operation, need, FALSE);
}

void
fs_operation_wait_any(FsOperation *operation, FsNeed *need)
{
    wait_for(operation, need, TRUE);
}

void
fs_operation_fail(FsOperation *operation, int error_number)
{
    fuse_reply_err(operation->request, error_number);
    free_operation(operation);
}

void
fs_operation_fail_with(FsOperation *operation, const GError *error)
{
    fs_operation_fail(operation, fs_errno_from_error(error));
}

void
fs_operation_reply_done(FsOperation *operation)
{
    fs_operation_fail(operation, 0);
}

void
fs_operation_reply_entry(FsOperation *operation,
                         const struct fuse_entry_param *entry)
{
    fuse_reply_entry(operation->request, entry);
    free_operation(operation);
}

void
fs_operation_reply_attr(FsOperation *operation, const struct stat *attr,
                        double timeout)
{
    fuse_reply_attr(operation->request, attr, timeout);
    free_operation(operation);
}

gboolean
fs_operation_reply_open(FsOperation *operation,
                        const struct fuse_file_info *file)
{
    int result = fuse_reply_open(operation->request, file);

    free_operation(operation);
    return result == 0;
}

gboolean
fs_operation_reply_create(FsOperation *operation,
                          const struct fuse_entry_param *entry,
                          const struct fuse_file_info *file)
{
    int result = fuse_reply_create(operation->request, entry, file);

    free_operation(operation);
    return result == 0;
}

void
fs_operation_reply_link(FsOperation *operation, const char *target)
{
    fuse_reply_readlink(operation->request, target);
    free_operation(operation);
}

void
fs_operation_reply_write(FsOperation *operation, gsize size)
{
    fuse_reply_write(operation->request, size);
    free_operation(operation);
}

void
fs_operation_reply_statfs(FsOperation *operation, const struct statvfs *statfs)
{
    fuse_reply_statfs(operation->request, statfs);
    free_operation(operation);
}

void
fs_operation_reply_buffer(FsOperation *operation, const void *data, gsize size)
{
    fuse_reply_buf(operation->request, data, size);
    free_operation(operation);
}

void
fs_operation_reply_xattr(FsOperation *operation, gsize size)
{
    fuse_reply_xattr(operation->request, size);
    free_operation(operation);
}

guint
fs_operation_n_waiting(gconstpointer owner)
{
    guint count = 0;

    for (const GList *link = waiting.head; link != NULL; link = link->next)
        count += ((const FsOperation *)link->data)->user_data == owner;
    return count;
}

gboolean
fs_operation_waits_at(guint64 inode)
{
    return *bucket_of(inode) > 0;
}

void
fs_operation_fail_all(gconstpointer owner, int error_number)
{
    owner_of(owner)->ending = error_number;
    for (guint left = waiting.length; left > 0 && waiting.head != NULL;
         left--) {
        FsOperation *operation = waiting.head->data;

        if (operation->user_data == owner)
            fs_operation_fail(operation, error_number);
        else
            g_queue_push_tail_link(&waiting, g_queue_pop_head_link(&waiting));
    }
}
