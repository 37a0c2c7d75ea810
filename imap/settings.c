/* The account's settings and the URL that most of them come from.
 *
 * A URL may hold a password by mistake, and not only where one would look for
 * it ("me:a/b@host" has it in what a parser takes for the port and the path).
 * So no message here repeats any part of the URL but its scheme. */
#include "imap/settings.h"
#include "imap/error.h"

#include <gio/gio.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000
#define HOST_MAX 253     /* octets of a host name, RFC 1035 */
#define MECHANISM_MAX 20 /* octets of a SASL mechanism name, RFC 4422 */

ImapSettings *
imap_settings_new(void)
{
    ImapSettings *settings = g_new0(ImapSettings, 1);

    settings->tls = IMAP_TLS_IMPLICIT;
    settings->timeout_ms = DEFAULT_TIMEOUT_MS;
    return settings;
}

void
imap_settings_free(ImapSettings *settings)
{
    if (settings == NULL)
        return;
    g_free(settings->host);
    g_free(settings->username);
    g_free(settings->ca_file);
    g_free(settings->fingerprint);
    g_free(settings->client_cert);
    g_free(settings->client_key);
    g_free(settings->mechanism);
    imap_secret_unref(settings->password);
    imap_secret_unref(settings->token);
    g_free(settings);
}

guint16
imap_settings_port(const ImapSettings *settings)
{
    if (settings->port != 0)
        return settings->port;
    return settings->tls == IMAP_TLS_IMPLICIT ? 993 : 143;
}

static gboolean
refuse(GError **error, const char *message)
{
    g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT, message);
    return FALSE;
}

static gboolean
has_control(const char *text)
{
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return TRUE;
    return FALSE;
}

/* Skips "imaps://" or "imap://" in @url; sets what the scheme means. */
static gboolean
parse_scheme(ImapSettings *parsed, const char **url, GError **error)
{
    if (g_ascii_strncasecmp(*url, "imaps://", 8) == 0) {
        parsed->tls = IMAP_TLS_IMPLICIT;
        *url += 8;
        return TRUE;
    }
    if (g_ascii_strncasecmp(*url, "imap://", 7) == 0) {
        parsed->tls = IMAP_TLS_STARTTLS;
        *url += 7;
        return TRUE;
    }
    return refuse(error, "the URL does not begin with imaps:// or imap://; "
                         "write imaps://USER@HOST/");
}

