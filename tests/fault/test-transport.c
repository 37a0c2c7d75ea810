/* The transport against servers that speak TLS badly, or not at all. */
#include "transport-servers.h"

/* ---- the client ---- */

typedef struct {
    ImapSettings *settings;
    ImapTransport *transport;
    GByteArray *got;
    guint ready;
    guint ready_encrypted; /* of these */
    guint sent;
    GError *error;
    const char *greet;      /* to write once ready */
    const char *tls_after;  /* begin TLS once this was received */
    gboolean free_on_data;  /* free the transport in the handler */
    gboolean pause_on_data; /* pause, and go on a little later */
    gboolean inside;        /* a call to the transport is running */
} Client;

static void
on_ready(gpointer user_data)
{
    Client *c = user_data;

    assert_false(c->inside);
    c->ready++;
    c->ready_encrypted += imap_transport_is_encrypted(c->transport);
    if (c->greet != NULL)
        imap_transport_write(c->transport, c->greet, strlen(c->greet));
}

static gboolean
on_resume(gpointer user_data)
{
    Client *c = user_data;

    if (c->transport != NULL)
        imap_transport_set_paused(c->transport, FALSE);
    return G_SOURCE_REMOVE;
}

static void
on_received(const guint8 *data, gsize length, gpointer user_data)
{
    Client *c = user_data;

    assert_false(c->inside);
    g_byte_array_append(c->got, data, (guint)length);
    if (c->free_on_data)
        g_clear_pointer(&c->transport, imap_transport_free);
    if (c->tls_after != NULL &&
        g_strstr_len((char *)c->got->data, c->got->len, c->tls_after)) {
        c->tls_after = NULL;
        g_byte_array_set_size(c->got, 0);
        imap_transport_start_tls(c->transport);
    }
    if (c->pause_on_data &&
        c->got->len / 1000000 != (c->got->len - length) / 1000000) {
        imap_transport_set_paused(c->transport, TRUE);
        g_timeout_add(5, on_resume, c);
    }
}

static void
on_sent(gpointer user_data)
{
    Client *c = user_data;

    assert_false(c->inside);
    c->sent++;
}

static void
on_closed(const GError *error, gpointer user_data)
{
    Client *c = user_data;

    assert_false(c->inside);
    assert_null(c->error);
    c->error = g_error_copy(error);
}

static const ImapTransportHandler handler = {on_ready, on_received, on_sent,
                                             on_closed};

static Client *
client_new(const char *host, guint16 port, ImapTls tls)
{
    Client *c = g_new0(Client, 1);

    c->settings = imap_settings_new();
    c->settings->host = g_strdup(host);
    c->settings->port = port;
    c->settings->tls = tls;
    c->settings->ca_file = g_strdup(authority_file);
    c->got = g_byte_array_new();
    c->transport = imap_transport_new(c->settings, &handler, c);
    return c;
}

static void
client_free(Client *c)
{
    imap_transport_free(c->transport);
    imap_settings_free(c->settings);
    g_byte_array_unref(c->got);
    g_clear_error(&c->error);
    g_free(c);
    /* What GIO still has to say about a cancelled connect. */
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static gboolean
on_impatience(gpointer user_data)
{
    fail_msg("nothing happened for %d s", PATIENCE_S);
    return G_SOURCE_REMOVE;
}

#define RUN_UNTIL(condition)                                                   \
    do {                                                                       \
        guint patience =                                                       \
            g_timeout_add_seconds(PATIENCE_S, on_impatience, NULL);            \
                                                                               \
        while (!(condition))                                                   \
            g_main_context_iteration(NULL, TRUE);                              \
        g_source_remove(patience);                                             \
    } while (0)

static void
client_connect(Client *c)
{
    c->inside = TRUE;
    imap_transport_connect(c->transport);
    c->inside = FALSE;
}

static void
assert_failed(const Client *c, int code, const char *says)
{
    print_message("# %s\n", c->error->message);
    assert_true(g_error_matches(c->error, IMAP_ERROR, code));
    assert_non_null(strstr(c->error->message, says));
    assert_null(strchr(c->error->message, '\x1b'));
}

static void
assert_got(const Client *c, const char *expected)
{
    assert_int_equal(c->got->len, strlen(expected));
    assert_memory_equal(c->got->data, expected, c->got->len);
}

/* ---- TLS ---- */

static void
tls_good_certificate_talks(const char *host, const char *fingerprint,
                           const char *ca_file)
{
    Server server = {.script = script_tls, .identity = &good};
    Client *c;

    server_start(&server);
    c = client_new(host, server.port, IMAP_TLS_IMPLICIT);
    c->greet = "hello";
    g_free(c->settings->ca_file);
    c->settings->ca_file = g_strdup(ca_file);
    c->settings->fingerprint = g_strdup(fingerprint);
    client_connect(c);
    assert_false(imap_transport_is_encrypted(c->transport));
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, IMAP_ERROR_CLOSED, "closed the connection");
    assert_got(c, "* OK\r\nhello");
    assert_int_equal(c->ready, 1);
    assert_int_equal(c->ready_encrypted, 1);
    assert_true(c->sent > 0);
    assert_int_equal(imap_transport_bytes_received(c->transport), 11);
    assert_int_equal(imap_transport_bytes_sent(c->transport), 5);
    assert_int_equal(imap_transport_unsent(c->transport), 0);
    client_free(c);
    server_stop(&server);
}

