/* Names of parts. What senders write is data from outside: whatever it is, one
 * safe component comes out. */
#include "fs/views/parts/part-name.h"

#include "fs/names/header-field.h"
#include "fs/names/slug.h"

#include <gmime/gmime.h>
#include <string.h>

#define NAME_MAX_OCTETS 255u
#define EXTENSION_MAX 16u
/* Room that is left for a number. */
#define NUMBER_ROOM 8u

/* ---- from parameters ---- */

/* A value of RFC 2231 is not quoted, and would not be decoded if it were. */
static gboolean
is_extended(const ImapParameter *parameter)
{
    if (!g_str_has_suffix(parameter->name, "*"))
        return FALSE;
    for (const char *at = parameter->value; *at != '\0'; at++)
        if (!g_ascii_isgraph(*at) || strchr("()<>@,;:\\\"/[]?=", *at) != NULL)
            return FALSE;
    return parameter->value[0] != '\0';
}

static void
append_quoted(GString *text, const char *value)
{
    g_string_append_c(text, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            g_string_append_c(text, '\\');
        g_string_append_c(text, g_ascii_iscntrl(*value) ? ' ' : *value);
    }
    g_string_append_c(text, '"');
}

/* Whether there is nothing in it to be decoded, whatever a sender means. */
static gboolean
is_plain(const char *value)
{
    if (!g_ascii_isalnum(*value))
        return FALSE;
    for (; *value != '\0'; value++)
        if (!g_ascii_isalnum(*value) && strchr("-_.", *value) == NULL)
            return FALSE;
    return TRUE;
}

/* The value of @name alone, if there are no pieces of it; else NULL. */
static const char *
find_plain(const GArray *parameters, const char *name)
{
    const char *found = NULL;

    for (guint i = 0; i < parameters->len; i++) {
        const ImapParameter *parameter =
            &g_array_index(parameters, ImapParameter, i);

        if (g_ascii_strncasecmp(parameter->name, name, strlen(name)) != 0)
            continue;
        if (found != NULL || parameter->name[strlen(name)] != '\0' ||
            !is_plain(parameter->value))
            return NULL;
        found = parameter->value;
    }
    return found;
}

/* What follows @name in a parameter's: "" for the whole of it, "*" for the
 * whole encoded, "*1" or "*1*" for a piece. NULL: it is another. */
static const char *
rest_of_name(const ImapParameter *parameter, const char *name)
{
    gsize length = strlen(name);

    if (g_ascii_strncasecmp(parameter->name, name, length) != 0 ||
        (parameter->name[length] != '\0' && parameter->name[length] != '*'))
        return NULL;
    return parameter->name + length;
}

/* GMime decodes pieces and sets of characters: it is given the field that they
 * came from. */
static char *
decode_parameter(const GArray *parameters, const char *name)
{
    g_autoptr(GString) field = g_string_new("attachment");
    GMimeContentDisposition *disposition;
    const char *plain = find_plain(parameters, name);
    char *value;

    if (plain != NULL)
        return g_strdup(plain);
    for (guint i = 0; i < parameters->len; i++) {
        const ImapParameter *parameter =
            &g_array_index(parameters, ImapParameter, i);

        if (rest_of_name(parameter, name) == NULL)
            continue;
        g_string_append_printf(field, "; %s=", parameter->name);
        if (is_extended(parameter))
            g_string_append(field, parameter->value);
        else
            append_quoted(field, parameter->value);
    }
    if (field->len == strlen("attachment"))
        return NULL;
    fs_header_field_init();
    disposition = g_mime_content_disposition_parse(NULL, field->str);
    value =
        g_strdup(g_mime_content_disposition_get_parameter(disposition, name));
    g_object_unref(disposition);
    return value;
}

gboolean
fs_part_name_has_gap(const GArray *parameters, const char *name)
{
    gboolean whole = FALSE;
    gboolean first = FALSE;
    gboolean others = FALSE;

    for (guint i = 0; i < parameters->len; i++) {
        const char *rest =
            rest_of_name(&g_array_index(parameters, ImapParameter, i), name);

        if (rest == NULL)
            continue;
        if (rest[0] == '\0' || rest[1] == '\0')
            whole = TRUE;
        else if (g_str_equal(rest, "*0") || g_str_equal(rest, "*0*"))
            first = TRUE;
        else
            others = TRUE;
    }
    return whole && others && !first;
}

