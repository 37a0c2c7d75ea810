/* Where the password or token comes from. Runs before anything else does, while
 * the terminal is still ours, and may block. */
#pragma once

#include "fs/options/options.h"

/* Fills settings->username (default: the name of the user who runs this) and
 * ->password or ->token: from password_file or netrc (refused unless it is the
 * caller's or root's and closed to others), a credential of the service,
 * password_command or token_command (/bin/sh -c; the first line of the output;
 * a failure shows the exit status), else from the terminal, without echo. A
 * line break at the end is dropped.
 *
 * Does nothing when a certificate says who we are: with EXTERNAL, or with a
 * client certificate and no other mechanism or source of a secret. Fails with
 * FS_ERROR_CREDENTIALS, saying what to do. */
gboolean fs_credentials_obtain(FsOptions *options, GError **error);
