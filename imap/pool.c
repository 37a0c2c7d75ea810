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
 * helped by a storm of attempts. */
#include "imap/pool.h"

#include "imap/error.h"
#include "imap/requests.h"

/* After a failure, how long the next attempt is put off. */
#define RETRY_DELAY_US (1 * G_USEC_PER_SEC)
#define RETRY_DELAY_REFUSED_US (30 * G_USEC_PER_SEC)

/* How many connections may end before they served a request that waits. */
#define MAX_ATTEMPTS 2

typedef struct {
    ImapPool *pool;
    ImapConnection *connection;
    gboolean ready;
    gboolean served;    /* a mailbox was selected, or a lease given */
    gboolean switching; /* EXAMINE is under way */
    gboolean reserved;  /* takes no new leases */
    guint n_leases;
    guint changes_seen;
    char *mailbox; /* selected, or being selected; NULL: none */
} Worker;

typedef struct {
    char *mailbox; /* NULL: any */
    gint64 since;  /* microseconds, monotonic */
    guint attempts;
    ImapLeaseFunc func;
    gpointer user_data;
} Request;

struct ImapLease {
    Worker *worker;
    ImapConnection *connection; /* a reference */
};

struct ImapPool {
    const ImapSettings *settings;
    guint max_connections; /* as configured */
    guint limit;           /* as the server lets us */
    GPtrArray *workers;    /* of Worker, owned */
    GQueue waiting;        /* of Request, owned */
    guint dispatch_source;
    guint deadline_source;
    GError *last_error; /* of opening; NULL: none lately */
    gint64 retry_at;    /* microseconds, monotonic */
    gint64 last_progress;
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

static void
fail_unmounting(ImapPool *pool)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the account is being logged out");

    fail_waiting(pool, is_any, NULL, error);
}

/* ---- workers ---- */

static void
worker_free(Worker *worker)
{
    imap_connection_set_closed(worker->connection, NULL, NULL);
    imap_connection_unref(worker->connection);
    g_free(worker->mailbox);
    g_free(worker);
}

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

/* The connection has ended, or never came to be. Leases on it find out by the
 * errors of their commands. */
static void
worker_gone(Worker *worker, const GError *error)
{
    ImapPool *pool = worker->pool;

    gboolean served = worker->served;

    g_debug("a connection ended: %s", error->message);
    worker->ready = FALSE;
    if (worker->n_leases == 0)
        g_ptr_array_remove_fast(pool->workers, worker);
    if (pool->workers->len == 0)
        pool->limit = pool->max_connections;
    /* A server that always hangs up at once is not asked for ever. */
    if (!served)
        fail_waiting(pool, is_out_of_attempts, NULL, error);
    pool_wake(pool);
}

static void
on_worker_closed(ImapConnection *connection, const GError *error,
                 gpointer user_data)
{
    worker_gone(user_data, error);
}

static void
on_worker_opened(ImapConnection *connection, const GError *error,
                 gpointer user_data)
{
    Worker *worker = user_data;
    ImapPool *pool = worker->pool;

    if (error == NULL) {
        g_clear_error(&pool->last_error);
        worker->ready = TRUE;
        imap_connection_set_closed(connection, on_worker_closed, worker);
        pool_wake(pool);
        return;
    }
    if (pool->workers->len > 1) {
        pool->limit = pool->workers->len - 1;
        g_message("going on with %u connections: %s", pool->limit,
                  error->message);
    } else if (!pool->logging_out) {
        note_failure(pool, error);
    }
    worker_gone(worker, error);
}

static void
worker_open(ImapPool *pool)
{
    Worker *worker = g_new0(Worker, 1);

    worker->pool = pool;
    worker->connection = imap_connection_new(pool->settings);
    g_ptr_array_add(pool->workers, worker);
    imap_connection_open(worker->connection, on_worker_opened, worker);
}

typedef struct {
    Worker *worker;
    char *mailbox;
} Switch;

static void
on_switched(const GError *error, gpointer user_data)
{
    g_autofree Switch *change = user_data;
    g_autofree char *mailbox = change->mailbox;
    Worker *worker = change->worker;
    ImapPool *pool = worker->pool;

    worker->switching = FALSE;
    worker->changes_seen = imap_connection_mailbox(worker->connection)->changes;
    if (error == NULL) {
        worker->served = TRUE;
    } else {
        g_clear_pointer(&worker->mailbox, g_free);
        /* When the line was cut, another connection may do. */
        if (imap_connection_is_open(worker->connection) ||
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL))
            fail_waiting(pool, is_for, mailbox, error);
    }
    pool_wake(pool);
}

static void
worker_switch(Worker *worker, const char *mailbox)
{
    Switch *change = g_new0(Switch, 1);

    change->worker = worker;
    change->mailbox = g_strdup(mailbox);
    g_free(worker->mailbox);
    worker->mailbox = g_strdup(mailbox);
    worker->switching = TRUE;
    worker->reserved = FALSE;
    imap_request_examine(worker->connection, mailbox, on_switched, change);
}

/* ---- who gets what ---- */

typedef enum {
    GRANTED, /* and gone from the queue */
    COMING,  /* a connection is on its way */
    STUCK,   /* everything is in use */
} Outcome;

static gboolean
worker_serves(const Worker *worker, const Request *request)
{
    return worker->ready && !worker->switching && !worker->reserved &&
           (request->mailbox == NULL ||
            g_strcmp0(worker->mailbox, request->mailbox) == 0);
}

