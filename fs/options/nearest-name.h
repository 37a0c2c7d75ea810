/* "Did you mean": the known name that is nearest to a wrong one. */
#pragma once

#include <glib.h>

/* The one of @names (ends with NULL) that somebody who wrote @name probably
 * meant; NULL if none is near. Borrowed from @names. */
const char *fs_nearest_name(const char *name, const char *const *names);
