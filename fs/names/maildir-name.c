/* The names of messages in a Maildir. */
#include "fs/names/maildir-name.h"

#include "fs/names/given-name.h"

#include <string.h>

#define INFO ":2,"
#define N_KEYWORDS 26u
#define SUFFIX ".imapfs"
#define SIZE ",S="

/* In the order of their letters. */
static const struct {
    char letter;
    const char *flag;
} letters_of_flags[] = {
    {'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
    {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"},
};

const char *
fs_maildir_flag(char letter)
{
    for (guint i = 0; i < G_N_ELEMENTS(letters_of_flags); i++)
        if (letters_of_flags[i].letter == letter)
            return letters_of_flags[i].flag;
    return NULL;
}

/* ---- names ---- */

char *
fs_maildir_name_info(const char *name)
{
    char *info = g_strrstr(name, INFO);

    if (info == NULL || info == name)
        return NULL;
    for (const char *at = info + strlen(INFO); *at != '\0'; at++)
        if (!g_ascii_isalpha(*at))
            return NULL;
    return info;
}

gboolean
fs_maildir_name_parse(const char *name, char **base, char **letters)
{
    const char *info = fs_maildir_name_info(name);
    gsize length = info != NULL ? (gsize)(info - name) : strlen(name);

    g_autofree char *rest = g_strndup(name, length);

    *base = *letters = NULL;
    if (fs_maildir_name_info(rest) != NULL || *name == '.' || *name == '\0' ||
        length > FS_MAILDIR_BASE_MAX || strchr(name, '/') != NULL ||
        !g_utf8_validate(name, -1, NULL))
        return FALSE;
    *base = g_steal_pointer(&rest);
    *letters = g_strdup(info != NULL ? info + strlen(INFO) : "");
    return TRUE;
}

/* ---- letters ---- */

/* The number of the letter of @keyword in the table @mailbox, from 1; 0: there
 * is none left. @wanted (0: none) is taken if it is free. */
static guint
find_keyword_in(CacheAliases *aliases, guint32 mailbox, const char *keyword,
                guint wanted)
{
    guint32 table = mailbox | FS_GIVEN_KEYWORDS;
    guint number = cache_aliases_uid(aliases, table, keyword);

    if (number != 0 || strlen(keyword) > CACHE_ALIAS_MAX)
        return number;
    if (wanted == 0 || cache_aliases_name(aliases, table, wanted) != NULL)
        for (wanted = 1; wanted <= N_KEYWORDS; wanted++)
            if (cache_aliases_name(aliases, table, wanted) == NULL)
                break;
    if (wanted > N_KEYWORDS)
        return 0;
    cache_aliases_set(aliases, table, wanted, keyword);
    return wanted;
}

/* A table for all, that of no mailbox, makes the letters of most mailboxes the
 * same: programs do not change them when they move a message. */
static guint
find_keyword(CacheAliases *aliases, guint32 mailbox, const char *keyword)
{
    return find_keyword_in(aliases, mailbox, keyword,
                           find_keyword_in(aliases, 0, keyword, 0));
}

char *
fs_maildir_letters(CacheAliases *aliases, guint32 mailbox, const char *flags)
{
    g_auto(GStrv) words = g_strsplit(flags != NULL ? flags : "", " ", -1);
    gboolean has[128] = {FALSE};
    GString *result = g_string_new(NULL);

    for (guint i = 0; words[i] != NULL; i++) {
        gboolean found = *words[i] == '\0' || *words[i] == '\\';
        guint number;

        for (guint j = 0; j < G_N_ELEMENTS(letters_of_flags); j++)
            if (g_ascii_strcasecmp(words[i], letters_of_flags[j].flag) == 0)
                found = has[(guint)letters_of_flags[j].letter] = TRUE;
        number = found ? 0 : find_keyword(aliases, mailbox, words[i]);
        if (number != 0)
            has['a' + number - 1] = TRUE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(has); i++)
        if (has[i])
            g_string_append_c(result, (char)i);
    return g_string_free(result, FALSE);
}

/* A letter that the mailbox has not given means what it means in others: a
 * program that copies a message there takes the letter along. NULL: nothing. */
static const char *
meaning(const CacheAliases *aliases, guint32 mailbox, char letter)
{
    guint32 number = (guint32)(letter - 'a' + 1);
    const char *keyword;

    if (!g_ascii_islower(letter))
        return fs_maildir_flag(letter);
    keyword = cache_aliases_name(aliases, mailbox | FS_GIVEN_KEYWORDS, number);
    return keyword != NULL
               ? keyword
               : cache_aliases_name(aliases, FS_GIVEN_KEYWORDS, number);
}

gboolean
fs_maildir_flags(const CacheAliases *aliases, guint32 mailbox,
                 const char *letters, char **flags)
{
    g_autoptr(GString) result = g_string_new(NULL);

    *flags = NULL;
    for (const char *at = letters; *at != '\0'; at++) {
        const char *flag = meaning(aliases, mailbox, *at);

        if (flag == NULL)
            return FALSE;
        if (strchr(at + 1, *at) == NULL) /* else it comes once more */
            g_string_append_printf(result, "%s%s", result->len > 0 ? " " : "",
                                   flag);
    }
    *flags = g_string_free(g_steal_pointer(&result), FALSE);
    return TRUE;
}

char *
fs_maildir_without_foreign(const CacheAliases *aliases, guint32 mailbox,
                           const char *letters)
{
    GString *result = g_string_new(NULL);

    for (const char *at = letters; *at != '\0'; at++)
        if (!g_ascii_islower(*at) || meaning(aliases, mailbox, *at) != NULL)
            g_string_append_c(result, *at);
    return g_string_free(result, FALSE);
}

static gboolean
has_all(const char *letters, const char *of)
{
    for (; *of != '\0'; of++)
        if (strchr(letters, *of) == NULL)
            return FALSE;
    return TRUE;
}

gboolean
fs_maildir_same_letters(const char *one, const char *other)
{
    return has_all(one, other) && has_all(other, one);
}

/* Those of @letters that are not among @less. Caller frees. */
static char *
subtract(const char *letters, const char *less)
{
    GString *result = g_string_new(NULL);

    for (; *letters != '\0'; letters++)
        if (strchr(less, *letters) == NULL)
            g_string_append_c(result, *letters);
    return g_string_free(result, FALSE);
}

gboolean
fs_maildir_change(CacheAliases *aliases, guint32 mailbox, const char *flags,
                  const char *letters, char **add, char **remove)
{
    g_autofree char *present = fs_maildir_letters(aliases, mailbox, flags);
    g_autofree char *more = subtract(letters, present);
    g_autofree char *less = subtract(present, letters);

    *remove = NULL;
    return fs_maildir_flags(aliases, mailbox, more, add) &&
           fs_maildir_flags(aliases, mailbox, less, remove);
}

/* ---- bases that are made ---- */

char *
fs_maildir_base(gint64 date, guint32 mailbox, guint32 uid, guint64 size)
{
    return g_strdup_printf("%" G_GINT64_FORMAT ".M%uU%u" SUFFIX SIZE
                           "%" G_GUINT64_FORMAT,
                           MAX(date, 0), mailbox, uid, size);
}

/* A number that ends in @end; NULL if it is none. */
static const char *
read_number(const char *text, const char *end, guint64 *number)
{
    char *after;

    if (!g_ascii_isdigit(*text))
        return NULL;
    *number = g_ascii_strtoull(text, &after, 10);
    return g_str_has_prefix(after, end) ? after + strlen(end) : NULL;
}

gboolean
fs_maildir_base_parse(const char *base, guint32 *mailbox, guint32 *uid)
{
    guint64 number;

    base = read_number(base, ".M", &number);
    if (base != NULL)
        base = read_number(base, "U", &number);
    if (base == NULL || number > G_MAXUINT32)
        return FALSE;
    *mailbox = (guint32)number;
    base = read_number(base, SUFFIX, &number);
    if (base == NULL || number == 0 || number > G_MAXUINT32)
        return FALSE;
    *uid = (guint32)number;
    return *base == '\0' || g_str_has_prefix(base, SIZE);
}

/* Where the digits of its size begin, which end it; NULL: there are none. */
static const char *
size_of(const char *base)
{
    guint32 mailbox;
    guint32 uid;
    const char *size = strstr(base, SUFFIX SIZE);

    if (size == NULL || !fs_maildir_base_parse(base, &mailbox, &uid))
        return NULL;
    size += strlen(SUFFIX SIZE);
    return strspn(size, "0123456789") == strlen(size) ? size : NULL;
}

gboolean
fs_maildir_same_base(const char *one, const char *other)
{
    const char *size = size_of(one);
    const char *other_size = size_of(other);

    if (size == NULL || other_size == NULL)
        return g_str_equal(one, other);
    return size - one == other_size - other &&
           strncmp(one, other, (gsize)(size - one)) == 0;
}
