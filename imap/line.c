/* The descriptor, and OpenSSL on top of it when there is TLS.
 *
 * OpenSSL keeps its errors in a queue of the thread, which must be empty before
 * a call or the next one blames the wrong cause; and errno counts only until
 * the next system call. Both are dealt with here, so that nobody else has to
 * know. */
#include "imap/line.h"
#include "imap/error.h"
#include "imap/tls.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* At the default timeout (30 seconds), a line over which nothing is
 * acknowledged is given up after 15 seconds while something is sent, and after
 * 75 seconds while it is idle. */
#define KEEPALIVE_IDLE_MAX_S 60
#define KEEPALIVE_INTERVAL_MAX_S 15
#define KEEPALIVE_PROBES 4
#define UNACKNOWLEDGED_MAX_MS 15000

struct ImapLine {
    const ImapSettings *settings;
    int fd;
    SSL_CTX *context;
    SSL *ssl; /* NULL: in clear */
    /* OpenSSL's own idea of it is forgotten with the first failure. */
    gboolean hands_shaken;
    gboolean ssl_failed; /* SSL_shutdown must not be called any more */
};

static gboolean
is_shaking_hands(const ImapLine *line)
{
    return line->ssl != NULL && !line->hands_shaken;
}

/* @code: an errno, 0 for the end of the stream. */
static GError *
closed_error(const ImapLine *line, int code)
{
    const ImapSettings *settings = line->settings;

    if (is_shaking_hands(line))
        return g_error_new(
            IMAP_ERROR, IMAP_ERROR_CLOSED,
            "%s ended the connection during the TLS handshake%s%s; check that "
            "its port %u is right for tls=%s",
            settings->host, code != 0 ? ": " : "",
            code != 0 ? g_strerror(code) : "", imap_settings_port(settings),
            settings->tls == IMAP_TLS_IMPLICIT ? "implicit" : "starttls");
    if (code == 0)
        return g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                           "%s closed the connection", settings->host);
    return g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                       "the connection to %s broke: %s", settings->host,
                       g_strerror(code));
}

static void
set_option(int fd, int level, int name, int value)
{
    /* A socket that does not know it (in tests, a pair of Unix sockets) works
     * without, too. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

/* The kernel notices a dead line by what is not acknowledged, which a server
 * that takes its time is not to blame for: so earlier than the timeout, and
 * there is time left to try another connection. */
static void
set_patience(int fd, guint timeout_ms)
{
    int timeout_s = (int)MAX(timeout_ms / 1000, 1);

    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE,
               MIN(2 * timeout_s, KEEPALIVE_IDLE_MAX_S));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL,
               CLAMP(timeout_s / 2, 1, KEEPALIVE_INTERVAL_MAX_S));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               (int)MIN(timeout_ms / 2, UNACKNOWLEDGED_MAX_MS));
}

ImapLine *
imap_line_new(const ImapSettings *settings, int fd, GError **error)
{
    ImapLine *line = g_new0(ImapLine, 1);

    line->settings = settings;
    line->fd = fd;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_patience(fd, settings->timeout_ms);
    if (!g_unix_set_fd_nonblocking(fd, TRUE, NULL)) {
        g_propagate_error(error, closed_error(line, errno));
        imap_line_free(line);
        return NULL;
    }
    return line;
}

void
imap_line_free(ImapLine *line)
{
    if (line == NULL)
        return;
    if (line->ssl != NULL) {
        ERR_clear_error();
        if (line->hands_shaken && !line->ssl_failed)
            SSL_shutdown(line->ssl);
        ERR_clear_error();
        SSL_free(line->ssl);
    }
    SSL_CTX_free(line->context);
    close(line->fd);
    g_free(line);
}

gsize
imap_line_queued(const ImapLine *line)
{
    int queued = 0;

    return ioctl(line->fd, SIOCOUTQ, &queued) == 0 && queued > 0 ? (gsize)queued
                                                                 : 0;
}

void
imap_line_describe(const ImapLine *line, ImapPeer *peer)
{
    if (line->ssl != NULL && line->hands_shaken)
        imap_peer_note_tls(peer, line->ssl);
    else
        imap_peer_note_address(peer, line->fd);
}

