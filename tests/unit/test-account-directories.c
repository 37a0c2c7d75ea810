/* The names of accounts' directories, and how much their caches may take. The
 * rest is tested with mounts. */
#include "fs/account-locks.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *
name_of(const char *username, const char *host, ImapTls tls, guint16 port)
{
    const ImapSettings settings = {.username = (char *)username,
                                   .host = (char *)host,
                                   .tls = tls,
                                   .port = port};

    return fs_account_directory_name(&settings);
}

static void
assert_name(const char *username, const char *host, ImapTls tls, guint16 port,
            const char *expected)
{
    g_autofree char *name = name_of(username, host, tls, port);

    assert_string_equal(name, expected);
}

static void
name_is_user_host_and_unusual_port(void **state)
{
    assert_name("me", "mail.example.org", IMAP_TLS_IMPLICIT, 0,
                "me@mail.example.org");
    assert_name("me", "Mail.Example.ORG", IMAP_TLS_IMPLICIT, 993,
                "me@mail.example.org");
    assert_name("me", "mail.example.org", IMAP_TLS_STARTTLS, 143,
                "me@mail.example.org");
    assert_name("me", "mail.example.org", IMAP_TLS_STARTTLS, 993,
                "me@mail.example.org_993");
    assert_name("me", "127.0.0.1", IMAP_TLS_OFF, 10143, "me@127.0.0.1_10143");
    assert_name("a_b+c@example.org", "h", IMAP_TLS_IMPLICIT, 0,
                "a_b+c@example.org@h");
    assert_name("jürgen", "::1", IMAP_TLS_IMPLICIT, 0, "jürgen@%3A%3A1");
    assert_name(NULL, "h", IMAP_TLS_IMPLICIT, 0, "@h");
}

static void
name_hostile_is_one_harmless_component(void **state)
{
    assert_name("../../etc", "h", IMAP_TLS_IMPLICIT, 0, "%2E.%2F..%2Fetc@h");
    assert_name("a\n\x01 b", "h", IMAP_TLS_IMPLICIT, 0, "a%0A%01%20b@h");
    assert_name("100%2F", "h", IMAP_TLS_IMPLICIT, 0, "100%252F@h");
    assert_name("me", "h_993", IMAP_TLS_IMPLICIT, 0, "me@h%5F993");
    /* No letter, and not to be seen: written out. */
    assert_name("a\xe2\x80\xae", "h", IMAP_TLS_IMPLICIT, 0, "a%E2%80%AE@h");
}

static void
name_too_long_is_cut_and_still_its_own(void **state)
{
    g_autofree char *long_user = g_strnfill(200, 'a');
    g_autofree char *other_user = g_strnfill(201, 'a');
    GString *umlauts = g_string_new("a");
    g_autofree char *one = name_of(long_user, "h", IMAP_TLS_IMPLICIT, 0);
    g_autofree char *again = name_of(long_user, "h", IMAP_TLS_IMPLICIT, 0);
    g_autofree char *other = name_of(other_user, "h", IMAP_TLS_IMPLICIT, 0);
    g_autofree char *cut = NULL;

    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_true(strlen(one) <= 120 && strchr(one, '~') != NULL);

    for (guint i = 0; i < 100; i++)
        g_string_append(umlauts, "ü");
    cut = name_of(umlauts->str, "h", IMAP_TLS_IMPLICIT, 0);
    assert_true(strlen(cut) <= 120);
    assert_true(g_utf8_validate(cut, -1, NULL));
    g_string_free(umlauts, TRUE);
}

