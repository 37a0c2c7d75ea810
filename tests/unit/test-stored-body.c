/* The octets of messages that were stored here: how many of them are made
 * bodies at a time, for each is written to the disk once more. */
#include "spool-fixture.h"

#include "fs/account.h"
#include "fs/bodies/message-bodies.h"
#include "fs/bodies/stored-body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAILBOX 5
#define MESSAGES 24u
/* Not a multiple of a block's: so its last block tells its size. */
#define SIZE (1024u * 1024 - 7)
/* Nothing that is read alone keeps more than this on its way to the disk. */
#define UNWRITTEN_MOST (16u * 1024 * 1024)

typedef struct {
    SpoolFixture *spool;
    char *directory;
    FsOptions *options;
    FsAccount *account;
} Scene;

static int
set_up(void **state)
{
    static char *words[] = {"imapfs",
                            "-o",
                            "ro,nonempty,cache_size=1G,state_dir=none",
                            "imap://me%40example.org@mail.example.org/",
                            "/tmp",
                            NULL};
    FsAccountDirectories locked = {.state = NULL};
    Scene *scene = g_new0(Scene, 1);
    g_autoptr(GError) error = NULL;
    gboolean ending;

    spool_fixture_setup((void **)&scene->spool);
    scene->directory = g_dir_make_tmp("imapfs-test-XXXXXX", NULL);
    if (fs_options_parse(5, words, &scene->options, &error) != FS_OPTIONS_MOUNT)
        fail_msg("%s", error->message);
    locked.cache_directory =
        cache_directory_open(scene->directory, &ending, &error);
    assert_non_null(locked.cache_directory);
    scene->account = fs_account_new(scene->options, &locked, &error);
    assert_non_null(scene->account);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;
    const char *command[] = {"rm", "-rf", scene->directory, NULL};

    fs_account_free(scene->account);
    fs_options_free(scene->options);
    spool_fixture_teardown((void **)&scene->spool);
    assert_true(g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH,
                             NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(scene->directory);
    g_free(scene);
    return 0;
}

static guint64
unwritten(const Scene *scene)
{
    return cache_blocks_unwritten(scene->account->blocks);
}

static void
wait_for_disk(const Scene *scene)
{
    while (unwritten(scene) > 0)
        g_main_context_iteration(NULL, TRUE);
}

/* What the message @uid holds. */
static char *
text_of(guint32 uid)
{
    char *text = g_malloc(SIZE + 1);

    memset(text, 'a' + (int)(uid % 26), SIZE);
    text[SIZE] = '\0';
    return text;
}

static void
store(const Scene *scene, guint32 uid)
{
    const CacheMessage message = {
        .uid = uid, .size = SIZE, .sent_date = G_MININT64};
    CacheSpoolFile *file = cache_spool_file_new(scene->spool->spool);
    g_autofree char *text = text_of(uid);

    spool_fixture_write(file, 0, text);
    cache_store_thread_drain(scene->spool->thread);
    cache_index_put(scene->account->index, MAILBOX, &message);
    fs_stored_body_keep(scene->account->bodies, MAILBOX, uid, file);
    cache_spool_file_remove(file);
    wait_for_disk(scene);
}

static void
store_all(const Scene *scene)
{
    const CacheMailbox mailbox = {
        .uidvalidity = 1, .uidnext = MESSAGES + 1, .complete = TRUE};

    cache_index_set_mailbox(scene->account->index, MAILBOX, &mailbox);
    for (guint32 uid = 1; uid <= MESSAGES; uid++)
        store(scene, uid);
    fs_stored_body_trust(scene->account->bodies, TRUE);
    wait_for_disk(scene);
}

static void
question_writes_nothing(void **state)
{
    const Scene *scene = *state;
    CacheMessage message;

    store_all(scene);
    for (guint32 uid = 1; uid <= MESSAGES; uid++) {
        assert_true(
            cache_index_message(scene->account->index, MAILBOX, uid, &message));
        assert_true(
            fs_message_is_cached(scene->account->bodies, MAILBOX, &message));
    }
    assert_int_equal(unwritten(scene), 0);
}

static void
on_need(const GError *error, gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
}

/* TRUE: it had to be waited for. */
static gboolean
open_one(const Scene *scene, guint32 uid)
{
    FsMessageBodies *bodies = scene->account->bodies;
    gboolean waited = FALSE;
    guint64 size = 0;
    FsNeed *need;

    while ((need = fs_message_bodies_open(bodies, MAILBOX, uid, 0, &size)) !=
           NULL) {
        gboolean over = FALSE;

        waited = TRUE;
        fs_need_wait(need, on_need, &over);
        while (!over)
            g_main_context_iteration(NULL, TRUE);
        assert_null(fs_need_error(need));
        fs_need_unref(need);
    }
    assert_int_equal(size, SIZE);
    return waited;
}

static void
openings_wait_for_the_disk(void **state)
{
    const Scene *scene = *state;
    guint n_waited = 0;

    store_all(scene);
    for (guint32 uid = 1; uid <= MESSAGES; uid++) {
        n_waited += open_one(scene, uid);
        assert_in_range(unwritten(scene), 0, UNWRITTEN_MOST);
    }
    assert_true(n_waited > 0);
    wait_for_disk(scene);
    for (guint32 uid = 1; uid <= MESSAGES; uid++) {
        g_autofree char *text = text_of(uid);
        g_autofree char *got = g_malloc0(SIZE + 1);
        FsReader *reader =
            fs_reader_new(scene->account->bodies, MAILBOX, uid, SIZE);
        FsNeed *need = NULL;

        for (gsize at = 0; at < SIZE;) {
            gssize n = fs_reader_read(reader, at, got + at, SIZE - at, &need);

            assert_true(n > 0);
            at += (gsize)n;
        }
        assert_string_equal(got, text);
        fs_reader_free(reader);
    }
}

static void
what_is_at_hand_is_there(void **state)
{
    const Scene *scene = *state;
    guint64 size = 0;

    store_all(scene);
    for (guint32 uid = 1; uid <= MESSAGES; uid++)
        assert_true(fs_message_bodies_at_hand(scene->account->bodies, MAILBOX,
                                              uid, &size));
    assert_int_equal(size, SIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(question_writes_nothing),
        TEST(openings_wait_for_the_disk),
        TEST(what_is_at_hand_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
