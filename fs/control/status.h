/* What the mount is doing, as JSON. The README says what it looks like. */
#pragma once

#include "fs/account.h"
#include "fs/control/recent-errors.h"

/* Those who read events: they wait, and nothing is wrong with that. */
typedef struct {
    guint n_readers;
    guint n_waiting; /* reads */
} FsEventUse;

/* One consistent text, ending in a newline. No secret is in it. Caller frees.
 */
char *fs_status_to_json(const FsAccount *account, const FsRecentErrors *errors,
                        const FsEventUse *events);
