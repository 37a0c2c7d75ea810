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

/* A value that was unfolded elsewhere, made tidy in the same way. Takes time by
 * the square of its length. Caller frees. */
char *fs_header_field_tidy(const char *text);

/* What iconv shall read the character set @name as; NULL: none that is known,
 * and fs_header_field_guess tells. Any thread may call these two. */
const char *fs_header_field_charset(const char *name);
/* The UTF-8 of octets in no known set: UTF-8 if they are valid, else
 * windows-1252. */
GString *fs_header_field_guess(const char *octets, gsize length);

/* @value, from fs_header_field, with its encoded-words decoded: valid UTF-8.
 * Caller frees. */
char *fs_header_field_decode(const char *value);
