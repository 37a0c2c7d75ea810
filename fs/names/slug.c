/* Slugs: see slug.h for what they look like.
 *
 * NFC has to hold for the result, but neither lower case nor leaving characters
 * out preserves it: "a", a joiner and an accent is NFC, without the joiner it
 * is not. So the text is normalised once to see canonical equivalents as one,
 * and again after it was folded. After that it is only cut, and a part of NFC
 * text is NFC. */
#include "fs/names/slug.h"

#define MARKS_MAX 4
#define CAPITAL_SIGMA 0x3a3
#define FINAL_SIGMA 0x3c2

/* Blank letters and marks, which their Unicode category does not tell. */
static const struct {
    gunichar first;
    gunichar last;
} blank[] = {
    {0x34f, 0x34f},     /* combining grapheme joiner */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian selectors and vowel separator */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfe00, 0xfe0f},   /* variation selectors */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0x16fe4, 0x16fe4}, /* Khitan filler */
    {0xe0100, 0xe01ef}, /* variation selectors */
};

gboolean
fs_slug_is_invisible(gunichar character)
{
    if (g_unichar_type(character) == G_UNICODE_FORMAT)
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(blank); i++)
        if (character >= blank[i].first && character <= blank[i].last)
            return TRUE;
    return FALSE;
}

static gboolean
leaves_no_trace(gunichar character)
{
    GUnicodeType type = g_unichar_type(character);

    return type == G_UNICODE_PRIVATE_USE || type == G_UNICODE_UNASSIGNED ||
           fs_slug_is_invisible(character);
}

static gboolean
is_mark(gunichar character)
{
    GUnicodeType type = g_unichar_type(character);

    return type == G_UNICODE_NON_SPACING_MARK || type == G_UNICODE_SPACING_MARK;
}

/* g_utf8_strdown would ask the locale: a Turkish one makes another name. But
 * Greek writes a sigma that ends a word differently everywhere. */
static gunichar
lower(gunichar character, gboolean in_word, const char *rest)
{
    if (character == CAPITAL_SIGMA && in_word) {
        gunichar next = g_utf8_get_char(rest);

        return g_unichar_isalpha(next) || is_mark(next)
                   ? g_unichar_tolower(character)
                   : FINAL_SIGMA;
    }
    return g_unichar_tolower(character);
}

static char *
fold(const char *text)
{
    GString *folded = g_string_new(NULL);
    gboolean in_word = FALSE;

    for (const char *at = text; *at != '\0';) {
        gunichar character = g_utf8_get_char(at);

        at = g_utf8_next_char(at);
        if (leaves_no_trace(character) || (is_mark(character) && !in_word))
            continue;
        if (g_unichar_isalnum(character) || is_mark(character)) {
            g_string_append_unichar(folded, lower(character, in_word, at));
            in_word = TRUE;
        } else if (in_word) {
            g_string_append_c(folded, '-');
            in_word = FALSE;
        }
    }
    return g_string_free(folded, FALSE);
}

/* The length of the character at @at with the marks that it may keep; @next is
 * behind all of its marks. */
static gsize
cluster_length(const char *at, const char **next)
{
    const char *end = g_utf8_next_char(at);
    const char *kept = end;

    for (guint marks = 0; is_mark(g_utf8_get_char(end)); marks++) {
        end = g_utf8_next_char(end);
        if (marks < MARKS_MAX)
            kept = end;
    }
    *next = end;
    return (gsize)(kept - at);
}

/* What follows makes the same of it, at twenty times the cost: most text is
 * ASCII. */
static char *
slug_ascii(const char *text, gsize max)
{
    GString *slug = g_string_sized_new(max);
    gboolean in_word = FALSE;

    for (; *text != '\0' && slug->len < max; text++) {
        if (g_ascii_isalnum(*text))
            g_string_append_c(slug, g_ascii_tolower(*text));
        else if (in_word)
            g_string_append_c(slug, '-');
        in_word = g_ascii_isalnum(*text);
    }
    if (slug->len > 0 && slug->str[slug->len - 1] == '-')
        g_string_truncate(slug, slug->len - 1);
    return g_string_free(slug, FALSE);
}

static char *
slug_unicode(const char *text, gsize max)
{
    g_autofree char *normal = g_utf8_normalize(text, -1, G_NORMALIZE_NFC);
    g_autofree char *folded = fold(normal != NULL ? normal : "");
    g_autofree char *letters = g_utf8_normalize(folded, -1, G_NORMALIZE_NFC);
    GString *slug = g_string_sized_new(max);
    const char *next;

    for (const char *at = letters; *at != '\0'; at = next) {
        gsize length = cluster_length(at, &next);

        if (slug->len + length > max)
            break;
        g_string_append_len(slug, at, (gssize)length);
    }
    if (slug->len > 0 && slug->str[slug->len - 1] == '-')
        g_string_truncate(slug, slug->len - 1);
    return g_string_free(slug, FALSE);
}

char *
fs_slug(const char *text, gsize max)
{
    return g_str_is_ascii(text) ? slug_ascii(text, max)
                                : slug_unicode(text, max);
}
