/* The connections of one account.
 *
 * Requests wait in one queue, first come, first served, but those for much let
 * others pass for a while. They are looked at again whenever something has
 * changed: a connection came, went, or fell idle, or it is time to.
 *
 * A server that refuses further connections is believed: the pool shrinks to
 * what it has, and tries one more only after a while. One that asks to be left
 * alone is, for as long as it says. When the last one cannot be opened,
 * everybody who waits is told why, and so is who asks within the next moment: a
 * server in trouble is not helped by a storm of attempts. Nor is one that lets
 * us in and then hangs up asked for ever: a request sees a few connections end,
 * then it ends, too. */
#include "imap/pool-private.h"

#include "imap/error.h"

/* Who fetches much lets others, who come later by so much, pass. */
#define BULK_YIELDS_US (5 * G_TIME_SPAN_SECOND)

/* The server wants to be left alone: so long is waited for, beyond that who
 * asks is told. */
#define SILENCE_WAITED_US (5 * G_TIME_SPAN_SECOND)

/* Connections that nobody uses: all but one, and the last; servers hang up
 * after 30 minutes (RFC 9051 section 5.4). */
#define IDLE_US (5 * G_TIME_SPAN_MINUTE)
#define LAST_IDLE_US (29 * G_TIME_SPAN_MINUTE)

/* How many connections may end before they served a request that waits. */
#define MAX_ATTEMPTS 2

static void
request_free(ImapPoolRequest *request)
{
    g_free(request->mailbox);
    g_free(request->apart);
    g_free(request);
}

static void
request_fail(ImapPool *pool, ImapPoolRequest *request, const GError *error)
{
    imap_pool_end_apart(pool, request->apart);
    request->func(NULL, error, request->user_data);
    request_free(request);
}

/* Ends the requests that @is_meant says are meant, in their order. */
static void
fail_waiting(ImapPool *pool,
             gboolean (*is_meant)(ImapPoolRequest *request,
                                  const ImapWorker *worker,
                                  const char *mailbox),
             const ImapWorker *worker, const char *mailbox, const GError *error)
{
    GQueue failed = G_QUEUE_INIT;
    GList *next;

    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        ImapPoolRequest *request = link->data;

        next = link->next;
        if (is_meant(request, worker, mailbox)) {
            g_queue_unlink(&pool->waiting, link);
            g_queue_push_tail_link(&failed, link);
        }
    }
    while (failed.length > 0)
        request_fail(pool, g_queue_pop_head(&failed), error);
}

static gboolean
is_any(ImapPoolRequest *request, const ImapWorker *worker, const char *mailbox)
{
    return TRUE;
}

static gboolean
is_for(ImapPoolRequest *request, const ImapWorker *worker, const char *mailbox)
{
    return g_strcmp0(request->mailbox, mailbox) == 0;
}

static gboolean
is_to_change(ImapPoolRequest *request, const ImapWorker *worker,
             const char *mailbox)
{
    return request->writable && is_for(request, worker, mailbox);
}

/* One that was there before the request may have been dead for long: see
 * imap/retry.h. */
static gboolean
is_out_of_attempts(ImapPoolRequest *request, const ImapWorker *worker,
                   const char *mailbox)
{
    return (mailbox == NULL || is_for(request, worker, mailbox)) &&
           ++request->attempts >= MAX_ATTEMPTS &&
           imap_connection_ready_at(worker->connection) >= request->since;
}

void
imap_pool_fail_all(ImapPool *pool, const GError *error)
{
    fail_waiting(pool, is_any, NULL, NULL, error);
}

void
imap_pool_fail_mailbox(ImapPool *pool, const char *mailbox, const GError *error)
{
    fail_waiting(pool, is_for, NULL, mailbox, error);
}

void
imap_pool_fail_changes(ImapPool *pool, const char *mailbox, const GError *error)
{
    fail_waiting(pool, is_to_change, NULL, mailbox, error);
}

void
imap_pool_count_attempt(ImapPool *pool, const ImapWorker *worker,
                        const char *mailbox, const GError *error)
{
    fail_waiting(pool, is_out_of_attempts, worker, mailbox, error);
}

static void
fail_unmounting(ImapPool *pool)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the account is being logged out");

    imap_pool_fail_all(pool, error);
}

/* ---- who gets what ---- */

