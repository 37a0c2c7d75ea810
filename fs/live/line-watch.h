/* Notices what makes every connection suspect: that the computer was asleep, or
 * the clock was set, and that the network is another one. Costs nothing until
 * the kernel tells of one of these. */
#pragma once

#include <glib.h>

typedef struct FsLineWatch FsLineWatch;

/* @reason is a word or two for the log. Runs from the main loop. */
typedef void (*FsSuspectFunc)(const char *reason, gpointer user_data);

/* Where the kernel does not let us watch, a message says so, and the rest is
 * watched. */
FsLineWatch *fs_line_watch_new(FsSuspectFunc func, gpointer user_data);
void fs_line_watch_free(FsLineWatch *watch); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLineWatch, fs_line_watch_free)
