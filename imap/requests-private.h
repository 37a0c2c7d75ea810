/* What the requests share. */
#pragma once

#include "imap/requests.h"

/* NOOP: a server which keeps showing what another client has expunged has the
 * chance to stop. */
void imap_request_noop(ImapConnection *connection);

/* Sends the UID FETCH of all rows right behind an EXAMINE that was just sent.
 * Who then asks for the same by imap_request_fetch_list, before the first row
 * has come, is given that. If nobody does, or the EXAMINE fails, it is passed
 * over. */
void imap_request_rows_ahead(ImapConnection *connection, gboolean with_header);
