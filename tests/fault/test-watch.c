/* What is listened to, and that a server which refuses, stalls or hangs up is
 * not asked again and again. */
#include "watch-fixture.h"

static const char *const with_idle[] = {LOGIN_WITH("IDLE"), NULL};

/* ---- IDLE ---- */

static void
idle_rests_beyond_the_timeout(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ idling",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "S:* 2 EXISTS",
                                         "S:* 1 EXPUNGE",
                                         "S:* 1 FETCH (FLAGS (\\Seen))",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, 2 * TIMEOUT_MS);
    wait_log(&scene, "fetch");
    assert_string_equal(scene.log->str,
                        "+INBOX INBOX:exists INBOX:expunge INBOX:fetch ");
    assert_is_telling(&scene, TRUE, "INBOX");
    end(&scene);
}

static void
done_waits_for_the_plus(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "QUIET",
                                         "S:+ idling",
                                         "C:DONE",
                                         "QUIET",
                                         "S:i3 OK",
                                         IDLE_ON(4, 5, "Box"),
                                         "S:+ idling",
                                         "S:* 7 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    /* While IDLE waits for its "+". */
    run_for(WAIT_MS / 4);
    imap_watch_prefer(scene.watch, "Box");
    wait_log(&scene, "Box:exists");
    assert_string_equal(scene.log->str, "+INBOX +Box Box:exists ");
    end(&scene);
}

static void
idle_moves_and_comes_back(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:i3 OK",
                                         IDLE_ON(4, 5, "Box"),
                                         "S:+ b",
                                         "C:DONE",
                                         "S:i5 OK",
                                         "C:i6 EXAMINE Gone",
                                         "S:i6 NO no such",
                                         IDLE_ON(7, 8, "INBOX"),
                                         "S:+ c",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    imap_watch_prefer(scene.watch, "Box");
    wait_log(&scene, "+Box");
    imap_watch_prefer(scene.watch, "Gone");
    wait_log(&scene, "+INBOX +Box +INBOX");
    assert_is_telling(&scene, TRUE, "INBOX");
    end(&scene);
}

static void
idle_is_renewed(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:* 3 EXISTS",
                                         "S:i3 OK",
                                         "C:i4 IDLE",
                                         "S:+ b",
                                         "C:DONE",
                                         "S:i4 OK",
                                         "C:i5 IDLE",
                                         "S:+ c",
                                         "HANG",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_renewal(scene.watch, 30);
    wait_log(&scene, "+INBOX INBOX:exists +INBOX +INBOX ");
    end(&scene);
}

static void
on_asked(const ImapStatus *status, const GError *error, gpointer user_data)
{
}

static const ImapCommandHandler asked_handler = {.done = on_asked};

static void
idle_goes_on_after_what_others_ask(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:i3 OK",
                                         "C:i4 NOOP",
                                         "S:i4 OK",
                                         "C:i5 IDLE",
                                         "S:+ b",
                                         "S:* 4 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    ImapPool *pool;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    pool = scene.f.pool;
    wait_log(&scene, "+INBOX");
    imap_connection_send(pool->listening->connection, imap_command_new("NOOP"),
                         &asked_handler, NULL);
    wait_log(&scene, "INBOX:exists");
    assert_string_equal(scene.log->str, "+INBOX +INBOX INBOX:exists ");
    end(&scene);
}

/* Asks no sooner than in half of the longest wait. */
static void
assert_left_alone(const char *const *second, guint timeout_ms, guint wait_ms)
{
    const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, timeout_ms);
    run_for(wait_ms);
    listener_check(&scene.f.listener);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    assert_is_telling(&scene, FALSE, NULL);
    /* The others go on. */
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    release(&scene.first);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    end(&scene);
}

