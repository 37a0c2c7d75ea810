/* Who sent a request: the kernel tells a thread, not a process. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Whether @thread and @other are threads of one process that still runs. 0,
 * which the kernel tells of processes that we cannot see, is none. */
gboolean fs_process_is_one(pid_t thread, pid_t other);

/* The process that @thread is one of; 0: there is no such thread any more. */
pid_t fs_process_of(pid_t thread);
/* What that process is called, cut as ps(1) shows it; NULL likewise. A thread
 * may be called otherwise. Caller frees. */
char *fs_process_name(pid_t thread);

/* Whether a signal waits for @thread that ends it, or asks it to end. Not those
 * that a program has a handler for and goes on (timers, children, the threads
 * of Go), nor Ctrl-Z: they would be errors of files where no program expects
 * one. TRUE if that cannot be seen. */
gboolean fs_process_is_to_end(pid_t thread);
