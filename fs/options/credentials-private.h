/* What obtaining the secret at the start and doing so again later share. */
#pragma once

#include "fs/options/options.h"

/* The longest output of a command, in octets. */
#define FS_CREDENTIALS_COMMAND_BYTES (64 * 1024)

/* How long a command may take, in milliseconds: a person may have to find and
 * type a passphrase. A variable for tests. */
extern guint fs_credentials_command_ms;

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

/* Runs @text, the value of the option @name, and waits for it. The command is
 * in no error: it may hold a secret. */
gboolean fs_credentials_run(const char *name, const char *text,
                            ImapSecret **secret, GError **error);

/* Up to @size octets; -1 with errno set. */
gssize fs_credentials_read_all(int fd, char *buffer, gsize size);

/* ---- what lies in a file: password_file, netrc, credential ---- */

/* Without any other source of a password, one that the service manager offers
 * is taken: that of the account's name, or "imapfs.password". */
void fs_credentials_find_stored(FsOptions *options);
gboolean fs_credentials_is_stored(const FsOptions *options);
/* Reads it (anew). A netrc may also tell the user, if none is known. */
gboolean fs_credentials_read_stored(const FsOptions *options,
                                    ImapSecret **secret, GError **error);
