/* OK, NO, BAD, BYE, PREAUTH: response codes and the text for people.
 *
 * One line whatever it ends in, for its text is free: "{5}" in it announces
 * nothing. Codes are cut out where they stand; what only looks like one is
 * left in the text. */
#include "imap/response-private.h"
#include "imap/secret.h"

#include <string.h>

#define MAX_CODES 64u /* more are left in the text */
#define MAX_TEXT 500u /* octets */

/* These count also at the end of a text, where mailutils puts them. */
static const char *const known_codes[] = {
    "ALERT",       "ALREADYEXISTS",  "APPENDUID",   "BADCHARSET",
    "CANNOT",      "CAPABILITY",     "CLOSED",      "COPYUID",
    "HASCHILDREN", "HIGHESTMODSEQ",  "INUSE",       "LIMIT",
    "MODIFIED",    "NOMODSEQ",       "NONEXISTENT", "NOPERM",
    "OVERQUOTA",   "PERMANENTFLAGS", "READ-ONLY",   "READ-WRITE",
    "TOOBIG",      "TRYCREATE",      "UIDNEXT",     "UIDNOTSTICKY",
    "UIDVALIDITY", "UNAVAILABLE",    "UNSEEN",
};

static const char *const conditions[] = {
    [IMAP_CONDITION_OK] = "OK",           [IMAP_CONDITION_NO] = "NO",
    [IMAP_CONDITION_BAD] = "BAD",         [IMAP_CONDITION_BYE] = "BYE",
    [IMAP_CONDITION_PREAUTH] = "PREAUTH",
};

gboolean
imap_condition_parse(const char *word, gsize length, ImapCondition *condition)
{
    for (guint i = 0; i < G_N_ELEMENTS(conditions); i++) {
        if (strlen(conditions[i]) == length &&
            g_ascii_strncasecmp(conditions[i], word, length) == 0) {
            *condition = (ImapCondition)i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
is_name_octet(char octet)
{
    return g_ascii_isgraph(octet) && strchr("[]()\"", octet) == NULL;
}

static gsize
name_length(const char *text, gsize length)
{
    gsize at = 0;

    while (at < length && is_name_octet(text[at]))
        at++;
    return at < length && text[at] != ' ' && text[at] != ']' ? 0 : at;
}

static gboolean
is_known(const char *name, gsize length)
{
    for (guint i = 0; i < G_N_ELEMENTS(known_codes); i++) {
        if (strlen(known_codes[i]) == length &&
            g_ascii_strncasecmp(known_codes[i], name, length) == 0)
            return TRUE;
    }
    return FALSE;
}

/* The ']' that ends the code at @text, not counting those in lists and quoted
 * strings, as in [PERMANENTFLAGS (a] b)]; 0 if there is none. */
static gsize
find_balanced_end(const char *text, gsize length)
{
    guint depth = 0;
    gboolean quoted = FALSE;

    for (gsize at = 1; at < length; at++) {
        if (quoted && text[at] == '\\')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (text[at] == '(')
            depth++;
        else if (text[at] == ')' && depth > 0)
            depth--;
        else if (text[at] == ']' && depth == 0)
            return at;
    }
    return 0;
}

/* @plain is set once brackets turn out not to balance, lest a line of such
 * codes be searched to its end for each. */
static gsize
find_code_end(const char *text, gsize length, gboolean *plain)
{
    gsize end = *plain ? 0 : find_balanced_end(text, length);
    const char *bracket;

    if (end > 0)
        return end;
    *plain = TRUE;
    bracket = memchr(text, ']', length);
    return bracket == NULL ? 0 : (gsize)(bracket - text);
}

/* Takes the code from @open, a '[', to the ']' at @close. */
static gboolean
add_code(ImapReading *reading, char *open, char *close, GError **error)
{
    ImapResponseCode code = {open + 1, NULL};
    gsize length = name_length(code.name, (gsize)(close + 1 - code.name));

    if (memchr(open, '\0', (gsize)(close - open)) != NULL)
        return imap_reading_fail(error, "a NUL in a response code");
    for (gsize i = 0; i < length; i++)
        code.name[i] = g_ascii_toupper(code.name[i]);
    code.arguments = code.name + length;
    while (code.arguments < close && *code.arguments == ' ')
        code.arguments++;
    code.name[length] = '\0';
    *close = '\0';
    g_array_append_val(reading->status.codes, code);
    return TRUE;
}

static gboolean
read_leading_codes(ImapReading *reading, char **text, gsize *length,
                   GError **error)
{
    gboolean plain = FALSE;

    while (*length > 0) {
        gsize end;

        if (**text == ' ') {
            (*text)++;
            (*length)--;
            continue;
        }
        if (**text != '[' || reading->status.codes->len >= MAX_CODES)
            break;
        end = find_code_end(*text, *length, &plain);
        if (end == 0 || name_length(*text + 1, end) == 0)
            break;
        if (!add_code(reading, *text, *text + end, error))
            return FALSE;
        *text += end + 1;
        *length -= end + 1;
    }
    return TRUE;
}

static gboolean
read_trailing_codes(ImapReading *reading, char *text, gsize *length,
                    GError **error)
{
    while (*length > 0 && reading->status.codes->len < MAX_CODES) {
        char *close = text + *length - 1;
        char *open;
        gsize name;

        if (*close == ' ') {
            (*length)--;
            continue;
        }
        if (*close != ']')
            break;
        open = memrchr(text, '[', *length);
        if (open == NULL)
            break;
        name = name_length(open + 1, (gsize)(close - open));
        if (!is_known(open + 1, name))
            break;
        if (!add_code(reading, open, close, error))
            return FALSE;
        *length = (gsize)(open - text);
    }
    return TRUE;
}

static gboolean
is_printable(gunichar c)
{
    GUnicodeType type = g_unichar_type(c);

    return type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT &&
           type != G_UNICODE_LINE_SEPARATOR &&
           type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

/* Appends @text without anything that could disturb a terminal or a log. */
static void
append_clean(GString *out, const char *text, gsize length)
{
    const char *end = text + length;

    while (text < end && out->len < MAX_TEXT) {
        gunichar c = g_utf8_get_char_validated(text, end - text);

        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append(out, "\xef\xbf\xbd");
            text++;
            continue;
        }
        if (is_printable(c))
            g_string_append_unichar(out, c);
        else
            g_string_append_c(out, ' ');
        text += g_unichar_to_utf8(c, NULL);
    }
    g_strchomp(out->str);
    out->len = strlen(out->str);
}

gboolean
imap_status_read(ImapReading *reading, char *tag, ImapCondition condition,
                 char *text, gsize length, GError **error)
{
    ImapStatus *status = &reading->status;

    g_array_set_size(status->codes, 0);
    g_string_truncate(reading->text, 0);
    if (!read_leading_codes(reading, &text, &length, error) ||
        !read_trailing_codes(reading, text, &length, error))
        return FALSE;
    append_clean(reading->text, text, length);
    imap_secrets_hide(reading->text);

    status->tag = tag;
    status->condition = condition;
    status->text = reading->text->str;
    reading->response.type = IMAP_RESPONSE_STATUS;
    reading->response.status = status;
    return TRUE;
}
