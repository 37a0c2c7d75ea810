/* The pool against servers that follow scripts, one for each connection. */
#include "pool-fixture.h"

#include "imap/pool-status.h"

static void
leases_of_one_mailbox_share_a_connection(void **state)
{
    Fixture f;
    Wish a, b, c;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "INBOX"), "QUIET",
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    ask(&f, &b, "INBOX");
    ask(&f, &c, NULL);
    assert_ptr_equal(get(&f, &a), get(&f, &b));
    assert_ptr_equal(get(&f, &a), get(&f, &c));
    release(&a);
    release(&b);
    release(&c);
    /* It stays selected. */
    ask(&f, &a, "INBOX");
    get(&f, &a);
    run_for(60);
    assert_int_equal(f.listener.n_accepted, 1);
    release(&a);
    stop(&f);
}

static void
mailboxes_in_use_get_connections_of_their_own(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "B"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    assert_ptr_not_equal(get(&f, &a), get(&f, &b));
    release(&a);
    release(&b);
    stop(&f);
}

static void
idle_connection_is_switched(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), EXAMINE(3, "B"),
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    ask(&f, &b, "B");
    get(&f, &b);
    assert_int_equal(f.listener.n_accepted, 1);
    release(&b);
    stop(&f);
}

static void
switch_waits_until_the_line_is_free(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const steps[] = {
        LOGIN,     EXAMINE(2, "A"), "C:i3 NOOP", "QUIET",
        "S:i3 OK", EXAMINE(4, "B"), NULL,
    };
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    release(&a);
    ask(&f, &b, "B");
    get(&f, &b);
    assert_true(done);
    release(&b);
    stop(&f);
}

static void
busy_mailbox_starves_no_other(void **state)
{
    Fixture f;
    Wish first, other, again, earlier;
    static const char *const steps[] = {
        LOGIN, EXAMINE(2, "A"), EXAMINE(3, "B"), EXAMINE(4, "A"), NULL,
    };
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &first, "A");
    get(&f, &first);
    ask(&f, &earlier, "A");
    ask(&f, &other, "B");
    ask(&f, &again, "A");
    run_for(10);
    assert_true(earlier.done);
    assert_false(other.done);
    assert_false(again.done);
    release(&first);
    release(&earlier);
    get(&f, &other);
    assert_false(again.done);
    release(&other);
    get(&f, &again);
    release(&again);
    stop(&f);
}

static void
mailbox_that_was_replaced_is_selected_anew(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const first[] = {
        LOGIN, EXAMINE(2, "A"), EXAMINE(3, "A"), "C:i4 NOOP", "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    imap_pool_forget_selected(f.pool, "B");
    imap_pool_forget_selected(f.pool, "A");
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    run_for(10);
    /* Now it is in use. */
    imap_pool_forget_selected(f.pool, "A");
    wait_for(&done);
    ask(&f, &b, "A");
    assert_ptr_not_equal(get(&f, &b), imap_lease_connection(a.lease));
    release(&a);
    release(&b);
    stop(&f);
}

/* A selection that was made for somebody who was then served otherwise tells
 * nothing of what happens later. */
static void
selection_is_fresh_for_who_asked_before(void **state)
{
    Fixture f;
    Wish other, much, a, b;
    Script *switched;
    static const char *const first[] = {
        LOGIN,  EXAMINE(2, "X"), "C:i3 EXAMINE INBOX",
        "HOLD", "S:* 1 EXISTS",  "S:i3 OK",
        NULL,
    };
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &other, "X");
    get(&f, &other);
    assert_true(imap_lease_is_fresh(other.lease));
    ask_bulk(&f, &much, "INBOX");
    get(&f, &much);
    release(&other);
    /* For this one the first connection is switched; but the second one falls
     * idle before that is done. */
    ask(&f, &a, "INBOX");
    switched = listener_script(&f.listener, 0);
    WAIT_UNTIL(script_is_held(switched));
    release(&much);
    get(&f, &a);
    assert_false(imap_lease_is_fresh(a.lease));
    script_go_on(switched);
    run_for(WAIT_MS);
    ask(&f, &b, "INBOX");
    assert_ptr_not_equal(get(&f, &b), imap_lease_connection(a.lease));
    assert_false(imap_lease_is_fresh(b.lease));
    release(&a);
    release(&b);
    stop(&f);
}

/* Idle connections that were all cut: none of them is the last that is tried.
 */
