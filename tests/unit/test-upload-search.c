/* Which upload a message of the folder may be. */
#include "fs/writing/upload-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HERE 1u
#define SIZE 100u

typedef struct {
    FsAccount account;
    FsUploads uploads;
    FsUpload upload;
} Scene;

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    scene->account.aliases = cache_aliases_open(NULL, NULL, NULL);
    scene->uploads.account = &scene->account;
    scene->uploads.claimed =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_queue_init(&scene->uploads.all);
    scene->upload.uploads = &scene->uploads;
    scene->upload.mailbox = HERE;
    scene->upload.text.size = SIZE;
    scene->upload.from_uid = 40;
    g_queue_push_tail(&scene->uploads.all, &scene->upload);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    g_queue_clear(&scene->uploads.all);
    g_hash_table_unref(scene->uploads.claimed);
    cache_aliases_close(scene->account.aliases);
    g_free(scene);
    return 0;
}

static gboolean
may_be(const Scene *scene, guint32 uid)
{
    return fs_uploads_that_may_be(&scene->uploads, HERE, uid, SIZE) ==
           &scene->upload;
}

static void
claim(Scene *scene, guint32 uid)
{
    guint64 key = (guint64)HERE << 32 | uid;

    g_hash_table_add(scene->uploads.claimed, g_memdup2(&key, sizeof key));
}

static void
message_may_be_what_was_sent_after_it_was_written(void **state)
{
    Scene *scene = *state;

    for (FsUploadStep at = FS_UPLOAD_STEP_MAKE; at <= FS_UPLOAD_STEP_SETTLE;
         at++) {
        scene->upload.step = at;
        assert_int_equal(may_be(scene, 41), at >= FS_UPLOAD_STEP_SENT);
        assert_false(may_be(scene, 39));
        assert_null(fs_uploads_that_may_be(&scene->uploads, HERE, 41, 99));
        assert_null(fs_uploads_that_may_be(&scene->uploads, 2, 41, SIZE));
    }
    claim(scene, 41);
    assert_false(may_be(scene, 41));
    cache_aliases_set(scene->account.aliases, HERE, 42, "other.eml");
    assert_false(may_be(scene, 42));
}

static void
message_that_is_being_settled_is_that_of_its_uid(void **state)
{
    Scene *scene = *state;

    scene->upload.step = FS_UPLOAD_STEP_SETTLE;
    scene->upload.uid = 41;
    claim(scene, 41);
    assert_true(may_be(scene, 41));
    assert_false(may_be(scene, 42));
    /* The server may have changed it. */
    assert_non_null(
        fs_uploads_that_may_be(&scene->uploads, HERE, 41, SIZE + 1));
    scene->upload.is_same = TRUE;
    assert_false(may_be(scene, 41));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(message_may_be_what_was_sent_after_it_was_written),
        TEST(message_that_is_being_settled_is_that_of_its_uid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
