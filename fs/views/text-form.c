/* Texts and headers as UTF-8. */
#include "fs/views/text-form.h"

#include "fs/names/header-field.h"

#include <errno.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
/* Values are decoded in pieces of so many octets. */
#define PIECE_MAX 2000u

/* ---- texts ---- */

/* Converts what can be, piece by piece, and passes over the rest, @unit octets
 * at a time. */
static GString *
convert(GIConv converter, const char *octets, gsize length, gsize unit)
{
    GString *text = g_string_sized_new(length + length / 8 + 16);
    char *from = (char *)octets;
    gsize left = length;
    char buffer[4096];

    while (TRUE) {
        char *to = buffer;
        gsize room = sizeof buffer;
        gsize result = g_iconv(converter, left > 0 ? &from : NULL,
                               left > 0 ? &left : NULL, &to, &room);
        int error = errno;

        g_string_append_len(text, buffer, to - buffer);
        if (result != (gsize)-1) {
            if (left == 0 && to == buffer)
                return text;
            if (left == 0)
                continue; /* once more, for what it still holds */
        } else if (error != E2BIG) {
            g_string_append(text, REPLACEMENT);
            if (error == EINVAL || left == 0)
                return text;
            from += MIN(unit, left);
            left -= MIN(unit, left);
        }
    }
}

/* No header can be in these, but a body that says so. */
static const char *
wide_charset(const char *name)
{
    static const char *const names[] = {"UTF-16", "UTF-16LE", "UTF-16BE",
                                        "UTF-32", "UTF-32LE", "UTF-32BE"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(name, names[i]) == 0)
            return names[i];
    return fs_header_field_charset(name);
}

/* Octets in which a character set counts: what is skipped to go on with the
 * next character. */
static gsize
unit_of(const char *charset)
{
    return g_str_has_prefix(charset, "UTF-16")   ? 2
           : g_str_has_prefix(charset, "UTF-32") ? 4
                                                 : 1;
}

/* In these, octets below 0x80 are ASCII, wherever they stand. */
static gboolean
contains_ascii(const char *charset)
{
    static const char *const prefixes[] = {"UTF-8", "windows-", "iso-8859-",
                                           "KOI8-", "CP8"};

    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(charset, prefixes[i]))
            return TRUE;
    return FALSE;
}

static gboolean
is_ascii(const char *octets, gsize length)
{
    guchar all = 0;

    for (gsize i = 0; i < length; i++)
        all |= (guchar)octets[i];
    return all < 0x80;
}

GString *
fs_text_to_utf8(const char *octets, gsize length, const char *charset)
{
    const char *known = wide_charset(charset);
    GIConv converter;
    GString *text;

    if (length == 0)
        return g_string_new(NULL);
    if (known == NULL)
        return fs_header_field_guess(octets, length);
    if ((contains_ascii(known) && is_ascii(octets, length)) ||
        (g_str_equal(known, "UTF-8") &&
         g_utf8_validate_len(octets, length, NULL)))
        return g_string_new_len(octets, (gssize)length);
    converter = g_iconv_open("UTF-8", known);
    if (converter == (GIConv)-1)
        return fs_header_field_guess(octets, length);
    text = convert(converter, octets, length, unit_of(known));
    g_iconv_close(converter);
    return text;
}

void
fs_text_append_lines(GString *text, const char *octets, gsize length)
{
    const char *end = length > 0 ? octets + length : octets; /* or NULL */

    while (octets < end) {
        const char *cr = memchr(octets, '\r', (gsize)(end - octets));
        const char *stop = cr != NULL ? cr : end;

        g_string_append_len(text, octets, stop - octets);
        octets = stop;
        if (cr == NULL)
            continue;
        if (cr + 1 >= end || cr[1] != '\n')
            g_string_append_c(text, '\r');
        octets++;
    }
}

/* ---- headers ---- */

/* Where the field that begins at @line ends: behind its last line. */
static const char *
end_of_field(const char *line, const char *end)
{
    while (line < end) {
        const char *newline = memchr(line, '\n', (gsize)(end - line));

        if (newline == NULL)
            return end;
        line = newline + 1;
        if (line == end || (*line != ' ' && *line != '\t'))
            return line;
    }
    return end;
}

static gboolean
is_empty_line(const char *line, const char *end)
{
    return *line == '\n' ||
           (*line == '\r' && line + 1 < end && line[1] == '\n');
}

/* One line of it, without control characters. */
static GString *
unfold(const char *from, const char *to)
{
    GString *text = g_string_sized_new((gsize)(to - from));

    for (; from < to; from++) {
        if (*from == '\n' || *from == '\r')
            continue;
        g_string_append_c(text, g_ascii_iscntrl(*from) ? ' ' : *from);
    }
    return text;
}

/* What was encoded may hold anything, and must not look like a line of its own.
 */
static void
append_line(GString *text, const char *decoded)
{
    for (const char *at = decoded; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (g_unichar_iscntrl(character) || character == 0x2028 ||
            character == 0x2029)
            g_string_append_c(text, ' ');
        else
            g_string_append_len(text, at, g_utf8_next_char(at) - at);
    }
}

/* Of @length octets, those that are decoded together: up to a space, or else to
 * the beginning of what may be a character of UTF-8. */
static gsize
length_of_piece(const char *value, gsize length)
{
    gsize cut = PIECE_MAX;

    if (length <= PIECE_MAX)
        return length;
    while (cut > PIECE_MAX / 2 && value[cut] != ' ')
        cut--;
    if (value[cut] == ' ')
        return cut;
    for (cut = PIECE_MAX; cut > PIECE_MAX - 3; cut--)
        if (((guchar)value[cut] & 0xc0) != 0x80)
            break;
    return cut;
}

/* Very long values are decoded in pieces: it takes more than twice as long for
 * one that is twice as long. */
static void
append_decoded(GString *text, const GString *field)
{
    const char *value = field->str;
    const char *end = field->str + field->len;

    /* Most are nothing but what they say. */
    if (g_str_is_ascii(value) && strstr(value, "=?") == NULL) {
        g_string_append(text, value);
        return;
    }
    while (value < end) {
        gsize cut = length_of_piece(value, (gsize)(end - value));
        g_autofree char *piece = g_strndup(value, cut);
        g_autofree char *tidy = fs_header_field_tidy(piece);
        g_autofree char *decoded = fs_header_field_decode(tidy);

        append_line(text, decoded);
        value += cut;
    }
}

GString *
fs_header_to_text(const char *header, gsize length)
{
    const char *end = length > 0 ? header + length : header; /* or NULL */
    GString *text = g_string_sized_new(length);
    const char *line = header;

    while (line < end && !is_empty_line(line, end)) {
        const char *next = end_of_field(line, end);
        g_autoptr(GString) field = unfold(line, next);

        append_decoded(text, field);
        g_string_append_c(text, '\n');
        line = next;
    }
    return text;
}
