/* Waits that end after a while, whether or not what was waited for has come.
 *
 * While a name is looked up, the kernel keeps the directory for whoever looks:
 * others who look up the same name sleep and cannot be interrupted, and what is
 * to be forgotten of that directory has to wait. So a look-up may wait for what
 * comes soon, and for nothing that a server may keep back. */
#pragma once

#include "fs/need.h"

#include <glib.h>

typedef struct FsShortWaits FsShortWaits;

FsShortWaits *fs_short_waits_new(void);
/* Who still waits is told that it has failed. Accepts NULL. */
void fs_short_waits_free(FsShortWaits *waits);

/* What to wait for instead of @need (borrowed, until the main loop comes
 * round): it is complete when there is progress with @need, or at @until
 * (microseconds, monotonic); and it fails if @need does before. NULL: that time
 * has come. */
FsNeed *fs_short_waits_add(FsShortWaits *waits, FsNeed *need, gint64 until);
