/* Finds a header field and makes it fit for GMime, which does the decoding of
 * character sets and the parsing of addresses.
 *
 * GMime gets no encoded-word as it came, for three reasons. It does not join a
 * character that was split between two base64 words, which is common. It hands
 * whatever is named as character set to iconv and remembers the name for ever:
 * names would depend on the locale ("x-unknown"), memory would grow at a
 * sender's will, and rarely used converters of the C library would see hostile
 * input. And a comma or "<" inside a word breaks an address. So each run of
 * words becomes one base64 word in a character set of the table below. */
#include "fs/names/header-field.h"

#include <gmime/gmime.h>
#include <string.h>

#define VALUE_MAX 4096  /* octets read of a field */
#define CHARSET_MAX 32  /* letters and digits of a character set's name */
#define GUESS "unknown" /* UTF-8 if it is valid, otherwise windows-1252 */

/* Names without punctuation, and what iconv shall read them as: where mail
 * commonly names a set and uses its superset, the superset. */
static const struct {
    const char *name;
    const char *charset;
} charsets[] = {
    {"utf8", "UTF-8"},
    {"unicode11utf8", "UTF-8"},
    {"utf7", "UTF-7"},
    {"unicode11utf7", "UTF-7"},
    {"iso88591", "windows-1252"},
    {"latin1", "windows-1252"},
    {"iso88592", "iso-8859-2"},
    {"latin2", "iso-8859-2"},
    {"iso88593", "iso-8859-3"},
    {"iso88594", "iso-8859-4"},
    {"iso88595", "iso-8859-5"},
    {"iso88596", "iso-8859-6"},
    {"iso88597", "iso-8859-7"},
    {"iso88598", "iso-8859-8"},
    {"iso88598i", "iso-8859-8"},
    {"iso88598e", "iso-8859-8"},
    {"iso88599", "windows-1254"},
    {"iso885910", "iso-8859-10"},
    {"iso885911", "CP874"},
    {"iso885913", "iso-8859-13"},
    {"iso885914", "iso-8859-14"},
    {"iso885915", "iso-8859-15"},
    {"latin9", "iso-8859-15"},
    {"iso885916", "iso-8859-16"},
    {"windows1250", "windows-1250"},
    {"cp1250", "windows-1250"},
    {"windows1251", "windows-1251"},
    {"cp1251", "windows-1251"},
    {"windows1252", "windows-1252"},
    {"cp1252", "windows-1252"},
    {"windows1253", "windows-1253"},
    {"cp1253", "windows-1253"},
    {"windows1254", "windows-1254"},
    {"cp1254", "windows-1254"},
    {"windows1255", "windows-1255"},
    {"cp1255", "windows-1255"},
    {"windows1256", "windows-1256"},
    {"cp1256", "windows-1256"},
    {"windows1257", "windows-1257"},
    {"cp1257", "windows-1257"},
    {"windows1258", "windows-1258"},
    {"cp1258", "windows-1258"},
    {"windows874", "CP874"},
    {"tis620", "CP874"},
    {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"cp866", "CP866"},
    {"ibm866", "CP866"},
    {"cp437", "CP437"},
    {"ibm437", "CP437"},
    {"cp850", "CP850"},
    {"ibm850", "CP850"},
    {"macintosh", "MACINTOSH"},
    {"iso2022jp", "ISO-2022-JP"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"xsjis", "CP932"},
    {"mskanji", "CP932"},
    {"cp932", "CP932"},
    {"windows31j", "CP932"},
    {"eucjp", "EUC-JP"},
    {"xeucjp", "EUC-JP"},
    {"iso2022kr", "ISO-2022-KR"},
    {"euckr", "CP949"},
    {"ksc56011987", "CP949"},
    {"ksc5601", "CP949"},
    {"cp949", "CP949"},
    {"gb2312", "GBK"},
    {"xgbk", "GBK"},
    {"gbk", "GBK"},
    {"cp936", "GBK"},
    {"euccn", "GBK"},
    {"gb18030", "GB18030"},
    {"big5", "CP950"},
    {"cp950", "CP950"},
    {"big5hkscs", "BIG5-HKSCS"},
};

/* glibc loads a character set's module to open a conversion, and unloads it
 * after the last one is closed: with one kept open for each set in use, reading
 * a thousand headers loads it once. */
static void
keep_loaded(gsize index)
{
    static gpointer kept[G_N_ELEMENTS(charsets)];
    GIConv opened;

    if (g_atomic_pointer_get(&kept[index]) != NULL)
        return;
    opened = g_iconv_open("UTF-8", charsets[index].charset);
    if (opened != (GIConv)-1 &&
        !g_atomic_pointer_compare_and_exchange(&kept[index], NULL, opened))
        g_iconv_close(opened);
}

