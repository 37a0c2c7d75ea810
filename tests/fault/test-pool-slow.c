/* Leases for what a server may take long to answer: nobody waits behind it. */
#include "pool-fixture.h"

static void
ask_kind(Fixture *f, Wish *wish, const char *mailbox, ImapLeaseKind kind)
{
    const ImapWish what = {.mailbox = mailbox, .kind = kind};

    ask_wish(f, wish, &what);
}

static void
ask_slow(Fixture *f, Wish *wish, const char *mailbox)
{
    ask_kind(f, wish, mailbox, IMAP_LEASE_SLOW);
}

/* However little others want of the same mailbox. */
static void
nobody_shares_with_what_is_slow(void **state)
{
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, steps, NULL};
    const ImapLeaseKind kinds[] = {IMAP_LEASE_SINGLE, IMAP_LEASE_BULK,
                                   IMAP_LEASE_BULK_LIGHT};

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        Fixture f;
        Wish slow, other;

        start(&f, scripts, 4, LONG_TIMEOUT_MS);
        ask_slow(&f, &slow, "A");
        get(&f, &slow);
        assert_false(imap_pool_is_at_hand(f.pool, "A"));
        ask_kind(&f, &other, "A", kinds[i]);
        assert_ptr_not_equal(get(&f, &other), get(&f, &slow));
        assert_int_equal(f.listener.n_accepted, 2);
        release(&slow);
        release(&other);
        stop(&f);
    }
}

static void
what_is_slow_joins_nobody(void **state)
{
    Fixture f;
    Wish one, slow;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    ask_slow(&f, &slow, "A");
    assert_ptr_not_equal(get(&f, &slow), get(&f, &one));
    release(&one);
    release(&slow);
    stop(&f);
}

/* It takes what is there, and opens nothing. */
static void
what_is_slow_alone_needs_one_connection(void **state)
{
    Fixture f;
    Wish one, slow;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 4, LONG_TIMEOUT_MS);
    ask(&f, &one, "A");
    get(&f, &one);
    release(&one);
    ask_slow(&f, &slow, "A");
    get(&f, &slow);
    assert_int_equal(f.listener.n_accepted, 1);
    release(&slow);
    stop(&f);
}

static void
one_connection_is_left_to_others(void **state)
{
    Fixture f;
    Wish a, b, c, again, single;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), EXAMINE(3, "C"),
                                        NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "B"), "QUIET", NULL};
    static const char *const third[] = {LOGIN, EXAMINE(2, "D"), "QUIET", NULL};
    const char *const *const scripts[] = {first, second, third, NULL};

    start(&f, scripts, 3, LONG_TIMEOUT_MS);
    ask_slow(&f, &a, "A");
    get(&f, &a);
    ask_slow(&f, &b, "B");
    get(&f, &b);
    ask_slow(&f, &c, "C");
    ask(&f, &single, "D");
    get(&f, &single);
    assert_false(c.done);
    /* It can wait for what is slow as well. */
    ask_slow(&f, &again, "B");
    assert_ptr_equal(get(&f, &again), get(&f, &b));
    assert_false(c.done);
    release(&a);
    get(&f, &c);
    assert_int_equal(f.listener.n_accepted, 3);
    release(&again);
    release(&b);
    release(&c);
    release(&single);
    stop(&f);
}

static void
only_connection_is_shared_with_what_is_slow(void **state)
{
    Fixture f;
    Wish slow, one, more;
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_slow(&f, &slow, "A");
    get(&f, &slow);
    ask(&f, &one, "A");
    ask_slow(&f, &more, "A");
    assert_ptr_equal(get(&f, &one), get(&f, &slow));
    assert_ptr_equal(get(&f, &more), get(&f, &slow));
    release(&slow);
    release(&one);
    release(&more);
    stop(&f);
}

/* In whatever order they are found. */
static void
what_is_not_slow_is_shared_rather(void **state)
{
    static const char *const steps[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const scripts[] = {steps, steps, NULL};
    const ImapLeaseKind kinds[] = {IMAP_LEASE_BULK, IMAP_LEASE_SLOW};

    for (guint first = 0; first < 2; first++) {
        Fixture f;
        Wish held[2], one, upload;

        start(&f, scripts, 2, LONG_TIMEOUT_MS);
        for (guint i = 0; i < 2; i++) {
            ask_kind(&f, &held[i], "A", kinds[(first + i) % 2]);
            get(&f, &held[i]);
        }
        ask(&f, &one, "A");
        assert_ptr_equal(get(&f, &one), get(&f, &held[first]));
        ask_kind(&f, &upload, NULL, IMAP_LEASE_UPLOAD);
        assert_ptr_equal(get(&f, &upload), get(&f, &held[first]));
        release(&held[0]);
        release(&held[1]);
        release(&one);
        release(&upload);
        stop(&f);
    }
}

/* For another mailbox, that one is freed which is free first. */
static void
another_mailbox_does_not_wait_for_what_is_slow(void **state)
{
    Fixture f;
    Wish slow, bulk, more, other;
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"),
                                         EXAMINE(3, "B"), "QUIET", NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask_slow(&f, &slow, "A");
    get(&f, &slow);
    ask_kind(&f, &bulk, "A", IMAP_LEASE_BULK);
    get(&f, &bulk);
    ask(&f, &other, "B");
    ask_kind(&f, &more, "A", IMAP_LEASE_BULK);
    run_for(2 * WAIT_MS);
    assert_false(other.done);
    assert_false(more.done);
    release(&bulk);
    get(&f, &other);
    assert_false(more.done);
    release(&slow);
    get(&f, &more);
    release(&other);
    release(&more);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_shares_with_what_is_slow),
        cmocka_unit_test(what_is_slow_joins_nobody),
        cmocka_unit_test(what_is_slow_alone_needs_one_connection),
        cmocka_unit_test(one_connection_is_left_to_others),
        cmocka_unit_test(only_connection_is_shared_with_what_is_slow),
        cmocka_unit_test(what_is_not_slow_is_shared_rather),
        cmocka_unit_test(another_mailbox_does_not_wait_for_what_is_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
