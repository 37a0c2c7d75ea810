/* Reads a BODYSTRUCTURE.
 *
 *     body-type-1part = (type subtype parameters id description encoding octets
 *                        [lines | envelope body lines]
 *                        [md5 [disposition [language [location …]]]])
 *     body-type-mpart = (body body … subtype
 *                        [parameters [disposition …]])
 *
 * The section by which a part is asked for follows from where it is: the parts
 * of a multipart S are S.1, S.2 …; so are those of a message S whose body is a
 * multipart, and any other body of it is S.1. */
#include "imap/structure.h"

#include <string.h>

typedef struct {
    const ImapValues *values;
    GPtrArray *parts;
    guint depth;
} Reading;

static void
clear_parameter(gpointer data)
{
    ImapParameter *parameter = data;

    g_free(parameter->name);
    g_free(parameter->value);
}

static void
free_part(gpointer data)
{
    ImapPart *part = data;

    g_free(part->section);
    g_free(part->type);
    g_free(part->encoding);
    g_free(part->disposition);
    g_array_unref(part->type_parameters);
    g_array_unref(part->disposition_parameters);
    g_free(part);
}

static GArray *
parameters_new(void)
{
    GArray *parameters = g_array_new(FALSE, FALSE, sizeof(ImapParameter));

    g_array_set_clear_func(parameters, clear_parameter);
    return parameters;
}

/* ---- words ---- */

static gboolean
is_text(const ImapValue *value)
{
    return value != NULL &&
           (value->type == IMAP_VALUE_ATOM || value->type == IMAP_VALUE_STRING);
}

/* A copy up to @max octets or a NUL; "" for NIL and what is no string. */
static char *
copy_text(const Reading *reading, const ImapValue *value, gsize max)
{
    if (!is_text(value) || (value->type == IMAP_VALUE_ATOM &&
                            imap_value_is(reading->values, value, "NIL")))
        return g_strdup("");
    return g_strndup(imap_value_octets(reading->values, value),
                     MIN(value->length, max));
}

static char *
copy_word(const Reading *reading, const ImapValue *value)
{
    char *word = copy_text(reading, value, IMAP_STRUCTURE_MAX_WORD);

    for (char *at = word; *at != '\0'; at++)
        *at = g_ascii_tolower(*at);
    return word;
}

static void
read_parameters(const Reading *reading, const ImapValue *list,
                GArray *parameters)
{
    const ImapValue *name;
    const ImapValue *value;
    ImapCursor cursor;

    if (list == NULL || !imap_value_members(reading->values, list, &cursor))
        return;
    while ((name = imap_cursor_next(&cursor)) != NULL &&
           (value = imap_cursor_next(&cursor)) != NULL &&
           parameters->len < IMAP_STRUCTURE_MAX_PARAMETERS) {
        ImapParameter parameter = {
            copy_word(reading, name),
            copy_text(reading, value, IMAP_STRUCTURE_MAX_VALUE)};

        g_array_append_val(parameters, parameter);
    }
}

/* ("attachment" ("filename" "a.pdf")) */
static void
read_disposition(const Reading *reading, const ImapValue *list, ImapPart *part)
{
    ImapCursor cursor;
    const ImapValue *word;

    if (list == NULL || list->type != IMAP_VALUE_LIST ||
        !imap_value_members(reading->values, list, &cursor))
        return;
    word = imap_cursor_next(&cursor);
    if (!is_text(word))
        return;
    g_free(part->disposition);
    part->disposition = copy_word(reading, word);
    read_parameters(reading, imap_cursor_next(&cursor),
                    part->disposition_parameters);
}

/* ---- parts ---- */

/* NULL: there are too many. */
static ImapPart *
add_part(Reading *reading, guint parent, ImapPartKind kind, const char *section)
{
    ImapPart *part;

    if (reading->parts->len == IMAP_STRUCTURE_MAX_PARTS)
        return NULL;
    part = g_new0(ImapPart, 1);
    part->kind = kind;
    part->parent = parent;
    part->section = g_strdup(section);
    part->encoding = g_strdup("");
    part->disposition = g_strdup("");
    part->type_parameters = parameters_new();
    part->disposition_parameters = parameters_new();
    g_ptr_array_add(reading->parts, part);
    return part;
}

static char *
section_of_child(const char *section, guint number)
{
    return section[0] == '\0' ? g_strdup_printf("%u", number)
                              : g_strdup_printf("%s.%u", section, number);
}

static gboolean read_part(Reading *reading, const ImapValue *list, guint parent,
                          const char *section);

