/* The names of mailboxes as directories. */
#include "fs/names/mailbox-name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const char *name;
    char delimiter;
    const char *wanted; /* components, each behind a "|"; NULL for none */
} Case;

static const Case cases[] = {
    {"INBOX", '/', "|INBOX"},
    {"inbox", '/', "|INBOX"},
    {"Inbox", '\0', "|INBOX"},
    {"iNbOx.Sub.inbox", '.', "|INBOX|Sub|inbox"},
    {"a/Inbox", '/', "|a|Inbox"},
    {"INBOXES", '/', "|INBOXES"},
    {"Entwürfe/2026", '/', "|Entwürfe|2026"},

    {"", '/', NULL},
    {"/", '/', NULL},
    {"..", '.', NULL},
    {"a//b", '/', "|a|b"},
    {"/lead", '/', "|lead"},
    {"trail/", '/', "|trail"},
    {".", '/', "|%2E"},
    {"..", '/', "|%2E%2E"},
    {"a/../b", '/', "|a|%2E%2E|b"},
    {"...", '/', "|..."},
    {".hidden", '/', "|.hidden"},
    {".imapfs", '/', "|%2Eimapfs"},
    {".imapfs/.imapfs", '/', "|%2Eimapfs|.imapfs"},
    {"/.imapfs", '/', "|%2Eimapfs"},
    {".imapfs2", '/', "|.imapfs2"},

    {"a.b/c", '.', "|a|b%2Fc"},
    {"a\\b/c", '\\', "|a|b%2Fc"},
    {"a^b/c", '^', "|a|b%2Fc"},
    {"a.b/c", '\0', "|a.b%2Fc"},
    {"a\303\274b", '\303', "|a\303\274b"},

    {"%", '/', "|%"},
    {"100%", '/', "|100%"},
    {"%2F", '/', "|%252F"},
    {"%2f", '/', "|%252f"},
    {"%2", '/', "|%2"},
    {"%2/F", '/', "|%2|F"},
    {"%2/F", '.', "|%2%2FF"},
    {"%%41", '/', "|%%2541"},
    {"%zz", '/', "|%zz"},

    {"a\tb", '/', "|a%09b"},
    {"a\r\nb", '/', "|a%0D%0Ab"},
    {"a\033[31m\a", '/', "|a%1B[31m%07"},
    {"a\177", '/', "|a%7F"},
    {"a\302\205\302\233", '/', "|a%C2%85%C2%9B"},
    {"a\342\200\256b", '/', "|a%E2%80%AEb"},
    {"a\342\200\213b\342\200\250", '/', "|a%E2%80%8Bb%E2%80%A8"},
    {"\343\205\244", '/', "|%E3%85%A4"},
    {"\342\235\244\357\270\217 \360\237\216\211", '/',
     "|\342\235\244\357\270\217 \360\237\216\211"},
    {"~a b$(c)", '/', "|~a b$(c)"},

    {"a\377b\303", '/', "|a%FFb%C3"},
    {"\355\240\200", '/', "|%ED%A0%80"},
};

static void
split_table_is_as_listed(void **state)
{
    guint wrong = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) components =
            fs_mailbox_name_split(cases[i].name, cases[i].delimiter);
        g_autofree char *joined =
            components != NULL ? g_strjoinv("|", components) : NULL;
        const char *wanted =
            cases[i].wanted != NULL ? cases[i].wanted + 1 : NULL;

        if (g_strcmp0(joined, wanted) == 0)
            continue;
        print_error("%s: %s instead of %s\n", cases[i].name, joined, wanted);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static char *
only_component(const char *name)
{
    g_auto(GStrv) components = fs_mailbox_name_split(name, '\0');

    assert_non_null(components);
    assert_int_equal(g_strv_length(components), 1);
    return g_strdup(components[0]);
}

static char *
repeat(const char *unit, guint count)
{
    GString *text = g_string_new(NULL);

    while (count-- > 0)
        g_string_append(text, unit);
    return g_string_free(text, FALSE);
}

static void
split_long_component_is_cut_with_hash(void **state)
{
    static const char *const units[] = {
        "a", "ü", "€", "\360\237\216\211", "/", "\342\200\256", "%41"};

    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        for (guint lead = 0; lead < 8; lead++) {
            g_autofree char *filler = repeat(units[i], 300);
            g_autofree char *one = g_strnfill(lead, 'x');
            g_autofree char *name = g_strconcat(one, filler, "1", NULL);
            g_autofree char *other_name = g_strconcat(one, filler, "2", NULL);
            g_autofree char *component = only_component(name);
            g_autofree char *other = only_component(other_name);
            gsize length = strlen(component);
            const char *escape = strrchr(component, '%');

            assert_true(length <= FS_MAILBOX_NAME_MAX);
            assert_true(length > FS_MAILBOX_NAME_MAX - 6);
            assert_true(g_utf8_validate(component, -1, NULL));
            assert_int_equal(component[length - 17], '~');
            assert_int_equal(
                strspn(component + length - 16, "0123456789abcdef"), 16);
            assert_string_not_equal(component, other);
            if (escape != NULL)
                assert_true(g_ascii_isxdigit(escape[1]) &&
                            g_ascii_isxdigit(escape[2]));
        }
    }
}

