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

/* After the server would not select a mailbox, nothing is made ready. */
#define SPARE_DELAY_US (30 * G_TIME_SPAN_SECOND)

/* The server wants to be left alone: so long is waited for, beyond that who
 * asks is told. */
#define SILENCE_WAITED_US (5 * G_TIME_SPAN_SECOND)

/* Connections that nobody uses: all but one, and the last; servers hang up
 * after 30 minutes (RFC 9051 section 5.4). */
#define IDLE_US (5 * G_TIME_SPAN_MINUTE)
#define LAST_IDLE_US (29 * G_TIME_SPAN_MINUTE)

/* One that has lasted longer was not one too many. */
#define YOUNG_US (5 * G_TIME_SPAN_SECOND)

/* And those that end within so short a time end together. */
#define TOGETHER_US (500 * 1000)

/* How many connections may end before they served a request that waits. */
#define MAX_ATTEMPTS 2

static void
request_free(ImapPoolRequest *request)
{
    g_free(request->mailbox);
    g_free(request);
}

static void
request_fail(ImapPoolRequest *request, const GError *error)
{
    request->func(NULL, error, request->user_data);
    request_free(request);
}

/* Ends the requests that @is_meant says are meant, in their order. */
static void
fail_waiting(ImapPool *pool,
             gboolean (*is_meant)(ImapPoolRequest *request,
                                  const char *mailbox),
             const char *mailbox, const GError *error)
{
    GQueue failed = G_QUEUE_INIT;
    GList *next;

    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        ImapPoolRequest *request = link->data;

        next = link->next;
        if (is_meant(request, mailbox)) {
            g_queue_unlink(&pool->waiting, link);
            g_queue_push_tail_link(&failed, link);
        }
    }
    while (failed.length > 0)
        request_fail(g_queue_pop_head(&failed), error);
}

static gboolean
is_any(ImapPoolRequest *request, const char *mailbox)
{
    return TRUE;
}

static gboolean
is_for(ImapPoolRequest *request, const char *mailbox)
{
    return g_strcmp0(request->mailbox, mailbox) == 0;
}

static gboolean
is_to_change(ImapPoolRequest *request, const char *mailbox)
{
    return request->writable && is_for(request, mailbox);
}

static gboolean
is_out_of_attempts(ImapPoolRequest *request, const char *mailbox)
{
    return ++request->attempts >= MAX_ATTEMPTS;
}

static gboolean
is_for_and_out_of_attempts(ImapPoolRequest *request, const char *mailbox)
{
    return is_for(request, mailbox) && is_out_of_attempts(request, mailbox);
}

void
imap_pool_fail_all(ImapPool *pool, const GError *error)
{
    fail_waiting(pool, is_any, NULL, error);
}

static void
fail_unmounting(ImapPool *pool)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the account is being logged out");

    imap_pool_fail_all(pool, error);
}

/* ---- what becomes of connections ---- */

/* What the connection tells of the server as a whole. */
void
imap_pool_note_server(ImapPool *pool, const ImapWorker *worker)
{
    pool->last_progress = MAX(
        pool->last_progress, imap_connection_last_progress(worker->connection));
    pool->allowance.silence_until =
        MAX(pool->allowance.silence_until,
            imap_connection_throttled_until(worker->connection));
}

/* Leases on it find out by the errors of their commands. */
static void
remove_worker(ImapPool *pool, ImapWorker *worker)
{
    imap_pool_note_server(pool, worker);
    imap_pool_keep_traffic(pool, worker->connection);
    if (pool->listening == worker)
        pool->listening = NULL;
    g_ptr_array_remove_fast(pool->workers, worker);
    imap_pool_wake(pool);
}

/* One connection more than the server likes. */
static void
shrink(ImapPool *pool, const GError *error)
{
    guint limit = pool->allowance.limit;

    imap_allowance_refused(&pool->allowance, pool->workers->len,
                           g_get_monotonic_time());
    if (pool->allowance.limit < limit)
        g_message("going on with connections: %u; %s", pool->allowance.limit,
                  error->message);
}

