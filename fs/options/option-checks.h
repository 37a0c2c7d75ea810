/* Whether options that are each good make sense together. */
#pragma once

#include "fs/options/options.h"

/* Fails with FS_ERROR_USAGE. */
gboolean fs_options_check(const FsOptions *options, GError **error);
