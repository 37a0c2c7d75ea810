/* The octets of a line under COMPRESS=DEFLATE, by zlib. */
#include "imap/deflate.h"

#include "imap/error.h"

#include <zlib.h>

/* No header and no trailer, the largest window (RFC 4978, section 4). */
#define RAW_WINDOW_BITS (-15)
/* What we send is little, but for messages: zlib's usual memory and effort. */
#define MEMORY_LEVEL 8
#define PORTION 4096

struct ImapDeflate {
    z_stream out;
    z_stream in;
    gboolean in_full; /* the last portion may not have been all */
};

ImapDeflate *
imap_deflate_new(void)
{
    ImapDeflate *codec = g_new0(ImapDeflate, 1);

    if (deflateInit2(&codec->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     RAW_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK ||
        inflateInit2(&codec->in, RAW_WINDOW_BITS) != Z_OK)
        g_error("out of memory"); /* as g_malloc would */
    return codec;
}

void
imap_deflate_free(ImapDeflate *codec)
{
    if (codec == NULL)
        return;
    deflateEnd(&codec->out);
    inflateEnd(&codec->in);
    g_free(codec);
}

GByteArray *
imap_deflate_compress(ImapDeflate *codec, const void *data, gsize length)
{
    GByteArray *packed = g_byte_array_new();
    z_stream *out = &codec->out;
    guint8 portion[PORTION];

    out->next_in = (Bytef *)data;
    out->avail_in = length;
    do {
        out->next_out = portion;
        out->avail_out = sizeof portion;
        deflate(out, Z_SYNC_FLUSH);
        g_byte_array_append(packed, portion, sizeof portion - out->avail_out);
    } while (out->avail_out == 0);
    return packed;
}

void
imap_deflate_feed(ImapDeflate *codec, const guint8 *data, gsize length)
{
    codec->in.next_in = (Bytef *)data;
    codec->in.avail_in = length;
}

gboolean
imap_deflate_is_pending(const ImapDeflate *codec)
{
    return codec->in.avail_in > 0 || codec->in_full;
}

gboolean
imap_deflate_inflate(ImapDeflate *codec, guint8 *buffer, gsize size,
                     gsize *inflated, GError **error)
{
    z_stream *in = &codec->in;
    int result;

    in->next_out = buffer;
    in->avail_out = size;
    result = inflate(in, Z_SYNC_FLUSH);
    *inflated = size - in->avail_out;
    codec->in_full = in->avail_out == 0;
    /* Z_BUF_ERROR: nothing could be done, which is no error. */
    if (result == Z_OK || result == Z_BUF_ERROR)
        return TRUE;
    if (result == Z_STREAM_END) {
        /* What came before it, such as a BYE, is the server's word. */
        codec->in_full = TRUE;
        if (*inflated > 0)
            return TRUE;
        g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_CLOSED,
                            "the server ended its compressed stream");
        return FALSE;
    }
    g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                "what the server sends cannot be inflated: %s; try again with "
                "-o compress=off",
                in->msg != NULL ? in->msg : "out of memory");
    return FALSE;
}
