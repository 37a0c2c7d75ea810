/* The hidden directory at the top of the mount.
 *
 * Its files have no size, as those of /proc have none: what there is to read is
 * known only when they are read, and programs then read until the end. The
 * kernel keeps nothing of them (direct_io). The status is made when it is
 * opened, so that whoever reads it in pieces reads one text. */
#include "fs/control/control-files.h"

#include "fs/control/cached-query.h"
#include "fs/control/event-feed.h"
#include "fs/control/event-file.h"
#include "fs/control/events.h"
#include "fs/control/recent-errors.h"
#include "fs/control/status.h"
#include "fs/control/wait-file.h"
#include "fs/kernel/inode.h"
#include "fs/live/inbox-use.h"
#include "fs/mount/mount-watch.h"
#include "fs/names/maildir-layout.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define DIRECTORY_NAME ".imapfs"
#define MAILDIR_NAME "maildir"
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
    INODE_WAIT,
    INODE_README,
};

typedef struct {
    const char *name;
    guint64 inode;
    mode_t mode;
} Entry;

/* In the order of a listing. */
static const Entry entries[] = {
    {"README", INODE_README, S_IFREG | 0400},
    {"events", INODE_EVENTS, S_IFREG | 0400},
    {"flags", FS_INODE_FLAGS | FS_INODE_ROOT, S_IFDIR | 0500},
    {"status", INODE_STATUS, S_IFREG | 0400},
    {"wait", INODE_WAIT, S_IFREG | 0400},
    {"lost+found", FS_INODE_LOST_FOUND, S_IFDIR | 0700},
};
static const Entry directory_entry = {DIRECTORY_NAME, INODE_DIRECTORY,
                                      S_IFDIR | 0500};

struct FsControlFiles {
    FsAccount *account;
    FsNameSpace *names;
    FsKernelCache *kernel_cache;
    FsRecentErrors *errors;
    FsEvents *events;
    FsEventFeed *feed;
    FsInboxUse *inbox_use;
    FsViews *views;         /* borrowed */
    FsMountWatch *watch;    /* NULL until attached */
    GHashTable *open_files; /* of OpenFile, owned */
    gboolean stopped;
    gboolean mount_gone; /* only what is open is left of it */
};

typedef struct {
    char *text; /* of the status, or what there is to read here */
    gsize length;
    FsEventFile *events; /* or one of these two; NULL: it is the status */
    FsWaitFile *wait;
} OpenFile;

static OpenFile *
file_of(const struct fuse_file_info *file)
{
    return (OpenFile *)(guintptr)file->fh;
}

/* ---- names and attributes ---- */

static gboolean
is_plain(guint64 inode)
{
    return inode >= FS_INODE_CONTROL && inode <= FS_INODE_CONTROL_LAST;
}

gboolean
fs_control_files_own(guint64 inode)
{
    return fs_views_own(inode) || is_plain(inode);
}

gboolean
fs_control_files_own_name(guint64 directory, const char *name)
{
    return fs_control_files_own(directory) ||
           (directory == FS_INODE_ROOT && g_str_equal(name, DIRECTORY_NAME));
}

/* A mount that is read-only loses nothing. */
static guint
n_entries(const FsControlFiles *control)
{
    return G_N_ELEMENTS(entries) - (control->account->options->read_only);
}