char *
fs_part_name_of_parameters(const GArray *disposition, const GArray *type)
{
    char *name = decode_parameter(disposition, "filename");

    return name != NULL ? name : decode_parameter(type, "name");
}

/* ---- safe names ---- */

static const char *
extension_of_type(const char *type)
{
    static const char *const extensions[][2] = {
        {"text/plain", "txt"},
        {"text/html", "html"},
        {"text/calendar", "ics"},
        {"text/csv", "csv"},
        {"text/vcard", "vcf"},
        {"text/x-vcard", "vcf"},
        {"text/xml", "xml"},
        {"image/jpeg", "jpg"},
        {"image/png", "png"},
        {"image/gif", "gif"},
        {"image/svg+xml", "svg"},
        {"image/tiff", "tif"},
        {"image/webp", "webp"},
        {"audio/mpeg", "mp3"},
        {"video/mp4", "mp4"},
        {"application/pdf", "pdf"},
        {"application/zip", "zip"},
        {"application/json", "json"},
        {"application/xml", "xml"},
        {"application/pgp-signature", "asc"},
        {"application/pgp-encrypted", "asc"},
        {"application/pkcs7-signature", "p7s"},
        {"application/ms-tnef", "dat"},
        {"message/delivery-status", "txt"},
        {"message/disposition-notification", "txt"},
        {"text/rfc822-headers", "txt"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (g_str_equal(extensions[i][0], type))
            return extensions[i][1];
    return g_str_has_prefix(type, "text/") ? "txt" : "bin";
}

static gboolean
is_allowed(gunichar character)
{
    return g_unichar_isdefined(character) && !g_unichar_iscntrl(character) &&
           g_unichar_type(character) != G_UNICODE_LINE_SEPARATOR &&
           g_unichar_type(character) != G_UNICODE_PARAGRAPH_SEPARATOR &&
           g_unichar_type(character) != G_UNICODE_SURROGATE &&
           !fs_slug_is_invisible(character);
}

/* What stands behind the last dot, with it; "" if that is no extension. */
static const char *
extension_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && dot != name && strlen(dot) <= EXTENSION_MAX
               ? dot
               : name + strlen(name);
}

/* @stem cut at a character so that @extension has room. */
static char *
join(const char *stem, gsize length, const char *extension)
{
    gsize room = NAME_MAX_OCTETS - NUMBER_ROOM - strlen(extension);

    if (length > room) {
        length = room;
        while (length > 0 && ((guchar)stem[length] & 0xc0) == 0x80)
            length--;
    }
    return g_strdup_printf("%.*s%s", (int)length, stem, extension);
}

/* "" if nothing is left. */
static GString *
clean(const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    GString *text = g_string_new(NULL);

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (character == '/' || character == '\\')
            g_string_append_c(text, '_');
        else if (character == '\t')
            g_string_append_c(text, ' ');
        else if (is_allowed(character))
            g_string_append_unichar(text, character);
    }
    g_strstrip(text->str);
    g_string_set_size(text, strlen(text->str));
    if (text->str[0] == '.')
        text->str[0] = '_';
    return text;
}

char *
fs_part_name_make(const char *name, const char *section, const char *type,
                  gboolean is_message)
{
    g_autoptr(GString) text = clean(name != NULL ? name : "");
    const char *extension;

    if (text->len == 0)
        g_string_printf(text, "part-%s.%s", section[0] != '\0' ? section : "0",
                        is_message ? "eml" : extension_of_type(type));
    extension = extension_of(text->str);
    return join(text->str, (gsize)(extension - text->str), extension);
}

char *
fs_part_name_number(const char *name, guint number)
{
    const char *extension = extension_of(name);

    return g_strdup_printf("%.*s-%u%s", (int)(extension - name), name, number,
                           extension);
}
