/* What connections of a pool hear while nobody uses them. */
#include "pool-fixture.h"

#define IDLE_LOGIN                                                             \
    "S:* PREAUTH in", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1 IDLE",      \
        "S:i1 OK"

/* Longer than any wait for what must not come. */
#define LONG_QUIET                                                             \
    "QUIET", "QUIET", "QUIET", "QUIET", "QUIET", "QUIET", "QUIET", "QUIET"

/* Who wants to hear. */
typedef struct {
    const char *wanted[3]; /* NULL-terminated */
    GString *told;
    gboolean done; /* something was told */
} Owner;

static const char *
wanted(guint rank, gpointer user_data)
{
    Owner *owner = user_data;

    for (guint i = 0; i <= rank; i++)
        if (owner->wanted[i] == NULL)
            return NULL;
    return owner->wanted[rank];
}

static void
on_told(const char *mailbox, gpointer user_data)
{
    Owner *owner = user_data;

    g_string_append(owner->told, mailbox);
    owner->done = TRUE;
}

static const ImapBesideHandler handler = {.wanted = wanted, .told = on_told};

static void
begin(Fixture *f, Owner *owner, const char *const *const *scripts,
      guint max_connections)
{
    start(f, scripts, max_connections, LONG_TIMEOUT_MS);
    owner->told = g_string_new(NULL);
    imap_pool_set_beside(f->pool, &handler, owner);
}

static void
end(Fixture *f, Owner *owner)
{
    stop(f);
    g_string_free(owner->told, TRUE);
}

static void
use(Fixture *f, const char *mailbox)
{
    Wish wish;

    ask(f, &wish, mailbox);
    get(f, &wish);
    release(&wish);
}

/* The server answers nothing before it has got both. */
static void
unused_connection_hears_until_it_is_used(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"A"}};
    Wish wish;
    gboolean done;
    static const char *const steps[] = {
        IDLE_LOGIN,  EXAMINE(2, "A"), "C:i3 IDLE", "S:+ idling", "S:* 2 EXISTS",
        "C:DONE",    "C:i4 NOOP",     "S:i3 OK",   "S:i4 OK",    "C:i5 IDLE",
        "S:+ again", "QUIET",         NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    use(&f, "A");
    wait_for(&owner.done);
    assert_string_equal(owner.told->str, "A");
    ask(&f, &wish, "A");
    send_noop(get(&f, &wish), &done);
    wait_for(&done);
    release(&wish);
    run_for(600);
    end(&f, &owner);
}

static void
unwanted_mailbox_is_not_listened_to(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {NULL}};
    static const char *const steps[] = {IDLE_LOGIN, EXAMINE(2, "A"), LONG_QUIET,
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    use(&f, "A");
    run_for(600);
    end(&f, &owner);
}

/* As by Dovecot, which may tell of what a NOOP brings behind the answer to what
 * was sent along. */
static void
news_behind_the_last_answer_are_told(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {NULL}};
    Wish wish;
    gboolean done;
    static const char *const steps[] = {
        IDLE_LOGIN,      EXAMINE(2, "A"), "C:i3 NOOP",
        "S:* 2 EXISTS",  "S:i3 OK",       "QUIET",
        "S:* 2 EXISTS",  "QUIET",         "S:* 1 FETCH (UID 4 FLAGS (a))",
        "S:* 3 EXPUNGE", LONG_QUIET,      NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    ask(&f, &wish, "A");
    send_noop(get(&f, &wish), &done);
    wait_for(&done);
    release(&wish);
    /* By who used it, if anybody; and what is no change, by nobody. */
    assert_string_equal(owner.told->str, "");
    wait_for(&owner.done);
    run_for(2 * WAIT_MS);
    assert_string_equal(owner.told->str, "AA");
    end(&f, &owner);
}

static void
refused_idle_is_not_repeated(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"A"}};
    static const char *const steps[] = {
        IDLE_LOGIN, EXAMINE(2, "A"), "C:i3 IDLE", "S:i3 NO", LONG_QUIET, NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    use(&f, "A");
    run_for(800);
    end(&f, &owner);
}

