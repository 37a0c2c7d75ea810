/* SEARCH, ESEARCH and VANISHED: the responses whose size goes with that of the
 * mailbox. Their UIDs go straight into sets, never one value each. */
#include "imap/response-private.h"

#include <string.h>

static gboolean
skip_to_word(const char **at, const char *end)
{
    while (*at < end && **at == ' ')
        (*at)++;
    return *at < end;
}

/* "MODSEQ 123" of @length octets. */
static gboolean
read_modseq(const char *text, gsize length, guint64 *modseq)
{
    g_autofree char *copy = NULL;
    const char *number;

    if (length < 7 || length > 64 ||
        g_ascii_strncasecmp(text, "MODSEQ ", 7) != 0)
        return FALSE;
    copy = g_strstrip(g_strndup(text + 7, length - 7));
    number = copy;
    return g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT64, modseq, NULL);
}

/* SEARCH uid … [(MODSEQ n)] */
gboolean
imap_search_read(ImapReading *reading, GError **error)
{
    ImapSearch *search = &reading->search;
    const char *at = reading->rest;
    const char *end = at + reading->rest_length;

    memset(search, 0, sizeof *search);
    search->uids = imap_uid_set_new();
    while (skip_to_word(&at, end) && *at != '(') {
        guint64 uid = 0;
        const char *start = at;

        while (at < end && g_ascii_isdigit(*at) && uid <= G_MAXUINT32)
            uid = uid * 10 + (guint64)(*at++ - '0');
        if (at == start || uid > G_MAXUINT32 ||
            (at < end && *at != ' ' && *at != '('))
            return imap_reading_fail(error, "SEARCH with what is no number");
        if (!imap_uid_set_add(search->uids, (guint32)uid, (guint32)uid))
            return imap_reading_fail(error, "SEARCH with too many ranges");
    }
    if (at < end) {
        if (end[-1] != ')' ||
            !read_modseq(at + 1, (gsize)(end - at) - 2, &search->modseq))
            return imap_reading_fail(error, "SEARCH with what is no MODSEQ");
        search->has_modseq = TRUE;
    }
    reading->response.search = search;
    return TRUE;
}

static ImapUidSet *
read_set(const ImapValues *values, const ImapValue *value)
{
    if (value->type != IMAP_VALUE_ATOM && value->type != IMAP_VALUE_STRING)
        return NULL;
    return imap_uid_set_parse(imap_value_octets(values, value), value->length);
}

/* (TAG "A1") */
static gboolean
read_correlator(ImapReading *reading, const ImapValue *value)
{
    const ImapValues *values = &reading->values;
    ImapCursor members;
    const ImapValue *name;

    if (!imap_value_members(values, value, &members))
        return FALSE;
    while ((name = imap_cursor_next(&members)) != NULL) {
        value = imap_cursor_next(&members);
        if (value == NULL)
            return FALSE;
        if (!imap_value_is(values, name, "TAG"))
            continue;
        reading->search.tag = imap_value_string(values, value);
        if (reading->search.tag == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_esearch_item(ImapSearch *search, const ImapValues *values,
                  const ImapValue *name, const ImapValue *value)
{
    if (name->type != IMAP_VALUE_ATOM)
        return FALSE;
    if (imap_value_is(values, name, "ALL")) {
        g_clear_pointer(&search->uids, imap_uid_set_free);
        search->uids = read_set(values, value);
        return search->uids != NULL;
    }
    if (imap_value_is(values, name, "MODSEQ")) {
        search->has_modseq = TRUE;
        return imap_value_number(values, value, &search->modseq);
    }
    return TRUE;
}

/* ESEARCH [(TAG "…")] [UID] [name value …] */
gboolean
imap_esearch_read(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapSearch *search = &reading->search;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *name = imap_cursor_next(&cursor);

    memset(search, 0, sizeof *search);
    search->uids = imap_uid_set_new();
    if (name != NULL && name->type == IMAP_VALUE_LIST) {
        if (!read_correlator(reading, name))
            return imap_reading_fail(error, "ESEARCH with an unreadable tag");
        name = imap_cursor_next(&cursor);
    }
    if (name != NULL && imap_value_is(values, name, "UID"))
        name = imap_cursor_next(&cursor);
    for (; name != NULL; name = imap_cursor_next(&cursor)) {
        const ImapValue *value = imap_cursor_next(&cursor);

        if (value == NULL || !read_esearch_item(search, values, name, value))
            return imap_reading_fail(error,
                                     "ESEARCH with what is no set or number");
    }
    reading->response.search = search;
    return TRUE;
}

/* VANISHED [(EARLIER)] set */
gboolean
imap_vanished_read(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapVanished *vanished = &reading->vanished;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *value = imap_cursor_next(&cursor);
    ImapCursor members;

    memset(vanished, 0, sizeof *vanished);
    if (value != NULL && value->type == IMAP_VALUE_LIST) {
        const ImapValue *word;

        if (imap_value_members(values, value, &members)) {
            while ((word = imap_cursor_next(&members)) != NULL)
                vanished->earlier |= imap_value_is(values, word, "EARLIER");
        }
        value = imap_cursor_next(&cursor);
    }
    vanished->uids = value == NULL ? NULL : read_set(values, value);
    if (vanished->uids == NULL || imap_cursor_next(&cursor) != NULL)
        return imap_reading_fail(error, "VANISHED is not one set");
    reading->response.vanished = vanished;
    return TRUE;
}
