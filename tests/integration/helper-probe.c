/* A helper process that looks at a path where nobody answers, and how long it
 * takes to be rid of it: says that it looks, awaits a line, and then prints the
 * milliseconds. */
#include "fs/mount/helper-process.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *path;

static void
look(int line, pid_t daemon)
{
    struct stat attributes;

    stat(path, &attributes);
}

int
main(int argc, char **argv)
{
    FsHelperProcess *process;
    gint64 begin;

    if (argc != 2)
        return 2;
    path = argv[1];
    process = fs_helper_process_start("helper-probe", look);
    if (process == NULL)
        return 1;
    puts("looking");
    fflush(stdout);
    getchar();
    begin = g_get_monotonic_time();
    fs_helper_process_free(process);
    printf("%" G_GINT64_FORMAT "\n", (g_get_monotonic_time() - begin) / 1000);
    return 0;
}
