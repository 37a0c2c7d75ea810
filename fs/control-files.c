/* The hidden directory at the top of the mount.
 *
 * Its files have no size, as those of /proc have none: what there is to read is
 * known only when they are read, and programs then read until the end. The
 * kernel keeps nothing of them (direct_io). The status is made when it is
 * opened, so that whoever reads it in pieces reads one text.
 *
 * Who reads events waits as an operation (fs/operation.h) on a need of his open
 * file, which moves on when there is something, and is interrupted as others
 * are. At the end of the mount he is answered with the end of the file. */
#include "fs/control-files.h"

#include "fs/event-feed.h"
#include "fs/events.h"
#include "fs/inode.h"
#include "fs/mount-watch.h"
#include "fs/operation.h"
#include "fs/recent-errors.h"
#include "fs/status.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define DIRECTORY_NAME ".imapfs"
/* Names and attributes never change. */
#define VALIDITY 3600.0
/* A read gets no more at a time. */
#define READ_MAX (256u * 1024)
/* Files that are open at a time. */
#define OPEN_MAX 1024u

enum {
    INODE_DIRECTORY = FS_INODE_CONTROL,
    INODE_EVENTS,
    INODE_STATUS,
};

typedef struct {
    const char *name;
    guint64 inode;
    mode_t mode;
} Entry;

/* In the order of a listing. */
static const Entry entries[] = {
    {"events", INODE_EVENTS, S_IFREG | 0400},
    {"status", INODE_STATUS, S_IFREG | 0400},
};
static const Entry directory_entry = {DIRECTORY_NAME, INODE_DIRECTORY,
                                      S_IFDIR | 0500};

struct FsControlFiles {
    FsAccount *account;
    FsRecentErrors *errors;
    FsEvents *events;
    FsEventFeed *feed;
    FsMountWatch *watch;    /* NULL until attached */
    GHashTable *open_files; /* of OpenFile, owned */
    guint n_waiting;        /* reads of events */
    gboolean stopped;
};

typedef struct {
    FsControlFiles *control;

    /* Of the status. */
    char *text;
    gsize length;

    /* Of the events. */
    FsEventReader *reader;
    FsNeed *need;   /* moves on when there is something to read */
    GQueue waiting; /* of FsOperation, by the links of their Waiting */
    struct fuse_pollhandle *poll_handle; /* NULL: nobody waits in poll */
} OpenFile;

/* What a read of events keeps while it waits. */
typedef struct {
    OpenFile *file;
    GList link;
} Waiting;

static OpenFile *
file_of(const struct fuse_file_info *file)
{
    return (OpenFile *)(guintptr)file->fh;
}

/* ---- names and attributes ---- */

gboolean
fs_control_files_own(guint64 inode)
{
    return inode >= FS_INODE_CONTROL && inode <= FS_INODE_CONTROL_LAST;
}

gboolean
fs_control_files_own_name(guint64 directory, const char *name)
{
    return fs_control_files_own(directory) ||
           (directory == FS_INODE_ROOT && g_str_equal(name, DIRECTORY_NAME));
}

static const Entry *
find_name(guint64 directory, const char *name)
{
    if (directory == FS_INODE_ROOT)
        return &directory_entry;
    for (guint i = 0; directory == INODE_DIRECTORY && i < G_N_ELEMENTS(entries);
         i++)
        if (g_str_equal(entries[i].name, name))
            return &entries[i];
    return NULL;
}

static const Entry *
find_inode(guint64 inode)
{
    if (inode == INODE_DIRECTORY)
        return &directory_entry;
    for (guint i = 0; i < G_N_ELEMENTS(entries); i++)
        if (entries[i].inode == inode)
            return &entries[i];
    return NULL;
}

static void
describe(const FsControlFiles *control, const Entry *entry, struct stat *stat)
{
    const FsAccount *account = control->account;

    memset(stat, 0, sizeof *stat);
    stat->st_ino = entry->inode;
    stat->st_mode = entry->mode;
    stat->st_nlink = 1;
    stat->st_uid = account->options->uid;
    stat->st_gid = account->options->gid;
    stat->st_mtim.tv_sec = account->mounted_at;
    stat->st_ctim = stat->st_atim = stat->st_mtim;
}

static void
fill_entry(const FsControlFiles *control, const Entry *entry,
           struct fuse_entry_param *param)
{
    memset(param, 0, sizeof *param);
    param->ino = entry->inode;
    param->attr_timeout = param->entry_timeout = VALIDITY;
    describe(control, entry, &param->attr);
}

void
fs_control_files_lookup(FsControlFiles *control, fuse_req_t request,
                        fuse_ino_t directory, const char *name)
{
    const Entry *entry = find_name(directory, name);
    struct fuse_entry_param param;

    if (entry == NULL) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    fill_entry(control, entry, &param);
    fuse_reply_entry(request, &param);
}