static void
tls_good_certificate_succeeds(void **state)
{
    g_autofree char *fingerprint = identity_fingerprint(&good);
    g_auto(GStrv) pairs = g_strsplit(fingerprint, ":", 0);
    g_autofree char *joined = g_strjoinv("", pairs);
    g_autofree char *bare = g_ascii_strdown(joined, -1);
    g_autofree char *leaf_file = identity_write(&good, folder, "leaf.pem");

    tls_good_certificate_talks("localhost", NULL, authority_file);
    tls_good_certificate_talks("127.0.0.1", NULL, authority_file);
    tls_good_certificate_talks("127.0.0.1", fingerprint, NULL);
    tls_good_certificate_talks("127.0.0.1", bare, other_file);
    tls_good_certificate_talks("localhost", NULL, leaf_file);
    g_unlink(leaf_file);
}

static void
tls_wrong_is_refused_with_cause(void **state)
{
    g_autofree char *foreign_print = identity_fingerprint(&foreign);
    g_autofree char *good_print = identity_fingerprint(&good);
    const struct {
        Server server;
        const char *ca_file; /* "": the system's */
        const char *fingerprint;
        const char *says;
    } cases[] = {
        {{.identity = &expired}, NULL, NULL, "expired on 20"},
        {{.identity = &future}, NULL, NULL, "not valid before 20"},
        {{.identity = &elsewhere},
         NULL,
         NULL,
         "is for other.example.org, ?.x, not for localhost"},
        {{.identity = &foreign}, NULL, NULL, authority_file},
        {{.identity = &foreign}, NULL, NULL, foreign_print},
        {{.identity = &foreign}, "", NULL, "authority this machine does not"},
        {{.identity = &self_signed}, NULL, NULL, "is self-signed"},
        {{.identity = &good}, NULL, foreign_print, good_print},
        {{.identity = &good}, NULL, "AB:CD", "64 hex digits"},
        {{.identity = &good}, "/nonexistent", NULL, "/nonexistent"},
        {{.identity = &good}, "/dev/null", NULL, "PEM"},
        {{.identity = &good, .max_version = TLS1_1_VERSION},
         NULL,
         NULL,
         "newer than 1.1"},
        {{.identity = &good, .other_alpn = TRUE},
         NULL,
         NULL,
         "not to be for IMAP"},
        {{.script = script_plain_greeting},
         NULL,
         NULL,
         "does not speak TLS; for STARTTLS use imap://"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Server server = cases[i].server;
        Client *c;

        if (server.script == NULL)
            server.script = script_tls;
        server_start(&server);
        c = client_new("localhost", server.port, IMAP_TLS_IMPLICIT);
        if (cases[i].ca_file != NULL) {
            g_free(c->settings->ca_file);
            c->settings->ca_file =
                *cases[i].ca_file != '\0' ? g_strdup(cases[i].ca_file) : NULL;
        }
        c->settings->fingerprint = g_strdup(cases[i].fingerprint);
        imap_transport_write(c->transport, "secret", 6);
        client_connect(c);
        RUN_UNTIL(c->error != NULL);
        assert_failed(c, IMAP_ERROR_TLS, cases[i].says);
        assert_int_equal(c->ready, 0);
        assert_int_equal(c->got->len, 0);
        assert_int_equal(imap_transport_bytes_sent(c->transport), 0);
        client_free(c);
        server_stop(&server);
    }
}

static void
client_certificate_is_asked_for(int max_version, const char *file,
                                const char *says)
{
    Server server = {.script = script_tls,
                     .identity = &good,
                     .wants_client = TRUE,
                     .max_version = max_version};
    Client *c;

    server_start(&server);
    c = client_new("localhost", server.port, IMAP_TLS_IMPLICIT);
    c->settings->client_cert = g_strdup(file);
    c->greet = "x";
    client_connect(c);
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, says != NULL ? IMAP_ERROR_TLS : IMAP_ERROR_CLOSED,
                  says != NULL ? says : "closed");
    assert_int_equal(c->got->len, says != NULL ? 0 : 7);
    client_free(c);
    server_stop(&server);
}

