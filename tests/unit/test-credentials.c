/* Where the password comes from, and going to the background: what happens
 * before the first octet goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/mount/background.h"
#include "fs/options/credentials-private.h"
#include "fs/options/credentials.h"
#include "fs/options/terminal-prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define NOBODY 65534

/* What fs_options_parse would leave behind. */
static FsOptions *
make_options(void)
{
    FsOptions *options = g_new0(FsOptions, 1);

    options->settings = imap_settings_new();
    options->settings->host = g_strdup("mail.example.org");
    options->settings->username = g_strdup("alice");
    return options;
}

static void
assert_refused(FsOptions *options, const char *expected)
{
    g_autoptr(GError) error = NULL;

    assert_false(fs_credentials_obtain(options, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_CREDENTIALS));
    if (strstr(error->message, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->message, expected);
    assert_null(strstr(error->message, "geheim"));
    assert_null(options->settings->password);
    assert_null(options->settings->token);
}

static void
assert_password(FsOptions *options, const char *expected)
{
    g_autoptr(GError) error = NULL;

    if (!fs_credentials_obtain(options, &error))
        fail_msg("%s", error->message);
    assert_string_equal(imap_secret_text(options->settings->password),
                        expected);
}

/* A file of that content and mode; remove_file ends it. */
static FsOptions *
with_file(const char *content, gssize length, mode_t mode)
{
    FsOptions *options = make_options();
    int file = g_file_open_tmp("imapfs-password-XXXXXX",
                               &options->password_file, NULL);

    if (length < 0)
        length = (gssize)strlen(content);
    assert_int_equal(write(file, content, (gsize)length), length);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
    return options;
}

static void
remove_file(FsOptions *options)
{
    g_unlink(options->password_file);
    fs_options_free(options);
}

static void
file_first_line_is_the_password(void **state)
{
    static const char *const contents[] = {
        "ge heim\n",
        "ge heim",
        "ge heim\r\n",
        "ge heim\nsecond line\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(contents); i++) {
        FsOptions *options = with_file(contents[i], -1, i % 2 ? 0400 : 0600);

        assert_password(options, "ge heim");
        assert_string_equal(options->settings->username, "alice");
        remove_file(options);
    }
}

static void
file_open_to_others_is_refused_with_remedy(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        FsOptions *options = with_file("geheim\n", -1, modes[i]);
        g_autofree char *remedy =
            g_strdup_printf("chmod 600 '%s'", options->password_file);

        assert_refused(options, remedy);
        remove_file(options);
    }
}

static void
file_of_wrong_content_is_refused(void **state)
{
    g_autofree char *huge = g_strnfill(4097, 'a');
    g_autofree char *full = g_strnfill(4096, 'a');
    FsOptions *empty = with_file("", -1, 0600);
    FsOptions *blank = with_file("\ngeheim\n", -1, 0600);
    FsOptions *nul = with_file("ge\0heim\n", 8, 0600);
    FsOptions *too_long = with_file(huge, -1, 0600);
    FsOptions *just_right = with_file(full, -1, 0600);

    assert_refused(empty, "empty");
    assert_refused(blank, "empty");
    assert_refused(nul, "NUL");
    assert_refused(too_long, "4096");
    assert_password(just_right, full);
    remove_file(empty);
    remove_file(blank);
    remove_file(nul);
    remove_file(too_long);
    remove_file(just_right);
}

static void
file_not_regular_is_refused_at_once(void **state)
{
    FsOptions *fifo = with_file("", -1, 0600);
    FsOptions *directory = make_options();
    FsOptions *missing = make_options();

    g_unlink(fifo->password_file);
    assert_int_equal(mkfifo(fifo->password_file, 0600), 0);
    directory->password_file = g_strdup("/");
    missing->password_file = g_strdup("/no/such/file");

    assert_refused(fifo, "regular file");
    assert_refused(directory, "regular file");
    assert_refused(missing, "/no/such/file");
    remove_file(fifo);
    fs_options_free(directory);
    fs_options_free(missing);
}

static void
file_of_another_user_is_refused(void **state)
{
    FsOptions *options;

    if (getuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    options = with_file("geheim\n", -1, 0600);
    assert_int_equal(chown(options->password_file, NOBODY, NOBODY), 0);
    assert_refused(options, "chown 0 ");
    remove_file(options);
}

static FsOptions *
with_command(const char *command)
{
    FsOptions *options = make_options();

    options->password_command = g_strdup(command);
    return options;
}

static void
command_first_line_is_the_password(void **state)
{
    static const char *const commands[] = {
        "echo geheim",
        "printf geheim",
        "printf 'geheim\\r\\n'",
        "echo geheim; echo more; echo yet more",
        "read line </dev/null; echo geheim",
    };

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autoptr(FsOptions) options = with_command(commands[i]);

        assert_password(options, "geheim");
    }
}

