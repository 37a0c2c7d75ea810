/* FETCH: the attributes of one message, and which of its items are bodies.
 *
 * A body is recognised twice: while it comes, so that its literal is passed on
 * instead of being kept, and when all of the response is here, for those that
 * were quoted or NIL. Headers are kept; items we do not know are passed over.
 */
#include "imap/response-private.h"

#include "imap/date.h"
#include "imap/structure.h"

#include <string.h>

#define MAX_SECTION 1000u /* octets */
#define MAX_EMAIL_ID 255u /* the same; RFC 8474 section 4 */

typedef enum { ITEM_OTHER, ITEM_HEADER, ITEM_BODY } ItemKind;

typedef struct {
    const char *section; /* not terminated */
    gsize length;
    gboolean is_part;
    guint64 origin;
} BodyItem;

static const struct {
    const char *name;
    const char *section;
} old_items[] = {
    {"RFC822", ""},
    {"RFC822.HEADER", "HEADER"},
    {"RFC822.TEXT", "TEXT"},
};

static gboolean
has_prefix(const char *text, gsize length, const char *prefix)
{
    gsize n = strlen(prefix);

    return length >= n && g_ascii_strncasecmp(text, prefix, n) == 0;
}

static ItemKind
kind_of_section(const char *section, gsize length)
{
    for (gsize i = 0; i + 6 <= length; i++) {
        if (g_ascii_strncasecmp(section + i, "HEADER", 6) == 0)
            return ITEM_HEADER;
    }
    return ITEM_BODY;
}

/* "<0>", or "<0.10>" as some echo it, up to @end. */
static gboolean
read_origin(const char *at, const char *end, guint64 *origin)
{
    *origin = 0;
    if (at == end)
        return TRUE;
    if (*at++ != '<' || at == end || !g_ascii_isdigit(*at))
        return FALSE;
    for (; at < end && g_ascii_isdigit(*at); at++) {
        if (!g_uint64_checked_mul(origin, *origin, 10) ||
            !g_uint64_checked_add(origin, *origin, (guint64)(*at - '0')))
            return FALSE;
    }
    return at < end && (*at == '>' || *at == '.') && end[-1] == '>';
}

