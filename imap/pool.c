/* The connections of one account.
 *
 * Requests wait in one queue, first come, first served, and are looked at again
 * whenever something has changed: a connection came, went, or fell idle. A
 * request that needs another mailbox than those selected, when no connection
 * is idle and no more may be opened, reserves the one with the fewest leases:
 * that one takes no new leases, falls idle, and is switched. So a mailbox that
 * is always in use starves no other.
 *
 * A server that refuses further connections is believed: the pool shrinks to
 * what it has. When the last one cannot be opened, everybody who waits is told
 * why, and so is who asks within the next moment: a server in trouble is not
 * helped by a storm of attempts. Nor is one that lets us in and then hangs up
 * asked for ever: a request sees a few connections end, then it ends, too. */
#include "imap/pool.h"

#include "imap/error.h"
#include "imap/worker.h"

/* After a failure, how long the next attempt is put off. */
#define RETRY_DELAY_US (1 * G_USEC_PER_SEC)
#define RETRY_DELAY_REFUSED_US (30 * G_USEC_PER_SEC)

/* How many connections may end before they served a request that waits. */
#define MAX_ATTEMPTS 2

typedef struct {
    char *mailbox; /* NULL: any */
    gint64 since;  /* microseconds, monotonic */
    guint attempts;
    ImapLeaseFunc func;
    gpointer user_data;
} Request;

struct ImapLease {
    ImapPool *pool;
    ImapWorker *worker; /* a reference */
    gboolean fresh;
};

struct ImapPool {
    const ImapSettings *settings;
    guint max_connections; /* as configured */
    guint limit;           /* as the server lets us */
    GPtrArray *workers;    /* of ImapWorker, one reference each; none is gone */
    GQueue waiting;        /* of Request, owned */
    guint dispatch_source;
    guint deadline_source;
    GError *last_error;   /* of opening; NULL: none lately */
    gint64 retry_at;      /* microseconds, monotonic */
    gint64 last_progress; /* microseconds, monotonic */
    ImapChangeFunc change_func;
    gpointer change_data;
    gboolean logging_out;
    GSourceFunc logged_out;
    gpointer logged_out_data;
};

static void pool_wake(ImapPool *pool);

static void
request_free(Request *request)
{
    g_free(request->mailbox);
    g_free(request);
}

static void
request_fail(Request *request, const GError *error)
{
    request->func(NULL, error, request->user_data);
    request_free(request);
}

/* Ends the requests that @is_meant says are meant, in their order. */
static void
fail_waiting(ImapPool *pool,
             gboolean (*is_meant)(Request *request, const char *mailbox),
             const char *mailbox, const GError *error)
{
    GQueue failed = G_QUEUE_INIT;
    GList *next;

    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        Request *request = link->data;

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
is_any(Request *request, const char *mailbox)
{
    return TRUE;
}

static gboolean
is_for(Request *request, const char *mailbox)
{
    return g_strcmp0(request->mailbox, mailbox) == 0;
}

static gboolean
is_out_of_attempts(Request *request, const char *mailbox)
{
    return ++request->attempts >= MAX_ATTEMPTS;
}

static gboolean
is_for_and_out_of_attempts(Request *request, const char *mailbox)
{
    return is_for(request, mailbox) && is_out_of_attempts(request, mailbox);
}

static void
fail_unmounting(ImapPool *pool)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the account is being logged out");

    fail_waiting(pool, is_any, NULL, error);
}

/* ---- what becomes of connections ---- */

static void
note_failure(ImapPool *pool, const GError *error)
{
    gboolean refused =
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION);

    g_clear_error(&pool->last_error);
    pool->last_error = g_error_copy(error);
    pool->retry_at = g_get_monotonic_time() +
                     (refused ? RETRY_DELAY_REFUSED_US : RETRY_DELAY_US);
}

static void
note_progress(ImapPool *pool, const ImapWorker *worker)
{
    pool->last_progress = MAX(
        pool->last_progress, imap_connection_last_progress(worker->connection));
}

/* Leases on it find out by the errors of their commands. */
static void
remove_worker(ImapPool *pool, ImapWorker *worker)
{
    note_progress(pool, worker);
    g_ptr_array_remove_fast(pool->workers, worker);
    if (pool->workers->len == 0)
        pool->limit = pool->max_connections;
    pool_wake(pool);
}

static void
on_worker_opened(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;

    if (error == NULL) {
        g_clear_error(&pool->last_error);
        pool_wake(pool);
        return;
    }
    remove_worker(pool, worker);
    if (pool->logging_out)
        return;
    if (pool->workers->len > 0) {
        pool->limit = pool->workers->len;
        g_message("going on with connections: %u; %s", pool->limit,
                  error->message);
    } else {
        note_failure(pool, error);
    }
}

