/* imapfs, the command: the order in which things happen.
 *
 * The fork for the background comes before everything that could have a thread
 * or a secret; all that may fail afterwards still fails on the terminal. So do
 * those for the helpers, behind it: they are the daemon's children. */
#include "fs/commands/check.h"
#include "fs/commands/fetch.h"
#include "fs/commands/mount-all.h"
#include "fs/commands/show-status.h"
#include "fs/commands/top-mount.h"
#include "fs/live/announcer.h"
#include "fs/options/arguments.h"
#include "fs/options/credentials.h"
#include "fs/options/discovery.h"
#include "fs/options/options.h"
#include "fs/run.h"

#include <stdio.h>
#include <stdlib.h>

static int
fail(const GError *error)
{
    fprintf(stderr, "imapfs: %s\n", error->message);
    return EXIT_FAILURE;
}

static void
start_helpers(const FsOptions *options, FsHelpers *helpers)
{
    helpers->supervisor = fs_supervisor_start();
    /* The kernel would not let it do anything. */
    if (!options->read_only)
        helpers->announcing = fs_announcer_fork();
}

static void
end_helpers(FsHelpers *helpers)
{
    fs_supervisor_free(helpers->supervisor);
    fs_helper_process_free(helpers->announcing);
}

static int
serve(FsOptions *options)
{
    FsHelpers helpers = {NULL, NULL};
    g_autoptr(GError) error = NULL;

    fs_arguments_hide();
    fs_run_begin(options);
    start_helpers(options, &helpers);
    if (!fs_discovery_run(options, &error) ||
        !fs_credentials_obtain(options, &error)) {
        end_helpers(&helpers);
        return fail(error);
    }
    return fs_run(options, &helpers);
}

int
main(int argc, char **argv)
{
    g_autoptr(FsOptions) options = NULL;
    g_autoptr(GError) error = NULL;

    fs_arguments_note(argc, argv);
    switch (fs_options_parse(argc, argv, &options, &error)) {
    case FS_OPTIONS_MOUNT:
        break;
    case FS_OPTIONS_HELP:
    case FS_OPTIONS_VERSION:
    case FS_OPTIONS_CONFIG:
        return EXIT_SUCCESS;
    case FS_OPTIONS_WAIT:
        return fs_top_mount_wait(options->mountpoint);
    case FS_OPTIONS_CHECK:
        fs_arguments_hide();
        return fs_check_run(options);
    case FS_OPTIONS_STATUS:
        return fs_show_status_run(options->mountpoint, options->watch);
    case FS_OPTIONS_FETCH:
        fs_arguments_hide();
        return fs_fetch_run(options, serve);
    case FS_OPTIONS_ALL:
        return fs_mount_all_run(argc, argv, options);
    case FS_OPTIONS_ERROR:
        return fail(error);
    }

    return serve(options);
}