/* What the item @name gives: BODY[…]<n>, BINARY[…]<n>, RFC822 and its kin. */
static ItemKind
classify(const ImapValues *values, const ImapValue *name, BodyItem *item)
{
    static const char *const prefixes[] = {"BODY[", "BODY.PEEK[", "BINARY[",
                                           "BINARY.PEEK["};
    const char *text = imap_value_octets(values, name);
    const char *end = text + name->length;

    if (name->type != IMAP_VALUE_ATOM)
        return ITEM_OTHER;
    for (guint i = 0; i < G_N_ELEMENTS(old_items); i++) {
        if (imap_value_is(values, name, old_items[i].name)) {
            item->section = old_items[i].section;
            item->length = strlen(item->section);
            item->is_part = FALSE;
            item->origin = 0;
            return kind_of_section(item->section, item->length);
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        const char *bracket;

        if (!has_prefix(text, name->length, prefixes[i]))
            continue;
        item->section = text + strlen(prefixes[i]);
        bracket = memrchr(item->section, ']', (gsize)(end - item->section));
        if (bracket == NULL || !read_origin(bracket + 1, end, &item->origin))
            return ITEM_OTHER;
        item->length = (gsize)(bracket - item->section);
        item->is_part = bracket + 1 < end;
        if (item->length > MAX_SECTION ||
            memchr(item->section, '\0', item->length) != NULL)
            return ITEM_OTHER;
        return kind_of_section(item->section, item->length);
    }
    return ITEM_OTHER;
}

static void
fill_body(ImapReading *reading, const BodyItem *item, ImapBody *body)
{
    g_string_truncate(reading->section, 0);
    g_string_append_len(reading->section, item->section, (gssize)item->length);
    *body = (ImapBody){
        .sequence = reading->number,
        .uid = reading->uid,
        .section = reading->section->str,
        .is_part = item->is_part,
        .origin = item->origin,
    };
}

static gboolean
read_uid(const ImapValues *values, const ImapValue *value, guint32 *uid)
{
    guint64 number;

    if (!imap_value_number(values, value, &number) || number > G_MAXUINT32)
        return FALSE;
    *uid = (guint32)number;
    return TRUE;
}

gboolean
imap_fetch_awaits_body(ImapReading *reading, ImapBody *body)
{
    const ImapValues *values = &reading->values;
    const ImapValue *awaited = imap_values_awaited_item(values);
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *name;
    BodyItem item;

    if (awaited == NULL || classify(values, awaited, &item) != ITEM_BODY)
        return FALSE;

    /* From where the last body left off, lest many bodies in one response be
     * searched over and over. The list itself is at 0. */
    cursor.at = MAX(reading->uid_searched, 1);
    while ((name = imap_cursor_next(&cursor)) != NULL && name != awaited) {
        const ImapValue *value = imap_cursor_next(&cursor);

        if (imap_value_is(values, name, "UID"))
            read_uid(values, value, &reading->uid);
        reading->uid_searched = cursor.at;
    }
    fill_body(reading, &item, body);
    return TRUE;
}

gboolean
imap_fetch_awaits_header(const ImapReading *reading)
{
    const ImapValues *values = &reading->values;
    const ImapValue *awaited = imap_values_awaited_item(values);
    BodyItem item;

    return awaited != NULL && classify(values, awaited, &item) == ITEM_HEADER;
}

static gboolean
read_body(ImapReading *reading, const BodyItem *item, const ImapValue *value)
{
    ImapFetch *fetch = &reading->fetch;
    ImapBody body;

    if (imap_value_is_nil(&reading->values, value)) {
        fetch->body = IMAP_BODY_NIL;
        fetch->body_size = 0;
        return TRUE;
    }
    if (value->type == IMAP_VALUE_STRING) {
        reading->uid = fetch->uid;
        fill_body(reading, item, &body);
        body.size = value->length;
        reading->quoted_body(&body, imap_value_octets(&reading->values, value),
                             reading->user_data);
    } else if (value->type != IMAP_VALUE_STREAMED) {
        return FALSE;
    }
    fetch->body = IMAP_BODY_DELIVERED;
    fetch->body_size = value->length;
    return TRUE;
}

static gboolean
read_header(ImapReading *reading, const ImapValue *value)
{
    const ImapValues *values = &reading->values;

    g_clear_pointer(&reading->fetch.header, g_bytes_unref);
    if (imap_value_is_nil(values, value))
        return TRUE;
    if (value->type != IMAP_VALUE_STRING)
        return FALSE;
    reading->fetch.header =
        g_bytes_new(imap_value_octets(values, value), value->length);
    reading->fetch.header_is_cut = reading->header_is_cut;
    return TRUE;
}

static gboolean
read_uid_item(ImapReading *reading, const ImapValue *value)
{
    return read_uid(&reading->values, value, &reading->fetch.uid);
}

static gboolean
read_flags(ImapReading *reading, const ImapValue *value)
{
    ImapCursor members;

    if (!imap_value_members(&reading->values, value, &members) ||
        !imap_reading_words(reading, &members, NULL))
        return FALSE;
    reading->fetch.flags = reading->response.words;
    return TRUE;
}

static gboolean
read_size(ImapReading *reading, const ImapValue *value)
{
    const ImapValues *values = &reading->values;

    reading->fetch.has_size = FALSE;
    if (imap_value_is_nil(values, value) || imap_value_is(values, value, "-1"))
        return TRUE;
    if (!imap_value_number(values, value, &reading->fetch.size))
        return FALSE;
    /* More is a negative number that was printed without its sign. */
    reading->fetch.has_size = reading->fetch.size <= G_MAXINT64;
    if (!reading->fetch.has_size)
        reading->fetch.size = 0;
    return TRUE;
}

/* A date that exists in no calendar counts as absent: some servers store what
 * they were given, and one such message must not hide its mailbox. */
static gboolean
read_date(ImapReading *reading, const ImapValue *value, gboolean *has,
          gint64 *date)
{
    char *text;

    *has = FALSE;
    if (imap_value_is_nil(&reading->values, value))
        return TRUE;
    if (value->type != IMAP_VALUE_STRING)
        return FALSE;
    text = imap_value_string(&reading->values, value);
    *has = text != NULL && imap_date_parse(text, date);
    return text != NULL;
}

static gboolean
read_internal_date(ImapReading *reading, const ImapValue *value)
{
    return read_date(reading, value, &reading->fetch.has_internal_date,
                     &reading->fetch.internal_date);
}

static gboolean
read_save_date(ImapReading *reading, const ImapValue *value)
{
    return read_date(reading, value, &reading->fetch.has_save_date,
                     &reading->fetch.save_date);
}

/* The value in "(value)", or @value itself. NULL if there is not just one. */
static const ImapValue *
unwrap(const ImapValues *values, const ImapValue *value)
{
    ImapCursor members;
    const ImapValue *inner;

    if (value->type != IMAP_VALUE_LIST)
        return value;
    if (!imap_value_members(values, value, &members))
        return NULL;
    inner = imap_cursor_next(&members);
    return imap_cursor_next(&members) == NULL ? inner : NULL;
}

static gboolean
read_modseq(ImapReading *reading, const ImapValue *value)
{
    const ImapValue *inner = unwrap(&reading->values, value);

    reading->fetch.has_modseq = FALSE;
    if (imap_value_is_nil(&reading->values, value))
        return TRUE;
    reading->fetch.has_modseq = TRUE;
    return inner != NULL &&
           imap_value_number(&reading->values, inner, &reading->fetch.modseq);
}

static gboolean
read_email_id(ImapReading *reading, const ImapValue *value)
{
    const ImapValue *inner = unwrap(&reading->values, value);

    reading->fetch.email_id = NULL;
    if (imap_value_is_nil(&reading->values, value))
        return TRUE;
    if (inner != NULL)
        reading->fetch.email_id = imap_value_string(&reading->values, inner);
    return reading->fetch.email_id != NULL;
}

static gboolean
read_gm_msgid(ImapReading *reading, const ImapValue *value)
{
    reading->fetch.gm_msgid = 0;
    return imap_value_is_nil(&reading->values, value) ||
           imap_value_number(&reading->values, value, &reading->fetch.gm_msgid);
}

/* One that makes no sense must not cost the connection. */
static gboolean
read_structure(ImapReading *reading, const ImapValue *value)
{
    imap_structure_free(reading->fetch.structure);
    reading->fetch.has_structure = TRUE;
    reading->fetch.structure = imap_structure_read(&reading->values, value);
    return TRUE;
}

static const struct {
    const char *name;
    gboolean (*read)(ImapReading *reading, const ImapValue *value);
} items[] = {
    {"UID", read_uid_item},
    {"FLAGS", read_flags},
    {"RFC822.SIZE", read_size},
    {"INTERNALDATE", read_internal_date},
    {"MODSEQ", read_modseq},
    {"SAVEDATE", read_save_date},
    {"EMAILID", read_email_id},
    {"X-GM-MSGID", read_gm_msgid},
    {"BODYSTRUCTURE", read_structure},
};

#define BINARY_SIZE "BINARY.SIZE["

static void
clear_binary_size(gpointer size)
{
    g_free(((ImapBinarySize *)size)->section);
}

/* FALSE: it is none. One that makes no sense is passed over. */
static gboolean
read_binary_size(ImapReading *reading, const ImapValue *name,
                 const ImapValue *value)
{
    const char *text = imap_value_octets(&reading->values, name);
    gsize length = name->length;
    ImapFetch *fetch = &reading->fetch;
    ImapBinarySize size;

    if (name->type != IMAP_VALUE_ATOM || !has_prefix(text, length, BINARY_SIZE))
        return FALSE;
    if (text[length - 1] != ']' || length > MAX_SECTION ||
        !imap_value_number(&reading->values, value, &size.size))
        return TRUE;
    size.section =
        g_strndup(text + strlen(BINARY_SIZE), length - strlen(BINARY_SIZE) - 1);
    if (fetch->binary_sizes == NULL) {
        fetch->binary_sizes = g_array_new(FALSE, FALSE, sizeof size);
        g_array_set_clear_func(fetch->binary_sizes, clear_binary_size);
    }
    g_array_append_val(fetch->binary_sizes, size);
    return TRUE;
}

static gboolean
read_item(ImapReading *reading, const ImapValue *name, const ImapValue *value)
{
    BodyItem item;

    for (guint i = 0; i < G_N_ELEMENTS(items); i++) {
        if (imap_value_is(&reading->values, name, items[i].name))
            return items[i].read(reading, value);
    }
    if (read_binary_size(reading, name, value))
        return TRUE;
    switch (classify(&reading->values, name, &item)) {
    case ITEM_BODY:
        return read_body(reading, &item, value);
    case ITEM_HEADER:
        return read_header(reading, value);
    case ITEM_OTHER:
        break;
    }
    return name->type == IMAP_VALUE_ATOM;
}

gboolean
imap_fetch_read(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *list = imap_cursor_next(&cursor);
    const ImapValue *name;

    memset(&reading->fetch, 0, sizeof reading->fetch);
    reading->fetch.sequence = reading->number;
    if (list == NULL || imap_cursor_next(&cursor) != NULL ||
        !imap_value_members(values, list, &cursor))
        return imap_reading_fail(error, "FETCH is not one list");
    while ((name = imap_cursor_next(&cursor)) != NULL) {
        const ImapValue *value = imap_cursor_next(&cursor);

        if (value == NULL)
            return imap_reading_fail(error, "a FETCH item without its value");
        if (!read_item(reading, name, value))
            return imap_reading_fail(error, "a FETCH item of the wrong kind");
    }
    reading->response.fetch = &reading->fetch;
    return TRUE;
}

char *
imap_fetch_identity(const ImapFetch *fetch)
{
    if (fetch->email_id != NULL && fetch->email_id[0] != '\0' &&
        strlen(fetch->email_id) <= MAX_EMAIL_ID)
        return g_strconcat("e:", fetch->email_id, NULL);
    if (fetch->gm_msgid != 0)
        return g_strdup_printf("g:%" G_GUINT64_FORMAT, fetch->gm_msgid);
    return NULL;
}
