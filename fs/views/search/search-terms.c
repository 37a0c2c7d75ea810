/* One table of keys; the rest is what their values may be. */
#include "fs/views/search/search-terms.h"

#include "fs/kernel/errno.h"
#include "fs/options/option-values.h"

#include <stdio.h>
#include <string.h>

#define GMAIL "X-GM-EXT-1"
/* No number of a message's octets is greater in IMAP (RFC 9051: number64). */
#define SIZE_MAX_SOUGHT ((guint64)G_MAXINT64)
#define DAYS_MAX 100000u

typedef struct Key Key;
typedef ImapSearchProgram *(*TermFunc)(const Key *key, const char *value,
                                       const FsSearchContext *context,
                                       GError **error);
struct Key {
    const char *name;
    TermFunc make;
    const char *imap; /* protocol text */
    const char *more; /* the same, of a second key */
};

static ImapSearchProgram *
refuse(GError **error, const Key *key, const char *value, const char *wanted)
{
    g_autofree char *shown = fs_option_printable(value);

    g_set_error(error, FS_ERROR, FS_ERROR_QUERY, "\"%s:%s\": %s", key->name,
                shown, wanted);
    return NULL;
}

static ImapSearchProgram *
single(const char *key)
{
    ImapSearchProgram *program = imap_search_program_new();

    imap_search_program_add_key(program, key);
    return program;
}

static ImapSearchProgram *
with_string(const char *key, const char *value)
{
    ImapSearchProgram *program = imap_search_program_new();

    imap_search_program_add_string(program, key, value);
    return program;
}

ImapSearchProgram *
fs_search_term_header(const char *name, const char *value)
{
    g_autofree char *key = g_strconcat("HEADER ", name, NULL);

    return with_string(key, value);
}

/* ---- strings ---- */

static ImapSearchProgram *
make_string(const Key *key, const char *value, const FsSearchContext *context,
            GError **error)
{
    if (*value == '\0')
        return refuse(error, key, value, "what to look for is missing");
    return with_string(key->imap, value);
}

static ImapSearchProgram *
make_gmail(const Key *key, const char *value, const FsSearchContext *context,
           GError **error)
{
    ImapSearchProgram *program = make_string(key, value, context, error);

    if (program != NULL)
        imap_search_program_require(program, GMAIL);
    return program;
}

/* ---- flags ---- */

/* RFC 9051: flag-keyword, an atom. */
static gboolean
is_keyword(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!g_ascii_isgraph(*at) || strchr("(){}%*\"\\]", *at) != NULL)
            return FALSE;
    return *text != '\0';
}

static ImapSearchProgram *
make_keyword(const Key *key, const char *value, const FsSearchContext *context,
             GError **error)
{
    g_autofree char *imap = NULL;

    if (!is_keyword(value))
        return refuse(error, key, value,
                      "a tag has no spaces, and only ASCII characters");
    imap = g_strconcat("KEYWORD ", value, NULL);
    return single(imap);
}

/* Gmail's labels are no keywords. */
static ImapSearchProgram *
make_label(const Key *key, const char *value, const FsSearchContext *context,
           GError **error)
{
    return context->gmail ? make_gmail(key, value, context, error)
                          : make_keyword(key, value, context, error);
}

