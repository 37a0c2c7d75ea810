/* The command line as it stands, before anything of it is checked; and the
 * texts that are printed when it asks for them. */
#pragma once

#include <glib.h>

#define FS_USAGE "usage: imapfs [options] URL|NAME MOUNTPOINT"

typedef struct {
    gboolean foreground, debug, trace, help, version, print_config, all;
    gboolean verbose, quiet, watch;
    char *wait;
    char *check;
    char *fetch;
    char *status;
    char *config;         /* NULL: the usual file */
    char **mount_options; /* one for each -o */
    char **words;         /* what stands for the account, and mountpoint */
    char **unknown;
} FsCommandLine;

/* @line is zeroed. Fails with FS_ERROR_USAGE. */
gboolean fs_command_line_read(FsCommandLine *line, int argc, char **argv,
                              GError **error);
void fs_command_line_clear(FsCommandLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FsCommandLine, fs_command_line_clear)

/* The words that it may have, to be described: the last has no description, and
 * nothing is stored anywhere. Caller frees the array alone. */
GOptionEntry *fs_command_line_entries(void);

void fs_command_line_print_help(void);
void fs_command_line_print_version(void);
