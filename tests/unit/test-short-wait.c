/* Waits that end after a while: fs/views/short-wait.h promises each. */
#include "fs/views/short-wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>

#define SHORT_US (100 * G_TIME_SPAN_MILLISECOND)
#define LONG_US (60 * G_TIME_SPAN_SECOND)

typedef struct {
    FsShortWaits *waits;
    FsNeed *need; /* that which takes long */
    FsNeedWaiter *waiter;
    gboolean ended;
    gboolean failed;
} Fixture;

static void
on_end(const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_false(f->ended);
    f->ended = TRUE;
    f->failed = error != NULL;
    f->waiter = NULL;
}

/* As an operation does that was told to wait. */
static void
wait_until(Fixture *f, gint64 until)
{
    FsNeed *instead = fs_short_waits_add(f->waits, f->need, until);

    assert_non_null(instead);
    assert_ptr_not_equal(instead, f->need);
    f->waiter = fs_need_wait(instead, on_end, f);
}

static void
run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->waits = fs_short_waits_new();
    f->need = fs_need_new();
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    fs_short_waits_free(f->waits);
    fs_need_unref(f->need);
    run_loop();
    assert_int_equal(fs_needs_pending(), 0);
    g_free(f);
    return 0;
}

static void
what_comes_soon_is_waited_for(void **state)
{
    Fixture *f = *state;

    wait_until(f, g_get_monotonic_time() + LONG_US);
    run_loop();
    assert_false(f->ended);
    fs_need_complete(f->need, NULL);
    run_loop();
    assert_true(f->ended && !f->failed);
    assert_int_equal(fs_need_n_waiters(f->need), 0);
}

static void
progress_ends_the_wait(void **state)
{
    Fixture *f = *state;

    wait_until(f, g_get_monotonic_time() + LONG_US);
    fs_need_progress(f->need);
    run_loop();
    assert_true(f->ended && !f->failed);
    assert_false(fs_need_is_complete(f->need));
    assert_int_equal(fs_need_n_waiters(f->need), 0);
}

static void
failure_is_passed_on(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "no");

    wait_until(f, g_get_monotonic_time() + LONG_US);
    fs_need_complete(f->need, error);
    run_loop();
    assert_true(f->ended && f->failed);
}

/* Nothing has failed: whoever waited goes on without. */
static void
what_takes_long_is_not(void **state)
{
    Fixture *f = *state;
    gint64 until = g_get_monotonic_time() + SHORT_US;

    wait_until(f, until);
    while (!f->ended)
        g_main_context_iteration(NULL, TRUE);
    assert_true(g_get_monotonic_time() >= until);
    assert_false(f->failed);
    assert_false(fs_need_is_complete(f->need));
    assert_int_equal(fs_need_n_waiters(f->need), 0);
    assert_null(fs_short_waits_add(f->waits, f->need, until));
    assert_int_equal(fs_need_n_waiters(f->need), 0);
}

static void
who_is_interrupted_leaves_nothing_behind(void **state)
{
    Fixture *f = *state;

    wait_until(f, g_get_monotonic_time() + SHORT_US);
    fs_need_cancel(f->waiter);
    while (fs_need_n_waiters(f->need) > 0)
        g_main_context_iteration(NULL, TRUE);
    assert_false(f->ended);
}

static void
who_waits_at_the_end_is_told(void **state)
{
    Fixture *f = *state;

    wait_until(f, g_get_monotonic_time() + LONG_US);
    fs_short_waits_free(g_steal_pointer(&f->waits));
    run_loop();
    assert_true(f->ended && f->failed);
    assert_int_equal(fs_need_n_waiters(f->need), 0);
    fs_need_complete(f->need, NULL);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_soon_is_waited_for),
        TEST(progress_ends_the_wait),
        TEST(failure_is_passed_on),
        TEST(what_takes_long_is_not),
        TEST(who_is_interrupted_leaves_nothing_behind),
        TEST(who_waits_at_the_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
