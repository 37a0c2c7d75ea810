/* Untagged responses that carry data, from their values to their types
 * (RFC 9051 section 7). All but FETCH, which has a file of its own.
 *
 * A known response that makes no sense is an error, never left out: a listing
 * must not look complete when one of its lines was not understood. */
#include "imap/response-private.h"

#include "imap/error.h"
#include "imap/structure.h"

#include <string.h>

gboolean
imap_reading_fail(GError **error, const char *why)
{
    g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL, why);
    return FALSE;
}

gboolean
imap_reading_words(ImapReading *reading, ImapCursor *cursor, GError **error)
{
    const ImapValue *value;

    g_ptr_array_set_size(reading->words, 0);
    while ((value = imap_cursor_next(cursor)) != NULL) {
        char *word = imap_value_string(&reading->values, value);

        if (word == NULL)
            return imap_reading_fail(error, "a list where a word is due");
        g_ptr_array_add(reading->words, word);
    }
    g_ptr_array_add(reading->words, NULL);
    reading->response.words = (char **)reading->words->pdata;
    return TRUE;
}

/* CAPABILITY, ENABLED: words up to the end. */
static gboolean
read_words(ImapReading *reading, GError **error)
{
    ImapCursor cursor = imap_values_cursor(&reading->values);

    return imap_reading_words(reading, &cursor, error);
}

/* The only value of the response, a list or NIL. */
static gboolean
only_list(const ImapReading *reading, ImapCursor *members)
{
    ImapCursor cursor = imap_values_cursor(&reading->values);
    const ImapValue *value = imap_cursor_next(&cursor);

    return value != NULL && imap_cursor_next(&cursor) == NULL &&
           imap_value_members(&reading->values, value, members);
}

static gboolean
read_flags(ImapReading *reading, GError **error)
{
    ImapCursor members;

    if (!only_list(reading, &members))
        return imap_reading_fail(error, "FLAGS is not one list");
    return imap_reading_words(reading, &members, error);
}

static gboolean
read_id(ImapReading *reading, GError **error)
{
    ImapCursor members;
    const ImapValue *value;

    if (!only_list(reading, &members))
        return imap_reading_fail(error, "ID is not one list");
    g_ptr_array_set_size(reading->words, 0);
    while ((value = imap_cursor_next(&members)) != NULL) {
        static char empty[] = "";
        char *word = imap_value_is_nil(&reading->values, value)
                         ? empty
                         : imap_value_string(&reading->values, value);

        if (word == NULL)
            return imap_reading_fail(error, "an ID that is no string");
        g_ptr_array_add(reading->words, word);
    }
    if (reading->words->len % 2 != 0)
        return imap_reading_fail(error, "an ID without its value");
    g_ptr_array_add(reading->words, NULL);
    reading->response.words = (char **)reading->words->pdata;
    return TRUE;
}

/* EXISTS, RECENT, EXPUNGE. */
static gboolean
read_number(ImapReading *reading, GError **error)
{
    ImapCursor cursor = imap_values_cursor(&reading->values);

    if (imap_cursor_next(&cursor) != NULL)
        return imap_reading_fail(error, "something behind a number");
    if (reading->response.type == IMAP_RESPONSE_EXPUNGE && reading->number == 0)
        return imap_reading_fail(error, "message 0 expunged");
    reading->response.number = reading->number;
    return TRUE;
}

static guint
list_attribute(const ImapValues *values, const ImapValue *value)
{
    static const struct {
        const char *name;
        guint attributes;
    } table[] = {
        {"\\HasNoChildren", IMAP_LIST_HAS_NO_CHILDREN},
        {"\\HasChildren", IMAP_LIST_HAS_CHILDREN},
        {"\\Noselect", IMAP_LIST_NOSELECT},
        {"\\NonExistent", IMAP_LIST_NONEXISTENT | IMAP_LIST_NOSELECT},
        {"\\Noinferiors", IMAP_LIST_NOINFERIORS},
        {"\\Subscribed", IMAP_LIST_SUBSCRIBED},
        {"\\All", IMAP_LIST_ALL},
        {"\\Archive", IMAP_LIST_ARCHIVE},
        {"\\Drafts", IMAP_LIST_DRAFTS},
        {"\\Flagged", IMAP_LIST_FLAGGED},
        {"\\Important", IMAP_LIST_IMPORTANT},
        {"\\Junk", IMAP_LIST_JUNK},
        {"\\Sent", IMAP_LIST_SENT},
        {"\\Trash", IMAP_LIST_TRASH},
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (imap_value_is(values, value, table[i].name))
            return table[i].attributes;
    }
    return 0;
}