void
fs_control_files_getattr(FsControlFiles *control, fuse_req_t request,
                         fuse_ino_t inode)
{
    const Entry *entry = find_inode(inode);
    struct stat stat;

    if (entry == NULL) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    describe(control, entry, &stat);
    fuse_reply_attr(request, &stat, VALIDITY);
}

/* ---- the directory ---- */

void
fs_control_files_opendir(fuse_req_t request, fuse_ino_t inode,
                         struct fuse_file_info *file)
{
    if (inode != INODE_DIRECTORY)
        fuse_reply_err(request, ENOTDIR);
    else
        fuse_reply_open(request, file);
}

/* What is at @offset of the listing; NULL at the end. */
static const Entry *
entry_at(off_t offset, const char **name)
{
    static const char *const dots[] = {".", ".."};

    if (offset < 2) {
        *name = dots[offset];
        return &directory_entry;
    }
    if (offset - 2 >= (off_t)G_N_ELEMENTS(entries))
        return NULL;
    *name = entries[offset - 2].name;
    return &entries[offset - 2];
}

void
fs_control_files_readdir(FsControlFiles *control, fuse_req_t request,
                         gsize size, off_t offset, gboolean plus)
{
    gsize room = MIN(size, READ_MAX);
    g_autofree char *buffer = g_malloc(room);
    const Entry *entry;
    const char *name;
    gsize used = 0;

    for (; (entry = entry_at(offset, &name)) != NULL; offset++) {
        struct fuse_entry_param param;
        gsize needed;

        fill_entry(control, entry, &param);
        if (entry == &directory_entry)
            param.ino = 0; /* the kernel keeps no count of these */
        needed =
            plus ? fuse_add_direntry_plus(request, buffer + used, room - used,
                                          name, &param, offset + 1)
                 : fuse_add_direntry(request, buffer + used, room - used, name,
                                     &param.attr, offset + 1);
        if (needed > room - used)
            break;
        used += needed;
    }
    fuse_reply_buf(request, buffer, used);
}

/* ---- opening and releasing ---- */

static void
drop_poll_handle(OpenFile *file)
{
    if (file->poll_handle != NULL)
        fuse_pollhandle_destroy(g_steal_pointer(&file->poll_handle));
}

static void
free_file(gpointer data)
{
    OpenFile *file = data;

    drop_poll_handle(file);
    fs_event_reader_free(file->reader);
    fs_need_unref(file->need);
    g_free(file->text);
    g_free(file);
}

/* A FsEventReadyFunc. Telling who polls is safe on the loop. */
static void
on_ready(gpointer user_data)
{
    OpenFile *file = user_data;

    fs_need_progress(file->need);
    if (file->poll_handle != NULL)
        fuse_lowlevel_notify_poll(file->poll_handle);
    drop_poll_handle(file);
}

static gboolean
open_events(OpenFile *file)
{
    FsControlFiles *control = file->control;

    file->reader = fs_event_reader_new(control->events, on_ready, file);
    if (file->reader == NULL)
        return FALSE;
    file->need = fs_need_new();
    if (control->stopped)
        fs_event_reader_end(file->reader);
    return TRUE;
}

static void
open_status(OpenFile *file)
{
    FsControlFiles *control = file->control;
    const FsEventUse use = {fs_events_n_readers(control->events),
                            control->n_waiting};

    file->text = fs_status_to_json(control->account, control->errors, &use);
    file->length = strlen(file->text);
}

void
fs_control_files_open(FsControlFiles *control, fuse_req_t request,
                      fuse_ino_t inode, struct fuse_file_info *file)
{
    struct fuse_file_info opened = *file;
    OpenFile *open_file;

    if (inode != INODE_EVENTS && inode != INODE_STATUS) {
        fuse_reply_err(request, EISDIR);
        return;
    }
    if ((file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EACCES);
        return;
    }
    open_file = g_new0(OpenFile, 1);
    open_file->control = control;
    g_queue_init(&open_file->waiting);
    if (g_hash_table_size(control->open_files) >= OPEN_MAX ||
        (inode == INODE_EVENTS && !open_events(open_file))) {
        free_file(open_file);
        fuse_reply_err(request, ENFILE);
        return;
    }
    if (inode == INODE_STATUS)
        open_status(open_file);
    opened.fh = (guintptr)open_file;
    opened.direct_io = 1;
    opened.nonseekable = inode == INODE_EVENTS;
    opened.noflush = 1;
    g_hash_table_add(control->open_files, open_file);
    if (fuse_reply_open(request, &opened) != 0)
        g_hash_table_remove(control->open_files, open_file);
}