static ImapSearchProgram *
make_state(const Key *key, const char *value, const FsSearchContext *context,
           GError **error)
{
    static const struct {
        const char *name;
        const char *imap;
    } states[] = {
        {"unread", "UNSEEN"},
        {"unseen", "UNSEEN"},
        {"read", "SEEN"},
        {"seen", "SEEN"},
        {"flagged", "FLAGGED"},
        {"starred", "FLAGGED"},
        {"unflagged", "UNFLAGGED"},
        {"answered", "ANSWERED"},
        {"replied", "ANSWERED"},
        {"unanswered", "UNANSWERED"},
        {"draft", "DRAFT"},
        {"deleted", "DELETED"},
        {"undeleted", "UNDELETED"},
        {"junk", "KEYWORD $Junk"},
        {"forwarded", "KEYWORD $Forwarded"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        if (g_ascii_strcasecmp(states[i].name, value) == 0)
            return single(states[i].imap);
    return refuse(error, key, value,
                  "it is unread, read, flagged, unflagged, answered, "
                  "unanswered, forwarded, draft, deleted, undeleted or junk");
}

/* IMAP has no key for it: some servers keep a keyword, and else it is by what
 * the message says that it is. */
static ImapSearchProgram *
make_has(const Key *key, const char *value, const FsSearchContext *context,
         GError **error)
{
    if (g_ascii_strcasecmp(value, "attachment") != 0 &&
        g_ascii_strcasecmp(value, "attachments") != 0)
        return refuse(error, key, value, "it is has:attachment");
    if (context->gmail) {
        ImapSearchProgram *program = with_string("X-GM-RAW", "has:attachment");

        imap_search_program_require(program, GMAIL);
        return program;
    }
    return imap_search_program_or(
        single("KEYWORD $HasAttachment"),
        fs_search_term_header("Content-Type", "multipart/mixed"));
}

/* ---- numbers and dates ---- */

static ImapSearchProgram *
make_size(const Key *key, const char *value, const FsSearchContext *context,
          GError **error)
{
    g_autofree char *imap = NULL;
    guint64 size;

    if (!fs_option_parse_size(value, &size) || size > SIZE_MAX_SOUGHT)
        return refuse(error, key, value, "a size is 1000, 20K, 5M or 1G");
    imap = g_strdup_printf("%s %" G_GUINT64_FORMAT, key->imap, size);
    return single(imap);
}

/* "7d", "2w", "3m", "1y": so long ago. */
static gboolean
parse_ago(const char *text, const GDate *today, GDate *date)
{
    guint64 number;
    gsize length = strlen(text);
    g_autofree char *digits = g_strndup(text, MAX(length, 1) - 1);

    if (!fs_option_parse_number(digits, 0, DAYS_MAX, &number))
        return FALSE;
    *date = *today;
    switch (text[length - 1]) {
    case 'w':
        number *= 7;
        G_GNUC_FALLTHROUGH;
    case 'd':
        if (number >= g_date_get_julian(date))
            return FALSE;
        g_date_subtract_days(date, (guint)number);
        return TRUE;
    case 'y':
        number *= 12;
        G_GNUC_FALLTHROUGH;
    case 'm':
        if (number >= (guint64)g_date_get_year(date) * 12 - 12)
            return FALSE;
        g_date_subtract_months(date, (guint)number);
        return TRUE;
    default:
        return FALSE;
    }
}

/* "2024", "2024-03", "2024-03-31": the days from @date to before @end. */
static gboolean
parse_calendar(const char *text, GDate *date, GDate *end)
{
    g_auto(GStrv) parts = g_strsplit(text, "-", 4);
    guint n = g_strv_length(parts);
    guint64 numbers[3] = {1, 1, 1};

    if (n < 1 || n > 3 || strlen(parts[0]) != 4)
        return FALSE;
    for (guint i = 0; i < n; i++)
        if (!fs_option_parse_number(parts[i], 1, 9998, &numbers[i]))
            return FALSE;
    if (numbers[1] > 12 || numbers[2] > 31 ||
        !g_date_valid_dmy((GDateDay)numbers[2], (GDateMonth)numbers[1],
                          (GDateYear)numbers[0]))
        return FALSE;
    g_date_set_dmy(date, (GDateDay)numbers[2], (GDateMonth)numbers[1],
                   (GDateYear)numbers[0]);
    *end = *date;
    if (n == 1)
        g_date_add_years(end, 1);
    else if (n == 2)
        g_date_add_months(end, 1);
    else
        g_date_add_days(end, 1);
    return TRUE;
}

static gboolean
parse_date(const char *text, const GDate *today, GDate *date, GDate *end)
{
    if (parse_calendar(text, date, end))
        return TRUE;
    if (g_ascii_strcasecmp(text, "today") == 0)
        *date = *today;
    else if (g_ascii_strcasecmp(text, "yesterday") == 0)
        parse_ago("1d", today, date);
    else if (!parse_ago(text, today, date))
        return FALSE;
    *end = *date;
    g_date_add_days(end, 1);
    return TRUE;
}

/* "SINCE 1-Jan-2024" (RFC 9051: date-text). */
static ImapSearchProgram *
with_date(const char *key, const GDate *date)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
    g_autofree char *imap = g_strdup_printf(
        "%s %d-%s-%04d", key, g_date_get_day(date),
        months[g_date_get_month(date) - 1], g_date_get_year(date));

    return single(imap);
}

/* A key that begins a time, with one that ends it, or one of the two. */
static ImapSearchProgram *
make_date(const Key *key, const char *value, const FsSearchContext *context,
          GError **error)
{
    ImapSearchProgram *program;
    GDate date;
    GDate end;

    if (!parse_date(value, &context->today, &date, &end))
        return refuse(error, key, value,
                      "a date is 2024-03-31, 2024-03, 2024, today, yesterday, "
                      "or 7d, 2w, 3m, 1y ago");
    program = with_date(key->imap, &date);
    if (key->more != NULL)
        imap_search_program_add_all(program, with_date(key->more, &end));
    return program;
}

/* ---- all of them ---- */

static const Key keys[] = {
    {"from", make_string, "FROM", NULL},
    {"to", make_string, "TO", NULL},
    {"cc", make_string, "CC", NULL},
    {"bcc", make_string, "BCC", NULL},
    {"subject", make_string, "SUBJECT", NULL},
    {"body", make_string, "BODY", NULL},
    {"text", make_string, "TEXT", NULL},
    {"id", make_string, "HEADER Message-ID", NULL},
    {"list", make_string, "HEADER List-Id", NULL},
    {"since", make_date, "SINCE", NULL},
    {"after", make_date, "SINCE", NULL},
    {"before", make_date, "BEFORE", NULL},
    {"on", make_date, "SINCE", "BEFORE"},
    {"sentsince", make_date, "SENTSINCE", NULL},
    {"sentbefore", make_date, "SENTBEFORE", NULL},
    {"senton", make_date, "SENTSINCE", "SENTBEFORE"},
    {"larger", make_size, "LARGER", NULL},
    {"smaller", make_size, "SMALLER", NULL},
    {"is", make_state, NULL, NULL},
    {"has", make_has, NULL, NULL},
    {"tag", make_keyword, NULL, NULL},
    {"keyword", make_keyword, NULL, NULL},
    {"label", make_label, "X-GM-LABELS", NULL},
    {"gmail", make_gmail, "X-GM-RAW", NULL},
};
/* A word alone. */
static const Key no_key = {"", make_string, "TEXT", NULL};

ImapSearchProgram *
fs_search_term(const char *name, const char *value,
               const FsSearchContext *context, GError **error)
{
    const Key *key = name == NULL ? &no_key : NULL;
    g_autofree char *shown = NULL;

    for (guint i = 0; key == NULL && i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].name, name))
            key = &keys[i];
    if (key != NULL)
        return key->make(key, value, context, error);
    shown = fs_option_printable(name);
    g_set_error(error, FS_ERROR, FS_ERROR_QUERY,
                "there is no key %s: (what has a colon in it can be looked for "
                "in quotation marks)",
                shown);
    return NULL;
}
