/* The kernel's requests on the hidden views.
 *
 * Names of messages are given for no time at all: every use of one asks again,
 * which costs little, and finds what the mount has now. Nor are attributes
 * given with a listing: it would then have to know the sizes of all. */
#include "fs/views/views.h"

#include "fs/kernel/answer.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/page-fill.h"
#include "fs/views/index-view.h"
#include "fs/views/parts-view.h"
#include "fs/views/search-view.h"
#include "fs/views/searches-view.h"
#include "fs/views/special-view.h"
#include "fs/views/text-view.h"

#include <errno.h>
#include <string.h>

/* A part of a listing, and a read, get no more at a time. */
#define PORTION_MAX (64u * 1024)
#define READ_MAX (1024u * 1024)
/* Seconds that lasting attributes may be believed. Every opening by name renews
 * them; what was lost in the cache may have been made anew by then. */
#define LASTING 10.0
/* Of UIDs that searches have found: eight megabytes. */
#define RANGES_MAX 1000000u

struct FsViews {
    FsKernelCache *kernel_cache;
    struct fuse_session *fuse; /* NULL until attached */
    FsPartMaker *maker;
    FsKeptResults *results; /* of searches */
    GPtrArray *views;       /* of FsView, owned */
    GHashTable *open_files; /* of FsViewFile, owned */
    FsPageFill *page_fill;
};

/* ---- which view ---- */

gboolean
fs_views_own(guint64 inode)
{
    guint number = fs_inode_account(inode);

    return number >= FS_INODE_VIEW_FIRST && number <= FS_INODE_VIEW_LAST;
}

static FsViews *
views_of(const FsOperation *operation)
{
    return fs_handlers_views(operation->user_data);
}

static FsView *
find_view(FsViews *views, guint64 inode)
{
    guint number = fs_inode_account(inode);

    for (guint i = 0; i < views->views->len; i++) {
        FsView *view = g_ptr_array_index(views->views, i);

        if (number >= view->class->first && number <= view->class->last)
            return view;
    }
    return NULL;
}

/* NULL, and the operation has failed: a number that a program has from
 * elsewhere. */
static FsView *
view_of(FsOperation *operation)
{
    FsView *view = find_view(views_of(operation), operation->inode);

    if (view == NULL)
        fs_operation_fail(operation, ESTALE);
    return view;
}

/* What a view shows is asked for, and made, for people. FALSE: the operation is
 * another one's. */
static gboolean
refuses_crawler(FsOperation *operation)
{
    FsCrawlers *crawlers = fs_handlers_crawlers(operation->user_data);
    pid_t sender = fs_operation_sender(operation);

    if (!fs_crawlers_has(crawlers, sender))
        return FALSE;
    fs_crawlers_note(crawlers, sender);
    fs_operation_fail(operation, EACCES);
    return TRUE;
}

guint64
fs_views_root(FsViews *views, const char *name)
{
    for (guint i = 0; i < views->views->len; i++) {
        FsView *view = g_ptr_array_index(views->views, i);

        if (g_str_equal(view->class->name, name))
            return fs_view_root(view);
    }
    return 0;
}

char *
fs_views_names(FsViews *views)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < views->views->len; i++)
        g_string_append_printf(
            text, "%s%s", i > 0 ? ", " : "",
            ((FsView *)g_ptr_array_index(views->views, i))->class->name);
    return g_string_free(text, FALSE);
}

char *
fs_views_about(FsViews *views)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < views->views->len; i++) {
        FsView *view = g_ptr_array_index(views->views, i);

        g_string_append_printf(text, "%s/\n%s\n", view->class->name,
                               view->class->about);
    }
    return g_string_free(text, FALSE);
}

gboolean
fs_views_stands_for(FsViews *views, guint64 parent, const char *name,
                    guint64 *shown_parent, char **shown_name)
{
    FsView *view = find_view(views, parent);

    return view != NULL && view->class->stands_for != NULL &&
           view->class->stands_for(view, parent, name, shown_parent,
                                   shown_name);
}

/* ---- answers ---- */

static FsViewRequest
request_of(const FsOperation *operation)
{
    return (FsViewRequest){operation->since, fs_operation_sender(operation),
                           operation->runs};
}

static void
use(FsOperation *operation, guint32 mailbox)
{
    if (mailbox != 0)
        fs_kernel_cache_use(views_of(operation)->kernel_cache, mailbox);
}

