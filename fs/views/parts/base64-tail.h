/* How large base64 is when it is decoded, by its own length and its last
 * octets. Arithmetic alone.
 *
 * What is well formed everybody decodes alike; of the rest decoders make
 * different things. Lines that are all as wide as the last ones account for
 * each octet, so that there is one size that the whole can have: if a server
 * that decodes has come to another, something else is in it. */
#pragma once

#include <glib.h>

/* How much of the end it takes: some lines of the usual widths. */
#define FS_BASE64_TAIL 256u
/* What is shorter is not worth the question. */
#define FS_BASE64_MIN (8u * 1024)

/* Of @encoded octets, of which @tail is the last @length, FS_BASE64_TAIL or
 * more. FALSE: they are not well formed, or it cannot be told. */
gboolean fs_base64_size(guint64 encoded, const char *tail, gsize length,
                        guint64 *decoded);
