/* How far ahead is fetched on which line. */
#include "fs/bodies/fetch-budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIB (1024u * 1024)
#define MS 1000
#define MBIT (1000u * 1000 / 8)
/* More than there is. */
#define LONGEST ((gint64)3600 * G_USEC_PER_SEC)
#define FASTEST (G_GUINT64_CONSTANT(1) << 40)

static guint64
budget(gint64 round_trip_us, guint64 octets_per_second, guint n_open)
{
    const ImapPoolLine line = {.round_trip_us = round_trip_us,
                               .octets_per_second = octets_per_second,
                               .n_open = n_open};

    return fs_fetch_budget(&line);
}

static guint
growth(gint64 round_trip_us, guint64 octets_per_second)
{
    const ImapPoolLine line = {.round_trip_us = round_trip_us,
                               .line_per_second = octets_per_second,
                               .n_open = 2};

    return fs_fetch_growth(&line);
}

static void
long_line_has_more_under_way(void **state)
{
    assert_int_equal(budget(0, 0, 2), 6 * MIB);
    assert_true(budget(20 * MS, 0, 2) > 12 * MIB);
    assert_int_equal(budget(100 * MS, 0, 2), 24 * MIB);
    assert_int_equal(budget(LONGEST, FASTEST, 3), 24 * MIB);
}

/* A round trip and 50 ms: so long may who wants one thing have to wait. */
static void
only_connection_is_free_again_soon(void **state)
{
    static const guint64 rates[] = {100 * MBIT, 300 * MBIT, 1000 * MBIT};
    static const gint64 round_trips[] = {0, 20 * MS, 100 * MS};

    for (guint i = 0; i < G_N_ELEMENTS(rates); i++)
        for (guint j = 0; j < G_N_ELEMENTS(round_trips); j++)
            assert_true(budget(round_trips[j], rates[i], 1) * G_USEC_PER_SEC /
                            rates[i] <=
                        (guint64)round_trips[j] + 50 * MS);
}

static void
only_connection_of_unknown_speed_has_little_under_way(void **state)
{
    assert_int_equal(budget(100 * MS, 0, 1), MIB);
    assert_int_equal(budget(0, 0, 0), MIB);
}

static void
only_connection_never_has_nothing_under_way(void **state)
{
    assert_int_equal(budget(0, 1, 1), 256 * 1024);
    assert_int_equal(budget(LONGEST, FASTEST, 1), 24 * MIB);
}

static void
requests_grow_faster_where_the_line_would_be_idle(void **state)
{
    assert_int_equal(growth(0, 0), 4);
    assert_int_equal(growth(0, 1000 * MBIT), 4);
    assert_int_equal(growth(100 * MS, 10 * MBIT), 4);
    assert_true(growth(20 * MS, 1000 * MBIT) > 4);
    assert_int_equal(growth(100 * MS, 1000 * MBIT), 64);
    assert_int_equal(growth(LONGEST, FASTEST), 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_line_has_more_under_way),
        cmocka_unit_test(only_connection_is_free_again_soon),
        cmocka_unit_test(only_connection_of_unknown_speed_has_little_under_way),
        cmocka_unit_test(only_connection_never_has_nothing_under_way),
        cmocka_unit_test(requests_grow_faster_where_the_line_would_be_idle),
    };

    return cmocka_run_group_tests_name("fetch-budget", tests, NULL, NULL);
}
