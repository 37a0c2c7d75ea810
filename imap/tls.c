/* OpenSSL set up the way IMAP wants it, and its failures in words.
 *
 * Why a certificate was refused is only known while it is being verified:
 * afterwards OpenSSL has a number and, depending on its version, no certificate
 * any more. So the verify callback keeps the refused one, with the SSL, for the
 * message. With a pinned fingerprint nothing is verified during the handshake;
 * imap_tls_check_peer decides alone, before an octet of IMAP is sent. */
#include "imap/tls.h"
#include "imap/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define FINGERPRINT_SIZE 32
#define NAMES_SHOWN 4
#define NAME_LENGTH_SHOWN 80

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SSL_CTX, SSL_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SSL, SSL_free)

static const guint8 alpn[] = "\4imap";

/* Kept with an SSL: what the verification stumbled over. */
typedef struct {
    int error;     /* X509_V_ERR_… */
    X509 *leaf;    /* the server's own certificate */
    X509 *culprit; /* the one that is wrong: the leaf, or one of its issuers */
} Refusal;

static void
refusal_free(Refusal *refusal)
{
    if (refusal == NULL)
        return;
    X509_free(refusal->leaf);
    X509_free(refusal->culprit);
    g_free(refusal);
}

static void
free_refusal_with_ssl(void *ssl, void *refusal, CRYPTO_EX_DATA *data, int index,
                      long argl, void *argp)
{
    refusal_free(refusal);
}

static int
refusal_index(void)
{
    static gsize index_plus_one;

    if (g_once_init_enter(&index_plus_one)) {
        int index =
            SSL_get_ex_new_index(0, NULL, NULL, NULL, free_refusal_with_ssl);

        g_once_init_leave(&index_plus_one, (gsize)index + 1);
    }
    return (int)(index_plus_one - 1);
}

static X509 *
ref_certificate(X509 *certificate)
{
    if (certificate != NULL)
        X509_up_ref(certificate);
    return certificate;
}

static int
on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    Refusal *refusal;

    if (ok)
        return 1;
    refusal = g_new0(Refusal, 1);
    refusal->error = X509_STORE_CTX_get_error(store);
    refusal->leaf = ref_certificate(X509_STORE_CTX_get0_cert(store));
    refusal->culprit = ref_certificate(X509_STORE_CTX_get_current_cert(store));
    refusal_free(SSL_get_ex_data(ssl, refusal_index()));
    SSL_set_ex_data(ssl, refusal_index(), refusal);
    return 0;
}

/* ---- making ---- */

/* Empties the error queue. */
static const char *
queued_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return reason != NULL ? reason : "unknown reason";
}

/* @what could not be loaded from @file: the file's fault, or its content's? */
static gboolean
fail_file(GError **error, const char *option, const char *file,
          const char *remedy)
{
    g_autoptr(GError) unreadable = NULL;
    g_autofree char *content = NULL;
    gsize length = 0;
    const char *reason = queued_reason();

    if (!g_file_get_contents(file, &content, &length, &unreadable)) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS, "%s: %s", option,
                    unreadable->message);
    } else {
        OPENSSL_cleanse(content, length); /* it may be a private key */
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "%s: cannot use %s (%s); %s", option, file, reason, remedy);
    }
    return FALSE;
}

/* OpenSSL would ask on the terminal, which may not be ours any more. */
static int
no_pass_phrase(char *buffer, int size, int writing, void *user_data)
{
    return -1;
}

static gboolean
load_client_certificate(SSL_CTX *context, const ImapSettings *settings,
                        GError **error)
{
    const char *key = settings->client_key != NULL ? settings->client_key
                                                   : settings->client_cert;

    if (SSL_CTX_use_certificate_chain_file(context, settings->client_cert) != 1)
        return fail_file(error, "client_cert", settings->client_cert,
                         "it must hold a certificate in PEM form");
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fail_file(error, "client_key", key,
                         "it must hold the key of client_cert in PEM form, "
                         "without a pass phrase");
    return TRUE;
}

