/* What messages hold, as UTF-8. */
#pragma once

#include <glib.h>

/* Parts that are text are decoded in memory, up to so many octets; what is
 * larger is left as it is. */
#define FS_TEXT_MAX (16u * 1024 * 1024)

/* The UTF-8 of @length octets of a text in the character set @charset, as a
 * sender names it ("": not at all). What is in no set that is known is UTF-8 if
 * it can be, and else windows-1252; what cannot be read becomes U+FFFD. */
GString *fs_text_to_utf8(const char *octets, gsize length, const char *charset);

/* The fields of a header as the server sends it, each unfolded and decoded (RFC
 * 2047) on a line of its own that ends in LF. */
GString *fs_header_to_text(const char *header, gsize length);

/* Appends @length octets, CRLF as LF. */
void fs_text_append_lines(GString *text, const char *octets, gsize length);
