/* Local files: where each is listed, what becomes of what is lost, and what of
 * them is on the disk for the next mount. */
#include "fs/writing/local-files.h"

#include <string.h>

#include "spool-fixture.h"

#include "fs/kernel/inode.h"
#include "fs/writing/spool-note.h"

#define A 3u
#define B 4u

typedef struct {
    SpoolFixture *spool;
    FsLocalFiles *files;
    GString *told; /* "DIRECTORY/NAME " for each entry that changed; "UID "
                      of each message that is what it was */
} Scene;

static void
on_entry(guint32 directory, const char *name, guint64 inode, gpointer user_data)
{
    Scene *scene = user_data;

    if (name == NULL)
        g_string_append_printf(scene->told, "%u ", fs_inode_uid(inode));
    else if (directory == FS_LOCAL_LOST)
        g_string_append_printf(scene->told, "lost/%s ", name);
    else
        g_string_append_printf(scene->told, "%u/%s ", directory, name);
}

static void
open_files(Scene *scene)
{
    scene->files = fs_local_files_new(scene->spool->spool);
    fs_local_files_set_entry_func(scene->files, on_entry, scene);
}

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    spool_fixture_setup((void **)&scene->spool);
    scene->told = g_string_new(NULL);
    open_files(scene);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_local_files_free(scene->files);
    g_string_free(scene->told, TRUE);
    spool_fixture_teardown((void **)&scene->spool);
    g_free(scene);
    return 0;
}

static void
write_text(Scene *scene, FsLocalFile *file, const char *text)
{
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));

    fs_local_file_write(file, file->size, data, NULL, NULL);
    cache_store_thread_drain(scene->spool->thread);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
told_is(Scene *scene, const char *expected)
{
    assert_string_equal(scene->told->str, expected);
    g_string_truncate(scene->told, 0);
}

/* ---- where they are ---- */

static void
made_file_is_found_by_all_that_it_is(void **state)
{
    Scene *scene = *state;
    FsLocalFile *file = fs_local_files_make(scene->files, A, "x.eml");

    assert_ptr_equal(fs_local_files_find(scene->files, A, "x.eml"), file);
    assert_null(fs_local_files_find(scene->files, B, "x.eml"));
    assert_null(fs_local_files_find(scene->files, A, "y.eml"));
    assert_ptr_equal(fs_local_files_get(scene->files, file->inode), file);
    assert_true(fs_local_files_own(file->inode));
    assert_int_equal(fs_local_files_count(scene->files, A), 1);
    assert_int_equal(fs_local_files_count(scene->files, B), 0);
    told_is(scene, "");
}

static void
linked_file_is_found_by_both_names_until_one_goes(void **state)
{
    Scene *scene = *state;
    FsLocalFiles *files = scene->files;
    FsLocalFile *file = fs_local_files_make(files, A | FS_LOCAL_TMP, "x");
    FsLocalFile *other = fs_local_files_make(files, A | FS_LOCAL_TMP, "y");

    fs_local_files_link(files, file, A | FS_LOCAL_NEW, "x");
    assert_ptr_equal(fs_local_files_find(files, A | FS_LOCAL_NEW, "x"), file);
    assert_ptr_equal(fs_local_files_find(files, A | FS_LOCAL_TMP, "x"), file);
    assert_int_equal(fs_local_files_count(files, A | FS_LOCAL_TMP), 1);
    assert_false(
        fs_local_files_unlink_first(files, file, A | FS_LOCAL_NEW, "x"));
    assert_false(
        fs_local_files_unlink_first(files, other, A | FS_LOCAL_TMP, "x"));
    assert_true(
        fs_local_files_unlink_first(files, file, A | FS_LOCAL_TMP, "x"));
    assert_null(fs_local_files_find(files, A | FS_LOCAL_TMP, "x"));
    assert_ptr_equal(fs_local_files_find(files, A | FS_LOCAL_NEW, "x"), file);

    fs_local_files_link(files, other, A | FS_LOCAL_NEW, "z");
    fs_local_files_take_back(files, other);
    assert_null(fs_local_files_find(files, A | FS_LOCAL_NEW, "z"));
    assert_ptr_equal(fs_local_files_find(files, A | FS_LOCAL_TMP, "y"), other);
    fs_local_files_link(files, other, A | FS_LOCAL_NEW, "z");
    fs_local_files_unlist(files, other);
    assert_null(fs_local_files_find(files, A | FS_LOCAL_NEW, "z"));
    assert_null(fs_local_files_find(files, A | FS_LOCAL_TMP, "y"));
}

