/* The parts of a message as entries: their names, their places, what is kept of
 * them, and what they hold as text. */
#include "fs/names/header-field.h"
#include "fs/views/parts/decoded-store.h"
#include "fs/views/parts/part-maker-private.h"
#include "fs/views/parts/part-name.h"
#include "fs/views/parts/part-tree.h"
#include "fs/views/parts/whole-message.h"
#include "fs/views/text-form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- names ---- */

static void
name_any_is_one_safe_component(void **state)
{
    static const struct {
        const char *name;
        const char *expected;
    } cases[] = {
        {"report.pdf", "report.pdf"},
        {"two words.pdf", "two words.pdf"},
        {"a/b.pdf", "a_b.pdf"},
        {"../../etc/passwd", "_._.._etc_passwd"},
        {"..", "_."},
        {".", "_"},
        {".hidden", "_hidden"},
        {"C:\\evil.exe", "C:_evil.exe"},
        {"line\r\nbreak\t.txt", "linebreak .txt"},
        {"\xe2\x80\xaegpj.exe", "gpj.exe"},
        {"  spaces  ", "spaces"},
        {"\xff\xfe.bin", "\xef\xbf\xbd\xef\xbf\xbd.bin"},
        {"", "part-1.2.pdf"},
        {"\x01\x02", "part-1.2.pdf"},
        {NULL, "part-1.2.pdf"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name =
            fs_part_name_make(cases[i].name, "1.2", "application/pdf", FALSE);

        assert_string_equal(name, cases[i].expected);
    }
}

static void
name_too_long_is_cut_before_its_extension(void **state)
{
    GString *text = g_string_new(NULL);
    g_autofree char *name = NULL;
    g_autofree char *numbered = NULL;

    for (int i = 0; i < 200; i++)
        g_string_append(text, "\xc3\xbc");
    g_string_append(text, ".pdf");
    name = fs_part_name_make(text->str, "1", "a/b", FALSE);
    numbered = fs_part_name_number(name, 1790);
    assert_true(strlen(numbered) <= 255);
    assert_true(g_str_has_suffix(numbered, "-1790.pdf"));
    assert_true(g_utf8_validate(name, -1, NULL));
    g_string_free(text, TRUE);
}

/* ---- trees ---- */

static void
add(GArray *parts, ImapPartKind kind, guint parent, const char *section,
    const char *type, const char *name)
{
    FsMimePart part = {
        .kind = kind,
        .parent = parent,
        .section = g_strdup(section),
        .type = g_strdup(type),
        .encoding = g_strdup("base64"),
        .charset = g_strdup("utf-8"),
        .name = g_strdup(name),
        .octets = 7,
    };

    g_array_append_val(parts, part);
}

static char *
describe(const FsPartTree *tree)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < tree->parts->len; i++) {
        const FsPart *part = fs_part_tree_get(tree, i);

        g_string_append_printf(text, "%u/%s%s ", part->parent, part->name,
                               part->kind == FS_PART_DIRECTORY ? "/" : "");
    }
    return g_string_free(text, FALSE);
}

static FsPartTree *
sample(void)
{
    g_autoptr(GArray) parts = fs_mime_parts_new();

    add(parts, IMAP_PART_MULTIPART, 0, "", "multipart/mixed", NULL);
    add(parts, IMAP_PART_LEAF, 0, "1", "text/plain", NULL);
    add(parts, IMAP_PART_LEAF, 0, "2", "text/plain", NULL);
    add(parts, IMAP_PART_LEAF, 0, "3", "text/html", "x.html");
    add(parts, IMAP_PART_LEAF, 0, "4", "image/png", "a.png");
    add(parts, IMAP_PART_LEAF, 0, "5", "image/png", "a.png");
    add(parts, IMAP_PART_LEAF, 0, "6", "application/pdf", "header.txt");
    add(parts, IMAP_PART_MESSAGE, 0, "7", "message/rfc822", NULL);
    add(parts, IMAP_PART_LEAF, 7, "7.1", "text/html", NULL);
    return fs_part_tree_new(parts, FALSE);
}

static const char sample_entries[] =
    "0// 0/header.txt 0/body.txt 0/part-2.txt 0/body.html 0/a.png 0/a-2.png "
    "0/header-2.txt 0/part-7.eml/ 8/header.txt 8/body.html ";

