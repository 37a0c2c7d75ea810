/* What the status says of an account that has not connected, and what the log
 * leaves in it. */
#include "fs/control/status.h"

#include "fs/log.h"
#include "fs/need.h"
#include "fs/sync/synchroniser.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    FsOptions *options;
    FsAccount *account;
    FsRecentErrors *errors;
    GString *told;
} Scene;

static void
note(const char *text, gpointer user_data)
{
    g_string_append_printf(user_data, "%s\n", text);
}

static int
set_up(void **state)
{
    char *words[] = {"imapfs",
                     "-o",
                     "nonempty,cache_dir=none,state_dir=none,names=uid",
                     "imap://me%40example.org@mail.example.org/",
                     "/tmp",
                     NULL};
    Scene *scene = g_new0(Scene, 1);
    g_autoptr(GError) error = NULL;

    if (fs_options_parse(5, words, &scene->options, &error) != FS_OPTIONS_MOUNT)
        fail_msg("%s", error->message);
    scene->options->settings->password = imap_secret_new("s3cret", 6);
    scene->account = fs_account_new(scene->options, NULL, &error);
    assert_non_null(scene->account);
    scene->told = g_string_new(NULL);
    scene->errors = fs_recent_errors_new(note, scene->told);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_recent_errors_free(scene->errors);
    fs_account_free(scene->account);
    fs_options_free(scene->options);
    g_string_free(scene->told, TRUE);
    g_free(scene);
    return 0;
}

static JsonParser *
status_of(Scene *scene)
{
    const FsEventUse use = {2, 1};
    g_autofree char *text =
        fs_status_to_json(scene->account, scene->errors, &use);
    JsonParser *parser = json_parser_new();

    assert_true(g_str_has_suffix(text, "}\n"));
    assert_null(strstr(text, "s3cret"));
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    return parser;
}

static JsonObject *
root_of(JsonParser *parser)
{
    return json_node_get_object(json_parser_get_root(parser));
}

static void
status_of_a_new_account_is_empty_and_whole(void **state)
{
    Scene *scene = *state;
    g_autoptr(JsonParser) parser = status_of(scene);
    JsonObject *root = root_of(parser);
    JsonObject *account = json_object_get_object_member(root, "account");
    JsonObject *pending = json_object_get_object_member(root, "pending");
    JsonObject *cache = json_object_get_object_member(root, "cache");
    static const char *const empty[] = {"connections", "capabilities",
                                        "capabilities_in_use", "mailboxes",
                                        "last_errors"};

    assert_string_equal(json_object_get_string_member(root, "version"),
                        IMAPFS_VERSION);
    assert_string_equal(json_object_get_string_member(root, "mountpoint"),
                        "/tmp");
    assert_string_equal(json_object_get_string_member(account, "user"),
                        "me@example.org");
    assert_int_equal(json_object_get_int_member(account, "port"), 143);
    assert_string_equal(json_object_get_string_member(account, "tls"),
                        "starttls");
    assert_int_equal(json_object_get_size(account), 4);
    for (guint i = 0; i < G_N_ELEMENTS(empty); i++)
        assert_int_equal(
            json_array_get_length(json_object_get_array_member(root, empty[i])),
            0);
    assert_string_equal(json_object_get_string_member(root, "line"), "untried");
    assert_string_equal(json_object_get_string_member(root, "push"), "none");
    assert_int_equal(json_object_get_int_member(root, "connections_allowed"),
                     scene->options->connections + 1);
    assert_int_equal(json_object_get_int_member(pending, "operations"), 0);
    assert_int_equal(json_object_get_int_member(pending, "needs"), 0);
    assert_int_equal(json_object_get_int_member(pending, "event_readers"), 2);
    assert_true(json_object_get_null_member(cache, "hit_rate"));
    assert_false(json_object_has_member(root, "connection_error"));
}