static gboolean
load_authorities(SSL_CTX *context, const ImapSettings *settings, GError **error)
{
    if (settings->fingerprint != NULL)
        return TRUE; /* the chain will not be looked at */
    if (settings->ca_file == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) == 1)
            return TRUE;
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "cannot use the certificate authorities of this machine: "
                    "%s",
                    queued_reason());
        return FALSE;
    }
    if (SSL_CTX_load_verify_file(context, settings->ca_file) != 1)
        return fail_file(error, "ca_file", settings->ca_file,
                         "it must hold a certificate in PEM form");
    /* The file may hold an intermediate authority or the server's own
     * certificate: the user trusts exactly what it holds. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                                X509_V_FLAG_PARTIAL_CHAIN);
    return TRUE;
}

SSL_CTX *
imap_tls_context_new(const ImapSettings *settings, GError **error)
{
    g_autoptr(SSL_CTX) context = NULL;

    ERR_clear_error();
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1) != 0) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS, "cannot set up TLS: %s",
                    queued_reason());
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_AUTO_RETRY |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context,
                       settings->fingerprint != NULL ? SSL_VERIFY_NONE
                                                     : SSL_VERIFY_PEER,
                       settings->fingerprint != NULL ? NULL : on_verify);

    /* One system call for several records. The transport reads until OpenSSL
     * says that it would block, so nothing stays behind in there. */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 64 * 1024);

    if (!load_authorities(context, settings, error))
        return NULL;
    if (settings->client_cert != NULL &&
        !load_client_certificate(context, settings, error))
        return NULL;
    return g_steal_pointer(&context);
}

/* "AB:CD…" or "abcd…" into @digest. */
static gboolean
parse_fingerprint(const char *text, guint8 digest[FINGERPRINT_SIZE])
{
    for (gsize i = 0; i < FINGERPRINT_SIZE; i++) {
        if (*text == ':' && i > 0)
            text++;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
            return FALSE;
        digest[i] = (guint8)(g_ascii_xdigit_value(text[0]) << 4 |
                             g_ascii_xdigit_value(text[1]));
        text += 2;
    }
    return *text == '\0';
}

static gboolean
set_expected_peer(SSL *ssl, const ImapSettings *settings)
{
    gboolean is_address = g_hostname_is_ip_address(settings->host);

    if (!is_address && SSL_set_tlsext_host_name(ssl, settings->host) != 1)
        return FALSE;
    if (settings->fingerprint != NULL)
        return TRUE;
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl),
                                             settings->host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, settings->host) == 1;
}

SSL *
imap_tls_new(SSL_CTX *context, const ImapSettings *settings, GError **error)
{
    g_autoptr(SSL) ssl = NULL;
    guint8 digest[FINGERPRINT_SIZE];

    if (settings->fingerprint != NULL &&
        !parse_fingerprint(settings->fingerprint, digest)) {
        g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_TLS,
                            "fingerprint: not a SHA-256 fingerprint; it has 64 "
                            "hex digits, with or without colons");
        return NULL;
    }
    ERR_clear_error();
    ssl = SSL_new(context);
    if (ssl == NULL || !set_expected_peer(ssl, settings)) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "cannot set up TLS for %s: %s", settings->host,
                    queued_reason());
        return NULL;
    }
    return g_steal_pointer(&ssl);
}

/* ---- words ---- */

static char *
format_fingerprint(X509 *certificate)
{
    guint8 digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    GString *text = g_string_new(NULL);

    if (X509_digest(certificate, EVP_sha256(), digest, &length) == 1)
        for (unsigned int i = 0; i < length; i++)
            g_string_append_printf(text, "%s%02X", i > 0 ? ":" : "", digest[i]);
    return g_string_free(text, FALSE);
}

static void
append_name(GString *names, const guint8 *data, gsize length)
{
    gsize shown = MIN(length, NAME_LENGTH_SHOWN);

    g_string_append(names, names->len > 0 ? ", " : "");
    for (gsize i = 0; i < shown; i++)
        g_string_append_c(names,
                          g_ascii_isgraph(data[i]) ? (char)data[i] : '?');
}

static gboolean
append_alternative_name(GString *names, const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    const ASN1_STRING *text;
    int family;

    if (name->type == GEN_DNS) {
        append_name(names, ASN1_STRING_get0_data(name->d.dNSName),
                    (gsize)ASN1_STRING_length(name->d.dNSName));
        return TRUE;
    }
    if (name->type != GEN_IPADD)
        return FALSE;
    text = name->d.iPAddress;
    if (ASN1_STRING_length(text) != 4 && ASN1_STRING_length(text) != 16)
        return FALSE;
    family = ASN1_STRING_length(text) == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, ASN1_STRING_get0_data(text), address,
                  sizeof address) == NULL)
        return FALSE;
    append_name(names, (const guint8 *)address, strlen(address));
    return TRUE;
}

