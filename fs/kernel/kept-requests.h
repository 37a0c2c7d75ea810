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
/* Nobody waits for the answer to that one any more. FALSE: it is not here. */
gboolean fs_kept_requests_remove(FsKeptRequests *kept, guint64 unique);
/* Takes out the first; NULL: there are no more. Caller frees. */
gpointer fs_kept_requests_take(FsKeptRequests *kept, struct fuse_buf *request);
