/* Messages as lines of a table. */
#include "fs/views/index/index-line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json-glib/json-glib.h>

static char *
line(FsIndexFormat format, const char *subject, const char *flags,
     int attachments)
{
    const CacheFieldsRow fields = {.uid = 7,
                                   .from = "A <a@example.org>",
                                   .to = "me",
                                   .subject = subject,
                                   .message_id = "<1@example.org>",
                                   .attachments = attachments};
    GString *text = g_string_new(NULL);
    FsEntry entry = {.uid = 7};

    g_strlcpy(entry.name, "x.7.eml", sizeof entry.name);
    entry.attributes.st_size = 1234;
    entry.attributes.st_mtim.tv_sec = 1705320000;
    fs_index_line_append(text, format, &entry, flags, &fields);
    return g_string_free(text, FALSE);
}

static void
line_of_tabs_has_ten_values(void **state)
{
    g_autofree char *text = line(FS_INDEX_TSV, "q3 report", "\\Seen work", 1);
    g_autofree char *bare = line(FS_INDEX_TSV, "", NULL, -1);
    g_auto(GStrv) values = g_strsplit(bare, "\t", -1);

    assert_string_equal(text, "7\tx.7.eml\t1234\t2024-01-15T12:00:00Z\t"
                              "\\Seen work\tA <a@example.org>\tme\t"
                              "q3 report\t<1@example.org>\tyes\n");
    assert_int_equal(g_strv_length(values), 10);
    assert_string_equal(values[4], "");
    assert_string_equal(values[9], "\n");
}

/* Whatever a sender writes, it stays one value of one line. */
static void
hostile_values_stay_in_their_place(void **state)
{
    static const char *const subjects[] = {
        "a\tb",
        "a\nb",
        "a\r\nb",
        "a\x1b[31mb",
        "a\x7f",
        "a\xc2\x85"
        "b",
        "a\xe2\x80\xa8"
        "b",
        "\xff\xfe",
        "\"quoted\\\"",
    };

    for (guint i = 0; i < G_N_ELEMENTS(subjects); i++) {
        g_autofree char *tsv = line(FS_INDEX_TSV, subjects[i], "", 0);
        g_autofree char *json = line(FS_INDEX_JSONL, subjects[i], "", 0);
        g_auto(GStrv) values = g_strsplit(tsv, "\t", -1);
        g_autoptr(JsonParser) parser = json_parser_new();

        assert_int_equal(g_strv_length(values), 10);
        assert_true(strchr(tsv, '\n') == tsv + strlen(tsv) - 1);
        assert_null(strpbrk(tsv, "\r\x1b\x7f"));
        assert_true(g_utf8_validate(tsv, -1, NULL));
        assert_true(strchr(json, '\n') == json + strlen(json) - 1);
        assert_true(json_parser_load_from_data(parser, json, -1, NULL));
    }
}

static void
line_of_json_has_all_members(void **state)
{
    g_autofree char *text = line(FS_INDEX_JSONL,
                                 "Gr\xc3\xbc\xc3\x9f"
                                 "e",
                                 "\\Seen work", 0);
    g_autofree char *unknown = line(FS_INDEX_JSONL, "", NULL, -1);

    assert_string_equal(
        text, "{\"uid\":7,\"name\":\"x.7.eml\",\"size\":1234,"
              "\"date\":\"2024-01-15T12:00:00Z\","
              "\"flags\":[\"\\\\Seen\",\"work\"],"
              "\"from\":\"A <a@example.org>\",\"to\":\"me\","
              "\"subject\":\"Gr\xc3\xbc\xc3\x9f"
              "e\","
              "\"message_id\":\"<1@example.org>\",\"attachments\":false}\n");
    assert_non_null(strstr(unknown, "\"attachments\":null"));
    assert_non_null(strstr(unknown, "\"flags\":[]"));
}

static void
fields_are_decoded_and_bounded(void **state)
{
    static const char header[] =
        "From: =?utf-8?q?Jos=C3=A9?= <jose@example.es>\r\n"
        "Subject: folded\r\n subject\r\n"
        "Message-ID:\r\n <1@example.org>\r\n\r\n";
    g_autofree char *many = g_strnfill(100 * 1000, 'a');
    g_autofree char *long_header = g_strdup_printf("Subject: %s\r\n\r\n", many);
    FsIndexFields fields;

    fs_index_fields_read(&fields, header, strlen(header));
    assert_string_equal(fields.from, "Jos\xc3\xa9 <jose@example.es>");
    assert_string_equal(fields.to, "");
    assert_string_equal(fields.subject, "folded subject");
    assert_string_equal(fields.message_id, "<1@example.org>");
    fs_index_fields_clear(&fields);
    fs_index_fields_read(&fields, long_header, strlen(long_header));
    assert_int_equal(strlen(fields.subject), 1000);
    fs_index_fields_clear(&fields);
    /* In the middle of a character. */
    memcpy(strstr(long_header, "aaa") + 999, "\xc3\xa9", 2);
    fs_index_fields_read(&fields, long_header, strlen(long_header));
    assert_int_equal(strlen(fields.subject), 999);
    fs_index_fields_clear(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_of_tabs_has_ten_values),
        cmocka_unit_test(hostile_values_stay_in_their_place),
        cmocka_unit_test(line_of_json_has_all_members),
        cmocka_unit_test(fields_are_decoded_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
