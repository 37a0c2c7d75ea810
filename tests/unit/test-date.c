/* INTERNALDATE, by hand and against GLib's calendar. */
#include "imap/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
date_valid_gives_seconds(void **state)
{
    static const struct {
        const char *text;
        gint64 seconds;
    } cases[] = {
        {"01-Jan-1970 00:00:00 +0000", 0},
        {" 7-Feb-1994 21:52:25 -0800", 760686745},
        {"7-feb-1994 21:52:25 -0800", 760686745},
        {"29-Feb-2024 00:00:00 +0530", 1709145000},
        {"31-Dec-1969 23:59:59 +0000", -1},
        {"01-Jan-1970 00:00:07", 7},
        {"31-Dec-2016 23:59:60 +0000 ", 1483228800},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gint64 seconds = 42;

        assert_true(imap_date_parse(cases[i].text, &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void
date_every_month_equals_glib(void **state)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};

    for (int year = 1; year <= 9999; year += 7) {
        for (int month = 1; month <= 12; month++) {
            int day = 1 + (year + month) % 28;
            g_autofree char *text = g_strdup_printf(
                "%02d-%s-%04d 12:34:56 +0000", day, months[month - 1], year);
            g_autoptr(GDateTime) expected =
                g_date_time_new_utc(year, month, day, 12, 34, 56);
            gint64 seconds;

            assert_true(imap_date_parse(text, &seconds));
            assert_int_equal(seconds, g_date_time_to_unix(expected));
        }
    }
}

static void
date_written_is_read_again(void **state)
{
    static const struct {
        gint64 seconds;
        const char *text;
    } cases[] = {
        {0, " 1-Jan-1970 00:00:00 +0000"},
        {-1, "31-Dec-1969 23:59:59 +0000"},
        {760657945, " 7-Feb-1994 21:52:25 +0000"},
        {951782400, "29-Feb-2000 00:00:00 +0000"},
        {G_MAXINT64, "31-Dec-9999 23:59:59 +0000"},
        {G_MININT64, " 1-Jan-0001 00:00:00 +0000"},
    };
    GRand *random = g_rand_new_with_seed(3);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = imap_date_format(cases[i].seconds);

        assert_string_equal(text, cases[i].text);
    }
    for (int i = 0; i < 2000; i++) {
        gint64 seconds = (gint64)(g_rand_double(random) * 3e11) - 60000000000;
        g_autofree char *text = imap_date_format(seconds);
        gint64 again;

        assert_true(imap_date_parse(text, &again));
        assert_int_equal(again, seconds);
    }
    g_rand_free(random);
}

static void
date_invalid_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "yesterday",
        "30-Feb-2024 00:00:00 +0000",
        "29-Feb-2023 00:00:00 +0000",
        "00-Jan-2023 00:00:00 +0000",
        "01-Jan-0000 00:00:00 +0000",
        "01-Foo-2023 00:00:00 +0000",
        "01-Jan-2023 24:00:00 +0000",
        "01-Jan-2023 00:60:00 +0000",
        "01-Jan-2023 00:00:61 +0000",
        "01-Jan-2023 00:00:00 0000",
        "01-Jan-2023 00:00:00 +00",
        "01-Jan-2023 00:00:00 +0060",
        "01-Jan-2023 00:00:00 +0000 x",
        "01-Jan-23 00:00:00 +0000",
        "01-J",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gint64 seconds = 42;

        if (imap_date_parse(cases[i], &seconds))
            fail_msg("taken: %s", cases[i]);
        assert_int_equal(seconds, 42);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_valid_gives_seconds),
        cmocka_unit_test(date_every_month_equals_glib),
        cmocka_unit_test(date_written_is_read_again),
        cmocka_unit_test(date_invalid_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
