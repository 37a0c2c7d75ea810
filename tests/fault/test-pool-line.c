/* A pool whose line goes, and comes back. */
#include "pool-fixture.h"

/* What the owner of the pool is told and says. */
typedef struct {
    GString *states; /* a letter each: o(nline), f (offline), r(efused) */
    guint n_refused;
    gboolean hold;
    guint patience_ms;
} Owner;

static void
on_changed(ImapPoolState state, gpointer user_data)
{
    Owner *owner = user_data;

    g_string_append_c(owner->states, state == IMAP_POOL_ONLINE    ? 'o'
                                     : state == IMAP_POOL_OFFLINE ? 'f'
                                                                  : 'r');
}

static gboolean
on_refused(const GError *error, gpointer user_data)
{
    Owner *owner = user_data;

    owner->n_refused++;
    return owner->hold;
}

static guint
patience(gpointer user_data)
{
    return ((Owner *)user_data)->patience_ms;
}

static const ImapLineHandler handler = {
    .changed = on_changed,
    .refused = on_refused,
    .patience = patience,
};

static void
own(Fixture *f, Owner *owner)
{
    owner->states = g_string_new(NULL);
    imap_pool_set_line_handler(f->pool, &handler, owner);
}

static void
disown(Owner *owner)
{
    g_string_free(owner->states, TRUE);
}

static void
assert_told(const Owner *owner, const char *states)
{
    assert_string_equal(owner->states->str, states);
}

/* ---- suspicion ---- */

static void
probe_that_is_answered_keeps_the_connection(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "INBOX"), "C:i3 NOOP",
                                        "S:i3 OK", NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    imap_pool_probe(f.pool, 400);
    run_for(600);
    ask(&f, &b, "INBOX");
    assert_ptr_equal(get(&f, &a), get(&f, &b));
    assert_int_equal(f.listener.n_accepted, 1);
    release(&a);
    release(&b);
    stop(&f);
}

