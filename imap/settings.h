/* Where an account is and how to get in. */
#pragma once

#include "imap/secret.h"

#include <glib.h>

typedef enum {
    IMAP_TLS_IMPLICIT, /* TLS from the first octet; port 993 */
    IMAP_TLS_STARTTLS, /* required, never opportunistic; port 143 */
    IMAP_TLS_OFF,
} ImapTls;

typedef enum {
    IMAP_COMPRESS_AUTO, /* where the line turns out to be slow */
    IMAP_COMPRESS_ON,   /* wherever the server can */
    IMAP_COMPRESS_OFF,
} ImapCompress;

typedef struct {
    char *host;
    guint16 port; /* 0: the default of tls, see imap_settings_port */
    ImapTls tls;
    char *username;    /* NULL: none was given */
    char *ca_file;     /* PEM; NULL: the system's */
    char *fingerprint; /* SHA-256 of the certificate, hex with or without
                          colons; NULL: the chain is verified instead */
    char *client_cert; /* PEM files; NULL: none */
    char *client_key;  /* NULL: in client_cert */
    char *mechanism;   /* upper case, e.g. "SCRAM-SHA-256"; NULL: the best */
    gboolean cleartext_password; /* send it in clear to other hosts, too */
    ImapSecret *password;        /* NULL: none */
    ImapSecret *token;           /* OAuth2 access token; NULL: none */
    ImapCompress compress;
    guint timeout_ms; /* silence that ends an operation */
} ImapSettings;

ImapSettings *imap_settings_new(void);
void imap_settings_free(ImapSettings *settings); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapSettings, imap_settings_free)

/* The port to connect to: 993 for IMAP_TLS_IMPLICIT, else 143, where
 * settings->port is 0. */
guint16 imap_settings_port(const ImapSettings *settings);

/* Fills host, port, tls and username from an imap URL (RFC 5092):
 * "imaps://me%40example.org@host:993/", "imap://host", and the mechanism from
 * "user;AUTH=PLAIN@host". TLS follows the scheme; the port stays 0 unless the
 * URL names one. Fails with IMAP_ERROR_ARGUMENT, saying what is wrong and what
 * to write instead, and leaves @settings as it was; a URL with a password is
 * refused, and the message does not repeat it. A path other than "/" is
 * refused. IPv6 in brackets. */
gboolean imap_settings_parse_url(ImapSettings *settings, const char *url,
                                 GError **error);

/* Whether host is this machine: localhost, 127.0.0.0/8 or ::1. */
gboolean imap_settings_is_loopback(const ImapSettings *settings);
