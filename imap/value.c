/* Reads atoms, strings and lists, part by part, each octet once.
 *
 * It goes by what ends an atom rather than by what the grammar allows in one:
 * servers send ']' in flags, raw UTF-8 in names and '[' in labels. Only NUL and
 * other control characters are refused. */
#include "imap/value.h"

#include "imap/error.h"

#include <string.h>

void
imap_values_init(ImapValues *values)
{
    memset(values, 0, sizeof *values);
    values->nodes = g_array_new(FALSE, FALSE, sizeof(ImapValue));
}

void
imap_values_finish(ImapValues *values)
{
    g_clear_pointer(&values->nodes, g_array_unref);
}

void
imap_values_reset(ImapValues *values, gboolean items)
{
    g_array_set_size(values->nodes, 0);
    values->text = NULL;
    values->n_open = 0;
    values->members[0] = 0;
    values->items = items;
    values->in_section = FALSE;
}

static gboolean
fail(GError **error, const char *why)
{
    g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL, why);
    return FALSE;
}

static gboolean
append(ImapValues *values, ImapValueType type, gsize start, guint64 length,
       GError **error)
{
    guint index = values->nodes->len;
    ImapValue value = {type, index + 1, start, length};

    if (index >= IMAP_PARSER_MAX_ITEMS) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "more than %u items in one response",
                    IMAP_PARSER_MAX_ITEMS);
        return FALSE;
    }
    g_array_append_val(values->nodes, value);
    values->members[values->n_open]++;
    values->last[values->n_open] = index;
    return TRUE;
}

static gboolean
open_list(ImapValues *values, gsize at, GError **error)
{
    if (values->n_open == IMAP_PARSER_MAX_DEPTH) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "lists nested more than %d deep", IMAP_PARSER_MAX_DEPTH);
        return FALSE;
    }
    if (!append(values, IMAP_VALUE_LIST, at, 0, error))
        return FALSE;
    values->open[values->n_open++] = values->nodes->len - 1;
    values->members[values->n_open] = 0;
    return TRUE;
}

static gboolean
close_list(ImapValues *values, GError **error)
{
    guint index;

    if (values->n_open == 0)
        return fail(error, "a \")\" that closes nothing");
    index = values->open[--values->n_open];
    g_array_index(values->nodes, ImapValue, index).end = values->nodes->len;
    return TRUE;
}

/* Whether an item's name, or with @value its value, comes next in a FETCH. */
static gboolean
item_is_due(const ImapValues *values, gboolean value)
{
    return values->items && values->n_open == 1 &&
           (values->members[1] % 2 == 1) == value;
}

const ImapValue *
imap_values_awaited_item(const ImapValues *values)
{
    if (values->in_section || !item_is_due(values, TRUE))
        return NULL;
    return &g_array_index(values->nodes, ImapValue, values->last[1]);
}

