/* However often it is said that something has changed, it is asked for once at
 * a time, and once more for what was said meanwhile. */
#include "fs/sync/freshener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>

#define REST_MS 5
#define N 8

typedef struct {
    FsFreshener *freshener;
    guint asked[N];   /* by mailbox */
    FsNeed *needs[N]; /* owned: what the last asking waits for */
    gint64 since;     /* that the last asking was told */
    gboolean was_begun;
    gboolean has_nothing;
    guint hint_inside; /* while being asked; 0: none */
} Server;

static FsNeed *
freshen(guint32 mailbox, gint64 since, gboolean *begun, gpointer user_data)
{
    Server *server = user_data;

    server->asked[mailbox]++;
    server->since = since;
    if (server->hint_inside != 0)
        fs_freshener_hint(server->freshener, server->hint_inside);
    if (server->has_nothing)
        return NULL;
    *begun = !server->was_begun;
    server->was_begun = FALSE;
    g_clear_pointer(&server->needs[mailbox], fs_need_unref);
    server->needs[mailbox] = fs_need_new();
    return server->needs[mailbox];
}

static void
start(Server *server)
{
    *server = (Server){0};
    server->freshener = fs_freshener_new(REST_MS, freshen, server);
}

static void
stop(Server *server)
{
    fs_freshener_free(server->freshener);
    for (guint i = 0; i < N; i++)
        g_clear_pointer(&server->needs[i], fs_need_unref);
}

static void
answer(Server *server, guint32 mailbox)
{
    fs_need_complete(server->needs[mailbox], NULL);
}

