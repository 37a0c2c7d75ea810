/* The kernel's requests on the hidden views: each kind asks a view one thing,
 * and has one way to tell the kernel what came of it. The rest is the same for
 * all of them.
 *
 * Names of messages are given for no time at all: every use of one asks again,
 * which costs little, and finds what the mount has now. Nor are attributes
 * given with a listing: it would then have to know the sizes of all. */
#include "fs/views/views-private.h"

#include "fs/kernel/answer.h"
#include "fs/kernel/handlers.h"
#include "fs/kernel/message-changes.h"
#include "fs/kernel/operation.h"

#include <errno.h>

/* A part of a listing, and a read, get no more at a time. */
#define PORTION_MAX (64u * 1024)
#define READ_MAX (1024u * 1024)
/* Seconds that lasting attributes may be believed. Every opening by name renews
 * them; what was lost in the cache may have been made anew by then. */
#define LASTING 10.0

/* What a view is asked, and what it says. */
typedef struct {
    FsViewRequest request;
    FsViewEntry entry;
    FsViewFile *file;
    char *target;
    FsObstacle obstacle;
} Question;

/* A kind of request. */
typedef struct {
    FsAnswer (*ask)(FsView *view, const FsOperation *operation,
                    Question *question);
    /* Answers the request, when the view has found what it was asked for. */
    void (*reply)(FsOperation *operation, const Question *question);
    int none_errno;      /* when there is no such thing */
    gboolean for_people; /* crawlers are refused it */
} Kind;

static FsViews *
views_of(const FsOperation *operation)
{
    return fs_handlers_views(operation->user_data);
}

/* NULL, and the operation has failed: a number that a program has from
 * elsewhere. */
static FsView *
view_of(FsOperation *operation)
{
    FsView *view = fs_views_find(views_of(operation), operation->inode);

    if (view == NULL)
        fs_operation_fail(operation, ESTALE);
    return view;
}

/* Most of what views show is fetched, or made, for people. FALSE: the operation
 * is another one's. */
static gboolean
refuses_crawler(FsOperation *operation, const FsView *view)
{
    FsCrawlers *crawlers = fs_handlers_crawlers(operation->user_data);
    pid_t sender = fs_operation_sender(operation);

    if (view->class->for_crawlers || !fs_crawlers_has(crawlers, sender))
        return FALSE;
    fs_crawlers_note(crawlers, sender);
    fs_operation_fail(operation, EACCES);
    return TRUE;
}

static void
run(FsOperation *operation)
{
    const Kind *kind = operation->memory;
    FsView *view = view_of(operation);
    Question question = {0};
    FsAnswer answer;

    if (view == NULL || (kind->for_people && refuses_crawler(operation, view)))
        return;
    question.request = (FsViewRequest){
        operation->since, fs_operation_sender(operation), operation->runs};
    answer = kind->ask(view, operation, &question);
    if (answer == FS_ANSWER_FOUND)
        kind->reply(operation, &question);
    else
        fs_answer_obstacle(operation, answer, &question.obstacle,
                           kind->none_errno);
}

static void
start(const Kind *kind, fuse_req_t request, fuse_ino_t inode, const char *name,
      const struct fuse_file_info *file)
{
    fs_operation_start_with(request, run, inode, name, 0, file, (gpointer)kind,
                            NULL);
}

/* ---- look-ups and attributes ---- */

static void
use(const FsOperation *operation, guint32 mailbox)
{
    if (mailbox != 0)
        fs_kernel_cache_use(views_of(operation)->kernel_cache, mailbox);
}

