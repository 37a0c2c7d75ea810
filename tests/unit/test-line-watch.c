/* The kernel tells when the clock jumps, and when the network changes. */
#include "fs/live/line-watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* ---- the stand-ins for the kernel's timer: no test sets the clock ---- */

static int clock_fd;
static guint n_timers_set;

int
timerfd_create(clockid_t clock, int flags)
{
    assert_int_equal(clock, CLOCK_REALTIME);
    n_timers_set = 0;
    clock_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return clock_fd;
}

int
timerfd_settime(int fd, int flags, const struct itimerspec *new_value,
                struct itimerspec *old_value)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    assert_int_equal(fd, clock_fd);
    assert_int_equal(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
    /* In a hundred years at the least. */
    assert_true(new_value->it_value.tv_sec >
                now.tv_sec + (time_t)100 * 365 * 24 * 3600);
    n_timers_set++;
    return 0;
}

/* ---- what is heard ---- */

typedef struct {
    guint n_calls;
    gboolean late;
} Heard;

static void
on_suspect(const char *reason, gpointer user_data)
{
    ((Heard *)user_data)->n_calls++;
}

static gboolean
on_late(gpointer user_data)
{
    ((Heard *)user_data)->late = TRUE;
    return G_SOURCE_REMOVE;
}

/* Runs the loop until something was heard, or for so long. */
static void
listen_for(Heard *heard, guint milliseconds)
{
    guint timer = g_timeout_add(milliseconds, on_late, heard);

    heard->n_calls = 0;
    heard->late = FALSE;
    while (heard->n_calls == 0 && !heard->late)
        g_main_context_iteration(NULL, TRUE);
    if (!heard->late)
        g_source_remove(timer);
}

static void
clock_that_jumps_is_noticed(void **state)
{
    const guint64 one = 1;
    Heard heard;
    g_autoptr(FsLineWatch) watch G_GNUC_UNUSED =
        fs_line_watch_new(on_suspect, &heard);

    assert_int_equal(n_timers_set, 1);
    for (guint i = 0; i < 2; i++) {
        assert_int_equal(write(clock_fd, &one, sizeof one), sizeof one);
        listen_for(&heard, PATIENCE_MS);
        assert_int_equal(heard.n_calls, 1);
        /* And once only, for it was set anew. */
        assert_int_equal(n_timers_set, 2 + i);
        listen_for(&heard, 50);
        assert_int_equal(heard.n_calls, 0);
    }
}

static void
undisturbed_watch_is_quiet(void **state)
{
    Heard heard;
    g_autoptr(FsLineWatch) watch G_GNUC_UNUSED =
        fs_line_watch_new(on_suspect, &heard);

    listen_for(&heard, 300);
    assert_int_equal(heard.n_calls, 0);
}

/* ---- a network of our own ---- */

#define CANNOT 77

static int
change_network_and_listen(void)
{
    Heard heard;
    FsLineWatch *watch;

    if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0)
        return CANNOT;
    watch = fs_line_watch_new(on_suspect, &heard);
    listen_for(&heard, 300);
    if (heard.n_calls > 0)
        return 2;
    if (system("ip addr add 10.99.9.1/24 dev lo") != 0)
        return CANNOT;
    listen_for(&heard, PATIENCE_MS);
    if (heard.n_calls != 1)
        return 3;
    /* Its steps were one change. */
    listen_for(&heard, 400);
    if (heard.n_calls > 0)
        return 4;
    if (system("ip link set lo down") != 0)
        return CANNOT;
    listen_for(&heard, PATIENCE_MS);
    if (heard.n_calls != 1)
        return 5;
    fs_line_watch_free(watch);
    return 0;
}

/* Namespaces are a process's. */
static void
change_of_network_is_noticed(void **state)
{
    pid_t child;
    int status;

    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(change_network_and_listen());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        print_message("no network namespace can be made here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_that_jumps_is_noticed),
        cmocka_unit_test(undisturbed_watch_is_quiet),
        cmocka_unit_test(change_of_network_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
