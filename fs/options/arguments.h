/* What other users see of the command line of this process.
 *
 * "-o password_command=…" may hold a secret, or say where one is; the command
 * line can be read by everybody on the machine. It is overwritten as soon as it
 * has been read: what is seen is "password_command=***". */
#pragma once

/* Of main: the arguments themselves, not copies. */
void fs_arguments_note(int argc, char **argv);
/* When nobody reads them any more. */
void fs_arguments_hide(void);
