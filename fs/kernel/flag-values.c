/* What a program writes to change flags.
 *
 * A whole list is taken for what it adds to and takes away from that which is
 * seen now: so what another client sets in the same moment stays. */
#include "fs/kernel/flag-values.h"

#include "imap/changes.h"

#include <string.h>

#define VALUE_MAX 4096u
#define FLAG_MAX 255u

/* RFC 9051, flag: "\" and an atom, or an atom. \Recent is the server's. */
static gboolean
is_flag(const char *word, FsFlagsKind kind)
{
    const char *atom = *word == '\\' ? word + 1 : word;

    if (*atom == '\0' || strlen(word) > FLAG_MAX ||
        g_ascii_strcasecmp(word, "\\Recent") == 0 ||
        (kind == FS_FLAGS_KEYWORDS && *word == '\\'))
        return FALSE;
    for (; *atom != '\0'; atom++)
        if (*atom <= ' ' || *atom >= 0x7f || strchr("(){%*\"\\]", *atom))
            return FALSE;
    return TRUE;
}

/* NULL if one of them is no flag. */
static char **
parse_words(const char *text, FsFlagsKind kind)
{
    g_auto(GStrv) words =
        g_strsplit_set(text, kind == FS_FLAGS_KEYWORDS ? ", \n" : " \n", -1);
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    for (char **word = words; *word != NULL; word++) {
        if (**word == '\0')
            continue;
        if (!is_flag(*word, kind)) {
            g_ptr_array_unref(found);
            return NULL;
        }
        g_ptr_array_add(found, g_strdup(*word));
    }
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}

static gboolean
contains(char **words, const char *word)
{
    for (; *words != NULL; words++)
        if (g_ascii_strcasecmp(*words, word) == 0)
            return TRUE;
    return FALSE;
}

/* Those of @words that are not among @others; keywords alone, if that is all
 * that is meant. */
static char *
without(char **words, char **others, FsFlagsKind kind)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new();

    for (; *words != NULL; words++)
        if (**words != '\0' && !contains(others, *words) &&
            (kind == FS_FLAGS_ALL || **words != '\\'))
            g_ptr_array_add(left, *words);
    g_ptr_array_add(left, NULL);
    return imap_flags_to_string((const char *const *)left->pdata);
}

gboolean
fs_flag_values_parse(const char *value, gsize length, FsFlagsKind kind,
                     const char *present, char **add, char **remove)
{
    g_auto(GStrv) had = g_strsplit(present != NULL ? present : "", " ", -1);
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;
    char *none[] = {NULL};
    char sign;

    if (length > VALUE_MAX || memchr(value, '\0', length) != NULL)
        return FALSE;
    text = g_strndup(value, length);
    sign = *text == '+' || *text == '-' ? *text : '\0';
    words = parse_words(sign != '\0' ? text + 1 : text, kind);
    if (words == NULL)
        return FALSE;
    if (sign == '-') {
        char **unset = none;

        *add = g_strdup("");
        *remove = without(words, unset, kind);
    } else {
        *add = without(words, had, kind);
        *remove = sign == '+' ? g_strdup("") : without(had, words, kind);
    }
    return TRUE;
}