static const char *
find_charset(const char *name, gsize length)
{
    char plain[CHARSET_MAX + 1];
    gsize used = 0;

    /* A language may follow the name (RFC 2231 section 5). */
    for (gsize i = 0; i < length && name[i] != '*'; i++) {
        if (!g_ascii_isalnum(name[i]))
            continue;
        if (used == CHARSET_MAX)
            return GUESS;
        plain[used++] = g_ascii_tolower(name[i]);
    }
    plain[used] = '\0';
    for (gsize i = 0; i < G_N_ELEMENTS(charsets); i++)
        if (strcmp(plain, charsets[i].name) == 0) {
            keep_loaded(i);
            return charsets[i].charset;
        }
    return GUESS;
}

static gunichar
from_windows_1252(guchar octet)
{
    static const gunichar high[32] = {
        0x20ac, 0xfffd, 0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
        0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0xfffd, 0x17d,  0xfffd,
        0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
        0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0xfffd, 0x17e,  0x178,
    };

    return octet >= 0x80 && octet < 0xa0 ? high[octet - 0x80] : octet;
}

/* The UTF-8 of octets in no character set that is known. */
static GString *
guess_utf8(const char *octets, gsize length)
{
    GString *text;

    if (g_utf8_validate_len(octets, length, NULL))
        return g_string_new_len(octets, (gssize)length);
    text = g_string_sized_new(length * 2);
    for (gsize i = 0; i < length; i++)
        g_string_append_unichar(text, from_windows_1252((guchar)octets[i]));
    return text;
}

typedef struct {
    const char *charset;
    char encoding; /* 'B' or 'Q' */
    const char *payload;
    gsize length;
    const char *end; /* behind the word */
} EncodedWord;

/* Takes what GMime would take, and a word that lost its end. */
static gboolean
parse_encoded_word(const char *text, EncodedWord *word)
{
    const char *mark, *end;

    if (!g_str_has_prefix(text, "=?") || text[2] == '?')
        return FALSE;
    mark = strchr(text + 2, '?');
    if (mark == NULL || mark[1] == '\0' || strchr("BbQq", mark[1]) == NULL ||
        mark[2] != '?')
        return FALSE;
    word->charset = find_charset(text + 2, (gsize)(mark - text - 2));
    word->encoding = g_ascii_toupper(mark[1]);
    word->payload = mark + 3;
    end = strstr(word->payload, "?=");
    if (end != NULL) {
        word->end = end + 2;
    } else {
        end = word->payload + strcspn(word->payload, " ");
        word->end = end;
    }
    word->length = (gsize)(end - word->payload);
    return TRUE;
}

/* RFC 2047 section 4.2. */
static void
append_quoted(GString *octets, const EncodedWord *word)
{
    const char *at = word->payload;
    const char *end = at + word->length;

    for (; at < end; at++) {
        if (*at == '=' && end - at > 2 && g_ascii_isxdigit(at[1]) &&
            g_ascii_isxdigit(at[2])) {
            g_string_append_c(octets, (char)(g_ascii_xdigit_value(at[1]) << 4 |
                                             g_ascii_xdigit_value(at[2])));
            at += 2;
        } else {
            g_string_append_c(octets, *at == '_' ? ' ' : *at);
        }
    }
}

static void
append_base64(GString *octets, const EncodedWord *word)
{
    g_autofree guchar *decoded = g_malloc(word->length / 4 * 3 + 3);
    gsize length;
    gint state = 0;
    guint save = 0;

    length = g_base64_decode_step(word->payload, word->length, decoded, &state,
                                  &save);
    /* What is cut short still holds whole octets. */
    if (state > 1)
        length += g_base64_decode_step("==", (gsize)(4 - state),
                                       decoded + length, &state, &save);
    g_string_append_len(octets, (const char *)decoded, (gssize)length);
}

/* A NUL would end the text for GMime. TRUE: there was one. */
static gboolean
blank_nuls(char *text, gsize length)
{
    gboolean any = FALSE;

    for (gsize i = 0; i < length; i++) {
        any |= text[i] == '\0';
        if (text[i] == '\0')
            text[i] = ' ';
    }
    return any;
}

/* What is a NUL only in the end, as "+AAA-" is in UTF-7, would end it as well:
 * then the text is converted here. */
static const char *
blank_converted_nuls(const char *charset, GString *octets)
{
    g_autofree char *text = NULL;
    gsize length = 0;

    if (strcmp(charset, "UTF-7") != 0)
        return charset;
    text = g_convert(octets->str, (gssize)octets->len, "UTF-8", charset, NULL,
                     &length, NULL);
    if (text == NULL || !blank_nuls(text, length))
        return charset;
    g_string_truncate(octets, 0);
    g_string_append_len(octets, text, (gssize)length);
    return "UTF-8";
}

