/* What the requests share. */
#pragma once

#include "imap/requests.h"

/* NOOP: a server which keeps showing what another client has expunged has the
 * chance to stop. */
void imap_request_noop(ImapConnection *connection);
