/* Where the caller's own files are. */
#pragma once

/* $HOME, or, where that is empty or no absolute path, which would be another
 * place for each working directory, what the system knows. Caller frees. */
char *fs_home_directory(void);
/* "imapfs.conf" of the user is below it: $XDG_CONFIG_HOME likewise, or
 * ".config" in the above. Caller frees. */
char *fs_config_directory(void);
