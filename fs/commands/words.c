/* Whatever the locale: what is read aloud to somebody else is to be the same
 * there. */
#include "fs/commands/words.h"

char *
fs_words_count(guint64 number)
{
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%" G_GUINT64_FORMAT, number);
    for (gssize at = (gssize)text->len - 3; at > 0; at -= 3)
        g_string_insert_c(text, at, ',');
    return g_string_free(text, FALSE);
}

/* Two digits that count, at least, and no more than are needed. */
static char *
with_unit(double value, const char *unit)
{
    char digits[32];

    g_ascii_formatd(digits, sizeof digits, value < 9.95 ? "%.1f" : "%.0f",
                    value);
    return g_strdup_printf("%s %s", digits, unit);
}

char *
fs_words_size(guint64 octets)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    double value = (double)octets / 1000;
    guint unit = 0;

    if (octets < 1000)
        return g_strdup_printf("%" G_GUINT64_FORMAT " B", octets);
    for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1000;
    return with_unit(value, units[unit]);
}

char *
fs_words_time(gint64 microseconds)
{
    char digits[32];

    if (microseconds < 0)
        microseconds = 0;
    if (microseconds < 950) {
        g_ascii_formatd(digits, sizeof digits, "%.2f",
                        (double)microseconds / 1e3);
        return g_strdup_printf("%s ms", digits);
    }
    if (microseconds < 999500)
        return with_unit((double)microseconds / 1e3, "ms");
    return with_unit((double)microseconds / 1e6, "s");
}

char *
fs_words_span(guint64 seconds)
{
    if (seconds < 60)
        return g_strdup_printf("%u s", (guint)seconds);
    if (seconds < 3600)
        return g_strdup_printf("%u:%02u min", (guint)(seconds / 60),
                               (guint)(seconds % 60));
    if (seconds < 48 * 3600)
        return g_strdup_printf("%u:%02u h", (guint)(seconds / 3600),
                               (guint)(seconds / 60 % 60));
    return g_strdup_printf("%" G_GUINT64_FORMAT " days", seconds / 86400);
}

char *
fs_words_date(gint64 seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);

    return date != NULL ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("?");
}
