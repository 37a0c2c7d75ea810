/* What becomes of changes: events, moves among them, in their order. The
 * synchroniser, the pool and those who fetch headers are stand-ins. */
#include "fs/control/event-feed.h"

#include "fs/control/event-headers.h"
#include "fs/sync/synchroniser.h"
#include "imap/pool-status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static FsChangeFunc change_func;
static gpointer change_data;
static GBytes *row_header;
static ImapPoolObserver observer;
static gpointer observer_data;
static FsEventHeaderFunc header_func;
static gpointer header_data;
static guint n_asked;
static gboolean can_ask;

/* ---- the stand-ins ---- */

void
fs_synchroniser_add_change_func(FsSynchroniser *synchroniser, FsChangeFunc func,
                                gpointer user_data)
{
    change_func = func;
    change_data = user_data;
}

void
fs_synchroniser_remove_change_func(FsSynchroniser *synchroniser,
                                   FsChangeFunc func, gpointer user_data)
{
    assert_ptr_equal(change_func, func);
    change_func = NULL;
}

GBytes *
fs_synchroniser_new_header(const FsSynchroniser *synchroniser)
{
    return row_header;
}

void
imap_pool_set_observer(ImapPool *pool, ImapPoolObserver func,
                       gpointer user_data)
{
    observer = func;
    observer_data = user_data;
}

guint
imap_connection_number(const ImapConnection *connection)
{
    return 3;
}

FsEventHeaders *
fs_event_headers_new(FsAccount *account, FsEventHeaderFunc func,
                     gpointer user_data)
{
    header_func = func;
    header_data = user_data;
    return (FsEventHeaders *)&n_asked;
}

void
fs_event_headers_free(FsEventHeaders *headers)
{
}

gboolean
fs_event_headers_ask(FsEventHeaders *headers, guint32 mailbox, guint32 uid)
{
    n_asked++;
    return can_ask;
}

/* ---- a name space of names by UID ---- */

static void
names_of(FsNameSpace *names, guint32 mailbox, const CacheMessage *message,
         FsNameFunc func, gpointer user_data)
{
    g_autofree char *name = g_strdup_printf("%u.eml", message->uid);

    func(1, name, user_data);
    func(1, "another", user_data);
}

static const FsNameSpaceClass class = {.names_of = names_of};

typedef struct {
    FsAccount account;
    FsNameSpace names;
    FsEvents *events;
    FsEventReader *reader;
    FsEventFeed *feed;
    guint32 a;
    guint32 b;
} Scene;

static void
list(Scene *scene, const char *names)
{
    g_auto(GStrv) words = g_strsplit(names, " ", -1);
    g_autoptr(GArray) listings =
        g_array_new(FALSE, FALSE, sizeof(FsMailboxListing));

    for (char **word = words; *word != NULL; word++) {
        const FsMailboxListing listing = {*word, *word, '/', 0};

        g_array_append_val(listings, listing);
    }
    assert_true(fs_mailbox_tree_update(scene->account.tree,
                                       (FsMailboxListing *)listings->data,
                                       listings->len, NULL, NULL, NULL));
}

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    row_header = NULL;
    n_asked = 0;
    can_ask = FALSE;
    scene->account.tree = fs_mailbox_tree_new();
    scene->names.class = &class;
    scene->events = fs_events_new();
    list(scene, "A A/B INBOX");
    scene->a = fs_mailbox_tree_child(scene->account.tree, 0, "A")->id;
    scene->b = fs_mailbox_tree_child(scene->account.tree, scene->a, "B")->id;
    scene->feed =
        fs_event_feed_new(&scene->account, &scene->names, scene->events);
    scene->reader = fs_event_reader_new(scene->events, NULL, NULL);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_event_reader_free(scene->reader);
    fs_event_feed_free(scene->feed);
    assert_null(change_func);
    assert_null(observer);
    assert_null(g_main_context_find_source_by_user_data(NULL, scene->feed));
    fs_events_free(scene->events);
    fs_mailbox_tree_free(scene->account.tree);
    g_clear_pointer(&row_header, g_bytes_unref);
    g_free(scene);
    return 0;
}

static void
change(FsChange what, guint32 mailbox, guint32 uid, const char *identity)
{
    const CacheMessage message = {
        .uid = uid, .flags = "\\Seen", .identity = identity};

    change_func(what, mailbox, &message, change_data);
}

/* Each line without its time; all that has been told. */
static char *
told(Scene *scene)
{
    g_autofree char *buffer = g_malloc0(1 << 20);
    g_auto(GStrv) lines = NULL;
    GString *text = g_string_new(NULL);

    fs_event_reader_read(scene->reader, buffer, (1 << 20) - 1);
    lines = g_strsplit(buffer, "\n", -1);
    for (char **line = lines; *line != NULL && **line != '\0'; line++)
        g_string_append_printf(text, "%s\n", strstr(*line, "\"kind\""));
    return g_string_free(text, FALSE);
}

