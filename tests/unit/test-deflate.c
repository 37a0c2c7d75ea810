/* COMPRESS=DEFLATE: the codec, both ends of it ours, and what it makes of
 * octets that nobody deflated; and when a line counts as slow. */
#include "imap/deflate.h"

#include "imap/error.h"
#include "imap/line-rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Everything that @packed inflates to, fed in portions of @portion octets and
 * taken in portions of @room. */
static GByteArray *
inflate_all(ImapDeflate *deflate, const GByteArray *packed, gsize portion,
            gsize room)
{
    GByteArray *plain = g_byte_array_new();
    g_autofree guint8 *buffer = g_malloc(room);

    for (gsize at = 0; at < packed->len; at += portion) {
        gsize inflated;

        imap_deflate_feed(deflate, packed->data + at,
                          MIN(portion, packed->len - at));
        while (imap_deflate_is_pending(deflate)) {
            assert_true(
                imap_deflate_inflate(deflate, buffer, room, &inflated, NULL));
            g_byte_array_append(plain, buffer, inflated);
        }
    }
    return plain;
}

static void
deflate_any_portions_give_back_what_was_sent(void **state)
{
    static const gsize portions[] = {1, 2, 7, 100, 65536};
    g_autofree char *text = g_strnfill(300000, 'a');

    for (guint i = 0; i < 300000; i += 3)
        text[i] = 'a' + (i * i / 7) % 23;
    for (gsize i = 0; i < G_N_ELEMENTS(portions); i++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(i);
        ImapDeflate *sender = imap_deflate_new();
        ImapDeflate *receiver = imap_deflate_new();

        for (gsize at = 0; at < 300000;) {
            gsize portion = g_rand_int_range(random, 1, 60000);
            gsize length = MIN(portion, 300000 - at);
            g_autoptr(GByteArray) packed =
                imap_deflate_compress(sender, text + at, length);
            g_autoptr(GByteArray) plain =
                inflate_all(receiver, packed, portions[i], 1 + i * 1000);

            /* Each write can be read as a whole. */
            assert_int_equal(plain->len, length);
            assert_memory_equal(plain->data, text + at, length);
            at += length;
        }
        imap_deflate_free(sender);
        imap_deflate_free(receiver);
    }
}

static void
deflate_garbage_is_protocol_error(void **state)
{
    static const guint8 garbage[] = "* OK this was never deflated\r\n";
    ImapDeflate *deflate = imap_deflate_new();
    g_autoptr(GError) error = NULL;
    guint8 buffer[100];
    gsize inflated;

    imap_deflate_feed(deflate, garbage, sizeof garbage - 1);
    assert_false(imap_deflate_inflate(deflate, buffer, sizeof buffer, &inflated,
                                      &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
    imap_deflate_free(deflate);
}

static void
deflate_end_of_stream_closes_after_what_came_before(void **state)
{
    /* "* BYE\r\n", stored, and an empty block that calls itself the last. */
    static const guint8 last[] = {0x00, 0x07, 0x00, 0xf8, 0xff, '*',  ' ',
                                  'B',  'Y',  'E',  '\r', '\n', 0x03, 0x00};
    ImapDeflate *deflate = imap_deflate_new();
    g_autoptr(GError) error = NULL;
    guint8 buffer[100];
    gsize inflated;

    imap_deflate_feed(deflate, last, sizeof last);
    assert_true(imap_deflate_inflate(deflate, buffer, sizeof buffer, &inflated,
                                     &error));
    assert_int_equal(inflated, 7);
    assert_memory_equal(buffer, "* BYE\r\n", 7);
    assert_true(imap_deflate_is_pending(deflate));
    assert_false(imap_deflate_inflate(deflate, buffer, sizeof buffer, &inflated,
                                      &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED));
    imap_deflate_free(deflate);
}

/* Twenty reads of 64 KiB, @microseconds apart. */
static void
measure(ImapLineRate *rate, gint64 microseconds)
{
    ImapLineMeasure line = {0};

    for (gint64 i = 1; i <= 20; i++)
        imap_line_measure_received(&line, 65536, i * microseconds,
                                   2 * i * microseconds, rate);
}

static void
rate_slow_line_is_slow(void **state)
{
    ImapLineRate rate = {0};

    assert_false(imap_line_rate_is_slow(&rate));
    measure(&rate, 65536 / 10); /* 10 MB/s */
    assert_true(imap_line_rate_is_slow(&rate));
}

/* Half the time went by while we were busy. */
static void
rate_by_the_clock_is_that_of_line_and_client(void **state)
{
    ImapLineRate rate = {0};

    measure(&rate, 65536 / 10);
    assert_in_range(rate.fastest, 9900000, 10100000);
    assert_in_range(rate.taken, 4900000, 5100000);
}

static void
rate_fast_part_makes_a_line_fast_for_good(void **state)
{
    ImapLineRate rate = {0};

    measure(&rate, 65536 / 10);
    measure(&rate, 65536 / 100); /* 100 MB/s */
    measure(&rate, 65536 / 10);
    assert_false(imap_line_rate_is_slow(&rate));
}

static void
rate_pauses_do_not_count(void **state)
{
    ImapLineRate rate = {0};
    ImapLineMeasure line = {0};
    gint64 now = 1;

    /* Bursts of half a megabyte at 100 MB/s, with a second between. */
    for (int burst = 0; burst < 4; burst++) {
        for (int i = 0; i < 8; i++) {
            now += 655;
            imap_line_measure_received(&line, 65536, now, now, &rate);
        }
        now += G_USEC_PER_SEC;
    }
    assert_true(rate.octets >= 1024 * 1024);
    assert_false(imap_line_rate_is_slow(&rate));
}

static void
rate_little_says_nothing(void **state)
{
    ImapLineRate rate = {0};
    ImapLineMeasure line = {0};

    for (gint64 i = 1; i <= 10; i++)
        imap_line_measure_received(&line, 65536, i * 6553, i * 6553, &rate);
    assert_false(imap_line_rate_is_slow(&rate));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflate_any_portions_give_back_what_was_sent),
        cmocka_unit_test(deflate_garbage_is_protocol_error),
        cmocka_unit_test(deflate_end_of_stream_closes_after_what_came_before),
        cmocka_unit_test(rate_slow_line_is_slow),
        cmocka_unit_test(rate_by_the_clock_is_that_of_line_and_client),
        cmocka_unit_test(rate_fast_part_makes_a_line_fast_for_good),
        cmocka_unit_test(rate_pauses_do_not_count),
        cmocka_unit_test(rate_little_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
