/* What becomes of an upload, step by step: the steps that talk to the server
 * are this program's, and answer what a test wants. */
#include "fs/writing/upload-private.h"

#include <string.h>

#include "spool-fixture.h"

#include "fs/kernel/errno.h"
#include "fs/writing/spool-note.h"
#include "imap/append.h"
#include "imap/pool-status.h"

typedef struct {
    SpoolFixture *spool;
    FsAccount account;
    FsUploads *uploads;
    guint32 mailbox;
    char *lost; /* the name of what was told to be lost */
} Scene;

static Scene *scene;
static GString *steps; /* a letter for each that was taken */
static FsUpload *last; /* of the last step; borrowed */
static gboolean can_replace;
static gboolean has_pending;
static gboolean let_go_done;

/* ---- in place of the steps ---- */

void
fs_upload_compare(FsUpload *upload)
{
    g_string_append_c(steps, 'c');
    last = upload;
    upload->step = FS_UPLOAD_STEP_SEND;
    fs_upload_go_on(upload);
}

void
fs_uploads_pump(FsUploads *uploads)
{
    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        FsUpload *upload = link->data;

        if (upload->step == FS_UPLOAD_STEP_SEND && !upload->busy &&
            upload->state == FS_UPLOAD_UNDER_WAY) {
            g_string_append_c(steps, 's');
            last = upload;
            upload->step = FS_UPLOAD_STEP_SENT;
        }
    }
}

void
fs_upload_search(FsUpload *upload)
{
    g_string_append_c(steps, '?');
    last = upload;
}

void
fs_upload_settle(FsUpload *upload)
{
    g_string_append_c(steps, '!');
    fs_upload_settled(upload);
}

void
fs_upload_let_go(FsUpload *upload, gboolean done)
{
    g_string_append_c(steps, '-');
    let_go_done = done;
}

void
fs_stored_reading_cancel(FsStoredReading *reading)
{
}

gboolean
cache_index_mailbox(CacheIndex *index, guint32 id, CacheMailbox *mailbox)
{
    *mailbox = (CacheMailbox){.uidvalidity = 77, .uidnext = 40};
    return TRUE;
}

void
imap_lease_release(ImapLease *lease)
{
}

gboolean
imap_can_replace(const ImapConnection *connection)
{
    return can_replace;
}

void
imap_pool_describe(const ImapPool *pool, ImapConnectionStatusFunc func,
                   gpointer user_data)
{
    const ImapConnectionStatus status = {0};

    func(&status, user_data);
}

gboolean
fs_changes_concern(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    return has_pending;
}

/* ---- the scene ---- */

static void
on_lost(CacheSpoolFile *file, const char *name, gpointer user_data)
{
    g_free(scene->lost);
    scene->lost = g_strdup(name);
    cache_spool_file_free(file);
}

static void
open_uploads(void)
{
    scene->uploads = fs_uploads_new(&scene->account, scene->spool->spool);
    fs_uploads_set_lost_func(scene->uploads, on_lost, NULL);
}

static int
set_up(void **state)
{
    const FsMailboxListing listing = {"A", "A", '/', 0};

    scene = g_new0(Scene, 1);
    steps = g_string_new(NULL);
    can_replace = has_pending = let_go_done = FALSE;
    spool_fixture_setup((void **)&scene->spool);
    scene->account.tree = fs_mailbox_tree_new();
    assert_true(fs_mailbox_tree_update(scene->account.tree, &listing, 1, NULL,
                                       NULL, NULL));
    scene->mailbox = fs_mailbox_tree_child(scene->account.tree, 0, "A")->id;
    open_uploads();
    return 0;
}

static int
tear_down(void **state)
{
    fs_uploads_free(scene->uploads);
    fs_mailbox_tree_free(scene->account.tree);
    spool_fixture_teardown((void **)&scene->spool);
    g_string_free(steps, TRUE);
    g_free(scene->lost);
    g_clear_pointer(&scene, g_free);
    return 0;
}

