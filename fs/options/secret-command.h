/* How a command that prints a secret is given to the shell.
 *
 * It may hold the secret itself ("curl -u me:secret …"), or say where that is.
 * So it is on no command line, where everybody on the machine could read it:
 * the shell reads it from a descriptor, and closes that before it runs it. What
 * the command puts on the command lines of other programs is beyond us. */
#pragma once

#include <glib.h>

/* Where the shell finds it. */
#define FS_SECRET_COMMAND_FD 3

/* "/bin/sh" and what is behind it; ends with NULL. */
extern const char *const fs_secret_command_words[];

/* A descriptor to read @command from, once; closed on exec, and not
 * FS_SECRET_COMMAND_FD itself. -1: see errno. */
int fs_secret_command_open(const char *command);
