/* How long is waited between attempts. */
#include "imap/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
waits_double_up_to_a_bound(void **state)
{
    ImapBackoff backoff = {0};
    guint due = IMAP_BACKOFF_FIRST_MS;

    for (guint i = 0; i < 100; i++) {
        assert_int_equal(imap_backoff_next(&backoff, 1), due);
        due = MIN(2 * due, IMAP_BACKOFF_MAX_MS);
    }
    assert_int_equal(due, IMAP_BACKOFF_MAX_MS);
}

static void
wait_is_random_between_half_and_all(void **state)
{
    for (guint i = 0; i <= 10; i++) {
        ImapBackoff backoff = {0};

        for (guint due = IMAP_BACKOFF_FIRST_MS; due < IMAP_BACKOFF_MAX_MS;
             due *= 2)
            assert_int_equal(imap_backoff_next(&backoff, i / 10.0),
                             due / 2 + (guint)(i / 10.0 * (due - due / 2)));
    }
}

static void
success_begins_anew(void **state)
{
    ImapBackoff backoff = {0};

    for (guint i = 0; i < 5; i++)
        imap_backoff_next(&backoff, 0.5);
    imap_backoff_reset(&backoff);
    assert_int_equal(imap_backoff_next(&backoff, 1), IMAP_BACKOFF_FIRST_MS);
}

static void
hint_is_honoured_within_the_bound(void **state)
{
    ImapBackoff backoff = {0};

    imap_backoff_hint(&backoff, 40000);
    assert_in_range(imap_backoff_next(&backoff, 0), 40000, 80000);
    imap_backoff_hint(&backoff, 100);
    assert_in_range(imap_backoff_next(&backoff, 0), 40000, 160000);
    imap_backoff_hint(&backoff, G_MAXUINT);
    assert_int_equal(imap_backoff_next(&backoff, 1), IMAP_BACKOFF_MAX_MS);
    imap_backoff_hint(&backoff, 0);
    assert_int_equal(imap_backoff_next(&backoff, 1), IMAP_BACKOFF_MAX_MS);
}

static void
exhausted_waits_longest(void **state)
{
    ImapBackoff backoff = {0};

    imap_backoff_exhaust(&backoff);
    assert_int_equal(imap_backoff_next(&backoff, 1), IMAP_BACKOFF_MAX_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_a_bound),
        cmocka_unit_test(wait_is_random_between_half_and_all),
        cmocka_unit_test(success_begins_anew),
        cmocka_unit_test(hint_is_honoured_within_the_bound),
        cmocka_unit_test(exhausted_waits_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