static void
moved_file_is_in_place_of_what_was_there(void **state)
{
    Scene *scene = *state;
    FsLocalFile *first = fs_local_files_make(scene->files, A, "x.eml");
    FsLocalFile *second = fs_local_files_make(scene->files, B, "y.eml");
    guint64 inode = first->inode;

    fs_local_files_move(scene->files, second, A, "x.eml");
    assert_ptr_equal(fs_local_files_find(scene->files, A, "x.eml"), second);
    assert_null(fs_local_files_find(scene->files, B, "y.eml"));
    assert_null(fs_local_files_get(scene->files, inode));
    assert_int_equal(fs_local_files_count(scene->files, A), 1);
    fs_local_files_move(scene->files, second, A, "x.eml");
    assert_ptr_equal(fs_local_files_find(scene->files, A, "x.eml"), second);
    fs_local_files_unlist(scene->files, second);
    assert_null(fs_local_files_find(scene->files, A, "x.eml"));
}

static void
listing_goes_by_inode_within_a_directory(void **state)
{
    Scene *scene = *state;
    FsLocalFile *one = fs_local_files_make(scene->files, A, "1.eml");
    FsLocalFile *other = fs_local_files_make(scene->files, B, "2.eml");
    FsLocalFile *two = fs_local_files_make(scene->files, A, "0.eml");

    assert_ptr_equal(fs_local_files_next(scene->files, A, 0), one);
    assert_ptr_equal(fs_local_files_next(scene->files, A, one->inode), two);
    assert_null(fs_local_files_next(scene->files, A, two->inode));
    assert_ptr_equal(fs_local_files_next(scene->files, B, 0), other);
}

static void
open_file_lives_on_unlisted(void **state)
{
    Scene *scene = *state;
    FsLocalFile *file = fs_local_files_make(scene->files, A, "x.eml");
    guint64 inode = file->inode;

    file->n_handles = 1;
    fs_local_files_unlist(scene->files, file);
    assert_ptr_equal(fs_local_files_get(scene->files, inode), file);
    file->n_handles = 0;
    fs_local_files_released(scene->files, file);
    assert_null(fs_local_files_get(scene->files, inode));
}

static void
edit_is_listed_nowhere(void **state)
{
    Scene *scene = *state;
    const guint64 inode = fs_inode_make(1, A, 7);
    FsLocalFile *file =
        fs_local_files_edit(scene->files, inode, A, 7, 100, "m.7.eml");

    assert_ptr_equal(fs_local_files_get(scene->files, inode), file);
    assert_null(fs_local_files_find(scene->files, A, "m.7.eml"));
    assert_false(fs_local_files_own(inode));
    assert_false(file->filled);
    assert_int_equal(file->size, 100);
    assert_int_equal(file->replaces, 7);
    fs_local_files_released(scene->files, file);
    assert_null(fs_local_files_get(scene->files, inode));
}

/* ---- what is lost ---- */

static void
lost_file_is_there_and_both_places_are_told(void **state)
{
    Scene *scene = *state;
    FsLocalFile *file = fs_local_files_make(scene->files, A, "x.eml");
    guint64 inode = file->inode;

    write_text(scene, file, "hello");
    fs_local_files_lose(scene->files, file);
    told_is(scene, "lost/x.eml 3/x.eml ");
    assert_null(fs_local_files_find(scene->files, A, "x.eml"));
    assert_ptr_equal(fs_local_files_find(scene->files, FS_LOCAL_LOST, "x.eml"),
                     file);
    assert_int_equal(file->inode, inode);
    fs_local_files_lose(scene->files, file);
    told_is(scene, "");
}

static void
lost_names_are_told_apart(void **state)
{
    Scene *scene = *state;

    for (guint i = 0; i < 3; i++)
        fs_local_files_lose(scene->files,
                            fs_local_files_make(scene->files, A, "x.eml"));
    told_is(scene, "lost/x.eml 3/x.eml lost/x.eml.1 3/x.eml "
                   "lost/x.eml.2 3/x.eml ");
    assert_int_equal(fs_local_files_count(scene->files, FS_LOCAL_LOST), 3);
}

static void
lost_edit_leaves_its_inode_to_the_message(void **state)
{
    Scene *scene = *state;
    const guint64 inode = fs_inode_make(1, A, 7);
    FsLocalFile *file =
        fs_local_files_edit(scene->files, inode, A, 7, 0, "m.7.eml");
    FsLocalFile *lost;
    g_autofree char *text = NULL;

    file->filled = TRUE;
    file->n_handles = 1;
    fs_local_file_ref(file);
    write_text(scene, file, "hello");
    fs_local_files_lose(scene->files, file);
    told_is(scene, "lost/m.7.eml 7 ");
    assert_null(fs_local_files_get(scene->files, inode));
    lost = fs_local_files_find(scene->files, FS_LOCAL_LOST, "m.7.eml");
    assert_non_null(lost);
    assert_true(fs_local_files_own(lost->inode));
    assert_int_equal(lost->size, 5);
    text = spool_fixture_read(lost->spool);
    assert_string_equal(text, "hello");
    assert_true(file->detached);
    assert_int_equal(file->size, 0);
    fs_local_file_unref(file);
}

/* ---- what is on the disk ---- */

typedef struct {
    GString *kinds; /* "KIND:NAME " */
} Left;