static void
needs_are_counted_until_they_are_complete(void **state)
{
    guint before = fs_needs_pending();
    FsNeed *one = fs_need_new();
    FsNeed *other = fs_need_new();

    assert_int_equal(fs_needs_pending(), before + 2);
    fs_need_complete(one, NULL);
    fs_need_complete(one, NULL);
    assert_int_equal(fs_needs_pending(), before + 1);
    fs_need_unref(one);
    fs_need_unref(other);
    assert_int_equal(fs_needs_pending(), before);
    one = fs_need_new_standing();
    assert_int_equal(fs_needs_pending(), before);
    fs_need_complete(one, NULL);
    fs_need_unref(one);
    other = fs_need_new_standing();
    fs_need_unref(other);
    assert_int_equal(fs_needs_pending(), before);
}

static void
mailbox_is_shown_with_its_path(void **state)
{
    Scene *scene = *state;
    const FsMailboxListing listings[] = {{"A.B", "A.B", '.', 0},
                                         {"A", "A", '.', 0}};
    const CacheMailbox known = {.uidvalidity = 77, .complete = TRUE};
    const CacheMessage message = {.uid = 5, .size = 1000};
    FsMailboxTree *tree = scene->account->tree;
    g_autoptr(JsonParser) parser = NULL;
    g_autofree char *top = NULL;
    JsonObject *shown;
    JsonArray *all;
    guint32 id;

    assert_true(fs_mailbox_tree_update(tree, listings, 2, NULL, NULL, NULL));
    id = fs_mailbox_tree_by_wire_name(tree, "A.B")->id;
    cache_index_set_mailbox(scene->account->index, id, &known);
    cache_index_put(scene->account->index, id, &message);
    fs_synchroniser_listed_to(scene->account->synchroniser, id);

    parser = status_of(scene);
    all = json_object_get_array_member(root_of(parser), "mailboxes");
    assert_int_equal(json_array_get_length(all), 1);
    shown = json_array_get_object_element(all, 0);
    assert_string_equal(json_object_get_string_member(shown, "name"), "A/B");
    assert_int_equal(json_object_get_int_member(shown, "messages"), 1);
    assert_true(json_object_get_boolean_member(shown, "complete"));
    assert_true(json_object_get_boolean_member(shown, "stale"));
    assert_false(json_object_get_boolean_member(shown, "failing"));
    assert_true(json_object_get_null_member(shown, "synchronised"));

    top = fs_mailbox_tree_path(tree, FS_MAILBOX_TREE_ROOT);
    assert_string_equal(top, "");
    assert_null(fs_mailbox_tree_path(tree, 12345));
}

static void
run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static gpointer
log_from_a_thread(gpointer user_data)
{
    g_message("from a thread");
    return NULL;
}

static void
last_errors_are_the_last_of_the_log(void **state)
{
    Scene *scene = *state;
    g_autoptr(JsonParser) parser = NULL;
    JsonArray *errors;

    g_debug("not meant");
    for (guint i = 1; i <= FS_RECENT_ERRORS_MAX + 5; i++)
        g_message("error %u\x1b[31m", i);
    g_thread_join(g_thread_new("log", log_from_a_thread, NULL));
    run_loop();
    parser = status_of(scene);
    errors = json_object_get_array_member(root_of(parser), "last_errors");
    assert_int_equal(json_array_get_length(errors), FS_RECENT_ERRORS_MAX);
    assert_string_equal(json_object_get_string_member(
                            json_array_get_object_element(errors, 0), "text"),
                        "error 7 [31m");
    assert_true(g_str_has_prefix(scene->told->str, "error 1 [31m\n"));
    assert_true(g_str_has_suffix(scene->told->str, "from a thread\n"));
}

static void
log_without_end_is_passed_over(void **state)
{
    Scene *scene = *state;
    guint n = 0;

    for (guint i = 0; i < 150; i++)
        g_message("again");
    run_loop();
    for (const char *c = scene->told->str; *c != '\0'; c++)
        n += *c == '\n';
    assert_int_equal(n, 100);
    g_string_truncate(scene->told, 0);
    g_message("once more");
    run_loop();
    assert_string_equal(scene->told->str, "once more\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(status_of_a_new_account_is_empty_and_whole),
        TEST(needs_are_counted_until_they_are_complete),
        TEST(mailbox_is_shown_with_its_path),
        TEST(last_errors_are_the_last_of_the_log),
        TEST(log_without_end_is_passed_over),
    };

    fs_log_start(FALSE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
