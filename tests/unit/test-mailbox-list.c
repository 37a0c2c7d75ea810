/* The list of mailboxes that outlives a mount. */
#include "cache/mailbox-list.h"

#include "cache/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

static const CacheListedMailbox list[] = {
    {"INBOX", "INBOX", '/', 0},
    {"Entw&APw-rfe", "Entw\xc3\xbcrfe", '.', 5},
    {"odd \xff\r\n", "odd", '\0', 1u << 31},
};

typedef struct {
    char *directory;
    char *path;
    guint n_calls;
} Fixture;

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->directory = g_dir_make_tmp("imapfs-test-XXXXXX", NULL);
    f->path = g_build_filename(f->directory, "mailboxes", NULL);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    g_unlink(f->path);
    g_rmdir(f->directory);
    g_free(f->path);
    g_free(f->directory);
    g_free(f);
    return 0;
}

static void
save(const Fixture *f, gsize n)
{
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();
    g_autoptr(GBytes) bytes = cache_mailbox_list_pack(list, n);

    cache_mailbox_list_save(f->directory, bytes, thread);
    cache_store_thread_drain(thread);
}

static void
compare(const CacheListedMailbox *mailboxes, gsize n, gpointer user_data)
{
    Fixture *f = user_data;

    f->n_calls++;
    assert_int_equal(n, G_N_ELEMENTS(list));
    for (gsize i = 0; i < n; i++) {
        assert_string_equal(mailboxes[i].wire_name, list[i].wire_name);
        assert_string_equal(mailboxes[i].name, list[i].name);
        assert_int_equal(mailboxes[i].delimiter, list[i].delimiter);
        assert_int_equal(mailboxes[i].attributes, list[i].attributes);
    }
}

static void
assert_not_loaded(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    assert_false(cache_mailbox_list_load(f->directory, compare, f, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, CACHE_ERROR_IO));
    assert_int_equal(f->n_calls, 0);
}

static void
list_comes_back_as_it_was(void **state)
{
    Fixture *f = *state;
    GStatBuf attributes;

    save(f, 1);
    save(f, G_N_ELEMENTS(list));
    assert_true(cache_mailbox_list_load(f->directory, compare, f, NULL));
    assert_int_equal(f->n_calls, 1);
    assert_int_equal(g_stat(f->path, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0600);
}

static void
same_list_is_the_same_octets(void **state)
{
    g_autoptr(GBytes) one = cache_mailbox_list_pack(list, 2);
    g_autoptr(GBytes) same = cache_mailbox_list_pack(list, 2);
    g_autoptr(GBytes) other = cache_mailbox_list_pack(list, 3);

    assert_true(g_bytes_equal(one, same));
    assert_false(g_bytes_equal(one, other));
}

static void
missing_list_is_error(void **state)
{
    assert_not_loaded(*state);
}

/* Whatever octet is wrong, or missing, no shorter list comes out of it. */
static void
damaged_list_is_error(void **state)
{
    Fixture *f = *state;
    g_autofree char *data = NULL;
    gsize length;

    save(f, G_N_ELEMENTS(list));
    assert_true(g_file_get_contents(f->path, &data, &length, NULL));
    for (gsize i = 0; i < length; i++) {
        data[i] ^= 0x20;
        assert_true(g_file_set_contents(f->path, data, (gssize)length, NULL));
        assert_not_loaded(f);
        data[i] ^= 0x20;
        assert_true(g_file_set_contents(f->path, data, (gssize)i, NULL));
        assert_not_loaded(f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(list_comes_back_as_it_was, set_up,
                                        tear_down),
        cmocka_unit_test(same_list_is_the_same_octets),
        cmocka_unit_test_setup_teardown(missing_list_is_error, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damaged_list_is_error, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
