/* imapfs, the command: the order in which things happen.
 *
 * The fork for the background comes before everything that could have a thread
 * or a secret; all that may fail afterwards still fails on the terminal. So do
 * those for the helpers, behind it: they are the daemon's children. */
#include "fs/background.h"
#include "fs/credentials.h"
#include "fs/options.h"
#include "fs/run.h"

#include <stdio.h>
#include <stdlib.h>

static int
fail(const GError *error)
{
    fprintf(stderr, "imapfs: %s\n", error->message);
    return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    FsHelpers helpers = {NULL};
    g_autoptr(FsOptions) options = NULL;
    g_autoptr(GError) error = NULL;

    switch (fs_options_parse(argc, argv, &options, &error)) {
    case FS_OPTIONS_MOUNT:
        break;
    case FS_OPTIONS_HELP:
    case FS_OPTIONS_VERSION:
        return EXIT_SUCCESS;
    case FS_OPTIONS_ERROR:
        return fail(error);
    }

    if (!options->debug)
        fs_background_protect_secrets();
    if (!options->foreground)
        fs_background_start();
    helpers.supervisor = fs_supervisor_start();
    if (!fs_credentials_obtain(options, &error)) {
        fs_supervisor_free(helpers.supervisor);
        return fail(error);
    }
    return fs_run(options, &helpers);
}
