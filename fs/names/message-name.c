/* The names of messages. What makes text safe is in slug.c, what makes headers
 * legible in header-field.c; here is which text goes where.
 *
 * All of it is a function of its arguments alone: neither the locale, nor the
 * time zone, nor the order of calls may show in a name, which must be the same
 * on every machine and after every remount. */
#include "fs/names/message-name.h"

#include "fs/names/header-field.h"
#include "fs/names/slug.h"

#include <gmime/gmime.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(InternetAddressList, g_object_unref)

#define TIME_MIN G_GINT64_CONSTANT(-62135596800) /* year 1 begins */
#define TIME_MAX G_GINT64_CONSTANT(253402300799) /* year 9999 ends */
#define SUFFIX ".eml"
/* Years have four digits; the compiler does not know. */
#define DATE_SIZE 64
/* Fields that are remembered: how many, of how many octets. */
#define SENDERS_MAX 1000u
#define SENDER_MAX 128u

/* What mail programs put before the subject of an answer or a forwarded
 * message, in the languages that we know of; lower case and NFC. */
static const char *const reply_words[] = {
    "re",  "fw",         "fwd",  "aw",   "wg",   "antw", "antwort", "doorst",
    "sv",  "vs",         "vb",   "vl",   "tr",   "ré",   "réf",     "rv",
    "res", "enc",        "rif",  "odp",  "pd",   "ynt",  "ilt",     "atb",
    "bls", "továbbítás", "回复", "回覆", "答复", "转发", "轉寄",    "轉發",
};

static void
format_date(gint64 date, char text[DATE_SIZE])
{
    g_autoptr(GDateTime) time = NULL;

    if (date >= TIME_MIN && date <= TIME_MAX)
        time = g_date_time_new_from_unix_utc(date);
    if (time == NULL)
        g_strlcpy(text, "0000-00-00_0000", DATE_SIZE);
    else
        g_snprintf(text, DATE_SIZE, "%04d-%02d-%02d_%02d%02d",
                   g_date_time_get_year(time), g_date_time_get_month(time),
                   g_date_time_get_day_of_month(time),
                   g_date_time_get_hour(time), g_date_time_get_minute(time));
}

static const char *
skip_blank(const char *text)
{
    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        gunichar character = g_utf8_get_char(text);

        if (!g_unichar_isspace(character) && !fs_slug_is_invisible(character))
            break;
    }
    return text;
}

/* What follows @word in @text, whatever its case; NULL if it is not there. */
static const char *
match_word(const char *text, const char *word)
{
    for (; *word != '\0'; word = g_utf8_next_char(word)) {
        if (g_unichar_tolower(g_utf8_get_char(text)) != g_utf8_get_char(word))
            return NULL;
        text = g_utf8_next_char(text);
    }
    return text;
}

/* What follows "[2]" or "(2)", or @text if it does not begin so. */
static const char *
skip_counter(const char *text)
{
    const char *digits = text + 1;
    gsize count;

    if (*text != '[' && *text != '(')
        return text;
    count = strspn(digits, "0123456789");
    if (count == 0 || digits[count] != (*text == '[' ? ']' : ')'))
        return text;
    return digits + count + 1;
}

/* What follows "Re:" and the like; NULL if @text does not begin so. */
static const char *
skip_reply_word(const char *text)
{
    if (strchr(text, ':') == NULL && strstr(text, "：") == NULL)
        return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(reply_words); i++) {
        const char *rest = match_word(text, reply_words[i]);

        if (rest == NULL)
            continue;
        rest = skip_blank(skip_counter(skip_blank(rest)));
        if (*rest == ':')
            return rest + 1;
        if (g_str_has_prefix(rest, "："))
            return rest + strlen("：");
    }
    return NULL;
}

static char *
subject_part(const char *header, gsize length)
{
    g_autofree char *value = fs_header_field(header, length, "Subject");
    g_autofree char *decoded = NULL;
    g_autofree char *text = NULL;
    const char *subject = "";

    if (value == NULL)
        return g_strdup("");
    decoded = fs_header_field_decode(value);
    text = g_str_is_ascii(decoded)
               ? g_steal_pointer(&decoded)
               : g_utf8_normalize(decoded, -1, G_NORMALIZE_NFC);
    if (text != NULL)
        for (const char *rest = text; rest != NULL;
             rest = skip_reply_word(subject))
            subject = skip_blank(rest);
    return fs_slug(subject, FS_MESSAGE_SUBJECT_MAX);
}

static char *
decoded_slug(const char *text)
{
    g_autofree char *decoded = NULL;

    if (text == NULL)
        return g_strdup("");
    decoded = fs_header_field_decode(text);
    return fs_slug(decoded, FS_MESSAGE_SENDER_MAX);
}

/* The display name, else the local part, of the first address in @value; also
 * the name of a group. NULL if it is not to be understood as addresses. */
