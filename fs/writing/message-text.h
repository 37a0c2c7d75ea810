/* From the octets that a program has written to those of a message: every line
 * ends in CRLF. And what there is to know about it from its header. */
#pragma once

#include "cache/spool.h"

#include <glib.h>

typedef struct {
    gboolean is_message; /* begins with a header field, and has no NUL */
    guint64 size;        /* octets of the message */
    char *message_id;    /* with its angle brackets; NULL: none */
    char *identity;      /* the same for two states of the same message: the
                            Message-ID, or From and Date; never NULL */
    gint64 date;         /* seconds since the epoch: of the newest Received
                            field, else of Date; G_MININT64: neither */
    char digest[65];     /* SHA-256 of the message, in hex */
    char raw_digest[65]; /* of what was written, which may be stored so, too */
} FsMessageText;

/* Reads the file, and puts the message into the other one; on the store thread:
 * a CacheSpoolWorkFunc, whose job is a FsMessageText. A last line without an
 * end is given one, unless all others end in CRLF. */
gboolean fs_message_text_make(CacheSpoolAccess *from, CacheSpoolAccess *to,
                              gpointer text, GError **error);

/* What the first octets of a message, @header, say of it: message_id, identity
 * and date. Caller clears. */
void fs_message_text_read_header(FsMessageText *text, const char *header,
                                 gsize length);
void fs_message_text_clear(FsMessageText *text);