static void
request_outlives_all_connections_that_were_cut(void **state)
{
    Fixture f;
    Wish wishes[3], other;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"),
                                        "C:i3 EXAMINE *", "CLOSE", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "B"),
                                         "C:i3 EXAMINE *", "CLOSE", NULL};
    static const char *const third[] = {LOGIN, EXAMINE(2, "C"),
                                        "C:i3 EXAMINE *", "CLOSE", NULL};
    static const char *const fourth[] = {LOGIN, EXAMINE(2, "D"), NULL};
    const char *const *const scripts[] = {first, second, third, fourth, NULL};
    static const char *const names[] = {"A", "B", "C"};

    start(&f, scripts, 3, LONG_TIMEOUT_MS);
    for (guint i = 0; i < 3; i++) {
        ask(&f, &wishes[i], names[i]);
        get(&f, &wishes[i]);
    }
    for (guint i = 0; i < 3; i++)
        release(&wishes[i]);
    ask(&f, &other, "D");
    get(&f, &other);
    assert_int_equal(f.listener.n_accepted, 4);
    assert_int_equal(imap_pool_limit(f.pool), 3);
    release(&other);
    stop(&f);
}

/* It serves those that it has for a while, and then has room for as many as
 * before. */
static void
server_that_is_restarted_has_no_limit(void **state)
{
    Fixture f;
    Wish a, b;
    guint16 port;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "C:i3 NOOP",
                                        "CLOSE", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "B"), NULL};
    static const char *const third[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {first, second, third, NULL};
    gboolean done;

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    port = f.settings->port;
    f.settings->port = 1; /* where nobody listens */
    ask(&f, &b, "B");
    WAIT_UNTIL(imap_pool_limit(f.pool) == 1);
    run_for(WAIT_MS);
    assert_false(b.done);
    f.settings->port = port;
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    ask(&f, &a, "A");
    get(&f, &a);
    get(&f, &b);
    assert_int_equal(imap_pool_limit(f.pool), 4);
    release(&a);
    release(&b);
    stop(&f);
}

/* But a server that ends each new one is not asked for ever. */
static void
request_does_not_outlive_new_connections(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"),
                                        "C:i3 EXAMINE *", "CLOSE", NULL};
    static const char *const others[] = {LOGIN, "C:i2 EXAMINE *", "CLOSE",
                                         NULL};
    const char *const *const scripts[] = {first, others, NULL};

    start(&f, scripts, 3, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    ask(&f, &b, "B");
    assert_refused(&b, IMAP_ERROR_CLOSED, "");
    assert_int_equal(f.listener.n_accepted, 2);
    stop(&f);
}

static void
limit_of_the_server_shrinks_the_pool(void **state)
{
    Fixture f;
    Wish wishes[4];
    static const char *const good[] = {
        LOGIN,
        "C:i2 EXAMINE *",
        "S:* 1 EXISTS",
        "S:i2 OK",
        "C:i3 EXAMINE *",
        "S:* 1 EXISTS",
        "S:i3 OK",
        "C:i4 EXAMINE *",
        "S:* 1 EXISTS",
        "S:i4 OK",
        "C:i5 EXAMINE *",
        "S:* 1 EXISTS",
        "S:i5 OK",
        NULL,
    };
    static const char *const bad[] = {"S:* BYE too many connections", "CLOSE",
                                      NULL};
    const char *const *const scripts[] = {good, bad, NULL};
    static const char *const names[] = {"A", "B", "C", "D"};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    for (guint i = 0; i < 4; i++)
        ask(&f, &wishes[i], names[i]);
    for (guint i = 0; i < 4; i++) {
        get(&f, &wishes[i]);
        release(&wishes[i]);
    }
    assert_int_equal(f.listener.n_accepted, 4);
    stop(&f);
}

static void
server_that_greets_nobody_fails_all_and_is_left_alone(void **state)
{
    Fixture f;
    Wish a, b, later;
    const char *const *const scripts[] = {NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    ask(&f, &b, NULL);
    assert_refused(&a, IMAP_ERROR_CLOSED, "");
    assert_refused(&b, IMAP_ERROR_CLOSED, "");
    assert_true(f.listener.n_accepted <= 2);
    f.listener.n_accepted = 0;
    ask(&f, &later, "A");
    assert_refused(&later, IMAP_ERROR_CLOSED, "");
    assert_int_equal(f.listener.n_accepted, 0);
    stop(&f);
}

static void
server_that_always_hangs_up_is_not_asked_for_ever(void **state)
{
    static const char *const after_login[] = {LOGIN, "CLOSE", NULL};
    static const char *const in_examine[] = {LOGIN, "C:i2 *", "CLOSE", NULL};
    static const char *const by_bye[] = {LOGIN, "C:i2 *", "S:* BYE", NULL};
    static const char *const after_examine[] = {LOGIN, EXAMINE(2, "A"), "CLOSE",
                                                NULL};
    const char *const *const all[] = {after_login, in_examine, by_bye,
                                      after_examine};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        Fixture f;
        Wish a;
        const char *const *const scripts[] = {all[i], NULL};

        start(&f, scripts, 1, LONG_TIMEOUT_MS);
        ask(&f, &a, "A");
        assert_refused(&a, IMAP_ERROR_CLOSED, "");
        assert_true(f.listener.n_accepted <= 3);
        run_for(10);
        assert_true(f.listener.n_accepted <= 3);
        stop(&f);
    }
}

