/* An account with several servers: when one cannot be reached, the next is
 * tried, and whoever waits sees nothing of that. */
#include "imap/servers.h"
#include "pool-fixture.h"

#include <unistd.h>

static const char *const good[] = {LOGIN, EXAMINE(2, "INBOX"), NULL};
static const char *const *const good_scripts[] = {good, NULL};
static const char *const quiet[] = {"HANG", NULL};
static const char *const *const quiet_scripts[] = {quiet, NULL};
static const char *const cut[] = {LOGIN, EXAMINE(2, "INBOX"), "C:i3 NOOP",
                                  "CLOSE", NULL};
static const char *const *const cut_scripts[] = {cut, NULL};

/* Nobody listens there. */
static guint16
closed_port(void)
{
    Listener listener;

    listener_start(&listener, good_scripts);
    listener_stop(&listener);
    return listener.port;
}

/* Those that are there stay. */
static void
listener_stop_accepting(Listener *listener)
{
    g_clear_handle_id(&listener->source, g_source_remove);
    close(listener->fd);
    listener->fd = -1;
}

typedef struct {
    Fixture f;
    Listener other;
    ImapServers *servers;
    ImapSettings *unused; /* of those that are to take their place */
} Several;

/* The fixture's listener is the last one. */
static void
start_several(Several *s, const char *const *const *first,
              const char *const *const *last, guint timeout_ms)
{
    start(&s->f, last, 2, timeout_ms);
    s->servers = imap_servers_new(s->f.settings);
    if (first != NULL) {
        listener_start(&s->other, first);
        imap_servers_add(s->servers, "127.0.0.1", s->other.port, IMAP_TLS_OFF);
    }
    imap_servers_add(s->servers, "127.0.0.1", closed_port(), IMAP_TLS_OFF);
    if (last != NULL)
        imap_servers_add(s->servers, "127.0.0.1", s->f.listener.port,
                         IMAP_TLS_OFF);
    imap_pool_set_servers(s->f.pool, s->servers);
}

static void
stop_several(Several *s, gboolean has_first)
{
    stop(&s->f);
    imap_servers_free(s->servers);
    if (has_first) {
        if (s->other.fd >= 0)
            listener_stop_accepting(&s->other);
        g_ptr_array_unref(s->other.running);
    }
}

static void
next_is_tried_when_one_refuses(void **state)
{
    Several s;
    Wish a;

    start_several(&s, NULL, good_scripts, LONG_TIMEOUT_MS);
    ask(&s.f, &a, "INBOX");
    get(&s.f, &a);
    assert_int_equal(s.f.settings->port, s.f.listener.port);
    assert_int_equal(imap_pool_state(s.f.pool), IMAP_POOL_ONLINE);
    release(&a);
    stop_several(&s, FALSE);
}

/* Who asked does not run out of time meanwhile. */
static void
next_is_tried_when_one_is_silent(void **state)
{
    Several s;
    Wish a;

    start_several(&s, quiet_scripts, good_scripts, 3000);
    ask(&s.f, &a, "INBOX");
    get(&s.f, &a);
    assert_int_equal(s.f.settings->port, s.f.listener.port);
    /* The one that was reached may take its time. */
    assert_int_equal(s.f.settings->opening_ms, 0);
    release(&a);
    stop_several(&s, TRUE);
}

static void
next_is_tried_when_one_is_lost_later(void **state)
{
    Several s;
    Wish a, b;
    gboolean done = FALSE;

    start_several(&s, cut_scripts, good_scripts, LONG_TIMEOUT_MS);
    ask(&s.f, &a, "INBOX");
    get(&s.f, &a);
    assert_int_equal(s.f.settings->port, s.other.port);
    listener_stop_accepting(&s.other);
    send_noop(get(&s.f, &a), &done);
    wait_for(&done);
    release(&a);
    ask(&s.f, &b, "INBOX");
    get(&s.f, &b);
    assert_int_equal(s.f.settings->port, s.f.listener.port);
    release(&b);
    stop_several(&s, TRUE);
}

static void
all_that_fail_are_told_of_as_the_first(void **state)
{
    static const char *const hangs_up[] = {"CLOSE", NULL};
    static const char *const *const scripts[] = {hangs_up, NULL};
    Several s;
    Wish a;

    start_several(&s, NULL, scripts, LONG_TIMEOUT_MS);
    ask(&s.f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_CONNECT,
                   "refused, and no other server of the account does better; ");
    /* And the next attempt begins with the first again. */
    assert_int_not_equal(s.f.settings->port, s.f.listener.port);
    stop_several(&s, FALSE);
}

