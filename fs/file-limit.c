/* The soft limit is raised to the hard one, and the old one remembered. */
#include "fs/file-limit.h"

#include <glib.h>
#include <sys/resource.h>

static struct rlimit given;
static gboolean raised;

void
fs_file_limit_raise(void)
{
    struct rlimit most;

    if (raised || getrlimit(RLIMIT_NOFILE, &given) != 0)
        return;
    most = given;
    most.rlim_cur = most.rlim_max;
    raised = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

void
fs_file_limit_restore(void)
{
    if (raised)
        setrlimit(RLIMIT_NOFILE, &given);
}
