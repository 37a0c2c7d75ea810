/* What stands in a certificate was written by anybody: it is cut, and holds
 * printable ASCII alone. */
#include "imap/peer.h"

#include "imap/tls.h"

#include <gio/gio.h>
#include <sys/socket.h>
#include <time.h>

#define NAME_OCTETS 120

void
imap_peer_clear(ImapPeer *peer)
{
    g_free(peer->address);
    g_free(peer->protocol);
    g_free(peer->cipher);
    g_free(peer->subject);
    g_free(peer->issuer);
    *peer = (ImapPeer){0};
}

void
imap_peer_note_address(ImapPeer *peer, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    g_autoptr(GSocketAddress) native = NULL;

    peer->resolved = TRUE;
    if (getpeername(fd, (struct sockaddr *)&address, &length) != 0)
        return;
    native = g_socket_address_new_from_native(&address, length);
    if (native == NULL || !G_IS_INET_SOCKET_ADDRESS(native))
        return;
    g_free(peer->address);
    peer->address = g_inet_address_to_string(
        g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(native)));
}

static gint64
seconds_of(const ASN1_TIME *time)
{
    struct tm tm;

    return time != NULL && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

/* The organisation and the name, whichever there are. */
static char *
issuer_of(X509 *certificate)
{
    static const int parts[] = {NID_organizationName, NID_commonName};
    X509_NAME *issuer = X509_get_issuer_name(certificate);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        char part[NAME_OCTETS + 1] = "";

        if (X509_NAME_get_text_by_NID(issuer, parts[i], part, sizeof part) <= 0)
            continue;
        for (char *at = part; *at != '\0'; at++)
            if (!g_ascii_isprint(*at))
                *at = '?';
        g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", part);
    }
    if (text->len == 0)
        g_string_append(text, "nobody");
    return g_string_free(text, FALSE);
}

void
imap_peer_note_tls(ImapPeer *peer, SSL *ssl)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);

    if (certificate == NULL)
        return;
    g_free(peer->protocol);
    g_free(peer->cipher);
    g_free(peer->subject);
    g_free(peer->issuer);
    peer->protocol = g_strdup(SSL_get_version(ssl));
    peer->cipher = g_strdup(SSL_get_cipher_name(ssl));
    peer->subject = imap_tls_certificate_names(certificate);
    peer->issuer = issuer_of(certificate);
    peer->valid_until = seconds_of(X509_get0_notAfter(certificate));
    peer->is_by_hand = SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE;
}
