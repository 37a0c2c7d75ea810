/* What a status response says, by its code and its condition. */
#include "imap/response.h"

#include "imap/error.h"

#include <string.h>

const char *
imap_status_code(const ImapStatus *status, const char *name)
{
    if (status->codes == NULL)
        return NULL;
    for (guint i = 0; i < status->codes->len; i++) {
        const ImapResponseCode *code =
            &g_array_index(status->codes, ImapResponseCode, i);

        if (strcmp(code->name, name) == 0)
            return code->arguments;
    }
    return NULL;
}

gboolean
imap_status_code_number(const ImapStatus *status, const char *name,
                        guint64 *number)
{
    const char *arguments = imap_status_code(status, name);
    g_autofree char *trimmed = NULL;

    if (arguments == NULL)
        return FALSE;
    trimmed = g_strchomp(g_strdup(arguments));
    return g_ascii_string_to_unsigned(trimmed, 10, 0, G_MAXUINT64, number,
                                      NULL);
}

/* RFC 5530 and RFC 9051 section 7.1; THROTTLED is Gmail's. */
static const struct {
    const char *name;
    ImapError error;
} refusals[] = {
    {"NONEXISTENT", IMAP_ERROR_NONEXISTENT},
    {"TRYCREATE", IMAP_ERROR_NONEXISTENT},
    {"ALREADYEXISTS", IMAP_ERROR_ALREADY_EXISTS},
    {"NOPERM", IMAP_ERROR_NO_PERMISSION},
    {"AUTHORIZATIONFAILED", IMAP_ERROR_NO_PERMISSION},
    {"PRIVACYREQUIRED", IMAP_ERROR_NO_PERMISSION},
    {"AUTHENTICATIONFAILED", IMAP_ERROR_AUTHENTICATION},
    {"EXPIRED", IMAP_ERROR_AUTHENTICATION},
    {"OVERQUOTA", IMAP_ERROR_OVER_QUOTA},
    {"TOOBIG", IMAP_ERROR_TOO_BIG},
    {"INUSE", IMAP_ERROR_IN_USE},
    {"LIMIT", IMAP_ERROR_LIMIT},
    {"THROTTLED", IMAP_ERROR_LIMIT},
    {"UNAVAILABLE", IMAP_ERROR_UNAVAILABLE},
    {"HASCHILDREN", IMAP_ERROR_HAS_CHILDREN},
    {"READ-ONLY", IMAP_ERROR_READ_ONLY},
    {"CANNOT", IMAP_ERROR_CANNOT},
    {"USEATTR", IMAP_ERROR_CANNOT},
    {"BADCHARSET", IMAP_ERROR_UNSUPPORTED},
};

/* Bounds of what we wait; and what, if a server does not say. */
#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS (15 * 60 * 1000u)
#define BACKOFF_UNTOLD_MS (60 * 1000u)

guint
imap_status_backoff_ms(const ImapStatus *status)
{
    static const char told[] = "Suggested Backoff Time:";
    const char *at;

    if (status->condition != IMAP_CONDITION_NO &&
        status->condition != IMAP_CONDITION_BAD)
        return 0;
    at = status->text != NULL ? strstr(status->text, told) : NULL;
    if (at != NULL)
        return (guint)CLAMP(g_ascii_strtoull(at + strlen(told), NULL, 10),
                            BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    return imap_status_code(status, "THROTTLED") != NULL ? BACKOFF_UNTOLD_MS
                                                         : 0;
}

/* What Cyrus and Courier have no code for. */
static const struct {
    const char *text; /* in lower case */
    ImapError error;
} refusal_texts[] = {
    {"over quota", IMAP_ERROR_OVER_QUOTA},
    {"quota exceeded", IMAP_ERROR_OVER_QUOTA},
    {"exceed your mailbox quota", IMAP_ERROR_OVER_QUOTA},
    {"permission denied", IMAP_ERROR_NO_PERMISSION},
    {"mailbox does not exist", IMAP_ERROR_NONEXISTENT},
    {"mailbox already exists", IMAP_ERROR_ALREADY_EXISTS},
};

static ImapError
refusal_by_text(const ImapStatus *status)
{
    g_autofree char *text =
        g_ascii_strdown(status->text != NULL ? status->text : "", -1);

    for (guint i = 0; i < G_N_ELEMENTS(refusal_texts); i++)
        if (strstr(text, refusal_texts[i].text) != NULL)
            return refusal_texts[i].error;
    return IMAP_ERROR_NO;
}

static ImapError
refusal_of(const ImapStatus *status)
{
    /* A BYE ends the connection, whatever its code says of the reason. */
    if (status->condition == IMAP_CONDITION_BYE)
        return IMAP_ERROR_CLOSED;
    for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
        if (imap_status_code(status, refusals[i].name) != NULL)
            return refusals[i].error;
    }
    if (imap_status_backoff_ms(status) > 0)
        return IMAP_ERROR_LIMIT;
    return status->condition == IMAP_CONDITION_BAD ? IMAP_ERROR_BAD
                                                   : refusal_by_text(status);
}

char *
imap_status_words(const ImapStatus *status)
{
    static const char seconds[] = " secs)";
    char *words = g_strdup(status->text != NULL ? status->text : "");
    gsize length = strlen(words);
    char *bracket;

    if (length > 1 && words[length - 1] == '.' && words[length - 2] != '.')
        words[--length] = '\0';
    bracket = strrchr(words, '(');
    if (g_str_has_suffix(words, seconds) && bracket != NULL &&
        strchr(bracket, '+') != NULL && bracket > words + 1 &&
        bracket[-1] == ' ' &&
        bracket + 1 + strspn(bracket + 1, "0123456789.+ ") ==
            words + length - strlen(seconds) + 1)
        bracket[-1] = '\0';
    return words;
}

GError *
imap_error_from_status(const ImapStatus *status)
{
    g_autofree char *words = imap_status_words(status);
    const char *text = words;

    if (status->condition == IMAP_CONDITION_OK ||
        status->condition == IMAP_CONDITION_PREAUTH)
        return NULL;
    if (*text == '\0') {
        text = "the server gives no reason";
        if (status->codes != NULL && status->codes->len > 0)
            text = g_array_index(status->codes, ImapResponseCode, 0).name;
    }
    return g_error_new_literal(IMAP_ERROR, (int)refusal_of(status), text);
}
