/* Where the password or token comes from. Runs before anything else does, while
 * the terminal is still ours, and may block. */
#pragma once

#include "fs/options.h"

/* Fills settings->username (default: the name of the user who runs this, but
 * for EXTERNAL, where the certificate says who we are), ->password or ->token:
 * from password_file (refused with a mode that lets
 * others read it), password_command, token_command (/bin/sh -c; first line of
 * the output; a failure shows the exit status), else the terminal, without
 * echo, unless the mechanism is EXTERNAL or a client certificate makes a
 * password needless. A trailing line break is dropped. Fails with
 * FS_ERROR_CREDENTIALS, saying what to do. */
gboolean fs_credentials_obtain(FsOptions *options, GError **error);
