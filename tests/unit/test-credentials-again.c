/* Another password, while the main loop goes on. */
#include "fs/options/credentials-again.h"

#include "fs/kernel/errno.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    FsOptions *options;
    char *directory;
    guint n_calls;
    gboolean same;
    GError *error;
} Fixture;

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->options = g_new0(FsOptions, 1);
    f->options->settings = imap_settings_new();
    f->options->settings->password = imap_secret_new("old", 3);
    f->directory = g_dir_make_tmp("imapfs-test-XXXXXX", NULL);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    g_rmdir(f->directory);
    g_free(f->directory);
    g_clear_error(&f->error);
    fs_options_free(f->options);
    g_free(f);
    return 0;
}

static void
on_credentials(const GError *error, gboolean same, gpointer user_data)
{
    Fixture *f = user_data;

    f->n_calls++;
    f->same = same;
    f->error = error != NULL ? g_error_copy(error) : NULL;
}

static void
obtain(Fixture *f)
{
    g_autoptr(FsCredentialsAgain) again = fs_credentials_again_new(f->options);

    assert_true(fs_credentials_again_is_possible(again));
    f->n_calls = 0;
    fs_credentials_again_start(again, on_credentials, f);
    /* One that is under way is not begun anew. */
    fs_credentials_again_start(again, on_credentials, f);
    assert_int_equal(f->n_calls, 0);
    while (f->n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(f->n_calls, 1);
}

static void
run(Fixture *f, const char *command)
{
    g_free(f->options->password_command);
    f->options->password_command = g_strdup(command);
    obtain(f);
}

static void
assert_password(const Fixture *f, const char *expected)
{
    assert_string_equal(imap_secret_text(f->options->settings->password),
                        expected);
}

static void
assert_failed(Fixture *f, const char *words)
{
    assert_true(g_error_matches(f->error, FS_ERROR, FS_ERROR_CREDENTIALS));
    if (strstr(f->error->message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f->error->message, words);
    assert_password(f, "old");
    g_clear_error(&f->error);
}

static void
command_gives_another_password(void **state)
{
    Fixture *f = *state;

    run(f, "echo new; echo more");
    assert_null(f->error);
    assert_false(f->same);
    assert_password(f, "new");
}

static void
same_password_is_told(void **state)
{
    Fixture *f = *state;

    run(f, "printf 'old\\r\\n'");
    assert_null(f->error);
    assert_true(f->same);
    assert_password(f, "old");
}

static void
token_command_gives_another_token(void **state)
{
    Fixture *f = *state;

    f->options->settings->token = imap_secret_new("expired", 7);
    f->options->token_command = g_strdup("echo fresh");
    obtain(f);
    assert_null(f->error);
    assert_string_equal(imap_secret_text(f->options->settings->token), "fresh");
    assert_password(f, "old");
}

static gboolean
let_go(gpointer user_data)
{
    assert_int_equal(write(GPOINTER_TO_INT(user_data), "\n", 1), 1);
    return G_SOURCE_REMOVE;
}

/* Which lets it go on. */
static void
loop_goes_on_while_a_command_runs(void **state)
{
    Fixture *f = *state;
    g_autofree char *gate = g_build_filename(f->directory, "gate", NULL);
    int fd;

    assert_int_equal(mkfifo(gate, 0600), 0);
    fd = open(gate, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    f->options->password_command =
        g_strdup_printf("read x < %s; echo new", gate);
    g_timeout_add(10, let_go, GINT_TO_POINTER(fd));
    obtain(f);
    close(fd);
    unlink(gate);
    assert_password(f, "new");
}

/* An agent that it starts may hold its output open. */
static void
end_of_the_command_is_the_end(void **state)
{
    Fixture *f = *state;
    gint64 began = g_get_monotonic_time();

    run(f, "sleep 20 2>/dev/null & echo new");
    assert_true(g_get_monotonic_time() - began < 10 * G_TIME_SPAN_SECOND);
    assert_password(f, "new");
}

static void
failures_are_sentences(void **state)
{
    Fixture *f = *state;

    run(f, "exit 3");
    assert_failed(f, "exit status 3");
    run(f, "kill -9 $$");
    assert_failed(f, "signal 9");
    run(f, "echo");
    assert_failed(f, "empty");
    run(f, "yes geheim | head -c 100000");
    assert_failed(f, "more than 65536 octets");
}

static void
command_runs_where_the_first_one_did(void **state)
{
    Fixture *f = *state;
    g_autofree char *before = g_get_current_dir();
    g_autoptr(FsCredentialsAgain) again = NULL;

    f->options->password_command = g_strdup("pwd");
    assert_int_equal(g_chdir(f->directory), 0);
    again = fs_credentials_again_new(f->options);
    assert_int_equal(g_chdir(before), 0);
    fs_credentials_again_start(again, on_credentials, f);
    while (f->n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_password(f, f->directory);
}

static void
file_is_read_again(void **state)
{
    Fixture *f = *state;
    char *path = g_build_filename(f->directory, "password", NULL);

    f->options->password_file = path;
    assert_true(g_file_set_contents_full(path, "new\n", 4,
                                         G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    obtain(f);
    assert_null(f->error);
    assert_password(f, "new");
    g_unlink(path);
    obtain(f);
    assert_non_null(f->error);
    assert_password(f, "new");
}

static void
typed_password_cannot_be_had_again(void **state)
{
    Fixture *f = *state;
    g_autoptr(FsCredentialsAgain) again = fs_credentials_again_new(f->options);

    assert_false(fs_credentials_again_is_possible(again));
    fs_credentials_again_start(again, on_credentials, f);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(f->n_calls, 0);
}

static void
free_ends_a_command_that_runs(void **state)
{
    Fixture *f = *state;
    FsCredentialsAgain *again;

    f->options->password_command = g_strdup("exec sleep 100");
    again = fs_credentials_again_new(f->options);
    fs_credentials_again_start(again, on_credentials, f);
    for (guint i = 0; i < 5; i++)
        g_main_context_iteration(NULL, FALSE);
    fs_credentials_again_free(again);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(f->n_calls, 0);
}

/* Also what it has started. */
static void
command_that_is_given_up_leaves_nothing(void **state)
{
    Fixture *f = *state;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    FsCredentialsAgain *again;
    int fd = g_file_open_tmp("imapfs-pid-XXXXXX", &path, NULL);
    gint64 late = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    pid_t child;

    close(fd);
    f->options->password_command =
        g_strdup_printf("sleep 100 & echo $! > %s; wait", path);
    again = fs_credentials_again_new(f->options);
    fs_credentials_again_start(again, on_credentials, f);
    do {
        g_clear_pointer(&text, g_free);
        g_main_context_iteration(NULL, FALSE);
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
    } while (strchr(text, '\n') == NULL && g_get_monotonic_time() < late);
    child = (pid_t)g_ascii_strtoll(text, NULL, 10);
    assert_true(child > 0);
    fs_credentials_again_free(again);
    /* Whose child it is then, sees to it some time. */
    while (kill(child, 0) == 0 && g_get_monotonic_time() < late) {
        g_autofree char *state_file = g_strdup_printf("/proc/%d/stat", child);
        g_autofree char *stat = NULL;

        if (!g_file_get_contents(state_file, &stat, NULL, NULL) ||
            strstr(stat, ") Z ") != NULL)
            break;
        g_usleep(1000);
    }
    assert_true(g_get_monotonic_time() < late);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(f->n_calls, 0);
    unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(command_gives_another_password),
        TEST(same_password_is_told),
        TEST(token_command_gives_another_token),
        TEST(loop_goes_on_while_a_command_runs),
        TEST(end_of_the_command_is_the_end),
        TEST(failures_are_sentences),
        TEST(command_runs_where_the_first_one_did),
        TEST(file_is_read_again),
        TEST(typed_password_cannot_be_had_again),
        TEST(free_ends_a_command_that_runs),
        TEST(command_that_is_given_up_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
