#include "imap/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MINUTE G_TIME_SPAN_MINUTE
#define NOW (1000 * MINUTE)

static void
limit_shrinks_to_what_works(void **state)
{
    ImapAllowance a;

    imap_allowance_init(&a, 4);
    assert_int_equal(a.limit, 4);
    imap_allowance_update(&a, NOW);
    assert_int_equal(a.limit, 4);
    imap_allowance_refused(&a, 2, NOW);
    assert_int_equal(a.limit, 2);
    imap_allowance_refused(&a, 9, NOW);
    assert_int_equal(a.limit, 2);
    imap_allowance_refused(&a, 0, NOW);
    assert_int_equal(a.limit, 1);
}

static void
limit_grows_by_one_after_a_pause(void **state)
{
    ImapAllowance a;

    imap_allowance_init(&a, 4);
    imap_allowance_refused(&a, 1, NOW);
    imap_allowance_update(&a, NOW + MINUTE - 1);
    assert_int_equal(a.limit, 1);
    imap_allowance_update(&a, NOW + MINUTE);
    assert_int_equal(a.limit, 2);
    /* No more until that one has worked. */
    imap_allowance_update(&a, NOW + 90 * MINUTE);
    imap_allowance_opened(&a, 1, NOW + 90 * MINUTE);
    imap_allowance_update(&a, NOW + 90 * MINUTE);
    assert_int_equal(a.limit, 2);
    imap_allowance_opened(&a, 2, NOW + 90 * MINUTE);
    imap_allowance_update(&a, NOW + 90 * MINUTE);
    assert_int_equal(a.limit, 3);
}

static void
pause_doubles_up_to_half_an_hour(void **state)
{
    static const gint64 pauses[] = {1, 2, 4, 8, 16, 30, 30};
    ImapAllowance a;
    gint64 now = NOW;

    imap_allowance_init(&a, 4);
    for (guint i = 0; i < G_N_ELEMENTS(pauses); i++) {
        /* Those that were under way together are one refusal. */
        for (guint j = 0; j < 3; j++)
            imap_allowance_refused(&a, 1, now);
        assert_int_equal(a.limit, 1);
        now += pauses[i] * MINUTE;
        imap_allowance_update(&a, now - 1);
        assert_int_equal(a.limit, 1);
        imap_allowance_update(&a, now);
        assert_int_equal(a.limit, 2);
    }
    imap_allowance_opened(&a, 2, now);
    imap_allowance_refused(&a, 2, now);
    assert_int_equal(a.grow_at, now + MINUTE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_shrinks_to_what_works),
        cmocka_unit_test(limit_grows_by_one_after_a_pause),
        cmocka_unit_test(pause_doubles_up_to_half_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