static void
client_certificate_right_succeeds_and_wrong_fails(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        client_certificate_is_asked_for(versions[i], client_file, NULL);
        client_certificate_is_asked_for(versions[i], foreign_client_file,
                                        "refuses the client certificate");
        client_certificate_is_asked_for(versions[i], NULL,
                                        "-o client_cert=FILE");
    }
    client_certificate_is_asked_for(0, "/dev/null", "client_cert: ");
}

static void
starttls_upgrades_and_talks(void **state)
{
    Server server = {.script = script_starttls, .identity = &good};
    Client *c;

    server_start(&server);
    c = client_new("localhost", server.port, IMAP_TLS_STARTTLS);
    c->greet = "a STARTTLS\r\n";
    c->tls_after = "a OK\r\n";
    client_connect(c);
    RUN_UNTIL(c->error != NULL);
    assert_got(c, "* OK\r\na STARTTLS\r\n");
    assert_int_equal(c->ready, 2);
    assert_int_equal(c->ready_encrypted, 1);
    client_free(c);
    server_stop(&server);
}

static void
starttls_injected_clear_text_is_not_delivered(void **state)
{
    Server server = {.script = script_starttls_injected_late};
    Client *c;

    server_start(&server);
    c = client_new("localhost", server.port, IMAP_TLS_STARTTLS);
    c->tls_after = "a OK\r\n";
    client_connect(c);
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, IMAP_ERROR_TLS, "does not speak TLS after STARTTLS");
    assert_int_equal(c->got->len, 0);
    assert_int_equal(c->ready, 1);
    client_free(c);
    server_stop(&server);
}

static void
starttls_that_cannot_begin_sends_nothing_in_clear(void **state)
{
    Server server = {.script = script_plain_greeting};
    Client *c;

    server_start(&server);
    c = client_new("localhost", server.port, IMAP_TLS_STARTTLS);
    g_free(c->settings->ca_file);
    c->settings->ca_file = g_strdup("/nonexistent");
    client_connect(c);
    RUN_UNTIL(c->ready > 0);
    c->inside = TRUE;
    imap_transport_start_tls(c->transport);
    imap_transport_write(c->transport, "secret", 6);
    c->inside = FALSE;
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, IMAP_ERROR_TLS, "/nonexistent");
    assert_int_equal(imap_transport_bytes_sent(c->transport), 0);
    client_free(c);
    server_stop(&server);
}

static void
bulk_both_ways_with_pauses_arrives_unchanged(void **state)
{
    Server server = {.script = script_bulk, .identity = &good};
    g_autofree guint8 *data = g_malloc(BULK_SIZE);
    Client *c;

    fill(data, BULK_SIZE, 0);
    server_start(&server);
    c = client_new("localhost", server.port, IMAP_TLS_IMPLICIT);
    c->pause_on_data = TRUE;
    client_connect(c);
    RUN_UNTIL(c->ready > 0);
    for (gsize at = 0, step = 1; at < BULK_SIZE; at += step) {
        step = MIN(step * 3 % 100003 + 1, BULK_SIZE - at);
        imap_transport_write(c->transport, data + at, step);
    }
    RUN_UNTIL(c->error != NULL);
    assert_int_equal(c->got->len, BULK_SIZE + 4);
    assert_memory_equal(c->got->data, data, BULK_SIZE);
    assert_memory_equal(c->got->data + BULK_SIZE, "same", 4);
    assert_int_equal(imap_transport_bytes_sent(c->transport), BULK_SIZE);
    client_free(c);
    server_stop(&server);
}

/* ---- the end of the line ---- */

static void
line_that_ends_is_reported_after_its_data(void **state)
{
    const struct {
        void (*script)(Server *, int);
        ImapTls tls;
        const char *got;
        const char *says;
    } cases[] = {
        {script_half_close, IMAP_TLS_OFF, "* BYE\r\n", "closed the connection"},
        {script_reset, IMAP_TLS_OFF, "* OK\r\n", "reset by peer"},
        {script_hang_up, IMAP_TLS_OFF, "", "closed the connection"},
        {script_hang_up, IMAP_TLS_IMPLICIT, "", "during the TLS handshake"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Server server = {.script = cases[i].script};
        Client *c;

        server_start(&server);
        c = client_new("127.0.0.1", server.port, cases[i].tls);
        client_connect(c);
        RUN_UNTIL(c->error != NULL ||
                  (*cases[i].got != '\0' && c->got->len > 0));
        imap_transport_write(c->transport, "x", 1);
        RUN_UNTIL(c->error != NULL);
        assert_failed(c, IMAP_ERROR_CLOSED, cases[i].says);
        assert_got(c, cases[i].got);
        client_free(c);
        server_stop(&server);
    }
}

static void
connect_refused_or_unknown_host_names_cause(void **state)
{
    Server server = {.script = script_hang_up};
    Client *c;

    server_start(&server);
    server_stop(&server);
    c = client_new("localhost", server.port, IMAP_TLS_IMPLICIT);
    client_connect(c);
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, IMAP_ERROR_CONNECT, "Connection refused; check host");
    client_free(c);

    c = client_new("nosuchhost.invalid", 993, IMAP_TLS_IMPLICIT);
    client_connect(c);
    RUN_UNTIL(c->error != NULL);
    assert_failed(c, IMAP_ERROR_RESOLVE, "nosuchhost.invalid");
    client_free(c);
}

