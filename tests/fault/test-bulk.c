/* Leases for much, the spare beside them, and how many connections there are.
 */
#include "pool-fixture.h"

#define QRESYNC_LOGIN                                                          \
    "S:* PREAUTH in", "C:i1 CAPABILITY",                                       \
        "S:* CAPABILITY IMAP4rev1 ENABLE QRESYNC", "S:i1 OK",                  \
        "C:i2 ENABLE QRESYNC", "S:* ENABLED QRESYNC", "S:i2 OK"

/* ---- bulk, and its spare ---- */

static void
bulk_is_alone_and_a_spare_is_ready(void **state)
{
    Fixture f;
    Wish bulk, one, other;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    listener_wait(&f.listener, 1);
    ask(&f, &one, "A");
    ask(&f, &other, "A");
    assert_ptr_not_equal(get(&f, &one), get(&f, &bulk));
    assert_ptr_equal(get(&f, &one), get(&f, &other));
    assert_int_equal(f.listener.n_accepted, 2);
    release(&bulk);
    release(&one);
    release(&other);
    stop(&f);
}

static void
bulk_leases_of_one_mailbox_share(void **state)
{
    Fixture f;
    Wish one, other;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask_bulk(&f, &one, "A");
    get(&f, &one);
    listener_wait(&f.listener, 1);
    ask_bulk(&f, &other, "A");
    assert_ptr_equal(get(&f, &one), get(&f, &other));
    release(&one);
    release(&other);
    stop(&f);
}

static void
bulk_does_not_join_others(void **state)
{
    Fixture f;
    Wish one, bulk;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    ask_bulk(&f, &bulk, "A");
    assert_ptr_not_equal(get(&f, &bulk), get(&f, &one));
    release(&one);
    release(&bulk);
    stop(&f);
}

/* It waits for no second connection; who wants one thing has that, if it is
 * there soon, as on this short line. */
static void
light_bulk_joins_others_and_has_a_second_opened(void **state)
{
    Fixture f;
    Wish one, light, more;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, steps, NULL};
    const ImapWish wish = {.mailbox = "A", .kind = IMAP_LEASE_BULK_LIGHT};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    assert_false(imap_pool_is_at_hand(f.pool, "B"));
    assert_true(imap_pool_is_at_hand(f.pool, "A"));
    ask_wish(&f, &light, &wish);
    assert_ptr_equal(get(&f, &light), get(&f, &one));
    ask(&f, &more, "A");
    assert_ptr_not_equal(get(&f, &more), get(&f, &light));
    assert_int_equal(f.listener.n_accepted, 2);
    release(&one);
    release(&light);
    release(&more);
    stop(&f);
}

/* What is not light has its connection alone all the same. */
static void
bulk_does_not_join_light_bulk_and_others(void **state)
{
    Fixture f;
    Wish light, one, bulk;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, steps, NULL};
    const ImapWish wish = {.mailbox = "A", .kind = IMAP_LEASE_BULK_LIGHT};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    ask_wish(&f, &light, &wish);
    get(&f, &light);
    release(&light);
    ask_bulk(&f, &bulk, "A");
    assert_ptr_not_equal(get(&f, &bulk), get(&f, &one));
    release(&one);
    release(&bulk);
    stop(&f);
}

static void
second_connection_is_prepared_once(void **state)
{
    Fixture f;
    Wish one;
    ImapPoolLine line;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN, "QUIET", NULL};
    const char *const *const scripts[] = {steps, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    imap_pool_prepare(f.pool);
    ask(&f, &one, "A");
    get(&f, &one);
    for (guint i = 0; i < 3; i++)
        imap_pool_prepare(f.pool);
    do {
        g_main_context_iteration(NULL, TRUE);
        imap_pool_line(f.pool, &line);
    } while (line.n_open < 2);
    assert_int_equal(f.listener.n_accepted, 2);
    assert_true(line.round_trip_us > 0);
    release(&one);
    stop(&f);
}

static void
only_connection_is_shared_with_bulk(void **state)
{
    Fixture f;
    Wish bulk, one, more;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    ask_bulk(&f, &bulk, "A");
    ask(&f, &more, "A");
    assert_ptr_equal(get(&f, &bulk), get(&f, &one));
    assert_ptr_equal(get(&f, &more), get(&f, &one));
    assert_int_equal(f.listener.n_accepted, 1);
    release(&one);
    release(&more);
    ask(&f, &one, "A");
    assert_ptr_equal(get(&f, &bulk), get(&f, &one));
    release(&one);
    release(&bulk);
    stop(&f);
}

