/* Bodies that are held back until they are known to be right. */
#include "fs/bodies/body-writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N_WRITERS 30
#define SIZE (CACHE_BLOCK_SIZE * 3 / 2)

/* More than are kept in memory: who comes later is put aside, and none gets
 * another's octets. */
static void
writer_many_held_back_each_gets_its_own(void **state)
{
    g_autoptr(CacheStoreThread) thread = cache_store_thread_new();
    g_autoptr(CacheBlocks) blocks =
        cache_blocks_new(NULL, 64 * 1024 * 1024, 0, thread);
    FsBodyWriter *writers[N_WRITERS];
    g_autofree guint8 *body = g_malloc(SIZE);

    for (guint i = 0; i < N_WRITERS; i++) {
        memset(body, (int)i + 1, SIZE);
        writers[i] = fs_body_writer_new(blocks, NULL, 0, SIZE);
        fs_body_writer_append(writers[i], body, SIZE);
        assert_int_equal(fs_body_writer_left(writers[i]), 0);
    }
    for (guint i = 0; i < N_WRITERS; i++) {
        g_autofree char *key = g_strdup_printf("key-%u", i);

        assert_false(cache_blocks_has(blocks, key, 0));
        assert_true(fs_body_writer_finish(writers[i], key));
        fs_body_writer_free(writers[i]);
        for (guint32 number = 0; number < 2; number++) {
            g_autoptr(GBytes) block = cache_blocks_get(blocks, key, number);
            gsize length;
            const guint8 *data = g_bytes_get_data(block, &length);

            assert_int_equal(length, number == 0 ? CACHE_BLOCK_SIZE
                                                 : SIZE - CACHE_BLOCK_SIZE);
            for (gsize at = 0; at < length; at++)
                assert_int_equal(data[at], i + 1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_many_held_back_each_gets_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