static void
append_tidy_word(GString *tidy, const char *charset, GString *octets)
{
    g_autofree char *base64 = NULL;

    blank_nuls(octets->str, octets->len);
    charset = blank_converted_nuls(charset, octets);
    if (strcmp(charset, GUESS) == 0) {
        GString *text = guess_utf8(octets->str, octets->len);

        base64 = g_base64_encode((const guchar *)text->str, text->len);
        charset = "UTF-8";
        g_string_free(text, TRUE);
    } else {
        base64 = g_base64_encode((const guchar *)octets->str, octets->len);
    }
    g_string_append_printf(tidy, "=?%s?B?%s?=", charset, base64);
}

/* Appends the run of encoded-words that begins with @word, and returns what
 * follows it in the text. */
static const char *
append_run(GString *tidy, EncodedWord word)
{
    GString *octets = g_string_new(NULL);
    EncodedWord next = word;
    const char *end;

    do {
        word = next;
        if (word.encoding == 'B')
            append_base64(octets, &word);
        else
            append_quoted(octets, &word);
        end = word.end + strspn(word.end, " ");
    } while (parse_encoded_word(end, &next) &&
             strcmp(next.charset, word.charset) == 0);

    append_tidy_word(tidy, word.charset, octets);
    g_string_free(octets, TRUE);
    return word.end;
}

static char *
tidy_encoded_words(const char *text)
{
    GString *tidy = g_string_new(NULL);
    EncodedWord word;

    while (*text != '\0') {
        if (parse_encoded_word(text, &word))
            text = append_run(tidy, word);
        else
            g_string_append_c(tidy, *text++);
    }
    return g_string_free(tidy, FALSE);
}

/* The value of the field @name if that is what @line holds. */
static const char *
match_field(const char *line, const char *end, const char *name)
{
    gsize length = strlen(name);

    if ((gsize)(end - line) <= length ||
        g_ascii_strncasecmp(line, name, length) != 0)
        return NULL;
    for (line += length; line < end && (*line == ' ' || *line == '\t'); line++)
        ;
    return line < end && *line == ':' ? line + 1 : NULL;
}

/* Copies a value to the end of its last folded line. */
static char *
unfold(const char *value, const char *end)
{
    GString *text = g_string_new(NULL);

    for (; value < end && text->len < VALUE_MAX; value++) {
        if (*value == '\n' &&
            (end - value == 1 || (value[1] != ' ' && value[1] != '\t')))
            break;
        if (g_ascii_iscntrl(*value))
            g_string_append_c(text, ' ');
        else
            g_string_append_c(text, *value);
    }
    if (text->len == VALUE_MAX) {
        const char *valid;

        /* A character cut in two must not make the rest look like no UTF-8. */
        if (!g_utf8_validate_len(text->str, text->len, &valid) &&
            text->str + text->len - valid < 4)
            g_string_truncate(text, (gsize)(valid - text->str));
    }
    return g_string_free(text, FALSE);
}

char *
fs_header_field_tidy(const char *text)
{
    g_autofree char *tidy = NULL;

    if (strstr(text, "=?") == NULL && g_str_is_ascii(text))
        return g_strdup(text);
    tidy = tidy_encoded_words(text);
    return g_string_free(guess_utf8(tidy, strlen(tidy)), FALSE);
}

const char *
fs_header_field_charset(const char *name)
{
    const char *charset = find_charset(name, strlen(name));

    return strcmp(charset, GUESS) == 0 ? NULL : charset;
}

GString *
fs_header_field_guess(const char *octets, gsize length)
{
    return guess_utf8(octets, length);
}

char *
fs_header_field(const char *header, gsize length, const char *name)
{
    const char *end = length > 0 ? header + length : header; /* or NULL */
    const char *next;

    for (const char *line = header; line < end; line = next) {
        const char *newline = memchr(line, '\n', (gsize)(end - line));
        const char *line_end = newline != NULL ? newline : end;
        const char *value = match_field(line, line_end, name);

        next = newline != NULL ? newline + 1 : end;
        if (line == line_end || (line_end - line == 1 && *line == '\r'))
            return NULL; /* the body follows */
        if (value != NULL) {
            g_autofree char *text = unfold(value, end);

            return fs_header_field_tidy(text);
        }
    }
    return NULL;
}

void
fs_header_field_init(void)
{
    static gsize done = 0;

    /* GMime counts the calls, and would see the count overflow. */
    if (g_once_init_enter(&done)) {
        g_mime_init();
        g_once_init_leave(&done, 1);
    }
}

char *
fs_header_field_decode(const char *value)
{
    g_autofree char *text = NULL;

    if (strstr(value, "=?") == NULL && g_str_is_ascii(value))
        return g_strdup(value);
    fs_header_field_init();
    text = g_mime_utils_header_decode_text(NULL, value);
    return g_utf8_make_valid(text, -1);
}
