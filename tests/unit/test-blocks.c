/* Blocks in memory and on disk: what comes back is what was put, and the disk
 * holds no more than it may. */
#include "blocks-fixture.h"

static guint64
disk_octets(Fixture *f)
{
    CacheBlocksUse use;

    cache_blocks_use(f->blocks, &use);
    return use.disk_octets;
}

static void
put_is_there_at_once_and_after_reopening(void **state)
{
    g_autofree char *long_key = g_strnfill(5000, 'k');
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, CACHE_BLOCK_SIZE);
    put(&f, "a", 1, 2, 1);
    put(&f, "a\xff#1 \n", 70000, 3, 500);
    put(&f, long_key, 0, 4, 600);
    for (guint round = 0; round < 3; round++) {
        assert_true(cache_blocks_has(f.blocks, "a", 1));
        assert_false(cache_blocks_has(f.blocks, "a", 2));
        assert_false(cache_blocks_has(f.blocks, "b", 0));
        assert_true(check(&f, "a", 0, 1, CACHE_BLOCK_SIZE));
        assert_true(check(&f, "a", 1, 2, 1));
        assert_true(check(&f, "a\xff#1 \n", 70000, 3, 500));
        assert_true(check(&f, long_key, 0, 4, 600));
        assert_false(is_there(&f, "b", 0));
        if (round == 0)
            settle(&f);
        else
            reopen(&f);
    }
    assert_int_equal(n_messages, 0);
    finish(&f);
}

static void
put_of_no_or_too_many_octets_is_ignored(void **state)
{
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, 0);
    put(&f, "b", 0, 1, CACHE_BLOCK_SIZE + 1);
    put(&f, "", 0, 7, 10);
    settle(&f);
    reopen(&f);
    assert_false(is_there(&f, "a", 0));
    assert_false(is_there(&f, "b", 0));
    assert_true(check(&f, "", 0, 7, 10));
    finish(&f);
}

static void
files_are_the_owners_alone(void **state)
{
    g_autofree char *folder = NULL;
    g_autofree char *file = NULL;
    g_autofree char *database = NULL;
    struct stat status;
    Fixture f;
    mode_t mask = umask(0);

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, 5000);
    settle(&f);
    folder = g_build_filename(f.directory, "segments", NULL);
    file = g_build_filename(folder, "000001", NULL);
    database = g_build_filename(f.directory, "blocks.db", NULL);
    assert_int_equal(stat(folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 5000);
    assert_int_equal(stat(database, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    umask(mask);
    finish(&f);
}

static void
remove_forgets_all_blocks_and_their_file(void **state)
{
    Fixture f;

    start(&f, 0, 64 * MIB);
    for (guint32 n = 0; n < 20; n++)
        put(&f, "large", n, n, CACHE_BLOCK_SIZE);
    settle(&f);
    put(&f, "large", 20, 20, 10);
    cache_blocks_remove(f.blocks, "large");
    for (guint32 n = 0; n <= 20; n++)
        assert_false(is_there(&f, "large", n));
    put(&f, "large", 3, 99, 77);
    cache_blocks_remove(f.blocks, "none");
    settle(&f);
    reopen(&f);
    assert_true(check(&f, "large", 3, 99, 77));
    assert_false(cache_blocks_has(f.blocks, "large", 4));
    cache_blocks_remove(f.blocks, "large");
    reopen(&f);
    assert_false(cache_blocks_has(f.blocks, "large", 3));
    assert_int_equal(for_each_segment(&f, NULL), 0);
    assert_int_equal(disk_octets(&f), 0);
    finish(&f);
}

static void
memory_alone_is_bounded_and_leaves_no_files(void **state)
{
    CacheBlocksUse use;
    Fixture f = {.memory_bytes = MIB};

    open_blocks(&f);
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *key = key_of(i);

        put(&f, key, 0, i, 10000);
        assert_true(check(&f, key, 0, i, 10000));
    }
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);
    cache_blocks_use(f.blocks, &use);
    assert_in_range(use.memory_octets, MIB / 2, MIB);
    assert_int_equal(use.disk_octets, 0);
    assert_int_equal(use.hits, 1000);
    assert_in_range(count_there(&f, 0, 1000, 10000), 50, 105);
    cache_blocks_remove(f.blocks, "INBOX/1700000000/999");
    assert_false(is_there(&f, "INBOX/1700000000/999", 0));
    close_blocks(&f);
}