static void
append_common_name(GString *names, X509 *certificate)
{
    char name[256];

    if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                  NID_commonName, name, sizeof name) > 0)
        append_name(names, (const guint8 *)name, strlen(name));
}

char *
imap_tls_certificate_names(X509 *certificate)
{
    GString *names = g_string_new(NULL);
    GENERAL_NAMES *alternatives =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = alternatives != NULL ? sk_GENERAL_NAME_num(alternatives) : 0;
    guint shown = 0;

    for (int i = 0; i < count; i++) {
        if (shown == NAMES_SHOWN) {
            g_string_append(names, " and others");
            break;
        }
        if (append_alternative_name(names,
                                    sk_GENERAL_NAME_value(alternatives, i)))
            shown++;
    }
    GENERAL_NAMES_free(alternatives);
    if (shown == 0)
        append_common_name(names, certificate);
    if (names->len == 0)
        g_string_append(names, "no host");
    return g_string_free(names, FALSE);
}

static char *
format_date(const ASN1_TIME *time)
{
    struct tm tm;

    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1)
        return g_strdup("a date that cannot be read");
    return g_strdup_printf("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                           tm.tm_mday);
}

/* "the certificate of HOST", or the issuer's behind it. */
static char *
format_subject(const Refusal *refusal, const char *host)
{
    if (refusal->culprit == NULL || refusal->culprit == refusal->leaf)
        return g_strdup_printf("the certificate of %s", host);
    return g_strdup_printf("an authority behind the certificate of %s", host);
}

static GError *
tls_error(char *message) /* takes ownership */
{
    GError *error = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_TLS, message);

    g_free(message);
    return error;
}

static char *
describe_unknown_issuer(const Refusal *refusal, const ImapSettings *settings,
                        const char *fingerprint)
{
    g_autofree char *authority =
        settings->ca_file != NULL
            ? g_strdup_printf("that is not in %s", settings->ca_file)
            : g_strdup("this machine does not know");

    return g_strdup_printf(
        "the certificate of %s is signed by an authority %s; if it is your "
        "own, pass -o ca_file=FILE or -o fingerprint=%s",
        settings->host, authority, fingerprint);
}

static char *
describe_refusal(const Refusal *refusal, const ImapSettings *settings)
{
    const char *host = settings->host;
    X509 *culprit = refusal->culprit != NULL ? refusal->culprit : refusal->leaf;
    g_autofree char *subject = format_subject(refusal, host);
    g_autofree char *fingerprint = format_fingerprint(refusal->leaf);
    g_autofree char *names = imap_tls_certificate_names(refusal->leaf);
    g_autofree char *date = NULL;

    switch (refusal->error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date = format_date(X509_get0_notAfter(culprit));
        return g_strdup_printf("%s expired on %s; it must be renewed on the "
                               "server, unless the clock here is wrong",
                               subject, date);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date = format_date(X509_get0_notBefore(culprit));
        return g_strdup_printf("%s is not valid before %s; check the clock of "
                               "this machine",
                               subject, date);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return g_strdup_printf("the certificate is for %s, not for %s; use the "
                               "name that it has, or pass -o fingerprint=%s if "
                               "you trust this very certificate",
                               names, host, fingerprint);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return g_strdup_printf("the certificate of %s is self-signed; if it is "
                               "your own, pass -o ca_file=FILE or "
                               "-o fingerprint=%s",
                               host, fingerprint);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return describe_unknown_issuer(refusal, settings, fingerprint);
    default:
        return g_strdup_printf(
            "%s cannot be accepted: %s; if you trust it, pass "
            "-o fingerprint=%s",
            subject, X509_verify_cert_error_string(refusal->error),
            fingerprint);
    }
}

