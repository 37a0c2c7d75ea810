/* Who closes a file, and how: most programs mean it, but one that dies does
 * not. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Whether a FLUSH by the thread @thread (0: not known) of a file that the
 * thread @opener has opened is the writer's own. Others, such as a program
 * started with its output there, close theirs while the writer goes on. */
gboolean fs_writer_is_same(pid_t thread, pid_t opener);

/* Whether @thread is being ended by a signal: what it has written is a part. */
gboolean fs_writer_is_dying(pid_t thread);
