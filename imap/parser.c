/* Frames responses out of the octets that arrive, and hands them out.
 *
 * A response is collected in one buffer, used again for the next: its line, and
 * literals where they stand in it. Only when the line's end is here, or a
 * literal's announcement, is the part up to there looked at, once; so octets
 * that come one at a time cost the same as all at once. A literal that is a
 * body goes past the buffer, from the caller's memory to the handler's.
 *
 * Status responses and continuations end at their first line's end: their text
 * is free, and "{5}" in it announces nothing. */
#include "imap/parser.h"

#include "imap/error.h"
#include "imap/response-private.h"

#include <string.h>

#define HEADER_ROOM_MIN 65536u  /* octets: for less, none is cut */
#define SHOWN_MAX 200u          /* octets of a bad response in its error */
#define BUFFER_KEPT (64 * 1024) /* between responses */

typedef enum {
    STATE_START,   /* before a response; NULs are passed over */
    STATE_LINE,    /* up to the next LF */
    STATE_LITERAL, /* into the buffer */
    STATE_BODY,    /* to the handler */
} State;

struct ImapParser {
    const ImapParserHandler *handler;
    gpointer user_data;
    GError *failure; /* of an earlier feed */
    gboolean stopped;

    State state;
    const guint8 *next; /* in the feed under way */
    const guint8 *end;
    guint64 literal_left; /* octets */

    GString *buffer;        /* the response so far */
    gsize part_start;       /* in the buffer: behind the last literal */
    gsize line_octets;      /* less literals */
    gsize literal_octets;   /* kept, of all literals */
    gsize literal_start;    /* in the buffer */
    gsize literal_room;     /* there, if it is to be cut; 0: it is not */
    char shown[SHOWN_MAX];  /* its beginning, before it was taken apart */
    gsize shown_length;     /* 0: not yet taken */
    gboolean head_is_known; /* head is set */
    ImapHead head;
    ImapReading reading;
};

static void pass_quoted_body(const ImapBody *body, const char *data,
                             gpointer user_data);

ImapParser *
imap_parser_new(const ImapParserHandler *handler, gpointer user_data)
{
    ImapParser *parser = g_new0(ImapParser, 1);

    parser->handler = handler;
    parser->user_data = user_data;
    parser->buffer = g_string_sized_new(4096);
    imap_reading_init(&parser->reading);
    parser->reading.quoted_body = pass_quoted_body;
    parser->reading.user_data = parser;
    return parser;
}

void
imap_parser_free(ImapParser *parser)
{
    if (parser == NULL)
        return;
    g_clear_error(&parser->failure);
    g_string_free(parser->buffer, TRUE);
    imap_reading_finish(&parser->reading);
    g_free(parser);
}

void
imap_parser_stop(ImapParser *parser)
{
    parser->stopped = TRUE;
}

gsize
imap_parser_unread(const ImapParser *parser)
{
    return (gsize)(parser->end - parser->next);
}

gboolean
imap_parser_is_inside(const ImapParser *parser)
{
    return parser->state != STATE_START;
}

static void
remember_shown(ImapParser *parser)
{
    if (parser->shown_length > 0)
        return;
    parser->shown_length = MIN(parser->buffer->len, SHOWN_MAX);
    memcpy(parser->shown, parser->buffer->str, parser->shown_length);
}

/* Adds to @error what came, in printable ASCII. */
static void
show(ImapParser *parser, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    remember_shown(parser);
    for (gsize i = 0; i < parser->shown_length && text->len < SHOWN_MAX; i++) {
        guint8 octet = (guint8)parser->shown[i];

        if (octet == '\r' || octet == '\n')
            g_string_append(text, octet == '\r' ? "" : " ");
        else if (octet >= 0x20 && octet < 0x7f)
            g_string_append_c(text, (char)octet);
        else
            g_string_append_printf(text, "\\x%02x", octet);
    }
    g_strchomp(text->str);
    g_prefix_error(error, "the server sent \"%s%s\": ", text->str,
                   parser->buffer->len > parser->shown_length ? "…" : "");
}

static void
start_response(ImapParser *parser)
{
    if (parser->buffer->allocated_len > BUFFER_KEPT) {
        g_string_free(parser->buffer, TRUE);
        parser->buffer = g_string_sized_new(4096);
    }
    g_string_truncate(parser->buffer, 0);
    parser->state = STATE_START;
    parser->part_start = 0;
    parser->line_octets = 0;
    parser->literal_octets = 0;
    parser->shown_length = 0;
    parser->head_is_known = FALSE;
    imap_reading_reset(&parser->reading, NULL);
}

static void
hand_out(ImapParser *parser)
{
    if (!parser->stopped)
        parser->handler->response(&parser->reading.response, parser->user_data);
}

