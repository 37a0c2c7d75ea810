/* What readers of events get, and what those get who do not read. */
#include "fs/control/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIME (G_GINT64_CONSTANT(1790000000123456))
#define TIME_TEXT "2026-09-21T14:13:20.123Z"

static void
assert_json(const FsEvent *event, const char *wanted)
{
    g_autofree char *text = fs_event_to_json(event);

    assert_string_equal(text, wanted);
}

static void
event_is_one_line_of_json(void **state)
{
    const FsEvent new = {
        .kind = FS_EVENT_NEW,
        .time = TIME,
        .mailbox = "Entw\u00fcrfe/Alt",
        .uid = 7,
        .name = "2026_a.7.eml",
        .from = "\"Alice\" <alice@example.org>",
        .subject = "a\nb\x1b[31m\xc2\x9b \xff c",
        .flags = "\\Seen  $Later",
    };
    const FsEvent moved = {.kind = FS_EVENT_MOVED,
                           .time = TIME,
                           .mailbox = "A",
                           .uid = 8,
                           .name = "8.eml",
                           .old_mailbox = "B",
                           .old_uid = G_MAXUINT32,
                           .old_name = "4294967295.eml"};
    const FsEvent connection = {.kind = FS_EVENT_CONNECTION,
                                .time = TIME,
                                .action = "lost",
                                .connection = 3,
                                .text = "why"};
    const FsEvent flagless = {
        .kind = FS_EVENT_FLAGS, .time = TIME, .uid = 1, .flags = ""};

    assert_json(&new, "{\"time\":\"" TIME_TEXT "\",\"kind\":\"new\","
                      "\"mailbox\":\"Entw\u00fcrfe/Alt\",\"uid\":7,"
                      "\"name\":\"2026_a.7.eml\","
                      "\"from\":\"\\\"Alice\\\" <alice@example.org>\","
                      "\"subject\":\"a b [31m  \ufffd c\","
                      "\"flags\":[\"\\\\Seen\",\"$Later\"]}");
    assert_json(&moved, "{\"time\":\"" TIME_TEXT "\",\"kind\":\"moved\","
                        "\"mailbox\":\"A\",\"uid\":8,\"name\":\"8.eml\","
                        "\"old_mailbox\":\"B\",\"old_uid\":4294967295,"
                        "\"old_name\":\"4294967295.eml\"}");
    assert_json(&connection, "{\"time\":\"" TIME_TEXT
                             "\",\"kind\":\"connection\",\"action\":\"lost\","
                             "\"connection\":3,\"text\":\"why\"}");
    assert_json(&flagless, "{\"time\":\"" TIME_TEXT
                           "\",\"kind\":\"flags\",\"uid\":1,\"flags\":[]}");
}

static void
text_without_end_is_cut_at_a_character(void **state)
{
    g_autoptr(GString) subject = g_string_new("x");
    FsEvent event = {.kind = FS_EVENT_NEW, .time = TIME};
    g_autofree char *json = NULL;

    for (guint i = 0; i < 100000; i++)
        g_string_append(subject, "\u00e4");
    event.subject = subject->str;
    json = fs_event_to_json(&event);
    assert_true(strlen(json) < 1200);
    assert_true(g_utf8_validate(json, -1, NULL));
    assert_null(strstr(json, "\ufffd"));
}

/* ---- reading ---- */

typedef struct {
    FsEvents *events;
    FsEventReader *reader;
    guint n_ready;
} Scene;

static void
count_ready(gpointer user_data)
{
    ((Scene *)user_data)->n_ready++;
}

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    scene->events = fs_events_new();
    scene->reader = fs_event_reader_new(scene->events, count_ready, scene);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_event_reader_free(scene->reader);
    assert_int_equal(fs_events_n_readers(scene->events), 0);
    fs_events_free(scene->events);
    g_free(scene);
    return 0;
}

