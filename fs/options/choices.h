/* What was chosen, and where: options as they stand on the command line, in the
 * configuration file, or in the preset of a provider, before they are applied.
 *
 * Of an option, the last mention in the place that counts most is in force. The
 * same holds for options that are instead of one another (FsOptionRivals): a
 * password_command on the command line makes the password_file of the file
 * void. Two of them in one place stand side by side; whoever checks whether
 * they make sense together finds both. */
#pragma once

#include "fs/options/mount-option-table.h"

/* In the order in which they count. */
typedef enum {
    FS_ORIGIN_PRESET,
    FS_ORIGIN_FILE,
    FS_ORIGIN_COMMAND_LINE,
} FsOrigin;

typedef struct FsChoices FsChoices;

FsChoices *fs_choices_new(void);
void fs_choices_free(FsChoices *choices); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsChoices, fs_choices_free)

/* Adds a mention of the option @name, with @value unless that is NULL. @place
 * ("imapfs.conf:12"; NULL: none is worth naming) stands before whatever is
 * wrong with it. Fails with FS_ERROR_USAGE if there is no such option there, or
 * it is refused on purpose. */
gboolean fs_choices_add(FsChoices *choices, FsOrigin origin, const char *place,
                        const char *name, const char *value, GError **error);

/* Puts what is in force into @options. Checks also what is not, unless a rival
 * of it is. Fails with FS_ERROR_USAGE. */
gboolean fs_choices_apply(const FsChoices *choices, FsOptions *options,
                          GError **error);

/* Where the value of @option in force was chosen. FALSE: nowhere, and the
 * default is in force. */
gboolean fs_choices_origin(const FsChoices *choices,
                           const FsMountOption *option, FsOrigin *origin);

/* The value of @option that is in force; NULL: none was given. Borrowed. */
const char *fs_choices_value(const FsChoices *choices,
                             const FsMountOption *option);

/* Fails with FS_ERROR_USAGE, saying why and what to use instead, if @name is
 * one that is refused on purpose, such as a password. */
gboolean fs_choices_check_refused(FsOrigin origin, const char *name,
                                  GError **error);
