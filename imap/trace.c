/* The trace: one line of talk is one line on stderr.
 *
 * What a server sends is not trusted with the terminal: everything but
 * printable characters is shown escaped. Who calls has already left out the
 * credentials; here nothing is known of commands. But a server may repeat
 * them. */
#include "imap/trace.h"

#include "imap/secret.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_OCTETS 500 /* of a line */
#define READ_OCTETS 2048 /* of one read */

static gboolean enabled;
static gint64 started_us;

void
imap_trace_enable(gboolean enable)
{
    enabled = enable;
    started_us = g_get_monotonic_time();
}

gboolean
imap_trace_is_enabled(void)
{
    return enabled;
}

/* Appends one character of @text and returns how many octets it took. */
static gsize
append_visible(GString *line, const char *text, gsize length)
{
    gunichar c = g_utf8_get_char_validated(text, (gssize)length);

    /* Both failures, (gunichar)-1 and -2, are above what is printable. */
    if (c <= 0x10ffff && c != 0 && g_unichar_isprint(c)) {
        g_string_append_unichar(line, c);
        return (gsize)g_unichar_to_utf8(c, NULL);
    }
    g_string_append_printf(line, "\\x%02x", (guint8)*text);
    return 1;
}

void
imap_trace_line(guint connection, gboolean outgoing, const char *text,
                gsize length)
{
    g_autoptr(GString) talk = NULL;
    g_autoptr(GString) line = NULL;
    double seconds;
    gsize at = 0;
    gsize more;

    if (!enabled)
        return;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    talk = g_string_new_len(text, (gssize)MIN(length, 2 * SHOWN_OCTETS));
    more = length - talk->len;
    imap_secrets_hide(talk);

    seconds = (double)(g_get_monotonic_time() - started_us) / G_USEC_PER_SEC;
    line = g_string_new(NULL);
    g_string_append_printf(line, "%9.3f #%u %s ", seconds, connection,
                           outgoing ? "C:" : "S:");
    while (at < talk->len && at < SHOWN_OCTETS)
        at += append_visible(line, talk->str + at, talk->len - at);
    more += talk->len - at;
    if (more > 0)
        g_string_append_printf(line, " (%" G_GSIZE_FORMAT " octets more)",
                               more);
    g_string_append_c(line, '\n');
    fputs(line->str, stderr);
}

void
imap_trace_received(guint connection, const guint8 *data, gsize length)
{
    const char *line = (const char *)data;
    const char *end = line + MIN(length, READ_OCTETS);

    if (!enabled)
        return;
    while (line < end) {
        const char *next = memchr(line, '\n', end - line);

        next = next != NULL ? next + 1 : end;
        imap_trace_line(connection, FALSE, line, next - line);
        line = next;
    }
    if (length > READ_OCTETS) {
        g_autofree char *rest = g_strdup_printf(
            "(%" G_GSIZE_FORMAT " octets more)", length - READ_OCTETS);

        imap_trace_line(connection, FALSE, rest, strlen(rest));
    }
}