static void
freeing_at_any_time_calls_nothing_back(void **state)
{
    Server server = {.script = script_plain_greeting};
    Client *c;

    server_start(&server);
    c = client_new("127.0.0.1", server.port, IMAP_TLS_OFF);
    c->free_on_data = TRUE;
    client_connect(c);
    RUN_UNTIL(c->transport == NULL);
    client_free(c);
    server_stop(&server);

    c = client_new("127.0.0.1", 1, IMAP_TLS_OFF);
    client_connect(c);
    client_free(c);

    c = client_new("127.0.0.1", 1, IMAP_TLS_OFF);
    imap_transport_write(c->transport, "never sent", 10);
    client_free(c);
}

/* ---- an adopted pair ---- */

static Client *
adopt_pair(int *peer)
{
    Client *c = client_new("pair", 0, IMAP_TLS_OFF);
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    *peer = fds[1];
    c->inside = TRUE;
    imap_transport_adopt(c->transport, fds[0]);
    c->inside = FALSE;
    RUN_UNTIL(c->ready > 0);
    return c;
}

static void
paused_line_that_hangs_up_rests_until_resumed(void **state)
{
    int peer;
    Client *c = adopt_pair(&peer);

    imap_transport_set_paused(c->transport, TRUE);
    put(peer, "* BYE\r\n");
    close(peer);
    for (int i = 0; i < 5; i++)
        assert_false(g_main_context_iteration(NULL, FALSE));
    assert_int_equal(c->got->len, 0);
    imap_transport_set_paused(c->transport, FALSE);
    RUN_UNTIL(c->error != NULL);
    assert_got(c, "* BYE\r\n");
    client_free(c);
}

static void
data_before_failed_write_is_delivered(void **state)
{
    int peer;
    Client *c = adopt_pair(&peer);

    put(peer, "* BYE\r\n");
    close(peer);
    imap_transport_write(c->transport, "a NOOP\r\n", 8);
    RUN_UNTIL(c->error != NULL);
    assert_got(c, "* BYE\r\n");
    assert_failed(c, IMAP_ERROR_CLOSED, "closed");
    client_free(c);
}

static void
write_beyond_socket_buffer_waits_for_peer(void **state)
{
    int peer;
    Client *c = adopt_pair(&peer);
    g_autofree guint8 *data = g_malloc(4000000);
    g_autofree guint8 *read_back = g_malloc(4000000);
    gsize total = 0;

    fill(data, 4000000, 0);
    imap_transport_write(c->transport, data, 4000000);
    assert_int_equal(imap_transport_unsent(c->transport), 4000000);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    assert_true(imap_transport_unsent(c->transport) > 0);
    while (total < 4000000) {
        gssize n;

        while (g_main_context_iteration(NULL, FALSE))
            continue;
        n = read(peer, read_back + total, 4000000 - total);
        assert_true(n > 0);
        total += (gsize)n;
    }
    assert_memory_equal(read_back, data, 4000000);
    assert_int_equal(imap_transport_unsent(c->transport), 0);
    close(peer);
    client_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_good_certificate_succeeds),
        cmocka_unit_test(tls_wrong_is_refused_with_cause),
        cmocka_unit_test(client_certificate_right_succeeds_and_wrong_fails),
        cmocka_unit_test(starttls_upgrades_and_talks),
        cmocka_unit_test(starttls_injected_clear_text_is_not_delivered),
        cmocka_unit_test(starttls_that_cannot_begin_sends_nothing_in_clear),
        cmocka_unit_test(bulk_both_ways_with_pauses_arrives_unchanged),
        cmocka_unit_test(line_that_ends_is_reported_after_its_data),
        cmocka_unit_test(connect_refused_or_unknown_host_names_cause),
        cmocka_unit_test(freeing_at_any_time_calls_nothing_back),
        cmocka_unit_test(paused_line_that_hangs_up_rests_until_resumed),
        cmocka_unit_test(data_before_failed_write_is_delivered),
        cmocka_unit_test(write_beyond_socket_buffer_waits_for_peer),
    };

    return cmocka_run_group_tests(tests, make_identities, free_identities);
}
