/* Whether and when a connection compresses (RFC 4978). Part of ImapConnection,
 * and used by it alone. */
#pragma once

#include "imap/connection.h"
#include "imap/line-rate.h"

/* Zeroed at first. */
typedef struct {
    ImapLineRate *rate; /* shared, a reference; NULL: unknown */
    ImapLineMeasure measure;
    gboolean tried; /* once is enough, also when it was refused */
} ImapCompression;

/* The login has come to its end: asks for compression if the settings, or what
 * is known of the line, say so. */
void imap_compression_begin(ImapCompression *compression,
                            ImapConnection *connection);

/* @length octets came while the connection was ready, and more is awaited if
 * @busy. @waited: as of imap_transport_waited. May ask for compression. */
void imap_compression_received(ImapCompression *compression,
                               ImapConnection *connection, gsize length,
                               gboolean busy, gint64 waited);
