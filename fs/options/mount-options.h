/* What mount(8) and the user put behind -o: our own options, those of FUSE, and
 * those that stand in every fstab. */
#pragma once

#include "fs/options/options.h"

/* Applies one argument of -o, "a=b,c", to @options. A comma or a backslash that
 * belongs to a value has a backslash before it; any other backslash stands for
 * itself. The last mention of an option counts. Fails with FS_ERROR_USAGE. */
gboolean fs_mount_options_apply(FsOptions *options, const char *text,
                                GError **error);

/* Passes @name on to libfuse, with @value unless that is NULL. */
void fs_mount_options_pass_on(FsOptions *options, const char *name,
                              const char *value);

/* Fails with FS_ERROR_USAGE, saying why and what to use instead, if @name is
 * one that is refused on purpose, such as a password on the command line. */
gboolean fs_mount_options_check_refused(const char *name, GError **error);

/* The option that somebody who wrote @name probably meant; NULL if none is
 * near. Borrowed. */
const char *fs_mount_options_nearest(const char *name);

/* Whether @name is an option of ours that is to be written with a value. */
gboolean fs_mount_options_takes_value(const char *name);

/* All of the options, a line each, grouped, for --help. Caller frees. */
char *fs_mount_options_help(void);
