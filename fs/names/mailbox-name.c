/* The names of mailboxes as directories.
 *
 * The encoding is reversible, so that two mailboxes share a name only where the
 * server's own differ in what directories cannot tell apart: empty components,
 * the case of INBOX. A "%" is encoded only where it would read as the beginning
 * of an encoded octet, so that "100%" stays what it is. */
#include "fs/names/mailbox-name.h"

#include "fs/names/slug.h"

#include <string.h>

#define INBOX "INBOX"
#define PRIVATE_DIRECTORY ".imapfs"
#define CUT_HASH_DIGITS 16
#define UNIQUE_HASH_DIGITS 8

static void
append_encoded(GString *out, const char *octets, gsize length)
{
    for (gsize i = 0; i < length; i++)
        g_string_append_printf(out, "%%%02X", (guchar)octets[i]);
}

/* Variation selectors stay: emoji are written with them. */
static gboolean
is_hidden(gunichar character)
{
    switch ((int)g_unichar_type(character)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return TRUE;
    default:
        return fs_slug_is_invisible(character) &&
               !(character >= 0xfe00 && character <= 0xfe0f) &&
               !(character >= 0xe0100 && character <= 0xe01ef);
    }
}

/* Appends the character at @at as it may stand in a component, and returns its
 * length; octets that are not UTF-8 are taken one by one. */
static gsize
append_character(GString *out, const char *at, gsize left)
{
    gunichar character = g_utf8_get_char_validated(at, (gssize)left);
    gsize length = 1;
    gboolean encode;

    if (character == (gunichar)-1 || character == (gunichar)-2) {
        encode = TRUE;
    } else {
        length = (gsize)(g_utf8_next_char(at) - at);
        encode = character == '/' || is_hidden(character) ||
                 (character == '%' && left > 2 && g_ascii_isxdigit(at[1]) &&
                  g_ascii_isxdigit(at[2]));
    }
    if (encode)
        append_encoded(out, at, length);
    else
        g_string_append_len(out, at, (gssize)length);
    return length;
}

static char *
hash(const char *text, gsize digits)
{
    char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

    hex[digits] = '\0';
    return hex;
}

/* The longest beginning of @component within @max octets that splits neither a
 * character nor an encoded octet. */
static gsize
cut(const char *component, gsize max)
{
    gsize end = strlen(component);

    if (end <= max)
        return end;
    end = max;
    while (end > 0 && ((guchar)component[end] & 0xc0) == 0x80)
        end--;
    for (gsize back = 1; back <= 2 && back <= end; back++)
        if (component[end - back] == '%' &&
            g_ascii_isxdigit(component[end - back + 1]) &&
            g_ascii_isxdigit(component[end - back + 2]))
            return end - back;
    return end;
}

static char *
with_hash(const char *component, const char *hashed, gsize digits, gsize max)
{
    g_autofree char *hex = hash(hashed, digits);
    gsize length = cut(component, max - 1 - digits);

    return g_strdup_printf("%.*s~%s", (int)length, component, hex);
}

char *
fs_mailbox_name_within(const char *name, gsize max)
{
    return strlen(name) > max ? with_hash(name, name, CUT_HASH_DIGITS, max)
                              : g_strdup(name);
}

gboolean
fs_mailbox_name_may_be_cut(const char *name)
{
    const char *mark = strrchr(name, '~');

    return mark != NULL && strlen(mark + 1) == CUT_HASH_DIGITS &&
           strspn(mark + 1, "0123456789abcdef") == CUT_HASH_DIGITS;
}

static char *
encode_component(const char *component, gsize length, gboolean top)
{
    g_autoptr(GString) out = g_string_sized_new(length);

    if (top && length == strlen(INBOX) &&
        g_ascii_strncasecmp(component, INBOX, length) == 0)
        return g_strdup(INBOX);

    if ((length == 1 && component[0] == '.') ||
        (length == 2 && component[0] == '.' && component[1] == '.')) {
        append_encoded(out, component, length);
    } else {
        gsize at = 0;

        if (top && length == strlen(PRIVATE_DIRECTORY) &&
            strncmp(component, PRIVATE_DIRECTORY, length) == 0) {
            append_encoded(out, component, 1);
            at = 1;
        }
        while (at < length)
            at += append_character(out, component + at, length - at);
    }
    return fs_mailbox_name_within(out->str, FS_MAILBOX_NAME_MAX);
}

char **
fs_mailbox_name_split(const char *name, char delimiter)
{
    char **components = g_new0(char *, FS_MAILBOX_DEPTH_MAX + 1);
    const char *end = name + strlen(name);
    gboolean splits = delimiter != '\0' && g_ascii_isprint(delimiter);
    guint depth = 0;
    const char *next;

    for (const char *at = name; at < end; at = next + 1) {
        next = splits ? strchr(at, delimiter) : NULL;
        if (next == NULL)
            next = end;
        if (next == at)
            continue;
        if (depth == FS_MAILBOX_DEPTH_MAX) {
            g_strfreev(components);
            return NULL;
        }
        components[depth] =
            encode_component(at, (gsize)(next - at), depth == 0);
        depth++;
    }
    if (depth == 0)
        g_clear_pointer(&components, g_free);
    return components;
}

char *
fs_mailbox_name_make_unique(const char *component, const char *wire_name)
{
    return with_hash(component, wire_name, UNIQUE_HASH_DIGITS,
                     FS_MAILBOX_NAME_MAX);
}
