/* Which octets are written, against a table of every octet. */
#include "fs/writing/written-ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OCTETS 64

static void
whole_needs_every_octet(void **state)
{
    FsWrittenRanges *ranges = fs_written_ranges_new();

    assert_true(fs_written_ranges_is_whole(ranges, 0));
    assert_false(fs_written_ranges_is_whole(ranges, 1));
    fs_written_ranges_add(ranges, 10, 10);
    assert_false(fs_written_ranges_is_whole(ranges, 20));
    fs_written_ranges_add(ranges, 0, 9);
    assert_false(fs_written_ranges_is_whole(ranges, 20));
    fs_written_ranges_add(ranges, 9, 1);
    assert_true(fs_written_ranges_is_whole(ranges, 20));
    assert_false(fs_written_ranges_is_whole(ranges, 21));
    fs_written_ranges_free(ranges);
}

static void
cut_forgets_what_is_behind(void **state)
{
    FsWrittenRanges *ranges = fs_written_ranges_new();

    fs_written_ranges_add(ranges, 0, 100);
    fs_written_ranges_add(ranges, 200, 100);
    fs_written_ranges_cut(ranges, 50);
    assert_true(fs_written_ranges_is_whole(ranges, 50));
    fs_written_ranges_add(ranges, 60, 40);
    assert_false(fs_written_ranges_is_whole(ranges, 100));
    fs_written_ranges_cut(ranges, 0);
    assert_false(fs_written_ranges_is_whole(ranges, 1));
    fs_written_ranges_free(ranges);
}

static gboolean
is_whole(const gboolean *octets, guint size)
{
    for (guint i = 0; i < size; i++)
        if (!octets[i])
            return FALSE;
    return TRUE;
}

static void
any_order_agrees_with_a_table(void **state)
{
    GRand *random = g_rand_new_with_seed(7);

    for (guint round = 0; round < 300; round++) {
        FsWrittenRanges *ranges = fs_written_ranges_new();
        gboolean octets[OCTETS] = {FALSE};

        for (guint step = 0; step < 60; step++) {
            guint offset = g_rand_int_range(random, 0, OCTETS);
            guint length = g_rand_int_range(random, 0, OCTETS - offset + 1);

            if (g_rand_int_range(random, 0, 12) == 0) {
                fs_written_ranges_cut(ranges, offset);
                memset(octets + offset, 0, (OCTETS - offset) * sizeof *octets);
            } else {
                length = MIN(length, 8);
                fs_written_ranges_add(ranges, offset, length);
                for (guint i = offset; i < offset + length; i++)
                    octets[i] = TRUE;
            }
            for (guint size = 0; size <= OCTETS; size++)
                assert_int_equal(fs_written_ranges_is_whole(ranges, size),
                                 is_whole(octets, size));
        }
        fs_written_ranges_free(ranges);
    }
    g_rand_free(random);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_needs_every_octet),
        cmocka_unit_test(cut_forgets_what_is_behind),
        cmocka_unit_test(any_order_agrees_with_a_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
