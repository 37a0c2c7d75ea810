/* Finding out at once whether a connection still has another end. */
#pragma once

#include "imap/connection.h"

/* Sends NOOP on @connection, which was opened and may have ended meanwhile.
 * When not an octet has come within @deadline_ms, the connection is closed with
 * IMAP_ERROR_CLOSED, so that its commands are tried again on another one. What
 * does come may be the answer to something else: that is a sign of life, too.
 * One that is paused then is left alone. */
void imap_connection_probe(ImapConnection *connection, guint deadline_ms);