static void
cache_size_is_what_was_said_or_part_of_the_disk(void **state)
{
    g_autofree char *parent =
        g_dir_make_tmp("imapfs-account-directories-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(parent, "a", NULL);
    g_autofree char *lock = g_build_filename(path, "lock", NULL);
    gboolean ending;
    CacheDirectory *directory = cache_directory_open(path, &ending, NULL);
    FsOptions options = {.cache_size = 12345678};
    guint64 space = cache_directory_space(directory), size;

    assert_int_equal(fs_account_cache_size(&options, directory), 12345678);
    options.cache_size = 0;
    size = fs_account_cache_size(&options, directory);
    assert_true(size <= space + (1 << 26)); /* others write meanwhile */
    assert_true(size >= G_GUINT64_CONSTANT(2) << 30 || size >= space / 2);
    cache_directory_close(directory);
    g_unlink(lock);
    g_rmdir(path);
    g_rmdir(parent);
}

typedef struct {
    GMainLoop *loop;
    FsAccountDirectories locked;
    GError *error;
} Taking;

static void
on_locked(const FsAccountDirectories *locked, const GError *error,
          gpointer user_data)
{
    Taking *taking = user_data;

    if (locked != NULL)
        taking->locked = *locked;
    else
        taking->error = g_error_copy(error);
    g_main_loop_quit(taking->loop);
}

static Taking
take(const FsOptions *options)
{
    Taking taking = {.loop = g_main_loop_new(NULL, FALSE)};

    fs_account_locks_take(options, on_locked, &taking);
    g_main_loop_run(taking.loop);
    g_main_loop_unref(taking.loop);
    return taking;
}

static void
remove_home(void)
{
    const char *const command[] = {"rm", "-rf", g_getenv("HOME"), NULL};

    g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                 NULL, NULL, NULL, NULL);
}

/* main has set them. */
static void
base_directories_not_absolute_are_taken_for_unset(void **state)
{
    g_autofree char *state_path =
        g_build_filename(g_getenv("HOME"), ".local/state/imapfs/me@h", NULL);
    g_autofree char *cache_path =
        g_build_filename(g_getenv("HOME"), ".cache/imapfs/me@h", NULL);
    ImapSettings settings = {.username = (char *)"me", .host = (char *)"h"};
    const FsOptions options = {.settings = &settings};
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();
    Taking taking = take(&options);
    FsAccountDirectories *locked = &taking.locked;

    assert_null(taking.error);
    assert_string_equal(cache_directory_path(locked->state_directory),
                        state_path);
    assert_string_equal(cache_directory_path(locked->cache_directory),
                        cache_path);
    assert_true(fs_account_directories_open(locked, &options, thread, NULL));
    assert_non_null(locked->state);
    fs_account_directories_close(locked);
    assert_false(g_file_test("not-absolute", G_FILE_TEST_EXISTS));
    remove_home();
}

static void
account_that_another_has_is_used_without_either(void **state)
{
    g_autofree char *state_dir = g_build_filename(g_getenv("HOME"), "s", NULL);
    g_autofree char *cache_dir = g_build_filename(g_getenv("HOME"), "c", NULL);
    ImapSettings settings = {.username = (char *)"me", .host = (char *)"h"};
    FsOptions options = {
        .settings = &settings, .state_dir = state_dir, .cache_dir = cache_dir};
    Taking first = take(&options);
    Taking second;

    assert_non_null(first.locked.state_directory);
    assert_non_null(first.locked.cache_directory);
    second = take(&options);
    assert_null(second.error);
    assert_null(second.locked.state_directory);
    assert_null(second.locked.cache_directory);
    assert_non_null(strstr(second.locked.in_use, " is in use by process "));
    fs_account_directories_close(&second.locked);
    /* Nor the state, if it is the cache that another has. */
    g_clear_pointer(&first.locked.state_directory, cache_directory_close);
    second = take(&options);
    assert_null(second.locked.state_directory);
    assert_non_null(second.locked.in_use);
    fs_account_directories_close(&second.locked);
    fs_account_directories_close(&first.locked);

    options.cache_dir = state_dir;
    second = take(&options);
    assert_non_null(second.error);
    assert_non_null(strstr(second.error->message, "are the same"));
    g_clear_error(&second.error);
    remove_home();
}

int
main(void)
{
    g_autofree char *home =
        g_dir_make_tmp("imapfs-account-directories-XXXXXX", NULL);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_user_host_and_unusual_port),
        cmocka_unit_test(name_hostile_is_one_harmless_component),
        cmocka_unit_test(name_too_long_is_cut_and_still_its_own),
        cmocka_unit_test(base_directories_not_absolute_are_taken_for_unset),
        cmocka_unit_test(account_that_another_has_is_used_without_either),
        cmocka_unit_test(cache_size_is_what_was_said_or_part_of_the_disk),
    };

    g_setenv("HOME", home, TRUE);
    g_setenv("XDG_STATE_HOME", "not-absolute/state", TRUE);
    g_setenv("XDG_CACHE_HOME", "./not-absolute/cache", TRUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
