/* From what programs write to messages. */
#include "fs/writing/message-text.h"

#include "fs/writing/spool-note.h"

#include <string.h>

#include "spool-fixture.h"

typedef struct {
    CacheSpoolFile *from;
    CacheSpoolFile *to;
    FsMessageText text;
} Made;

static void
expect_done(const GError *error, gpointer user_data)
{
    assert_null(error);
}

static void
make(SpoolFixture *fixture, Made *made, const char *data, gsize length)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, length);

    made->from = cache_spool_file_new(fixture->spool);
    made->to = cache_spool_file_new(fixture->spool);
    fs_message_text_init(&made->text);
    cache_spool_file_write(made->from, 0, bytes, expect_done, NULL);
    cache_spool_file_work(made->from, made->to, fs_message_text_make,
                          &made->text, expect_done, NULL);
    cache_store_thread_drain(fixture->thread);
}

static void
clear(Made *made)
{
    cache_spool_file_remove(made->from);
    cache_spool_file_remove(made->to);
    fs_message_text_clear(&made->text);
}

static void
expect_text(SpoolFixture *fixture, const char *written, const char *expected)
{
    g_autofree char *text = NULL;
    g_autofree char *digest =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, expected, -1);
    Made made;

    make(fixture, &made, written, strlen(written));
    text = spool_fixture_read(made.to);
    assert_string_equal(text, expected);
    assert_int_equal(made.text.size, strlen(expected));
    assert_string_equal(made.text.digest, digest);
    clear(&made);
}

static void
lines_end_in_crlf(void **state)
{
    expect_text(*state, "A: b\n\nc\n", "A: b\r\n\r\nc\r\n");
    expect_text(*state, "A: b\r\n\nc", "A: b\r\n\r\nc\r\n");
    expect_text(*state, "A: b", "A: b\r\n");
    expect_text(*state, "A: b\n\n", "A: b\r\n\r\n");
    expect_text(*state, "A: b\rc\n\n\r", "A: b\rc\r\n\r\n\r\r\n");
}

static void
crlf_alone_stays_as_it_is(void **state)
{
    expect_text(*state, "A: b\r\n\r\nc", "A: b\r\n\r\nc");
    expect_text(*state, "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n");
    expect_text(*state, "A: b\r\n\r\n\r", "A: b\r\n\r\n\r");
}

/* A CR is the last octet of one piece that is read, its LF the first of the
 * next. */
static void
line_end_across_pieces_is_one(void **state)
{
    for (gsize length = 64 * 1024 - 3; length < 64 * 1024 + 3; length++) {
        g_autoptr(GString) text = g_string_new("A: ");

        while (text->len < length)
            g_string_append_c(text, 'x');
        g_string_append(text, "\r\n\r\nend\r\n");
        expect_text(*state, text->str, text->str);
    }
}

static void
header_is_what_is_before_the_empty_line(void **state)
{
    static const char data[] = "A: b\nC: d\n\nbody\n\nmore\n";
    Made made;

    make(*state, &made, data, strlen(data));
    assert_string_equal(made.text.header->str, "A: b\r\nC: d\r\n\r\n");
    clear(&made);
}

static void
expect_message(SpoolFixture *fixture, const char *data, gsize length,
               gboolean expected)
{
    Made made;

    make(fixture, &made, data, length);
    assert_int_equal(fs_message_text_is_message(&made.text), expected);
    clear(&made);
}

static void
message_begins_with_a_field_and_has_no_nul(void **state)
{
    expect_message(*state, "Subject: x\n\n", 12, TRUE);
    expect_message(*state, "X-y : z\n\n", 9, TRUE);
    expect_message(*state, "no header\n", 10, FALSE);
    expect_message(*state, "\nSubject: x\n", 12, FALSE);
    expect_message(*state, ": x\n\n", 5, FALSE);
    expect_message(*state, " Subject: x\n", 12, FALSE);
    expect_message(*state, "Subject: x\n\n\0", 13, FALSE);
}