/* @first: its first part. */
static gboolean
read_multipart(Reading *reading, ImapCursor *cursor, const ImapValue *first,
               guint parent, const char *section)
{
    guint index = reading->parts->len;
    ImapPart *part = add_part(reading, parent, IMAP_PART_MULTIPART, section);
    const ImapValue *value = first;
    g_autofree char *subtype = NULL;

    if (part == NULL)
        return FALSE;
    for (guint number = 1; value != NULL && value->type == IMAP_VALUE_LIST;
         number++) {
        g_autofree char *child = section_of_child(section, number);

        if (!read_part(reading, value, index, child))
            return FALSE;
        value = imap_cursor_next(cursor);
    }
    subtype = copy_word(reading, value);
    part->type = g_strdup_printf("multipart/%s", subtype);
    read_parameters(reading, imap_cursor_next(cursor), part->type_parameters);
    read_disposition(reading, imap_cursor_next(cursor), part);
    return TRUE;
}

static gboolean
is_message(const ImapPart *part)
{
    return g_str_equal(part->type, "message/rfc822") ||
           g_str_equal(part->type, "message/global");
}

/* The body of the message @section. */
static gboolean
read_body(Reading *reading, const ImapValue *list, guint parent,
          const char *section)
{
    g_autofree char *only = section_of_child(section, 1);
    const ImapValue *first;
    ImapCursor cursor;

    if (!imap_value_members(reading->values, list, &cursor))
        return FALSE;
    first = imap_cursor_next(&cursor);
    return read_part(reading, list, parent,
                     first != NULL && first->type == IMAP_VALUE_LIST ? section
                                                                     : only);
}

/* What follows the octets of a message; FALSE: it has no structure. Some
 * servers leave out envelope and body, and what is then there is extensions.
 * Returns what comes next in @value. */
static gboolean
read_message(Reading *reading, ImapCursor *cursor, guint index,
             const ImapValue **value)
{
    ImapPart *part = g_ptr_array_index(reading->parts, index);
    const ImapValue *body;

    if (*value == NULL || (*value)->type != IMAP_VALUE_LIST)
        return TRUE;
    body = imap_cursor_next(cursor);
    if (body == NULL || body->type != IMAP_VALUE_LIST ||
        imap_value_is_nil(reading->values, body)) {
        *value = body;
        return TRUE;
    }
    part->kind = IMAP_PART_MESSAGE;
    if (!read_body(reading, body, index, part->section))
        return FALSE;
    *value = imap_cursor_next(cursor);
    return TRUE;
}

static gboolean
read_leaf(Reading *reading, ImapCursor *cursor, const ImapValue *first,
          guint parent, const char *section)
{
    guint index = reading->parts->len;
    ImapPart *part = add_part(reading, parent, IMAP_PART_LEAF, section);
    g_autofree char *type = copy_word(reading, first);
    g_autofree char *subtype = copy_word(reading, imap_cursor_next(cursor));
    const ImapValue *value;
    guint64 lines;

    if (part == NULL)
        return FALSE;
    part->type = g_strdup_printf("%s/%s", type, subtype);
    read_parameters(reading, imap_cursor_next(cursor), part->type_parameters);
    imap_cursor_next(cursor); /* id */
    imap_cursor_next(cursor); /* description */
    g_free(part->encoding);
    part->encoding = copy_word(reading, imap_cursor_next(cursor));
    value = imap_cursor_next(cursor);
    if (value != NULL &&
        !imap_value_number(reading->values, value, &part->octets))
        part->octets = 0;
    value = imap_cursor_next(cursor);
    if (is_message(part) && !read_message(reading, cursor, index, &value))
        return FALSE;
    if (value != NULL && imap_value_number(reading->values, value, &lines))
        value = imap_cursor_next(cursor);
    /* @value is the md5. */
    read_disposition(reading, imap_cursor_next(cursor), part);
    return TRUE;
}

static gboolean
read_part(Reading *reading, const ImapValue *list, guint parent,
          const char *section)
{
    const ImapValue *first;
    ImapCursor cursor;
    gboolean good;

    if (list->type != IMAP_VALUE_LIST ||
        reading->depth == IMAP_STRUCTURE_MAX_DEPTH ||
        !imap_value_members(reading->values, list, &cursor))
        return FALSE;
    first = imap_cursor_next(&cursor);
    reading->depth++;
    good = first != NULL &&
           (first->type == IMAP_VALUE_LIST
                ? read_multipart(reading, &cursor, first, parent, section)
                : read_leaf(reading, &cursor, first, parent, section));
    reading->depth--;
    return good;
}

ImapStructure *
imap_structure_read(const ImapValues *values, const ImapValue *value)
{
    Reading reading = {.values = values};
    g_autoptr(ImapStructure) structure = g_new0(ImapStructure, 1);

    structure->parts = g_ptr_array_new_with_free_func(free_part);
    reading.parts = structure->parts;
    if (value->type != IMAP_VALUE_LIST || !read_body(&reading, value, 0, ""))
        return NULL;
    for (guint i = 0; i < structure->parts->len; i++)
        if (((ImapPart *)g_ptr_array_index(structure->parts, i))->type == NULL)
            return NULL;
    return g_steal_pointer(&structure);
}

void
imap_structure_free(ImapStructure *structure)
{
    if (structure == NULL)
        return;
    g_ptr_array_unref(structure->parts);
    g_free(structure);
}