/* Whether nobody waits for its end. */
static gboolean
yields(ImapLeaseKind kind)
{
    return kind == IMAP_LEASE_BULK || kind == IMAP_LEASE_BULK_LIGHT;
}

static gboolean
on_wake(gpointer user_data)
{
    ImapPool *pool = user_data;

    pool->wake_source = 0;
    imap_pool_wake(pool);
    return G_SOURCE_REMOVE;
}

/* Looks again at @when, G_MAXINT64: not before something happens. */
static void
set_wake(ImapPool *pool, gint64 when)
{
    gint64 wait = MAX(when - g_get_monotonic_time(), 0);

    g_clear_handle_id(&pool->wake_source, g_source_remove);
    if (when == G_MAXINT64)
        return;
    wait = MIN(wait / G_TIME_SPAN_MILLISECOND + 1, G_MAXINT);
    pool->wake_source = g_timeout_add((guint)wait, on_wake, pool);
}

/* A short silence is waited for; a long one is told at once. */
static gboolean
is_silenced(ImapPool *pool)
{
    g_autoptr(GError) error = NULL;
    gint64 left;

    for (guint i = 0; i < pool->workers->len; i++)
        imap_pool_note_server(pool, g_ptr_array_index(pool->workers, i));
    left = pool->allowance.silence_until - g_get_monotonic_time();
    if (left <= 0)
        return FALSE;
    set_wake(pool, pool->allowance.silence_until);
    if (left > SILENCE_WAITED_US) {
        error = g_error_new(IMAP_ERROR, IMAP_ERROR_LIMIT,
                            "%s asks to be left alone for %.0f seconds",
                            pool->settings->host,
                            (double)left / G_TIME_SPAN_SECOND);
        imap_pool_fail_all(pool, error);
    }
    return TRUE;
}

/* Gives the first request that can have one its lease. */
static gboolean
grant_one(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;
    g_autoptr(GHashTable) coming =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GList *next;

    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        ImapPoolRequest *request = link->data;
        g_autofree char *key =
            g_strdup_printf("%d%d%s", request->kind, request->writable,
                            request->mailbox != NULL ? request->mailbox : "");
        ImapWorker *worker = NULL;
        ImapChoice choice;

        next = link->next;
        if (g_hash_table_contains(coming, key) ||
            imap_pool_is_apart(pool, request->mailbox) ||
            (request->apart != NULL && !imap_pool_make_apart(round, request)))
            continue;
        choice = imap_pool_choose(round, request, &worker);
        if (choice == IMAP_CHOICE_COMING)
            g_hash_table_add(coming, g_steal_pointer(&key));
        if (choice == IMAP_CHOICE_GRANTED) {
            g_queue_delete_link(&pool->waiting, link);
            request->func(imap_lease_new(pool, worker, request), NULL,
                          request->user_data);
            request_free(request);
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
on_dispatch(gpointer user_data)
{
    ImapPool *pool = user_data;
    ImapPoolRound round;

    pool->dispatch_source = 0;
    if (pool->logging_out) {
        fail_unmounting(pool);
        if (pool->workers->len == 0 && pool->logged_out != NULL)
            g_idle_add(g_steal_pointer(&pool->logged_out),
                       pool->logged_out_data);
        return G_SOURCE_REMOVE;
    }
    imap_pool_let_log_in(pool);
    if (is_silenced(pool)) {
        if (pool->workers->len == 0 && imap_pool_line_is_in_doubt(pool))
            imap_pool_line_wanted(pool);
        return G_SOURCE_REMOVE;
    }
    if (pool->held)
        return G_SOURCE_REMOVE;
    if (imap_pool_line_is_put_off(pool)) {
        g_autoptr(GError) error = g_error_copy(pool->last_error);

        imap_pool_fail_all(pool, error);
        imap_pool_retire_outdated(pool);
        imap_pool_line_wanted(pool);
        if (pool->listener != NULL && pool->retry_at > g_get_monotonic_time())
            set_wake(pool, pool->retry_at);
        return G_SOURCE_REMOVE;
    }
    imap_pool_begin_round(pool, &round);
    if (grant_one(&round)) {
        /* That may have changed anything. */
        imap_pool_wake(pool);
        return G_SOURCE_REMOVE;
    }
    imap_pool_open_listener(&round);
    imap_pool_keep_spares(&round);
    imap_pool_listen_beside(&round);
    imap_pool_retire_idle(&round);
    imap_pool_probe_idle(&round);
    set_wake(pool, round.wake_at);
    return G_SOURCE_REMOVE;
}

void
imap_pool_wake(ImapPool *pool)
{
    if (pool->dispatch_source == 0)
        pool->dispatch_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_dispatch, pool, NULL);
}

/* Not by a look at all requests: another one, for a single thing, would be
 * served first, and have to wait for the rows. */
void
imap_pool_grant_rows(ImapPool *pool, ImapWorker *worker)
{
    for (GList *link = pool->waiting.head; link != NULL; link = link->next) {
        ImapPoolRequest *request = link->data;

        if (request->rows != worker->rows ||
            g_strcmp0(request->mailbox, worker->mailbox) != 0)
            continue;
        g_queue_delete_link(&pool->waiting, link);
        request->func(imap_lease_new(pool, worker, request), NULL,
                      request->user_data);
        request_free(request);
        return;
    }
}

/* ---- deadlines ---- */

static gboolean
has_waited_long(ImapPoolRequest *request, const ImapWorker *worker,
                const char *mailbox)
{
    return g_get_monotonic_time() >= request->deadline;
}

/* A connection that is not ready yet is what all wait for. */
static GError *
what_is_late(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (worker->connection != NULL &&
            imap_connection_ready_at(worker->connection) == 0)
            return imap_connection_timed_out(worker->connection);
    }
    return g_error_new(IMAP_ERROR, IMAP_ERROR_TIMEOUT,
                       "%s did not answer for %.3g seconds",
                       pool->settings->host, pool->settings->timeout_ms / 1e3);
}

