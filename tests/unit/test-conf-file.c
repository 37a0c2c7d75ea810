/* The configuration file, what stands for an account, and --print-config: files
 * and lines, what they must mean, or what the complaint must say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/conf-file.h"
#include "fs/options/option-values.h"
#include "fs/options/options.h"
#include "fs/options/presets.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TWO_ACCOUNTS                                                           \
    "# mail\n"                                                                 \
    "[work]\n"                                                                 \
    "url = imaps://alice@mail.example.org:9993/\n"                             \
    "password_command = echo geheim | tr a-z A-Z; echo \\s\n"                  \
    "timeout=7\n"                                                              \
    "\n"                                                                       \
    "  [home]  \n"                                                             \
    "url=gmail:me@gmail.com\n"                                                 \
    "xattr = yes\r\n"                                                          \
    "delete = expunge\n"

static char *directory;
static char *mountpoint;
static char *path;

static void
write_file(const char *text)
{
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_int_equal(g_chmod(path, 0600), 0);
}

/* "imapfs" and @words; '|' separates them, "@" stands for the mountpoint. The
 * file is where it is usually looked for. */
static FsOptionsResult
parse(const char *words, FsOptions **options, GError **error)
{
    g_autofree char *line = g_strconcat("imapfs|", words, NULL);
    g_auto(GStrv) argv = g_strsplit(line, "|", -1);

    for (guint i = 0; argv[i] != NULL; i++) {
        if (strcmp(argv[i], "@") == 0) {
            g_free(argv[i]);
            argv[i] = g_strdup(mountpoint);
        }
    }
    return fs_options_parse((int)g_strv_length(argv), argv, options, error);
}

static FsOptions *
parse_good(const char *words)
{
    g_autoptr(GError) error = NULL;
    FsOptions *options = NULL;

    if (parse(words, &options, &error) != FS_OPTIONS_MOUNT)
        fail_msg("%s: %s", words, error != NULL ? error->message : "?");
    return options;
}

