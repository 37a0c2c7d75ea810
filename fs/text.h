/* Text from elsewhere, on its way to people. */
#pragma once

#include <glib.h>

/* @text as a terminal may show it, in one line: valid UTF-8, a space for each
 * control character, at most @max octets, cut between characters. Caller
 * frees. */
char *fs_text_tame(const char *text, gsize max);