static void
pass_quoted_body(const ImapBody *body, const char *data, gpointer user_data)
{
    ImapParser *parser = user_data;
    const ImapParserHandler *handler = parser->handler;

    if (!parser->stopped)
        handler->body_begin(body, parser->user_data);
    if (!parser->stopped && body->size > 0)
        handler->body_data((const guint8 *)data, body->size, parser->user_data);
    if (!parser->stopped)
        handler->body_end(parser->user_data);
}

/* Whether @to is inside a quoted string that begins in this part. */
static gboolean
in_quotes(const char *from, const char *to)
{
    while ((from = memchr(from, '"', (gsize)(to - from))) != NULL) {
        from++;
        while (from < to && *from != '"')
            from += *from == '\\' ? 2 : 1;
        if (from >= to)
            return TRUE;
        from++;
    }
    return FALSE;
}

/* Whether the part from @from to @to, a line's end, announces a literal: "{5}",
 * "~{5}" or "{5+}". *@start is where the announcement begins. */
static gboolean
announces_literal(const char *from, const char *to, const char **start,
                  guint64 *size)
{
    const char *at = to;
    const char *digits;

    if (at == from || *--at != '}')
        return FALSE;
    if (at > from && at[-1] == '+')
        at--;
    digits = at;
    while (digits > from && g_ascii_isdigit(digits[-1]))
        digits--;
    if (digits == at || digits == from || digits[-1] != '{')
        return FALSE;
    *start = digits - 1;
    if (*start > from && (*start)[-1] == '~')
        (*start)--;
    if (in_quotes(from, *start))
        return FALSE;

    *size = 0;
    for (; digits < at; digits++) {
        if (*size <= IMAP_PARSER_MAX_BODY)
            *size = *size * 10 + (guint64)(*digits - '0');
    }
    return TRUE;
}

static gboolean
begin_body(ImapParser *parser, ImapBody *body, GError **error)
{
    if (body->size > IMAP_PARSER_MAX_BODY)
        return imap_reading_fail(error, "a body of more than 1 TiB");
    if (!imap_values_add_streamed(&parser->reading.values, body->size, error))
        return FALSE;
    parser->state = STATE_BODY;
    parser->literal_left = body->size;
    parser->handler->body_begin(body, parser->user_data);
    return TRUE;
}

/* Whoever sends a message chooses how long its fields are, and must not end the
 * connection of who only asks for them. Of one that is very long, nobody asks
 * for more than the beginning; what stands behind it is in the rest. */
static gboolean
is_header_to_cut(const ImapParser *parser, guint64 size)
{
    return parser->head.kind != NULL && parser->head.kind->items &&
           size <= IMAP_PARSER_MAX_HEADER &&
           imap_fetch_awaits_header(&parser->reading);
}

static gboolean
begin_literal(ImapParser *parser, guint64 size, GError **error)
{
    guint64 room = IMAP_PARSER_MAX_LITERAL - parser->literal_octets;
    ImapBody body;

    parser->literal_room = 0;
    if (parser->head.kind != NULL && parser->head.kind->items &&
        imap_fetch_awaits_body(&parser->reading, &body)) {
        body.size = size;
        return begin_body(parser, &body, error);
    }
    if (parser->head.kind != NULL && !parser->head.kind->values)
        return imap_reading_fail(error, "a literal out of place");
    if (size > room && room >= HEADER_ROOM_MIN &&
        is_header_to_cut(parser, size)) {
        parser->literal_room = room / 2;
        parser->reading.header_is_cut = TRUE;
    } else if (size > room) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "literals of more than %u octets in one response",
                    IMAP_PARSER_MAX_LITERAL);
        return FALSE;
    }
    parser->literal_octets +=
        parser->literal_room > 0 ? parser->literal_room : size;
    parser->literal_left = size;
    parser->literal_start = parser->buffer->len;
    parser->state = STATE_LITERAL;
    return TRUE;
}

/* Reads what is left of a response whose last line is here, up to @to. */
static gboolean
read_data(ImapParser *parser, gsize to, GError **error)
{
    ImapReading *reading = &parser->reading;
    const ImapResponseKind *kind = parser->head.kind;

    if (kind == NULL) {
        reading->response.type = IMAP_RESPONSE_OTHER;
        return TRUE;
    }
    if (kind->values) {
        if (!imap_values_read(&reading->values, parser->buffer->str,
                              parser->part_start, to, error) ||
            !imap_values_end(&reading->values, error))
            return FALSE;
    } else {
        reading->rest = parser->buffer->str + parser->part_start;
        reading->rest_length = to - parser->part_start;
    }
    return kind->read(reading, error);
}

