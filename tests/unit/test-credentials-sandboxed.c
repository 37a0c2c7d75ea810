/* A command that prints the password, where the kernel does not tell of the end
 * of a process by a descriptor: all of this program is in such a sandbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/credentials-private.h"
#include "fs/options/credentials.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static FsOptions *
with_command(const char *command)
{
    FsOptions *options = g_new0(FsOptions, 1);

    options->settings = imap_settings_new();
    options->settings->host = g_strdup("mail.example.org");
    options->settings->username = g_strdup("alice");
    options->password_command = g_strdup(command);
    return options;
}

static void
assert_refused(const char *command, const char *expected)
{
    g_autoptr(FsOptions) options = with_command(command);
    g_autoptr(GError) error = NULL;

    assert_false(fs_credentials_obtain(options, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_CREDENTIALS));
    assert_non_null(strstr(error->message, expected));
}

static void
command_is_run_as_ever(void **state)
{
    static const char *const commands[] = {
        "echo geheim",
        "echo geheim; exec >&-; sleep 0.1",
        "echo geheim; sleep 3 & exit 0",
    };

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autoptr(FsOptions) options = with_command(commands[i]);
        g_autoptr(GError) error = NULL;

        assert_true(fs_credentials_obtain(options, &error));
        assert_null(error);
        assert_non_null(options->settings->password);
    }
    assert_refused("echo geheim; exit 3", "exit status 3");
    assert_refused("trap '' PIPE; while :; do echo geheim; done 2>/dev/null",
                   "65536");
}

static void
command_that_closes_its_output_is_not_waited_for_without_end(void **state)
{
    guint before = fs_credentials_command_ms;

    fs_credentials_command_ms = 300;
    assert_refused("echo geheim; exec >&-; sleep 1000", "did not end within");
    fs_credentials_command_ms = before;
}

/* FALSE: this kernel has no such thing either. */
static gboolean
enter_sandbox(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {G_N_ELEMENTS(rules), rules};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
descriptor_of_a_process_cannot_be_had(void **state)
{
    assert_int_equal(syscall(SYS_pidfd_open, getpid(), 0), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptor_of_a_process_cannot_be_had),
        cmocka_unit_test(command_is_run_as_ever),
        cmocka_unit_test(
            command_that_closes_its_output_is_not_waited_for_without_end),
    };

    if (!enter_sandbox())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
