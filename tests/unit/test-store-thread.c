/* Order, threads and the end of the store thread. */
#include "cache/store-thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct {
    GThread *main_thread;
    CacheStoreThread *thread;
    guint n_pushed;
    guint n_worked; /* of the store thread */
    guint n_done;
    gboolean pushing;
} Run;

typedef struct {
    Run *run;
    guint number;
    gboolean worked;
    guint n_followers; /* to push when done */
} Task;

static void push_task(Run *run, guint n_followers);

static void
work(gpointer job)
{
    Task *task = job;

    assert_ptr_not_equal(g_thread_self(), task->run->main_thread);
    assert_int_equal(task->number, task->run->n_worked++);
    task->worked = TRUE;
}

static void
done(gpointer job)
{
    g_autofree Task *task = job;
    Run *run = task->run;

    assert_ptr_equal(g_thread_self(), run->main_thread);
    assert_false(run->pushing);
    assert_true(task->worked);
    assert_int_equal(task->number, run->n_done++);
    if (task->n_followers > 0)
        push_task(run, task->n_followers - 1);
}

static void
push_task(Run *run, guint n_followers)
{
    Task *task = g_new0(Task, 1);

    task->run = run;
    task->number = run->n_pushed++;
    task->n_followers = n_followers;
    run->pushing = TRUE;
    cache_store_thread_push(run->thread, work, done, task);
    run->pushing = FALSE;
}

static void
jobs_many_run_and_finish_in_order(void **state)
{
    Run run = {.main_thread = g_thread_self()};
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();

    run.thread = thread;
    for (guint i = 0; i < 20000; i++) {
        push_task(&run, 0);
        if (i % 7 == 0)
            g_main_context_iteration(NULL, FALSE);
    }
    while (run.n_done < run.n_pushed)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(run.n_done, 20000);
}

static void
done_that_pushes_is_followed(void **state)
{
    Run run = {.main_thread = g_thread_self()};
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();

    run.thread = thread;
    push_task(&run, 100);
    while (run.n_done < 101)
        g_main_context_iteration(NULL, TRUE);
}

static void
free_with_work_queued_waits_for_all(void **state)
{
    Run run = {.main_thread = g_thread_self()};

    run.thread = cache_store_thread_new();
    for (guint i = 0; i < 100; i++)
        push_task(&run, 2);
    cache_store_thread_free(run.thread);
    assert_int_equal(run.n_done, 300);

    cache_store_thread_free(NULL);
}

static void
done_runs_on_the_context_of_creation_alone(void **state)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    Run run = {.main_thread = g_thread_self()};

    g_main_context_push_thread_default(context);
    run.thread = cache_store_thread_new();
    g_main_context_pop_thread_default(context);

    push_task(&run, 0);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(run.n_done, 0);
    while (run.n_done == 0)
        g_main_context_iteration(context, TRUE);
    cache_store_thread_free(run.thread);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_many_run_and_finish_in_order),
        cmocka_unit_test(done_that_pushes_is_followed),
        cmocka_unit_test(free_with_work_queued_waits_for_all),
        cmocka_unit_test(done_runs_on_the_context_of_creation_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