static void
command_that_fails_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *command;
        const char *reason;
    } rows[] = {
        {"echo geheim; exit 3", "exit status 3"},
        {"kill -KILL $$", "signal 9"},
        {"true geheim", "empty"},
        {"echo; echo geheim", "empty"},
        {"printf 'ge\\000heim\\n'", "NUL"},
        {"/no/such/geheim 2>/dev/null", "exit status 127"},
        {"head -c 1000000 /dev/zero | tr '\\0' a", "65536"},
        {"echo geheim; head -c 1000000 /dev/zero", "65536"},
        {"trap '' PIPE; while :; do echo geheim; done 2>/dev/null", "65536"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FsOptions) options = with_command(rows[i].command);

        assert_refused(options, rows[i].reason);
    }
}

/* A pipe whose end for the processes is @fd: the other one is closed to us when
 * they are gone. */
static int
open_witness(int fd)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[1], fd), fd);
    close(ends[1]);
    return ends[0];
}

static void
command_that_does_not_end_is_ended_with_all_that_it_started(void **state)
{
    g_autoptr(FsOptions) options =
        with_command("echo geheim; (sleep 1000; :); :");
    guint before = fs_credentials_command_ms;
    int witness = open_witness(9);
    struct pollfd fd = {.fd = witness, .events = POLLIN};

    fs_credentials_command_ms = 300;
    assert_refused(options, "did not end within 0 seconds");
    fs_credentials_command_ms = before;
    close(9);
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    close(witness);
}

/* It has the output, and lives as long as we do not close our end. */
static void
what_a_command_leaves_behind_is_not_waited_for(void **state)
{
    g_autoptr(FsOptions) options = with_command("echo geheim; cat <&8 &");
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[0], 8), 8);
    close(ends[0]);
    assert_password(options, "geheim");
    close(8);
    close(ends[1]);
}

static void
command_runs_with_inherited_ignored_sigchld(void **state)
{
    g_autoptr(FsOptions) options = with_command("echo geheim");

    signal(SIGCHLD, SIG_IGN);
    assert_password(options, "geheim");
    signal(SIGCHLD, SIG_DFL);
}

/* The shell's command line says nothing of it; it has no descriptor of it left,
 * and standard input is what it was. */
static void
command_shows_in_no_command_line(void **state)
{
    static const struct {
        const char *command, *secret;
    } rows[] = {
        {"tr '\\0' ' ' < /proc/$$/cmdline # geheim", "/bin/sh -c . /dev/fd/3 "},
        {"if (: <&3) 2>/dev/null; then echo open; else echo closed; fi",
         "closed"},
        {"test /proc/self/fd/0 -ef /proc/$PPID/fd/0 && echo same", "same"},
        {"x='a\nb'\necho \"$x\" | tail -n 1", "b"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FsOptions) options = with_command(rows[i].command);

        assert_password(options, rows[i].secret);
    }
}

static void
token_command_fills_the_token_alone(void **state)
{
    g_autoptr(FsOptions) options = make_options();
    g_autoptr(GError) error = NULL;

    options->token_command = g_strdup("echo ya29.token");
    assert_true(fs_credentials_obtain(options, &error));
    assert_string_equal(imap_secret_text(options->settings->token),
                        "ya29.token");
    assert_null(options->settings->password);
}

static void
username_missing_is_the_callers(void **state)
{
    g_autoptr(FsOptions) options = with_command("echo geheim");

    g_clear_pointer(&options->settings->username, g_free);
    assert_password(options, "geheim");
    assert_string_equal(options->settings->username, g_get_user_name());
}

static void
certificate_needs_no_password(void **state)
{
    g_autoptr(FsOptions) external = make_options();
    g_autoptr(FsOptions) certificate = make_options();
    g_autoptr(GError) error = NULL;

    external->settings->mechanism = g_strdup("EXTERNAL");
    g_clear_pointer(&external->settings->username, g_free);
    certificate->settings->client_cert = g_strdup("/some/cert.pem");
    assert_true(fs_credentials_obtain(external, &error));
    assert_null(external->settings->username);
    assert_true(fs_credentials_obtain(certificate, &error));
    assert_null(certificate->settings->password);
}

/* ---- at a terminal ---- */

typedef struct {
    int master;
    pid_t child;
    GString *seen;
} Terminal;

/* In a child with a terminal of its own: asks, and exits 0 if the answer is
 * "geheim", 5 if it was refused. */