static void
mailbox_that_kills_the_line_fails_alone(void **state)
{
    Fixture f;
    Wish bad, good;
    static const char *const dies[] = {LOGIN, "C:i2 EXAMINE Bad", "CLOSE",
                                       NULL};
    static const char *const lives[] = {LOGIN, EXAMINE(2, "Good"), NULL};
    const char *const *const scripts[] = {dies, dies, lives, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &bad, "Bad");
    ask(&f, &good, "Good");
    assert_refused(&bad, IMAP_ERROR_CLOSED, "");
    get(&f, &good);
    release(&good);
    stop(&f);
}

static void
examine_refused_fails_that_mailbox_alone(void **state)
{
    Fixture f;
    Wish bad, worse, good;
    static const char *const steps[] = {
        LOGIN,
        "C:i2 EXAMINE Bad",
        "S:i2 NO [NONEXISTENT] gone",
        EXAMINE(3, "Good"),
        NULL,
    };
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &bad, "Bad");
    ask(&f, &good, "Good");
    ask(&f, &worse, "Bad");
    assert_refused(&bad, IMAP_ERROR_NONEXISTENT, "gone");
    assert_refused(&worse, IMAP_ERROR_NONEXISTENT, "gone");
    get(&f, &good);
    release(&good);
    stop(&f);
}

