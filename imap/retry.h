/* Whether to ask once more what a cut line has kept from being answered.
 *
 * A connection that was there before the question came up may have been dead
 * for long: that it ends says nothing of the server. Several may have been cut
 * at once, and each is found out by being used. So none of them is the last
 * that is tried; there are no more of them than the pool has connections. One
 * that was made since counts. */
#pragma once

#include "imap/connection.h"

typedef struct {
    gint64 since; /* microseconds, monotonic: when the question came up */
    guint attempts;
} ImapRetry;

/* The question comes up, or so much of the answer has come that it counts as a
 * new one. */
void imap_retry_begin(ImapRetry *retry);

/* What was asked on @connection has failed with @error (NULL: it has not). TRUE
 * when it is to be asked on another connection. */
gboolean imap_retry_is_due(ImapRetry *retry, const ImapConnection *connection,
                           const GError *error);