/* And so are their commands: who waits tries again elsewhere. */
static void
probe_that_is_not_answered_closes_the_connection(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done;
    static const char *const first[] = {
        LOGIN, EXAMINE(2, "INBOX"), "C:i3 NOOP", "C:i4 NOOP", "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    send_noop(get(&f, &a), &done);
    imap_pool_probe(f.pool, 100);
    wait_for(&done);
    assert_false(imap_connection_is_open(imap_lease_connection(a.lease)));
    release(&a);
    ask(&f, &b, "INBOX");
    get(&f, &b);
    release(&b);
    stop(&f);
}

static void
idle_connection_is_probed(void **state)
{
    Fixture f;
    Wish a;
    static const char *const steps[] = {
        LOGIN,       EXAMINE(2, "INBOX"), "C:i3 NOOP", "S:i3 OK",
        "C:i4 NOOP", "S:i4 OK",           "QUIET",     NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    imap_pool_set_idle_probe(f.pool, 100, 5000);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    run_for(150); /* in use: it is not idle */
    release(&a);
    run_for(250);
    stop(&f);
}

/* The last step of many is what counts. */
static void
probe_so_soon_after_another_comes_later(void **state)
{
    Fixture f;
    Wish a;
    static const char *const steps[] = {
        LOGIN,   EXAMINE(2, "INBOX"), "C:i3 NOOP", "S:i3 OK",
        "QUIET", "C:i4 NOOP",         "S:i4 OK",   NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    for (guint i = 0; i < 3; i++)
        imap_pool_probe(f.pool, 5000);
    listener_wait(&f.listener, 0);
    release(&a);
    stop(&f);
}

static gboolean
on_change(gpointer user_data)
{
    imap_pool_probe(user_data, 5000);
    return G_SOURCE_CONTINUE;
}

#define WAIT_LONG                                                              \
    "WAIT", "WAIT", "WAIT", "WAIT", "WAIT", "WAIT", "WAIT", "WAIT", "WAIT",    \
        "WAIT"

/* The first is begun anew at the first change, and then not at every one. */
static void
login_gets_through_while_the_network_never_rests(void **state)
{
    Fixture f;
    Wish a;
    guint changes;
    static const char *const first[] = {"HANG", NULL};
    static const char *const second[] = {WAIT_LONG, LOGIN, EXAMINE(2, "INBOX"),
                                         NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    WAIT_UNTIL(f.listener.n_accepted == 1);
    changes = g_timeout_add(200, on_change, f.pool);
    wait_for(&a.done);
    g_source_remove(changes);
    get(&f, &a);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&a);
    stop(&f);
}

/* One that was begun before the last change makes way in the end. */
static void
opening_of_another_network_makes_way_after_some_seconds(void **state)
{
    Fixture f;
    Wish a;
    static const char *const dead[] = {"HANG", NULL};
    static const char *const good[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {dead, dead, good, NULL};
    gint64 begin = g_get_monotonic_time();

    start(&f, scripts, 1, 20000);
    ask(&f, &a, "INBOX");
    WAIT_UNTIL(f.listener.n_accepted == 1);
    imap_pool_probe(f.pool, 5000);
    WAIT_UNTIL(f.listener.n_accepted == 2);
    imap_pool_probe(f.pool, 5000);
    get(&f, &a);
    assert_true(g_get_monotonic_time() - begin > 4 * G_USEC_PER_SEC);
    assert_true(g_get_monotonic_time() - begin < 15 * G_USEC_PER_SEC);
    release(&a);
    stop(&f);
}

/* ---- the line ---- */

static void
lost_line_is_made_again_unasked(void **state)
{
    Fixture f;
    Owner owner = {.patience_ms = 20};
    Wish a;
    static const char *const first[] = {LOGIN, EXAMINE(2, "INBOX"), "WAIT",
                                        "CLOSE", NULL};
    static const char *const second[] = {LOGIN, "QUIET", NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    release(&a);
    WAIT_UNTIL(owner.states->len == 2);
    run_for(100);
    assert_int_equal(f.listener.n_accepted, 2);
    /* It never was offline; but what was known may be old. */
    assert_told(&owner, "oo");
    stop(&f);
    disown(&owner);
}

static void
lost_line_that_nobody_wants_is_not_made_again(void **state)
{
    Fixture f;
    Owner owner = {.patience_ms = 0};
    Wish a;
    static const char *const first[] = {LOGIN, EXAMINE(2, "INBOX"), "WAIT",
                                        "CLOSE", NULL};
    const char *const *const scripts[] = {first, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    release(&a);
    run_for(300);
    assert_int_equal(f.listener.n_accepted, 1);
    stop(&f);
    disown(&owner);
}

static void
failed_attempts_are_offline_until_one_succeeds(void **state)
{
    Fixture f;
    Owner owner = {.patience_ms = 20};
    Wish a;
    static const char *const bad[] = {"S:* BYE not now", "CLOSE", NULL};
    static const char *const good[] = {LOGIN, "QUIET", NULL};
    const char *const *const scripts[] = {bad, bad, bad, good, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_CLOSED, "not now");
    assert_int_equal(imap_pool_state(f.pool), IMAP_POOL_OFFLINE);
    assert_non_null(imap_pool_error(f.pool));
    WAIT_UNTIL(owner.states->len == 2);
    assert_told(&owner, "fo");
    assert_null(imap_pool_error(f.pool));
    stop(&f);
    disown(&owner);
}

/* After the line was lost one connection is tried, whoever waits. */
static void
lost_line_is_tried_with_one_connection(void **state)
{
    Fixture f;
    Owner owner = {0};
    Wish a, b, c;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "WAIT", "CLOSE",
                                        NULL};
    static const char *const bad[] = {"S:* BYE not now", "CLOSE", NULL};
    const char *const *const scripts[] = {first, bad, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    own(&f, &owner);
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    listener_wait(&f.listener, 0);
    run_for(20);
    ask(&f, &a, "A");
    ask(&f, &b, "B");
    ask(&f, &c, "C");
    assert_refused(&a, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&b, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&c, IMAP_ERROR_CLOSED, "not now");
    assert_int_equal(f.listener.n_accepted, 2);
    stop(&f);
    disown(&owner);
}

static void
untried_line_is_tried_with_one_connection(void **state)
{
    Fixture f;
    Wish a, b, c;
    static const char *const bad[] = {"S:* BYE not now", "CLOSE", NULL};
    const char *const *const scripts[] = {bad, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    ask_bulk(&f, &b, "B");
    ask(&f, &c, "C");
    assert_refused(&a, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&b, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&c, IMAP_ERROR_CLOSED, "not now");
    assert_int_equal(f.listener.n_accepted, 1);
    stop(&f);
}

/* The password may have been changed meanwhile. */
static void
line_that_was_not_needed_is_tried_with_one_connection(void **state)
{
    Fixture f;
    Wish a, b, c;
    static const char *const first[] = {
        LOGIN,     EXAMINE(2, "A"), "C:i3 LOGOUT", "S:* BYE",
        "S:i3 OK", "CLOSE",         NULL};
    static const char *const bad[] = {"S:* BYE not now", "CLOSE", NULL};
    const char *const *const scripts[] = {first, bad, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    imap_pool_set_idle(f.pool, 10, 10);
    ask(&f, &a, "A");
    get(&f, &a);
    release(&a);
    listener_wait(&f.listener, 0);
    run_for(20);
    assert_int_equal(imap_pool_state(f.pool), IMAP_POOL_ONLINE);
    ask(&f, &a, "A");
    ask_bulk(&f, &b, "B");
    ask(&f, &c, "C");
    assert_refused(&a, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&b, IMAP_ERROR_CLOSED, "not now");
    assert_refused(&c, IMAP_ERROR_CLOSED, "not now");
    assert_int_equal(f.listener.n_accepted, 2);
    stop(&f);
}

/* ---- a login that is refused ---- */

#define REFUSED_LOGIN                                                          \
    "S:* OK hello", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i1 OK",  \
        "C:i2 LOGIN alice old", "S:i2 NO [AUTHENTICATIONFAILED] no"

static void
set_password(Fixture *f, const char *password)
{
    if (f->settings->username == NULL)
        f->settings->username = g_strdup("alice");
    imap_secret_unref(f->settings->password);
    f->settings->password = imap_secret_new(password, strlen(password));
}

static void
who_waits_gets_the_connection_of_the_new_password(void **state)
{
    Fixture f;
    Owner owner = {.hold = TRUE};
    Wish a;
    static const char *const bad[] = {REFUSED_LOGIN, NULL};
    static const char *const good[] = {"S:* OK hello",
                                       "C:i1 CAPABILITY",
                                       "S:* CAPABILITY IMAP4rev1",
                                       "S:i1 OK",
                                       "C:i2 LOGIN alice new",
                                       "S:i2 OK",
                                       "C:i3 CAPABILITY",
                                       "S:* CAPABILITY IMAP4rev1",
                                       "S:i3 OK",
                                       EXAMINE(4, "INBOX"),
                                       NULL};
    const char *const *const scripts[] = {bad, good, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    set_password(&f, "old");
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    while (owner.n_refused == 0)
        g_main_context_iteration(NULL, TRUE);
    run_for(50);
    assert_false(a.done);
    set_password(&f, "new");
    imap_pool_retry(f.pool);
    get(&f, &a);
    assert_told(&owner, "o");
    release(&a);
    stop(&f);
    disown(&owner);
}

static void
refused_login_is_not_repeated(void **state)
{
    Fixture f;
    Owner owner = {.hold = TRUE, .patience_ms = 10};
    Wish a;
    g_autoptr(GError) error = g_error_new_literal(
        IMAP_ERROR, IMAP_ERROR_AUTHENTICATION, "nothing else is known");
    static const char *const bad[] = {REFUSED_LOGIN, NULL};
    const char *const *const scripts[] = {bad, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    set_password(&f, "old");
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    while (owner.n_refused == 0)
        g_main_context_iteration(NULL, TRUE);
    imap_pool_give_up(f.pool, error);
    assert_refused(&a, IMAP_ERROR_AUTHENTICATION, "nothing else");
    assert_told(&owner, "r");
    run_for(100);
    ask(&f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_AUTHENTICATION, "nothing else");
    assert_int_equal(f.listener.n_accepted, 1);
    stop(&f);
    disown(&owner);
}

/* Not as often as the owner would have a line that is cut made again. */
static void
login_that_is_refused_for_now_is_repeated_after_a_while(void **state)
{
    Fixture f;
    Owner owner = {.patience_ms = 20};
    Wish a;
    static const char *const bad[] = {"S:* OK hello",
                                      "C:i1 CAPABILITY",
                                      "S:* CAPABILITY IMAP4rev1",
                                      "S:i1 OK",
                                      "C:i2 LOGIN alice good",
                                      "S:i2 NO [UNAVAILABLE] not now",
                                      NULL};
    static const char *const good[] = {"S:* OK hello",
                                       "C:i1 CAPABILITY",
                                       "S:* CAPABILITY IMAP4rev1",
                                       "S:i1 OK",
                                       "C:i2 LOGIN alice good",
                                       "S:i2 OK",
                                       "C:i3 CAPABILITY",
                                       "S:* CAPABILITY IMAP4rev1",
                                       "S:i3 OK",
                                       "QUIET",
                                       NULL};
    const char *const *const scripts[] = {bad, good, NULL};
    gint64 begin = g_get_monotonic_time();

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    set_password(&f, "good");
    own(&f, &owner);
    ask(&f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_UNAVAILABLE, "for now");
    WAIT_UNTIL(owner.states->len == 2);
    assert_told(&owner, "fo");
    assert_true(g_get_monotonic_time() - begin >= G_USEC_PER_SEC);
    assert_int_equal(f.listener.n_accepted, 2);
    stop(&f);
    disown(&owner);
}

/* The second was being opened, and nobody has tried since. */
static void
line_that_is_cut_during_an_opening_is_lost_and_not_offline(void **state)
{
    Fixture f;
    Owner owner = {0};
    Wish a, b;
    gboolean done;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "C:i3 NOOP",
                                        "HANG", NULL};
    static const char *const second[] = {"S:* OK hello", "C:i1 CAPABILITY",
                                         "HANG", NULL};
    static const char *const third[] = {LOGIN, EXAMINE(2, "B"), NULL};
    const char *const *const scripts[] = {first, second, third, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    own(&f, &owner);
    ask(&f, &a, "A");
    send_noop(get(&f, &a), &done);
    ask(&f, &b, "B");
    while (f.listener.n_accepted < 2)
        g_main_context_iteration(NULL, TRUE);
    g_ptr_array_remove_index(f.listener.running, 0);
    wait_for(&done);
    release(&a);
    g_ptr_array_remove_index(f.listener.running, 0);
    get(&f, &b);
    assert_int_equal(f.listener.n_accepted, 3);
    assert_told(&owner, "oo");
    release(&b);
    stop(&f);
    disown(&owner);
}

/* While one ends, the next is being opened: that must not go on for ever. */
static void
server_that_hangs_up_after_selecting_is_given_up(void **state)
{
    Fixture f;
    Wish a;
    static const char *const first[] = {LOGIN, EXAMINE(2, "INBOX"), "CLOSE",
                                        NULL};
    const char *const *const scripts[] = {first, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_CLOSED, "closed the connection");
    assert_true(f.listener.n_accepted <= 10);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_that_is_answered_keeps_the_connection),
        cmocka_unit_test(probe_that_is_not_answered_closes_the_connection),
        cmocka_unit_test(idle_connection_is_probed),
        cmocka_unit_test(probe_so_soon_after_another_comes_later),
        cmocka_unit_test(login_gets_through_while_the_network_never_rests),
        cmocka_unit_test(
            opening_of_another_network_makes_way_after_some_seconds),
        cmocka_unit_test(lost_line_is_made_again_unasked),
        cmocka_unit_test(lost_line_that_nobody_wants_is_not_made_again),
        cmocka_unit_test(failed_attempts_are_offline_until_one_succeeds),
        cmocka_unit_test(lost_line_is_tried_with_one_connection),
        cmocka_unit_test(untried_line_is_tried_with_one_connection),
        cmocka_unit_test(line_that_was_not_needed_is_tried_with_one_connection),
        cmocka_unit_test(who_waits_gets_the_connection_of_the_new_password),
        cmocka_unit_test(refused_login_is_not_repeated),
        cmocka_unit_test(
            login_that_is_refused_for_now_is_repeated_after_a_while),
        cmocka_unit_test(
            line_that_is_cut_during_an_opening_is_lost_and_not_offline),
        cmocka_unit_test(server_that_hangs_up_after_selecting_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
