/* The incremental parser of what a server sends (RFC 9051 section 9, response).
 *
 * Octets go in as they arrive, cut anywhere; typed responses come out. The
 * bodies of messages are passed on in pieces and never collected. */
#pragma once

#include "imap/response.h"

#include <glib.h>

/* What a server can make us hold. Beyond any of them the feed fails. */
#define IMAP_PARSER_MAX_LINE (16u * 1024 * 1024) /* octets, less literals */
#define IMAP_PARSER_MAX_LITERAL (1024u * 1024)   /* octets kept in memory */
/* A header may be longer, up to this: then octets in its middle are left out,
 * as one field alone has many of them. */
#define IMAP_PARSER_MAX_HEADER (64u * 1024 * 1024)
#define IMAP_PARSER_MAX_BODY                                                   \
    (G_GUINT64_CONSTANT(1) << 40)          /* octets passed on */
#define IMAP_PARSER_MAX_DEPTH 256          /* of lists */
#define IMAP_PARSER_MAX_ITEMS (64u * 1024) /* in one response */

typedef struct ImapParser ImapParser;

/* Where responses go. All arguments are borrowed.
 *
 * A body arrives as one begin, then data (never empty) that adds up to its
 * size, then end; and afterwards, in the same response, FETCH. A body that is
 * quoted, or in a literal, makes the same calls. */
typedef struct {
    void (*response)(const ImapResponse *response, gpointer user_data);
    void (*body_begin)(const ImapBody *body, gpointer user_data);
    void (*body_data)(const guint8 *data, gsize length, gpointer user_data);
    void (*body_end)(gpointer user_data);
} ImapParserHandler;

/* @handler must outlive the parser. */
ImapParser *imap_parser_new(const ImapParserHandler *handler,
                            gpointer user_data);
void imap_parser_free(ImapParser *parser); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapParser, imap_parser_free)

/* Parses @length octets more, calling the handler before it returns. A handler
 * may call imap_parser_stop and imap_parser_unread, nothing else here.
 *
 * Fails with IMAP_ERROR_PROTOCOL on what is no IMAP or breaks a bound, saying
 * which and showing (made printable, cut) what came. The parser then takes
 * nothing more: the caller closes the connection. */
gboolean imap_parser_feed(ImapParser *parser, const guint8 *data, gsize length,
                          GError **error);

/* From inside a handler: the feed under way makes no further calls and returns
 * TRUE; later feeds do nothing. For a connection that a handler closed. */
void imap_parser_stop(ImapParser *parser);

/* From inside a handler: how many octets of this feed come after the response
 * being handled. Not 0 after STARTTLS's OK means injection. */
gsize imap_parser_unread(const ImapParser *parser);

/* Whether a response has begun and not ended. */
gboolean imap_parser_is_inside(const ImapParser *parser);