static void
on_left(CacheSpoolFile *file, const char *text, gpointer user_data)
{
    Left *left = user_data;
    g_auto(FsSpoolNote) note;

    fs_spool_note_from_text(text, &note);
    g_string_append_printf(left->kinds, "%d:%s ", note.kind, note.name);
    cache_spool_file_free(file);
}

static void
next_mount_finds_what_is_listed_and_nothing_else(void **state)
{
    Scene *scene = *state;
    Left left = {g_string_new(NULL)};
    FsLocalFile *kept = fs_local_files_make(scene->files, A, ".x.eml.tmp");
    FsLocalFile *lost = fs_local_files_make(scene->files, A, "y.eml");
    FsLocalFile *removed = fs_local_files_make(scene->files, A, "z.tmp");

    fs_local_files_make(scene->files, A, "empty.tmp");
    write_text(scene, kept, "kept");
    write_text(scene, lost, "lost");
    write_text(scene, removed, "removed");
    fs_local_files_released(scene->files, kept);
    fs_local_files_lose(scene->files, lost);
    fs_local_files_unlist(scene->files, removed);
    fs_local_files_free(scene->files);
    spool_fixture_close(scene->spool);
    spool_fixture_open(scene->spool);
    open_files(scene);
    cache_spool_foreach_left(scene->spool->spool, on_left, &left);
    assert_string_equal(left.kinds->str, "1:.x.eml.tmp 2:y.eml ");
    g_string_free(left.kinds, TRUE);
}

/* ---- notes ---- */

static void
note_is_read_as_it_was_written(void **state)
{
    const FsSpoolNote note = {
        .kind = FS_SPOOL_UPLOAD,
        .name = (char *)"[x]=\n;.eml",
        .mailbox = G_MAXUINT32,
        .uidvalidity = G_MAXUINT64,
        .from_uid = 9,
        .flags = (char *)"\\Seen work",
        .date = -1,
        .message_id = (char *)"<a@b>",
        .digest = (char *)"0123",
        .replaces = 8,
        .must_match = TRUE,
        .held = 7,
        .record = 6,
        .source = 5,
        .copy_uid = 4,
        .copy_mailbox = 3,
    };
    g_autofree char *text = fs_spool_note_to_text(&note);
    g_autofree char *again = NULL;
    g_auto(FsSpoolNote) read;

    fs_spool_note_from_text(text, &read);
    again = fs_spool_note_to_text(&read);
    assert_string_equal(read.name, note.name);
    assert_string_equal(read.message_id, note.message_id);
    assert_true(read.uidvalidity == note.uidvalidity);
    assert_int_equal(read.date, -1);
    assert_int_equal(read.replaces, 8);
    assert_string_equal(text, again);
}

static void
note_that_is_too_long_leaves_out_what_can_be_missed(void **state)
{
    g_autofree char *name = g_strnfill(255, '\x01');
    g_autofree char *id = g_strnfill(3900, 'i');
    g_autofree char *flags = g_strnfill(3900, 'f');
    FsSpoolNote note = {
        .kind = FS_SPOOL_UPLOAD, .name = name, .message_id = id, .replaces = 5};
    g_autofree char *text = fs_spool_note_to_text(&note);
    g_autofree char *shorter = NULL;
    g_auto(FsSpoolNote) read;
    g_auto(FsSpoolNote) other;

    assert_true(strlen(text) <= CACHE_SPOOL_NOTE_MAX);
    fs_spool_note_from_text(text, &read);
    assert_string_equal(read.name, name);
    assert_null(read.message_id);
    assert_int_equal(read.replaces, 5);
    note.flags = flags;
    shorter = fs_spool_note_to_text(&note);
    assert_true(strlen(shorter) <= CACHE_SPOOL_NOTE_MAX);
    fs_spool_note_from_text(shorter, &other);
    assert_int_equal(other.kind, FS_SPOOL_UPLOAD);
    assert_int_equal(other.replaces, 5);
}

static void
note_that_is_none_says_nothing(void **state)
{
    static const char *const texts[] = {"", "x", "[imapfs]\nkind=what",
                                        "[other]\nkind=upload", "\xff\xfe"};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(FsSpoolNote) note;

        fs_spool_note_from_text(texts[i], &note);
        assert_int_equal(note.kind, FS_SPOOL_UNKNOWN);
        assert_null(note.name);
        assert_int_equal(note.replaces, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(made_file_is_found_by_all_that_it_is),
        TEST(linked_file_is_found_by_both_names_until_one_goes),
        TEST(moved_file_is_in_place_of_what_was_there),
        TEST(listing_goes_by_inode_within_a_directory),
        TEST(open_file_lives_on_unlisted),
        TEST(edit_is_listed_nowhere),
        TEST(lost_file_is_there_and_both_places_are_told),
        TEST(lost_names_are_told_apart),
        TEST(lost_edit_leaves_its_inode_to_the_message),
        TEST(next_mount_finds_what_is_listed_and_nothing_else),
        cmocka_unit_test(note_is_read_as_it_was_written),
        cmocka_unit_test(note_that_is_too_long_leaves_out_what_can_be_missed),
        cmocka_unit_test(note_that_is_none_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
