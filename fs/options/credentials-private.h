/* What obtaining the secret at the start and doing so again later share. */
#pragma once

#include "fs/options/options.h"

/* The longest output of a command, in octets. */
#define FS_CREDENTIALS_COMMAND_BYTES (64 * 1024)

/* FS_ERROR_CREDENTIALS; returns FALSE. */
gboolean fs_credentials_fail(GError **error, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* The first line of @text becomes @secret; @source names it for the error. */
gboolean fs_credentials_take_line(const char *text, gsize length,
                                  const char *source, ImapSecret **secret,
                                  GError **error);

/* What waitpid says of the command of the option @name. */
gboolean fs_credentials_check_status(int status, const char *name,
                                     GError **error);

gboolean fs_credentials_read_file(const char *path, ImapSecret **secret,
                                  GError **error);