static char *
sender_from_addresses(const char *value)
{
    g_autoptr(InternetAddressList) list = NULL;
    g_autofree char *slug = NULL;
    g_autofree char *local = NULL;
    InternetAddress *first;
    const char *address, *at;

    fs_header_field_init();
    list = internet_address_list_parse(NULL, value);
    if (list == NULL || internet_address_list_length(list) < 1)
        return NULL;
    first = internet_address_list_get_address(list, 0);
    slug = decoded_slug(internet_address_get_name(first));
    if (*slug != '\0' || !INTERNET_ADDRESS_IS_MAILBOX(first))
        return g_steal_pointer(&slug);

    address =
        internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first));
    if (address == NULL)
        return NULL;
    at = strrchr(address, '@');
    local = at != NULL ? g_strndup(address, (gsize)(at - address))
                       : g_strdup(address);
    return decoded_slug(local);
}

/* The same by guess: what stands before "<", else between it and "@". */
static char *
sender_from_text(const char *value)
{
    gsize name_length = strcspn(value, "<");
    const char *address = value[name_length] == '<' ? value + name_length : "";
    g_autofree char *name = NULL;
    g_autofree char *local = NULL;
    g_autofree char *slug = NULL;

    if (*address == '\0')
        name_length = strcspn(value, "@");
    name = g_strndup(value, name_length);
    slug = decoded_slug(name);
    if (*slug != '\0')
        return g_steal_pointer(&slug);
    local = g_strndup(address, strcspn(address, "@>"));
    return decoded_slug(local);
}

static char *
sender_of(const char *value)
{
    g_autofree char *slug = sender_from_addresses(value);

    if (slug != NULL && *slug != '\0')
        return g_steal_pointer(&slug);
    return sender_from_text(value);
}

/* The same few senders write most of what is in a mailbox, and parsing an
 * address is half of what a name costs: what became of a field is remembered,
 * until there are very many. */
static char *
sender_part(const char *header, gsize length)
{
    static GHashTable *known = NULL; /* of a field's value: the slug */
    g_autofree char *value = fs_header_field(header, length, "From");
    char *slug;

    if (value == NULL)
        return g_strdup("");
    if (known == NULL)
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    slug = g_hash_table_lookup(known, value);
    if (slug != NULL)
        return g_strdup(slug);
    slug = sender_of(value);
    if (g_hash_table_size(known) >= SENDERS_MAX)
        g_hash_table_remove_all(known);
    if (strlen(value) <= SENDER_MAX)
        g_hash_table_insert(known, g_steal_pointer(&value), g_strdup(slug));
    return slug;
}

char *
fs_message_stem(const char *header, gsize length)
{
    g_autofree char *sender = sender_part(header, length);
    g_autofree char *subject = subject_part(header, length);

    return g_strconcat(sender, *sender != '\0' && *subject != '\0' ? "_" : "",
                       subject, NULL);
}

gboolean
fs_message_sent_date(const char *header, gsize length, gint64 *date)
{
    g_autofree char *value = fs_header_field(header, length, "Date");
    g_autoptr(GDateTime) time = NULL;

    if (value == NULL)
        return FALSE;
    fs_header_field_init();
    time = g_mime_utils_header_decode_date(value);
    if (time == NULL)
        return FALSE;
    *date = g_date_time_to_unix(time);
    return TRUE;
}

char *
fs_message_name(const char *stem, gint64 date, guint32 uid)
{
    char time[DATE_SIZE];

    if (stem == NULL)
        return g_strdup_printf("%" G_GUINT32_FORMAT SUFFIX, uid);
    format_date(date, time);
    return g_strdup_printf("%s%s%s.%" G_GUINT32_FORMAT SUFFIX, time,
                           *stem != '\0' ? "_" : "", stem, uid);
}

static gboolean
parse_uid(const char *text, gsize length, guint32 *uid)
{
    guint64 number = 0;

    if (length == 0 || length > 10 || *text == '0')
        return FALSE;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
        number = number * 10 + (guint64)(text[i] - '0');
    }
    if (number > G_MAXUINT32)
        return FALSE;
    *uid = (guint32)number;
    return TRUE;
}

gboolean
fs_message_name_parse(const char *name, char **stem, guint32 *uid)
{
    gsize length = strlen(name);
    const char *dot;

    *stem = NULL;
    if (!g_str_has_suffix(name, SUFFIX))
        return FALSE;
    length -= strlen(SUFFIX);
    dot = g_strrstr_len(name, (gssize)length, ".");
    if (dot == NULL)
        return parse_uid(name, length, uid);
    if (dot == name ||
        !parse_uid(dot + 1, (gsize)(name + length - dot - 1), uid))
        return FALSE;
    *stem = g_strndup(name, (gsize)(dot - name));
    return TRUE;
}