static gboolean
parse_mechanism(ImapSettings *parsed, const char *text, GError **error)
{
    gsize length;

    if (g_ascii_strncasecmp(text, "AUTH=", 5) != 0)
        return refuse(error, "the user name in the URL holds a bare \";\"; "
                             "write it as %3B");
    text += 5;
    if (strcmp(text, "*") == 0)
        return TRUE;
    length = strlen(text);
    if (length == 0 || length > MECHANISM_MAX ||
        strspn(text, "abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != length)
        return refuse(error, "what follows ;AUTH= in the URL is no mechanism; "
                             "write one such as SCRAM-SHA-256, or * for the "
                             "best");
    parsed->mechanism = g_ascii_strup(text, -1);
    return TRUE;
}

/* "me%40example.org;AUTH=PLAIN", without the "@" that ends it. */
static gboolean
parse_user(ImapSettings *parsed, const char *text, gsize length, GError **error)
{
    g_autofree char *encoded = g_strndup(text, length);
    char *parameter = strchr(encoded, ';');

    if (strchr(encoded, ':') != NULL)
        return refuse(error,
                      "the URL holds a password, which everybody on this "
                      "machine could read in the list of processes; leave it "
                      "out and use -o password_file=FILE, or type it when "
                      "asked");
    if (strpbrk(encoded, "@/?#") != NULL)
        return refuse(error, "the user name in the URL holds one of @ / ? #; "
                             "write them as %40 %2F %3F %23");
    if (parameter != NULL) {
        *parameter++ = '\0';
        if (!parse_mechanism(parsed, parameter, error))
            return FALSE;
    }
    if (*encoded == '\0') {
        if (parameter != NULL)
            return TRUE;
        return refuse(error, "the user name in the URL is empty; write "
                             "imaps://USER@HOST/");
    }
    parsed->username = g_uri_unescape_string(encoded, NULL);
    if (parsed->username == NULL)
        return refuse(error, "the user name in the URL has a % that is not "
                             "followed by two hex digits other than 00; write "
                             "a % as %25");
    if (!g_utf8_validate(parsed->username, -1, NULL) ||
        has_control(parsed->username))
        return refuse(error, "the user name in the URL is not UTF-8 without "
                             "control characters");
    return TRUE;
}

/* "[::1]"; leaves @text behind the bracket. */
static gboolean
parse_address(ImapSettings *parsed, const char **text, GError **error)
{
    const char *end = strchr(*text, ']');
    g_autoptr(GInetAddress) address = NULL;

    if (end != NULL) {
        parsed->host = g_strndup(*text + 1, (gsize)(end - *text - 1));
        address = g_inet_address_new_from_string(parsed->host);
    }
    if (address == NULL ||
        g_inet_address_get_family(address) != G_SOCKET_FAMILY_IPV6)
        return refuse(error, "the brackets in the URL hold no IPv6 address; "
                             "write it like imaps://[2001:db8::1]/");
    *text = end + 1;
    return TRUE;
}

/* "mail.example.org" or "192.0.2.1"; leaves @text behind it. */
static gboolean
parse_name(ImapSettings *parsed, const char **text, GError **error)
{
    gsize length = strcspn(*text, ":/?#");
    g_autofree char *name = g_strndup(*text, length);
    gsize end;

    if ((*text)[length] == ':' &&
        (*text)[length + 1 + strcspn(*text + length + 1, ":/?#")] == ':')
        return refuse(error, "the URL holds more than one \":\" after the "
                             "user name; write an IPv6 address in brackets");
    if (length == 0)
        return refuse(error, "the URL names no host; write "
                             "imaps://USER@HOST/");
    if (!g_utf8_validate(name, -1, NULL))
        return refuse(error, "the host name in the URL is not UTF-8");
    parsed->host = g_hostname_to_ascii(name);
    /* "host." is the same host, but no certificate says it with the dot. */
    if (parsed->host != NULL && g_str_has_suffix(parsed->host, "."))
        parsed->host[strlen(parsed->host) - 1] = '\0';
    end = parsed->host != NULL
              ? strspn(parsed->host, "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
              : 0;
    if (end == 0 || end > HOST_MAX || parsed->host[end] != '\0')
        return refuse(error, "the host in the URL is no host name; it holds "
                             "letters, digits, dots and hyphens");
    *text += length;
    return TRUE;
}

static gboolean
parse_port(ImapSettings *parsed, const char **text, GError **error)
{
    gsize length = strcspn(*text, "/?#");
    g_autofree char *digits = g_strndup(*text, length);
    guint64 port;

    /* RFC 3986 allows an empty port. */
    if (length > 0) {
        if (!g_ascii_string_to_unsigned(digits, 10, 1, 65535, &port, NULL))
            return refuse(error, "the port in the URL is not a number from 1 "
                                 "to 65535");
        parsed->port = (guint16)port;
    }
    *text += length;
    return TRUE;
}

static gboolean
parse_host_and_rest(ImapSettings *parsed, const char *text, GError **error)
{
    if (*text == '[' ? !parse_address(parsed, &text, error)
                     : !parse_name(parsed, &text, error))
        return FALSE;
    parsed->port = 0;
    if (*text == ':') {
        text++;
        if (!parse_port(parsed, &text, error))
            return FALSE;
    }

    if (*text == '/')
        text++;
    if (strpbrk(text, "?#") != NULL)
        return refuse(error, "the URL has a query or a fragment, which mean "
                             "nothing here; end it after HOST/");
    if (*text != '\0')
        return refuse(error, "the URL names a mailbox, but the whole account "
                             "is mounted; end it after HOST/");
    return TRUE;
}

gboolean
imap_settings_parse_url(ImapSettings *settings, const char *url, GError **error)
{
    g_autoptr(ImapSettings) parsed = imap_settings_new();
    const char *at;

    if (!parse_scheme(parsed, &url, error))
        return FALSE;
    at = strrchr(url, '@');
    if (at != NULL) {
        if (!parse_user(parsed, url, (gsize)(at - url), error))
            return FALSE;
        url = at + 1;
    }
    if (!parse_host_and_rest(parsed, url, error))
        return FALSE;

    g_free(settings->host);
    settings->host = g_steal_pointer(&parsed->host);
    settings->port = parsed->port;
    settings->tls = parsed->tls;
    g_free(settings->username);
    settings->username = g_steal_pointer(&parsed->username);
    if (parsed->mechanism != NULL) {
        g_free(settings->mechanism);
        settings->mechanism = g_steal_pointer(&parsed->mechanism);
    }
    return TRUE;
}

gboolean
imap_settings_is_loopback(const ImapSettings *settings)
{
    g_autoptr(GInetAddress) address = NULL;

    if (g_ascii_strcasecmp(settings->host, "localhost") == 0)
        return TRUE;
    address = g_inet_address_new_from_string(settings->host);
    return address != NULL && g_inet_address_get_is_loopback(address);
}
