/* Passwords from a netrc file, and from the credentials of a service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/credentials-again.h"
#include "fs/options/credentials.h"
#include "fs/options/netrc.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static char *directory;

static FsOptions *
make_options(const char *user)
{
    FsOptions *options = g_new0(FsOptions, 1);

    options->settings = imap_settings_new();
    options->settings->host = g_strdup("mail.example.org");
    options->settings->username = g_strdup(user);
    return options;
}

static char *
write_file(const char *name, const char *text, int mode)
{
    char *path = g_build_filename(directory, name, NULL);

    g_unlink(path);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_int_equal(g_chmod(path, mode), 0);
    return path;
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

/* @expected: pieces of the sentence, '|' between them. Frees @options. */
static void
assert_refused(FsOptions *options, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) pieces = g_strsplit(expected, "|", -1);

    assert_false(fs_credentials_obtain(options, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_CREDENTIALS));
    for (guint i = 0; pieces[i] != NULL; i++)
        if (strstr(error->message, pieces[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->message, pieces[i]);
    assert_null(strstr(error->message, "geheim"));
    assert_null(options->settings->password);
    fs_options_free(options);
}

/* ---- netrc ---- */

static const struct {
    const char *text;
    const char *user;     /* NULL: none is known */
    const char *password; /* NULL: none is found */
    const char *login;
} netrcs[] = {
    {"machine mail.example.org login alice password one", "alice", "one", NULL},
    {"machine mail.example.org\n\tlogin alice\n\tpassword one\n", NULL, "one",
     "alice"},
    {"machine MAIL.example.org password one login alice", "alice", "one", NULL},
    {"machine other.org login alice password no\n"
     "machine mail.example.org login bob password two\n"
     "machine mail.example.org login alice password three\n",
     "alice", "three", NULL},
    {"machine mail.example.org login bob password two\n", "alice", NULL, NULL},
    {"machine mail.example.org password four\n", "alice", "four", NULL},
    {"machine mail.example.org login alice\n", "alice", NULL, NULL},
    {"default login alice password five\n", "alice", "five", NULL},
    {"machine mail.example.org login alice password \"a \\\"b\\\\ c\"\n",
     "alice", "a \"b\\ c", NULL},
    {"machine mail.example.org login alice password #no-comment\n", "alice",
     "#no-comment", NULL},
    {"# machine mail.example.org password x\n"
     "machine mail.example.org account y password six\n",
     "alice", "six", NULL},
    {"machine mail.example.org login alice\nmacdef init\n"
     "password no\n\npassword seven\n",
     "alice", "seven", NULL},
    {"machine mail.example.org login alice password", "alice", NULL, NULL},
    {"machine", "alice", NULL, NULL},
    {"machine \"mail.example.org", "alice", NULL, NULL},
    {"machine mail.example.org password \"un\\", "alice", "un\\", NULL},
    {"machine mail.example.org password \"\"", "alice", "", NULL},
    {"", "alice", NULL, NULL},
    {"machine mail.example.org.evil.org login alice password x", "alice", NULL,
     NULL},
};

static void
netrc_entry_of_host_and_user_is_found(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(netrcs); i++) {
        g_autofree char *login = NULL;
        g_autoptr(ImapSecret) found = fs_netrc_find(
            netrcs[i].text, "mail.example.org", netrcs[i].user, &login);

        if ((found != NULL) != (netrcs[i].password != NULL))
            fail_msg("%s", netrcs[i].text);
        if (found != NULL)
            assert_string_equal(imap_secret_text(found), netrcs[i].password);
        assert_int_equal(g_strcmp0(login, netrcs[i].login), 0);
    }
}

static void
netrc_gives_password_and_user(void **state)
{
    g_autofree char *path = write_file(
        "netrc", "machine mail.example.org login bob password geheim\n", 0600);
    FsOptions *options = make_options(NULL);

    options->netrc = g_strdup(path);
    assert_password(options, "geheim");
    assert_string_equal(options->settings->username, "bob");
    fs_options_free(options);

    options = make_options("alice");
    options->netrc = g_strdup(path);
    assert_refused(options, "netrc|alice at mail.example.org|add: machine ");

    g_chmod(path, 0644);
    options = make_options("bob");
    options->netrc = g_strdup(path);
    assert_refused(options, "netrc|open to others|chmod 600 ");
    g_unlink(path);
    options = make_options("bob");
    options->netrc = g_strdup(path);
    assert_refused(options, "netrc|No such file");
}

