/* A mount that only this command knows of, for an account that is not mounted.
 *
 * It is a mount like any other, read-only, in a directory of its own that
 * nobody else can enter: so there is one way to fetch, to keep and to lock, and
 * not two. */
#pragma once

#include "fs/commands/fetch.h"

typedef struct FsPrivateMount FsPrivateMount;

/* @ready runs on the main loop, once, when it is mounted; or not, for its
 * process has ended, which has said why. */
typedef void (*FsPrivateMountFunc)(gboolean mounted, gpointer user_data);

/* What that process says meanwhile, for people: a piece of text. */
typedef void (*FsPrivateMountSaidFunc)(const char *text, gpointer user_data);

/* Forks: to be called before there are threads. @options are changed for the
 * mount. NULL if that fails (FS_ERROR_MOUNT). */
FsPrivateMount *fs_private_mount_new(FsOptions *options, FsServeFunc serve,
                                     FsPrivateMountFunc ready,
                                     FsPrivateMountSaidFunc said,
                                     gpointer user_data, GError **error);
const char *fs_private_mount_path(const FsPrivateMount *mount);
/* Unmounts, and waits until what was fetched is on the disk. Accepts NULL. */
void fs_private_mount_free(FsPrivateMount *mount);

/* Where the account of @options is mounted already, with a cache on disk; NULL:
 * nowhere. Caller frees. */
char *fs_private_mount_find_other(const FsOptions *options);