static void
assert_told(Scene *scene, const char *wanted)
{
    g_autofree char *text = told(scene);

    assert_string_equal(text, wanted);
}

/* It may come in pieces. */
static void
wait_told(Scene *scene, const char *wanted)
{
    g_autoptr(GString) text = g_string_new(NULL);

    while (text->len < strlen(wanted)) {
        g_autofree char *more = NULL;

        while (!fs_event_reader_is_ready(scene->reader))
            g_main_context_iteration(NULL, TRUE);
        more = told(scene);
        g_string_append(text, more);
    }
    assert_string_equal(text->str, wanted);
}

#define NEW(mailbox, uid)                                                      \
    "\"kind\":\"new\",\"mailbox\":\"" mailbox "\",\"uid\":" uid                \
    ",\"name\":\"" uid ".eml\",\"flags\":[\"\\\\Seen\"]}\n"
#define EXPUNGED(mailbox, uid)                                                 \
    "\"kind\":\"expunged\",\"mailbox\":\"" mailbox "\",\"uid\":" uid           \
    ",\"name\":\"" uid ".eml\",\"flags\":[\"\\\\Seen\"]}\n"
#define MOVED                                                                  \
    "\"kind\":\"moved\",\"mailbox\":\"A/B\",\"uid\":9,\"name\":\"9.eml\","     \
    "\"flags\":[\"\\\\Seen\"],\"old_mailbox\":\"A\",\"old_uid\":5,"            \
    "\"old_name\":\"5.eml\"}\n"

/* So long a change may wait for its other half. */
#define HOLD_US (500 * 1000)

/* ---- the tests ---- */

static void
changes_without_identity_are_told_at_once(void **state)
{
    Scene *scene = *state;

    change(FS_CHANGE_NEW, scene->b, 7, NULL);
    change(FS_CHANGE_GONE, scene->a, 8, NULL);
    change(FS_CHANGE_FLAGS, scene->b, 7, "M7");
    change_func(FS_CHANGE_ALL, scene->a, NULL, change_data);
    assert_told(
        scene,
        NEW("A/B", "7") EXPUNGED(
            "A",
            "8") "\"kind\":\"flags\","
                 "\"mailbox\":\"A/B\",\"uid\":7,\"name\":\"7.eml\",\"flags\":"
                 "[\"\\\\Seen\"]}\n\"kind\":\"mailbox\",\"mailbox\":\"A\","
                 "\"action\":\"reset\"}\n");
}

static void
move_is_one_event_in_whatever_order_it_is_seen(void **state)
{
    Scene *scene = *state;

    change(FS_CHANGE_GONE, scene->a, 5, "M5");
    change(FS_CHANGE_FLAGS, scene->a, 1, NULL);
    assert_told(scene, ""); /* in its order */
    change(FS_CHANGE_NEW, scene->b, 9, "M5");
    assert_told(scene, "\"kind\":\"flags\",\"mailbox\":\"A\",\"uid\":1,"
                       "\"name\":\"1.eml\",\"flags\":[\"\\\\Seen\"]}\n" MOVED);
    change(FS_CHANGE_NEW, scene->b, 9, "M5");
    change(FS_CHANGE_GONE, scene->a, 5, "M5");
    assert_told(scene, MOVED);
}

static void
halves_that_do_not_meet_are_told_alone(void **state)
{
    Scene *scene = *state;

    change(FS_CHANGE_NEW, scene->b, 9, "M5");
    change(FS_CHANGE_GONE, scene->a, 6, "M6");
    change(FS_CHANGE_NEW, scene->a, 10, "M5"); /* a copy */
    assert_told(scene, "");
    wait_told(scene, NEW("A/B", "9") EXPUNGED("A", "6") NEW("A", "10"));
    /* Too late for a move. */
    change(FS_CHANGE_NEW, scene->b, 11, "M6");
    wait_told(scene, NEW("A/B", "11"));
}

static void
flood_of_moves_is_not_held_back(void **state)
{
    Scene *scene = *state;
    g_autofree char *text = NULL;
    gint64 changed_at = 0;

    for (guint32 uid = 1; uid <= 10010; uid++) {
        g_autofree char *identity = g_strdup_printf("M%u", uid);

        if (uid == 5000)
            changed_at = g_get_monotonic_time();
        change(FS_CHANGE_GONE, scene->a, uid, identity);
    }
    text = told(scene);
    assert_true(g_str_has_prefix(text, EXPUNGED("A", "1")));
    /* Unless it is due by now, as on a machine that is slow. */
    if (g_get_monotonic_time() - changed_at < HOLD_US)
        assert_null(strstr(text, "\"uid\":5000"));
}

