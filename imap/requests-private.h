/* What the requests share. */
#pragma once

#include "imap/requests.h"

/* Sends the UID FETCH of all rows right behind an EXAMINE that was just sent.
 * Who then asks for the same by imap_request_fetch_list, before the first row
 * has come, is given that. If nobody does, or the EXAMINE fails, it is passed
 * over. */
void imap_request_rows_ahead(ImapConnection *connection, gboolean with_header);

/* Whether @flag can be sent: "\\Seen", or an atom. */
gboolean imap_is_flag(const char *flag);
