/* The size of base64 by its end. What it is compared with is GLib's encoder,
 * and decoders that differ on what is broken. */
#include "fs/views/parts/base64-tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* @octets of base64 in lines of @width (0: one), with @ends line ends behind.
 */
static GString *
encode(gsize octets, gsize width, guint ends)
{
    g_autofree guchar *data = g_malloc(octets);
    g_autofree char *encoded = NULL;
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < octets; i++)
        data[i] = (guchar)(i * 7 + i / 255);
    encoded = g_base64_encode(data, octets);
    for (gsize at = 0; encoded[at] != '\0'; at++) {
        if (width > 0 && at > 0 && at % width == 0)
            g_string_append(text, "\r\n");
        g_string_append_c(text, encoded[at]);
    }
    for (guint i = 0; i < ends; i++)
        g_string_append(text, "\r\n");
    return text;
}

static gboolean
size_of(const GString *text, guint64 *size)
{
    gsize length = MIN(text->len, FS_BASE64_TAIL);

    return fs_base64_size(text->len, text->str + text->len - length, length,
                          size);
}

static void
size_of_whole_base64_is_exact(void **state)
{
    static const gsize widths[] = {76, 72, 64, 60, 0};

    for (gsize octets = 300; octets < 700; octets++) {
        for (gsize i = 0; i < G_N_ELEMENTS(widths); i++) {
            for (guint ends = 0; ends < 3; ends++) {
                GString *text = encode(octets, widths[i], ends);
                guint64 size = 0;

                if (!size_of(text, &size) || size != octets)
                    fail_msg(
                        "%zu octets, lines of %zu, %u ends: %" G_GUINT64_FORMAT,
                        octets, widths[i], ends, size);
                g_string_free(text, TRUE);
            }
        }
    }
}

/* What servers make of it that pass over what is no digit, and over padding. */
static guint64
decode_tolerantly(const GString *text)
{
    guint64 digits = 0;

    for (gsize i = 0; i < text->len; i++)
        digits += g_ascii_isalnum(text->str[i]) || text->str[i] == '+' ||
                  text->str[i] == '/';
    return digits * 6 / 8;
}

static void
size_of_broken_base64_is_not_what_decoders_make(void **state)
{
    static const struct {
        gsize at;
        gsize removed;
        const char *inserted;
    } cases[] = {
        {40, 0, "=="},     {40, 2, "=="},   {40, 1, "="},  {40, 1, "\xfc"},
        {50, 0, "!#$%&*"}, {50, 0, "A"},    {50, 0, "AB"}, {76, 2, ""},
        {76, 2, "AB"},     {76, 0, "\r\n"}, {60, 3, ""},   {30, 0, " A "},
    };

    for (gsize octets = 9000; octets < 9003; octets++) {
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
            GString *text = encode(octets, 76, i % 2);
            guint64 size;

            g_string_erase(text, (gssize)cases[i].at, (gssize)cases[i].removed);
            g_string_insert(text, (gssize)cases[i].at, cases[i].inserted);
            if (size_of(text, &size) && size == decode_tolerantly(text))
                fail_msg("%zu octets, case %zu: %" G_GUINT64_FORMAT, octets, i,
                         size);
            g_string_free(text, TRUE);
        }
    }
}

static void
end_that_is_no_base64_has_no_size(void **state)
{
    static const char *const ends[] = {
        "\r\n--\r\nA list has added this.\r\n",
        "\r\nQQ==QQ==",
        "\r\nQQ=",
        "\r\nQ===",
        "\r\n====",
        "\r\nQUJD \r\n",
        "\n",
        "\r\n\r\nQUJD",
        "\r\nQUJD\r\nQUJD\r\n",
        "\r\nQUJ\0Q",
    };
    guint64 size;

    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
        GString *text = encode(57 * 200, 76, 0);

        if (i + 1 == G_N_ELEMENTS(ends))
            g_string_append_len(text, ends[i], 7);
        else
            g_string_append(text, ends[i]);
        if (size_of(text, &size))
            fail_msg("%zu: %" G_GUINT64_FORMAT, i, size);
        g_string_free(text, TRUE);
    }
}

static void
end_of_anything_is_read_within_bounds(void **state)
{
    static const char octets[] = "A/=\r\n \0\xff";
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    guint64 size;

    for (guint i = 0; i < 20000; i++) {
        g_autofree char *tail = g_malloc(FS_BASE64_TAIL);

        for (gsize at = 0; at < FS_BASE64_TAIL; at++)
            tail[at] = octets[g_rand_int_range(rand, 0, i % 8 + 1)];
        if (fs_base64_size(9000 + i, tail, FS_BASE64_TAIL, &size))
            assert_true(size <= (9000 + i) / 4 * 3);
    }
    assert_false(fs_base64_size(9000, "QUJD", 4, &size));
    assert_false(fs_base64_size(0, "", 0, &size));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_of_whole_base64_is_exact),
        cmocka_unit_test(size_of_broken_base64_is_not_what_decoders_make),
        cmocka_unit_test(end_that_is_no_base64_has_no_size),
        cmocka_unit_test(end_of_anything_is_read_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
