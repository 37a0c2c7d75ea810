/* Making and checking TLS: the context of an account, and what to tell the user
 * when a certificate is not right. Used by the transport alone. */
#pragma once

#include "imap/settings.h"

#include <openssl/ssl.h>

/* A context for @settings: TLS 1.2 or newer, ALPN "imap", the CA file or the
 * system's, the client certificate. Fails with IMAP_ERROR_TLS, naming the file
 * that could not be used. Caller frees with SSL_CTX_free. */
SSL_CTX *imap_tls_context_new(const ImapSettings *settings, GError **error);

/* An SSL for @settings->host: SNI (not for addresses), host name or address
 * check, or the pinned fingerprint instead of both. Caller frees. */
SSL *imap_tls_new(SSL_CTX *context, const ImapSettings *settings,
                  GError **error);

/* After the handshake: that the pinned fingerprint, if any, is the peer's. The
 * message of the failure shows the fingerprint that the server has. */
gboolean imap_tls_check_peer(SSL *ssl, const ImapSettings *settings,
                             GError **error);

/* The hosts that @certificate is for, some of them if there are many; "no
 * host" if there are none. Printable ASCII. Caller frees. */
char *imap_tls_certificate_names(X509 *certificate);

/* The reason for the failed handshake or read of @ssl, in words for people:
 * expired, another host's name, unknown issuer … and the remedy
 * (IMAP_ERROR_TLS). Empties OpenSSL's error queue. Caller frees. */
GError *imap_tls_error(SSL *ssl, const ImapSettings *settings);