/* @expected: pieces of the sentence, '|' between them. */
static void
assert_refused(const char *words, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FsOptions) options = NULL;
    g_auto(GStrv) pieces = g_strsplit(expected, "|", -1);

    if (parse(words, &options, &error) != FS_OPTIONS_ERROR)
        fail_msg("accepted: %s", words);
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_USAGE));
    for (guint i = 0; pieces[i] != NULL; i++)
        if (strstr(error->message, pieces[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->message, pieces[i]);
    assert_null(strchr(error->message, '\n'));
    assert_null(strstr(error->message, "geheim"));
}

/* ---- the file ---- */

/* Nor "~", which is the same. */
static void
home_that_is_none_is_taken_for_unset(void **state)
{
    static const char *const homes[] = {"", "home", "./home", NULL};
    g_autofree char *config = g_strdup(g_getenv("XDG_CONFIG_HOME"));
    g_autofree char *home = g_strdup(g_getenv("HOME"));

    g_setenv("XDG_CONFIG_HOME", "config", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(homes); i++) {
        g_autofree char *file = NULL;
        g_autofree char *below = NULL;
        g_autofree char *itself = NULL;

        if (homes[i] != NULL)
            g_setenv("HOME", homes[i], TRUE);
        else
            g_unsetenv("HOME");
        file = fs_conf_file_default_path();
        below = fs_option_absolute_path("~/x");
        itself = fs_option_absolute_path("~");
        assert_true(g_path_is_absolute(file));
        assert_true(g_str_has_suffix(file, "/.config/imapfs/imapfs.conf"));
        assert_true(g_path_is_absolute(below));
        assert_true(g_path_is_absolute(itself));
    }
    g_setenv("XDG_CONFIG_HOME", config, TRUE);
    if (home != NULL)
        g_setenv("HOME", home, TRUE);
}

/* Some editors of other systems write it. */
static void
byte_order_mark_is_passed_over(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file("\xef\xbb\xbf" TWO_ACCOUNTS);
    options = parse_good("work|@");
    assert_string_equal(options->settings->host, "mail.example.org");
    write_file("\xef\xbb\xbf");
    assert_refused("work|@", "work");
}

static void
account_by_name_has_what_the_file_says(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file(TWO_ACCOUNTS);
    options = parse_good("work|@");
    assert_string_equal(options->account, "work");
    assert_string_equal(options->settings->host, "mail.example.org");
    assert_int_equal(options->settings->port, 9993);
    assert_string_equal(options->settings->username, "alice");
    assert_int_equal(options->settings->timeout_ms, 7000);
    assert_string_equal(options->password_command,
                        "echo geheim | tr a-z A-Z; echo \\s");
    assert_false(options->xattr);
    assert_null(options->preset);
}

static void
command_line_overrules_file_and_file_the_preset(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file(TWO_ACCOUNTS);
    options = parse_good("-o|timeout=9,password_file=/p|work|@");
    assert_int_equal(options->settings->timeout_ms, 9000);
    assert_string_equal(options->password_file, "/p");
    assert_null(options->password_command);
    g_clear_pointer(&options, fs_options_free);

    options = parse_good("home|@");
    assert_string_equal(options->settings->host, "imap.gmail.com");
    assert_string_equal(options->settings->username, "me@gmail.com");
    assert_true(options->xattr);
    assert_int_equal(options->remove, FS_REMOVE_EXPUNGE);
    g_clear_pointer(&options, fs_options_free);

    options = parse_good("home|@|-o|xattr=no,delete=mark");
    assert_false(options->xattr);
    assert_int_equal(options->remove, FS_REMOVE_MARK);
}

static void
flag_that_is_not_said_is_not_passed_on(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file("[a]\nurl=imaps://h/\nsync=yes\nallow_other=yes\nro=yes\n");
    options = parse_good("@");
    assert_string_equal(options->fuse_options[0], "sync");
    assert_string_equal(options->fuse_options[1], "allow_other");
    assert_null(options->fuse_options[2]);
    assert_true(options->read_only);
    g_clear_pointer(&options, fs_options_free);

    options = parse_good("@|-o|sync=no,allow_other=off,rw");
    assert_null(options->fuse_options[0]);
    assert_false(options->sync || options->allow_other || options->read_only);
}

static void
bare_mountpoint_means_the_only_account(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file("[only]\nurl = imaps://alice@mail.example.org/\n");
    options = parse_good("@");
    assert_string_equal(options->account, "only");
    assert_string_equal(options->mountpoint, mountpoint);

    assert_refused("only", "MOUNTPOINT is missing");
    write_file(TWO_ACCOUNTS);
    assert_refused("@", "NAME is missing|work, home|imapfs NAME MOUNTPOINT");
    write_file("# nothing\n");
    assert_refused("@", "names no account|[NAME]");
}

static void
url_does_not_need_the_file(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    write_file("[broken\n");
    options = parse_good("imaps://alice@mail.example.org/|@");
    assert_null(options->account);
    assert_refused("alice@example.org|@", "imapfs.conf:1: |[NAME]");
}

static void
another_file_is_read_instead(void **state)
{
    g_autofree char *other = g_build_filename(directory, "other", NULL);
    g_autofree char *words = g_strdup_printf("--config=%s|there|@", other);
    g_autoptr(FsOptions) options = NULL;

    write_file(TWO_ACCOUNTS);
    g_file_set_contents(other, "[there]\nurl=imaps://h/\n", -1, NULL);
    options = parse_good(words);
    assert_string_equal(options->account, "there");
    g_unlink(other);
    assert_refused(words, "cannot read|No such file|--config FILE");
}

static const struct {
    const char *text;
    const char *expected;
} broken_files[] = {
    {"[work]\nurl=imaps://h/\ntimout = 5\n", "imapfs.conf:3: |'timeout'"},
    {"[work]\nurl=imaps://h/\n[b]\nkernel_cache=1\n",
     "imapfs.conf:4: |'kernel_cache'|--help"},
    {"[work]\n\n\nulr=imaps://h/\n", "imapfs.conf:4: |did you mean 'url'?"},
    {"[work]\nurl=imaps://h/\ntimeout = 0\n",
     "imapfs.conf:3: |timeout=0|1 to 3600"},
    {"[work]\nurl=imaps://h/\ntimeout =\n",
     "imapfs.conf:3: |needs a value|timeout=SECONDS"},
    {"[work]\nurl=imaps://h/\nxattr = perhaps\n",
     "imapfs.conf:3: |'xattr'|yes or no"},
    {"[work]\nurl=imaps://h/\npassword = geheim\n",
     "imapfs.conf:3: |'password'|no password|password_command"},
    {"[work]\nurl=imaps://h/\ntoken = geheim\n",
     "imapfs.conf:3: |'token'|token_command"},
    {"[work]\nurl=imaps://h/\nport = 993\n", "imapfs.conf:3: |'port'|URL"},
    {"[work]\nurl=imaps://h/\ngeheim\n", "imapfs.conf:3: |neither [ACCOUNT]"},
    {"url=imaps://h/\n[work]\n", "imapfs.conf:1: |before any account|[NAME]"},
    {"[work]\nurl=imaps://h/\nro=1\nro=0\n", "imapfs.conf:4: |'ro'|line 3"},
    {"[work]\nurl=imaps://h/\n[work]\n", "imapfs.conf:3: |'work'|its own"},
    {"[work] x\nurl=imaps://h/\n", "imapfs.conf:1: |[NAME]"},
    {"[wo rk]\nurl=imaps://h/\n", "imapfs.conf:1: |name is none|letters"},
    {"[a/b]\nurl=imaps://h/\n", "imapfs.conf:1: |name is none"},
    {"[..]\nurl=imaps://h/\n", "imapfs.conf:1: |name is none"},
    {"[work]\ntimeout=5\n", "imapfs.conf|'work' has no url|[work]"},
    {"[work]\nurl=\n", "'work' has no url"},
    {"[work]\nurl=imaps://u:geheim@h/\n", "imapfs.conf:2: |password"},
    {"[work]\nurl=http://h/\n", "imapfs.conf:2: |imaps://"},
    {"[work]\nurl=mail.example.org\n", "imapfs.conf:2: |imaps://USER@HOST/"},
    {"[work]\nurl=gmial:me\n", "imapfs.conf:2: |'gmial'|'gmail'"},
    {"[work]\nurl=gmail:\n", "imapfs.conf:2: |user is missing|gmail:USER"},
    {"[work]\nurl=me@h\n", "imapfs.conf:2: |no domain"},
    {"[wrok]\nurl=imaps://h/\n", "no account 'work'|did you mean 'wrok'?"},
    {"[other]\nurl=imaps://h/\n", "no account 'work'|[NAME]|imaps://"},
    {"", "no account 'work'|[NAME]"},
    {"[work]\nurl=imaps://\xff/\n", "not UTF-8"},
};

static void
broken_files_name_line_and_remedy(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(broken_files); i++) {
        write_file(broken_files[i].text);
        assert_refused("work|@", broken_files[i].expected);
    }
}

