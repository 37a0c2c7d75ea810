/* What the requests share. */
#pragma once

#include "imap/requests.h"

/* NOOP: a server which keeps showing what another client has expunged has the
 * chance to stop. */
void imap_request_noop(ImapConnection *connection);

/* Whether @flag can be sent: "\\Seen", or an atom. */
gboolean imap_is_flag(const char *flag);