static void
fill_validity(const FsOperation *operation, const FsViewEntry *entry,
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
reply_entry(FsOperation *operation, const Question *question)
{
    const FsViewEntry *entry = &question->entry;
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

static FsAnswer
ask_entry(FsView *view, const FsOperation *operation, Question *question)
{
    return view->class->look_up(view, operation->inode, operation->name,
                                &question->request, &question->entry,
                                &question->obstacle);
}

void
fs_views_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    static const Kind lookup = {ask_entry, reply_entry, ENOENT, TRUE};

    start(&lookup, request, parent, name, NULL);
}

static FsAnswer
ask_attributes(FsView *view, const FsOperation *operation, Question *question)
{
    return view->class->describe(view, operation->inode, &question->request,
                                 &question->entry, &question->obstacle);
}

static void
reply_attributes(FsOperation *operation, const Question *question)
{
    const FsViewEntry *entry = &question->entry;
    gboolean lasting =
        entry->lasting && S_ISREG(entry->entry.attributes.st_mode);

    use(operation, entry->entry.mailbox);
    fs_operation_reply_attr(operation, &entry->entry.attributes,
                            lasting ? LASTING : 0);
}

void
fs_views_getattr(fuse_req_t request, fuse_ino_t inode)
{
    static const Kind getattr = {ask_attributes, reply_attributes, ESTALE,
                                 FALSE};

    start(&getattr, request, inode, NULL, NULL);
}

static FsAnswer
ask_target(FsView *view, const FsOperation *operation, Question *question)
{
    if (view->class->read_link == NULL)
        return fs_answer_fail(EINVAL, &question->obstacle);
    return view->class->read_link(view, operation->inode, &question->target,
                                  &question->obstacle);
}

static void
reply_target(FsOperation *operation, const Question *question)
{
    fs_operation_reply_link(operation, question->target);
    g_free(question->target);
}

void
fs_views_readlink(fuse_req_t request, fuse_ino_t inode)
{
    static const Kind readlink = {ask_target, reply_target, ESTALE, FALSE};

    start(&readlink, request, inode, NULL, NULL);
}

/* ---- directories ---- */

static FsAnswer
ask_listing(FsView *view, const FsOperation *operation, Question *question)
{
    return view->class->open_directory(view, operation->inode,
                                       &question->request, &question->obstacle);
}

static void
reply_listing(FsOperation *operation, const Question *question)
{
    const struct fuse_file_info file = {0};

    fs_operation_reply_open(operation, &file);
}

void
fs_views_opendir(fuse_req_t request, fuse_ino_t inode,
                 struct fuse_file_info *file)
{
    static const Kind opendir = {ask_listing, reply_listing, ESTALE, TRUE};

    start(&opendir, request, inode, NULL, file);
}

/* A FsListingFunc: the kernel learns the names alone. */
static FsAnswer
next_entry(FsOperation *operation, guint64 cookie, FsEntry *entry,
           struct fuse_entry_param *param, FsObstacle *obstacle)
{
    FsView *view = fs_views_find(views_of(operation), operation->inode);
    FsViewEntry found = {0};
    FsAnswer answer =
        view->class->next(view, operation->inode, cookie, &found, obstacle);

    *entry = found.entry;
    param->attr = found.entry.attributes;
    return answer;
}

static void
run_readdir_as(FsOperation *operation, gboolean plus)
{
    g_autofree char *buffer = g_malloc(operation->size);

    if (view_of(operation) != NULL)
        fs_answer_listing(operation, plus, buffer, next_entry);
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

static FsAnswer
ask_new_directory(FsView *view, const FsOperation *operation,
                  Question *question)
{
    if (view->class->make_directory == NULL)
        return fs_answer_fail(EACCES, &question->obstacle);
    return view->class->make_directory(view, operation->inode, operation->name,
                                       &question->request, &question->entry,
                                       &question->obstacle);
}

void
fs_views_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    static const Kind mkdir = {ask_new_directory, reply_entry, ENOENT, FALSE};

    start(&mkdir, request, parent, name, NULL);
}

static FsAnswer
ask_removal(FsView *view, const FsOperation *operation, Question *question)
{
    if (view->class->remove_directory == NULL)
        return fs_answer_fail(EACCES, &question->obstacle);
    return view->class->remove_directory(view, operation->inode,
                                         operation->name, &question->request,
                                         &question->obstacle);
}

static void
reply_done(FsOperation *operation, const Question *question)
{
    fs_operation_reply_done(operation);
}

void
fs_views_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    static const Kind rmdir = {ask_removal, reply_done, ENOENT, FALSE};

    start(&rmdir, request, parent, name, NULL);
}

/* ---- files ---- */

static FsAnswer
ask_file(FsView *view, const FsOperation *operation, Question *question)
{
    if (view->class->open == NULL)
        return fs_answer_fail(EACCES, &question->obstacle);
    return view->class->open(view, operation->inode, &question->request,
                             &question->file, &question->obstacle);
}

/* For a file of which the kernel keeps what it has: the rest it drops when the
 * file is opened. */
static void
fill_pages(FsViews *views, fuse_ino_t inode, FsViewFile *file)
{
    g_autoptr(GBytes) content = NULL;

    if (file->class->content == NULL ||
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
reply_file(FsOperation *operation, const Question *question)
{
    FsViews *views = views_of(operation);
    FsViewFile *file = question->file;
    fuse_ino_t inode = operation->inode;
    /* A message that was edited in the mount has its number still, and what it
     * is in other forms, too. */
    gboolean keeps =
        file->lasting &&
        !fs_handlers_is_changed(operation->user_data, fs_view_shown(inode));

    operation->file.fh = (guintptr)file;
    operation->file.direct_io =
        file->streams || (operation->file.flags & O_ACCMODE) != O_RDONLY;
    operation->file.noflush = 1;
    operation->file.keep_cache = keeps;
    /* What it was told before may have been less certain. Safe on the loop:
     * attributes alone, of a file nobody reads yet. */
    if (!file->streams && !keeps)
        fuse_lowlevel_notify_inval_inode(views->fuse, inode, -1, 0);
    if (keeps && !operation->file.direct_io)
        fill_pages(views, inode, file);
    g_hash_table_add(views->open_files, file);
    fs_page_fill_opened(views->page_fill, inode);
    if (!fs_operation_reply_open(operation, &operation->file))
        close_file(views, inode, file);
}

/* Whether files of the view that @inode is of can be written to. */
static gboolean
is_writable(fuse_req_t request, fuse_ino_t inode)
{
    FsHandlers *handlers = fuse_req_userdata(request);
    const FsView *view = fs_views_find(fs_handlers_views(handlers), inode);

    return view != NULL &&
           (view->class->write != NULL || view->class->holds_flags);
}

void
fs_views_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    static const Kind open = {ask_file, reply_file, ESTALE, TRUE};

    if (((file->flags & O_ACCMODE) != O_RDONLY ||
         (file->flags & O_TRUNC) != 0) &&
        !is_writable(request, inode))
        fuse_reply_err(request, EACCES);
    else
        start(&open, request, inode, NULL, file);
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
    FsView *view = fs_views_find(fs_handlers_views(handlers), inode);
    FsObstacle obstacle = {0};
    FsAnswer answer;

    if (!is_writable(request, inode)) {
        fuse_reply_err(request, EACCES);
        return;
    }
    if (view->class->holds_flags) {
        fs_message_changes_write_flags(request, fs_view_shown(inode), data,
                                       size);
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