static void
file_that_others_can_write_is_refused(void **state)
{
    write_file(TWO_ACCOUNTS);
    assert_int_equal(g_chmod(path, 0620), 0);
    assert_refused("work|@", "written by others|0620|chmod go-w ");
    assert_int_equal(g_chmod(path, 0602), 0);
    assert_refused("work|@", "written by others");
    assert_int_equal(g_chmod(path, 0644), 0);
    fs_options_free(parse_good("work|@"));

    if (geteuid() != 0)
        return;
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_refused("work|@", "belongs to another user|chown 0 ");
}

static void
without_a_file_a_name_is_refused(void **state)
{
    g_unlink(path);
    assert_refused("work|@", "'work' is no URL|imapfs.conf|imaps://");
    assert_refused("@", "URL is missing|imapfs.conf");
    assert_refused("--print-config", "no file|--config FILE");
    fs_options_free(parse_good("gmail:me|@"));
}

/* ---- providers and addresses ---- */

static void
address_of_a_provider_is_enough(void **state)
{
    static const struct {
        const char *words, *host, *user;
        ImapTls tls;
    } rows[] = {
        {"gmail:me@gmail.com|@", "imap.gmail.com", "me@gmail.com",
         IMAP_TLS_IMPLICIT},
        {"me@GoogleMail.com|@", "imap.gmail.com", "me@GoogleMail.com",
         IMAP_TLS_IMPLICIT},
        {"Gmail:me@example.org|@", "imap.gmail.com", "me@example.org",
         IMAP_TLS_IMPLICIT},
        {"me@icloud.com|@", "imap.mail.me.com", "me@icloud.com",
         IMAP_TLS_IMPLICIT},
        {"web.de:me@web.de|@", "imap.web.de", "me@web.de", IMAP_TLS_IMPLICIT},
        {"me@proton.me|@", "127.0.0.1", "me@proton.me", IMAP_TLS_STARTTLS},
        {"me@fastmail.com|@|-o|username=you", "imap.fastmail.com", "you",
         IMAP_TLS_IMPLICIT},
    };

    g_unlink(path);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FsOptions) options = parse_good(rows[i].words);

        assert_string_equal(options->settings->host, rows[i].host);
        assert_string_equal(options->settings->username, rows[i].user);
        assert_int_equal(options->settings->tls, rows[i].tls);
        assert_non_null(options->preset);
        assert_null(options->discover);
    }
    assert_refused("me@outlook.com|@", "auth=xoauth2|token_command=COMMAND");
    assert_refused("me:geheim@gmail.com|@", "no provider 'me'");
    assert_refused("gmail:me:geheim|@", "no password|password_file=FILE");
}

/* What the table says must be what the options take. */
static void
every_preset_is_good(void **state)
{
    for (const char *const *name = fs_preset_names(); *name != NULL; name++) {
        g_autofree char *words =
            g_strdup_printf("%s:me@x|@|-o|token_command=x", *name);
        const FsPreset *preset = fs_preset_find(*name);
        g_auto(GStrv) domains =
            g_strsplit(preset->domains != NULL ? preset->domains : "", " ", -1);

        fs_options_free(parse_good(words));
        for (guint i = 0; domains[i] != NULL; i++)
            assert_ptr_equal(fs_preset_of_domain(domains[i]), preset);
    }
}