/* The password must not go round, nor lock the account. */
static void
refused_login_is_tried_nowhere_else(void **state)
{
    static const char *const refuses[] = {"S:* OK hello",
                                          "C:i1 CAPABILITY",
                                          "S:* CAPABILITY IMAP4rev1",
                                          "S:i1 OK",
                                          "C:i2 LOGIN *",
                                          "S:i2 NO wrong password",
                                          NULL};
    static const char *const *const scripts[] = {refuses, NULL};
    Several s;
    Wish a;

    start_several(&s, scripts, good_scripts, LONG_TIMEOUT_MS);
    s.f.settings->username = g_strdup("me");
    s.f.settings->password = imap_secret_new("secret", 6);
    ask(&s.f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_AUTHENTICATION, "wrong password");
    assert_int_equal(s.f.listener.n_accepted, 0);
    assert_int_equal(s.f.settings->port, s.other.port);
    stop_several(&s, TRUE);
}

/* A ImapServersFunc. */
static void
add_good(gpointer user_data)
{
    Several *s = user_data;
    ImapServers *others = imap_servers_new(s->unused);

    imap_servers_add(others, "127.0.0.1", s->f.listener.port, IMAP_TLS_OFF);
    imap_servers_renew(s->servers, others);
}

static void
renewed_take_the_place_of_those_that_fail(void **state)
{
    Several s;
    Wish a, b;

    start(&s.f, good_scripts, 2, LONG_TIMEOUT_MS);
    s.servers = imap_servers_new(s.f.settings);
    imap_servers_add(s.servers, "127.0.0.1", closed_port(), IMAP_TLS_OFF);
    imap_pool_set_servers(s.f.pool, s.servers);
    s.unused = imap_settings_new();
    imap_servers_set_failed_func(s.servers, add_good, &s);
    ask(&s.f, &a, "INBOX");
    assert_refused(&a, IMAP_ERROR_CONNECT, "refused; ");
    assert_int_equal(imap_servers_count(s.servers), 1);
    /* Nothing is known to be better until it has failed once more. */
    assert_int_not_equal(s.f.settings->port, s.f.listener.port);
    imap_pool_retry(s.f.pool);
    ask(&s.f, &b, "INBOX");
    get(&s.f, &b);
    assert_int_equal(s.f.settings->port, s.f.listener.port);
    assert_int_equal(imap_servers_count(s.servers), 1);
    release(&b);
    imap_settings_free(s.unused);
    stop_several(&s, FALSE);
}

static void
renewed_that_are_the_same_change_nothing(void **state)
{
    g_autoptr(ImapSettings) settings = imap_settings_new();
    g_autoptr(ImapSettings) unused = imap_settings_new();
    g_autoptr(ImapServers) servers = imap_servers_new(settings);
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "cut");
    ImapServers *others = imap_servers_new(unused);

    imap_servers_add(servers, "one.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_add(servers, "two.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_add(others, "two.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_add(others, "one.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_renew(servers, others);
    assert_true(imap_servers_next(servers, error, NULL));
    assert_string_equal(settings->host, "two.example.org");
    assert_false(imap_servers_next(servers, error, NULL));
    assert_string_equal(settings->host, "one.example.org");
}

/* The one that is known stays in use among the new ones. */
static void
renewed_are_tried_behind_the_one_that_failed(void **state)
{
    g_autoptr(ImapSettings) settings = imap_settings_new();
    g_autoptr(ImapSettings) unused = imap_settings_new();
    g_autoptr(ImapServers) servers = imap_servers_new(settings);
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "cut");
    g_autoptr(GError) all = NULL;
    ImapServers *others = imap_servers_new(unused);

    imap_servers_add(servers, "old.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_add(others, "new.example.org", 143, IMAP_TLS_STARTTLS);
    imap_servers_add(others, "old.example.org", 993, IMAP_TLS_IMPLICIT);
    imap_servers_renew(servers, others);
    assert_true(imap_servers_next(servers, error, NULL));
    assert_string_equal(settings->host, "new.example.org");
    assert_int_equal(settings->tls, IMAP_TLS_STARTTLS);
    /* Both have failed. */
    assert_false(imap_servers_next(servers, error, &all));
    assert_non_null(all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_is_tried_when_one_refuses),
        cmocka_unit_test(next_is_tried_when_one_is_silent),
        cmocka_unit_test(next_is_tried_when_one_is_lost_later),
        cmocka_unit_test(all_that_fail_are_told_of_as_the_first),
        cmocka_unit_test(refused_login_is_tried_nowhere_else),
        cmocka_unit_test(renewed_take_the_place_of_those_that_fail),
        cmocka_unit_test(renewed_that_are_the_same_change_nothing),
        cmocka_unit_test(renewed_are_tried_behind_the_one_that_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
