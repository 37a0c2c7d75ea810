/* Fields of a message header, however broken, as text. Nothing here depends on
 * the locale or the time zone. */
#pragma once

#include <glib.h>

/* The value of the first field @name of @header, unfolded, without control
 * characters, as valid UTF-8 of bounded length. Its encoded-words (RFC 2047)
 * are still encoded, but tidy: one for each run in one character set, which is
 * one that iconv is known to have. Octets outside of them that are not UTF-8
 * are taken for windows-1252. NULL without such a field. Caller frees. */
char *fs_header_field(const char *header, gsize length, const char *name);

/* Makes GMime ready; to be called before any of its functions. */
void fs_header_field_init(void);

/* @value, from fs_header_field, with its encoded-words decoded: valid UTF-8.
 * Caller frees. */
char *fs_header_field_decode(const char *value);