/* What may be there: what was put last, unless it was evicted. */
static void
random_changes_never_bring_wrong_octets(void **state)
{
    enum { N_KEYS = 60, N_NUMBERS = 3 };
    static guint model[N_KEYS][N_NUMBERS]; /* seed; 0: none */
    g_autoptr(GRand) random = g_rand_new_with_seed(42);
    guint n_found = 0, n_missed = 0;
    Fixture f;

    memset(model, 0, sizeof(model));
    start(&f, 200 * KIB, 3 * MIB);
    for (guint step = 1; step < 20000; step++) {
        guint i = (guint)g_rand_int_range(random, 0, N_KEYS);
        guint32 n = (guint32)g_rand_int_range(random, 0, N_NUMBERS);
        g_autofree char *key = key_of(i);
        gint what = g_rand_int_range(random, 0, 1000);

        if (what < 300) {
            model[i][n] = step;
            put(&f, key, n, step, 1 + step * 7919u % 30000);
        } else if (what < 320) {
            memset(model[i], 0, sizeof(model[i]));
            cache_blocks_remove(f.blocks, key);
        } else if (what < 700) {
            guint seed = model[i][n];
            gboolean found =
                seed == 0 ? is_there(&f, key, n)
                          : check(&f, key, n, seed, 1 + seed * 7919u % 30000);

            assert_false(seed == 0 && found);
            if (seed != 0 && found)
                n_found++;
            else if (seed != 0)
                n_missed++;
            assert_int_equal(found, cache_blocks_has(f.blocks, key, n));
        } else if (what < 990) {
            g_main_context_iteration(NULL, FALSE);
        } else if (what < 995) {
            settle(&f);
        } else if (what < 998) {
            clock_ahead += 2 * (gint64)G_USEC_PER_SEC;
        } else {
            reopen(&f);
        }
    }
    settle(&f);
    assert_int_equal(for_each_segment(&f, NULL), disk_octets(&f));
    assert_in_range(disk_octets(&f), 1, 4 * MIB);
    assert_int_equal(n_messages, 0);
    assert_in_range(n_missed, 0, n_found);
    finish(&f);
}

static void
cap_holds_while_more_is_put(void **state)
{
    Fixture f;

    start(&f, 0, 8 * MIB);
    for (guint i = 0; i < 4000; i++) {
        g_autofree char *key = key_of(i);

        put(&f, key, 0, i, 10000);
        if (i % 50 == 0) {
            settle(&f);
            assert_in_range(for_each_segment(&f, NULL), 0, 9 * MIB);
        }
    }
    settle(&f);
    assert_in_range(disk_octets(&f), 6 * MIB, 8 * MIB);
    assert_in_range(count_there(&f, 0, 4000, 10000), 600, 840);
    assert_int_equal(count_there(&f, 3500, 500, 10000), 500);
    finish(&f);
}

static void
scan_larger_than_the_cap_keeps_what_is_hot(void **state)
{
    Fixture f;

    start(&f, 0, 16 * MIB);
    put_many(&f, 0, 1000, 10000); /* 10 MB, a fifth of it hot */
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < 1000; i += 5)
            assert_int_equal(count_there(&f, i, 1, 10000), 1);
        clock_ahead += 10 * (gint64)G_USEC_PER_SEC;
    }
    /* A scan reads what it brings, in several pieces, and never again. */
    for (guint i = 10000; i < 18000; i += 100) {
        put_many(&f, i, 100, 10000);
        assert_int_equal(count_there(&f, i, 100, 10000), 100);
        assert_int_equal(count_there(&f, i, 100, 10000), 100);
        assert_in_range(for_each_segment(&f, NULL), 0, 17 * MIB);
    }
    for (guint i = 0; i < 1000; i++)
        assert_int_equal(count_there(&f, i, 1, 10000), i % 5 == 0);
    reopen(&f);
    for (guint i = 0; i < 1000; i++)
        assert_int_equal(count_there(&f, i, 1, 10000), i % 5 == 0);
    finish(&f);
}

