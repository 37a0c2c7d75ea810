/* The terminal is asked once, and again when it is resized; the rest follows
 * from the environment by the usual conventions. */
#include "fs/commands/output.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80u
#define LEAST_WIDTH 20u
#define WIDTH_MAX 500u

void
fs_output_look_at_width(FsOutput *output, int fd)
{
    const char *said = g_getenv("COLUMNS");
    struct winsize size;
    guint64 columns = 0;

    if (!output->is_terminal)
        return;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns == 0 && said != NULL)
        g_ascii_string_to_unsigned(said, 10, 1, WIDTH_MAX, &columns, NULL);
    if (columns == 0)
        columns = DEFAULT_WIDTH;
    output->width = (guint)CLAMP(columns, LEAST_WIDTH, WIDTH_MAX);
}

void
fs_output_look(FsOutput *output, int fd)
{
    const char *no_colour = g_getenv("NO_COLOR");
    const char *terminal = g_getenv("TERM");

    *output = (FsOutput){0};
    setlocale(LC_CTYPE, "");
    output->is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    output->is_terminal = isatty(fd) == 1;
    output->has_colour = output->is_terminal &&
                         (no_colour == NULL || no_colour[0] == '\0') &&
                         terminal != NULL && strcmp(terminal, "dumb") != 0;
    fs_output_look_at_width(output, fd);
}

const char *
fs_output_begin(const FsOutput *output, FsStyle style)
{
    if (!output->has_colour)
        return "";
    switch (style) {
    case FS_STYLE_GOOD:
        return "\033[32m";
    case FS_STYLE_BAD:
        return "\033[1;31m";
    case FS_STYLE_WARNING:
        return "\033[33m";
    case FS_STYLE_QUIET:
        return "\033[2m";
    case FS_STYLE_HEADING:
        return "\033[1m";
    case FS_STYLE_PLAIN:
        break;
    }
    return "";
}

const char *
fs_output_end(const FsOutput *output)
{
    return output->has_colour ? "\033[0m" : "";
}

/* Controls, what turns text round, and what nobody sees. */
static gboolean
is_fit(gunichar character)
{
    static const GUnicodeType unfit[] = {
        G_UNICODE_CONTROL,
        G_UNICODE_FORMAT,
        G_UNICODE_UNASSIGNED,
        G_UNICODE_PRIVATE_USE,
        G_UNICODE_SURROGATE,
        G_UNICODE_LINE_SEPARATOR,
        G_UNICODE_PARAGRAPH_SEPARATOR,
    };

    for (guint i = 0; i < G_N_ELEMENTS(unfit); i++)
        if (g_unichar_type(character) == unfit[i])
            return FALSE;
    return TRUE;
}

char *
fs_output_text(const FsOutput *output, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *fit = g_string_sized_new(strlen(valid));
    char *ascii;

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        g_string_append_unichar(fit, is_fit(character) ? character : '?');
    }
    if (output->is_utf8)
        return g_string_free(fit, FALSE);
    ascii = g_str_to_ascii(fit->str, "C");
    g_string_free(fit, TRUE);
    return ascii;
}

static guint
columns_of(gunichar character)
{
    if (g_unichar_iszerowidth(character))
        return 0;
    return g_unichar_iswide(character) ? 2 : 1;
}

guint
fs_output_columns(const char *text)
{
    guint columns = 0;

    for (; *text != '\0'; text = g_utf8_next_char(text))
        columns += columns_of(g_utf8_get_char(text));
    return columns;
}

/* The end of what fits into @columns. */
static const char *
end_of(const char *text, guint columns, guint *used)
{
    *used = 0;
    while (*text != '\0') {
        guint more = columns_of(g_utf8_get_char(text));

        if (*used + more > columns)
            break;
        *used += more;
        text = g_utf8_next_char(text);
    }
    return text;
}

char *
fs_output_fit(const FsOutput *output, const char *text, guint columns,
              gboolean right)
{
    const char *more = output->is_utf8 ? "…" : "~";
    gboolean whole = fs_output_columns(text) <= columns;
    GString *fit = g_string_new(NULL);
    guint used;
    const char *end =
        end_of(text, whole || columns == 0 ? columns : columns - 1, &used);

    g_string_append_len(fit, text, end - text);
    if (!whole && columns > 0) {
        g_string_append(fit, more);
        used++;
    }
    for (; used < columns; used++)
        if (right)
            g_string_prepend_c(fit, ' ');
        else
            g_string_append_c(fit, ' ');
    return g_string_free(fit, FALSE);
}