static void
header_of_the_row_tells_who_and_what(void **state)
{
    Scene *scene = *state;
    static const char header[] = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                                 "From: Alice <a@example.org>\r\n\r\n";

    row_header = g_bytes_new_static(header, sizeof header - 1);
    change(FS_CHANGE_NEW, scene->a, 1, NULL);
    assert_int_equal(n_asked, 0);
    assert_told(scene, "\"kind\":\"new\",\"mailbox\":\"A\",\"uid\":1,\"name\":"
                       "\"1.eml\",\"from\":\"Alice <a@example.org>\","
                       "\"subject\":\"Gr\u00fc\u00dfe\",\"flags\":"
                       "[\"\\\\Seen\"]}\n");
}

static void
header_that_is_missing_is_asked_for_and_waited_for(void **state)
{
    Scene *scene = *state;
    static const char header[] = "Subject: s\r\n\r\nFrom: nobody\r\n";
    g_autoptr(GBytes) octets = g_bytes_new_static(header, sizeof header - 1);

    can_ask = TRUE;
    change(FS_CHANGE_NEW, scene->a, 1, NULL);
    change(FS_CHANGE_NEW, scene->a, 2, NULL);
    change(FS_CHANGE_GONE, scene->a, 3, NULL);
    assert_int_equal(n_asked, 2);
    header_func(scene->a, 2, octets, header_data);
    header_func(scene->b, 1, octets, header_data); /* nobody's */
    assert_told(scene, "");
    header_func(scene->a, 1, NULL, header_data);
    assert_told(
        scene,
        NEW("A", "1") "\"kind\":\"new\",\"mailbox\":\"A\","
                      "\"uid\":2,\"name\":\"2.eml\",\"subject\":"
                      "\"s\",\"flags\":[\"\\\\Seen\"]}\n" EXPUNGED("A", "3"));
}

static void
folders_connections_and_errors_are_told(void **state)
{
    Scene *scene = *state;
    g_autoptr(GError) error =
        g_error_new_literal(g_quark_from_static_string("test"), 1, "why");

    list(scene, "A A/C INBOX");
    observer(IMAP_POOL_CHANGE_OPENED, NULL, NULL, observer_data);
    observer(IMAP_POOL_CHANGE_LOST, NULL, error, observer_data);
    fs_event_feed_error(scene->feed, "trouble");
    assert_told(
        scene,
        "\"kind\":\"mailbox\",\"mailbox\":\"A/B\",\"action\":\"deleted\"}\n"
        "\"kind\":\"mailbox\",\"mailbox\":\"A/C\",\"action\":\"created\"}\n"
        "\"kind\":\"connection\",\"action\":\"opened\",\"connection\":3}\n"
        "\"kind\":\"connection\",\"action\":\"lost\",\"connection\":3,"
        "\"text\":\"why\"}\n"
        "\"kind\":\"error\",\"text\":\"trouble\"}\n");
}

static void
without_readers_nothing_is_done(void **state)
{
    Scene *scene = *state;

    g_clear_pointer(&scene->reader, fs_event_reader_free);
    can_ask = TRUE;
    change(FS_CHANGE_NEW, scene->a, 1, "M1");
    list(scene, "INBOX");
    observer(IMAP_POOL_CHANGE_OPENED, NULL, NULL, observer_data);
    assert_int_equal(n_asked, 0);
    assert_null(g_main_context_find_source_by_user_data(NULL, scene->feed));
    scene->reader = fs_event_reader_new(scene->events, NULL, NULL);
    assert_false(fs_event_reader_is_ready(scene->reader));
}

static void
end_with_events_held_back_leaves_nothing(void **state)
{
    Scene *scene = *state;

    can_ask = TRUE;
    change(FS_CHANGE_NEW, scene->a, 1, "M1");
    change(FS_CHANGE_GONE, scene->a, 2, "M2");
    assert_told(scene, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(changes_without_identity_are_told_at_once),
        TEST(move_is_one_event_in_whatever_order_it_is_seen),
        TEST(halves_that_do_not_meet_are_told_alone),
        TEST(flood_of_moves_is_not_held_back),
        TEST(header_of_the_row_tells_who_and_what),
        TEST(header_that_is_missing_is_asked_for_and_waited_for),
        TEST(folders_connections_and_errors_are_told),
        TEST(without_readers_nothing_is_done),
        TEST(end_with_events_held_back_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