/* From behind the opening quote to the closing one; @to if there is none. */
static gsize
find_quote(const char *text, gsize at, gsize to)
{
    while (at < to && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return MIN(at, to);
}

static gsize
unescape(char *text, gsize length)
{
    gsize out;
    char *escape = memchr(text, '\\', length);

    if (escape == NULL)
        return length;
    out = (gsize)(escape - text);
    for (gsize in = out; in < length; in++) {
        if (text[in] == '\\' && in + 1 < length)
            in++;
        text[out++] = text[in];
    }
    return out;
}

static gboolean
read_quoted(ImapValues *values, gsize *at, gsize to, GError **error)
{
    gsize start = *at + 1;
    gsize end = find_quote(values->text, start, to);

    if (end == to)
        return fail(error, "a quoted string that does not end");
    *at = end + 1;
    return append(values, IMAP_VALUE_STRING, start,
                  unescape(values->text + start, end - start), error);
}

static gboolean
ends_atom(char octet)
{
    guint8 o = (guint8)octet;

    return o <= ' ' || o == '(' || o == ')' || o == '"' || o == 0x7f;
}

/* The rest of an item's name, from inside its section. */
static gboolean
read_section(ImapValues *values, gsize *at, gsize to, GError **error)
{
    const char *text = values->text;

    while (*at < to && text[*at] != ']') {
        if (text[*at] == '"')
            *at = find_quote(text, *at + 1, to);
        (*at)++;
    }
    if (*at >= to) {
        *at = to;
        return TRUE;
    }
    while (*at < to && !ends_atom(text[*at]))
        (*at)++;
    values->in_section = FALSE;
    return append(values, IMAP_VALUE_ATOM, values->section_start,
                  *at - values->section_start, error);
}

static gboolean
read_atom(ImapValues *values, gsize *at, gsize to, GError **error)
{
    const char *text = values->text;
    gboolean name_is_due = item_is_due(values, FALSE);
    gsize start = *at;
    const ImapValue *item;

    while (*at < to && !ends_atom(text[*at])) {
        if (text[*at] == '[' && name_is_due) {
            values->in_section = TRUE;
            values->section_start = start;
            return read_section(values, at, to, error);
        }
        (*at)++;
    }
    if (*at == start)
        return fail(error, "a control character outside of a string");

    item = imap_values_awaited_item(values);
    if (item != NULL && imap_value_is(values, item, "UID") &&
        g_ascii_isdigit(text[start])) {
        gsize end = start;

        while (end < *at && g_ascii_isdigit(text[end]))
            end++;
        *at = end;
    }
    return append(values, IMAP_VALUE_ATOM, start, *at - start, error);
}

gboolean
imap_values_read(ImapValues *values, char *text, gsize from, gsize to,
                 GError **error)
{
    gsize at = from;

    values->text = text;
    if (values->in_section && !read_section(values, &at, to, error))
        return FALSE;

    while (at < to) {
        gboolean done;

        switch (text[at]) {
        case ' ':
            at++;
            continue;
        case '(':
            done = open_list(values, at++, error);
            break;
        case ')':
            at++;
            done = close_list(values, error);
            break;
        case '"':
            done = read_quoted(values, &at, to, error);
            break;
        default:
            done = read_atom(values, &at, to, error);
            break;
        }
        if (!done)
            return FALSE;
    }
    return TRUE;
}

gboolean
imap_values_add_literal(ImapValues *values, gsize start, gsize length,
                        GError **error)
{
    /* A header's name inside a section is passed over with its section. */
    if (values->in_section)
        return TRUE;
    return append(values, IMAP_VALUE_STRING, start, length, error);
}

gboolean
imap_values_add_streamed(ImapValues *values, guint64 length, GError **error)
{
    return append(values, IMAP_VALUE_STREAMED, 0, length, error);
}

gboolean
imap_values_end(const ImapValues *values, GError **error)
{
    if (values->in_section)
        return fail(error, "a \"[\" that is not closed");
    if (values->n_open > 0)
        return fail(error, "a \"(\" that is not closed");
    return TRUE;
}

ImapCursor
imap_values_cursor(const ImapValues *values)
{
    return (ImapCursor){values, 0, values->nodes->len};
}

const ImapValue *
imap_cursor_next(ImapCursor *cursor)
{
    const ImapValue *value;

    if (cursor->at >= cursor->end)
        return NULL;
    value = &g_array_index(cursor->values->nodes, ImapValue, cursor->at);
    cursor->at = value->end;
    return value;
}

gboolean
imap_value_members(const ImapValues *values, const ImapValue *value,
                   ImapCursor *members)
{
    *members = (ImapCursor){values, 0, 0};
    if (value->type == IMAP_VALUE_LIST) {
        guint index =
            (guint)(value -
                    (const ImapValue *)(gconstpointer)values->nodes->data);

        members->at = index + 1;
        members->end = value->end;
        return TRUE;
    }
    return imap_value_is_nil(values, value);
}

gboolean
imap_value_is(const ImapValues *values, const ImapValue *value,
              const char *word)
{
    gsize length = strlen(word);

    return value->type == IMAP_VALUE_ATOM && value->length == length &&
           g_ascii_strncasecmp(values->text + value->start, word, length) == 0;
}

gboolean
imap_value_is_nil(const ImapValues *values, const ImapValue *value)
{
    ImapCursor members;

    if (value->type != IMAP_VALUE_LIST)
        return imap_value_is(values, value, "NIL");
    return imap_value_members(values, value, &members) &&
           imap_cursor_next(&members) == NULL;
}

gboolean
imap_value_number(const ImapValues *values, const ImapValue *value,
                  guint64 *number)
{
    const char *text;
    guint64 sum = 0;

    if (value->length == 0 ||
        (value->type != IMAP_VALUE_ATOM && value->type != IMAP_VALUE_STRING))
        return FALSE;
    text = values->text + value->start;
    for (guint64 i = 0; i < value->length; i++) {
        if (!g_ascii_isdigit(text[i]) || !g_uint64_checked_mul(&sum, sum, 10) ||
            !g_uint64_checked_add(&sum, sum, (guint64)(text[i] - '0')))
            return FALSE;
    }
    *number = sum;
    return TRUE;
}

const char *
imap_value_octets(const ImapValues *values, const ImapValue *value)
{
    return values->text + value->start;
}

char *
imap_value_string(const ImapValues *values, const ImapValue *value)
{
    char *text;

    if (value->type != IMAP_VALUE_ATOM && value->type != IMAP_VALUE_STRING)
        return NULL;
    text = values->text + value->start;
    if (memchr(text, '\0', value->length) != NULL)
        return NULL;
    text[value->length] = '\0';
    return text;
}
