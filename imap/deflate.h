/* The octets of a line under COMPRESS=DEFLATE (RFC 4978): raw deflate, a stream
 * each way. Used by the transport alone.
 *
 * What is inflated comes in portions of the caller's, so that however well a
 * server has compressed, no more is held than of a line in clear. */
#pragma once

#include <glib.h>

typedef struct ImapDeflate ImapDeflate;

ImapDeflate *imap_deflate_new(void);
void imap_deflate_free(ImapDeflate *codec); /* accepts NULL */

/* Compresses @length octets, flushed so that the server can read them all.
 * Caller owns the result. */
GByteArray *imap_deflate_compress(ImapDeflate *codec, const void *data,
                                  gsize length);

/* Takes the @length octets that came from the line, to which it keeps a pointer
 * until they are used up; there is nothing else waiting. */
void imap_deflate_feed(ImapDeflate *codec, const guint8 *data, gsize length);

/* Whether imap_deflate_inflate may have more to give. */
gboolean imap_deflate_is_pending(const ImapDeflate *codec);

/* Inflates up to @size octets; @inflated is 0 when more has to come from the
 * line first. Fails with IMAP_ERROR_PROTOCOL when what came is not deflated,
 * and with IMAP_ERROR_CLOSED where the server ended its stream, as some do when
 * they hang up. */
gboolean imap_deflate_inflate(ImapDeflate *codec, guint8 *buffer, gsize size,
                              gsize *inflated, GError **error);
