/* One connected descriptor, in clear or with TLS: reads and writes that never
 * block and say what they wait for. Used by the transport alone. */
#pragma once

#include "imap/peer.h"
#include "imap/settings.h"

typedef struct ImapLine ImapLine;

typedef enum {
    IMAP_IO_DONE,
    IMAP_IO_WANTS_READ,  /* again when the descriptor is readable */
    IMAP_IO_WANTS_WRITE, /* again when it is writable */
    IMAP_IO_FAILED,      /* IMAP_ERROR_CLOSED or _TLS, for people */
} ImapIo;

/* Takes ownership of the stream socket @fd. @settings must outlive the line.
 * NULL when it cannot be made non-blocking (IMAP_ERROR_CLOSED; @fd is closed
 * then, too). */
ImapLine *imap_line_new(const ImapSettings *settings, int fd, GError **error);

/* Says goodbye in TLS, without waiting, and closes. Accepts NULL. */
void imap_line_free(ImapLine *line);

/* Octets that the kernel has and the other side has not acknowledged. */
gsize imap_line_queued(const ImapLine *line);

/* Notes who the other side is; with TLS, after the handshake. */
void imap_line_describe(const ImapLine *line, ImapPeer *peer);

int imap_line_descriptor(const ImapLine *line);
gboolean imap_line_is_tls(const ImapLine *line);

/* Puts TLS on the line; imap_line_handshake must follow until it is done.
 * Fails with IMAP_ERROR_TLS when the settings do not allow for it. */
gboolean imap_line_begin_tls(ImapLine *line, GError **error);

/* Done: the peer is who it should be. */
ImapIo imap_line_handshake(ImapLine *line, GError **error);

/* @sent and @received are 0 unless it is done. A send that was not done must be
 * repeated with the same octets, to which more may have been added. The end of
 * the stream is a failure, IMAP_ERROR_CLOSED. */
ImapIo imap_line_send(ImapLine *line, const guint8 *data, gsize length,
                      gsize *sent, GError **error);
ImapIo imap_line_receive(ImapLine *line, guint8 *buffer, gsize size,
                         gsize *received, GError **error);
