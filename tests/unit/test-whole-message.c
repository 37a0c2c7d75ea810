/* Messages that were made to take much time, memory or stack to be taken apart.
 */
#include "fs/views/parts/parse-cost.h"
#include "fs/views/parts/whole-message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MB (1024u * 1024)

/* @head, and then @unit up to @length octets. */
static GBytes *
message_of(const char *head, const char *unit, gsize length)
{
    GString *text = g_string_new(head);

    while (text->len < length)
        g_string_append(text, unit);
    return g_string_free_to_bytes(text);
}

static guint64
cost_of(const char *head, const char *unit, gsize length)
{
    g_autoptr(GBytes) octets = message_of(head, unit, length);

    return fs_parse_cost(g_bytes_get_data(octets, NULL),
                         g_bytes_get_size(octets));
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"
#define NESTED "Content-Type: message/rfc822\n\n"

/* For each, GMime takes hundreds of octets for a few, as long as there is
 * memory. */
static void
whole_message_of_too_many_things_is_none(void **state)
{
    static const struct {
        const char *head;
        const char *unit;
    } cases[] = {
        {MIXED, "--b\n\n\n"},
        {MIXED, "--b\r\n\r\n\r\n"},
        {MIXED "--b\n", "X:\n"},
        {MIXED "--b\nno field\n", "X:\n"},
        {"", "X:\n"},
        {"", "X\xff :\n"},
        {"", "X:y\na\n"},
        {"From a\n", "X:\n"},
        {NESTED, "X:\n"},
        {NESTED "From a\n", "X:\n"},
        {"content-type:\n MESSAGE/global\n\n", "X:\n"},
        {NESTED NESTED NESTED, "X:\n"},
        {"Content-Type: multipart/digest; boundary=b\n\n--b\n\n", "X:\n"},
        {"Content-Type: a/b", "; a=b"},
        {"Content-Disposition: a", ";\n a=b"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) octets =
            message_of(cases[i].head, cases[i].unit, 4 * MB);

        assert_null(fs_whole_message_new(octets));
    }
}

static void
whole_message_of_much_text_is_taken_apart(void **state)
{
    static const struct {
        const char *head;
        const char *unit;
    } cases[] = {
        {"Subject: a\n\n", "12:30:01 something\n"},
        {MIXED "--b\n\n", "key: value; other=value\n"},
        {MIXED "--b\nContent-Transfer-Encoding: base64\n\n",
         "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU2Nzg5\n"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) octets =
            message_of(cases[i].head, cases[i].unit, 4 * MB);
        g_autoptr(FsWholeMessage) whole = fs_whole_message_new(octets);

        assert_non_null(whole);
    }
}

static void
parse_cost_of_text_is_that_of_its_header(void **state)
{
    assert_int_equal(fs_parse_cost(NULL, 0), 0);
    assert_int_equal(cost_of("Subject: a\n\n", "a: b\n", 10),
                     cost_of("Subject: a\n\n", "a: b\n", MB));
    assert_true(cost_of("Subject: a\n\n--", "\n", 20) >
                cost_of("Subject: a\n\n  ", "\n", 20));
}

/* Each is in the one before it: as deep as the sender likes. */
static void
whole_message_groups_in_groups_are_no_recursion(void **state)
{
    static const char *const heads[] = {
        "To: ", NESTED "Cc: ", MIXED "--b\n" NESTED "Reply-To: "};

    for (gsize i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_autoptr(GBytes) octets = message_of(heads[i], "a:", MB / 2);
        g_autoptr(FsWholeMessage) whole = fs_whole_message_new(octets);

        assert_non_null(whole);
    }
}

static void
whole_message_parts_of_one_name_are_numbered(void **state)
{
    static const char part[] = "--b\nContent-Type: a/b; name=x.c\n\n\n";
    g_autoptr(GBytes) octets =
        message_of(MIXED, part, strlen(MIXED) + 1700 * strlen(part));
    g_autoptr(FsWholeMessage) whole = fs_whole_message_new(octets);

    assert_non_null(whole);
    assert_int_equal(whole->tree->parts->len, 1702);
    for (guint i = 2; i < whole->tree->parts->len; i++) {
        g_autofree char *name =
            i == 2 ? g_strdup("x.c") : g_strdup_printf("x-%u.c", i - 1);

        assert_string_equal(fs_part_tree_get(whole->tree, i)->name, name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_message_of_too_many_things_is_none),
        cmocka_unit_test(whole_message_of_much_text_is_taken_apart),
        cmocka_unit_test(parse_cost_of_text_is_that_of_its_header),
        cmocka_unit_test(whole_message_groups_in_groups_are_no_recursion),
        cmocka_unit_test(whole_message_parts_of_one_name_are_numbered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