/* Until all is done that the disk has to do. */
static void
run_disk(void)
{
    for (guint i = 0; i < 4; i++) {
        cache_store_thread_drain(scene->spool->thread);
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
}

static void
steps_are(const char *expected)
{
    assert_string_equal(steps->str, expected);
    g_string_truncate(steps, 0);
}

static FsUpload *
begin(const char *text, const FsUploadRequest *like)
{
    CacheSpoolFile *source = cache_spool_file_new(scene->spool->spool);
    FsUploadRequest request = {.date = 1};
    FsUpload *upload;

    if (like != NULL)
        request = *like;
    spool_fixture_write(source, 0, text);
    request.source = source;
    request.mailbox = scene->mailbox;
    request.name = "x.eml";
    upload = fs_uploads_begin(scene->uploads, &request);
    cache_spool_file_remove(source);
    run_disk();
    return upload;
}

static const char text_1[] = "Message-ID: <1@x>\n\none\n";
static const char text_2[] = "Message-ID: <1@x>\n\ntwo\n";

static GError *
error_of(ImapError code)
{
    return g_error_new_literal(IMAP_ERROR, code, "the reason");
}

/* ---- one upload ---- */

static void
upload_is_recorded_before_anything_is_sent(void **state)
{
    g_autoptr(FsUpload) upload = begin(text_1, NULL);

    steps_are("cs");
    assert_true(fs_upload_is_safe(upload));
    assert_int_equal(upload->from_uid, 40);
    assert_int_equal(upload->uidvalidity, 77);
    assert_string_equal(upload->message_id, "<1@x>");
    assert_int_equal(upload->text.size, strlen(text_1) + 3);
    fs_upload_stored(upload, 41);
    steps_are("!");
    assert_int_equal(fs_upload_state(upload), FS_UPLOAD_STORED);
    assert_int_equal(fs_upload_uid(upload), 41);
    assert_int_equal(fs_uploads_pending(scene->uploads, 0), 0);
}

static void
what_is_no_message_is_refused_and_never_sent(void **state)
{
    static const char *const texts[] = {"no header\n", "\n\nbody\n", " x: y\n"};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(FsUpload) upload = begin(texts[i], NULL);
        g_auto(GStrv) refused = fs_uploads_take_refused(scene->uploads);

        steps_are("-");
        assert_int_equal(fs_upload_state(upload), FS_UPLOAD_REFUSED);
        assert_true(g_error_matches(fs_upload_error(upload), FS_ERROR,
                                    FS_ERROR_NO_MESSAGE));
        assert_false(let_go_done);
        /* Shells say nothing when a close fails. */
        assert_true(g_str_has_prefix(
            refused[0], "A/x.eml cannot be stored: it is no message: "));
        assert_null(refused[1]);
    }
}

static void
lost_line_postpones_and_any_other_error_refuses(void **state)
{
    for (int code = 0; code <= IMAP_ERROR_CANNOT; code++) {
        g_autoptr(FsUpload) upload = begin(text_1, NULL);
        g_autoptr(GError) error = error_of((ImapError)code);
        gboolean line = code <= IMAP_ERROR_CLOSED;

        upload->step = FS_UPLOAD_STEP_SEND;
        fs_upload_fail(upload, error);
        assert_int_equal(fs_upload_state(upload),
                         line ? FS_UPLOAD_PENDING : FS_UPLOAD_REFUSED);
        assert_true(fs_need_is_complete(fs_upload_need(upload)));
        if (line) {
            fs_uploads_retry(scene->uploads);
            assert_int_equal(fs_upload_state(upload), FS_UPLOAD_UNDER_WAY);
            assert_false(fs_need_is_complete(fs_upload_need(upload)));
            fs_upload_stored(upload, 50);
        }
        g_string_truncate(steps, 0);
    }
}