static void
other_addresses_are_to_be_discovered(void **state)
{
    g_autoptr(FsOptions) options = NULL;

    g_unlink(path);
    options = parse_good("me@b\xc3\xbc"
                         "cher.example|@");
    assert_string_equal(options->discover, "xn--bcher-kva.example");
    assert_null(options->settings->host);
    assert_refused("me@example.org|@|-o|tls=off", "tls=off|imap://");
    g_clear_pointer(&options, fs_options_free);

    write_file("[me@example.org]\nurl=imaps://h/\n");
    options = parse_good("me@example.org|@");
    assert_string_equal(options->settings->host, "h");
}

/* ---- --print-config ---- */

static char *
printed(const char *words)
{
    g_autoptr(FsOptions) options = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_build_filename(directory, "printed", NULL);
    int output = dup(STDOUT_FILENO);
    FsOptionsResult result;
    char *text = NULL;

    fflush(stdout);
    assert_non_null(freopen(name, "w", stdout));
    result = parse(words, &options, &error);
    fflush(stdout);
    dup2(output, STDOUT_FILENO);
    close(output);
    if (result != FS_OPTIONS_CONFIG)
        fail_msg("%s", error != NULL ? error->message : "?");
    assert_true(g_file_get_contents(name, &text, NULL, NULL));
    g_unlink(name);
    return text;
}

static void
assert_says(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static void
config_is_printed_by_origin_without_secrets(void **state)
{
    g_autofree char *text = NULL;
    const char *chosen, *defaults;

    write_file(TWO_ACCOUNTS);
    text = printed("--print-config|-o|poll=5|work");
    assert_says(text, "[work]\n# server: mail.example.org, port 9993, TLS");
    chosen = strstr(text, "\n# from the command line\npoll = 5\n");
    assert_non_null(chosen);
    assert_says(chosen, "password_command = ***\n");
    assert_says(chosen, "timeout = 7\n");
    defaults = strstr(chosen, "\n# by default\n");
    assert_non_null(defaults);
    assert_says(defaults, "names = subject\n");
    assert_says(defaults, "# cache_dir: ~/.cache/imapfs\n");
    assert_null(strstr(defaults, "timeout"));
    assert_null(strstr(text, "geheim"));
    assert_null(strstr(text, "[home]"));
}

static void
config_that_is_printed_can_be_read(void **state)
{
    g_autofree char *text = NULL;
    g_autofree char *again = NULL;

    write_file(TWO_ACCOUNTS);
    text = printed("--print-config");
    assert_says(text, "[home]");
    write_file(text);
    again = printed("--print-config");
    assert_says(again, "password_command = ***\n");
    assert_says(again, "timeout = 7\n");
    assert_says(again, "delete = expunge\n");
}

static int
make_directory(void **state)
{
    g_autofree char *inner = NULL;

    directory = g_dir_make_tmp("imapfs-conf-XXXXXX", NULL);
    g_setenv("XDG_CONFIG_HOME", directory, TRUE);
    inner = g_build_filename(directory, "imapfs", NULL);
    mountpoint = g_build_filename(directory, "mnt", NULL);
    path = fs_conf_file_default_path();
    return g_mkdir(inner, 0700) == 0 && g_mkdir(mountpoint, 0700) == 0 ? 0 : -1;
}

static int
remove_directory(void **state)
{
    g_autofree char *inner = g_path_get_dirname(path);

    g_unlink(path);
    g_rmdir(inner);
    g_rmdir(mountpoint);
    g_rmdir(directory);
    g_free(path);
    g_free(mountpoint);
    g_free(directory);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(home_that_is_none_is_taken_for_unset),
        cmocka_unit_test(byte_order_mark_is_passed_over),
        cmocka_unit_test(account_by_name_has_what_the_file_says),
        cmocka_unit_test(command_line_overrules_file_and_file_the_preset),
        cmocka_unit_test(flag_that_is_not_said_is_not_passed_on),
        cmocka_unit_test(bare_mountpoint_means_the_only_account),
        cmocka_unit_test(url_does_not_need_the_file),
        cmocka_unit_test(another_file_is_read_instead),
        cmocka_unit_test(broken_files_name_line_and_remedy),
        cmocka_unit_test(file_that_others_can_write_is_refused),
        cmocka_unit_test(without_a_file_a_name_is_refused),
        cmocka_unit_test(address_of_a_provider_is_enough),
        cmocka_unit_test(every_preset_is_good),
        cmocka_unit_test(other_addresses_are_to_be_discovered),
        cmocka_unit_test(config_is_printed_by_origin_without_secrets),
        cmocka_unit_test(config_that_is_printed_can_be_read),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
