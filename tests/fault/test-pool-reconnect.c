/* Connections that are made anew, because the settings have changed. */
#include "pool-fixture.h"

#define LOGOUT(n) "C:i" #n " LOGOUT", "S:* BYE bye", "S:i" #n " OK", "CLOSE"

static void
unused_connection_is_logged_out_and_another_made(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const first[] = {LOGIN, EXAMINE(2, "INBOX"), LOGOUT(3),
                                        NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    release(&a);
    imap_pool_reconnect(f.pool);
    ask(&f, &b, "INBOX");
    get(&f, &b);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&b);
    stop(&f);
}

/* What is begun on it ends there; who comes later has another. */
static void
used_connection_is_left_until_it_is_not(void **state)
{
    Fixture f;
    Wish a, b;
    gboolean done = FALSE;
    static const char *const first[] = {
        LOGIN, EXAMINE(2, "INBOX"), "C:i3 NOOP", "S:i3 OK", LOGOUT(4), NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    imap_pool_reconnect(f.pool);
    ask(&f, &b, "INBOX");
    assert_ptr_not_equal(get(&f, &b), get(&f, &a));
    send_noop(get(&f, &a), &done);
    wait_for(&done);
    release(&a);
    run_for(100);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&b);
    stop(&f);
}

/* With but one, who comes later waits for it to be free. */
static void
only_connection_is_made_anew_when_it_is_free(void **state)
{
    Fixture f;
    Wish a, b;
    static const char *const first[] = {LOGIN, EXAMINE(2, "INBOX"), LOGOUT(3),
                                        NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    get(&f, &a);
    imap_pool_reconnect(f.pool);
    ask(&f, &b, "INBOX");
    run_for(100);
    assert_false(b.done);
    release(&a);
    get(&f, &b);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&b);
    stop(&f);
}

/* It may have been begun with what is no longer so. */
static void
connection_that_is_being_opened_makes_way(void **state)
{
    Fixture f;
    Wish a;
    static const char *const first[] = {"QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &a, "INBOX");
    while (f.listener.n_accepted == 0)
        g_main_context_iteration(NULL, TRUE);
    imap_pool_reconnect(f.pool);
    get(&f, &a);
    assert_int_equal(f.listener.n_accepted, 2);
    release(&a);
    stop(&f);
}

/* The password was changed before we were told of the new one. */
static void
what_was_refused_before_limits_nothing(void **state)
{
    Fixture f;
    Wish a, b, c;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), LOGOUT(3),
                                        NULL};
    static const char *const bad[] = {"S:* BYE not with that", "CLOSE", NULL};
    static const char *const third[] = {LOGIN, EXAMINE(2, "B"), NULL};
    static const char *const fourth[] = {LOGIN, EXAMINE(2, "C"), NULL};
    const char *const *const scripts[] = {first, bad, third, fourth, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    while (f.listener.n_accepted < 2)
        g_main_context_iteration(NULL, TRUE);
    run_for(100);
    assert_false(b.done);
    imap_pool_reconnect(f.pool);
    get(&f, &b);
    release(&a);
    ask(&f, &c, "C");
    get(&f, &c);
    release(&b);
    release(&c);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_connection_is_logged_out_and_another_made),
        cmocka_unit_test(used_connection_is_left_until_it_is_not),
        cmocka_unit_test(only_connection_is_made_anew_when_it_is_free),
        cmocka_unit_test(connection_that_is_being_opened_makes_way),
        cmocka_unit_test(what_was_refused_before_limits_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