static void
refusal_is_told_once_and_what_is_held_is_let_go(void **state)
{
    g_autoptr(FsUpload) upload = begin(text_1, NULL);
    g_autoptr(GError) error = error_of(IMAP_ERROR_OVER_QUOTA);
    g_auto(GStrv) refused = NULL;
    g_auto(GStrv) again = NULL;

    let_go_done = TRUE;
    fs_upload_fail(upload, error);
    assert_false(let_go_done);
    refused = fs_uploads_take_refused(scene->uploads);
    again = fs_uploads_take_refused(scene->uploads);
    assert_string_equal(refused[0],
                        "A/x.eml cannot be stored: the reason; what was "
                        "written is in .imapfs/lost+found");
    assert_null(refused[1]);
    assert_null(again[0]);
    /* Whoever wrote it has the octets. */
    assert_null(scene->lost);
}

static void
refusal_of_what_was_renamed_says_so(void **state)
{
    const FsUploadRequest like = {.stays = TRUE};
    g_autoptr(FsUpload) upload = begin(text_1, &like);
    g_autoptr(GError) error = error_of(IMAP_ERROR_OVER_QUOTA);
    g_auto(GStrv) refused = NULL;

    fs_upload_fail(upload, error);
    refused = fs_uploads_take_refused(scene->uploads);
    assert_string_equal(refused[0], "A/x.eml cannot be stored: the reason; "
                                    "the file has its old name");
}

static void
mailbox_that_is_gone_refuses(void **state)
{
    g_autoptr(FsUpload) upload = NULL;

    assert_true(
        fs_mailbox_tree_update(scene->account.tree, NULL, 0, NULL, NULL, NULL));
    upload = begin(text_1, NULL);
    assert_int_equal(fs_upload_state(upload), FS_UPLOAD_REFUSED);
    assert_true(
        g_error_matches(fs_upload_error(upload), FS_ERROR, FS_ERROR_GONE));
}

static void
undecided_upload_is_not_safe(void **state)
{
    const FsUploadRequest like = {.replaces = 5, .must_match = TRUE};
    g_autoptr(FsUpload) upload = begin(text_1, &like);

    assert_true(fs_upload_is_safe(upload));
    upload->step = FS_UPLOAD_STEP_COMPARE;
    assert_false(fs_upload_is_safe(upload));
    /* Without a line there is nothing better to be had. */
    upload->state = FS_UPLOAD_PENDING;
    assert_true(fs_upload_is_safe(upload));
    upload->state = FS_UPLOAD_UNDER_WAY;
}

static void
upload_onto_a_message_is_found_until_it_is_finished(void **state)
{
    const FsUploadRequest like = {.replaces = 5};
    g_autoptr(FsUpload) upload = begin(text_1, &like);

    assert_ptr_equal(fs_uploads_onto(scene->uploads, scene->mailbox, 5),
                     upload);
    assert_null(fs_uploads_onto(scene->uploads, scene->mailbox, 6));
    assert_null(fs_uploads_onto(scene->uploads, scene->mailbox + 1, 5));
    fs_upload_stored(upload, 41);
    assert_null(fs_uploads_onto(scene->uploads, scene->mailbox, 5));
}

/* ---- one after another ---- */

static void
follower_waits_and_replaces_what_went_first(void **state)
{
    g_autoptr(FsUpload) first = begin(text_1, NULL);
    const FsUploadRequest like = {.after = first};
    g_autoptr(FsUpload) second = begin(text_2, &like);

    steps_are("cs");
    fs_upload_stored(first, 41);
    run_disk();
    steps_are("!cs");
    assert_ptr_equal(last, second);
    assert_int_equal(second->replaces, 41);
    fs_upload_stored(second, 42);
}

static void
follower_with_the_same_octets_sends_nothing(void **state)
{
    g_autoptr(FsUpload) first = begin(text_1, NULL);
    const FsUploadRequest like = {.after = first};
    g_autoptr(FsUpload) second = begin(text_1, &like);

    steps_are("cs");
    fs_upload_stored(first, 41);
    run_disk();
    steps_are("!!");
    assert_true(second->is_same);
    assert_int_equal(fs_upload_uid(second), 41);
}

