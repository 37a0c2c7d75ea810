/* The requests of the kernel, answered from the name space and the bodies. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/crawlers.h"
#include "fs/kernel/file-handlers.h"
#include "fs/kernel/kernel-cache.h"
#include "fs/kernel/operation.h"
#include "fs/kernel/write-handlers.h"
#include "fs/names/name-space.h"
#include "fs/views/views.h"

#include <fuse_lowlevel.h>

/* What the handlers work on: the user data of the FUSE session. */
typedef struct FsHandlers FsHandlers;

/* All must outlive the result. @writing: NULL for a read-only mount. */
FsHandlers *fs_handlers_new(FsAccount *account, FsNameSpace *names,
                            FsWriting *writing);
/* After the session's end, or where it never began. Accepts NULL. */
void fs_handlers_free(FsHandlers *handlers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsHandlers, fs_handlers_free)

/* Before the first request: tells @handlers the session that they serve. */
void fs_handlers_attach(FsHandlers *handlers, struct fuse_session *fuse);
/* The mount is up: changes on the server are watched for from now on. */
void fs_handlers_watch(FsHandlers *handlers);
/* For the end: what waits fails with @error_number, and so does what would
 * wait. Calls @stopped from the main loop when the session may be unmounted;
 * the loop must go on until then. */
void fs_handlers_stop(FsHandlers *handlers, int error_number,
                      void (*stopped)(gpointer user_data), gpointer user_data);

/* What they work on. Borrowed. */
const FsAccount *fs_handlers_account(const FsHandlers *handlers);
FsNameSpace *fs_handlers_names(FsHandlers *handlers);
/* @param: what the kernel is told of @entry, and how long it may believe it. */
void fs_handlers_fill_entry(FsHandlers *handlers, const FsEntry *entry,
                            struct fuse_entry_param *param);
/* Answers a GETATTR, or a SETATTR that is done, or waits. */
void fs_handlers_reply_attributes(FsOperation *operation);
/* Those of open files. Borrowed. */
FsFileHandlers *fs_handlers_files(FsHandlers *handlers);

/* Those of files that are written, and what they work on; NULL: the mount is
 * read-only. Borrowed. */
FsWriteHandlers *fs_handlers_write(FsHandlers *handlers);
FsWriting *fs_handlers_writing(FsHandlers *handlers);
/* See fs_writing_has_changed. */
gboolean fs_handlers_is_changed(const FsHandlers *handlers, guint64 inode);

/* The hidden views. Borrowed. */
FsViews *fs_handlers_views(FsHandlers *handlers);

/* Who is one. Borrowed. */
FsCrawlers *fs_handlers_crawlers(FsHandlers *handlers);

/* What the kernel believes. Borrowed. */
FsKernelCache *fs_handlers_kernel_cache(FsHandlers *handlers);

extern const struct fuse_lowlevel_ops fs_handlers_ops;
