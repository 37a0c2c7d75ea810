/* The terminal that we were started from, and whether it is still there: SIGHUP
 * means both that it has gone and, to who has none, to read the configuration
 * again. */
#pragma once

#include <glib.h>

/* To be called at the start. */
void fs_terminal_note(void);

/* There was one, and there is none any more. */
gboolean fs_terminal_is_lost(void);
