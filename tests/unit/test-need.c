/* The rules of waiting: fs/need.h promises each. */
#include "fs/need.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>

/* Notes what ran, in order. */
typedef struct {
    GString *ran;
    FsNeed *need;         /* where to wait again; NULL: not */
    FsNeedWaiter *victim; /* to cancel when run */
    gboolean inside_call;
} Log;

typedef struct {
    Log *log;
    char name;
} Waiter;

static void
note(const GError *error, gpointer user_data)
{
    Waiter *waiter = user_data;
    Log *log = waiter->log;

    assert_false(log->inside_call);
    g_string_append_c(log->ran, waiter->name);
    if (error != NULL)
        g_string_append_c(log->ran, '!');
    if (log->victim != NULL)
        fs_need_cancel(g_steal_pointer(&log->victim));
    if (log->need != NULL)
        fs_need_wait(log->need, note, waiter);
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
    Log *log = g_new0(Log, 1);

    log->ran = g_string_new(NULL);
    *state = log;
    return 0;
}

static int
tear_down(void **state)
{
    Log *log = *state;

    /* Nothing is left over for the next test. */
    assert_false(g_main_context_pending(NULL));
    g_string_free(log->ran, TRUE);
    g_free(log);
    return 0;
}

static void
progress_wakes_those_that_wait_in_order_once(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'}, b = {log, 'b'};
    g_autoptr(FsNeed) need = fs_need_new();

    fs_need_wait(need, note, &a);
    fs_need_wait(need, note, &b);
    assert_int_equal(fs_need_n_waiters(need), 2);

    log->inside_call = TRUE;
    fs_need_progress(need);
    fs_need_progress(need);
    log->inside_call = FALSE;
    run_loop();
    fs_need_progress(need);
    run_loop();

    assert_string_equal(log->ran->str, "ab");
    assert_int_equal(fs_need_n_waiters(need), 0);
    assert_false(fs_need_is_complete(need));
}

static void
completion_wakes_all_with_the_error(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'}, b = {log, 'b'};
    g_autoptr(FsNeed) need = fs_need_new();
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late");

    fs_need_wait(need, note, &a);
    fs_need_wait(need, note, &b);
    log->inside_call = TRUE;
    fs_need_complete(need, error);
    fs_need_complete(need, NULL);
    log->inside_call = FALSE;
    run_loop();

    assert_string_equal(log->ran->str, "a!b!");
    assert_true(
        g_error_matches(fs_need_error(need), G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
}

static void
wait_on_complete_need_runs_from_the_loop(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'};
    g_autoptr(FsNeed) need = fs_need_new();

    fs_need_complete(need, NULL);
    log->inside_call = TRUE;
    fs_need_wait(need, note, &a);
    log->inside_call = FALSE;
    assert_int_equal(fs_need_n_waiters(need), 1);
    run_loop();

    assert_string_equal(log->ran->str, "a");
    assert_null(fs_need_error(need));
}

static void
cancelled_waiter_does_not_run(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'}, b = {log, 'b'}, c = {log, 'c'};
    g_autoptr(FsNeed) need = fs_need_new();
    FsNeedWaiter *waiting = fs_need_wait(need, note, &a);
    FsNeedWaiter *due = fs_need_wait(need, note, &b);

    fs_need_wait(need, note, &c);
    fs_need_cancel(waiting);
    fs_need_progress(need);
    fs_need_cancel(due);
    run_loop();

    assert_string_equal(log->ran->str, "c");
}

static void
waiter_cancelled_by_another_one_does_not_run(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'}, b = {log, 'b'}, c = {log, 'c'};
    g_autoptr(FsNeed) need = fs_need_new();

    fs_need_wait(need, note, &a);
    log->victim = fs_need_wait(need, note, &b);
    fs_need_wait(need, note, &c);
    fs_need_complete(need, NULL);
    run_loop();

    assert_string_equal(log->ran->str, "ac");
}

static void
waiter_that_waits_again_runs_once_a_progress(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'};
    g_autoptr(FsNeed) need = fs_need_new();

    log->need = need;
    fs_need_wait(need, note, &a);
    fs_need_progress(need);
    run_loop();
    assert_string_equal(log->ran->str, "a");
    fs_need_progress(need);
    run_loop();
    assert_string_equal(log->ran->str, "aa");

    log->need = NULL;
    fs_need_complete(need, NULL);
    run_loop();
    assert_string_equal(log->ran->str, "aaa");
}

/* One that waits on a complete need for ever gives way to everyone else. */
static void
greedy_waiter_does_not_hold_the_loop(void **state)
{
    Log *log = *state;
    Waiter greedy = {log, 'g'}, other = {log, 'o'};
    g_autoptr(FsNeed) need = fs_need_new();
    g_autoptr(FsNeed) other_need = fs_need_new();

    fs_need_complete(need, NULL);
    log->need = need;
    fs_need_wait(need, note, &greedy);
    for (int i = 0; i < 3; i++)
        g_main_context_iteration(NULL, FALSE);
    assert_string_equal(log->ran->str, "ggg");

    fs_need_wait(other_need, note, &other);
    fs_need_progress(other_need);
    g_main_context_iteration(NULL, FALSE);
    assert_string_equal(log->ran->str, "ggggo");
    log->need = NULL;
    run_loop();
}

static void
many_waiters_leave_the_loop_between_batches(void **state)
{
    enum { N = 100000 };
    Log *log = *state;
    Waiter a = {log, 'a'};
    g_autoptr(FsNeed) need = fs_need_new();

    for (int i = 0; i < N; i++)
        fs_need_wait(need, note, &a);
    fs_need_progress(need);
    assert_int_equal(fs_need_n_waiters(need), N);

    g_main_context_iteration(NULL, FALSE);
    assert_in_range(log->ran->len, 1, N / 10);
    run_loop();
    assert_int_equal(log->ran->len, N);
}

static void
released_need_still_delivers(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'};
    FsNeed *need = fs_need_new();
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late");

    fs_need_wait(need, note, &a);
    fs_need_complete(need, error);
    fs_need_unref(need);
    run_loop();

    assert_string_equal(log->ran->str, "a!");
}

static void
need_failing_after_progress_gives_the_error(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'};
    g_autoptr(FsNeed) need = fs_need_new();
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late");

    fs_need_wait(need, note, &a);
    fs_need_progress(need);
    fs_need_complete(need, error);
    run_loop();

    assert_string_equal(log->ran->str, "a!");
}

static void
need_given_up_fails_its_waiters(void **state)
{
    Log *log = *state;
    Waiter a = {log, 'a'}, b = {log, 'b'};
    FsNeed *need = fs_need_new();

    fs_need_wait(need, note, &a);
    fs_need_progress(need);
    fs_need_wait(need, note, &b);
    fs_need_unref(need);
    run_loop();

    assert_string_equal(log->ran->str, "a!b!");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(progress_wakes_those_that_wait_in_order_once),
        T(completion_wakes_all_with_the_error),
        T(wait_on_complete_need_runs_from_the_loop),
        T(cancelled_waiter_does_not_run),
        T(waiter_cancelled_by_another_one_does_not_run),
        T(waiter_that_waits_again_runs_once_a_progress),
        T(greedy_waiter_does_not_hold_the_loop),
        T(many_waiters_leave_the_loop_between_batches),
        T(released_need_still_delivers),
        T(need_failing_after_progress_gives_the_error),
        T(need_given_up_fails_its_waiters),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