static void
tree_names_and_places_are_unique(void **state)
{
    g_autoptr(FsPartTree) tree = sample();
    g_autofree char *entries = describe(tree);

    assert_string_equal(entries, sample_entries);
    assert_int_equal(fs_part_tree_find(tree, 0, "a-2.png"), 6);
    assert_int_equal(fs_part_tree_find(tree, 8, "body.html"), 10);
    assert_int_equal(fs_part_tree_find(tree, 8, "a.png"), 0);
    assert_null(fs_part_tree_get(tree, 11));
}

static void
tree_from_its_own_bytes_is_the_same(void **state)
{
    g_autoptr(FsPartTree) tree = sample();
    g_autoptr(GBytes) bytes = fs_part_tree_to_bytes(tree);
    g_autoptr(FsPartTree) again = fs_part_tree_from_bytes(bytes);
    g_autofree char *entries = describe(again);

    assert_string_equal(entries, sample_entries);
    assert_null(fs_part_tree_get(again, 5)->charset);
    assert_string_equal(fs_part_tree_get(again, 2)->charset, "utf-8");
    assert_int_equal(fs_part_tree_get(again, 5)->octets, 7);
}

static void
tree_from_other_bytes_is_none_or_sound(void **state)
{
    g_autoptr(FsPartTree) tree = sample();
    g_autoptr(GBytes) bytes = fs_part_tree_to_bytes(tree);
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    for (gsize i = 0; i < length; i++) {
        g_autofree guint8 *damaged = g_memdup2(data, length);
        g_autoptr(GBytes) other = NULL;
        g_autoptr(FsPartTree) read = NULL;

        damaged[i] ^= 0x55;
        other = g_bytes_new(damaged, length);
        read = fs_part_tree_from_bytes(other);
        for (guint j = 1; read != NULL && j < read->parts->len; j++)
            assert_true(fs_part_tree_get(read, j)->parent < j);
    }
}

static void
tree_of_too_many_parts_is_none(void **state)
{
    g_autoptr(GArray) parts = fs_mime_parts_new();
    g_autoptr(FsPartTree) most = NULL;

    add(parts, IMAP_PART_MULTIPART, 0, "", "multipart/mixed", NULL);
    for (guint i = 0; i < FS_PART_TREE_MAX - 3; i++)
        add(parts, IMAP_PART_LEAF, 0, "1", "a/b", "same");
    most = fs_part_tree_new(parts, FALSE);
    assert_non_null(most);
    add(parts, IMAP_PART_LEAF, 0, "1", "a/b", "same");
    add(parts, IMAP_PART_LEAF, 0, "1", "a/b", "same");
    assert_null(fs_part_tree_new(parts, FALSE));
}

/* ---- text ---- */

