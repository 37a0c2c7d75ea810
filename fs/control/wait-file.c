/* The file that is read by "imapfs --wait".
 *
 * Everything is looked at again each time that something has moved on: what is
 * missing is waited for, one thing after the other; and last, that the kernel
 * has been told, so that who reads next sees it. */
#include "fs/control/wait-file.h"

#include "fs/changes/changes.h"
#include "fs/changes/late.h"
#include "fs/kernel/operation.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/writing.h"

#include <errno.h>
#include <string.h>

struct FsWaitFile {
    FsAccount *account;
    FsKernelCache *kernel_cache;
    FsNeed *told; /* the kernel has been; NULL: nobody has begun to */
    char *text;   /* NULL: not known yet */
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
    fs_need_unref(file->told);
    g_free(file->text);
    g_free(file);
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
        g_string_append_printf(text, "%u messages are still to be stored\n",
                               left);
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
        g_string_append_printf(text, "%u changes are still to be made\n", left);
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

static void
run_read(FsOperation *operation)
{
    FsWaitFile *file = (FsWaitFile *)(guintptr)operation->file.fh;
    FsNeed *need = NULL;
    gboolean stuck;

    if (file->text == NULL) {
        stuck = fs_changes_are_stuck(file->account->changes);
        if (file->account->writing != NULL)
            need = fs_writing_need_settled(file->account->writing);
        if (need == NULL && !stuck)
            need = fs_changes_need_settled(file->account->changes, 0);
        if (need == NULL && !stuck)
            need = fs_late_need_looked(file->account->changes);
        if (need == NULL && !stuck)
            need = need_of_used(file, operation->since);
        if (need == NULL && file->told == NULL)
            file->told = fs_kernel_cache_flush(file->kernel_cache);
        if (need == NULL && !fs_need_is_complete(file->told))
            need = file->told;
        if (need != NULL &&
            (!fs_need_is_complete(need) || fs_need_error(need) == NULL)) {
            fs_operation_wait_any(operation, need);
            return;
        }
        file->text =
            make_text(file, stuck          ? "the server cannot be reached"
                            : need != NULL ? fs_need_error(need)->message
                                           : NULL);
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