static Terminal
start_prompt(void)
{
    Terminal terminal = {.seen = g_string_new(NULL)};

    fflush(NULL);
    terminal.child = forkpty(&terminal.master, NULL, NULL, NULL);
    assert_true(terminal.child >= 0);
    if (terminal.child == 0) {
        g_autoptr(FsOptions) options = make_options();
        g_autoptr(GError) error = NULL;

        if (!fs_credentials_obtain(options, &error)) {
            printf("%s\n", error->message);
            fflush(stdout);
            _exit(5);
        }
        _exit(strcmp(imap_secret_text(options->settings->password), "geheim"));
    }
    return terminal;
}

/* Reads what the terminal shows until it holds @text, or to its end. */
static void
read_until(Terminal *terminal, const char *text)
{
    while (text == NULL || strstr(terminal->seen->str, text) == NULL) {
        struct pollfd readable = {.fd = terminal->master, .events = POLLIN};
        char buffer[512];
        ssize_t count;

        if (poll(&readable, 1, PATIENCE_MS) != 1)
            fail_msg("nothing after \"%s\"", terminal->seen->str);
        count = read(terminal->master, buffer, sizeof buffer);
        if (count <= 0 && text == NULL)
            return;
        if (count <= 0)
            fail_msg("ended after \"%s\"", terminal->seen->str);
        g_string_append_len(terminal->seen, buffer, count);
    }
}

static void
type(Terminal *terminal, const char *text)
{
    assert_int_equal(write(terminal->master, text, strlen(text)), strlen(text));
}

static gboolean
echoes(const Terminal *terminal)
{
    struct termios modes;

    assert_int_equal(tcgetattr(terminal->master, &modes), 0);
    return (modes.c_lflag & ECHO) != 0;
}

static int
end_prompt(Terminal *terminal)
{
    int status;

    assert_int_equal(waitpid(terminal->child, &status, 0), terminal->child);
    close(terminal->master);
    g_string_free(terminal->seen, TRUE);
    return status;
}

static void
terminal_answer_is_the_password_and_not_shown(void **state)
{
    Terminal terminal = start_prompt();
    int status;

    read_until(&terminal, "Password for alice at mail.example.org: ");
    assert_false(echoes(&terminal));
    type(&terminal, "geheim\n");
    read_until(&terminal, NULL);
    assert_null(strstr(terminal.seen->str, "geheim"));
    assert_true(echoes(&terminal));
    status = end_prompt(&terminal);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
terminal_answer_empty_or_endless_is_refused(void **state)
{
    g_autofree char *endless = g_strnfill(1025, 'a');
    const char *const answers[] = {"", "\x04", endless};
    const char *const complaints[] = {"no password", "no password", "1024"};

    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        Terminal terminal = start_prompt();
        int status;

        read_until(&terminal, ": ");
        type(&terminal, answers[i]);
        if (i != 1)
            type(&terminal, "\n");
        read_until(&terminal, complaints[i]);
        read_until(&terminal, NULL);
        status = end_prompt(&terminal);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    }
}

static void
terminal_interrupted_echoes_again(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        Terminal terminal = start_prompt();
        int status;

        read_until(&terminal, ": ");
        if (numbers[i] == SIGINT)
            type(&terminal, "gehe\x03");
        else
            kill(terminal.child, numbers[i]);
        read_until(&terminal, NULL);
        assert_true(echoes(&terminal));
        status = end_prompt(&terminal);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
    }
}

static void
terminal_stopped_echoes_and_asks_again(void **state)
{
    Terminal terminal = start_prompt();
    int status;

    read_until(&terminal, ": ");
    /* A session leader's group is orphaned: the kernel would drop a SIGTSTP of
     * the terminal's, so the stop itself cannot be seen; the question can. */
    kill(terminal.child, SIGTSTP);
    read_until(&terminal, ": \r\nPassword for alice at ");
    type(&terminal, "geheim\n");
    read_until(&terminal, NULL);
    status = end_prompt(&terminal);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- in a child ---- */

/* Runs @body in a child whose standard error is collected in *text; returns the
 * child's status. */
static int
run_in_child(void (*body)(void), char **text)
{
    GString *errors = g_string_new(NULL);
    int ends[2];
    char buffer[512];
    ssize_t count;
    pid_t child;
    int status;

    fflush(NULL);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(99);
    }
    close(ends[1]);
    while ((count = read(ends[0], buffer, sizeof buffer)) > 0)
        g_string_append_len(errors, buffer, count);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    *text = g_string_free(errors, FALSE);
    return status;
}

static void
ask_without_terminal(void)
{
    g_autoptr(FsOptions) options = make_options();
    g_autoptr(GError) error = NULL;

    setsid();
    if (fs_credentials_obtain(options, &error))
        _exit(1);
    fprintf(stderr, "%s", error->message);
    _exit(0);
}

static void
terminal_missing_is_refused_with_remedy(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(ask_without_terminal, &text);

    assert_int_equal(WEXITSTATUS(status), 0);
    assert_non_null(strstr(text, "password_file="));
    assert_non_null(strstr(text, "password_command="));
}

