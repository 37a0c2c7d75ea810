/* What mount(8) and the user put behind -o: our own options, those of FUSE, and
 * those that stand in every fstab. */
#pragma once

#include "fs/options/choices.h"

/* Adds what one argument of -o, "a=b,c", chooses to @choices. A comma or a
 * backslash that belongs to a value has a backslash before it; any other
 * backslash stands for itself. Fails with FS_ERROR_USAGE. */
gboolean fs_mount_options_read(FsChoices *choices, const char *text,
                               GError **error);

/* Sets the defaults. */
void fs_mount_options_set_initial(FsOptions *options);

/* Passes @name on to libfuse, with @value unless that is NULL. */
void fs_mount_options_pass_on(FsOptions *options, const char *name,
                              const char *value);

/* The option that somebody who wrote @name, maybe @in_file, probably meant;
 * NULL if none is near. Borrowed. */
const char *fs_mount_options_nearest(const char *name, gboolean in_file);

/* Whether @name is an option of ours that is to be written with a value. */
gboolean fs_mount_options_takes_value(const char *name);

/* All of the options, a line each, grouped, for --help. Caller frees. */
char *fs_mount_options_help(void);