/* A hierarchy delimiter: one octet, or 0 for NIL and "". */
static gboolean
read_delimiter(const ImapValues *values, const ImapValue *value,
               char *delimiter)
{
    const char *text;

    *delimiter = 0;
    if (value == NULL)
        return FALSE;
    if (imap_value_is_nil(values, value))
        return TRUE;
    if ((value->type != IMAP_VALUE_STRING && value->type != IMAP_VALUE_ATOM) ||
        value->length > 1)
        return FALSE;
    if (value->length == 1) {
        text = imap_value_octets(values, value);
        *delimiter = *text;
        return *text != '\0';
    }
    return TRUE;
}

/* LIST, LSUB: (attributes) delimiter name [(extended data)] */
static gboolean
read_list(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    ImapCursor members;
    const ImapValue *value = imap_cursor_next(&cursor);
    ImapList *list = &reading->list;

    memset(list, 0, sizeof *list);
    if (value == NULL || !imap_value_members(values, value, &members))
        return imap_reading_fail(error, "LIST without attributes");
    while ((value = imap_cursor_next(&members)) != NULL)
        list->attributes |= list_attribute(values, value);

    if (!read_delimiter(values, imap_cursor_next(&cursor), &list->delimiter))
        return imap_reading_fail(error, "LIST without a delimiter");

    value = imap_cursor_next(&cursor);
    list->name = value == NULL ? NULL : imap_value_string(values, value);
    if (list->name == NULL)
        return imap_reading_fail(error, "LIST without a name");

    /* Anything but a list here is a name that is not quoted as it must be. */
    value = imap_cursor_next(&cursor);
    if (value != NULL &&
        (value->type != IMAP_VALUE_LIST || imap_cursor_next(&cursor) != NULL))
        return imap_reading_fail(error, "LIST with something behind the name");
    reading->response.list = list;
    return TRUE;
}

static gboolean
read_status_item(ImapMailboxStatus *status, const ImapValues *values,
                 const ImapValue *name, const ImapValue *value)
{
    struct {
        const char *name;
        guint has;
        guint64 *number;
    } table[] = {
        {"MESSAGES", IMAP_MAILBOX_MESSAGES, &status->messages},
        {"UIDNEXT", IMAP_MAILBOX_UIDNEXT, &status->uidnext},
        {"UIDVALIDITY", IMAP_MAILBOX_UIDVALIDITY, &status->uidvalidity},
        {"UNSEEN", IMAP_MAILBOX_UNSEEN, &status->unseen},
        {"HIGHESTMODSEQ", IMAP_MAILBOX_HIGHESTMODSEQ, &status->highestmodseq},
        {"SIZE", IMAP_MAILBOX_SIZE, &status->size},
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (!imap_value_is(values, name, table[i].name))
            continue;
        if (imap_value_is_nil(values, value) ||
            imap_value_is(values, value, "-1"))
            return TRUE;
        status->has |= table[i].has;
        return imap_value_number(values, value, table[i].number);
    }
    return TRUE;
}

/* STATUS name (item number …) */
static gboolean
read_mailbox_status(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *name = imap_cursor_next(&cursor);
    const ImapValue *items = imap_cursor_next(&cursor);
    ImapCursor members;
    ImapMailboxStatus *status = &reading->mailbox_status;

    memset(status, 0, sizeof *status);
    if (items == NULL || imap_cursor_next(&cursor) != NULL ||
        !imap_value_members(values, items, &members))
        return imap_reading_fail(error, "STATUS is not a name and a list");
    while ((name = imap_cursor_next(&members)) != NULL) {
        const ImapValue *value = imap_cursor_next(&members);

        if (value == NULL || !read_status_item(status, values, name, value))
            return imap_reading_fail(error, "STATUS without a number");
    }

    cursor = imap_values_cursor(values);
    status->name = imap_value_string(values, imap_cursor_next(&cursor));
    if (status->name == NULL)
        return imap_reading_fail(error, "STATUS without a name");
    reading->response.mailbox_status = status;
    return TRUE;
}

/* ((prefix delimiter extension…)…), or NIL */
static gboolean
read_namespace_class(const ImapValues *values, const ImapValue *value,
                     GArray *into)
{
    static char empty[] = "";
    ImapCursor members;

    g_array_set_size(into, 0);
    if (value == NULL || !imap_value_members(values, value, &members))
        return FALSE;
    while ((value = imap_cursor_next(&members)) != NULL) {
        ImapNamespace namespace;
        ImapCursor pair;
        const ImapValue *prefix;

        if (!imap_value_members(values, value, &pair))
            return FALSE;
        prefix = imap_cursor_next(&pair);
        if (prefix == NULL || !read_delimiter(values, imap_cursor_next(&pair),
                                              &namespace.delimiter))
            return FALSE;
        namespace.prefix = imap_value_is_nil(values, prefix)
                               ? empty
                               : imap_value_string(values, prefix);
        if (namespace.prefix == NULL)
            return FALSE;
        g_array_append_val(into, namespace);
    }
    return TRUE;
}