static void
follower_of_a_refused_one_is_sent_for_itself(void **state)
{
    g_autoptr(FsUpload) first = begin(text_1, NULL);
    const FsUploadRequest like = {.after = first, .replaces = 9};
    g_autoptr(FsUpload) second = begin(text_2, &like);
    g_autoptr(GError) error = error_of(IMAP_ERROR_OVER_QUOTA);

    fs_upload_fail(first, error);
    run_disk();
    steps_are("cs-cs");
    assert_ptr_equal(last, second);
    assert_int_equal(second->replaces, 9);
    fs_upload_stored(second, 42);
}

static void
follower_is_pending_while_the_first_is(void **state)
{
    g_autoptr(FsUpload) first = begin(text_1, NULL);
    const FsUploadRequest like = {.after = first};
    g_autoptr(FsUpload) second = begin(text_2, &like);
    g_autoptr(GError) error = error_of(IMAP_ERROR_CLOSED);

    fs_upload_fail(first, error);
    assert_int_equal(fs_upload_state(second), FS_UPLOAD_PENDING);
    fs_uploads_retry(scene->uploads);
    assert_int_equal(fs_upload_state(first), FS_UPLOAD_UNDER_WAY);
    fs_upload_stored(first, 41);
    run_disk();
    assert_int_equal(fs_upload_state(second), FS_UPLOAD_UNDER_WAY);
    fs_upload_stored(second, 42);
}

/* ---- the next mount ---- */

static void
on_left(CacheSpoolFile *file, const char *note, gpointer user_data)
{
    guint *count = user_data;

    (*count)++;
    fs_uploads_resume(scene->uploads, file, note);
}

static guint
remount(void)
{
    guint count = 0;

    fs_uploads_free(scene->uploads);
    run_disk();
    spool_fixture_close(scene->spool);
    spool_fixture_open(scene->spool);
    open_uploads();
    g_string_truncate(steps, 0);
    cache_spool_foreach_left(scene->spool->spool, on_left, &count);
    return count;
}

static void
resumed_upload_is_looked_for_before_it_is_sent(void **state)
{
    const FsUploadRequest like = {.replaces = 5, .must_match = TRUE, .date = 9};
    FsUpload *upload = begin(text_1, &like);

    fs_upload_unref(upload);
    assert_int_equal(remount(), 1);
    steps_are("?");
    assert_string_equal(last->message_id, "<1@x>");
    assert_string_equal(last->identity, "<1@x>");
    assert_string_equal(last->name, "x.eml");
    assert_int_equal(last->from_uid, 40);
    assert_int_equal(last->replaces, 5);
    assert_true(last->must_match);
    assert_int_equal(last->date, 9);
    assert_int_equal(last->text.size, strlen(text_1) + 3);
    assert_true(fs_upload_is_safe(last));
    fs_upload_stored(last, 41);
    assert_int_equal(remount(), 0);
}

/* Each may be carried out late; and one more may have been sent at the end. */
static void
attempts_without_answer_are_counted_over_the_next_mount(void **state)
{
    FsUpload *upload = begin(text_1, NULL);

    assert_int_equal(upload->n_unanswered, 0);
    fs_upload_note_unanswered(upload);
    fs_upload_note_unanswered(upload);
    assert_int_equal(upload->n_unanswered, 2);
    fs_upload_unref(upload);
    assert_int_equal(remount(), 1);
    assert_int_equal(last->n_unanswered, 3);
    assert_true(last->is_bounded);
    fs_upload_stored(last, 41);
}

static void
busy_server_is_told_from_one_that_refuses(void **state)
{
    for (int code = 0; code <= IMAP_ERROR_CANNOT; code++) {
        g_autoptr(GError) error = error_of((ImapError)code);
        gboolean busy = code == IMAP_ERROR_IN_USE || code == IMAP_ERROR_LIMIT ||
                        code == IMAP_ERROR_UNAVAILABLE;

        assert_int_equal(fs_upload_passes(error),
                         code <= IMAP_ERROR_CLOSED || busy);
    }
}

