/* The octets to and from a server: name resolution and connecting by GIO, TLS
 * by OpenSSL on the non-blocking socket. Knows nothing of IMAP but the ALPN
 * name.
 *
 * One loop, no threads of ours, nothing blocks. Every function of the handler
 * is called from the loop, never inside a call to the transport. */
#pragma once

#include "imap/peer.h"
#include "imap/settings.h"

#include <gio/gio.h>

typedef struct ImapTransport ImapTransport;

typedef struct {
    /* The line is up; with TLS, the certificate is verified. Called once, and
     * once more after imap_transport_start_tls. */
    void (*ready)(gpointer user_data);
    /* @length > 0. The handler may free the transport. */
    void (*received)(const guint8 *data, gsize length, gpointer user_data);
    /* Octets left the buffer for the network. May be NULL. */
    void (*sent)(gpointer user_data);
    /* The end, called at most once: IMAP_ERROR_RESOLVE, _CONNECT, _TLS or
     * _CLOSED. The message names host, cause and, for TLS, the remedy. */
    void (*closed)(const GError *error, gpointer user_data);
} ImapTransportHandler;

/* @settings and @handler must outlive the transport. Nothing happens until
 * imap_transport_connect. */
ImapTransport *imap_transport_new(const ImapSettings *settings,
                                  const ImapTransportHandler *handler,
                                  gpointer user_data);

/* Closes without calling anything back; pending connecting is cancelled.
 * Accepts NULL. May be called from inside the handler. */
void imap_transport_free(ImapTransport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapTransport, imap_transport_free)

/* Resolves, connects and, for IMAP_TLS_IMPLICIT, shakes hands. */
void imap_transport_connect(ImapTransport *transport);

/* Instead of connecting: takes over the connected stream socket @fd. TLS as in
 * the settings. For tests. */
void imap_transport_adopt(ImapTransport *transport, int fd);

/* Shakes hands on the open line; until then nothing is received. The caller
 * has made sure that no octet of the server's is left unread (RFC 9051
 * section 6.2.1). */
void imap_transport_start_tls(ImapTransport *transport);

/* From here on both sides compress (RFC 4978). The caller has made sure that
 * nothing of the server's is left unread, and nothing of ours unsent. */
void imap_transport_start_compression(ImapTransport *transport);

/* Buffers @length octets (copied; the copy is wiped once sent) and sends them
 * from the loop. */
void imap_transport_write(ImapTransport *transport, const void *data,
                          gsize length);

/* Octets written and not yet given to the network; under compression, of
 * writes that have not left as a whole. */
gsize imap_transport_unsent(const ImapTransport *transport);

/* Octets that were given to the network, as it counts them, and have not been
 * acknowledged by the other side. */
gsize imap_transport_queued(const ImapTransport *transport);

/* While paused nothing is read: the server feels the back-pressure. */
void imap_transport_set_paused(ImapTransport *transport, gboolean paused);

/* Whether what is sent now is encrypted. */
gboolean imap_transport_is_encrypted(const ImapTransport *transport);

/* Who is at the other end, as far as is known by now. Borrowed. */
const ImapPeer *imap_transport_peer(const ImapTransport *transport);
/* The same, to keep; the transport forgets it. */
ImapPeer imap_transport_take_peer(ImapTransport *transport);

/* Microseconds that the loop had nothing to do but wait, for this line among
 * others. */
gint64 imap_transport_waited(const ImapTransport *transport);

/* Octets received since it was made, as the application sees them; and what
 * went over the line for that, less what TLS adds: with compression, less. */
guint64 imap_transport_bytes_received(const ImapTransport *transport);
guint64 imap_transport_line_received(const ImapTransport *transport);
/* The same, sent. */
guint64 imap_transport_bytes_sent(const ImapTransport *transport);