static void
text_of_any_charset_is_utf8(void **state)
{
    static const struct {
        const char *octets;
        const char *charset;
        const char *expected;
    } cases[] = {
        {"Gr\xfc\xdf", "iso-8859-1", "Gr\xc3\xbc\xc3\x9f"},
        {"Gr\xc3\xbc", "UTF-8", "Gr\xc3\xbc"},
        {"a\xffz", "utf-8", "a\xef\xbf\xbdz"},
        {"\xe2\x82", "utf-8", "\xef\xbf\xbd"},
        {"Gr\xfc", "", "Gr\xc3\xbc"},
        {"Gr\xc3\xbc", "x-unknown", "Gr\xc3\xbc"},
        {"\x1b$B$\"\x1b(B", "iso-2022-jp", "\xe3\x81\x82"},
        {"", "utf-8", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GString *text = fs_text_to_utf8(
            cases[i].octets, strlen(cases[i].octets), cases[i].charset);

        assert_string_equal(text->str, cases[i].expected);
        g_string_free(text, TRUE);
    }
}

/* What is ASCII alone is what it is beside other octets. */
static void
text_of_ascii_is_what_its_charset_makes_of_it(void **state)
{
    static const char *const charsets[] = {
        "us-ascii",  "utf-8",     "utf-7",     "iso-8859-1", "iso-8859-15",
        "koi8-r",    "cp866",     "cp437",     "tis-620",    "windows-1258",
        "shift_jis", "gb2312",    "big5",      "euc-kr",     "iso-2022-jp",
        "utf-16le",  "x-unknown", "macintosh",
    };
    static const char ascii[] = "a +AOQ- \\~ \x1b$B$\"\x1b(B\t\r\n!\"#$%z";

    for (gsize i = 0; i < G_N_ELEMENTS(charsets); i++) {
        g_autofree char *octets = g_strconcat(ascii, "  \xc3\xa4", NULL);
        GString *alone = fs_text_to_utf8(ascii, strlen(ascii), charsets[i]);
        GString *beside = fs_text_to_utf8(octets, strlen(octets), charsets[i]);

        assert_memory_equal(alone->str, beside->str, alone->len);
        g_string_free(alone, TRUE);
        g_string_free(beside, TRUE);
    }
}

static void
header_is_unfolded_and_decoded_up_to_its_end(void **state)
{
    static const char header[] =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_alle?=\r\n"
        "X-Raw: caf\xe9\x1b[0m\r\n"
        "\r\nBody: no\r\n";
    GString *text = fs_header_to_text(header, strlen(header));

    assert_string_equal(text->str, "Subject: Gr\xc3\xbc\xc3\x9f"
                                   "e alle\nX-Raw: caf\xc3\xa9 [0m\n");
    g_string_free(text, TRUE);
    text = fs_header_to_text(NULL, 0);
    assert_string_equal(text->str, "");
    g_string_free(text, TRUE);
}

/* A character that is none does not shift those behind it. */
static void
text_of_wide_charset_goes_on_behind_half_a_pair(void **state)
{
    static const char octets[] = "A\0\x00\xd8"
                                 "B\0\x00\xdc"
                                 "C\0";
    static const char wide[] = "A\0\0\0\0\xd8\0\0B\0\0\0";
    GString *text = fs_text_to_utf8(octets, sizeof octets - 1, "utf-16le");

    assert_string_equal(text->str, "A\xef\xbf\xbd"
                                   "B\xef\xbf\xbd"
                                   "C");
    g_string_free(text, TRUE);
    text = fs_text_to_utf8(wide, sizeof wide - 1, "utf-32le");
    assert_string_equal(text->str, "A\xef\xbf\xbd"
                                   "B");
    g_string_free(text, TRUE);
}

static void
header_any_field_is_one_line(void **state)
{
    static const char header[] =
        "Subject: =?utf-8?q?a=0D=0AX-Fake:_b=C2=85c?=\r\n"
        "To: =?utf-8?b?4oCo?= =?iso-8859-1?q?=0B?=\r\n";
    GString *text = fs_header_to_text(header, strlen(header));

    assert_string_equal(text->str, "Subject: a  X-Fake: b c\nTo:   \n");
    g_string_free(text, TRUE);
}

static void
header_long_value_keeps_its_characters(void **state)
{
    GString *header = g_string_new("Subject: ");
    GString *expected;
    GString *text;

    for (guint i = 0; i < 3000; i++)
        g_string_append(header, "\xe6\x97\xa5");
    expected = g_string_new(header->str);
    g_string_append_c(expected, '\n');
    g_string_append(header, "\r\n\r\n");
    text = fs_header_to_text(header->str, header->len);
    assert_string_equal(text->str, expected->str);
    g_string_free(text, TRUE);
    g_string_free(expected, TRUE);
    g_string_free(header, TRUE);
}

static void
lines_end_in_lf(void **state)
{
    static const char octets[] = "a\r\nb\rc\nd\r\r\n\r";
    GString *text = g_string_new(NULL);

    fs_text_append_lines(text, octets, strlen(octets));
    fs_text_append_lines(text, NULL, 0);
    assert_string_equal(text->str, "a\nb\rc\nd\r\n\r");
    g_string_free(text, TRUE);
}

/* ---- the store ---- */

static void
check_stored(CacheBlocks *blocks, gsize length)
{
    g_autofree guint8 *data = g_malloc(length + 1);
    g_autofree guint8 *read = g_malloc(length + 1);
    g_autoptr(GBytes) all = NULL;
    guint64 size = 1;

    for (gsize i = 0; i < length; i++)
        data[i] = (guint8)(i * 7 + i / 251);
    assert_false(fs_decoded_size(blocks, "d:1:2/x", &size));
    fs_decoded_put(blocks, "d:1:2/x", data, length);
    assert_true(fs_decoded_size(blocks, "d:1:2/x", &size));
    assert_int_equal(size, length);
    for (gsize at = 0; at < length; at += 100000) {
        gssize got = fs_decoded_read(blocks, "d:1:2/x", size, at, read, 99999);

        assert_int_equal(got, MIN(99999, length - at));
        assert_memory_equal(read, data + at, (gsize)got);
    }
    assert_int_equal(fs_decoded_read(blocks, "d:1:2/x", size, length, read, 1),
                     0);
    all = fs_decoded_get(blocks, "d:1:2/x");
    assert_int_equal(g_bytes_get_size(all), length);
    cache_blocks_remove(blocks, "d:1:2/x");
    assert_null(fs_decoded_get(blocks, "d:1:2/x"));
}

static void
store_gives_back_what_was_put(void **state)
{
    static const gsize lengths[] = {0,
                                    1,
                                    CACHE_BLOCK_SIZE - 17,
                                    CACHE_BLOCK_SIZE - 16,
                                    CACHE_BLOCK_SIZE - 15,
                                    CACHE_BLOCK_SIZE,
                                    3 * CACHE_BLOCK_SIZE - 16,
                                    3 * CACHE_BLOCK_SIZE + 5};
    CacheStoreThread *thread = cache_store_thread_new();
    CacheBlocks *blocks = cache_blocks_new(NULL, 4u << 20, 4u << 20, thread);

    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
        check_stored(blocks, lengths[i]);
    cache_blocks_free(blocks);
    cache_store_thread_free(thread);
}

/* ---- whole messages ---- */

static void
contents_of_the_whole_and_of_the_server_s_parts_are_kept_apart(void **state)
{
    const CacheMessage message = {.uid = 7, .size = 100};
    g_autofree char *tree = fs_part_tree_key(1, &message);
    g_autofree char *whole = fs_part_content_key(1, &message, TRUE, 2);
    g_autofree char *other = fs_part_content_key(1, &message, TRUE, 3);
    g_autofree char *server_s = fs_part_content_key(1, &message, FALSE, 2);

    assert_string_not_equal(whole, server_s);
    assert_string_not_equal(whole, other);
    assert_string_not_equal(whole, tree);
    assert_string_not_equal(server_s, tree);
}

static void
whole_message_is_taken_apart(void **state)
{
    static const char message[] =
        "Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\r\n"
        "--b\r\nContent-Type: a/b; name=x.bin\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\naGFsbG8=\r\n--b--\r\n";
    g_autoptr(GBytes) octets = g_bytes_new_static(message, strlen(message));
    g_autoptr(FsWholeMessage) whole = fs_whole_message_new(octets);
    g_autofree char *entries = describe(whole->tree);

    assert_string_equal(entries, "0// 0/header.txt 0/body.txt 0/x.bin ");
    assert_string_equal(
        g_bytes_get_data(g_ptr_array_index(whole->contents, 2), NULL),
        "Gr\xc3\xbc");
    assert_memory_equal(
        g_bytes_get_data(g_ptr_array_index(whole->contents, 3), NULL), "hallo",
        5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_any_is_one_safe_component),
        cmocka_unit_test(name_too_long_is_cut_before_its_extension),
        cmocka_unit_test(tree_names_and_places_are_unique),
        cmocka_unit_test(tree_from_its_own_bytes_is_the_same),
        cmocka_unit_test(tree_from_other_bytes_is_none_or_sound),
        cmocka_unit_test(tree_of_too_many_parts_is_none),
        cmocka_unit_test(text_of_any_charset_is_utf8),
        cmocka_unit_test(text_of_ascii_is_what_its_charset_makes_of_it),
        cmocka_unit_test(header_is_unfolded_and_decoded_up_to_its_end),
        cmocka_unit_test(text_of_wide_charset_goes_on_behind_half_a_pair),
        cmocka_unit_test(header_any_field_is_one_line),
        cmocka_unit_test(header_long_value_keeps_its_characters),
        cmocka_unit_test(lines_end_in_lf),
        cmocka_unit_test(store_gives_back_what_was_put),
        cmocka_unit_test(
            contents_of_the_whole_and_of_the_server_s_parts_are_kept_apart),
        cmocka_unit_test(whole_message_is_taken_apart),
    };

    fs_header_field_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