static void
fill_validity(FsOperation *operation, const FsViewEntry *entry,
              struct fuse_entry_param *param)
{
    if (!entry->lasting)
        return;
    if (S_ISDIR(entry->entry.attributes.st_mode))
        param->entry_timeout = fs_kernel_cache_validity(
            views_of(operation)->kernel_cache, &entry->entry);
    else
        param->attr_timeout = LASTING;
}

/* An entry with a number of the mount is a file of the mount's. */
static void
reply_entry(FsOperation *operation, const FsViewEntry *entry)
{
    struct fuse_entry_param param = {0};

    use(operation, entry->entry.mailbox);
    if (!fs_views_own(entry->entry.inode)) {
        fs_handlers_fill_entry(operation->user_data, &entry->entry, &param);
        param.entry_timeout = 0;
    } else {
        fill_validity(operation, entry, &param);
    }
    param.ino = entry->entry.inode;
    param.attr = entry->entry.attributes;
    fs_operation_reply_entry(operation, &param);
}

/* ---- look-ups and attributes ---- */

static void
run_lookup(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    FsObstacle obstacle = {0};
    FsViewEntry entry = {0};
    FsAnswer answer;

    if (view == NULL || refuses_crawler(operation))
        return;
    request = request_of(operation);
    answer = view->class->look_up(view, operation->inode, operation->name,
                                  &request, &entry, &obstacle);
    if (answer == FS_ANSWER_FOUND)
        reply_entry(operation, &entry);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
}

void
fs_views_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fs_operation_start(request, run_lookup, parent, name, 0, 0, NULL);
}

static void
run_getattr(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    FsObstacle obstacle = {0};
    FsViewEntry entry = {0};
    FsAnswer answer;

    if (view == NULL)
        return;
    request = request_of(operation);
    answer = view->class->describe(view, operation->inode, &request, &entry,
                                   &obstacle);
    if (answer == FS_ANSWER_FOUND) {
        use(operation, entry.entry.mailbox);
        fs_operation_reply_attr(
            operation, &entry.entry.attributes,
            entry.lasting && S_ISREG(entry.entry.attributes.st_mode) ? LASTING
                                                                     : 0);
    } else {
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
    }
}

void
fs_views_getattr(fuse_req_t request, fuse_ino_t inode)
{
    fs_operation_start(request, run_getattr, inode, NULL, 0, 0, NULL);
}

static void
run_readlink(FsOperation *operation)
{
    FsView *view = view_of(operation);
    g_autofree char *target = NULL;
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (view == NULL)
        return;
    if (view->class->read_link == NULL) {
        fs_operation_fail(operation, EINVAL);
        return;
    }
    answer = view->class->read_link(view, operation->inode, &target, &obstacle);
    if (answer == FS_ANSWER_FOUND)
        fs_operation_reply_link(operation, target);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
}

void
fs_views_readlink(fuse_req_t request, fuse_ino_t inode)
{
    fs_operation_start(request, run_readlink, inode, NULL, 0, 0, NULL);
}

/* ---- directories ---- */

static void
run_opendir(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    struct fuse_file_info file = {0};
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (view == NULL || refuses_crawler(operation))
        return;
    request = request_of(operation);
    answer = view->class->open_directory(view, operation->inode, &request,
                                         &obstacle);
    if (answer == FS_ANSWER_FOUND)
        fs_operation_reply_open(operation, &file);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
}

void
fs_views_opendir(fuse_req_t request, fuse_ino_t inode,
                 struct fuse_file_info *file)
{
    fs_operation_start(request, run_opendir, inode, NULL, 0, 0, file);
}

