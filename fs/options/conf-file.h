/* The configuration file: accounts by name, and what is chosen for each.
 *
 *     [work]
 *     url = imaps://alice@mail.example.org/
 *     password_command = pass show mail/work
 *     delete = trash
 *
 * It is a GKeyFile whose values are taken as they stand, without escapes. */
#pragma once

#include "fs/options/choices.h"

typedef struct FsConfFile FsConfFile;

/* Where it lies unless --config says otherwise:
 * $XDG_CONFIG_HOME/imapfs/imapfs.conf. Caller frees. */
char *fs_conf_file_default_path(void);

/* Reads and checks it: all that can be wrong without knowing what a value
 * means, of all accounts. Fails with FS_ERROR_USAGE: it cannot be read, others
 * could write it, a line is none of ours, a name is none of an option; with the
 * number of the line. */
FsConfFile *fs_conf_file_read(const char *path, GError **error);
void fs_conf_file_free(FsConfFile *file); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsConfFile, fs_conf_file_free)

const char *fs_conf_file_path(const FsConfFile *file); /* absolute */

/* The names of the accounts, in the file's order; ends with NULL. Borrowed. */
const char *const *fs_conf_file_accounts(const FsConfFile *file);
gboolean fs_conf_file_has(const FsConfFile *file, const char *account);

/* Adds what the file says of @account, which it has, to @choices. @url
 * (borrowed) and where it stands ("FILE:12", caller frees) are apart: FALSE
 * with FS_ERROR_USAGE if there is none. */
gboolean fs_conf_file_choose(const FsConfFile *file, const char *account,
                             FsChoices *choices, const char **url,
                             char **url_place, GError **error);
