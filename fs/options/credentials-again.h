/* Another password or token, when the server refuses the one we have: the
 * command is run again, or the file read, while the main loop goes on. */
#pragma once

#include "fs/options/options.h"

typedef struct FsCredentialsAgain FsCredentialsAgain;

/* @options must outlive the result. Commands will run in what is the working
 * directory now. */
FsCredentialsAgain *fs_credentials_again_new(const FsOptions *options);
/* A command that is running is ended. Accepts NULL. */
void fs_credentials_again_free(FsCredentialsAgain *again);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsCredentialsAgain, fs_credentials_again_free)

/* Whether there is anything to ask: not after a password that was typed. */
gboolean fs_credentials_again_is_possible(const FsCredentialsAgain *again);

/* The secret in the settings is a new one (@error NULL), or as it was:
 * FS_ERROR_CREDENTIALS says why. @same: it was found to be the one that we had.
 */
typedef void (*FsCredentialsFunc)(const GError *error, gboolean same,
                                  gpointer user_data);

/* Begins, if it is possible and not under way. A command may take a minute.
 * @func runs once, from the main loop. */
void fs_credentials_again_start(FsCredentialsAgain *again,
                                FsCredentialsFunc func, gpointer user_data);