static void
run_readdir_as(FsOperation *operation, gboolean plus)
{
    FsView *view = view_of(operation);
    FsPortion portion = {operation, plus, NULL, 0};
    g_autofree char *buffer = NULL;
    FsAnswer answer = FS_ANSWER_FOUND;
    FsObstacle obstacle = {0};
    guint64 cookie;
    gboolean room;

    if (view == NULL)
        return;
    portion.buffer = buffer = g_malloc(operation->size);
    cookie = fs_portion_cookie(&portion);
    room = fs_portion_add_dots(&portion);
    while (room && answer == FS_ANSWER_FOUND) {
        FsViewEntry entry = {0};
        struct fuse_entry_param param = {0};

        answer = view->class->next(view, operation->inode, cookie, &entry,
                                   &obstacle);
        if (answer == FS_ANSWER_FOUND) {
            cookie = entry.entry.cookie;
            param.attr = entry.entry.attributes;
            room = fs_portion_add(&portion, &param, entry.entry.name,
                                  (off_t)cookie + FS_DOT_ENTRIES);
        }
    }
    fs_portion_reply(&portion, answer, &obstacle);
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

void
fs_views_readdir(fuse_req_t request, fuse_ino_t inode, gsize size, off_t offset,
                 gboolean plus)
{
    fs_operation_start(request, plus ? run_readdirplus : run_readdir, inode,
                       NULL, MIN(size, PORTION_MAX), offset, NULL);
}

/* ---- changes ---- */

static void
run_mkdir(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    FsObstacle obstacle = {0};
    FsViewEntry entry = {0};
    FsAnswer answer;

    if (view == NULL)
        return;
    request = request_of(operation);
    if (view->class->make_directory == NULL) {
        fs_operation_fail(operation, EACCES);
        return;
    }
    answer = view->class->make_directory(
        view, operation->inode, operation->name, &request, &entry, &obstacle);
    if (answer == FS_ANSWER_FOUND)
        reply_entry(operation, &entry);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
}

void
fs_views_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fs_operation_start(request, run_mkdir, parent, name, 0, 0, NULL);
}

static void
run_rmdir(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (view == NULL)
        return;
    request = request_of(operation);
    if (view->class->remove_directory == NULL) {
        fs_operation_fail(operation, EACCES);
        return;
    }
    answer = view->class->remove_directory(
        view, operation->inode, operation->name, &request, &obstacle);
    if (answer == FS_ANSWER_FOUND)
        fs_operation_reply_done(operation);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ENOENT);
}

void
fs_views_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fs_operation_start(request, run_rmdir, parent, name, 0, 0, NULL);
}

/* ---- files ---- */

/* What is not lasting the kernel drops when it is opened. */
static void
fill_pages(FsViews *views, fuse_ino_t inode, FsViewFile *file)
{
    g_autoptr(GBytes) content = NULL;

    if (!file->lasting || file->class->content == NULL ||
        !fs_page_fill_is_due(views->page_fill, inode))
        return;
    content = file->class->content(file);
    if (content != NULL)
        fs_page_fill_give(views->page_fill, inode, content);
}

static void
close_file(FsViews *views, fuse_ino_t inode, FsViewFile *file)
{
    fs_page_fill_closed(views->page_fill, inode);
    g_hash_table_remove(views->open_files, file);
}

static void
reply_open(FsOperation *operation, FsViewFile *file)
{
    FsViews *views = views_of(operation);
    fuse_ino_t inode = operation->inode;

    operation->file.fh = (guintptr)file;
    operation->file.direct_io =
        file->streams || (operation->file.flags & O_ACCMODE) != O_RDONLY;
    operation->file.noflush = 1;
    operation->file.keep_cache = file->lasting;
    /* What it was told before may have been less certain. Safe on the loop:
     * attributes alone, of a file nobody reads yet. */
    if (!file->streams && !file->lasting)
        fuse_lowlevel_notify_inval_inode(views->fuse, inode, -1, 0);
    if (!operation->file.direct_io)
        fill_pages(views, inode, file);
    g_hash_table_add(views->open_files, file);
    fs_page_fill_opened(views->page_fill, inode);
    if (!fs_operation_reply_open(operation, &operation->file))
        close_file(views, inode, file);
}

static void
run_open(FsOperation *operation)
{
    FsView *view = view_of(operation);
    FsViewRequest request;
    FsViewFile *file = NULL;
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (view == NULL || refuses_crawler(operation))
        return;
    request = request_of(operation);
    if (view->class->open == NULL) {
        fs_operation_fail(operation, EACCES);
        return;
    }
    answer =
        view->class->open(view, operation->inode, &request, &file, &obstacle);
    if (answer == FS_ANSWER_FOUND)
        reply_open(operation, file);
    else
        fs_answer_obstacle(operation, answer, &obstacle, ESTALE);
}