static void
spare_serves_another_mailbox_and_comes_back(void **state)
{
    Fixture f;
    Wish bulk, other;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN,           EXAMINE(2, "A"),
                                         EXAMINE(3, "B"), "QUIET",
                                         EXAMINE(4, "A"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    listener_script(&f.listener, 1);
    run_for(20);
    ask(&f, &other, "B");
    assert_ptr_not_equal(get(&f, &other), get(&f, &bulk));
    release(&other);
    listener_wait(&f.listener, 1);
    release(&bulk);
    stop(&f);
}

/* A folder that is listed for the first time while another one is read: its
 * listing waits for no login. */
static void
spare_serves_bulk_at_once_when_there_can_be_another(void **state)
{
    Fixture f;
    Wish bulk, other;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"),
                                         EXAMINE(3, "B"), "QUIET", NULL};
    static const char *const silent[] = {"QUIET", NULL};
    const char *const *const scripts[] = {first, second, silent, NULL};

    start(&f, scripts, 3, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    listener_script(&f.listener, 1);
    run_for(20);
    ask_bulk(&f, &other, "B");
    assert_ptr_not_equal(get(&f, &other), get(&f, &bulk));
    WAIT_UNTIL(f.listener.n_accepted == 3);
    release(&other);
    release(&bulk);
    stop(&f);
}

static void
spare_that_cannot_be_selected_is_left_alone(void **state)
{
    Fixture f;
    Wish bulk;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), NULL};
    static const char *const second[] = {LOGIN, "C:i2 EXAMINE A", "S:i2 NO no",
                                         "QUIET", NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    listener_wait(&f.listener, 1);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&bulk);
    stop(&f);
}

static void
spare_has_no_news(void **state)
{
    Fixture f;
    Wish bulk, one;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    assert_true(imap_lease_is_fresh(bulk.lease));
    listener_wait(&f.listener, 1);
    run_for(20);
    ask(&f, &one, "A");
    get(&f, &one);
    assert_false(imap_lease_is_fresh(one.lease));
    release(&one);
    release(&bulk);
    stop(&f);
}

/* ---- turns ---- */

static void
others_pass_bulk_that_waits(void **state)
{
    Fixture f;
    Wish held, bulk, one;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), EXAMINE(3, "C"),
                                        EXAMINE(4, "B"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &held, "A");
    get(&f, &held);
    ask_bulk(&f, &bulk, "B");
    run_for(20);
    ask(&f, &one, "C");
    release(&held);
    get(&f, &one);
    assert_false(bulk.done);
    release(&one);
    get(&f, &bulk);
    release(&bulk);
    stop(&f);
}

static void
bulk_starves_no_other(void **state)
{
    Fixture f;
    Wish bulk, more, one;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), EXAMINE(3, "B"),
                                        EXAMINE(4, "A"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    ask(&f, &one, "B");
    ask_bulk(&f, &more, "A");
    run_for(20);
    assert_false(more.done);
    release(&bulk);
    get(&f, &one);
    release(&one);
    get(&f, &more);
    release(&more);
    stop(&f);
}

/* ---- refusals ---- */

static void
spare_refused_harms_nobody(void **state)
{
    static const char *const bye[] = {"S:* BYE too many", "CLOSE", NULL};
    static const char *const limit[] = {
        "S:* OK",  "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1",
        "S:i1 OK", "C:i2 LOGIN *",    "S:i2 NO [LIMIT] too many",
        NULL};
    /* It is let in, and then it is one too many. */
    static const char *const later[] = {LOGIN, "S:* BYE too many", "CLOSE",
                                        NULL};
    const char *const *const all[] = {bye, limit, later};
    static const char *const good[] = {
        LOGIN,     EXAMINE(2, "A"), "QUIET",   "C:i3 NOOP",
        "S:i3 OK", "C:i4 LOGOUT",   "S:i4 OK", NULL};

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        Fixture f;
        Wish bulk, one;
        gboolean done;
        const char *const *const scripts[] = {good, all[i], NULL};

        start(&f, scripts, 4, LONG_TIMEOUT_MS);
        f.settings->username = g_strdup("me");
        f.settings->password = imap_secret_new("x", 1);
        f.settings->cleartext_password = TRUE;
        ask_bulk(&f, &bulk, "A");
        get(&f, &bulk);
        ask(&f, &one, "A");
        assert_ptr_equal(get(&f, &one), get(&f, &bulk));
        assert_int_equal(imap_pool_limit(f.pool), 1);
        run_for(60);
        assert_int_equal(f.listener.n_accepted, 2);
        send_noop(get(&f, &one), &done);
        wait_for(&done);
        release(&one);
        release(&bulk);
        stop(&f);
    }
}

