/* A pool whose connections lead to servers that follow scripts. */
#pragma once

#include "imap/error.h"
#include "imap/pool.h"
#include "imap/requests.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 200
#define LONG_TIMEOUT_MS 10000

#define LOGIN                                                                  \
    "S:* PREAUTH in", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1", "S:i1 OK"
#define EXAMINE(n, mailbox)                                                    \
    "C:i" #n " EXAMINE " mailbox, "S:* 1 EXISTS", "S:i" #n " OK"

typedef struct {
    ImapSettings *settings;
    Listener listener;
    ImapPool *pool;
} Fixture;

/* One who wants a lease. */
typedef struct {
    gboolean done;
    ImapLease *lease;
    GError *error;
} Wish;

static inline void
start(Fixture *f, const char *const *const *scripts, guint max_connections,
      guint timeout_ms)
{
    listener_start(&f->listener, scripts);
    f->settings = imap_settings_new();
    g_free(f->settings->host);
    f->settings->host = g_strdup("127.0.0.1");
    f->settings->port = f->listener.port;
    f->settings->tls = IMAP_TLS_OFF;
    f->settings->timeout_ms = timeout_ms;
    f->pool = imap_pool_new(f->settings, max_connections);
}

static inline void
stop(Fixture *f)
{
    listener_check(&f->listener);
    imap_pool_free(f->pool);
    listener_stop(&f->listener);
    imap_settings_free(f->settings);
}

static inline void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Wish *wish = user_data;

    assert_false(wish->done);
    assert_true((lease == NULL) == (error != NULL));
    wish->done = TRUE;
    wish->lease = lease;
    wish->error = error != NULL ? g_error_copy(error) : NULL;
}

static inline void
ask(Fixture *f, Wish *wish, const char *mailbox)
{
    *wish = (Wish){0};
    imap_pool_acquire(f->pool, mailbox, on_lease, wish);
    assert_false(wish->done);
}

/* For much, or with something known. */
static inline void
ask_wish(Fixture *f, Wish *wish, const ImapWish *what)
{
    *wish = (Wish){0};
    imap_pool_acquire_wish(f->pool, what, on_lease, wish);
    assert_false(wish->done);
}

static inline void
ask_bulk(Fixture *f, Wish *wish, const char *mailbox)
{
    ImapWish what = {.mailbox = mailbox, .kind = IMAP_LEASE_BULK};

    ask_wish(f, wish, &what);
}

static inline ImapConnection *
get(Fixture *f, Wish *wish)
{
    wait_for(&wish->done);
    listener_check(&f->listener);
    if (wish->error != NULL)
        fail_msg("%s", wish->error->message);
    return imap_lease_connection(wish->lease);
}

static inline void
release(Wish *wish)
{
    g_clear_pointer(&wish->lease, imap_lease_release);
}

static inline void
assert_refused(Wish *wish, ImapError code, const char *words)
{
    wait_for(&wish->done);
    if (wish->error == NULL)
        fail_msg("no error, but \"%s\" was expected", words);
    if (!g_error_matches(wish->error, IMAP_ERROR, code) ||
        strstr(wish->error->message, words) == NULL)
        fail_msg("\"%s\" expected; error %d: %s", words, wish->error->code,
                 wish->error->message);
    g_clear_error(&wish->error);
}

static inline void
on_noop(const ImapStatus *status, const GError *error, gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
}

static const ImapCommandHandler noop_handler = {.done = on_noop};

static inline void
send_noop(ImapConnection *connection, gboolean *done)
{
    *done = FALSE;
    imap_connection_send(connection, imap_command_new("NOOP"), &noop_handler,
                         done);
}