static gboolean
read_namespace(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    ImapNamespaces *namespaces = &reading->namespaces;

    if (!read_namespace_class(values, imap_cursor_next(&cursor),
                              namespaces->personal) ||
        !read_namespace_class(values, imap_cursor_next(&cursor),
                              namespaces->other) ||
        !read_namespace_class(values, imap_cursor_next(&cursor),
                              namespaces->shared) ||
        imap_cursor_next(&cursor) != NULL)
        return imap_reading_fail(error, "NAMESPACE is not three lists");
    reading->response.namespaces = namespaces;
    return TRUE;
}

static const ImapResponseKind kinds[] = {
    {"FETCH", TRUE, TRUE, TRUE, IMAP_RESPONSE_FETCH, imap_fetch_read},
    {"EXISTS", TRUE, TRUE, FALSE, IMAP_RESPONSE_EXISTS, read_number},
    {"RECENT", TRUE, TRUE, FALSE, IMAP_RESPONSE_RECENT, read_number},
    {"EXPUNGE", TRUE, TRUE, FALSE, IMAP_RESPONSE_EXPUNGE, read_number},
    {"EXPUNGED", TRUE, TRUE, FALSE, IMAP_RESPONSE_EXPUNGE, read_number},
    {"LIST", FALSE, TRUE, FALSE, IMAP_RESPONSE_LIST, read_list},
    {"LSUB", FALSE, TRUE, FALSE, IMAP_RESPONSE_LIST, read_list},
    {"STATUS", FALSE, TRUE, FALSE, IMAP_RESPONSE_MAILBOX_STATUS,
     read_mailbox_status},
    {"SEARCH", FALSE, FALSE, FALSE, IMAP_RESPONSE_SEARCH, imap_search_read},
    {"ESEARCH", FALSE, TRUE, FALSE, IMAP_RESPONSE_SEARCH, imap_esearch_read},
    {"VANISHED", FALSE, TRUE, FALSE, IMAP_RESPONSE_VANISHED,
     imap_vanished_read},
    {"QUOTA", FALSE, TRUE, FALSE, IMAP_RESPONSE_QUOTA, imap_quota_read},
    {"MYRIGHTS", FALSE, TRUE, FALSE, IMAP_RESPONSE_MYRIGHTS, imap_rights_read},
    {"CAPABILITY", FALSE, TRUE, FALSE, IMAP_RESPONSE_CAPABILITY, read_words},
    {"ENABLED", FALSE, TRUE, FALSE, IMAP_RESPONSE_ENABLED, read_words},
    {"FLAGS", FALSE, TRUE, FALSE, IMAP_RESPONSE_FLAGS, read_flags},
    {"NAMESPACE", FALSE, TRUE, FALSE, IMAP_RESPONSE_NAMESPACE, read_namespace},
    {"ID", FALSE, TRUE, FALSE, IMAP_RESPONSE_ID, read_id},
};

const ImapResponseKind *
imap_response_kind(const char *name, gsize length)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strlen(kinds[i].name) == length &&
            g_ascii_strncasecmp(kinds[i].name, name, length) == 0)
            return &kinds[i];
    }
    return NULL;
}

void
imap_reading_init(ImapReading *reading)
{
    memset(reading, 0, sizeof *reading);
    imap_values_init(&reading->values);
    reading->words = g_ptr_array_new();
    reading->text = g_string_new(NULL);
    reading->section = g_string_new(NULL);
    reading->status.codes = g_array_new(FALSE, FALSE, sizeof(ImapResponseCode));
    reading->namespaces.personal =
        g_array_new(FALSE, FALSE, sizeof(ImapNamespace));
    reading->namespaces.other =
        g_array_new(FALSE, FALSE, sizeof(ImapNamespace));
    reading->namespaces.shared =
        g_array_new(FALSE, FALSE, sizeof(ImapNamespace));
}

void
imap_reading_reset(ImapReading *reading, const ImapResponseKind *kind)
{
    imap_values_reset(&reading->values, kind != NULL && kind->items);
    g_clear_pointer(&reading->fetch.header, g_bytes_unref);
    g_clear_pointer(&reading->fetch.structure, imap_structure_free);
    g_clear_pointer(&reading->fetch.binary_sizes, g_array_unref);
    g_clear_pointer(&reading->search.uids, imap_uid_set_free);
    g_clear_pointer(&reading->vanished.uids, imap_uid_set_free);
    reading->uid_searched = 0;
    reading->header_is_cut = FALSE;
    reading->uid = 0;
    if (kind != NULL)
        reading->response.type = kind->type;
}

void
imap_reading_finish(ImapReading *reading)
{
    imap_reading_reset(reading, NULL);
    imap_values_finish(&reading->values);
    g_ptr_array_unref(reading->words);
    g_string_free(reading->text, TRUE);
    g_string_free(reading->section, TRUE);
    g_array_unref(reading->status.codes);
    g_array_unref(reading->namespaces.personal);
    g_array_unref(reading->namespaces.other);
    g_array_unref(reading->namespaces.shared);
}
