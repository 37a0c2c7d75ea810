/* Names of parts as file names. */
#pragma once

#include "imap/structure.h"

/* The file name that a part's parameters give it (RFC 2231 and RFC 2047
 * decoded), the disposition's first; NULL: none. Caller frees. */
char *fs_part_name_of_parameters(const GArray *disposition, const GArray *type);

/* Whether the server has put together the first pieces of the parameter @name
 * ("filename"), and has left others that it does not say the place of. */
gboolean fs_part_name_has_gap(const GArray *parameters, const char *name);

/* @name (NULL: none) as one safe component: no "/", no control or invisible
 * characters, no dot in front, at most 255 octets, cut before the extension; or
 * made of @section and @type. Caller frees. */
char *fs_part_name_make(const char *name, const char *section, const char *type,
                        gboolean is_message);
/* @name with "-@number" before the extension. Caller frees. */
char *fs_part_name_number(const char *name, guint number);
