/* The file that is read by "imapfs --wait".
 *
 * Everything is looked at again each time that something has moved on: what is
 * missing is waited for, one thing after the other; and last, that the kernel
 * has been told, so that who reads next sees it.
 *
 * While the server is away, all others are served what is known, as if it were
 * still so. Here that will not do: the server must have answered since the file
 * was opened, which is also what finds out that it is there again. */
#include "fs/control/wait-file.h"

#include "fs/changes/changes.h"
#include "fs/changes/late.h"
#include "fs/kernel/operation.h"
#include "fs/live/line.h"
#include "fs/sync/lister.h"
#include "fs/sync/sync-status.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/writing.h"

#include <errno.h>
#include <string.h>

struct FsWaitFile {
    FsAccount *account;
    FsKernelCache *kernel_cache;
    FsNeed *asked; /* the server has been; NULL: nobody has begun to */
    FsNeed *told;  /* the kernel has been; NULL: nobody has begun to */
    char *text;    /* NULL: not known yet */
};

FsWaitFile *
fs_wait_file_new(FsAccount *account, FsKernelCache *kernel_cache)
{
    FsWaitFile *file = g_new0(FsWaitFile, 1);

    file->account = account;
    file->kernel_cache = kernel_cache;
    return file;
}

void
fs_wait_file_free(FsWaitFile *file)
{
    if (file == NULL)
        return;
    fs_need_unref(file->asked);
    fs_need_unref(file->told);
    g_free(file->text);
    g_free(file);
}

/* What to wait for until the server has answered or cannot; NULL: nothing. */
static FsNeed *
need_of_server(FsWaitFile *file)
{
    if (file->asked == NULL)
        file->asked =
            fs_need_ref(fs_lister_need(file->account->lister, FS_NOW));
    return fs_need_is_complete(file->asked) ? NULL : file->asked;
}

typedef struct {
    FsAccount *account;
    gint64 since;
    FsNeed *need; /* borrowed; NULL: none yet */
} Used;

/* A FsKernelCacheUseFunc. */
static void
look_at_mailbox(guint32 mailbox, gpointer user_data)
{
    Used *used = user_data;
    const FsMailbox *found = fs_mailbox_tree_get(used->account->tree, mailbox);

    if (used->need != NULL || found == NULL || !found->selectable)
        return;
    used->need = fs_synchroniser_need_messages(used->account->synchroniser,
                                               mailbox, used->since);
}

/* What to wait for until all that is in use is as the server has it. */
static FsNeed *
need_of_used(FsWaitFile *file, gint64 since)
{
    Used used = {file->account, since, NULL};

    used.need = fs_lister_need(file->account->lister, since);
    fs_kernel_cache_foreach_used(file->kernel_cache, look_at_mailbox, &used);
    return used.need;
}

typedef struct {
    GHashTable *used; /* ids */
    guint32 failing;  /* id of one; 0: none */
} Failing;

/* A FsKernelCacheUseFunc. */
static void
add_used(guint32 mailbox, gpointer user_data)
{
    g_hash_table_add(user_data, GUINT_TO_POINTER(mailbox));
}

/* A FsSyncStatusFunc. */
static void
look_whether_failing(const FsSyncStatus *status, gpointer user_data)
{
    Failing *failing = user_data;

    if (status->failing &&
        g_hash_table_contains(failing->used, GUINT_TO_POINTER(status->mailbox)))
        failing->failing = status->mailbox;
}

/* What has kept us from knowing what the server has, now that nothing is waited
 * for any more; NULL: nothing. */
