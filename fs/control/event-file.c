/* One open file of events. */
#include "fs/control/event-file.h"

#include "fs/kernel/operation.h"

#include <errno.h>
#include <poll.h>

/* A read gets no more at a time. */
#define READ_MAX (256u * 1024)

struct FsEventFile {
    FsEventReader *reader;
    FsNeed *need;   /* moves on when there is something to read */
    GQueue waiting; /* of FsOperation, by the links of their Waiting */
    struct fuse_pollhandle *poll_handle; /* NULL: nobody waits in poll */
};

/* What a read keeps while it waits. */
typedef struct {
    FsEventFile *file;
    GList link;
} Waiting;

static void
drop_poll_handle(FsEventFile *file)
{
    if (file->poll_handle != NULL)
        fuse_pollhandle_destroy(g_steal_pointer(&file->poll_handle));
}

/* A FsEventReadyFunc. Telling who polls is safe on the loop. */
static void
on_ready(gpointer user_data)
{
    FsEventFile *file = user_data;

    fs_need_progress(file->need);
    if (file->poll_handle != NULL)
        fuse_lowlevel_notify_poll(file->poll_handle);
    drop_poll_handle(file);
}

FsEventFile *
fs_event_file_new(FsEvents *events)
{
    FsEventFile *file = g_new0(FsEventFile, 1);

    file->reader = fs_event_reader_new(events, on_ready, file);
    if (file->reader == NULL) {
        g_free(file);
        return NULL;
    }
    file->need = fs_need_new_standing();
    g_queue_init(&file->waiting);
    return file;
}

void
fs_event_file_free(FsEventFile *file)
{
    if (file == NULL)
        return;
    drop_poll_handle(file);
    fs_event_reader_free(file->reader);
    fs_need_unref(file->need);
    g_free(file);
}

/* ---- reading ---- */

static void
stop_waiting(gpointer data)
{
    Waiting *waiting = data;
    FsEventFile *file = waiting->file;

    g_queue_unlink(&file->waiting, &waiting->link);
    g_free(waiting);
}

static void
note_waiting(FsOperation *operation, FsEventFile *file)
{
    Waiting *waiting;

    if (operation->memory != NULL)
        return;
    waiting = g_new0(Waiting, 1);
    waiting->file = file;
    waiting->link.data = operation;
    g_queue_push_tail_link(&file->waiting, &waiting->link);
    operation->memory = waiting;
    operation->free_memory = stop_waiting;
}

static void
run_read(FsOperation *operation)
{
    FsEventFile *file = (FsEventFile *)(guintptr)operation->file.fh;
    gsize size = MIN(operation->size, READ_MAX);
    g_autofree char *buffer = g_malloc(size);
    gsize length = fs_event_reader_read(file->reader, buffer, size);

    if (length > 0 || fs_event_reader_has_ended(file->reader)) {
        fs_operation_reply_buffer(operation, buffer, length);
    } else if (operation->file.flags & O_NONBLOCK) {
        fs_operation_fail(operation, EAGAIN);
    } else {
        operation->patient = TRUE;
        note_waiting(operation, file);
        fs_operation_wait(operation, file->need);
    }
}

void
fs_event_file_read(FsEventFile *file, fuse_req_t request, fuse_ino_t inode,
                   gsize size, const struct fuse_file_info *opened)
{
    struct fuse_file_info ours = *opened;

    ours.fh = (guintptr)file;
    fs_operation_start(request, run_read, inode, NULL, size, 0, &ours);
}

unsigned
fs_event_file_poll(FsEventFile *file, struct fuse_pollhandle *handle)
{
    unsigned events = 0;

    if (handle != NULL) {
        drop_poll_handle(file);
        file->poll_handle = handle;
    }
    if (fs_event_reader_is_ready(file->reader))
        events |= POLLIN | POLLRDNORM;
    if (fs_event_reader_has_ended(file->reader))
        events |= POLLHUP;
    return events;
}

void
fs_event_file_end(FsEventFile *file)
{
    fs_event_reader_end(file->reader);
    /* Now, for at the end of the mount whoever waits is failed. */
    while (file->waiting.length > 0)
        fs_operation_reply_buffer(g_queue_peek_head(&file->waiting), "", 0);
}

guint
fs_event_file_n_waiting(const FsEventFile *file)
{
    return file->waiting.length;
}