static gboolean
on_time(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void
run_for(guint milliseconds)
{
    gboolean over = FALSE;

    g_timeout_add(milliseconds, on_time, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}

static void
wait_asked(Server *server, guint32 mailbox, guint times)
{
    while (server->asked[mailbox] < times)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(server->asked[mailbox], times);
}

static void
wait_quiet(Server *server)
{
    while (!fs_freshener_is_quiet(server->freshener))
        g_main_context_iteration(NULL, TRUE);
}

static void
hint_is_asked_for_at_once(void **state)
{
    Server server;

    start(&server);
    assert_true(fs_freshener_is_quiet(server.freshener));
    fs_freshener_hint(server.freshener, 0);
    assert_int_equal(server.asked[0], 1);
    assert_false(fs_freshener_is_quiet(server.freshener));
    answer(&server, 0);
    wait_quiet(&server);
    run_for(4 * REST_MS);
    assert_int_equal(server.asked[0], 1);
    stop(&server);
}

static void
burst_is_asked_for_once_more(void **state)
{
    Server server;

    start(&server);
    for (guint i = 0; i < 100; i++)
        fs_freshener_hint(server.freshener, 3);
    assert_int_equal(server.asked[3], 1);
    fs_need_progress(server.needs[3]);
    run_for(2 * REST_MS);
    assert_int_equal(server.asked[3], 1);
    answer(&server, 3);
    wait_asked(&server, 3, 2);
    answer(&server, 3);
    wait_quiet(&server);
    run_for(4 * REST_MS);
    assert_int_equal(server.asked[3], 2);
    stop(&server);
}

static void
hint_in_the_rest_waits_for_its_end(void **state)
{
    Server server;
    gint64 begun;

    start(&server);
    fs_freshener_hint(server.freshener, 3);
    begun = g_get_monotonic_time();
    answer(&server, 3);
    wait_quiet(&server);
    fs_freshener_hint(server.freshener, 3);
    assert_int_equal(server.asked[3], 1);
    assert_false(fs_freshener_is_quiet(server.freshener));
    wait_asked(&server, 3, 2);
    assert_true(g_get_monotonic_time() - begun >= (REST_MS - 1) * 1000);
    answer(&server, 3);
    wait_quiet(&server);
    stop(&server);
}

static void
asking_is_told_of_the_last_hint(void **state)
{
    Server server;
    gint64 first = g_get_monotonic_time();
    gint64 second;

    start(&server);
    fs_freshener_hint(server.freshener, 3);
    assert_true(server.since >= first);
    second = g_get_monotonic_time();
    assert_true(server.since <= second);
    fs_freshener_hint(server.freshener, 3);
    answer(&server, 3);
    wait_asked(&server, 3, 2);
    assert_true(server.since >= second);
    /* What others had begun is asked for again, for the sake of the same. */
    server.was_begun = TRUE;
    second = g_get_monotonic_time();
    fs_freshener_hint(server.freshener, 3);
    answer(&server, 3);
    wait_asked(&server, 3, 3);
    first = server.since;
    assert_true(first >= second);
    answer(&server, 3);
    wait_asked(&server, 3, 4);
    assert_true(server.since == first);
    answer(&server, 3);
    wait_quiet(&server);
    stop(&server);
}

static void
what_others_had_begun_is_asked_for_again(void **state)
{
    Server server;

    start(&server);
    server.was_begun = TRUE;
    fs_freshener_hint(server.freshener, 3);
    answer(&server, 3);
    wait_asked(&server, 3, 2);
    answer(&server, 3);
    wait_quiet(&server);
    stop(&server);
}

static void
few_are_asked_for_at_a_time(void **state)
{
    Server server;
    guint asked = 0;

    start(&server);
    for (guint i = 0; i < N; i++)
        fs_freshener_hint(server.freshener, i);
    for (guint i = 0; i < N; i++)
        asked += server.asked[i];
    assert_int_equal(asked, 2);
    for (guint i = 0; i < N; i++) {
        wait_asked(&server, i, 1);
        answer(&server, i);
    }
    wait_quiet(&server);
    stop(&server);
}

static void
failure_ends_the_asking(void **state)
{
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "no line");
    Server server;

    start(&server);
    fs_freshener_hint(server.freshener, 3);
    fs_need_complete(server.needs[3], error);
    wait_quiet(&server);
    run_for(4 * REST_MS);
    assert_int_equal(server.asked[3], 1);
    stop(&server);
}

static void
nothing_to_wait_for_is_an_end(void **state)
{
    Server server;

    start(&server);
    server.has_nothing = TRUE;
    for (guint i = 0; i < N; i++)
        fs_freshener_hint(server.freshener, i);
    wait_quiet(&server);
    for (guint i = 0; i < N; i++)
        assert_int_equal(server.asked[i], 1);
    stop(&server);
}

static void
hint_while_asking_is_no_recursion(void **state)
{
    Server server;

    start(&server);
    server.hint_inside = 4;
    fs_freshener_hint(server.freshener, 3);
    assert_int_equal(server.asked[3], 1);
    assert_int_equal(server.asked[4], 1);
    server.hint_inside = 0;
    answer(&server, 3);
    answer(&server, 4);
    wait_asked(&server, 4, 2);
    answer(&server, 4);
    wait_quiet(&server);
    stop(&server);
}

static void
freeing_leaves_nothing_behind(void **state)
{
    Server server;

    start(&server);
    fs_freshener_hint(server.freshener, 1);
    fs_freshener_hint(server.freshener, 2);
    fs_freshener_hint(server.freshener, 3);
    answer(&server, 1);
    run_for(1);
    stop(&server);
    run_for(2 * REST_MS);
    assert_false(g_main_context_pending(NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hint_is_asked_for_at_once),
        cmocka_unit_test(burst_is_asked_for_once_more),
        cmocka_unit_test(hint_in_the_rest_waits_for_its_end),
        cmocka_unit_test(asking_is_told_of_the_last_hint),
        cmocka_unit_test(what_others_had_begun_is_asked_for_again),
        cmocka_unit_test(few_are_asked_for_at_a_time),
        cmocka_unit_test(failure_ends_the_asking),
        cmocka_unit_test(nothing_to_wait_for_is_an_end),
        cmocka_unit_test(hint_while_asking_is_no_recursion),
        cmocka_unit_test(freeing_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
