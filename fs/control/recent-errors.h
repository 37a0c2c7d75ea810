/* The last messages of the log, for who looks at the status, and word of each
 * as it comes. */
#pragma once

#include <glib.h>

#define FS_RECENT_ERRORS_MAX 20u

typedef struct FsRecentErrors FsRecentErrors;

typedef struct {
    gint64 time; /* microseconds since the epoch */
    char *text;
} FsRecentError;

/* Runs from the main loop, behind the call that logged. @text is borrowed. */
typedef void (*FsRecentErrorFunc)(const char *text, gpointer user_data);

/* From now on gathers what is logged, debug messages left out. @func may be
 * NULL. */
FsRecentErrors *fs_recent_errors_new(FsRecentErrorFunc func,
                                     gpointer user_data);
/* Nothing that is known to be about another account of the mount (fs_log_of).
 * NULL: it is alone. */
void fs_recent_errors_set_account(FsRecentErrors *errors, const char *account);
void fs_recent_errors_free(FsRecentErrors *errors); /* accepts NULL */

guint fs_recent_errors_count(const FsRecentErrors *errors);
/* The oldest first; @i below the count. Borrowed. */
const FsRecentError *fs_recent_errors_get(const FsRecentErrors *errors,
                                          guint i);
