/* Texts and headers as UTF-8. */
#include "fs/views/text-form.h"

#include "fs/names/header-field.h"

#include <errno.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
/* Values are decoded in pieces of so many octets. */
#define PIECE_MAX 2000u

/* ---- texts ---- */

/* Converts what can be, piece by piece, and passes over the rest. */
static GString *
convert(GIConv converter, const char *octets, gsize length)
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
            from++;
            left--;
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
    text = convert(converter, octets, length);
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

/* Very long values are decoded in pieces: it takes more than twice as long for
 * one that is twice as long. They are cut where there is a space. */
static void
append_decoded(GString *text, const char *value)
{
    /* Most are nothing but what they say. */
    if (g_str_is_ascii(value) && strstr(value, "=?") == NULL) {
        g_string_append(text, value);
        return;
    }
    while (*value != '\0') {
        gsize length = strlen(value);
        g_autofree char *piece = NULL;
        g_autofree char *tidy = NULL;
        g_autofree char *decoded = NULL;
        gsize cut = MIN(length, PIECE_MAX);

        while (length > PIECE_MAX && cut > PIECE_MAX / 2 && value[cut] != ' ')
            cut--;
        piece = g_strndup(value, cut);
        tidy = fs_header_field_tidy(piece);
        decoded = fs_header_field_decode(tidy);
        g_string_append(text, decoded);
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

        append_decoded(text, field->str);
        g_string_append_c(text, '\n');
        line = next;
    }
    return text;
}