static void
note_opened(ImapPool *pool, ImapWorker *worker)
{
    imap_allowance_opened(&pool->allowance, pool->workers->len,
                          g_get_monotonic_time());
    imap_pool_line_opened(pool);
    pool->pushes = imap_connection_has(worker->connection, "NOTIFY") ||
                   imap_connection_has(worker->connection, "IDLE");
    imap_pool_wake(pool);
    if (worker->listens)
        imap_pool_listener_opened(pool, worker);
    else if (pool->listener_hurries)
        pool->listen_at = 0;
}

/* The listener's connection could not be opened. */
static void
note_listener_failure(ImapPool *pool, const ImapWorker *worker,
                      const GError *error)
{
    if (imap_pool_is_listener_refused(pool, worker, error))
        shrink(pool, error);
    else if (pool->workers->len == 0 && !worker->given_up)
        imap_pool_line_failed(pool, error);
    imap_pool_listener_ended(pool, error);
}

static gboolean
has_one_just_ended(const ImapPool *pool)
{
    return pool->ended_at != 0 &&
           g_get_monotonic_time() - pool->ended_at < TOGETHER_US;
}

/* Connections that end together were cut; then none of them was one too many.
 */
static gboolean
is_line_cut(ImapPool *pool)
{
    gboolean together = has_one_just_ended(pool);

    if (together && pool->may_be_line) {
        pool->allowance_before.silence_until = pool->allowance.silence_until;
        pool->allowance = pool->allowance_before;
    }
    pool->may_be_line = FALSE;
    pool->ended_at = g_get_monotonic_time();
    return together;
}

/* The server may let us have no more than there are; unless it turns out that
 * the line was cut. */
static void
shrink_for_now(ImapPool *pool, const GError *error)
{
    pool->allowance_before = pool->allowance;
    pool->may_be_line = TRUE;
    shrink(pool, error);
}

/* A connection could not be opened while there are others. If it was cut
 * together with one that was ready, that says nothing of the limit. */
static void
note_one_too_many(ImapPool *pool, const GError *error)
{
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        has_one_just_ended(pool))
        return;
    if (pool->workers->len > 1 || !imap_pool_give_up_listener(pool, error))
        shrink_for_now(pool, error);
}

static void
on_worker_opened(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;
    g_autoptr(ImapWorker) held = imap_worker_ref(worker);

    imap_pool_tell(pool,
                   error == NULL ? IMAP_POOL_CHANGE_OPENED
                                 : IMAP_POOL_CHANGE_REFUSED,
                   worker->connection, error);
    if (error == NULL) {
        note_opened(pool, worker);
        return;
    }
    remove_worker(pool, worker);
    if (pool->logging_out || held->leaving)
        return;
    if (held->listens)
        note_listener_failure(pool, held, error);
    else if (pool->workers->len == 0)
        imap_pool_line_failed(pool, error);
    else
        note_one_too_many(pool, error);
}

/* It was selected to be changed, and cannot be. */
static void
fail_read_only(ImapPool *pool, const char *mailbox)
{
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_READ_ONLY,
                            "the server lets the mailbox only be read");

    fail_waiting(pool, is_to_change, mailbox, error);
}

static void
on_worker_switched(ImapWorker *worker, const char *mailbox, const GError *error,
                   gpointer user_data)
{
    ImapPool *pool = user_data;

    imap_pool_wake(pool);
    if (error == NULL) {
        if (worker->writable && !imap_worker_is_writable(worker))
            fail_read_only(pool, mailbox);
        return;
    }
    pool->spare_at = g_get_monotonic_time() + SPARE_DELAY_US;
    if (imap_connection_is_open(worker->connection) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL)) {
        fail_waiting(pool, is_for, mailbox, error);
    } else {
        /* The line was cut: another connection may do, unless it is this
         * mailbox that the server cannot bear. */
        worker->served = TRUE;
        fail_waiting(pool, is_for_and_out_of_attempts, mailbox, error);
    }
}

/* When one connection is silent, those that nobody uses at the moment most
 * likely are, too: better found out now than by the next who has to wait. */
