/* How long is waited after each failure. */
#include "imap/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
wait_grows_from_a_second_to_five_minutes(void **state)
{
    ImapBackoff backoff = {0};
    guint least = 1000;

    for (guint i = 0; i < 40; i++) {
        guint wait_ms = imap_backoff_next(&backoff, 0);

        assert_true(wait_ms >= least);
        assert_true(wait_ms <= MIN(least + least / 2, 300000));
        least = MIN(2 * least, 300000);
    }
}

static void
success_begins_anew(void **state)
{
    ImapBackoff backoff = {0};

    for (guint i = 0; i < 5; i++)
        imap_backoff_next(&backoff, 0);
    imap_backoff_reset(&backoff);
    assert_in_range(imap_backoff_next(&backoff, 0), 1000, 1500);
}

static void
server_that_asks_for_more_gets_it(void **state)
{
    ImapBackoff backoff = {0};
    guint wait_ms = imap_backoff_next(&backoff, 20000);

    assert_true(wait_ms >= 20000);
    assert_true(wait_ms <= 21000);
    assert_true(imap_backoff_next(&backoff, 600000) >= 600000);
    assert_int_equal(imap_backoff_next(&backoff, G_MAXUINT), G_MAXUINT);
}

static void
server_that_asks_for_less_gets_no_more_attempts(void **state)
{
    ImapBackoff backoff = {.n_failures = 5};

    assert_true(imap_backoff_next(&backoff, 100) >= 32000);
}

/* Whoever lost the server at the same moment must not return at the same. */
static void
waits_differ(void **state)
{
    guint first;
    gboolean differ = FALSE;

    for (guint i = 0; i < 100; i++) {
        ImapBackoff backoff = {.n_failures = 6};
        guint wait_ms = imap_backoff_next(&backoff, 0);

        if (i == 0)
            first = wait_ms;
        differ |= wait_ms != first;
    }
    assert_true(differ);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_grows_from_a_second_to_five_minutes),
        cmocka_unit_test(success_begins_anew),
        cmocka_unit_test(server_that_asks_for_more_gets_it),
        cmocka_unit_test(server_that_asks_for_less_gets_no_more_attempts),
        cmocka_unit_test(waits_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