static gboolean
on_deadline(gpointer user_data)
{
    ImapPool *pool = user_data;
    gint64 limit =
        g_get_monotonic_time() - pool->settings->timeout_ms * (gint64)1000;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < pool->workers->len; i++)
        imap_pool_note_server(pool, g_ptr_array_index(pool->workers, i));
    error = what_is_late(pool);
    if (pool->last_progress < limit)
        fail_waiting(pool, has_waited_long, NULL, NULL, error);
    if (pool->waiting.length > 0)
        return G_SOURCE_CONTINUE;
    pool->deadline_source = 0;
    return G_SOURCE_REMOVE;
}

/* ---- the public side ---- */

static void
drop_worker(gpointer worker)
{
    imap_worker_drop(worker);
}

ImapPool *
imap_pool_new(const ImapSettings *settings, guint max_connections)
{
    ImapPool *pool = g_new0(ImapPool, 1);

    pool->settings = settings;
    imap_allowance_init(&pool->allowance, max_connections);
    pool->idle_us = IDLE_US;
    pool->last_idle_us = LAST_IDLE_US;
    pool->workers = g_ptr_array_new_with_free_func(drop_worker);
    pool->line_rate = imap_line_rate_new();
    g_queue_init(&pool->waiting);
    pool->apart = g_ptr_array_new_with_free_func(g_free);
    pool->max_serving = G_MAXUINT;
    pool->unselectable =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return pool;
}

void
imap_pool_free(ImapPool *pool)
{
    if (pool == NULL)
        return;
    pool->logging_out = TRUE;
    fail_unmounting(pool);
    g_queue_clear_full(&pool->waiting, (GDestroyNotify)request_free);
    g_ptr_array_unref(pool->apart);
    g_ptr_array_unref(pool->workers);
    g_clear_handle_id(&pool->dispatch_source, g_source_remove);
    g_clear_handle_id(&pool->deadline_source, g_source_remove);
    g_clear_handle_id(&pool->wake_source, g_source_remove);
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    imap_pool_stop_probing(pool);
    g_hash_table_unref(pool->unselectable);
    g_clear_error(&pool->last_error);
    imap_line_rate_unref(pool->line_rate);
    g_free(pool);
}

/* Who came first stays first. */
static int
compare_due(gconstpointer one, gconstpointer other, gpointer user_data)
{
    gint64 earlier = ((const ImapPoolRequest *)one)->due;
    gint64 later = ((const ImapPoolRequest *)other)->due;

    return earlier <= later ? -1 : 1;
}

