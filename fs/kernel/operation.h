/* One request of the kernel, restartable.
 *
 * A handler computes its answer from what is known. If something is missing it
 * calls fs_operation_wait and returns; when that need has been met, or has
 * moved on, the handler is run again from its start. So handlers read from top
 * to bottom, and a thousand waiting requests are a thousand of these structs.
 *
 * The request may be interrupted (Ctrl-C) while it waits: then it is answered
 * with EINTR, its waiter is dropped, and what it waited for goes on without
 * it. Signals that do not end the program are no reason (see
 * fs_process_is_to_end). */
#pragma once

#include "fs/need.h"

#include <fuse_lowlevel.h>
#include <glib.h>

typedef struct FsOperation FsOperation;
/* Must answer the request, by one of the functions below, or wait. */
typedef void (*FsOperationFunc)(FsOperation *operation);

struct FsOperation {
    /* Set by whoever starts it; read by the handler. */
    fuse_ino_t inode;
    char *name; /* owned; NULL when the request has none */
    off_t offset;
    gsize size;
    gboolean has_file;
    struct fuse_file_info file;
    gpointer user_data; /* from fuse_req_userdata */

    /* The handler's own, kept from one run to the next; freed at the end. */
    gpointer memory;
    GDestroyNotify free_memory;
    gint64 since;     /* when it began: microseconds, monotonic */
    guint runs;       /* how often it was run, this time included */
    gboolean patient; /* set by the handler: it waits for no server */

    /* Private. */
    fuse_req_t request;
    FsOperationFunc run;
    FsNeedWaiter *waiter; /* NULL while it runs */
    FsNeed *need;         /* borrowed from the waiter */
    gint64 moved_at;      /* microseconds, monotonic: when it began, or one has
                             last moved on */
    gboolean sees_errors;
    guint completions; /* how often it was woken by a complete need */
    guint interrupt_source;
    GList link; /* in the list of those that wait */
};

/* Makes an operation and runs it at once. @file may be NULL (copied), @name,
 * too (copied). */
void fs_operation_start(fuse_req_t request, FsOperationFunc run,
                        fuse_ino_t inode, const char *name, gsize size,
                        off_t offset, const struct fuse_file_info *file);

/* The same with something to remember from the start: see memory above. */
void fs_operation_start_with(fuse_req_t request, FsOperationFunc run,
                             fuse_ino_t inode, const char *name, off_t offset,
                             const struct fuse_file_info *file, gpointer memory,
                             GDestroyNotify free_memory);

/* The thread that has sent the request; 0 if it cannot be told. */
pid_t fs_operation_sender(const FsOperation *operation);

/* Runs the handler again when @need moves on. If the need has failed by then,
 * the request fails with that error's errno instead. Exactly one of the waits
 * and the answers below is the last thing a run does.
 *
 * A handler that still waits after 1,000 complete needs gets no further run:
 * its request fails with EIO. */
void fs_operation_wait(FsOperation *operation, FsNeed *need);
/* The same for a handler that sees errors itself: it is run again also when
 * @need has failed, and looks at fs_need_error. */
void fs_operation_wait_any(FsOperation *operation, FsNeed *need);

/* The answers. Each ends the operation and frees it; what it is given may be
 * the operation's own. -ENOENT from the kernel, because the request is gone, is
 * passed over but for open, create and opendir: those return FALSE then, and
 * the caller takes back what it had prepared. */
void fs_operation_fail(FsOperation *operation, int error_number);
void fs_operation_fail_with(FsOperation *operation, const GError *error);
/* Success, with nothing to tell: release, flush, fsync. */
void fs_operation_reply_done(FsOperation *operation);
void fs_operation_reply_entry(FsOperation *operation,
                              const struct fuse_entry_param *entry);
void fs_operation_reply_attr(FsOperation *operation, const struct stat *attr,
                             double timeout);
gboolean fs_operation_reply_open(FsOperation *operation,
                                 const struct fuse_file_info *file);
gboolean fs_operation_reply_create(FsOperation *operation,
                                   const struct fuse_entry_param *entry,
                                   const struct fuse_file_info *file);
/* Where a symbolic link leads. */
void fs_operation_reply_link(FsOperation *operation, const char *target);
/* So many octets were written. */
void fs_operation_reply_write(FsOperation *operation, gsize size);
void fs_operation_reply_statfs(FsOperation *operation,
                               const struct statvfs *statfs);
void fs_operation_reply_buffer(FsOperation *operation, const void *data,
                               gsize size);
/* How large an extended attribute, or the list of their names, is. */
void fs_operation_reply_xattr(FsOperation *operation, gsize size);

/* Below, an owner is the user data of the session that requests came by: each
 * account of a mount has its own. */

/* How many wait now, and whether one on @inode does; rarely it is said so
 * although none does. */
guint fs_operation_n_waiting(gconstpointer owner);
gboolean fs_operation_waits_at(guint64 inode);
/* @watch runs a few times a second while any wait; NULL: none does. */
void fs_operation_set_watch(gconstpointer owner,
                            void (*watch)(gpointer user_data),
                            gpointer user_data);
/* What they wait for may not be needed any more: runs all that wait again. From
 * the main loop, not from inside a run. */
void fs_operation_run_all_again(gconstpointer owner);
/* Fails those with @error_number whose needs have not moved on since @when
 * (microseconds, monotonic), but for those that wait for this machine. */
void fs_operation_fail_older(gconstpointer owner, gint64 when,
                             int error_number);

/* For the end: fails all that wait with @error_number, and likewise from here
 * on all that would. */
void fs_operation_fail_all(gconstpointer owner, int error_number);
/* None of it waits any more, and another may come to have the same address. */
void fs_operation_forget_owner(gconstpointer owner);