static void
on_worker_switched(ImapWorker *worker, const char *mailbox, const GError *error,
                   gpointer user_data)
{
    ImapPool *pool = user_data;

    pool_wake(pool);
    if (error == NULL)
        return;
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
    note_failure(pool, error);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_worker_is_usable(worker) && worker->n_leases == 0)
            imap_connection_close(worker->connection, error);
    }
}

static void
on_worker_gone(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;
    gboolean served = worker->served;

    g_debug("a connection ended: %s", error->message);
    remove_worker(pool, worker);
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT))
        give_up_idle(pool, error);
    if (!served)
        fail_waiting(pool, is_out_of_attempts, NULL, error);
}

static const ImapWorkerHandler worker_handler = {
    .opened = on_worker_opened,
    .switched = on_worker_switched,
    .gone = on_worker_gone,
};

/* ---- who gets what ---- */

typedef enum {
    GRANTED, /* and gone from the queue */
    COMING,  /* a connection is on its way */
    STUCK,   /* everything is in use */
} Outcome;

static gboolean
worker_serves(const ImapWorker *worker, const Request *request)
{
    return imap_worker_is_usable(worker) && !worker->reserved &&
           (request->mailbox == NULL ||
            g_strcmp0(worker->mailbox, request->mailbox) == 0);
}

/* Who wants any connection waits for one that is on its way. */
static gboolean
worker_will_serve(const ImapWorker *worker, const Request *request)
{
    if (request->mailbox == NULL)
        return worker->state == IMAP_WORKER_OPENING ||
               worker->state == IMAP_WORKER_SWITCHING;
    return worker->state == IMAP_WORKER_SWITCHING &&
           g_str_equal(worker->mailbox, request->mailbox);
}

static ImapLease *
lease_new(ImapPool *pool, ImapWorker *worker)
{
    ImapLease *lease = g_new0(ImapLease, 1);

    lease->pool = pool;
    lease->worker = imap_worker_ref(worker);
    lease->fresh = worker->fresh;
    worker->fresh = FALSE;
    worker->n_leases++;
    worker->served = TRUE;
    return lease;
}

static Outcome
try_grant(ImapPool *pool, const Request *request, guint *n_opening,
          ImapWorker **granted)
{
    ImapWorker *idle = NULL;
    ImapWorker *least = NULL;
    gboolean coming = FALSE;

    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (worker_serves(worker, request)) {
            *granted = worker;
            return GRANTED;
        }
        coming = coming || worker_will_serve(worker, request);
        if (!imap_worker_is_usable(worker) || worker->reserved)
            continue;
        if (worker->n_leases == 0)
            idle = worker;
        else if (least == NULL || worker->n_leases < least->n_leases)
            least = worker;
    }
    if (coming)
        return COMING;
    if (idle != NULL) {
        imap_worker_switch(idle, request->mailbox);
        return COMING;
    }
    if (*n_opening > 0) {
        (*n_opening)--;
        return COMING;
    }
    if (pool->workers->len < pool->limit) {
        g_ptr_array_add(pool->workers,
                        imap_worker_new(pool->settings, &worker_handler, pool));
        return COMING;
    }
    if (least != NULL)
        least->reserved = TRUE;
    return STUCK;
}

/* Reservations are made anew each time: who they were for may have been
 * served otherwise. */
static guint
begin_round(const ImapPool *pool)
{
    guint n_opening = 0;

    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        worker->reserved = FALSE;
        n_opening += worker->state == IMAP_WORKER_OPENING;
    }
    return n_opening;
}

static gboolean
is_put_off(const ImapPool *pool)
{
    return pool->last_error != NULL && pool->workers->len == 0 &&
           g_get_monotonic_time() < pool->retry_at;
}

