/* Whether and when a connection compresses.
 *
 * COMPRESS can be asked for at any time after the login; the command has the
 * line to itself, so that what is asked for before it is answered in clear, and
 * what comes after it waits for one round trip. */
#include "imap/compression.h"

#include "imap/connection-private.h"

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    ImapConnection *connection = user_data;
    g_autoptr(GError) failure = NULL;

    if (status == NULL)
        return;
    if (error != NULL)
        g_debug("the server does not compress: %s", error->message);
    else if (!imap_connection_start_compression(connection, &failure))
        imap_connection_close(connection, failure);
}

static const ImapCommandHandler compress_handler = {.done = on_done};

static gboolean
is_wanted(const ImapCompression *compression, const ImapConnection *connection)
{
    switch (imap_connection_settings(connection)->compress) {
    case IMAP_COMPRESS_ON:
        return TRUE;
    case IMAP_COMPRESS_AUTO:
        return compression->rate != NULL &&
               imap_line_rate_is_slow(compression->rate);
    case IMAP_COMPRESS_OFF:
        break;
    }
    return FALSE;
}

static void
consider(ImapCompression *compression, ImapConnection *connection)
{
    ImapCommand *command;

    if (compression->tried || !is_wanted(compression, connection))
        return;
    compression->tried = TRUE;
    if (!imap_connection_has(connection, "COMPRESS=DEFLATE"))
        return;
    command = imap_command_new("COMPRESS DEFLATE");
    imap_command_set_exclusive(command);
    imap_connection_send(connection, command, &compress_handler, connection);
}

void
imap_compression_begin(ImapCompression *compression, ImapConnection *connection)
{
    consider(compression, connection);
}

void
imap_compression_received(ImapCompression *compression,
                          ImapConnection *connection, gsize length,
                          gboolean busy, gint64 waited)
{
    if (compression->rate == NULL)
        return;
    if (!busy)
        imap_line_measure_interrupt(&compression->measure);
    else if (!imap_connection_is_compressed(connection))
        imap_line_measure_received(&compression->measure, length, waited,
                                   g_get_monotonic_time(), compression->rate);
    consider(compression, connection);
}