static const Entry *
find_name(const FsControlFiles *control, guint64 directory, const char *name)
{
    if (directory == FS_INODE_ROOT)
        return &directory_entry;
    for (guint i = 0; directory == INODE_DIRECTORY && i < n_entries(control);
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

/* They are found and not listed. */
static gboolean
find_view(const FsControlFiles *control, const char *name, Entry *entry)
{
    guint64 inode = fs_views_root(control->views, name);
    mode_t type = S_IFDIR;

    if (g_str_equal(name, MAILDIR_NAME))
        inode = fs_maildir_layout_top(control->names, &type);
    *entry = (Entry){name, inode, type | (S_ISLNK(type) ? 0777 : 0500)};
    return inode != 0;
}

void
fs_control_files_lookup(FsControlFiles *control, fuse_req_t request,
                        fuse_ino_t directory, const char *name)
{
    const Entry *entry = find_name(control, directory, name);
    struct fuse_entry_param param;
    Entry view;

    if (fs_views_own(directory)) {
        fs_views_lookup(request, directory, name);
        return;
    }
    if (entry == NULL && directory == INODE_DIRECTORY &&
        find_view(control, name, &view))
        entry = &view;
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

    if (fs_views_own(inode)) {
        fs_views_getattr(request, inode);
        return;
    }
    if (entry == NULL) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    describe(control, entry, &stat);
    fuse_reply_attr(request, &stat, VALIDITY);
}

/* ---- the directory ---- */

void
fs_control_files_opendir(FsControlFiles *control, fuse_req_t request,
                         fuse_ino_t inode, struct fuse_file_info *file)
{
    if (fs_views_own(inode))
        fs_views_opendir(request, inode, file);
    else if (inode != INODE_DIRECTORY)
        fuse_reply_err(request, ENOTDIR);
    else
        fuse_reply_open(request, file);
}

/* What is at @offset of the listing; NULL at the end. */
static const Entry *
entry_at(const FsControlFiles *control, off_t offset, const char **name)
{
    static const char *const dots[] = {".", ".."};

    if (offset < 2) {
        *name = dots[offset];
        return &directory_entry;
    }
    if (offset - 2 >= (off_t)n_entries(control))
        return NULL;
    *name = entries[offset - 2].name;
    return &entries[offset - 2];
}

void
fs_control_files_readdir(FsControlFiles *control, fuse_req_t request,
                         fuse_ino_t inode, gsize size, off_t offset,
                         gboolean plus)
{
    gsize room = MIN(size, READ_MAX);
    g_autofree char *buffer = g_malloc(room);
    const Entry *entry;
    const char *name;
    gsize used = 0;

    if (fs_views_own(inode)) {
        fs_views_readdir(request, inode, size, offset, plus);
        return;
    }
    for (; (entry = entry_at(control, offset, &name)) != NULL; offset++) {
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
free_file(gpointer data)
{
    OpenFile *file = data;

    fs_event_file_free(file->events);
    fs_wait_file_free(file->wait);
    g_free(file->text);
    g_free(file);
}

/* Reads of events that wait. */
static guint
count_waiting(const FsControlFiles *control)
{
    GHashTableIter iter;
    gpointer file;
    guint count = 0;

    g_hash_table_iter_init(&iter, control->open_files);
    while (g_hash_table_iter_next(&iter, &file, NULL)) {
        const FsEventFile *events = ((const OpenFile *)file)->events;

        count += events != NULL ? fs_event_file_n_waiting(events) : 0;
    }
    return count;
}

static char *
make_readme(const FsControlFiles *control)
{
    gboolean writes = !control->account->options->read_only;
    g_autofree char *views = fs_views_about(control->views, writes);

    return g_strconcat(
        "What this mount shows beside the mail.\n"
        "\n"
        "events      what happens, a line of JSON each, as it happens\n"
        "status      what is so now, as JSON\n"
        "flags/      a file for each message that holds its flags",
        writes ? "; write to it\n" : "\n",
        "wait        is read to its end when the server has all changes\n",
        writes ? "lost+found/ what could not be stored\n" : "",
        "\n"
        "The same mail in other forms. These directories are not listed, so\n"
        "that nothing runs into them that goes through all files.\n"
        "\n",
        "maildir/\n"
        "  The folders once more, each as a Maildir with cur, new and tmp, "
        "for\n"
        "  mail programs. It can",
        writes ? " " : "not ", "be written to.\n", views, NULL);
}

/* FALSE: too many read events. */
static gboolean
begin(FsControlFiles *control, OpenFile *file, guint64 inode)
{
    const FsEventUse use = {fs_events_n_readers(control->events),
                            count_waiting(control)};

    if (inode == INODE_STATUS) {
        file->text = fs_status_to_json(control->account, control->errors, &use);
        file->length = strlen(file->text);
        return TRUE;
    }
    if (inode == INODE_README) {
        file->text = make_readme(control);
        file->length = strlen(file->text);
        return TRUE;
    }
    if (inode == INODE_WAIT) {
        file->wait = fs_wait_file_new(control->account, control->kernel_cache);
        return TRUE;
    }
    file->events = fs_event_file_new(control->events);
    if (file->events == NULL)
        return FALSE;
    if (control->stopped || control->mount_gone)
        fs_event_file_end(file->events);
    fs_inbox_use_begin(control->inbox_use);
    return TRUE;
}

void
fs_control_files_open(FsControlFiles *control, fuse_req_t request,
                      fuse_ino_t inode, struct fuse_file_info *file)
{
    struct fuse_file_info opened = *file;
    OpenFile *open_file;

    if (fs_views_own(inode)) {
        fs_views_open(request, inode, file);
        return;
    }
    if (inode != INODE_EVENTS && inode != INODE_STATUS && inode != INODE_WAIT &&
        inode != INODE_README) {
        fuse_reply_err(request, EISDIR);
        return;
    }
    if ((file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EACCES);
        return;
    }
    open_file = g_new0(OpenFile, 1);
    if (g_hash_table_size(control->open_files) >= OPEN_MAX ||
        !begin(control, open_file, inode)) {
        free_file(open_file);
        fuse_reply_err(request, ENFILE);
        return;
    }
    opened.fh = (guintptr)open_file;
    opened.direct_io = 1;
    opened.nonseekable = inode == INODE_EVENTS;
    opened.noflush = 1;
    g_hash_table_add(control->open_files, open_file);
    if (fuse_reply_open(request, &opened) != 0)
        g_hash_table_remove(control->open_files, open_file);
}

void
fs_control_files_ioctl(FsControlFiles *control, fuse_req_t request,
                       fuse_ino_t inode, guint command, const void *data,
                       gsize length)
{
    if (inode == INODE_STATUS)
        fs_cached_query_answer(control->account, control->names, request,
                               command, data, length);
    else
        fuse_reply_err(request, ENOTTY);
}

void
fs_control_files_release(FsControlFiles *control, fuse_req_t request,
                         fuse_ino_t inode, struct fuse_file_info *file)
{
    if (fs_views_own(inode)) {
        fs_views_release(request, inode, file);
        return;
    }
    if (file->fh != 0)
        g_hash_table_remove(control->open_files, file_of(file));
    fuse_reply_err(request, 0);
}

/* ---- reading ---- */

void
fs_control_files_read(FsControlFiles *control, fuse_req_t request,
                      fuse_ino_t inode, gsize size, off_t offset,
                      struct fuse_file_info *file)
{
    const OpenFile *open_file = file_of(file);
    gsize length;

    if (fs_views_own(inode)) {
        fs_views_read(request, inode, size, offset, file);
        return;
    }
    if (open_file->events != NULL) {
        fs_event_file_read(open_file->events, request, inode, size, file);
        return;
    }
    if (open_file->wait != NULL) {
        fs_wait_file_read(open_file->wait, request, inode, size, offset, file);
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

    if (!fs_views_own(inode) && open_file != NULL &&
        open_file->events != NULL) {
        fuse_reply_poll(request, fs_event_file_poll(open_file->events, handle));
        return;
    }
    if (handle != NULL)
        fuse_pollhandle_destroy(handle);
    fuse_reply_poll(request, POLLIN | POLLRDNORM);
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
fs_control_files_new(FsAccount *account, FsNameSpace *names,
                     FsKernelCache *kernel_cache, FsViews *views)
{
    FsControlFiles *control = g_new0(FsControlFiles, 1);

    control->account = account;
    control->names = names;
    control->kernel_cache = kernel_cache;
    control->views = views;
    control->errors = fs_recent_errors_new(on_error, control);
    fs_recent_errors_set_account(control->errors, account->label);
    control->events = fs_events_new();
    control->feed = fs_event_feed_new(account, fs_maildir_layout_behind(names),
                                      control->events);
    control->inbox_use =
        fs_inbox_use_new(account, kernel_cache, control->events);
    control->open_files = g_hash_table_new_full(NULL, NULL, free_file, NULL);
    return control;
}

static void
end_readers(FsControlFiles *control)
{
    GHashTableIter iter;
    gpointer file;

    g_hash_table_iter_init(&iter, control->open_files);
    while (g_hash_table_iter_next(&iter, &file, NULL))
        if (((OpenFile *)file)->events != NULL)
            fs_event_file_end(((OpenFile *)file)->events);
}

/* It lives on for as long as files are open: those that would be for ever are
 * not to keep it. */
static void
on_mount_gone(gpointer user_data)
{
    FsControlFiles *control = user_data;

    /* Who has found the file before may be about to open it. */
    control->mount_gone = TRUE;
    end_readers(control);
}

void
fs_control_files_attach(FsControlFiles *control)
{
    const FsOptions *options = control->account->options;

    control->watch = fs_mount_watch_new(
        options->top != NULL ? options->top : options->mountpoint,
        on_mount_gone, control);
}

void
fs_control_files_stop(FsControlFiles *control)
{
    control->stopped = TRUE;
    fs_inbox_use_stop(control->inbox_use);
    end_readers(control);
}

void
fs_control_files_free(FsControlFiles *control)
{
    if (control == NULL)
        return;
    fs_mount_watch_free(control->watch);
    fs_inbox_use_free(control->inbox_use);
    fs_event_feed_free(control->feed);
    fs_recent_errors_free(control->errors);
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(control->open_files);
    fs_events_free(control->events);
    g_free(control);
}
