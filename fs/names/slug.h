/* What is left of a text when it becomes a part of a file name. */
#pragma once

#include <glib.h>

/* Characters that show nothing of their own: format characters (also the
 * bidirectional ones), letters and marks that are blank, variation selectors.
 */
gboolean fs_slug_is_invisible(gunichar character);

/* The letters, digits and marks of @text (valid UTF-8), in lower case and NFC,
 * at most @max octets, cut before a character with its marks. What lies between
 * them becomes one "-"; none stands at either end. Invisible, private and
 * unassigned characters leave no trace; a mark needs a letter or digit before
 * it, and a fifth mark on one is dropped. "" if nothing is left.
 *
 * Depends on the locale in nothing. Caller frees. */
char *fs_slug(const char *text, gsize max);
