/* Reads the end of base64 backwards: blank lines, the last line with its
 * padding, and the lines before it. */
#include "fs/views/parts/base64-tail.h"

#include <string.h>

#define LINE_END 2u

static gsize
count_digits(const char *at, gsize length)
{
    gsize n = 0;

    while (n < length &&
           (g_ascii_isalnum(at[n]) || at[n] == '+' || at[n] == '/'))
        n++;
    return n;
}

/* Where the line begins that ends before @end. */
static gsize
begin_of_line(const char *tail, gsize end)
{
    while (end > 0 && tail[end - 1] != '\n')
        end--;
    return end;
}

static gboolean
ends_line(const char *tail, gsize end)
{
    return end >= LINE_END && tail[end - 2] == '\r' && tail[end - 1] == '\n';
}

/* The width of the lines of which one begins at @end, the last. 0: it is the
 * only one. */
static gboolean
measure_width(const char *tail, gsize end, gsize *width)
{
    gsize begin;

    *width = 0;
    while (end > 0) {
        if (end == 1 && tail[0] == '\n')
            return *width > 0;
        if (!ends_line(tail, end))
            return FALSE;
        end -= LINE_END;
        begin = begin_of_line(tail, end);
        if (count_digits(tail + begin, end - begin) != end - begin)
            return FALSE;
        /* Of the first one, the beginning may be missing. */
        if (begin == 0)
            return *width > 0 && end <= *width;
        if (*width == 0)
            *width = end - begin;
        if (end - begin != *width || *width % 4 != 0 || *width == 0)
            return FALSE;
        end = begin;
    }
    return *width > 0;
}

/* One or two "=" that stand behind the digits of a line; or none. */
static gboolean
is_padding(const char *at, gsize length)
{
    return length <= 2 && (length < 1 || at[0] == '=') &&
           (length < 2 || at[1] == '=');
}

gboolean
fs_base64_size(guint64 encoded, const char *tail, gsize length,
               guint64 *decoded)
{
    gsize end = length;
    gsize width = 0;
    gsize begin;
    gsize digits;
    guint64 last;
    guint64 before;

    if (length < FS_BASE64_TAIL || length > encoded)
        return FALSE;
    while (ends_line(tail, end))
        end -= LINE_END;
    begin = begin_of_line(tail, end);
    digits = count_digits(tail + begin, end - begin);
    if (digits == 0 || !is_padding(tail + begin + digits, end - begin - digits))
        return FALSE;
    /* All in one line begins before the tail. */
    last = begin > 0 ? end - begin : end + (encoded - length);
    before = begin > 0 ? encoded - (length - begin) : 0;
    if (begin > 0 && (!measure_width(tail, begin, &width) || last > width ||
                      before % (width + LINE_END) != 0))
        return FALSE;
    if (last % 4 != 0)
        return FALSE;
    *decoded = (before / (width + LINE_END) * width + last) / 4 * 3 -
               (end - begin - digits);
    return TRUE;
}
