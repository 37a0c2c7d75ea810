/* Header fields that are kept, in memory's stead on the disk. */
#include "cache/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

typedef struct {
    char *directory;
    CacheStoreThread *thread;
    CacheFields *fields;
} Fixture;

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->directory = g_dir_make_tmp("imapfs-fields-XXXXXX", NULL);
    f->thread = cache_store_thread_new();
    f->fields = cache_fields_new(f->directory, f->thread);
    *state = f;
    return 0;
}

static void
remove_files(const char *directory)
{
    g_autoptr(GDir) files = g_dir_open(directory, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(files)) != NULL) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        g_unlink(path);
    }
    g_rmdir(directory);
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    cache_fields_free(f->fields);
    cache_store_thread_free(f->thread);
    remove_files(f->directory);
    g_free(f->directory);
    g_free(f);
    return 0;
}

/* As after another mount. */
static void
reopen(Fixture *f)
{
    cache_fields_free(f->fields);
    f->fields = cache_fields_new(f->directory, f->thread);
}

static void
put(Fixture *f, guint32 mailbox, guint32 uid, int attachments)
{
    g_autofree char *subject = g_strdup_printf("subject %u", uid);
    const CacheFieldsRow row = {uid,     "a <a@b>", "",
                                subject, "<i@d>",   attachments};

    cache_fields_put(f->fields, mailbox, &row);
}

static void
note(const CacheFieldsRow *row, gpointer user_data)
{
    g_string_append_printf(user_data, "%u:%s,%s,%s,%s,%d ", row->uid, row->from,
                           row->to, row->subject, row->message_id,
                           row->attachments);
}

static void
assert_read(Fixture *f, guint32 mailbox, guint32 first, guint32 last,
            const char *wanted)
{
    g_autoptr(GString) log = g_string_new(NULL);

    cache_fields_read(f->fields, mailbox, first, last, note, log);
    assert_string_equal(log->str, wanted);
}

static void
what_was_put_is_read_in_order(void **state)
{
    Fixture *f = *state;

    put(f, 1, 4000000000u, 1);
    put(f, 1, 3, 0);
    put(f, 1, 5, -1);
    put(f, 2, 4, 1);
    reopen(f);
    assert_read(f, 1, 1, G_MAXUINT32,
                "3:a <a@b>,,subject 3,<i@d>,0 5:a <a@b>,,subject 5,<i@d>,-1 "
                "4000000000:a <a@b>,,subject 4000000000,<i@d>,1 ");
    assert_read(f, 1, 4, 5, "5:a <a@b>,,subject 5,<i@d>,-1 ");
    assert_read(f, 1, 6, 7, "");
    assert_read(f, 3, 1, G_MAXUINT32, "");
}

static void
later_row_replaces(void **state)
{
    Fixture *f = *state;

    put(f, 1, 3, 0);
    put(f, 1, 3, 1);
    reopen(f);
    assert_read(f, 1, 1, 9, "3:a <a@b>,,subject 3,<i@d>,1 ");
}

static void
what_is_removed_is_gone(void **state)
{
    Fixture *f = *state;

    put(f, 1, 3, 0);
    put(f, 1, 4, 0);
    put(f, 2, 5, 0);
    cache_fields_remove(f->fields, 1, 3);
    cache_fields_remove(f->fields, 7, 3);
    cache_fields_drop_mailbox(f->fields, 2);
    cache_fields_drop_mailbox(f->fields, 9);
    assert_read(f, 2, 1, 9, "");
    reopen(f);
    assert_read(f, 1, 1, 9, "4:a <a@b>,,subject 4,<i@d>,0 ");
    assert_read(f, 2, 1, 9, "");
    put(f, 2, 6, 0);
    reopen(f);
    assert_read(f, 2, 1, 9, "6:a <a@b>,,subject 6,<i@d>,0 ");
}

/* Thousands at once are written while the main loop goes round. */
static void
many_are_written_meanwhile(void **state)
{
    Fixture *f = *state;
    g_autoptr(GString) log = g_string_new(NULL);

    for (guint32 uid = 1; uid <= 5000; uid++)
        put(f, 1, uid, 0);
    while (log->len == 0) {
        g_main_context_iteration(NULL, TRUE);
        cache_fields_read(f->fields, 1, 5000, 5000, note, log);
    }
    assert_string_equal(log->str, "5000:a <a@b>,,subject 5000,<i@d>,0 ");
}

static void
damaged_database_is_made_anew(void **state)
{
    Fixture *f = *state;
    g_autofree char *path = g_build_filename(f->directory, "fields.db", NULL);

    put(f, 1, 3, 0);
    cache_fields_free(f->fields);
    assert_true(g_file_set_contents(path, "this is no database", -1, NULL));
    f->fields = cache_fields_new(f->directory, f->thread);
    assert_read(f, 1, 1, 9, "");
    put(f, 1, 4, 0);
    reopen(f);
    assert_read(f, 1, 1, 9, "4:a <a@b>,,subject 4,<i@d>,0 ");
}

static void
without_a_disk_nothing_is_kept(void **state)
{
    Fixture *f = *state;
    g_autoptr(CacheFields) none = cache_fields_new(NULL, f->thread);
    g_autoptr(GString) log = g_string_new(NULL);
    const CacheFieldsRow row = {3, "", "", "", "", 0};

    cache_fields_put(none, 1, &row);
    cache_fields_remove(none, 1, 3);
    cache_fields_read(none, 1, 1, 9, note, log);
    assert_string_equal(log->str, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_read_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(later_row_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_removed_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_are_written_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damaged_database_is_made_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_disk_nothing_is_kept, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