static void
give_up_idle(ImapPool *pool, const GError *error)
{
    imap_pool_put_off(pool, error);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_worker_is_usable(worker) && worker->n_leases == 0)
            imap_connection_close(worker->connection, error);
    }
}

/* Who waits could have its place. */
static gboolean
is_listener_in_the_way(const ImapPool *pool)
{
    return pool->waiting.length > 0 && imap_pool_n_serving(pool) == 0 &&
           pool->listening != NULL && !pool->listening->leaving;
}

/* A server may let one connection too many in, and then hang up. */
static void
on_worker_gone(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;
    gboolean served = worker->served;
    gboolean young = g_get_monotonic_time() - worker->since < YOUNG_US;
    gboolean leaving = worker->leaving;
    gboolean listens = worker->listens;
    gboolean cut;

    g_debug("a connection ended: %s", error->message);
    imap_pool_tell(pool,
                   leaving || pool->logging_out ? IMAP_POOL_CHANGE_CLOSED
                                                : IMAP_POOL_CHANGE_LOST,
                   worker->connection, error);
    remove_worker(pool, worker);
    cut = !leaving && is_line_cut(pool);
    if (listens)
        imap_pool_listener_ended(pool, error);
    if (leaving || pool->logging_out)
        return;
    if (!listens && g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT))
        give_up_idle(pool, error);
    if (young && !cut && !listens && is_listener_in_the_way(pool)) {
        imap_pool_give_up_listener(pool, error);
    } else if (!served && young && !cut && imap_pool_n_serving(pool) > 0) {
        shrink_for_now(pool, error);
    }
    if (!served && imap_pool_n_serving(pool) == 0)
        fail_waiting(pool, is_out_of_attempts, NULL, error);
    imap_pool_line_lost(pool);
}

const ImapWorkerHandler imap_pool_worker_handler = {
    .opened = on_worker_opened,
    .switched = on_worker_switched,
    .gone = on_worker_gone,
};

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
        if (g_hash_table_contains(coming, key))
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

/* ---- deadlines ---- */

static gboolean
has_waited_long(ImapPoolRequest *request, const char *mailbox)
{
    return g_get_monotonic_time() >= request->deadline;
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
    error = g_error_new(IMAP_ERROR, IMAP_ERROR_TIMEOUT,
                        "%s did not answer for %.3g seconds",
                        pool->settings->host, pool->settings->timeout_ms / 1e3);
    if (pool->last_progress < limit)
        fail_waiting(pool, has_waited_long, NULL, error);
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
    g_ptr_array_unref(pool->workers);
    g_clear_handle_id(&pool->dispatch_source, g_source_remove);
    g_clear_handle_id(&pool->deadline_source, g_source_remove);
    g_clear_handle_id(&pool->wake_source, g_source_remove);
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
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
    /* Without a mailbox there is nothing to fetch, or to change. */
    request->kind = wish->mailbox != NULL || wish->kind == IMAP_LEASE_UPLOAD
                        ? wish->kind
                        : IMAP_LEASE_SINGLE;
    request->writable = wish->mailbox != NULL && wish->writable;
    if (wish->known != NULL)
        request->known = *wish->known;
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

/* After the line was lost one connection has to show whether there is one, and
 * whether the password is still good: many servers lock an account after a few
 * wrong ones. */
gboolean
imap_pool_open_another(ImapPool *pool)
{
    guint limit = imap_pool_line_is_in_doubt(pool) ? 1 : imap_pool_room(pool);

    if (imap_pool_n_serving(pool) >= limit)
        return FALSE;
    g_ptr_array_add(pool->workers,
                    imap_worker_new(pool->settings, pool->line_rate,
                                    &imap_pool_worker_handler, pool));
    return TRUE;
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
            g_strcmp0(worker->mailbox, mailbox) == 0)
            return TRUE;
    }
    return FALSE;
}

void
imap_pool_log_out(ImapPool *pool, GSourceFunc done, gpointer user_data)
{
    pool->logging_out = TRUE;
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    pool->logged_out = done;
    pool->logged_out_data = user_data;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        imap_connection_logout(worker->connection);
    }
    imap_pool_wake(pool);
}
