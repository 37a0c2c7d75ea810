/* Threads and their processes. */
#include "fs/kernel/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    pid_t id;
    GAsyncQueue *known; /* the thread has told its id */
    GAsyncQueue *end;   /* it may go */
} Other;

static gpointer
run_other(gpointer data)
{
    Other *other = data;

    other->id = gettid();
    g_async_queue_push(other->known, other);
    g_async_queue_pop(other->end);
    return NULL;
}

static void
threads_of_one_process_are_one(void **state)
{
    Other other = {.known = g_async_queue_new(), .end = g_async_queue_new()};
    GThread *thread = g_thread_new("other", run_other, &other);

    g_async_queue_pop(other.known);
    assert_int_not_equal(other.id, getpid());
    assert_true(fs_process_is_one(getpid(), other.id));
    assert_true(fs_process_is_one(other.id, getpid()));
    g_async_queue_push(other.end, &other);
    g_thread_join(thread);
    g_async_queue_unref(other.known);
    g_async_queue_unref(other.end);
}

static void
parent_and_child_are_two(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_false(fs_process_is_one(getpid(), child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(fs_process_is_one(child, child));
}

static void
unknown_is_none(void **state)
{
    assert_false(fs_process_is_one(0, 0));
    assert_false(fs_process_is_one(getpid(), 0));
    assert_false(fs_process_is_one(-1, -1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_one_process_are_one),
        cmocka_unit_test(parent_and_child_are_two),
        cmocka_unit_test(unknown_is_none),
    };

    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
