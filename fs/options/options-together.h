/* The options of several accounts that have a mount together. */
#pragma once

#include "fs/options/options.h"

/* Fills what @mount, with its mountpoint, has of its own from those of its
 * accounts (of FsOptions): what libfuse and the kernel are told, which must be
 * the same for all; whether all are read-only; and the first one's user and
 * group. All else is each account's own. Fails with FS_ERROR_USAGE, naming two
 * that do not agree, or if the mountpoint is not as it should be. */
gboolean fs_options_join(FsOptions *mount, const GPtrArray *accounts,
                         GError **error);
