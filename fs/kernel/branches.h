/* A mount of several accounts: one session with the kernel, and behind it one
 * for each account, which answers as if the mount were its own.
 *
 * What the kernel asks about an inode of an account goes to that account's
 * session; all else is left to the mount's own. So each account has a libfuse
 * session of its own, its own user data in it, and its own inode numbers, and
 * what serves an account need not know whether it is alone. On the way, numbers
 * are put in the terms of the other side (fs/kernel/branch-wire.h). */
#pragma once

#include "fs/kernel/node-numbers.h"
#include "fs/kernel/session.h"

typedef struct FsBranches FsBranches;

/* Those of @mount (borrowed), which is not mounted yet, and is to outlive
 * them. One at a time in the whole program. */
FsBranches *fs_branches_new(FsSession *mount);
/* After the mount is gone. Accepts NULL. */
void fs_branches_free(FsBranches *branches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsBranches, fs_branches_free)

/* Before the mount: the account with that number, of fs_node_numbers_of_names,
 * may be added later. Until fs_branches_serve_kept, what is asked of it waits,
 * but for the attributes of its directory, which the mount's own session tells.
 * @name: in messages (copied). FALSE with @error. */
gboolean fs_branches_expect(FsBranches *branches, guint account,
                            const char *name, GError **error);
/* Adds an account: before the mount, or one that is expected. @name is as
 * above, and the rest as with fs_session_new. Returns its session, for
 * fuse_lowlevel_notify_*; NULL with @error. */
struct fuse_session *fs_branches_add(FsBranches *branches, guint account,
                                     const char *name, struct fuse_args *args,
                                     const struct fuse_lowlevel_ops *ops,
                                     gpointer user_data, GError **error);

/* An account that was expected has come, and all that serves it is there: it
 * gets what was asked of it meanwhile. Or it does not come: all is the mount's
 * own session's to answer. */
void fs_branches_serve_kept(FsBranches *branches, guint account);

/* The kernel's number of the top directory of an account. */
guint64 fs_branches_root(FsBranches *branches, guint account);

/* The mount is about to go: answers have nowhere to go from here on. No thread
 * notifies any more. */
void fs_branches_end(FsBranches *branches);
