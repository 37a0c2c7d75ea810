/* Tells the kernel what it must not believe any longer, from a thread of its
 * own: a notification about an entry waits for whoever holds its directory, and
 * that one may be waiting for the main loop.
 *
 * The main loop queues, in order; the thread sends. Nothing here fails: what
 * the kernel does not know needs no telling. */
#pragma once

#include "fs/need.h"

#include <fuse_lowlevel.h>
#include <glib.h>

typedef struct FsNotifier FsNotifier;

/* @fuse outlives the notifier. */
FsNotifier *fs_notifier_new(struct fuse_session *fuse);

/* Sends what is queued no more, and calls @stopped from the main loop once the
 * thread has sent its last: what it waits for may be an answer of the loop's,
 * which therefore goes on until then. Nothing may be queued any more. */
void fs_notifier_stop(FsNotifier *notifier, void (*stopped)(gpointer user_data),
                      gpointer user_data);
/* Sends what is queued no more, and waits for the thread to end: after it has
 * stopped, or the mount has ended. Accepts NULL. */
void fs_notifier_free(FsNotifier *notifier);

/* The entry @name of @directory is no longer what it was; @inode: gone for
 * good, and whoever watches it is told; 0: just not to be believed. */
void fs_notifier_forget_entry(FsNotifier *notifier, guint64 directory,
                              const char *name, guint64 inode);
/* Entries have come to or gone from @directory. @with_copy: the pages of the
 * kernel's copy of its listing are to go (fs/kernel/listing-copy.h). */
void fs_notifier_forget_listing(FsNotifier *notifier, guint64 directory,
                                gboolean with_copy);

/* Completes @need (borrowed), from the main loop, when the kernel has been told
 * of all that was queued before. */
void fs_notifier_flush(FsNotifier *notifier, FsNeed *need);
