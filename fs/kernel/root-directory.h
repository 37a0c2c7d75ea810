/* The top of a mount with several accounts: a directory with one for each of
 * them, and ".imapfs/status", which is not listed and says how they are.
 *
 * What is in an account's directory is the account's own affair
 * (fs/kernel/branches.h). But one that cannot be served has nobody to answer
 * for it: its directory is there all the same, and says why not, with an
 * errno. Nothing can be made, removed or renamed here. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

/* What the handlers work on: the user data of the FUSE session. */
typedef struct FsRootDirectory FsRootDirectory;

typedef char *(*FsRootStatusFunc)(gpointer user_data);

/* The directories belong to @uid and @gid and have @mode. @status makes what
 * is in ".imapfs/status"; who reads it frees that. */
FsRootDirectory *fs_root_directory_new(uid_t uid, gid_t gid, mode_t mode,
                                       FsRootStatusFunc status,
                                       gpointer user_data);
void fs_root_directory_free(FsRootDirectory *root); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsRootDirectory, fs_root_directory_free)

/* Adds the account @name (copied), behind the others. @number: that of its
 * directory, for the kernel. */
void fs_root_directory_add(FsRootDirectory *root, const char *name,
                           guint64 number);
/* Nobody serves it: whoever looks into it fails with @error_number. */
void fs_root_directory_set_broken(FsRootDirectory *root, guint64 number,
                                  int error_number);

extern const struct fuse_lowlevel_ops fs_root_directory_ops;