static void
resumed_upload_that_is_refused_is_lost_and_not_gone(void **state)
{
    g_autoptr(GError) error = error_of(IMAP_ERROR_NO_PERMISSION);
    FsUpload *upload = begin(text_1, NULL);
    g_auto(GStrv) refused = NULL;

    fs_upload_unref(upload);
    assert_int_equal(remount(), 1);
    fs_upload_fail(last, error);
    assert_string_equal(scene->lost, "x.eml");
    refused = fs_uploads_take_refused(scene->uploads);
    assert_non_null(refused[0]);
    assert_int_equal(fs_uploads_pending(scene->uploads, 0), 0);
}

/* ---- REPLACE ---- */

static void
replace_is_used_where_nothing_else_is_to_be_done(void **state)
{
    const FsUploadRequest like = {.replaces = 5};
    g_autoptr(FsUpload) upload = begin(text_1, &like);

    assert_false(fs_upload_can_replace(upload));
    can_replace = TRUE;
    assert_true(fs_upload_can_replace(upload));
    has_pending = TRUE;
    assert_false(fs_upload_can_replace(upload));
    has_pending = FALSE;
    upload->held = 3;
    assert_false(fs_upload_can_replace(upload));
    upload->held = 0;
    upload->replaces = 0;
    assert_false(fs_upload_can_replace(upload));
    fs_upload_stored(upload, 41);
}

static void
replace_that_is_refused_goes_the_long_way_if_that_may_help(void **state)
{
    const FsUploadRequest like = {.replaces = 5};

    can_replace = TRUE;
    for (int code = 0; code <= IMAP_ERROR_CANNOT; code++) {
        g_autoptr(FsUpload) upload = begin(text_1, &like);
        g_autoptr(GError) error = error_of((ImapError)code);
        gboolean unknown =
            code == IMAP_ERROR_BAD || code == IMAP_ERROR_UNSUPPORTED;
        gboolean again = unknown || code == IMAP_ERROR_NO ||
                         code == IMAP_ERROR_NONEXISTENT ||
                         code == IMAP_ERROR_CANNOT;

        assert_false(fs_upload_replaces_no_more(upload, error));
        upload->is_replacing = TRUE;
        assert_int_equal(fs_upload_replaces_no_more(upload, error), again);
        assert_int_equal(fs_upload_can_replace(upload), !again);
        assert_int_equal(scene->uploads->cannot_replace, unknown);
        scene->uploads->cannot_replace = FALSE;
        fs_upload_stored(upload, 41);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(upload_is_recorded_before_anything_is_sent),
        TEST(what_is_no_message_is_refused_and_never_sent),
        TEST(lost_line_postpones_and_any_other_error_refuses),
        TEST(refusal_is_told_once_and_what_is_held_is_let_go),
        TEST(refusal_of_what_was_renamed_says_so),
        TEST(mailbox_that_is_gone_refuses),
        TEST(undecided_upload_is_not_safe),
        TEST(upload_onto_a_message_is_found_until_it_is_finished),
        TEST(follower_waits_and_replaces_what_went_first),
        TEST(follower_with_the_same_octets_sends_nothing),
        TEST(follower_of_a_refused_one_is_sent_for_itself),
        TEST(follower_is_pending_while_the_first_is),
        TEST(resumed_upload_is_looked_for_before_it_is_sent),
        TEST(attempts_without_answer_are_counted_over_the_next_mount),
        TEST(busy_server_is_told_from_one_that_refuses),
        TEST(resumed_upload_that_is_refused_is_lost_and_not_gone),
        TEST(replace_is_used_where_nothing_else_is_to_be_done),
        TEST(replace_that_is_refused_goes_the_long_way_if_that_may_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
