/* From octets to a message.
 *
 * Servers want CRLF, and programs write LF. A bare CR stays what it is. A file
 * of CRLF alone is stored octet by octet, also when its last line has no end:
 * what was copied out of a mailbox comes back as it was. */
#include "fs/writing/message-text.h"

#include "fs/names/header-field.h"
#include "fs/names/message-name.h"

#include <string.h>

#define PIECE (64u * 1024)
#define ID_MAX 998u /* octets; a longer one is none */

typedef struct {
    CacheSpoolAccess *to;
    FsMessageText *text;
    GChecksum *digest;
    GString *piece; /* to be appended */
    guint8 last;    /* the octet before; 0: none yet */
    gboolean has_crlf;
    gboolean has_bare_lf;
    gboolean in_header;
} Maker;

void
fs_message_text_init(FsMessageText *text)
{
    memset(text, 0, sizeof *text);
    text->header = g_string_new(NULL);
}

void
fs_message_text_clear(FsMessageText *text)
{
    if (text->header != NULL)
        g_string_free(text->header, TRUE);
    text->header = NULL;
}

/* ---- line ends ---- */

/* Up to the empty line. */
static void
take_header(Maker *maker)
{
    GString *header = maker->text->header;
    gsize before = header->len > 3 ? header->len - 3 : 0;
    const char *end;

    if (!maker->in_header)
        return;
    g_string_append_len(header, maker->piece->str, (gssize)maker->piece->len);
    end = g_strstr_len(header->str + before, (gssize)(header->len - before),
                       "\r\n\r\n");
    if (end != NULL)
        g_string_truncate(header, (gsize)(end + 4 - header->str));
    else if (header->len > FS_MESSAGE_HEADER_MAX)
        g_string_truncate(header, FS_MESSAGE_HEADER_MAX);
    else
        return;
    maker->in_header = FALSE;
}

static gboolean
pass_on(Maker *maker, GError **error)
{
    gsize length = maker->piece->len;

    take_header(maker);
    g_checksum_update(maker->digest, (const guchar *)maker->piece->str,
                      (gssize)length);
    maker->text->size += length;
    if (!cache_spool_access_append(maker->to, maker->piece->str, length, error))
        return FALSE;
    g_string_truncate(maker->piece, 0);
    return TRUE;
}

static void
convert(Maker *maker, const char *data, gsize length)
{
    const char *end = data + length;

    if (memchr(data, 0, length) != NULL)
        maker->text->has_nul = TRUE;
    while (data < end) {
        const char *lf = memchr(data, '\n', (gsize)(end - data));
        const char *stop = lf != NULL ? lf : end;
        guint8 before = stop > data ? (guint8)stop[-1] : maker->last;

        g_string_append_len(maker->piece, data, stop - data);
        maker->last = before;
        if (lf == NULL)
            return;
        if (before == '\r') {
            maker->has_crlf = TRUE;
        } else {
            maker->has_bare_lf = TRUE;
            g_string_append_c(maker->piece, '\r');
        }
        g_string_append_c(maker->piece, '\n');
        maker->last = '\n';
        data = lf + 1;
    }
}

static void
end_last_line(Maker *maker)
{
    if (maker->last == 0 || maker->last == '\n' ||
        (maker->has_crlf && !maker->has_bare_lf))
        return;
    g_string_append(maker->piece, "\r\n");
}

static gboolean
make(Maker *maker, CacheSpoolAccess *from, GChecksum *raw, GError **error)
{
    g_autofree char *buffer = g_malloc(PIECE);
    guint64 offset = 0;
    gssize got;

    while ((got = cache_spool_access_read(from, offset, buffer, PIECE, error)) >
           0) {
        g_checksum_update(raw, (const guchar *)buffer, got);
        convert(maker, buffer, (gsize)got);
        offset += (guint64)got;
        if (!pass_on(maker, error))
            return FALSE;
    }
    if (got < 0)
        return FALSE;
    end_last_line(maker);
    return pass_on(maker, error);
}

gboolean
fs_message_text_make(CacheSpoolAccess *from, CacheSpoolAccess *to,
                     gpointer data, GError **error)
{
    FsMessageText *text = data;
    Maker maker = {.to = to, .text = text, .in_header = TRUE};
    g_autoptr(GChecksum) raw = g_checksum_new(G_CHECKSUM_SHA256);
    gboolean made;

    maker.digest = g_checksum_new(G_CHECKSUM_SHA256);
    maker.piece = g_string_sized_new(PIECE + 4096);
    made = make(&maker, from, raw, error);
    g_strlcpy(text->digest, g_checksum_get_string(maker.digest),
              sizeof text->digest);
    g_strlcpy(text->raw_digest, g_checksum_get_string(raw),
              sizeof text->raw_digest);
    g_checksum_free(maker.digest);
    g_string_free(maker.piece, TRUE);
    return made;
}

/* ---- the header ---- */

gboolean
fs_message_text_is_message(const FsMessageText *text)
{
    const char *at = text->header->str;

    if (text->has_nul)
        return FALSE;
    while (*at > ' ' && *at < 0x7f && *at != ':')
        at++;
    if (at == text->header->str)
        return FALSE;
    while (*at == ' ' || *at == '\t')
        at++;
    return *at == ':';
}

char *
fs_message_header_id(const char *header, gsize length)
{
    g_autofree char *field = fs_header_field(header, length, "Message-ID");
    const char *start = field != NULL ? strchr(field, '<') : NULL;
    const char *end = start != NULL ? strchr(start, '>') : NULL;

    if (end == NULL || end - start < 2 || end - start > (ptrdiff_t)ID_MAX)
        return NULL;
    for (const char *at = start; at < end; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return NULL;
    return g_strndup(start, (gsize)(end + 1 - start));
}

char *
fs_message_header_identity(const char *header, gsize length)
{
    g_autofree char *id = fs_message_header_id(header, length);
    g_autofree char *from = NULL;
    g_autofree char *date = NULL;

    if (id != NULL)
        return g_steal_pointer(&id);
    from = fs_header_field(header, length, "From");
    date = fs_header_field(header, length, "Date");
    if (from == NULL || date == NULL)
        return g_strdup("");
    return g_strdup_printf("%s\n%s", from, date);
}

gboolean
fs_message_header_date(const char *header, gsize length, gint64 *date)
{
    g_autofree char *received = fs_header_field(header, length, "Received");
    const char *stamp = received != NULL ? strrchr(received, ';') : NULL;
    g_autofree char *field = NULL;

    if (stamp != NULL) {
        field = g_strdup_printf("Date: %s\r\n\r\n", stamp + 1);
        if (fs_message_sent_date(field, strlen(field), date))
            return TRUE;
    }
    return fs_message_sent_date(header, length, date);
}
