/* INTERNALDATE in, seconds out, and back. By hand, as strptime follows the
 * locale and a listing parses one of these for every message. */
#include "imap/date.h"

#include <string.h>

static gboolean
read_number(const char **at, guint min_digits, guint max_digits, int *number)
{
    guint digits = 0;

    *number = 0;
    while (digits < max_digits && g_ascii_isdigit(**at)) {
        *number = *number * 10 + (**at - '0');
        (*at)++;
        digits++;
    }
    return digits >= min_digits;
}

static gboolean
read_octet(const char **at, char octet)
{
    if (**at != octet)
        return FALSE;
    (*at)++;
    return TRUE;
}

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static gboolean
read_month(const char **at, int *month)
{
    for (int i = 0; i < 12; i++) {
        if (g_ascii_strncasecmp(*at, month_names + 3 * i, 3) == 0) {
            *month = i + 1;
            *at += 3;
            return TRUE;
        }
    }
    return FALSE;
}

/* "+0100" as seconds; nothing at all is UTC. */
static gboolean
read_zone(const char **at, int *offset)
{
    int number;
    gboolean west;

    *offset = 0;
    while (**at == ' ')
        (*at)++;
    if (**at == '\0')
        return TRUE;
    if (**at != '+' && **at != '-')
        return FALSE;
    west = *(*at)++ == '-';
    if (!read_number(at, 4, 4, &number) || number % 100 > 59)
        return FALSE;
    *offset = (number / 100 * 60 + number % 100) * 60;
    if (west)
        *offset = -*offset;
    return TRUE;
}

/* Days from 1 January 1970 to the given day. The year counts from March, so
 * that the leap day is its last. */
static gint64
days_since_epoch(int year, int month, int day)
{
    int months = (month + 9) % 12; /* since March */
    gint64 years = month <= 2 ? year - 1 : year;

    return 365 * years + years / 4 - years / 100 + years / 400 +
           (153 * months + 2) / 5 + day - 719469;
}

gboolean
imap_date_parse(const char *text, gint64 *seconds)
{
    const char *at = text;
    int year, month, day, hour, minute, second, offset;

    while (*at == ' ')
        at++;
    if (!read_number(&at, 1, 2, &day) || !read_octet(&at, '-') ||
        !read_month(&at, &month) || !read_octet(&at, '-') ||
        !read_number(&at, 4, 4, &year) || !read_octet(&at, ' ') ||
        !read_number(&at, 1, 2, &hour) || !read_octet(&at, ':') ||
        !read_number(&at, 2, 2, &minute) || !read_octet(&at, ':') ||
        !read_number(&at, 2, 2, &second) || !read_zone(&at, &offset))
        return FALSE;
    while (*at == ' ')
        at++;
    if (*at != '\0' || year < 1 ||
        !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year) ||
        hour > 23 || minute > 59 || second > 60)
        return FALSE;

    *seconds = days_since_epoch(year, month, day) * 86400 + hour * 3600 +
               minute * 60 + second - offset;
    return TRUE;
}

/* 0001-01-01 00:00:00 and 9999-12-31 23:59:59, UTC. */
#define FIRST_SECOND (-G_GINT64_CONSTANT(62135596800))
#define LAST_SECOND G_GINT64_CONSTANT(253402300799)

char *
imap_date_format(gint64 seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(
        CLAMP(seconds, FIRST_SECOND, LAST_SECOND));

    return g_strdup_printf(
        "%2d-%.3s-%04d %02d:%02d:%02d +0000",
        g_date_time_get_day_of_month(date),
        month_names + 3 * (g_date_time_get_month(date) - 1),
        g_date_time_get_year(date), g_date_time_get_hour(date),
        g_date_time_get_minute(date), g_date_time_get_second(date));
}
