/* A pool that does not know whether its credentials are good: each login that
 * is refused counts at the server. */
#include "pool-fixture.h"

#define MAX_CONNECTIONS 4

#define HELLO                                                                  \
    "S:* OK hello", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i1 OK"
#define LOGIN_COMMAND "C:i2 LOGIN alice new"
#define REFUSAL "S:i2 NO [AUTHENTICATIONFAILED] no"
#define LET_IN                                                                 \
    "S:i2 OK", "C:i3 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i3 OK"

static const char *const refuses[] = {HELLO, LOGIN_COMMAND, REFUSAL, NULL};

/* Three who want a mailbox each, and so a connection each. */
typedef struct {
    Fixture f;
    guint n_refused;
    Wish first;
    Wish second;
    Wish third;
} Case;

static gboolean
on_refused(const GError *error, gpointer user_data)
{
    ((Case *)user_data)->n_refused++;
    return FALSE;
}

static const ImapLineHandler handler = {.refused = on_refused};

/* The first has its connection. */
static void
begin(Case *c, const char *const *const *scripts)
{
    *c = (Case){0};
    start(&c->f, scripts, MAX_CONNECTIONS, LONG_TIMEOUT_MS);
    c->f.settings->username = g_strdup("alice");
    c->f.settings->password = imap_secret_new("new", 3);
    imap_pool_set_line_handler(c->f.pool, &handler, c);
    ask(&c->f, &c->first, "A");
    get(&c->f, &c->first);
}

static void
end(Case *c)
{
    release(&c->first);
    release(&c->second);
    release(&c->third);
    stop(&c->f);
    /* Who still waited has been told. */
    g_clear_error(&c->second.error);
    g_clear_error(&c->third.error);
}

static Script *
server(const Case *c, guint n)
{
    return listener_script(&c->f.listener, n);
}

static gboolean
is_held(const Case *c, guint n)
{
    listener_check(&c->f.listener);
    return c->f.listener.n_accepted > n && script_is_held(server(c, n));
}

static void
await_hold(const Case *c, guint n)
{
    WAIT_UNTIL(is_held(c, n));
}

static void
assert_others_refused(Case *c)
{
    assert_refused(&c->second, IMAP_ERROR_AUTHENTICATION, "refuses the login");
    assert_refused(&c->third, IMAP_ERROR_AUTHENTICATION, "refuses the login");
    run_for(100);
    assert_int_equal(c->n_refused, 1);
    assert_int_equal(imap_pool_limit(c->f.pool), MAX_CONNECTIONS);
}

/* ---- none is left that was let in ---- */

static const char *const is_lost[] = {LOGIN, EXAMINE(2, "A"), "HOLD", "CLOSE",
                                      NULL};

/* While two more are made, the first is lost. One of them has sent its password
 * then, the other could. */
static void
lose_the_first(Case *c)
{
    ask(&c->f, &c->second, "B");
    ask(&c->f, &c->third, "C");
    await_hold(c, 1);
    await_hold(c, 2);
    script_go_on(server(c, 0));
    WAIT_UNTIL(imap_pool_opened_at(c->f.pool) == 0);
    release(&c->first);
    script_go_on(server(c, 1));
    await_hold(c, 1);
    script_go_on(server(c, 2));
}

static const char *const waits_in_vain[] = {"HOLD",  HELLO,  "QUIET",
                                            "QUIET", "HOLD", NULL};

static void
password_that_is_refused_was_tried_once(void **state)
{
    Case c;
    static const char *const tries[] = {"HOLD", HELLO,   LOGIN_COMMAND,
                                        "HOLD", REFUSAL, NULL};
    const char *const *const scripts[] = {is_lost, tries, waits_in_vain, NULL};

    begin(&c, scripts);
    lose_the_first(&c);
    await_hold(&c, 2);
    script_go_on(server(&c, 1));
    assert_others_refused(&c);
    assert_true(script_is_hung_up(server(&c, 2)));
    assert_int_equal(c.f.listener.n_accepted, 3);
    end(&c);
}

