/* The configuration, read again while something is mounted. */
#pragma once

#include "fs/options/options.h"

/* Reads the configuration file and the command line anew, and takes over into
 * @options what says how to log in and whom to trust. *@left (caller frees;
 * NULL: nothing): the names of options that are others now and count from the
 * next mount on. Fails with FS_ERROR_USAGE if there is a mistake in them now,
 * and has changed nothing. */
gboolean fs_options_take_again(FsOptions *options, char **left, GError **error);
