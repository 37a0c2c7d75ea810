/* Asking for a secret at the terminal. */
#pragma once

#include <glib.h>

/* What a secret may hold at most, in octets. */
#define FS_TERMINAL_SECRET_BYTES 1024

/* Writes @prompt to the controlling terminal and reads a line without echo into
 * @secret, which has room for FS_TERMINAL_SECRET_BYTES + 1 octets; it ends in
 * NUL and has no line break. The terminal is as it was afterwards, also when a
 * signal ends or stops us meanwhile. Blocks. Fails with FS_ERROR_CREDENTIALS:
 * no terminal, nothing entered, too long. The caller wipes @secret. */
gboolean fs_terminal_prompt(const char *prompt, char *secret, GError **error);