void
fs_control_files_release(FsControlFiles *control, fuse_req_t request,
                         struct fuse_file_info *file)
{
    g_hash_table_remove(control->open_files, file_of(file));
    fuse_reply_err(request, 0);
}

/* ---- reading ---- */

static void
stop_waiting(gpointer data)
{
    Waiting *waiting = data;
    OpenFile *file = waiting->file;

    g_queue_unlink(&file->waiting, &waiting->link);
    file->control->n_waiting--;
    g_free(waiting);
}

static void
note_waiting(FsOperation *operation, OpenFile *file)
{
    Waiting *waiting;

    if (operation->memory != NULL)
        return;
    waiting = g_new0(Waiting, 1);
    waiting->file = file;
    waiting->link.data = operation;
    g_queue_push_tail_link(&file->waiting, &waiting->link);
    file->control->n_waiting++;
    operation->memory = waiting;
    operation->free_memory = stop_waiting;
}

static void
run_read_events(FsOperation *operation)
{
    OpenFile *file = file_of(&operation->file);
    gsize size = MIN(operation->size, READ_MAX);
    g_autofree char *buffer = g_malloc(size);
    gsize length = fs_event_reader_read(file->reader, buffer, size);

    if (length > 0 || fs_event_reader_has_ended(file->reader)) {
        fs_operation_reply_buffer(operation, buffer, length);
    } else if (operation->file.flags & O_NONBLOCK) {
        fs_operation_fail(operation, EAGAIN);
    } else {
        note_waiting(operation, file);
        fs_operation_wait(operation, file->need);
    }
}

void
fs_control_files_read(fuse_req_t request, fuse_ino_t inode, gsize size,
                      off_t offset, struct fuse_file_info *file)
{
    const OpenFile *open_file = file_of(file);
    gsize length;

    if (open_file->reader != NULL) {
        fs_operation_start(request, run_read_events, inode, NULL, size, offset,
                           file);
        return;
    }
    length = open_file->length;
    if (offset < 0 || (guint64)offset >= length)
        fuse_reply_buf(request, NULL, 0);
    else
        fuse_reply_buf(request, open_file->text + offset,
                       MIN(size, length - (gsize)offset));
}

void
fs_control_files_poll(fuse_req_t request, fuse_ino_t inode,
                      struct fuse_file_info *file,
                      struct fuse_pollhandle *handle)
{
    OpenFile *open_file = file_of(file);
    unsigned events = 0;

    if (open_file->reader == NULL) {
        if (handle != NULL)
            fuse_pollhandle_destroy(handle);
        fuse_reply_poll(request, POLLIN | POLLRDNORM);
        return;
    }
    if (handle != NULL) {
        drop_poll_handle(open_file);
        open_file->poll_handle = handle;
    }
    if (fs_event_reader_is_ready(open_file->reader))
        events |= POLLIN | POLLRDNORM;
    if (fs_event_reader_has_ended(open_file->reader))
        events |= POLLHUP;
    fuse_reply_poll(request, events);
}

/* ---- making and ending ---- */

/* A FsRecentErrorFunc. */
static void
on_error(const char *text, gpointer user_data)
{
    FsControlFiles *control = user_data;

    fs_event_feed_error(control->feed, text);
}

FsControlFiles *
fs_control_files_new(FsAccount *account, FsNameSpace *names)
{
    FsControlFiles *control = g_new0(FsControlFiles, 1);

    control->account = account;
    control->errors = fs_recent_errors_new(on_error, control);
    control->events = fs_events_new();
    control->feed = fs_event_feed_new(account, names, control->events);
    control->open_files = g_hash_table_new_full(NULL, NULL, free_file, NULL);
    return control;
}

static void
on_mount_gone(gpointer user_data)
{
    fs_control_files_stop(user_data);
}

void
fs_control_files_attach(FsControlFiles *control)
{
    control->watch = fs_mount_watch_new(control->account->options->mountpoint,
                                        on_mount_gone, control);
}

static void
end_reader(OpenFile *file)
{
    if (file->reader == NULL)
        return;
    fs_event_reader_end(file->reader);
    /* Now, for at the end of the mount whoever waits is failed. */
    while (file->waiting.length > 0)
        fs_operation_reply_buffer(g_queue_peek_head(&file->waiting), "", 0);
}

void
fs_control_files_stop(FsControlFiles *control)
{
    GHashTableIter iter;
    gpointer file;

    control->stopped = TRUE;
    g_hash_table_iter_init(&iter, control->open_files);
    while (g_hash_table_iter_next(&iter, &file, NULL))
        end_reader(file);
}

void
fs_control_files_free(FsControlFiles *control)
{
    if (control == NULL)
        return;
    fs_mount_watch_free(control->watch);
    fs_event_feed_free(control->feed);
    fs_recent_errors_free(control->errors);
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(control->open_files);
    fs_events_free(control->events);
    g_free(control);
}