static ImapLease *
lease_new(Worker *worker)
{
    ImapLease *lease = g_new0(ImapLease, 1);

    lease->worker = worker;
    lease->connection = imap_connection_ref(worker->connection);
    worker->n_leases++;
    worker->served = TRUE;
    return lease;
}

static Outcome
try_grant(ImapPool *pool, const Request *request, guint *n_opening,
          Worker **granted)
{
    Worker *idle = NULL;
    Worker *least = NULL;

    for (guint i = 0; i < pool->workers->len; i++) {
        Worker *worker = g_ptr_array_index(pool->workers, i);

        if (worker_serves(worker, request)) {
            *granted = worker;
            return GRANTED;
        }
        if (worker->switching &&
            g_strcmp0(worker->mailbox, request->mailbox) == 0)
            return COMING;
        if (!worker->ready || worker->switching)
            continue;
        if (worker->n_leases == 0)
            idle = worker;
        else if (least == NULL || worker->n_leases < least->n_leases)
            least = worker;
    }
    if (idle != NULL && request->mailbox != NULL) {
        worker_switch(idle, request->mailbox);
        return COMING;
    }
    if (*n_opening > 0) {
        (*n_opening)--;
        return COMING;
    }
    if (pool->workers->len < pool->limit) {
        worker_open(pool);
        return COMING;
    }
    if (least != NULL)
        least->reserved = TRUE;
    return STUCK;
}

static guint
count_opening(const ImapPool *pool)
{
    guint n = 0;

    for (guint i = 0; i < pool->workers->len; i++) {
        const Worker *worker = g_ptr_array_index(pool->workers, i);

        n += !worker->ready && worker->n_leases == 0;
    }
    return n;
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
    guint n_opening = count_opening(pool);
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
    for (GList *link = pool->waiting.head; link != NULL; link = next) {
        Request *request = link->data;
        const char *mailbox = request->mailbox != NULL ? request->mailbox : "";
        Worker *worker = NULL;
        Outcome outcome;

        next = link->next;
        if (g_hash_table_contains(coming, mailbox))
            continue;
        outcome = try_grant(pool, request, &n_opening, &worker);
        if (outcome == COMING)
            g_hash_table_add(coming, (gpointer)mailbox);
        if (outcome == GRANTED) {
            g_queue_delete_link(&pool->waiting, link);
            request->func(lease_new(worker), NULL, request->user_data);
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

static void
note_progress(ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const Worker *worker = g_ptr_array_index(pool->workers, i);
        gint64 progress = imap_connection_last_progress(worker->connection);

        if (worker->ready && worker->n_leases > 0)
            pool->last_progress = MAX(pool->last_progress, progress);
    }
}

static gboolean
on_deadline(gpointer user_data)
{
    ImapPool *pool = user_data;
    gint64 limit =
        g_get_monotonic_time() - pool->settings->timeout_ms * (gint64)1000;
    g_autoptr(GError) error = NULL;

    note_progress(pool);
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

ImapPool *
imap_pool_new(const ImapSettings *settings, guint max_connections)
{
    ImapPool *pool = g_new0(ImapPool, 1);

    pool->settings = settings;
    pool->max_connections = max_connections;
    pool->limit = max_connections;
    pool->workers = g_ptr_array_new_with_free_func((GDestroyNotify)worker_free);
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
    g_ptr_array_unref(pool->workers);
    g_clear_handle_id(&pool->dispatch_source, g_source_remove);
    g_clear_handle_id(&pool->deadline_source, g_source_remove);
    g_clear_error(&pool->last_error);
    g_free(pool);
}

void
imap_pool_acquire(ImapPool *pool, const char *mailbox, ImapLeaseFunc func,
                  gpointer user_data)
{
    Request *request = g_new0(Request, 1);

    request->mailbox = g_strdup(mailbox);
    request->since = g_get_monotonic_time();
    request->func = func;
    request->user_data = user_data;
    g_queue_push_tail(&pool->waiting, request);
    if (pool->deadline_source == 0)
        pool->deadline_source = g_timeout_add(
            MIN(1000, pool->settings->timeout_ms / 4 + 1), on_deadline, pool);
    pool_wake(pool);
}

/* What the server said meanwhile on its own. */
static void
tell_changes(Worker *worker)
{
    ImapPool *pool = worker->pool;
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
    Worker *worker;
    ImapPool *pool;

    if (lease == NULL)
        return;
    worker = lease->worker;
    pool = worker->pool;
    tell_changes(worker);
    if (--worker->n_leases == 0) {
        worker->reserved = FALSE;
        if (!worker->ready)
            g_ptr_array_remove_fast(pool->workers, worker);
    }
    pool_wake(pool);
    imap_connection_unref(lease->connection);
    g_free(lease);
}

void
imap_pool_set_change_func(ImapPool *pool, ImapChangeFunc func,
                          gpointer user_data)
{
    pool->change_func = func;
    pool->change_data = user_data;
}

ImapConnection *
imap_lease_connection(const ImapLease *lease)
{
    return lease->connection;
}

void
imap_pool_log_out(ImapPool *pool, GSourceFunc done, gpointer user_data)
{
    pool->logging_out = TRUE;
    pool->logged_out = done;
    pool->logged_out_data = user_data;
    for (guint i = 0; i < pool->workers->len; i++) {
        Worker *worker = g_ptr_array_index(pool->workers, i);

        imap_connection_logout(worker->connection);
    }
    pool_wake(pool);
}