static void
refused_idle_leaves_the_server_alone(void **state)
{
    static const char *const no[] = {LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"),
                                     "S:i3 NO no", NULL};
    static const char *const bad[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:i3 BAD no", NULL};
    static const char *const ended[] = {LOGIN_WITH("IDLE"),
                                        IDLE_ON(2, 3, "INBOX"), "S:+ a",
                                        "S:i3 OK that was it", NULL};
    static const char *const inbox[] = {
        LOGIN_WITH("IDLE"), "C:i2 EXAMINE INBOX", "S:i2 NO no", NULL};

    assert_left_alone(no, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(bad, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(ended, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(inbox, LONG_TIMEOUT_MS, 1500);
}

/* The line is given up for its silence, and another tried later, not at once;
 * those that serve requests are no worse for it. */
static void
idle_without_plus_ends_by_its_silence(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"), "HANG", NULL};

    assert_left_alone(second, TIMEOUT_MS, 400);
}

/* ---- the line ---- */

static void
goodbye_is_lost_and_begun_again(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "S:* BYE restarting",
                                         "CLOSE",
                                         NULL};
    static const char *const third[] = {LOGIN_WITH("IDLE"),
                                        IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const *const scripts[] = {with_idle, second, third,
                                                 NULL};
    Scene scene;
    gint64 begun;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "-");
    begun = g_get_monotonic_time();
    wait_log(&scene, "+INBOX - +INBOX");
    assert_true(g_get_monotonic_time() - begun >= 400 * 1000);
    assert_int_equal(scene.f.listener.n_accepted, 3);
    end(&scene);
}

static void
new_connection_shows_that_it_is_time(void **state)
{
    static const char *const hangs_up[] = {LOGIN_WITH("IDLE"), "CLOSE", NULL};
    static const char *const listens[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                        "CLOSE", NULL};
    static const char *const *const scripts[] = {first, hangs_up, with_idle,
                                                 listens, NULL};
    gboolean done = FALSE;
    Scene scene;
    gint64 begun;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    begun = g_get_monotonic_time();
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    wait_log(&scene, "+INBOX");
    /* It was not to be before a second was over. */
    assert_true(g_get_monotonic_time() - begun < 800 * 1000);
    release(&scene.first);
    end(&scene);
}

/* ---- the pool ---- */

static void
nothing_is_opened_for_a_server_that_tells_nothing(void **state)
{
    static const char *const first[] = {LOGIN_WITH("UIDPLUS"), NULL};
    static const char *const *const scripts[] = {first, NULL};
    Scene scene;

    begin(&scene, scripts, 3, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 1);
    end(&scene);
}

static void
only_connection_is_for_requests(void **state)
{
    static const char *const *const scripts[] = {with_idle, NULL};
    Scene scene;

    begin(&scene, scripts, 1, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 1);
    assert_is_telling(&scene, FALSE, NULL);
    end(&scene);
}

static void
refused_connection_is_not_tried_again_soon(void **state)
{
    static const char *const refused[] = {"S:* PREAUTH in", "C:i1 CAPABILITY",
                                          "S:i1 NO [LIMIT] too many", NULL};
    static const char *const *const scripts[] = {with_idle, refused, NULL};
    Scene scene;

    begin(&scene, scripts, 3, LONG_TIMEOUT_MS);
    run_for(1500);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    assert_int_equal(imap_pool_limit(scene.f.pool), 1);
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    release(&scene.first);
    end(&scene);
}

/* When the listener has the only connection that there may be. */
static void
request_has_the_connection_of_the_listener(void **state)
{
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                        "CLOSE", NULL};
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const refused[] = {"S:* PREAUTH in", "C:i1 CAPABILITY",
                                          "S:i1 NO [LIMIT] too many", NULL};
    static const char *const serves[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                         "S:i2 OK", NULL};
    static const char *const *const scripts[] = {first,  second,  refused,
                                                 serves, refused, NULL};
    gboolean done = FALSE;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    wait_log(&scene, "-");
    assert_is_telling(&scene, FALSE, NULL);
    end(&scene);
}

static void
listener_keeps_no_connection_open(void **state)
{
    static const char *const first[] = {
        LOGIN_WITH("IDLE"), "C:i2 LOGOUT", "S:* BYE", "S:i2 OK", "CLOSE", NULL};
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "WAIT",
                                         "WAIT",
                                         "S:* 9 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {first, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    imap_pool_set_idle(scene.f.pool, 10, 20);
    wait_log(&scene, "exists");
    listener_wait(&scene.f.listener, 0);
    end(&scene);
}

static gboolean
on_logged_out(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void
logout_ends_idle_and_is_quick(void **state)
{
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 LOGOUT",
                                        "S:i2 OK", NULL};
    static const char *const second[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:+ a",   "C:DONE",
        "S:i3 OK",          "C:i4 LOGOUT",          "S:i4 OK", NULL};
    static const char *const *const scripts[] = {first, second, NULL};
    gboolean done = FALSE;
    gint64 begun;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    g_clear_pointer(&scene.watch, imap_watch_free);
    begun = g_get_monotonic_time();
    imap_pool_log_out(scene.f.pool, on_logged_out, &done);
    wait_for(&done);
    /* Nothing was waited for in vain, which takes two seconds. */
    assert_true(g_get_monotonic_time() - begun < 1500 * 1000);
    end(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_rests_beyond_the_timeout),
        cmocka_unit_test(done_waits_for_the_plus),
        cmocka_unit_test(idle_moves_and_comes_back),
        cmocka_unit_test(idle_is_renewed),
        cmocka_unit_test(idle_goes_on_after_what_others_ask),
        cmocka_unit_test(refused_idle_leaves_the_server_alone),
        cmocka_unit_test(idle_without_plus_ends_by_its_silence),
        cmocka_unit_test(goodbye_is_lost_and_begun_again),
        cmocka_unit_test(new_connection_shows_that_it_is_time),
        cmocka_unit_test(nothing_is_opened_for_a_server_that_tells_nothing),
        cmocka_unit_test(only_connection_is_for_requests),
        cmocka_unit_test(refused_connection_is_not_tried_again_soon),
        cmocka_unit_test(request_has_the_connection_of_the_listener),
        cmocka_unit_test(listener_keeps_no_connection_open),
        cmocka_unit_test(logout_ends_idle_and_is_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
