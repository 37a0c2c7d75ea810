/* What the process that announces says that a look has cost: its own work, and
 * not what others do while it waits for the processor. Here it waits because it
 * is stopped. */
#include "fs/live/announcement.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* For so long it is stopped, at each stop, and so often. */
#define STOP_MS 300
#define STOPS 3
/* And has the processor in between, so that it is stopped in its work. */
#define WORK_MS 1
#define ATTEMPTS 10
#define PATIENCE_MS 60000

typedef struct {
    pid_t pid;
    int line;
} Process;

static int
set_up(void **state)
{
    Process *process = g_new0(Process, 1);
    pid_t parent = getpid();
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
        close(ends[0]);
        fs_announcement_serve(ends[1], parent);
        _exit(0);
    }
    close(ends[1]);
    process->line = ends[0];
    *state = process;
    return 0;
}

static int
tear_down(void **state)
{
    Process *process = *state;

    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    close(process->line);
    g_free(process);
    return 0;
}

static gboolean
has_answered(const Process *process, int wait_ms)
{
    struct pollfd line = {process->line, POLLIN, 0};

    return poll(&line, 1, wait_ms) == 1;
}

static void
stop(const Process *process)
{
    int status;

    assert_int_equal(kill(process->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(process->pid, &status, WUNTRACED), process->pid);
    assert_true(WIFSTOPPED(status));
}

/* Has it look, and stops it at that. Returns what it says of the cost, and in
 * @stopped_us for how long it was stopped before it had answered. */
static gint64
cost_of_look(const Process *process, gint64 *stopped_us)
{
    static const FsAnnouncementRequest request = {.kind = FS_ANNOUNCE_LOOK};
    static FsAnnouncementReply reply;
    gsize length = G_STRUCT_OFFSET(FsAnnouncementRequest, text) + 2;

    *stopped_us = 0;
    assert_int_equal(send(process->line, &request, length, 0), length);
    for (guint i = 0; i < STOPS && !has_answered(process, WORK_MS); i++) {
        gint64 begin;

        stop(process);
        begin = g_get_monotonic_time();
        if (!has_answered(process, STOP_MS))
            *stopped_us += g_get_monotonic_time() - begin;
        assert_int_equal(kill(process->pid, SIGCONT), 0);
    }
    assert_true(has_answered(process, PATIENCE_MS));
    assert_true(recv(process->line, &reply, sizeof reply, 0) > 0);
    assert_int_equal(reply.kind, FS_ANNOUNCE_LOOK);
    return reply.took_us;
}

static void
look_costs_what_it_takes_of_the_processor(void **state)
{
    /* It may have answered before it could be stopped, or not have begun. */
    for (guint i = 0; i < ATTEMPTS; i++) {
        gint64 stopped_us, cost_us = cost_of_look(*state, &stopped_us);

        assert_true(cost_us >= 0);
        if (stopped_us < 2 * STOP_MS * 1000)
            continue;
        assert_true(cost_us < stopped_us / 2);
        return;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            look_costs_what_it_takes_of_the_processor, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
