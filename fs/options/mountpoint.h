/* The directory to mount at. */
#pragma once

#include "fs/options/options.h"

/* Makes @path, resolved as far as that goes, so that it can be found in
 * mountinfo, the mountpoint of @options. Fails with FS_ERROR_USAGE if it is no
 * directory, or holds what would be hidden. What a mount has left whose daemon
 * died is good: it will be taken away. */
gboolean fs_options_take_mountpoint(FsOptions *options, const char *path,
                                    GError **error);