int
imap_line_descriptor(const ImapLine *line)
{
    return line->fd;
}

gboolean
imap_line_is_tls(const ImapLine *line)
{
    return line->ssl != NULL;
}

gboolean
imap_line_begin_tls(ImapLine *line, GError **error)
{
    line->context = imap_tls_context_new(line->settings, error);
    if (line->context == NULL)
        return FALSE;
    line->ssl = imap_tls_new(line->context, line->settings, error);
    if (line->ssl == NULL)
        return FALSE;
    if (SSL_set_fd(line->ssl, line->fd) != 1) {
        g_propagate_error(error, imap_tls_error(line->ssl, line->settings));
        return FALSE;
    }
    return TRUE;
}

/* What came of an SSL_ call that returned @result; errno is still its. */
static ImapIo
judge_ssl(ImapLine *line, int result, GError **error)
{
    int code = errno;

    switch (SSL_get_error(line->ssl, result)) {
    case SSL_ERROR_NONE:
        return IMAP_IO_DONE;
    case SSL_ERROR_WANT_READ:
        return IMAP_IO_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return IMAP_IO_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        g_propagate_error(error, closed_error(line, 0));
        return IMAP_IO_FAILED;
    case SSL_ERROR_SYSCALL:
        line->ssl_failed = TRUE;
        g_propagate_error(error, closed_error(line, code));
        return IMAP_IO_FAILED;
    default:
        break;
    }
    line->ssl_failed = TRUE;
    /* Many servers hang up without close_notify. IMAP says itself where a
     * response ends, so nothing can be cut off unseen. */
    if (ERR_GET_REASON(ERR_peek_error()) ==
        SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        g_propagate_error(error, closed_error(line, 0));
    } else {
        g_propagate_error(error, imap_tls_error(line->ssl, line->settings));
    }
    return IMAP_IO_FAILED;
}

static ImapIo
judge_socket(ImapLine *line, gssize result, ImapIo would_block, GError **error)
{
    int code = errno;

    if (result >= 0)
        return IMAP_IO_DONE;
    if (code == EAGAIN || code == EWOULDBLOCK || code == EINTR)
        return would_block;
    g_propagate_error(error, closed_error(line, code));
    return IMAP_IO_FAILED;
}

ImapIo
imap_line_handshake(ImapLine *line, GError **error)
{
    int result;
    ImapIo io;

    ERR_clear_error();
    errno = 0;
    result = SSL_connect(line->ssl);
    io = judge_ssl(line, result, error);
    if (io == IMAP_IO_DONE) {
        line->hands_shaken = TRUE;
        if (!imap_tls_check_peer(line->ssl, line->settings, error))
            return IMAP_IO_FAILED;
    }
    return io;
}

ImapIo
imap_line_send(ImapLine *line, const guint8 *data, gsize length, gsize *sent,
               GError **error)
{
    gssize result;

    *sent = 0;
    if (line->ssl != NULL) {
        int done;

        ERR_clear_error();
        errno = 0;
        done = SSL_write_ex(line->ssl, data, length, sent);
        return judge_ssl(line, done, error);
    }
    result = send(line->fd, data, length, MSG_NOSIGNAL);
    if (result > 0)
        *sent = (gsize)result;
    return judge_socket(line, result, IMAP_IO_WANTS_WRITE, error);
}

ImapIo
imap_line_receive(ImapLine *line, guint8 *buffer, gsize size, gsize *received,
                  GError **error)
{
    gssize result;

    *received = 0;
    if (line->ssl != NULL) {
        int done;

        ERR_clear_error();
        errno = 0;
        done = SSL_read_ex(line->ssl, buffer, size, received);
        return judge_ssl(line, done, error);
    }
    result = recv(line->fd, buffer, size, 0);
    if (result == 0) {
        g_propagate_error(error, closed_error(line, 0));
        return IMAP_IO_FAILED;
    }
    if (result > 0)
        *received = (gsize)result;
    return judge_socket(line, result, IMAP_IO_WANTS_READ, error);
}
