/* The first words of a response: what kind it is, and how the parser goes on.
 *
 * Only here are tags, "*" and "+" told apart. What is none of them is no IMAP,
 * such as the plain sentence that a proxy sends when it has no server. */
#include "imap/response-private.h"

#include <string.h>

/* The word from *@at, up to a space or @end. *@at moves behind both. */
static char *
next_word(char **at, const char *end, gsize *length)
{
    char *word = *at;

    while (*at < end && **at != ' ')
        (*at)++;
    *length = (gsize)(*at - word);
    while (*at < end && **at == ' ')
        (*at)++;
    return word;
}

static gboolean
is_tag(const char *word, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isgraph(word[i]) || strchr("(){%*\"\\+", word[i]) != NULL)
            return FALSE;
    }
    return length > 0;
}

static gboolean
read_continuation(ImapReading *reading, char *text, char *end, GError **error)
{
    while (text < end && *text == ' ')
        text++;
    if (memchr(text, '\0', (gsize)(end - text)) != NULL)
        return imap_reading_fail(error, "a NUL in a continuation");
    *end = '\0';
    reading->response.type = IMAP_RESPONSE_CONTINUATION;
    reading->response.text = text;
    return TRUE;
}

/* "tag OK …". */
static gboolean
read_tagged(ImapReading *reading, char *at, char *end, GError **error)
{
    gsize tag_length;
    gsize word_length;
    char *tag = next_word(&at, end, &tag_length);
    const char *word = next_word(&at, end, &word_length);
    ImapCondition condition;

    if (!is_tag(tag, tag_length) ||
        !imap_condition_parse(word, word_length, &condition) ||
        condition == IMAP_CONDITION_BYE || condition == IMAP_CONDITION_PREAUTH)
        return imap_reading_fail(error, "this is not IMAP");
    tag[tag_length] = '\0';
    return imap_status_read(reading, tag, condition, at, (gsize)(end - at),
                            error);
}

/* "name …" of an untagged response, numbered or not. */
static gboolean
read_name(ImapReading *reading, const char *name, gsize length,
          gboolean numbered, guint64 number, ImapHead *head, GError **error)
{
    const char *list = memchr(name, '(', length);

    if (list != NULL)
        length = (gsize)(list - name);
    if (length == 0)
        return imap_reading_fail(error, "a response without a name");
    head->is_data = TRUE;
    head->kind = imap_response_kind(name, length);
    head->end += length;
    if (head->kind != NULL &&
        (head->kind->numbered != numbered || number > G_MAXUINT32))
        return imap_reading_fail(error,
                                 "a number missing, out of place or too high");
    reading->number = (guint32)number;
    imap_reading_reset(reading, head->kind);
    return TRUE;
}

/* "* …": a status, or data. */
static gboolean
read_untagged(ImapReading *reading, char *text, char *at, char *end,
              ImapHead *head, GError **error)
{
    gsize length;
    char *word = next_word(&at, end, &length);
    ImapCondition condition;
    guint64 number = 0;
    gsize digits = 0;

    if (imap_condition_parse(word, length, &condition))
        return imap_status_read(reading, NULL, condition, at, (gsize)(end - at),
                                error);

    while (digits < length && g_ascii_isdigit(word[digits])) {
        if (number <= G_MAXUINT32)
            number = number * 10 + (guint64)(word[digits] - '0');
        digits++;
    }
    if (digits == 0 || digits < length) {
        head->end = (gsize)(word - text);
        return read_name(reading, word, length, FALSE, 0, head, error);
    }
    word = next_word(&at, end, &length);
    head->end = (gsize)(word - text);
    return read_name(reading, word, length, TRUE, number, head, error);
}

gboolean
imap_head_read(ImapReading *reading, char *text, gsize length, ImapHead *head,
               GError **error)
{
    char *at = text;
    char *end = text + length;

    *head = (ImapHead){0};
    if (*at == '+')
        return read_continuation(reading, at + 1, end, error);
    if (*at != '*')
        return read_tagged(reading, at, end, error);
    at++;
    if (at < end && *at != ' ')
        return imap_reading_fail(error, "this is not IMAP");
    while (at < end && *at == ' ')
        at++;
    return read_untagged(reading, text, at, end, head, error);
}
