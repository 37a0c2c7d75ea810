/* What may stand behind the "=" of an option: pure checks and conversions. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Decimal digits alone, @min to @max. */
gboolean fs_option_parse_number(const char *text, guint64 min, guint64 max,
                                guint64 *number);

/* Octets: a number, and maybe K, M, G or T in either case (powers of 1024). */
gboolean fs_option_parse_size(const char *text, guint64 *size);

/* The same number, as it would be written. Caller frees. */
char *fs_option_show_size(guint64 size);

/* NULL, yes, true, on, 1; or no, false, off, 0. */
gboolean fs_option_parse_flag(const char *text, gboolean *flag);

/* Up to 0777, octal. */
gboolean fs_option_parse_umask(const char *text, mode_t *umask);

/* A name that this machine knows, or a number. */
gboolean fs_option_parse_user(const char *text, uid_t *uid);
gboolean fs_option_parse_group(const char *text, gid_t *gid);

/* A SHA-256 as tools print it, as 64 lower-case hex digits: an optional
 * "sha256:", then the digits, all of the pairs or none separated by colons.
 * NULL if it is anything else. Caller frees. */
char *fs_option_parse_fingerprint(const char *text);

/* Relative paths are meant from here, wherever we go later. */
void fs_option_note_directory(void);
/* Absolute, for we leave the working directory; a leading "~/", which the shell
 * does not expand inside -o, is the caller's home. Caller frees. */
char *fs_option_absolute_path(const char *path);

/* @text as an error message may show it on a terminal: no control characters,
 * not endless. Caller frees. */
char *fs_option_printable(const char *text);
