/* The values of one response: atoms, strings and lists (RFC 9051 section 9),
 * as a flat array in which a list stands before its members.
 *
 * Values point into the response's text, which the caller collects and may
 * move while it grows. Nothing is allocated for a value, and the array is used
 * again for the next response. */
#pragma once

#include "imap/parser.h"

#include <glib.h>

typedef enum {
    IMAP_VALUE_ATOM,     /* NIL, too */
    IMAP_VALUE_STRING,   /* quoted, or a literal */
    IMAP_VALUE_LIST,     /* ( … ) */
    IMAP_VALUE_STREAMED, /* a literal that was passed on: only its length */
} ImapValueType;

typedef struct {
    ImapValueType type;
    guint end;      /* index of what follows it and its members */
    gsize start;    /* in the text */
    guint64 length; /* octets */
} ImapValue;

/* All zero but for @nodes. To be treated as opaque. */
typedef struct {
    GArray *nodes; /* of ImapValue */
    char *text;    /* borrowed */
    guint n_open;  /* lists not yet closed */
    guint open[IMAP_PARSER_MAX_DEPTH];
    guint members[IMAP_PARSER_MAX_DEPTH + 1]; /* so far, by depth */
    guint last[IMAP_PARSER_MAX_DEPTH + 1];    /* index, if members > 0 */
    gboolean items;                           /* reading the items of a FETCH */
    gboolean in_section;
    gsize section_start; /* of the item whose "[…]" is not yet closed */
} ImapValues;

void imap_values_init(ImapValues *values);
void imap_values_finish(ImapValues *values);

/* Forgets all values. With @items, what follows is "(name value …)" of a FETCH:
 * a name there may hold a section, "BODY[HEADER.FIELDS (DATE)]<0>", and a UID
 * may be stuck to the next name (Zimbra: "UID 5MODSEQ"). */
void imap_values_reset(ImapValues *values, gboolean items);

/* Reads the values in @text from @from to @to. Quoted strings are unescaped in
 * place. A response with literals is read in several parts, each up to a
 * literal, which is then added by one of the next two. */
gboolean imap_values_read(ImapValues *values, char *text, gsize from, gsize to,
                          GError **error);

/* The literal of @length octets at @start; an octet that may be overwritten
 * must follow it. */
gboolean imap_values_add_literal(ImapValues *values, gsize start, gsize length,
                                 GError **error);
gboolean imap_values_add_streamed(ImapValues *values, guint64 length,
                                  GError **error);

/* Fails if a list or a section is still open. */
gboolean imap_values_end(const ImapValues *values, GError **error);

/* The name of the item whose value comes next, NULL if none does. */
const ImapValue *imap_values_awaited_item(const ImapValues *values);

/* Walks over the values at the top, or in a list. */
typedef struct {
    const ImapValues *values;
    guint at;
    guint end;
} ImapCursor;

ImapCursor imap_values_cursor(const ImapValues *values);
/* NULL at the end. */
const ImapValue *imap_cursor_next(ImapCursor *cursor);

/* The members of a list; no members for NIL. FALSE if it is neither. */
gboolean imap_value_members(const ImapValues *values, const ImapValue *value,
                            ImapCursor *members);

/* NIL, and () which some servers send for it. */
gboolean imap_value_is_nil(const ImapValues *values, const ImapValue *value);
/* Whether it is the atom @word, in any case. */
gboolean imap_value_is(const ImapValues *values, const ImapValue *value,
                       const char *word);
/* An atom or string made of digits; FALSE also beyond 64 bits. */
gboolean imap_value_number(const ImapValues *values, const ImapValue *value,
                           guint64 *number);

/* Where the octets of an atom or string stand. Not terminated. */
const char *imap_value_octets(const ImapValues *values, const ImapValue *value);

/* An atom or string as a C string, in place: the octet after it is overwritten,
 * so all values must have been read. NULL if it is neither, or holds a NUL. */
char *imap_value_string(const ImapValues *values, const ImapValue *value);