/* Whether files of the view that @inode is of can be written to. */
static gboolean
is_writable(fuse_req_t request, fuse_ino_t inode)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    const FsView *view = find_view(fs_handlers_views(handlers), inode);

    return view != NULL && view->class->write != NULL;
}

void
fs_views_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    if (((file->flags & O_ACCMODE) != O_RDONLY ||
         (file->flags & O_TRUNC) != 0) &&
        !is_writable(request, inode))
        fuse_reply_err(request, EACCES);
    else
        fs_operation_start(request, run_open, inode, NULL, 0, 0, file);
}

static void
run_read(FsOperation *operation)
{
    FsViewFile *file = (FsViewFile *)(guintptr)operation->file.fh;
    g_autofree char *buffer = g_malloc(operation->size);
    g_autoptr(FsNeed) need = NULL;
    gssize length = file->class->read(file, (guint64)operation->offset, buffer,
                                      operation->size, &need);

    if (length < 0)
        fs_operation_wait(operation, need);
    else
        fs_operation_reply_buffer(operation, buffer, (gsize)length);
}

void
fs_views_read(fuse_req_t request, fuse_ino_t inode, gsize size, off_t offset,
              struct fuse_file_info *file)
{
    fs_operation_start(request, run_read, inode, NULL, MIN(size, READ_MAX),
                       MAX(offset, 0), file);
}

void
fs_views_write(fuse_req_t request, fuse_ino_t inode, const char *data,
               gsize size, off_t offset)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    FsView *view = find_view(fs_handlers_views(handlers), inode);
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (!is_writable(request, inode)) {
        fuse_reply_err(request, EACCES);
        return;
    }
    answer = view->class->write(view, inode, data, size,
                                (guint64)MAX(offset, 0), &obstacle);
    if (answer == FS_ANSWER_FOUND)
        fuse_reply_write(request, size);
    else
        fuse_reply_err(request, answer == FS_ANSWER_FAILED
                                    ? obstacle.error_number
                                    : ESTALE);
}

void
fs_views_setattr(fuse_req_t request, fuse_ino_t inode)
{
    if (is_writable(request, inode))
        fs_views_getattr(request, inode);
    else
        fuse_reply_err(request, EACCES);
}

void
fs_views_release(fuse_req_t request, fuse_ino_t inode,
                 struct fuse_file_info *file)
{
    close_file(fs_handlers_views(fuse_req_userdata(request)), inode,
               (FsViewFile *)(guintptr)file->fh);
    fuse_reply_err(request, 0);
}

/* ---- making and ending ---- */

static void
free_file(gpointer file)
{
    fs_view_file_free(file);
}

static void
free_view(gpointer view)
{
    fs_view_free(view);
}

FsViews *
fs_views_new(FsAccount *account, FsNameSpace *names,
             FsKernelCache *kernel_cache)
{
    FsViews *views = g_new0(FsViews, 1);

    views->kernel_cache = kernel_cache;
    fs_kernel_cache_mirror(kernel_cache, FS_VIEW_TEXT);
    fs_kernel_cache_mirror(kernel_cache, FS_VIEW_PARTS);
    views->views = g_ptr_array_new_with_free_func(free_view);
    views->page_fill = fs_page_fill_new();
    views->open_files = g_hash_table_new_full(NULL, NULL, free_file, NULL);
    views->results = fs_kept_results_new(RANGES_MAX);
    g_ptr_array_add(views->views, fs_index_view_new(account, names));
    g_ptr_array_add(views->views,
                    fs_search_view_new(account, names, views->results));
    g_ptr_array_add(views->views,
                    fs_searches_view_new(account, names, views->results));
    g_ptr_array_add(views->views, fs_special_view_new(account, names));
    views->maker = fs_part_maker_new(account);
    g_ptr_array_add(views->views,
                    fs_parts_view_new(account, names, views->maker));
    g_ptr_array_add(views->views,
                    fs_text_view_new(account, names, views->maker));
    return views;
}

void
fs_views_attach(FsViews *views, struct fuse_session *fuse)
{
    views->fuse = fuse;
    fs_page_fill_attach(views->page_fill, fuse);
}

void
fs_views_free(FsViews *views)
{
    if (views == NULL)
        return;
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(views->open_files);
    fs_page_fill_free(views->page_fill);
    fs_part_maker_free(views->maker);
    g_ptr_array_unref(views->views);
    fs_kept_results_free(views->results);
    g_free(views);
}
