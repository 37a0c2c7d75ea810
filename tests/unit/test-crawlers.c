/* Who is a crawler, by what it is called. */
#include "fs/kernel/crawlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that is called @name; ended by the next. */
static pid_t
start(const char *name)
{
    int ready[2];
    char octet;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_NAME, name);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void
end(pid_t process)
{
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
}

static gboolean
is_one(const char *names, const char *name)
{
    g_autoptr(FsCrawlers) crawlers = fs_crawlers_new(names);
    pid_t process = start(name);
    gboolean result = fs_crawlers_has(crawlers, process);

    /* And the second time, when it is known. */
    assert_int_equal(fs_crawlers_has(crawlers, process), result);
    fs_crawlers_note(crawlers, process);
    end(process);
    return result;
}

static void
common_ones_are_known(void **state)
{
    static const char *const names[] = {
        "tumblerd",        "tracker-miner-f", "tracker-extract", "baloo_file",
        "baloo_file_extr", "localsearch-3",   "gdk-pixbuf-thum", "updatedb",
        "totem-video-thu", "ffmpegthumbnail", "evince-thumbnai", "recollindex",
    };
    static const char *const others[] = {
        "cat", "rg", "grep", "nautilus", "thunar", "rsync", "vim", "mutt",
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (!is_one(fs_crawlers_default, names[i]))
            fail_msg("%s is not known", names[i]);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        if (is_one(fs_crawlers_default, others[i]))
            fail_msg("%s is taken for one", others[i]);
}

static void
names_are_as_given(void **state)
{
    assert_true(is_one("cat+dog*", "cat"));
    assert_true(is_one("cat+dog*", "doghouse"));
    assert_false(is_one("cat+dog*", "cats"));
    assert_false(is_one("cat+dog*", "tumblerd"));
    assert_false(is_one("++", "cat"));
}

static void
allow_is_nobody(void **state)
{
    assert_false(is_one(FS_CRAWLERS_ALLOW, "tumblerd"));
    assert_false(is_one(FS_CRAWLERS_ALLOW, "allow"));
}

static void
unknown_thread_is_none(void **state)
{
    g_autoptr(FsCrawlers) crawlers = fs_crawlers_new("*");
    pid_t gone = start("gone");

    end(gone);
    assert_false(fs_crawlers_has(crawlers, gone));
    assert_false(fs_crawlers_has(crawlers, 0));
    assert_false(fs_crawlers_has(crawlers, -1));
    fs_crawlers_note(crawlers, gone);
}

/* Which is soon, but not at the moment that exec closes its files. */
static void
await_name(pid_t process, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)process);
    gint64 late = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    g_autofree char *found = NULL;

    while (found == NULL || strcmp(g_strchomp(found), name) != 0) {
        assert_true(g_get_monotonic_time() < late);
        g_clear_pointer(&found, g_free);
        assert_true(g_file_get_contents(path, &found, NULL, NULL));
    }
}

/* As a shell does: it looks for files, and becomes the program that it starts
 * with them. */
static void
crawler_since_just_now_is_known(void **state)
{
    g_autoptr(FsCrawlers) crawlers = fs_crawlers_new("tail");
    gint64 end_at;
    int ready[2];
    char octet;
    pid_t process;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    process = fork();
    if (process == 0) {
        prctl(PR_SET_NAME, "sh");
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        raise(SIGSTOP);
        execlp("tail", "tail", "-f", "/dev/null", NULL);
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    assert_int_equal(waitpid(process, NULL, WUNTRACED), process);
    end_at = g_get_monotonic_time() + G_USEC_PER_SEC / 2;
    assert_false(fs_crawlers_has(crawlers, process));
    kill(process, SIGCONT);
    /* Closed by exec. */
    assert_int_equal(read(ready[0], &octet, 1), 0);
    close(ready[0]);
    await_name(process, "tail");
    /* To be loaded takes it some time. */
    g_usleep(1000);
    if (g_get_monotonic_time() < end_at)
        assert_true(fs_crawlers_has(crawlers, process));
    end(process);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_ones_are_known),
        cmocka_unit_test(names_are_as_given),
        cmocka_unit_test(allow_is_nobody),
        cmocka_unit_test(unknown_thread_is_none),
        cmocka_unit_test(crawler_since_just_now_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
