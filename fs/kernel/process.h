/* Who sent a request: the kernel tells a thread, not a process. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Whether @thread and @other are threads of one process that still runs. 0,
 * which the kernel tells of processes that we cannot see, is none. */
gboolean fs_process_is_one(pid_t thread, pid_t other);