/* ---- credentials of a service ---- */

static void
credential_is_found_by_name(void **state)
{
    g_autofree char *own = write_file("work", "ge heim\n", 0440);
    FsOptions *options = make_options("alice");

    options->credential = g_strdup("work");
    assert_password(options, "ge heim");
    fs_options_free(options);

    options = make_options("alice");
    options->account = g_strdup("work");
    assert_password(options, "ge heim");
    fs_options_free(options);
    g_unlink(own);
}

static void
usual_credential_is_taken_unless_another_source_is_named(void **state)
{
    g_autofree char *usual = write_file("imapfs.password", "geheim\n", 0400);
    FsOptions *options = make_options("alice");

    options->account = g_strdup("elsewhere");
    assert_password(options, "geheim");
    fs_options_free(options);

    options = make_options("alice");
    options->password_command = g_strdup("echo other");
    assert_password(options, "other");
    fs_options_free(options);

    options = make_options("alice");
    options->settings->client_cert = g_strdup("/cert.pem");
    assert_true(fs_credentials_obtain(options, NULL));
    assert_null(options->settings->password);
    fs_options_free(options);
    g_unlink(usual);
}

static void
credential_that_is_not_there_says_what_to_do(void **state)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {
        {"missing", "'missing' is not in|LoadCredential=missing:FILE"},
        {"../x", "is no name"},
        {".x", "is no name"},
        {"/etc/shadow", "is no name"},
    };
    FsOptions *options;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        options = make_options("alice");
        options->credential = g_strdup(rows[i].name);
        assert_refused(options, rows[i].expected);
    }
    g_unsetenv("CREDENTIALS_DIRECTORY");
    options = make_options("alice");
    options->credential = g_strdup("work");
    assert_refused(options, "$CREDENTIALS_DIRECTORY is not set|password_file");
    g_setenv("CREDENTIALS_DIRECTORY", directory, TRUE);
}

typedef struct {
    GMainLoop *loop;
    gboolean same;
    char *error;
} Outcome;

static void
on_again(const GError *error, gboolean same, gpointer user_data)
{
    Outcome *outcome = user_data;

    outcome->same = same;
    outcome->error = error != NULL ? g_strdup(error->message) : NULL;
    g_main_loop_quit(outcome->loop);
}

static void
credential_that_was_refused_is_read_again(void **state)
{
    g_autofree char *usual = write_file("imapfs.password", "old\n", 0400);
    g_autofree char *renewed = NULL;
    FsOptions *options = make_options("alice");
    FsCredentialsAgain *again;
    Outcome outcome = {g_main_loop_new(NULL, FALSE), FALSE, NULL};

    assert_password(options, "old");
    renewed = write_file("imapfs.password", "new\n", 0400);
    again = fs_credentials_again_new(options);
    assert_true(fs_credentials_again_is_possible(again));
    fs_credentials_again_start(again, on_again, &outcome);
    g_main_loop_run(outcome.loop);
    assert_null(outcome.error);
    assert_false(outcome.same);
    assert_string_equal(imap_secret_text(options->settings->password), "new");
    fs_credentials_again_free(again);
    fs_options_free(options);
    g_main_loop_unref(outcome.loop);
    g_unlink(usual);
}

static int
make_directory(void **state)
{
    directory = g_dir_make_tmp("imapfs-stored-XXXXXX", NULL);
    g_setenv("CREDENTIALS_DIRECTORY", directory, TRUE);
    return 0;
}

static int
remove_directory(void **state)
{
    g_rmdir(directory);
    g_free(directory);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(netrc_entry_of_host_and_user_is_found),
        cmocka_unit_test(netrc_gives_password_and_user),
        cmocka_unit_test(credential_is_found_by_name),
        cmocka_unit_test(
            usual_credential_is_taken_unless_another_source_is_named),
        cmocka_unit_test(credential_that_is_not_there_says_what_to_do),
        cmocka_unit_test(credential_that_was_refused_is_read_again),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