static void
password_that_is_good_lets_the_others_in(void **state)
{
    Case c;
    static const char *const tries[] = {
        "HOLD", HELLO, LOGIN_COMMAND, "HOLD", LET_IN, EXAMINE(4, "?"), NULL};
    static const char *const waits[] = {"HOLD",          HELLO,         "QUIET",
                                        "HOLD",          LOGIN_COMMAND, LET_IN,
                                        EXAMINE(4, "?"), NULL};
    const char *const *const scripts[] = {is_lost, tries, waits, NULL};

    begin(&c, scripts);
    lose_the_first(&c);
    await_hold(&c, 2);
    script_go_on(server(&c, 2));
    script_go_on(server(&c, 1));
    assert_ptr_not_equal(get(&c.f, &c.second), get(&c.f, &c.third));
    assert_int_equal(c.f.listener.n_accepted, 3);
    end(&c);
}

/* No longer than it is given itself. */
static void
login_that_hangs_makes_way_for_the_next(void **state)
{
    Case c;
    static const char *const hangs[] = {"HOLD", HELLO, LOGIN_COMMAND, "HOLD",
                                        NULL};
    static const char *const waits[] = {"HOLD", HELLO,           LOGIN_COMMAND,
                                        LET_IN, EXAMINE(4, "?"), NULL};
    const char *const *const scripts[] = {is_lost, hangs, waits, NULL};

    begin(&c, scripts);
    c.f.settings->opening_ms = 2000;
    lose_the_first(&c);
    listener_wait(&c.f.listener, 2);
    assert_int_equal(c.n_refused, 0);
    end(&c);
}

/* ---- those that there are were let in with another one ---- */

static const char *const stays[] = {LOGIN, EXAMINE(2, "A"), NULL};

static void
new_password_that_is_refused_was_tried_once(void **state)
{
    Case c;
    const char *const *const scripts[] = {stays, refuses, NULL};

    begin(&c, scripts);
    imap_pool_reconnect(c.f.pool);
    ask(&c.f, &c.second, "B");
    ask(&c.f, &c.third, "C");
    assert_others_refused(&c);
    assert_int_equal(c.f.listener.n_accepted, 2);
    assert_true(imap_connection_is_open(get(&c.f, &c.first)));
    end(&c);
}

/* ---- those that there are were let in with the same one ---- */

static void
others_need_not_wait_for_each_other(void **state)
{
    Case c;
    static const char *const other[] = {HELLO,  LOGIN_COMMAND,   "HOLD",
                                        LET_IN, EXAMINE(4, "?"), NULL};
    const char *const *const scripts[] = {stays, other, other, NULL};

    begin(&c, scripts);
    ask(&c.f, &c.second, "B");
    ask(&c.f, &c.third, "C");
    await_hold(&c, 1);
    await_hold(&c, 2);
    script_go_on(server(&c, 1));
    script_go_on(server(&c, 2));
    get(&c.f, &c.second);
    get(&c.f, &c.third);
    end(&c);
}

/* Until there is another password. */
static void
refusal_beside_others_is_not_repeated_and_no_limit(void **state)
{
    Case c;
    static const char *const serves[] = {LOGIN, EXAMINE(2, "A"),
                                         EXAMINE(3, "B"), NULL};
    static const char *const good[] = {HELLO, LOGIN_COMMAND, LET_IN,
                                       EXAMINE(4, "C"), NULL};
    const char *const *const scripts[] = {serves, refuses, good, NULL};

    begin(&c, scripts);
    ask(&c.f, &c.second, "B");
    WAIT_UNTIL(c.f.listener.n_accepted == 2 &&
               script_is_hung_up(server(&c, 1)));
    run_for(100);
    assert_int_equal(c.f.listener.n_accepted, 2);
    assert_int_equal(imap_pool_limit(c.f.pool), MAX_CONNECTIONS);
    assert_int_equal(c.n_refused, 0);
    release(&c.first);
    get(&c.f, &c.second);
    imap_pool_retry(c.f.pool);
    ask(&c.f, &c.third, "C");
    get(&c.f, &c.third);
    assert_int_equal(c.f.listener.n_accepted, 3);
    end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password_that_is_refused_was_tried_once),
        cmocka_unit_test(password_that_is_good_lets_the_others_in),
        cmocka_unit_test(login_that_hangs_makes_way_for_the_next),
        cmocka_unit_test(new_password_that_is_refused_was_tried_once),
        cmocka_unit_test(others_need_not_wait_for_each_other),
        cmocka_unit_test(refusal_beside_others_is_not_repeated_and_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
