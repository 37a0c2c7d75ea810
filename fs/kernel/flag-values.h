/* What a program writes to change flags: "+\Flagged", "-\Seen work", or the
 * whole list. */
#pragma once

#include <glib.h>

typedef enum {
    FS_FLAGS_ALL,      /* words between spaces, flags of all kinds */
    FS_FLAGS_KEYWORDS, /* between commas, those that are no system flags */
} FsFlagsKind;

/* What @value (@length octets) makes of the flags @present (as the index has
 * them; NULL: none): what is to be added and removed, with spaces between,
 * which the caller frees. FALSE if it is no such value, or names what nobody
 * can set. */
gboolean fs_flag_values_parse(const char *value, gsize length, FsFlagsKind kind,
                              const char *present, char **add, char **remove);