/* At a LF: the response's end, or a literal follows. */
static gboolean
end_part(ImapParser *parser, GError **error)
{
    const char *text = parser->buffer->str;
    gsize to = parser->buffer->len - 1;
    gsize trimmed;
    const char *literal;
    guint64 size;

    remember_shown(parser);
    while (to > parser->part_start && text[to - 1] == '\r')
        to--;
    trimmed = to;
    while (trimmed > parser->part_start && text[trimmed - 1] == ' ')
        trimmed--;

    if (!parser->head_is_known) {
        if (!imap_head_read(&parser->reading, parser->buffer->str, trimmed,
                            &parser->head, error))
            return FALSE;
        parser->head_is_known = TRUE;
        parser->part_start = parser->head.end;
    }
    if (parser->head.is_data) {
        if (announces_literal(text + parser->part_start, text + to, &literal,
                              &size)) {
            if (parser->head.kind != NULL && parser->head.kind->values &&
                !imap_values_read(&parser->reading.values, parser->buffer->str,
                                  parser->part_start, (gsize)(literal - text),
                                  error))
                return FALSE;
            return begin_literal(parser, size, error);
        }
        if (!read_data(parser, trimmed, error))
            return FALSE;
    }
    hand_out(parser);
    start_response(parser);
    return TRUE;
}

/* Keeps both ends of a literal, as much of each. */
static void
cut_literal(ImapParser *parser)
{
    gsize kept = parser->literal_room / 4;
    gsize length = parser->buffer->len - parser->literal_start;

    if (length > 2 * kept)
        g_string_erase(parser->buffer, (gssize)(parser->literal_start + kept),
                       (gssize)(length - 2 * kept));
}

/* When all of a literal is here. */
static gboolean
end_literal(ImapParser *parser, GError **error)
{
    if (parser->state == STATE_BODY) {
        parser->handler->body_end(parser->user_data);
    } else {
        gsize length;

        if (parser->literal_room > 0)
            cut_literal(parser);
        length = parser->buffer->len - parser->literal_start;
        /* Room to terminate it. */
        g_string_append_c(parser->buffer, '\0');
        if (parser->head.kind != NULL &&
            !imap_values_add_literal(&parser->reading.values,
                                     parser->literal_start, length, error))
            return FALSE;
    }
    parser->state = STATE_LINE;
    parser->part_start = parser->buffer->len;
    return TRUE;
}

/* Takes octets up to the line's end. */
static gboolean
take_line(ImapParser *parser, GError **error)
{
    gsize left = imap_parser_unread(parser);
    const guint8 *lf = memchr(parser->next, '\n', left);
    gsize taken = lf == NULL ? left : (gsize)(lf + 1 - parser->next);
    gsize room = IMAP_PARSER_MAX_LINE - parser->line_octets;

    g_string_append_len(parser->buffer, (const char *)parser->next,
                        (gssize)MIN(taken, room));
    if (taken > room) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "a line of more than %u octets", IMAP_PARSER_MAX_LINE);
        return FALSE;
    }
    parser->line_octets += taken;
    parser->next += taken;
    return lf == NULL || end_part(parser, error);
}

static void
take_literal(ImapParser *parser)
{
    gsize taken = (gsize)MIN(imap_parser_unread(parser), parser->literal_left);
    const guint8 *data = parser->next;

    parser->next += taken;
    parser->literal_left -= taken;
    if (parser->state == STATE_BODY)
        parser->handler->body_data(data, taken, parser->user_data);
    else
        g_string_append_len(parser->buffer, (const char *)data, (gssize)taken);
    if (parser->literal_room > 0 &&
        parser->buffer->len - parser->literal_start > parser->literal_room)
        cut_literal(parser);
}

/* One step. */
static gboolean
take(ImapParser *parser, GError **error)
{
    switch (parser->state) {
    case STATE_START:
        if (*parser->next == '\0')
            parser->next++;
        else
            parser->state = STATE_LINE;
        return TRUE;
    case STATE_LINE:
        return take_line(parser, error);
    case STATE_LITERAL:
    case STATE_BODY:
        if (parser->literal_left == 0)
            return end_literal(parser, error);
        take_literal(parser);
        return TRUE;
    }
    return TRUE;
}

/* An empty literal ends without an octet more. */
static gboolean
can_go_on(const ImapParser *parser)
{
    return !parser->stopped &&
           (parser->next < parser->end ||
            ((parser->state == STATE_LITERAL || parser->state == STATE_BODY) &&
             parser->literal_left == 0));
}

gboolean
imap_parser_feed(ImapParser *parser, const guint8 *data, gsize length,
                 GError **error)
{
    if (parser->failure == NULL) {
        parser->next = data;
        parser->end = data + length;
        while (parser->failure == NULL && can_go_on(parser)) {
            if (take(parser, &parser->failure))
                continue;
            if (parser->stopped) {
                g_clear_error(&parser->failure);
                break;
            }
            show(parser, &parser->failure);
        }
        parser->next = NULL;
        parser->end = NULL;
    }
    if (parser->failure == NULL)
        return TRUE;
    if (error != NULL)
        *error = g_error_copy(parser->failure);
    return FALSE;
}
