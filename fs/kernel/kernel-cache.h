/* What the kernel believes of our files, and that it is told when that does not
 * hold any longer.
 *
 * Names and attributes of messages are given to the kernel for long, listings
 * until they change; it then answers most uses by itself. So what it may answer
 * for is kept as the server has it (fs/sync/upkeep.h), and every change is
 * passed on (fs/kernel/notifier.h). Of what is not kept up so, the kernel is
 * told to ask again soon, and so it is of directories: whoever comes along a
 * path asks for them, and that is the sign that what is in them is in use. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

#include <fuse_lowlevel.h>

typedef struct FsKernelCache FsKernelCache;

/* @account and @names must outlive the result. */
FsKernelCache *fs_kernel_cache_new(FsAccount *account, FsNameSpace *names);

/* Before the first request: begins to watch @account, for @fuse. */
void fs_kernel_cache_attach(FsKernelCache *cache, struct fuse_session *fuse);
/* For the end: tells the kernel nothing more and keeps nothing up. Calls
 * @stopped from the main loop, which must go on until then, when nobody waits
 * for the kernel any longer; only then may the file system be unmounted. */
void fs_kernel_cache_stop(FsKernelCache *cache,
                          void (*stopped)(gpointer user_data),
                          gpointer user_data);
/* After the mount's end, or stopped. Accepts NULL. */
void fs_kernel_cache_free(FsKernelCache *cache);

/* A request has to do with @mailbox (0: the top directory). */
void fs_kernel_cache_use(FsKernelCache *cache, guint32 mailbox);

/* Whether @mailbox is in use, and so has to be kept as the server has it; and
 * all that are, the list of mailboxes (0) among them. */
gboolean fs_kernel_cache_is_used(const FsKernelCache *cache, guint32 mailbox);
typedef void (*FsKernelCacheUseFunc)(guint32 mailbox, gpointer user_data);
void fs_kernel_cache_foreach_used(const FsKernelCache *cache,
                                  FsKernelCacheUseFunc func,
                                  gpointer user_data);
/* Told of every request that has to do with a mailbox. At most one; NULL
 * removes it. */
void fs_kernel_cache_set_use_func(FsKernelCache *cache,
                                  FsKernelCacheUseFunc func,
                                  gpointer user_data);
/* A use, too. NULL unless @mailbox was used again after a while, and is still
 * being asked for; then what to wait for until it is known how it is now.
 * Borrowed. */
FsNeed *fs_kernel_cache_need_after_pause(FsKernelCache *cache, guint32 mailbox);
/* When anything was last used: microseconds, monotonic; 0: nothing is in use.
 */
gint64 fs_kernel_cache_last_use(FsKernelCache *cache);
/* What the kernel has kept of anything in use may be old: it is put right now.
 */
void fs_kernel_cache_check_now(FsKernelCache *cache);

/* The entry @name of @directory (an inode) is not what it was, though no
 * program has changed it. */
void fs_kernel_cache_entry_changed(FsKernelCache *cache, guint64 directory,
                                   const char *name);

/* What the messages of @mailbox are called in its Maildir is not what it was;
 * where neither their flags nor what there is has changed. */
void fs_kernel_cache_names_changed(FsKernelCache *cache, guint32 mailbox);

/* There are directories that stand for those of the mount, with the same names
 * in them, and @number in place of the account: of these, too, the kernel has
 * to forget the directories that go. */
void fs_kernel_cache_mirror(FsKernelCache *cache, guint number);

/* Seconds that the kernel may believe the name and the attributes of @entry. */
double fs_kernel_cache_validity(FsKernelCache *cache, const FsEntry *entry);

/* The directory @inode is being opened: fills @file, and has to be told when it
 * is closed, also if the open could not be answered. */
void fs_kernel_cache_open(FsKernelCache *cache, guint64 inode,
                          struct fuse_file_info *file);
void fs_kernel_cache_close(FsKernelCache *cache, guint64 inode,
                           const struct fuse_file_info *file);
/* The kernel reads it from its beginning, for who has opened it as @file; and
 * has been given its end. */
void fs_kernel_cache_read(FsKernelCache *cache, guint64 inode,
                          const struct fuse_file_info *file);
void fs_kernel_cache_read_to_its_end(FsKernelCache *cache, guint64 inode,
                                     const struct fuse_file_info *file);

/* Tells the kernel at once what is to be told. Complete when it has been;
 * caller frees. */
FsNeed *fs_kernel_cache_flush(FsKernelCache *cache);