static void
split_component_of_255_octets_stays(void **state)
{
    g_autofree char *name = g_strnfill(FS_MAILBOX_NAME_MAX, 'a');
    g_autofree char *component = only_component(name);

    assert_string_equal(component, name);
}

static void
split_too_deep_is_refused(void **state)
{
    g_autofree char *deepest = repeat("a/", FS_MAILBOX_DEPTH_MAX);
    g_autofree char *deeper = repeat("a/", FS_MAILBOX_DEPTH_MAX + 1);
    g_autofree char *abyss = repeat("a/", 100000);
    g_auto(GStrv) components = fs_mailbox_name_split(deepest, '/');

    assert_int_equal(g_strv_length(components), FS_MAILBOX_DEPTH_MAX);
    assert_null(fs_mailbox_name_split(deeper, '/'));
    assert_null(fs_mailbox_name_split(abyss, '/'));
}

/* The reverse, written from the header's words. */
static char *
decode_component(const char *component)
{
    GString *name = g_string_new(NULL);

    for (const char *at = component; *at != '\0'; at++) {
        if (at[0] == '%' && g_ascii_isxdigit(at[1]) &&
            g_ascii_isxdigit(at[2])) {
            g_string_append_c(name, (char)(g_ascii_xdigit_value(at[1]) * 16 +
                                           g_ascii_xdigit_value(at[2])));
            at += 2;
        } else {
            g_string_append_c(name, *at);
        }
    }
    return g_string_free(name, FALSE);
}

static void
split_random_name_is_safe_and_reversible(void **state)
{
    static const char alphabet[] = "%%%%2Ff4./ia\\\t\x7f\x1b\303\274\200\342"
                                   "\200\256\377";
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    for (guint round = 0; round < 20000; round++) {
        char name[32];
        gint length = g_rand_int_range(random, 1, 20);
        g_autofree char *component = NULL;
        g_autofree char *decoded = NULL;

        for (gint i = 0; i < length; i++)
            name[i] =
                alphabet[g_rand_int_range(random, 0, sizeof(alphabet) - 1)];
        name[length] = '\0';
        component = only_component(name);
        decoded = decode_component(component);
        assert_string_equal(decoded, name);
        assert_true(g_utf8_validate(component, -1, NULL));
        assert_null(strpbrk(component, "/\t\033\177"));
        assert_string_not_equal(component, ".");
        assert_string_not_equal(component, "..");
    }
}

static void
make_unique_is_bounded_and_tells_wire_names_apart(void **state)
{
    g_autofree char *plain = fs_mailbox_name_make_unique("a", "a//");
    g_autofree char *other = fs_mailbox_name_make_unique("a", "/a");
    g_autofree char *full = g_strnfill(FS_MAILBOX_NAME_MAX, 'b');
    g_autofree char *cut = fs_mailbox_name_make_unique(full, "w");
    g_autofree char *wide = repeat("ü", 127);
    g_autofree char *cut_wide = fs_mailbox_name_make_unique(wide, "w");

    assert_int_equal(strlen(plain), 10);
    assert_true(g_str_has_prefix(plain, "a~"));
    assert_string_not_equal(plain, other);
    assert_int_equal(strlen(cut), FS_MAILBOX_NAME_MAX);
    assert_true(strlen(cut_wide) <= FS_MAILBOX_NAME_MAX);
    assert_true(g_utf8_validate(cut_wide, -1, NULL));
}

/* Users see these names: they must not change from one version to the next. */
static void
hashes_are_those_of_sha256(void **state)
{
    g_autofree char *unique = fs_mailbox_name_make_unique("x", "abc");
    g_autofree char *name = g_strnfill(256, 'a');
    g_autofree char *component = only_component(name);

    assert_string_equal(unique, "x~ba7816bf");
    assert_true(g_str_has_suffix(component, "~02d7160d77e18c64"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_table_is_as_listed),
        cmocka_unit_test(split_long_component_is_cut_with_hash),
        cmocka_unit_test(split_component_of_255_octets_stays),
        cmocka_unit_test(split_too_deep_is_refused),
        cmocka_unit_test(split_random_name_is_safe_and_reversible),
        cmocka_unit_test(make_unique_is_bounded_and_tells_wire_names_apart),
        cmocka_unit_test(hashes_are_those_of_sha256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