void
imap_pool_acquire_wish(ImapPool *pool, const ImapWish *wish, ImapLeaseFunc func,
                       gpointer user_data)
{
    ImapPoolRequest *request = g_new0(ImapPoolRequest, 1);

    request->mailbox = g_strdup(wish->mailbox);
    request->apart = g_strdup(wish->apart);
    imap_pool_set_apart(pool, wish->apart);
    /* Without a mailbox there is nothing to fetch, or to change. */
    request->kind = wish->mailbox != NULL || wish->kind == IMAP_LEASE_UPLOAD
                        ? wish->kind
                        : IMAP_LEASE_SINGLE;
    request->writable = wish->mailbox != NULL && wish->writable;
    if (wish->known != NULL)
        request->known = *wish->known;
    request->rows = wish->rows;
    request->since = g_get_monotonic_time();
    request->deadline =
        request->since + pool->settings->timeout_ms * (gint64)1000;
    request->due =
        request->since + (yields(request->kind) ? BULK_YIELDS_US : 0);
    request->func = func;
    request->user_data = user_data;
    g_queue_insert_sorted(&pool->waiting, request, compare_due, NULL);
    if (pool->deadline_source == 0)
        pool->deadline_source = g_timeout_add(
            MIN(1000, pool->settings->timeout_ms / 4 + 1), on_deadline, pool);
    imap_pool_wake(pool);
}

void
imap_pool_acquire(ImapPool *pool, const char *mailbox, ImapLeaseFunc func,
                  gpointer user_data)
{
    ImapWish wish = {.mailbox = mailbox};

    imap_pool_acquire_wish(pool, &wish, func, user_data);
}

void
imap_pool_set_idle(ImapPool *pool, guint idle_ms, guint last_idle_ms)
{
    pool->idle_us = idle_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    pool->last_idle_us = last_idle_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    imap_pool_wake(pool);
}

void
imap_pool_set_change_func(ImapPool *pool, ImapChangeFunc func,
                          gpointer user_data)
{
    pool->change_func = func;
    pool->change_data = user_data;
}

guint
imap_pool_limit(const ImapPool *pool)
{
    return pool->allowance.limit;
}

/* While none is logged in, one has to show whether there is a line, and whether
 * the password is good: many servers lock an account after a few wrong ones. */
gboolean
imap_pool_open_another(ImapPool *pool)
{
    if (imap_pool_n_serving(pool) >= imap_pool_room(pool) ||
        imap_pool_login_paused_until(pool) != 0 ||
        (imap_pool_line_is_in_doubt(pool) && imap_pool_has_present(pool)))
        return FALSE;
    g_ptr_array_add(pool->workers,
                    imap_worker_new(pool->settings, pool->line_rate,
                                    &imap_pool_worker_handler, pool));
    return TRUE;
}

void
imap_pool_set_max_serving(ImapPool *pool, guint n)
{
    pool->max_serving = n;
}

void
imap_pool_set_servers(ImapPool *pool, ImapServers *servers)
{
    pool->servers = servers;
}

void
imap_pool_prepare(ImapPool *pool)
{
    /* While there is none, something is wrong, or the first is on its way. */
    if (imap_pool_n_serving(pool) == 1 && !pool->logging_out &&
        g_get_monotonic_time() >= pool->allowance.silence_until)
        imap_pool_open_another(pool);
}

void
imap_pool_line(const ImapPool *pool, ImapPoolLine *line)
{
    *line = (ImapPoolLine){.octets_per_second = pool->line_rate->taken,
                           .line_per_second = pool->line_rate->fastest};
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);
        gint64 round_trip = imap_connection_round_trip(worker->connection);

        if (!imap_worker_is_usable(worker) || worker->listens)
            continue;
        line->n_open++;
        if (round_trip > 0 &&
            (line->round_trip_us == 0 || round_trip < line->round_trip_us))
            line->round_trip_us = round_trip;
    }
}

gboolean
imap_pool_is_at_hand(const ImapPool *pool, const char *mailbox)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_worker_is_usable(worker) && !worker->listens &&
            worker->n_slow == 0 && g_strcmp0(worker->mailbox, mailbox) == 0)
            return TRUE;
    }
    return FALSE;
}

void
imap_pool_log_out(ImapPool *pool, GSourceFunc done, gpointer user_data)
{
    pool->logging_out = TRUE;
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    imap_pool_stop_probing(pool);
    pool->logged_out = done;
    pool->logged_out_data = user_data;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        imap_connection_logout(worker->connection);
    }
    imap_pool_wake(pool);
}