/* Nobody has looked at it since it was selected: that is told, too. */
static void
connection_of_no_other_use_goes_to_what_is_wanted(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"B"}};
    static const char *const steps[] = {
        IDLE_LOGIN,  EXAMINE(2, "A"), EXAMINE(3, "B"),
        "C:i4 IDLE", "S:+ idling",    "QUIET",
        NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    use(&f, "A");
    wait_for(&owner.done);
    assert_string_equal(owner.told->str, "B");
    run_for(60);
    end(&f, &owner);
}

/* All but one of them hear, and it is that one that other requests get. */
static void
one_connection_is_left_for_requests(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"A", "B"}};
    static const char *const first[] = {
        IDLE_LOGIN, EXAMINE(2, "A"), "C:i3 IDLE", "S:+ idling", "QUIET", NULL};
    static const char *const second[] = {IDLE_LOGIN, EXAMINE(2, "B"),
                                         EXAMINE(3, "C"), NULL};
    const char *const *const scripts[] = {first, second, NULL};
    Wish a, b;

    begin(&f, &owner, scripts, 2);
    ask(&f, &a, "A");
    get(&f, &a);
    ask(&f, &b, "B");
    get(&f, &b);
    release(&a);
    release(&b);
    listener_wait(&f.listener, 0);
    run_for(200);
    use(&f, "C");
    run_for(60);
    assert_int_equal(f.listener.n_accepted, 2);
    end(&f, &owner);
}

/* A wanted one is not logged out for want of use. */
static void
connection_that_hears_is_kept(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"A"}};
    static const char *const steps[] = {IDLE_LOGIN,  EXAMINE(2, "A"),
                                        "C:i3 IDLE", "S:+ idling",
                                        LONG_QUIET,  NULL};
    const char *const *const scripts[] = {steps, NULL};

    begin(&f, &owner, scripts, 1);
    /* It begins to hear after 300 ms. */
    imap_pool_set_idle(f.pool, 800, 800);
    use(&f, "A");
    run_for(1300);
    end(&f, &owner);
}

/* It goes on listening, and what it hears will not be heard again. */
static void
what_is_heard_is_told_though_not_wanted_now(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"A"}};
    static const char *const steps[] = {
        IDLE_LOGIN, EXAMINE(2, "A"), "C:i3 IDLE", "S:+ idling",
        "HOLD",     "S:* 2 EXISTS",  "QUIET",     NULL};
    const char *const *const scripts[] = {steps, NULL};
    Script *script;

    begin(&f, &owner, scripts, 1);
    use(&f, "A");
    script = listener_script(&f.listener, 0);
    WAIT_UNTIL(script_is_held(script));
    run_for(WAIT_MS);
    assert_false(owner.done);
    owner.wanted[0] = NULL;
    imap_pool_wanted_changed(f.pool);
    run_for(WAIT_MS);
    script_go_on(script);
    wait_for(&owner.done);
    assert_string_equal(owner.told->str, "A");
    end(&f, &owner);
}

/* And it is not tried again and again. */
static void
mailbox_that_cannot_be_selected_leaves_its_place(void **state)
{
    Fixture f;
    Owner owner = {.wanted = {"B", "C"}};
    static const char *const first[] = {IDLE_LOGIN,       EXAMINE(2, "A"),
                                        "C:i3 EXAMINE B", "S:i3 NO not you",
                                        LONG_QUIET,       NULL};
    static const char *const second[] = {
        IDLE_LOGIN, EXAMINE(2, "C"), "C:i3 IDLE", "S:+ idling", "QUIET", NULL};
    const char *const *const scripts[] = {first, second, NULL};

    begin(&f, &owner, scripts, 3);
    use(&f, "A");
    wait_for(&owner.done);
    assert_string_equal(owner.told->str, "C");
    run_for(600);
    end(&f, &owner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_heard_is_told_though_not_wanted_now),
        cmocka_unit_test(mailbox_that_cannot_be_selected_leaves_its_place),
        cmocka_unit_test(unused_connection_hears_until_it_is_used),
        cmocka_unit_test(unwanted_mailbox_is_not_listened_to),
        cmocka_unit_test(news_behind_the_last_answer_are_told),
        cmocka_unit_test(refused_idle_is_not_repeated),
        cmocka_unit_test(connection_of_no_other_use_goes_to_what_is_wanted),
        cmocka_unit_test(one_connection_is_left_for_requests),
        cmocka_unit_test(connection_that_hears_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