static void
first_reading_after_reopening_makes_nothing_hot(void **state)
{
    Fixture f;

    start(&f, 0, 8 * MIB);
    put_many(&f, 0, 100, 10000);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 50, 10000), 50);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20); /* now hot */
    put_many(&f, 1000, 2000, 10000);
    assert_int_equal(count_there(&f, 0, 100, 10000), 20);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20);
    finish(&f);
}

static void
hot_blocks_have_two_thirds_at_the_most(void **state)
{
    guint n_old, n_new;
    Fixture f;

    start(&f, 0, 12 * MIB);
    for (guint first = 0; first < 4000; first += 200) {
        put_many(&f, first, 200, 10000);
        for (guint round = 0; round < 2; round++) {
            count_there(&f, first, 200, 10000);
            clock_ahead += 10 * (gint64)G_USEC_PER_SEC;
        }
        assert_in_range(for_each_segment(&f, NULL), 0, 13 * MIB);
    }
    /* 40 MB were hot. A scan then leaves two thirds of 12 MiB, but for the
     * segment that would be too much, of what was hot last. */
    put_many(&f, 10000, 2000, 10000);
    n_old = count_there(&f, 0, 4000, 10000);
    n_new = count_there(&f, 10000, 2000, 10000);
    assert_in_range(n_old, 500, 945);
    assert_in_range(n_new, 250, 700);
    assert_int_equal(count_there(&f, 0, 2000, 10000), 0);
    finish(&f);
}

/* Puts 200 blocks and makes them hot, and the blocks from @used, too. */
static void
make_hot(Fixture *f, guint first, guint used)
{
    put_many(f, first, 200, 10000);
    for (guint round = 0; round < 2; round++) {
        count_there(f, first, 200, 10000);
        count_there(f, used, 100, 10000);
        clock_ahead += 10 * (gint64)G_USEC_PER_SEC;
    }
}

static void
hot_segment_unused_longest_goes_first(void **state)
{
    Fixture f;

    start(&f, 0, 12 * MIB);
    make_hot(&f, 0, 0);
    put_many(&f, 10000, 1000, 10000);
    assert_int_equal(count_there(&f, 0, 200, 10000), 200);
    for (guint first = 200; first < 4000; first += 200)
        make_hot(&f, first, 0);
    put_many(&f, 20000, 1000, 10000);
    assert_int_equal(count_there(&f, 0, 100, 10000), 100);
    assert_int_equal(count_there(&f, 200, 1000, 10000), 0);
    finish(&f);
}

static void
count_call(gpointer user_data)
{
    (*(guint *)user_data)++;
}

static void
written_func_is_called_when_less_is_unwritten(void **state)
{
    guint n_calls = 0;
    Fixture f;

    start(&f, 0, 64 * MIB);
    cache_blocks_set_written_func(f.blocks, count_call, &n_calls);
    put(&f, "a", 0, 1, 1000);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 1000);
    put(&f, "a", 0, 2, 500);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 500);
    assert_int_equal(n_calls, 0);
    while (n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);

    put(&f, "b", 0, 1, 1000);
    cache_blocks_remove(f.blocks, "b");
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);
    n_calls = 0;
    while (n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    finish(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_is_there_at_once_and_after_reopening),
        cmocka_unit_test(put_of_no_or_too_many_octets_is_ignored),
        cmocka_unit_test(files_are_the_owners_alone),
        cmocka_unit_test(remove_forgets_all_blocks_and_their_file),
        cmocka_unit_test(memory_alone_is_bounded_and_leaves_no_files),
        cmocka_unit_test(random_changes_never_bring_wrong_octets),
        cmocka_unit_test(cap_holds_while_more_is_put),
        cmocka_unit_test(scan_larger_than_the_cap_keeps_what_is_hot),
        cmocka_unit_test(first_reading_after_reopening_makes_nothing_hot),
        cmocka_unit_test(hot_blocks_have_two_thirds_at_the_most),
        cmocka_unit_test(hot_segment_unused_longest_goes_first),
        cmocka_unit_test(written_func_is_called_when_less_is_unwritten),
    };

    g_log_set_writer_func(count_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
