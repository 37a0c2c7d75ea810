/* From the octets that a program has written to those of a message: every line
 * ends in CRLF. And what there is to know about it from its header. */
#pragma once

#include "cache/spool.h"

#include <glib.h>

/* A header is looked at no further than that. */
#define FS_MESSAGE_HEADER_MAX (256u * 1024)

typedef struct {
    gboolean has_nul;
    guint64 size;        /* octets of the message */
    GString *header;     /* the first of them, up to the end of the header */
    char digest[65];     /* SHA-256 of the message, in hex */
    char raw_digest[65]; /* of what was written, which may be stored so, too */
} FsMessageText;

void fs_message_text_init(FsMessageText *text);
void fs_message_text_clear(FsMessageText *text);

/* Reads the file, and puts the message into the other one; on the store thread:
 * a CacheSpoolWorkFunc, whose job is a FsMessageText. A last line without an
 * end is given one, unless all others end in CRLF. */
gboolean fs_message_text_make(CacheSpoolAccess *from, CacheSpoolAccess *to,
                              gpointer text, GError **error);

/* Whether @text can be a message: it begins with a header field, and has no
 * octet that is 0. */
gboolean fs_message_text_is_message(const FsMessageText *text);

/* What the first octets of a message, @header, say of it; the main loop's.
 * Callers free strings.
 *
 * The Message-ID, with its angle brackets; NULL: none. */
char *fs_message_header_id(const char *header, gsize length);
/* The same for two states of the same message: its Message-ID, or else its From
 * and Date. Empty: nothing tells it from another message. */
char *fs_message_header_identity(const char *header, gsize length);
/* Seconds since the epoch: of the newest Received field, else of Date. FALSE:
 * neither. */
gboolean fs_message_header_date(const char *header, gsize length, gint64 *date);