static gboolean
on_dispatch(gpointer user_data)
{
    ImapPool *pool = user_data;
    guint n_opening;
    g_autoptr(GHashTable) coming = g_hash_table_new(g_str_hash, g_str_equal);
    GList *next;

    pool->dispatch_source = 0;
    if (pool->logging_out) {
        fail_unmounting(pool);
        if (pool->workers->len == 0 && pool->logged_out != NULL)
            g_idle_add(g_steal_pointer(&pool->logged_out),
                       pool->logged_out_data);
        return G_SOURCE_REMOVE;
    }
    if (is_put_off(pool)) {
        g_autoptr(GError) error = g_error_copy(pool->last_error);

        fail_waiting(pool, is_any, NULL, error);
        return G_SOURCE_REMOVE;
    }
    n_opening = begin_round(pool);
    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        Request *request = link->data;
        const char *mailbox = request->mailbox != NULL ? request->mailbox : "";
        ImapWorker *worker = NULL;
        Outcome outcome;

        next = link->next;
        if (g_hash_table_contains(coming, mailbox))
            continue;
        outcome = try_grant(pool, request, &n_opening, &worker);
        if (outcome == COMING)
            g_hash_table_add(coming, (gpointer)mailbox);
        if (outcome == GRANTED) {
            g_queue_delete_link(&pool->waiting, link);
            request->func(lease_new(pool, worker), NULL, request->user_data);
            request_free(request);
            /* That may have changed anything. */
            pool_wake(pool);
            return G_SOURCE_REMOVE;
        }
    }
    return G_SOURCE_REMOVE;
}

static void
pool_wake(ImapPool *pool)
{
    if (pool->dispatch_source == 0)
        pool->dispatch_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_dispatch, pool, NULL);
}

/* ---- deadlines ---- */

static gboolean
on_deadline(gpointer user_data)
{
    ImapPool *pool = user_data;
    gint64 limit =
        g_get_monotonic_time() - pool->settings->timeout_ms * (gint64)1000;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < pool->workers->len; i++)
        note_progress(pool, g_ptr_array_index(pool->workers, i));
    error = g_error_new(IMAP_ERROR, IMAP_ERROR_TIMEOUT,
                        "%s did not answer for %.3g seconds",
                        pool->settings->host, pool->settings->timeout_ms / 1e3);
    while (pool->last_progress < limit && pool->waiting.length > 0) {
        Request *request = g_queue_peek_head(&pool->waiting);

        if (request->since >= limit)
            break;
        request_fail(g_queue_pop_head(&pool->waiting), error);
    }
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
    pool->max_connections = max_connections;
    pool->limit = max_connections;
    pool->workers = g_ptr_array_new_with_free_func(drop_worker);
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
    g_clear_error(&pool->last_error);
    g_free(pool);
}

void
imap_pool_acquire_wish(ImapPool *pool, const ImapWish *wish, ImapLeaseFunc func,
                       gpointer user_data)
{
    Request *request = g_new0(Request, 1);

    request->mailbox = g_strdup(wish->mailbox);
    request->since = g_get_monotonic_time();
    request->func = func;
    request->user_data = user_data;
    g_queue_push_tail(&pool->waiting, request);
    if (pool->deadline_source == 0)
        pool->deadline_source = g_timeout_add(
            MIN(1000, pool->settings->timeout_ms / 4 + 1), on_deadline, pool);
    pool_wake(pool);
}

void
imap_pool_acquire(ImapPool *pool, const char *mailbox, ImapLeaseFunc func,
                  gpointer user_data)
{
    ImapWish wish = {.mailbox = mailbox};

    imap_pool_acquire_wish(pool, &wish, func, user_data);
}

/* What the server said meanwhile on its own. */
static void
tell_changes(ImapPool *pool, ImapWorker *worker)
{
    guint changes = imap_connection_mailbox(worker->connection)->changes;

    if (changes == worker->changes_seen || worker->mailbox == NULL)
        return;
    worker->changes_seen = changes;
    if (pool->change_func != NULL)
        pool->change_func(worker->mailbox, pool->change_data);
}

void
imap_lease_release(ImapLease *lease)
{
    if (lease == NULL)
        return;
    lease->worker->n_leases--;
    tell_changes(lease->pool, lease->worker);
    pool_wake(lease->pool);
    imap_worker_unref(lease->worker);
    g_free(lease);
}

void
imap_pool_set_change_func(ImapPool *pool, ImapChangeFunc func,
                          gpointer user_data)
{
    pool->change_func = func;
    pool->change_data = user_data;
}

gboolean
imap_lease_is_fresh(const ImapLease *lease)
{
    return lease->fresh;
}

ImapChanges *
imap_lease_take_changes(ImapLease *lease)
{
    return NULL;
}

guint
imap_pool_limit(const ImapPool *pool)
{
    return pool->limit;
}

ImapConnection *
imap_lease_connection(const ImapLease *lease)
{
    return lease->worker->connection;
}

void
imap_pool_log_out(ImapPool *pool, GSourceFunc done, gpointer user_data)
{
    pool->logging_out = TRUE;
    pool->logged_out = done;
    pool->logged_out_data = user_data;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        imap_connection_logout(worker->connection);
    }
    pool_wake(pool);
}