static void
id_is_in_angle_brackets(void **state)
{
    static const char header[] =
        "Subject: x\r\nMESSAGE-id:\r\n <a.b@c>\r\n\r\n";
    static const char without[] = "Message-ID: none\r\n\r\n";
    g_autofree char *id = fs_message_header_id(header, strlen(header));

    assert_string_equal(id, "<a.b@c>");
    assert_null(fs_message_header_id(without, strlen(without)));
}

static void
identity_without_an_id_is_from_and_date(void **state)
{
    static const char one[] = "From: a\r\nDate: d\r\nSubject: 1\r\n\r\n";
    static const char other[] = "From: a\r\nDate: d\r\nSubject: 2\r\n\r\n";
    static const char third[] = "From: b\r\nDate: d\r\nSubject: 1\r\n\r\n";
    g_autofree char *first = fs_message_header_identity(one, strlen(one));
    g_autofree char *second = fs_message_header_identity(other, strlen(other));
    g_autofree char *last = fs_message_header_identity(third, strlen(third));

    assert_string_equal(first, second);
    assert_string_not_equal(first, last);
}

static void
date_is_the_newest_received(void **state)
{
    static const char both[] =
        "Received: from a by b; Tue, 2 Jan 2024 00:00:00 +0000\r\n"
        "Received: from c by a; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        "Date: Sun, 31 Dec 2023 00:00:00 +0000\r\n\r\n";
    static const char alone[] = "Date: Sun, 31 Dec 2023 00:00:00 +0000\r\n\r\n";
    static const char neither[] = "Subject: x\r\n\r\n";
    gint64 date = 0;

    assert_true(fs_message_header_date(both, strlen(both), &date));
    assert_int_equal(date, 1704153600);
    assert_true(fs_message_header_date(alone, strlen(alone), &date));
    assert_int_equal(date, 1703980800);
    assert_false(fs_message_header_date(neither, strlen(neither), &date));
}

static void
note_says_what_it_was_told(void **state)
{
    FsSpoolNote note = {
        .kind = FS_SPOOL_UPLOAD,
        .name = (char *)"a = b\\c\n.eml",
        .mailbox = 7,
        .uidvalidity = G_MAXUINT64,
        .from_uid = G_MAXUINT32,
        .flags = (char *)"\\Seen $x",
        .date = -5,
        .message_id = (char *)"<x@y>",
        .must_match = 1,
        .held = 3,
    };
    g_autofree char *text = fs_spool_note_to_text(&note);
    g_auto(FsSpoolNote) read;

    fs_spool_note_from_text(text, &read);
    assert_int_equal(read.kind, FS_SPOOL_UPLOAD);
    assert_string_equal(read.name, note.name);
    assert_int_equal(read.mailbox, 7);
    assert_true(read.uidvalidity == G_MAXUINT64);
    assert_true(read.from_uid == G_MAXUINT32);
    assert_string_equal(read.flags, note.flags);
    assert_int_equal(read.date, -5);
    assert_string_equal(read.message_id, "<x@y>");
    assert_null(read.digest);
    assert_int_equal(read.must_match, 1);
    assert_true(read.held == 3);
}

static void
note_of_nonsense_is_unknown(void **state)
{
    g_auto(FsSpoolNote) read;

    fs_spool_note_from_text("[imapfs\nkind", &read);
    assert_int_equal(read.kind, FS_SPOOL_UNKNOWN);
    assert_null(read.name);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, spool_fixture_setup,                 \
                                    spool_fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_end_in_crlf),
        TEST(crlf_alone_stays_as_it_is),
        TEST(line_end_across_pieces_is_one),
        TEST(header_is_what_is_before_the_empty_line),
        TEST(message_begins_with_a_field_and_has_no_nul),
        cmocka_unit_test(id_is_in_angle_brackets),
        cmocka_unit_test(identity_without_an_id_is_from_and_date),
        cmocka_unit_test(date_is_the_newest_received),
        cmocka_unit_test(note_says_what_it_was_told),
        cmocka_unit_test(note_of_nonsense_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
