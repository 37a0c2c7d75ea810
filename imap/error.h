/* The ways in which talking to an IMAP server fails. */
#pragma once

#include <glib.h>

#define IMAP_ERROR imap_error_quark()
GQuark imap_error_quark(void);

typedef enum {
    /* The line. After any of these the connection is gone. */
    IMAP_ERROR_RESOLVE,        /* no such host */
    IMAP_ERROR_CONNECT,        /* the host refuses, or cannot be reached */
    IMAP_ERROR_TLS,            /* no TLS, or a certificate that is not right */
    IMAP_ERROR_AUTHENTICATION, /* the server refuses the login */
    IMAP_ERROR_PROTOCOL,       /* not IMAP, or beyond our bounds */
    IMAP_ERROR_TIMEOUT,        /* silence for longer than the deadline */
    IMAP_ERROR_CLOSED,         /* the server, or the network, hung up */

    /* One command. The connection is as good as before. */
    IMAP_ERROR_ARGUMENT,    /* CR, LF or NUL in an argument; nothing was sent */
    IMAP_ERROR_UNSUPPORTED, /* the server has not announced it, and nothing was
                               sent; or does not know the charset */
    IMAP_ERROR_NO,          /* refused without a code that says more */
    IMAP_ERROR_BAD,         /* the server does not understand the command */

    /* NO with a response code (RFC 5530, RFC 9051 section 7.1). */
    IMAP_ERROR_NONEXISTENT,
    IMAP_ERROR_ALREADY_EXISTS,
    IMAP_ERROR_NO_PERMISSION,
    IMAP_ERROR_OVER_QUOTA,
    IMAP_ERROR_TOO_BIG,
    IMAP_ERROR_IN_USE,
    IMAP_ERROR_LIMIT,
    IMAP_ERROR_UNAVAILABLE,
    IMAP_ERROR_HAS_CHILDREN,
    IMAP_ERROR_READ_ONLY,
    IMAP_ERROR_CANNOT,
} ImapError;

/* Whether @error is the line's, and not the server's answer: what was known
 * before is still the best there is. */
gboolean imap_error_is_of_the_line(const GError *error);
