/* The capabilities that a server announces. Those it sent before STARTTLS or
 * login are thrown away whole, so this is made once and never changed. */
#include "imap/capability.h"

#include <string.h>

/* A server that announces more is playing with our memory. */
#define MAX_CAPABILITIES 1024

struct ImapCapabilities {
    GHashTable *names; /* upper-case strings, owned */
};

ImapCapabilities *
imap_capabilities_new(const char *const *words)
{
    ImapCapabilities *capabilities = g_new0(ImapCapabilities, 1);

    capabilities->names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; words[i] != NULL && i < MAX_CAPABILITIES; i++)
        if (words[i][0] != '\0')
            g_hash_table_add(capabilities->names, g_ascii_strup(words[i], -1));
    return capabilities;
}

ImapCapabilities *
imap_capabilities_parse(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", MAX_CAPABILITIES);

    return imap_capabilities_new((const char *const *)words);
}

void
imap_capabilities_free(ImapCapabilities *capabilities)
{
    if (capabilities == NULL)
        return;
    g_hash_table_unref(capabilities->names);
    g_free(capabilities);
}

gboolean
imap_capabilities_has(const ImapCapabilities *capabilities, const char *name)
{
    return capabilities != NULL &&
           g_hash_table_contains(capabilities->names, name);
}

gboolean
imap_capabilities_number(const ImapCapabilities *capabilities, const char *name,
                         guint64 *number)
{
    GHashTableIter iter;
    gsize length = strlen(name);
    gpointer word;

    if (capabilities == NULL)
        return FALSE;
    g_hash_table_iter_init(&iter, capabilities->names);
    while (g_hash_table_iter_next(&iter, &word, NULL)) {
        const char *text = word;

        if (g_str_has_prefix(text, name) && text[length] == '=' &&
            g_ascii_string_to_unsigned(text + length + 1, 10, 0, G_MAXUINT64,
                                       number, NULL))
            return TRUE;
    }
    return FALSE;
}

char **
imap_capabilities_mechanisms(const ImapCapabilities *capabilities)
{
    GPtrArray *mechanisms = g_ptr_array_new();
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, capabilities->names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (g_str_has_prefix(name, "AUTH="))
            g_ptr_array_add(mechanisms,
                            g_strdup((char *)name + strlen("AUTH=")));
    g_ptr_array_add(mechanisms, NULL);
    return (char **)g_ptr_array_free(mechanisms, FALSE);
}

static int
compare(gconstpointer one, gconstpointer other, gpointer user_data)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

const char **
imap_capabilities_list(const ImapCapabilities *capabilities)
{
    guint length = 0;
    const char **names;

    if (capabilities == NULL)
        return g_new0(const char *, 1);
    names = (const char **)g_hash_table_get_keys_as_array(capabilities->names,
                                                          &length);
    g_qsort_with_data(names, length, sizeof *names, compare, NULL);
    return names;
}