static char *
problem_of(FsWaitFile *file)
{
    const FsAccount *account = file->account;
    g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
    Failing failing = {used, 0};
    g_autofree char *path = NULL;

    if (fs_need_error(file->asked) != NULL)
        return g_strdup(fs_need_error(file->asked)->message);
    if (fs_line_is_away(account->line))
        return g_strdup("the server cannot be reached");
    /* What is known goes on being shown: then the need is met all the same. */
    if (fs_lister_is_failing(account->lister))
        return g_strdup("the list of folders could not be brought up to date");
    fs_kernel_cache_foreach_used(file->kernel_cache, add_used, used);
    fs_synchroniser_describe(account->synchroniser, look_whether_failing,
                             &failing);
    if (failing.failing == 0)
        return NULL;
    path = fs_mailbox_tree_path(account->tree, failing.failing);
    return g_strdup_printf("%s could not be brought up to date",
                           path != NULL ? path : "a folder");
}

static void
append_lines(GString *text, char **lines)
{
    for (char **line = lines; *line != NULL; line++) {
        g_autofree char *tidy = g_strdup(*line);

        g_string_append_printf(text, "%s\n", g_strdelimit(tidy, "\r\n", ' '));
    }
}

static void
append_uploads(GString *text, FsWriting *writing)
{
    g_auto(GStrv) refused =
        fs_uploads_take_refused(fs_writing_uploads(writing));
    guint left = fs_writing_pending(writing);

    append_lines(text, refused);
    if (left > 0)
        g_string_append_printf(text, "%u message%s still to be stored\n", left,
                               left == 1 ? " is" : "s are");
}

static char *
make_text(FsWaitFile *file, const char *problem)
{
    FsChanges *changes = file->account->changes;
    g_auto(GStrv) refused = fs_changes_take_refused(changes);
    GString *text = g_string_new(NULL);
    guint left = fs_changes_count(changes);

    append_lines(text, refused);
    if (left > 0)
        g_string_append_printf(text, "%u change%s still to be made\n", left,
                               left == 1 ? " is" : "s are");
    if (file->account->writing != NULL)
        append_uploads(text, file->account->writing);
    if (problem != NULL)
        g_string_append_printf(text, "%s\n", problem);
    return g_string_free(text, FALSE);
}

static void
reply(FsOperation *operation, const char *text)
{
    gsize length = strlen(text);
    gsize offset = MIN((gsize)operation->offset, length);

    fs_operation_reply_buffer(operation, text + offset,
                              MIN(operation->size, length - offset));
}

/* What to wait for next; NULL: nothing. */
static FsNeed *
next_need(FsWaitFile *file, gint64 since)
{
    FsAccount *account = file->account;
    FsNeed *server = need_of_server(file);
    gboolean stuck = fs_changes_are_stuck(account->changes);
    FsNeed *need = NULL;

    if (account->writing != NULL)
        need = fs_writing_need_settled(account->writing);
    if (need == NULL && !stuck)
        need = fs_changes_need_settled(account->changes, 0);
    if (need == NULL && !stuck)
        need = fs_late_need_looked(account->changes);
    if (need == NULL && !stuck)
        need = need_of_used(file, since);
    if (need == NULL)
        need = server;
    if (need != NULL)
        return need;
    if (file->told == NULL)
        file->told = fs_kernel_cache_flush(file->kernel_cache);
    return fs_need_is_complete(file->told) ? NULL : file->told;
}

static void
run_read(FsOperation *operation)
{
    FsWaitFile *file = (FsWaitFile *)(guintptr)operation->file.fh;
    g_autofree char *problem = NULL;
    FsNeed *need;

    if (file->text == NULL) {
        need = next_need(file, operation->since);
        if (need != NULL &&
            (!fs_need_is_complete(need) || fs_need_error(need) == NULL)) {
            fs_operation_wait_any(operation, need);
            return;
        }
        problem = need != NULL ? g_strdup(fs_need_error(need)->message)
                               : problem_of(file);
        file->text = make_text(file, problem);
    }
    reply(operation, file->text);
}

void
fs_wait_file_read(FsWaitFile *file, fuse_req_t request, fuse_ino_t inode,
                  gsize size, off_t offset, const struct fuse_file_info *opened)
{
    struct fuse_file_info ours = *opened;

    ours.fh = (guintptr)file;
    fs_operation_start(request, run_read, inode, NULL, size, MAX(offset, 0),
                       &ours);
}
