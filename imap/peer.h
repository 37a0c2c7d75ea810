/* Who is at the other end of a line, for people: the address, what TLS has come
 * to, and whose certificate it is. Nothing is decided by it. */
#pragma once

#include <glib.h>
#include <openssl/ssl.h>

typedef struct {
    gboolean resolved;   /* the host has an address */
    char *address;       /* numeric; NULL: not connected */
    char *protocol;      /* "TLSv1.3"; NULL: no handshake was completed */
    char *cipher;        /* as OpenSSL calls it */
    char *subject;       /* the hosts that the certificate is for */
    char *issuer;        /* who has signed it */
    gint64 valid_until;  /* seconds since the epoch; 0: cannot be read */
    gboolean is_by_hand; /* trusted for its fingerprint, and nothing else */
} ImapPeer;

void imap_peer_clear(ImapPeer *peer);

/* The address that the socket @fd is connected to, if it is one of IP. */
void imap_peer_note_address(ImapPeer *peer, int fd);
/* After the handshake. */
void imap_peer_note_tls(ImapPeer *peer, SSL *ssl);
