/* The file ~/.netrc of ftp(1), which many programs read passwords from. */
#pragma once

#include "imap/settings.h"

/* The password of @user at @host in @text (NUL-terminated), and with a @user
 * of NULL that of the first entry for @host, whose login then becomes *@login
 * (caller frees). An entry "default" is for every host. NULL: there is none. */
ImapSecret *fs_netrc_find(const char *text, const char *host, const char *user,
                          char **login);