/* The child of the child: lives on after the parent was let go, and says so. */
static void
detach_and_live_on(void)
{
    int report = dup(STDERR_FILENO);
    pid_t parent = getpid();
    char place[2] = "";
    struct stat in, null;

    fs_background_start();
    fs_background_detach(0);
    while (getppid() == parent)
        g_thread_yield();
    stat("/dev/null", &null);
    fstat(STDERR_FILENO, &in);
    dprintf(report, "%s %s %s",
            getcwd(place, sizeof place) != NULL ? place : "?",
            getsid(0) == getpid() ? "leader" : "member",
            in.st_rdev == null.st_rdev ? "null" : "open");
    _exit(42);
}

static void
background_detached_lets_parent_succeed(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(detach_and_live_on, &text);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(text, "/ leader null");
}

static void
fail_with_three(void)
{
    fs_background_start();
    _exit(3);
}

static void
die_by_kill(void)
{
    fs_background_start();
    raise(SIGKILL);
}

static void
die_by_interrupt(void)
{
    fs_background_start();
    raise(SIGINT);
}

static void
background_failure_is_the_parents(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(fail_with_three, &text);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(text, "");
}

static void
background_killed_says_so(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(die_by_kill, &text);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(text, "imapfs: ended by signal 9"));
}

static void
background_interrupted_ends_parent_likewise(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(die_by_interrupt, &text);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    assert_string_equal(text, "");
}

/* The grandchild kills its parent and must end by the kernel's hand; the pipe
 * of run_in_child ends when it has. */
static void
kill_parent_and_wait(void)
{
    fs_background_start();
    kill(getppid(), SIGKILL);
    for (;;)
        pause();
}

static void
background_parent_killed_ends_child(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(kill_parent_and_wait, &text);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
detach_without_start(void)
{
    pid_t session = getsid(0);

    fs_background_detach(0);
    _exit(getsid(0) == session && write(STDERR_FILENO, "x", 1) == 1 ? 7 : 8);
}

static void
background_not_started_detach_does_nothing(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(detach_without_start, &text);

    assert_int_equal(WEXITSTATUS(status), 7);
    assert_string_equal(text, "x");
}

static void
protect_and_look(void)
{
    struct rlimit limit;

    fs_background_protect_secrets();
    getrlimit(RLIMIT_CORE, &limit);
    _exit(limit.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 ? 1 : 2);
}

static void
secrets_protected_unless_sanitized(void **state)
{
    g_autofree char *text = NULL;
    int status = run_in_child(protect_and_look, &text);

#if defined(__SANITIZE_ADDRESS__)
    assert_int_equal(WEXITSTATUS(status), 2);
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    assert_int_equal(WEXITSTATUS(status), 2);
#else
    assert_int_equal(WEXITSTATUS(status), 1);
#endif
#else
    assert_int_equal(WEXITSTATUS(status), 1);
#endif
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_first_line_is_the_password),
        cmocka_unit_test(file_open_to_others_is_refused_with_remedy),
        cmocka_unit_test(file_of_wrong_content_is_refused),
        cmocka_unit_test(file_not_regular_is_refused_at_once),
        cmocka_unit_test(file_of_another_user_is_refused),
        cmocka_unit_test(command_first_line_is_the_password),
        cmocka_unit_test(command_that_fails_is_refused_with_the_reason),
        cmocka_unit_test(
            command_that_does_not_end_is_ended_with_all_that_it_started),
        cmocka_unit_test(what_a_command_leaves_behind_is_not_waited_for),
        cmocka_unit_test(command_runs_with_inherited_ignored_sigchld),
        cmocka_unit_test(command_shows_in_no_command_line),
        cmocka_unit_test(token_command_fills_the_token_alone),
        cmocka_unit_test(username_missing_is_the_callers),
        cmocka_unit_test(certificate_needs_no_password),
        cmocka_unit_test(terminal_answer_is_the_password_and_not_shown),
        cmocka_unit_test(terminal_answer_empty_or_endless_is_refused),
        cmocka_unit_test(terminal_interrupted_echoes_again),
        cmocka_unit_test(terminal_stopped_echoes_and_asks_again),
        cmocka_unit_test(terminal_missing_is_refused_with_remedy),
        cmocka_unit_test(background_detached_lets_parent_succeed),
        cmocka_unit_test(background_failure_is_the_parents),
        cmocka_unit_test(background_killed_says_so),
        cmocka_unit_test(background_interrupted_ends_parent_likewise),
        cmocka_unit_test(background_parent_killed_ends_child),
        cmocka_unit_test(background_not_started_detach_does_nothing),
        cmocka_unit_test(secrets_protected_unless_sanitized),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
