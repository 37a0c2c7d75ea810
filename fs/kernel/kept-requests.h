/* Requests of the kernel that wait for somebody to serve them: as they came, in
 * their order. There is a limit to them. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

typedef struct FsKeptRequests FsKeptRequests;

FsKeptRequests *fs_kept_requests_new(void);
void fs_kept_requests_free(FsKeptRequests *kept); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsKeptRequests, fs_kept_requests_free)

/* @request, with a header, is copied. FALSE: no more are kept. */
gboolean fs_kept_requests_add(FsKeptRequests *kept,
                              const struct fuse_buf *request);
/* The kernel has said, by @interrupt (copied), that a signal has come to who
 * waits for the answer to that one. FALSE: it is not here. */
gboolean fs_kept_requests_interrupt(FsKeptRequests *kept, guint64 unique,
                                    const struct fuse_buf *interrupt);
/* A request that was taken out. */
typedef void (*FsKeptEndedFunc)(guint64 unique, gpointer user_data);

/* Takes out those whose senders were interrupted, and are to end
 * (fs/kernel/process.h): nobody waits for the answers any more. TRUE: others
 * were interrupted, and go on waiting; the kernel does not tell of a second
 * signal. */
gboolean fs_kept_requests_remove_ended(FsKeptRequests *kept,
                                       FsKeptEndedFunc func,
                                       gpointer user_data);
/* Takes out the first, and by what it was interrupted (NULL: it was not); NULL:
 * there are no more. Caller frees both. */
gpointer fs_kept_requests_take(FsKeptRequests *kept, struct fuse_buf *request,
                               GBytes **interrupt);
