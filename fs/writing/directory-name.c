/* Names that users give to mailboxes, as the server is to have them: the way
 * back from what fs/names/mailbox-name.h makes of names. A name counts only if
 * that makes the same of it again. */
#include "fs/writing/directory-name.h"

#include "fs/names/mailbox-name.h"
#include "imap/mailbox-encoding.h"

#include <string.h>

static int
hex_pair(const char *text)
{
    if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
        return -1;
    return g_ascii_xdigit_value(text[0]) * 16 + g_ascii_xdigit_value(text[1]);
}

/* The part of a mailbox's name that is shown as @name. Caller frees. */
static char *
unescape(const char *name)
{
    GString *result = g_string_new(NULL);

    for (; *name != '\0'; name++) {
        int octet = *name == '%' ? hex_pair(name + 1) : -1;

        if (octet > 0) {
            g_string_append_c(result, (char)octet);
            name += 2;
        } else {
            g_string_append_c(result, *name);
        }
    }
    return g_string_free(result, FALSE);
}

/* Whether a mailbox @decoded would be shown as @names, below @parent (decoded,
 * NULL: the top). */
static gboolean
is_shown_as(const char *decoded, const char *parent, char delimiter,
            char *const *names)
{
    g_auto(GStrv) parts = fs_mailbox_name_split(decoded, delimiter);
    g_auto(GStrv) above =
        parent != NULL ? fs_mailbox_name_split(parent, delimiter) : NULL;
    guint depth = above != NULL ? g_strv_length(above) : 0;

    return parts != NULL && g_strv_length(parts) > depth &&
           g_strv_equal((const char *const *)parts + depth,
                        (const char *const *)names);
}

/* FALSE: the server can have nothing that shows as @name. */
static gboolean
append_part(GString *wire, const char *name, char delimiter, gboolean utf8)
{
    g_autofree char *part = unescape(name);
    g_autofree char *encoded = NULL;

    if (!g_utf8_validate(part, -1, NULL) || strpbrk(part, "\r\n") != NULL ||
        (wire->len > 0 && delimiter == '\0'))
        return FALSE;
    encoded = imap_mailbox_encode(part, utf8);
    if (wire->len > 0)
        g_string_append_c(wire, delimiter);
    g_string_append(wire, encoded);
    return TRUE;
}

char *
fs_directory_name_on_wire(const char *path, const char *parent, char delimiter,
                          gboolean utf8)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    g_autoptr(GString) wire = g_string_new(parent);
    g_autofree char *above =
        parent != NULL ? imap_mailbox_decode(parent, utf8) : NULL;
    g_autofree char *decoded = NULL;

    for (guint i = 0; names[i] != NULL; i++)
        if (!append_part(wire, names[i], delimiter, utf8))
            return NULL;
    decoded = imap_mailbox_decode(wire->str, utf8);
    return is_shown_as(decoded, above, delimiter, names)
               ? g_string_free(g_steal_pointer(&wire), FALSE)
               : NULL;
}

const FsMailbox *
fs_directory_name_find(const FsMailboxTree *tree, guint32 parent,
                       const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    const FsMailbox *found = NULL;

    for (guint i = 0; names[i] != NULL; i++) {
        found = fs_mailbox_tree_child(tree, parent, names[i]);
        if (found == NULL)
            return NULL;
        parent = found->id;
    }
    return found;
}
