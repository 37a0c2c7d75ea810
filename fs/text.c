/* A server's words end up on terminals and in logs, where an escape sequence is
 * a command and a line break begins another message. */
#include "fs/text.h"

char *
fs_text_tame(const char *text, gsize max)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *tamed = g_string_new(NULL);

    for (const char *c = valid; *c != '\0'; c = g_utf8_next_char(c)) {
        gsize length = g_utf8_next_char(c) - c;

        if (tamed->len + length > max)
            break;
        if (g_unichar_iscntrl(g_utf8_get_char(c)))
            g_string_append_c(tamed, ' ');
        else
            g_string_append_len(tamed, c, length);
    }
    return g_string_free(tamed, FALSE);
}