static void
spare_hung_up_on_is_not_opened_again(void **state)
{
    Fixture f;
    Wish bulk;
    static const char *const good[] = {LOGIN, EXAMINE(2, "A"), NULL};
    static const char *const late[] = {
        LOGIN, EXAMINE(2, "A"), "WAIT", "S:* BYE too many", "CLOSE", NULL};
    const char *const *const scripts[] = {good, late, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    WAIT_UNTIL(imap_pool_limit(f.pool) == 1);
    run_for(60);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&bulk);
    stop(&f);
}

static void
connection_never_greeted_is_not_waited_for(void **state)
{
    Fixture f;
    Wish bulk, one;
    static const char *const good[] = {LOGIN, EXAMINE(2, "A"), NULL};
    static const char *const silent[] = {"HANG", NULL};
    const char *const *const scripts[] = {good, silent, NULL};
    gint64 began = g_get_monotonic_time();

    start(&f, scripts, 4, 19000);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    ask(&f, &one, "A");
    assert_ptr_equal(get(&f, &one), get(&f, &bulk));
    assert_true(g_get_monotonic_time() - began < 15 * G_TIME_SPAN_SECOND);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&one);
    release(&bulk);
    stop(&f);
}

static void
limit_outlives_the_connections(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const dies[] = {LOGIN, EXAMINE(2, "A"), "C:i3 NOOP",
                                       "CLOSE", NULL};
    static const char *const refused[] = {"S:* BYE too many", "CLOSE", NULL};
    static const char *const lives[] = {LOGIN, EXAMINE(2, "B"), EXAMINE(3, "A"),
                                        NULL};
    const char *const *const scripts[] = {dies, refused, lives, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    WAIT_UNTIL(imap_pool_limit(f.pool) == 1);
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    ask(&f, &a, "A");
    get(&f, &b);
    assert_int_equal(imap_pool_limit(f.pool), 1);
    release(&b);
    get(&f, &a);
    release(&a);
    assert_int_equal(f.listener.n_accepted, 3);
    stop(&f);
}

/* ---- a server that asks to be left alone ---- */

static void
throttled_pool_opens_nothing_and_says_why(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const steps[] = {
        LOGIN,
        EXAMINE(2, "A"),
        "C:i3 NOOP",
        "S:i3 BAD Request is throttled. Suggested Backoff Time: 90000 "
        "milliseconds",
        "QUIET",
        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    ask(&f, &b, "B");
    assert_refused(&b, IMAP_ERROR_LIMIT, "left alone for 90 seconds");
    ask(&f, &b, "A");
    assert_refused(&b, IMAP_ERROR_LIMIT, "left alone");
    listener_wait(&f.listener, 0);
    assert_int_equal(f.listener.n_accepted, 1);
    release(&a);
    stop(&f);
}

static void
short_throttle_is_waited_for(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const steps[] = {
        LOGIN,
        EXAMINE(2, "A"),
        "C:i3 NOOP",
        "S:i3 BAD Request is throttled. Suggested Backoff Time: 1000",
        "QUIET",
        EXAMINE(4, "B"),
        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    ask(&f, &b, "B");
    get(&f, &b);
    release(&b);
    stop(&f);
}

/* ---- nobody uses it ---- */

static void
idle_connections_log_out_down_to_one(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const steps[] = {
        LOGIN, EXAMINE(2, "?"), "C:i3 LOGOUT", "S:* BYE", "S:i3 OK", NULL};
    const char *const *const scripts[] = {steps, NULL};
    const Script *first, *second;

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    imap_pool_set_idle(f.pool, 30, 3600 * 1000);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    get(&f, &b);
    run_for(80);
    first = listener_script(&f.listener, 0);
    second = listener_script(&f.listener, 1);
    assert_false(script_is_done(first) || script_is_done(second));
    release(&a);
    release(&b);
    WAIT_UNTIL(script_is_done(first) || script_is_done(second));
    run_for(100);
    assert_false(script_is_done(first) && script_is_done(second));
    /* The last one, later. */
    imap_pool_set_idle(f.pool, 30, 60);
    listener_wait(&f.listener, 0);
    listener_wait(&f.listener, 1);
    ask(&f, &a, "A");
    get(&f, &a);
    assert_int_equal(f.listener.n_accepted, 3);
    release(&a);
    stop(&f);
}

static void
spare_is_not_idle(void **state)
{
    Fixture f;
    Wish bulk;
    static const char *const steps[] = {LOGIN,   EXAMINE(2, "A"), "QUIET",
                                        "QUIET", "QUIET",         NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    imap_pool_set_idle(f.pool, 20, 40);
    ask_bulk(&f, &bulk, "A");
    get(&f, &bulk);
    listener_wait(&f.listener, 1);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&bulk);
    stop(&f);
}

/* ---- what has changed ---- */

static void
changes_are_for_one_lease(void **state)
{
    static const char *const steps[] = {QRESYNC_LOGIN,
                                        "C:i3 EXAMINE A (QRESYNC (7 100))",
                                        "S:* 1 EXISTS",
                                        "S:* OK [UIDVALIDITY 7]",
                                        "S:* OK [HIGHESTMODSEQ 120]",
                                        "S:* VANISHED (EARLIER) 4:5",
                                        "S:i3 OK",
                                        "C:i4 EXAMINE B",
                                        "S:* 1 EXISTS",
                                        "S:i4 OK",
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};
    ImapKnown known = {7, 100};
    ImapWish what = {.mailbox = "A", .known = &known};

    for (guint i = 0; i < 2; i++) {
        gboolean taken = i == 0;
        Fixture f;
        Wish a, b, c;
        ImapChanges *changes;

        start(&f, scripts, 1, LONG_TIMEOUT_MS);
        /* Who comes first need not be who knows. */
        ask(&f, &b, "A");
        ask_wish(&f, &a, &what);
        get(&f, &a);
        if (taken) {
            changes = imap_lease_take_changes(a.lease);
            assert_non_null(changes);
            assert_true(imap_uid_set_contains(changes->vanished, 5));
            assert_int_equal(changes->since.highestmodseq, 100);
            imap_changes_free(changes);
            assert_null(imap_lease_take_changes(a.lease));
        }
        release(&a);
        release(&b);
        ask(&f, &c, "B");
        get(&f, &c);
        assert_null(imap_lease_take_changes(c.lease));
        release(&c);
        stop(&f);
    }
}

static void
on_change(const char *mailbox, gpointer user_data)
{
    g_string_append_printf(user_data, "%s ", mailbox);
}

static void
change_of_flags_is_told(void **state)
{
    Fixture f;
    Wish a;
    gboolean done;
    g_autoptr(GString) changes = g_string_new(NULL);
    static const char *const steps[] = {
        LOGIN,       EXAMINE(2, "A"),
        "C:i3 NOOP", "S:* 1 FETCH (FLAGS (\\Seen))",
        "S:i3 OK",   NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    imap_pool_set_change_func(f.pool, on_change, changes);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    assert_string_equal(changes->str, "A ");
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    assert_string_equal(changes->str, "A ");
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_is_alone_and_a_spare_is_ready),
        cmocka_unit_test(bulk_leases_of_one_mailbox_share),
        cmocka_unit_test(bulk_does_not_join_others),
        cmocka_unit_test(light_bulk_joins_others_and_has_a_second_opened),
        cmocka_unit_test(bulk_does_not_join_light_bulk_and_others),
        cmocka_unit_test(second_connection_is_prepared_once),
        cmocka_unit_test(only_connection_is_shared_with_bulk),
        cmocka_unit_test(spare_serves_another_mailbox_and_comes_back),
        cmocka_unit_test(spare_serves_bulk_at_once_when_there_can_be_another),
        cmocka_unit_test(spare_that_cannot_be_selected_is_left_alone),
        cmocka_unit_test(spare_has_no_news),
        cmocka_unit_test(others_pass_bulk_that_waits),
        cmocka_unit_test(bulk_starves_no_other),
        cmocka_unit_test(spare_refused_harms_nobody),
        cmocka_unit_test(spare_hung_up_on_is_not_opened_again),
        cmocka_unit_test(connection_never_greeted_is_not_waited_for),
        cmocka_unit_test(limit_outlives_the_connections),
        cmocka_unit_test(throttled_pool_opens_nothing_and_says_why),
        cmocka_unit_test(short_throttle_is_waited_for),
        cmocka_unit_test(idle_connections_log_out_down_to_one),
        cmocka_unit_test(spare_is_not_idle),
        cmocka_unit_test(changes_are_for_one_lease),
        cmocka_unit_test(change_of_flags_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