static void
name_with_line_break_fails_without_harm(void **state)
{
    Fixture f;
    Wish bad, also_bad, good;
    static const char *const steps[] = {LOGIN, EXAMINE(3, "Good"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &bad, "a\r\nb");
    ask(&f, &also_bad, "a\r\nb");
    ask(&f, &good, "Good");
    assert_refused(&bad, IMAP_ERROR_ARGUMENT, "line break");
    assert_refused(&also_bad, IMAP_ERROR_ARGUMENT, "line break");
    get(&f, &good);
    release(&good);
    stop(&f);
}

static void
lease_outlives_its_connection(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const dies[] = {LOGIN, EXAMINE(2, "A"), "C:i3 NOOP",
                                       "CLOSE", NULL};
    static const char *const lives[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {dies, lives, NULL};
    gboolean done;

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    /* The place is free although the lease is still out. */
    ask(&f, &b, "A");
    assert_ptr_not_equal(get(&f, &b), imap_lease_connection(a.lease));
    release(&a);
    release(&b);
    stop(&f);
}

static void
request_in_the_queue_has_the_deadline(void **state)
{
    static const char *const hung[] = {LOGIN, EXAMINE(2, "A"), "HANG", NULL};
    static const char *const chatty[] = {LOGIN, EXAMINE(2, "A"), "CHATTER",
                                         NULL};
    const char *const *const all[] = {hung, chatty};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        Fixture f;
        Wish a, b;
        const char *const *const scripts[] = {all[i], NULL};
        gint64 began;

        start(&f, scripts, 1, TIMEOUT_MS);
        ask(&f, &a, "A");
        get(&f, &a);
        began = g_get_monotonic_time();
        ask(&f, &b, "B");
        assert_refused(&b, IMAP_ERROR_TIMEOUT, "did not answer");
        assert_true(g_get_monotonic_time() - began <
                    40 * TIMEOUT_MS * G_TIME_SPAN_MILLISECOND);
        release(&a);
        stop(&f);
    }
}

static void
server_that_hangs_in_examine_times_out_its_mailbox(void **state)
{
    Fixture f;
    Wish a;
    static const char *const steps[] = {LOGIN, "C:i2 EXAMINE A", "CHATTER",
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 2, TIMEOUT_MS);
    ask(&f, &a, "A");
    assert_refused(&a, IMAP_ERROR_TIMEOUT, "did not answer");
    stop(&f);
}

static gboolean
on_logged_out(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void
log_out_says_so_on_each_connection(void **state)
{
    Fixture f;
    Wish a, b, late;
    static const char *const first[] = {
        LOGIN, EXAMINE(2, "A"), "C:i3 LOGOUT", "S:* BYE", "S:i3 OK", NULL};
    static const char *const second[] = {
        LOGIN, EXAMINE(2, "B"), "C:i3 LOGOUT", "S:* BYE", "S:i3 OK", NULL};
    const char *const *const scripts[] = {first, second, NULL};
    gboolean logged_out = FALSE;

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    get(&f, &b);
    release(&a);
    /* A lease that is still out does not hold it up. */
    imap_pool_log_out(f.pool, on_logged_out, &logged_out);
    ask(&f, &late, "A");
    assert_refused(&late, IMAP_ERROR_CLOSED, "logged out");
    wait_for(&logged_out);
    for (guint i = 0; i < 2; i++)
        assert_true(script_is_done(g_ptr_array_index(f.listener.running, i)));
    release(&b);
    stop(&f);
}

static void
log_out_without_connections_is_done(void **state)
{
    Fixture f;
    const char *const *const scripts[] = {NULL};
    gboolean logged_out = FALSE;

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    imap_pool_log_out(f.pool, on_logged_out, &logged_out);
    assert_false(logged_out);
    wait_for(&logged_out);
    stop(&f);
}

static void
on_change(const char *mailbox, gpointer user_data)
{
    g_string_append_printf(user_data, "%s ", mailbox);
}

static void
change_is_told_once_for_the_mailbox(void **state)
{
    Fixture f;
    Wish a;
    gboolean done;
    g_autoptr(GString) changes = g_string_new(NULL);
    static const char *const steps[] = {
        LOGIN,     EXAMINE(2, "A"), "C:i3 NOOP", "S:* 2 EXISTS",
        "S:i3 OK", "C:i4 NOOP",     "S:i4 OK",   NULL,
    };
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    imap_pool_set_change_func(f.pool, on_change, changes);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    assert_string_equal(changes->str, "A ");
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    assert_string_equal(changes->str, "A ");
    stop(&f);
}

static void
freed_while_its_connection_is_held_elsewhere(void **state)
{
    Fixture f;
    Wish a, b;
    ImapConnection *held;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"),
                                        "C:i3 EXAMINE B", "HANG", NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    held = imap_connection_ref(get(&f, &a));
    release(&a);
    ask(&f, &b, "B");
    run_for(20);
    g_clear_pointer(&f.pool, imap_pool_free);
    assert_refused(&b, IMAP_ERROR_CLOSED, "logged out");
    run_for(20);
    assert_false(imap_connection_is_open(held));
    imap_connection_unref(held);
    stop(&f);
}

static void
freed_at_any_moment_tells_who_waits(void **state)
{
    static const char *const steps[] = {LOGIN, "C:i2 EXAMINE A", "HANG", NULL};

    for (guint iterations = 0; iterations < 60; iterations++) {
        Fixture f;
        Wish a;
        const char *const *const scripts[] = {steps, NULL};

        start(&f, scripts, 1, LONG_TIMEOUT_MS);
        ask(&f, &a, "A");
        for (guint i = 0; i < iterations; i++)
            g_main_context_iteration(NULL, FALSE);
        if (iterations == 59)
            run_for(20);
        g_clear_pointer(&f.pool, imap_pool_free);
        assert_refused(&a, IMAP_ERROR_CLOSED, "logged out");
        stop(&f);
    }
    run_for(20);
}

/* ---- what a pool shows of itself ---- */

typedef struct {
    Fixture f;
    GString *told;
    GString *described;
} Observed;

static void
observe(ImapPoolChange change, const ImapConnection *connection,
        const GError *error, gpointer user_data)
{
    static const char *const words[] = {"opened", "refused", "lost", "closed"};
    Observed *observed = user_data;

    assert_true((error == NULL) == (change == IMAP_POOL_CHANGE_OPENED));
    assert_int_not_equal(imap_connection_number(connection), 0);
    g_string_append_printf(observed->told, "%s ", words[change]);
}

static void
describe(const ImapConnectionStatus *status, gpointer user_data)
{
    Observed *observed = user_data;

    g_string_append_printf(observed->described, "%s %s %u/%u ", status->state,
                           status->mailbox != NULL ? status->mailbox : "-",
                           status->n_leases, status->n_bulk);
}

static void
assert_described(Observed *observed, const char *wanted)
{
    g_string_truncate(observed->described, 0);
    imap_pool_describe(observed->f.pool, describe, observed);
    assert_string_equal(observed->described->str, wanted);
}

static void
observer_is_told_of_every_connection(void **state)
{
    Observed observed = {.told = g_string_new(NULL),
                         .described = g_string_new(NULL)};
    Fixture *f = &observed.f;
    Wish a;
    gboolean done;
    static const char *const refusing[] = {"S:* BYE not now", "CLOSE", NULL};
    static const char *const cut[] = {LOGIN, EXAMINE(2, "A"), "WAIT", "CLOSE",
                                      NULL};
    static const char *const good[] = {
        LOGIN,         EXAMINE(2, "A"), "C:i3 NOOP", "S:i3 OK",
        "C:i4 LOGOUT", "S:* BYE bye",   "S:i4 OK",   NULL};
    const char *const *const scripts[] = {cut, refusing, good, NULL};
    ImapTraffic traffic;
    guint64 received;

    start(f, scripts, 1, LONG_TIMEOUT_MS);
    imap_pool_set_observer(f->pool, observe, &observed);
    assert_described(&observed, "");
    ask(f, &a, "A");
    assert_int_equal(imap_pool_n_waiting(f->pool), 1);
    get(f, &a);
    assert_string_equal(observed.told->str, "opened ");
    assert_described(&observed, "ready A 1/0 ");
    assert_int_equal(imap_pool_n_waiting(f->pool), 0);
    imap_pool_traffic(f->pool, &traffic);
    assert_int_equal(traffic.commands, 2);
    assert_int_equal(traffic.round_trips, 2);
    received = traffic.bytes_received;
    assert_true(received > strlen("* PREAUTH in\r\n"));
    assert_true(traffic.bytes_sent >= strlen("i1 CAPABILITY\r\ni2 EXAMINE A"));

    release(&a);
    while (strstr(observed.told->str, "lost") == NULL)
        g_main_context_iteration(NULL, TRUE);
    assert_described(&observed, "");
    /* What has gone over a connection counts on when that is gone. */
    imap_pool_traffic(f->pool, &traffic);
    assert_int_equal(traffic.bytes_received, received);

    assert_null(imap_pool_error(f->pool));
    ask(f, &a, "A");
    assert_refused(&a, IMAP_ERROR_CLOSED, "not now");
    assert_string_equal(observed.told->str, "opened lost refused ");
    assert_non_null(imap_pool_error(f->pool));

    run_for(1100); /* until the pool tries again */
    ask(f, &a, "A");
    send_noop(get(f, &a), &done);
    wait_for(&done);
    assert_null(imap_pool_error(f->pool));
    release(&a);
    done = FALSE;
    imap_pool_log_out(f->pool, on_logged_out, &done);
    wait_for(&done);
    assert_string_equal(observed.told->str,
                        "opened lost refused opened closed ");
    stop(f);
    g_string_free(observed.told, TRUE);
    g_string_free(observed.described, TRUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_of_one_mailbox_share_a_connection),
        cmocka_unit_test(mailboxes_in_use_get_connections_of_their_own),
        cmocka_unit_test(idle_connection_is_switched),
        cmocka_unit_test(switch_waits_until_the_line_is_free),
        cmocka_unit_test(busy_mailbox_starves_no_other),
        cmocka_unit_test(mailbox_that_was_replaced_is_selected_anew),
        cmocka_unit_test(selection_is_fresh_for_who_asked_before),
        cmocka_unit_test(request_outlives_all_connections_that_were_cut),
        cmocka_unit_test(server_that_is_restarted_has_no_limit),
        cmocka_unit_test(request_does_not_outlive_new_connections),
        cmocka_unit_test(limit_of_the_server_shrinks_the_pool),
        cmocka_unit_test(server_that_greets_nobody_fails_all_and_is_left_alone),
        cmocka_unit_test(server_that_always_hangs_up_is_not_asked_for_ever),
        cmocka_unit_test(mailbox_that_kills_the_line_fails_alone),
        cmocka_unit_test(examine_refused_fails_that_mailbox_alone),
        cmocka_unit_test(name_with_line_break_fails_without_harm),
        cmocka_unit_test(lease_outlives_its_connection),
        cmocka_unit_test(request_in_the_queue_has_the_deadline),
        cmocka_unit_test(server_that_hangs_in_examine_times_out_its_mailbox),
        cmocka_unit_test(log_out_says_so_on_each_connection),
        cmocka_unit_test(log_out_without_connections_is_done),
        cmocka_unit_test(change_is_told_once_for_the_mailbox),
        cmocka_unit_test(freed_while_its_connection_is_held_elsewhere),
        cmocka_unit_test(freed_at_any_moment_tells_who_waits),
        cmocka_unit_test(observer_is_told_of_every_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