/* What to do about a peer that does not speak TLS. */
static char *
describe_no_tls(const ImapSettings *settings)
{
    const char *host = settings->host;
    guint port = imap_settings_port(settings);
    gboolean in_brackets = strchr(host, ':') != NULL;
    g_autofree char *authority = g_strdup_printf(
        "%s%s%s", in_brackets ? "[" : "", host, in_brackets ? "]" : "");

    if (port != 993 && port != 143) {
        char *with_port = g_strdup_printf("%s:%u", authority, port);

        g_free(authority);
        authority = with_port;
    }
    if (settings->tls == IMAP_TLS_IMPLICIT)
        return g_strdup_printf("%s port %u does not speak TLS; for STARTTLS "
                               "use imap://%s/",
                               host, port, authority);
    return g_strdup_printf("%s port %u does not speak TLS after STARTTLS; if "
                           "the port is for TLS only, use imaps://%s/",
                           host, port, authority);
}

static char *
describe_client_certificate(const ImapSettings *settings, const char *reason)
{
    if (settings->client_cert == NULL)
        return g_strdup_printf("%s wants a client certificate (%s); pass "
                               "-o client_cert=FILE",
                               settings->host, reason);
    return g_strdup_printf("%s refuses the client certificate %s (%s); check "
                           "client_cert and client_key",
                           settings->host, settings->client_cert, reason);
}

/* @code is of OpenSSL's queue; 0 if that was empty. */
static char *
describe_code(const ImapSettings *settings, unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);

    if (reason == NULL)
        reason = "unknown reason";
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return describe_no_tls(settings);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return g_strdup_printf("%s speaks no TLS newer than 1.1, which is "
                               "not safe; its software must be updated",
                               settings->host);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return describe_client_certificate(settings, reason);
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
    case SSL_R_BAD_EXTENSION: /* also: a protocol that we did not offer */
        return g_strdup_printf(
            "%s port %u seems not to be for IMAP (%s); check host "
            "and port",
            settings->host, imap_settings_port(settings), reason);
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return g_strdup_printf("%s shares no cipher with us or wants a client "
                               "certificate (%s)%s",
                               settings->host, reason,
                               settings->client_cert == NULL
                                   ? "; for the latter, pass "
                                     "-o client_cert=FILE"
                                   : "");
    default:
        return g_strdup_printf("TLS with %s failed: %s", settings->host,
                               reason);
    }
}

GError *
imap_tls_error(SSL *ssl, const ImapSettings *settings)
{
    const Refusal *refusal = SSL_get_ex_data(ssl, refusal_index());
    unsigned long code = ERR_peek_error();

    ERR_clear_error();
    if (refusal != NULL && refusal->leaf != NULL)
        return tls_error(describe_refusal(refusal, settings));
    return tls_error(describe_code(settings, code));
}

/* ---- the peer after the handshake ---- */

static gboolean
check_fingerprint(X509 *certificate, const ImapSettings *settings,
                  GError **error)
{
    guint8 expected[FINGERPRINT_SIZE];
    guint8 actual[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    g_autofree char *shown = NULL;

    if (parse_fingerprint(settings->fingerprint, expected) &&
        X509_digest(certificate, EVP_sha256(), actual, &length) == 1 &&
        length == FINGERPRINT_SIZE &&
        CRYPTO_memcmp(expected, actual, FINGERPRINT_SIZE) == 0)
        return TRUE;
    shown = format_fingerprint(certificate);
    g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                "the certificate of %s has not the fingerprint that you gave "
                "but %s; if the server has a new certificate, pass that one",
                settings->host, shown);
    return FALSE;
}

static gboolean
check_alpn(SSL *ssl, const ImapSettings *settings, GError **error)
{
    const unsigned char *selected = NULL;
    unsigned int length = 0;

    SSL_get0_alpn_selected(ssl, &selected, &length);
    /* Most servers know nothing of ALPN and select nothing. */
    if (length == 0 ||
        (length == alpn[0] && memcmp(selected, alpn + 1, length) == 0))
        return TRUE;
    g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                "%s port %u seems not to be for IMAP (it selects another "
                "protocol); check "
                "host and port",
                settings->host, imap_settings_port(settings));
    return FALSE;
}

gboolean
imap_tls_check_peer(SSL *ssl, const ImapSettings *settings, GError **error)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);

    if (certificate == NULL) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "%s showed no certificate", settings->host);
        return FALSE;
    }
    if (settings->fingerprint != NULL) {
        if (!check_fingerprint(certificate, settings, error))
            return FALSE;
    } else if (SSL_get_verify_result(ssl) != X509_V_OK) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TLS,
                    "the certificate of %s cannot be accepted: %s",
                    settings->host,
                    X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
        return FALSE;
    }
    return check_alpn(ssl, settings, error);
}