static void
publish(Scene *scene, guint32 uid, const char *subject)
{
    const FsEvent event = {
        .kind = FS_EVENT_NEW, .time = TIME, .uid = uid, .subject = subject};

    fs_events_publish(scene->events, &event);
}

static char *
read_some(FsEventReader *reader, gsize size)
{
    char *buffer = g_malloc(size + 1);
    gsize length = fs_event_reader_read(reader, buffer, size);

    assert_true(length <= size);
    buffer[length] = '\0';
    return buffer;
}

static guint
count_lines(const char *text)
{
    guint n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void
reader_begins_with_what_happens_from_then_on(void **state)
{
    Scene *scene = *state;
    FsEventReader *later;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autofree char *nothing = NULL;

    publish(scene, 1, NULL);
    later = fs_event_reader_new(scene->events, NULL, NULL);
    assert_false(fs_event_reader_is_ready(later));
    publish(scene, 2, NULL);
    assert_true(fs_event_reader_is_ready(later));
    first = read_some(scene->reader, 4096);
    second = read_some(later, 4096);
    assert_int_equal(count_lines(first), 2);
    assert_int_equal(count_lines(second), 1);
    assert_non_null(strstr(second, "\"uid\":2}\n"));
    assert_false(fs_event_reader_is_ready(later));
    nothing = read_some(later, 4096);
    assert_string_equal(nothing, "");
    fs_event_reader_free(later);
}

static void
ready_is_told_when_there_was_nothing(void **state)
{
    Scene *scene = *state;
    g_autofree char *text = NULL;

    publish(scene, 1, NULL);
    publish(scene, 2, NULL);
    assert_int_equal(scene->n_ready, 1);
    text = read_some(scene->reader, 4096);
    publish(scene, 3, NULL);
    assert_int_equal(scene->n_ready, 2);
}

static void
buffer_of_any_size_gets_every_octet_once(void **state)
{
    Scene *scene = *state;
    g_autofree char *whole = NULL;

    for (guint uid = 1; uid <= 50; uid++)
        publish(scene, uid, "0123456789");
    whole = read_some(scene->reader, 1 << 20);
    assert_int_equal(count_lines(whole), 50);
    for (gsize size = 1; size < 300; size += 7) {
        g_autoptr(GString) pieces = g_string_new(NULL);

        for (guint uid = 1; uid <= 50; uid++)
            publish(scene, uid, "0123456789");
        while (fs_event_reader_is_ready(scene->reader)) {
            g_autofree char *piece = read_some(scene->reader, size);

            assert_true(*piece != '\0');
            g_string_append(pieces, piece);
        }
        assert_string_equal(pieces->str, whole);
    }
}

static void
lines_come_whole_where_they_fit(void **state)
{
    Scene *scene = *state;
    gsize length = strlen("{'time':'" TIME_TEXT "','kind':'new','uid':1}\n");

    for (guint uid = 1; uid <= 3; uid++)
        publish(scene, uid, NULL);
    for (guint i = 0; i < 3; i++) {
        g_autofree char *text = read_some(scene->reader, 2 * length - 1);

        assert_int_equal(strlen(text), length);
    }
}

/* The kernel asks for more behind a part that is full, and that would wait. */
static void
large_read_is_never_filled(void **state)
{
    Scene *scene = *state;
    gsize length =
        strlen("{'time':'" TIME_TEXT "','kind':'new','uid':1,'subject':''}\n");
    g_autofree char *subject = g_strnfill(1000, 'x');
    g_autofree char *rest =
        g_strnfill(4096 - 3 * (length + 1000) - length, 'x');
    g_autofree char *text = NULL;

    for (guint i = 0; i < 3; i++)
        publish(scene, 1, subject);
    publish(scene, 1, rest);
    text = read_some(scene->reader, 4096);
    assert_true(strlen(text) < 4096);
    assert_int_equal(count_lines(text), 3);
    g_free(text);
    text = read_some(scene->reader, 4096);
    assert_int_equal(count_lines(text), 1);
}

static void
slow_reader_is_told_how_much_it_lost(void **state)
{
    Scene *scene = *state;
    FsEventReader *quick = fs_event_reader_new(scene->events, NULL, NULL);
    guint n_seen = 0;
    guint n_quick = 0;
    guint n_lost = 0;

    for (guint uid = 1; uid <= FS_EVENTS_MAX + 77; uid++) {
        g_autofree char *text = NULL;

        publish(scene, uid, NULL);
        text = read_some(quick, 4096);
        n_quick += count_lines(text);
    }
    assert_int_equal(n_quick, FS_EVENTS_MAX + 77);
    while (fs_event_reader_is_ready(scene->reader)) {
        g_autofree char *text = read_some(scene->reader, 60);

        if (strstr(text, "\"uid\"") != NULL)
            n_seen++;
        if (strstr(text, "\"kind\":\"error\"") != NULL)
            n_lost++;
        if (n_seen == FS_EVENTS_MAX / 2 + 1)
            break;
    }
    assert_int_equal(n_lost, 0);
    publish(scene, 1, "after");
    {
        g_autofree char *text = read_some(scene->reader, 64 << 20);
        const char *lost = strstr(text, "\"lost\":77,");
        const char *after = strstr(text, "after");

        assert_non_null(lost);
        assert_non_null(strstr(text, "\"kind\":\"error\""));
        assert_true(after > lost);
    }
    fs_event_reader_free(quick);
}

static void
queue_is_bounded_in_octets(void **state)
{
    Scene *scene = *state;
    g_autofree char *long_text = g_strnfill(2000, 'x');
    guint n = 0;

    for (guint i = 0; i < FS_EVENTS_MAX; i++)
        publish(scene, 1, long_text);
    while (fs_event_reader_is_ready(scene->reader)) {
        g_autofree char *text = read_some(scene->reader, 1 << 20);

        n += strlen(text);
    }
    assert_true(n < FS_EVENTS_MAX_BYTES + 4096);
    assert_true(n > FS_EVENTS_MAX_BYTES / 2);
}

static void
end_comes_behind_what_there_is(void **state)
{
    Scene *scene = *state;
    g_autofree char *text = NULL;
    g_autofree char *nothing = NULL;

    publish(scene, 1, NULL);
    fs_event_reader_end(scene->reader);
    publish(scene, 2, NULL);
    assert_int_equal(scene->n_ready, 2);
    text = read_some(scene->reader, 4096);
    assert_int_equal(count_lines(text), 1);
    assert_true(fs_event_reader_is_ready(scene->reader));
    nothing = read_some(scene->reader, 4096);
    assert_string_equal(nothing, "");
    assert_true(fs_event_reader_has_ended(scene->reader));
}

static void
readers_are_bounded(void **state)
{
    Scene *scene = *state;
    FsEventReader *readers[FS_EVENT_READERS_MAX] = {NULL};

    for (guint i = 1; i < FS_EVENT_READERS_MAX; i++) {
        readers[i] = fs_event_reader_new(scene->events, NULL, NULL);
        assert_non_null(readers[i]);
    }
    assert_null(fs_event_reader_new(scene->events, NULL, NULL));
    for (guint i = 1; i < FS_EVENT_READERS_MAX; i++)
        fs_event_reader_free(readers[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_is_one_line_of_json),
        cmocka_unit_test(text_without_end_is_cut_at_a_character),
        TEST(reader_begins_with_what_happens_from_then_on),
        TEST(ready_is_told_when_there_was_nothing),
        TEST(buffer_of_any_size_gets_every_octet_once),
        TEST(lines_come_whole_where_they_fit),
        TEST(large_read_is_never_filled),
        TEST(slow_reader_is_told_how_much_it_lost),
        TEST(queue_is_bounded_in_octets),
        TEST(end_comes_behind_what_there_is),
        TEST(readers_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
