/* The one connection of a pool that serves no requests.
 *
 * A room is kept for it: requests have one connection less while somebody wants
 * to listen. Where that does not suffice, listening is what is done without. A
 * server that refuses this connection, others being open, has reached its limit
 * and is not asked again soon; but a line that is cut looks much the same, so
 * without a word from the server it takes two failures while it talks to us
 * elsewhere. When to try again after a line was cut is for who listens to say.
 */
#include "imap/error.h"
#include "imap/pool-private.h"

/* Failures without a word that count as a refusal. */
#define MAX_FAILURES 2

static ImapWorker *
worker_at(const ImapPool *pool, guint index)
{
    return g_ptr_array_index(pool->workers, index);
}

/* ---- counting ---- */

guint
imap_pool_room(const ImapPool *pool)
{
    guint limit = pool->allowance.limit;
    gboolean shares = limit > 1 && (pool->listening != NULL ||
                                    (pool->listener != NULL && pool->pushes));

    return MIN(shares ? limit - 1 : limit, pool->max_serving);
}

guint
imap_pool_n_serving(const ImapPool *pool)
{
    return pool->workers->len - (pool->listening != NULL);
}

/* ---- opening ---- */

static void
open_now(ImapPool *pool)
{
    ImapWorker *worker = imap_worker_new(pool->settings, pool->line_rate,
                                         &imap_pool_worker_handler, pool);

    /* Its end tells nothing of those that serve. */
    worker->listens = worker->served = TRUE;
    pool->listening = worker;
    g_ptr_array_add(pool->workers, worker);
}

/* One that nobody uses goes; as soon as it has gone we look again. */
static void
make_room(ImapPool *pool)
{
    ImapWorker *unused = NULL;

    if (pool->workers->len <= imap_pool_room(pool))
        return;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (worker->leaving)
            return;
        if (imap_worker_is_usable(worker) && worker->n_leases == 0)
            unused = worker;
    }
    if (unused == NULL)
        return;
    unused->leaving = unused->served = TRUE;
    imap_connection_logout(unused->connection);
}

/* Connections for requests go first: somebody waits for them. */
static gboolean
is_opening(const ImapPoolRound *round)
{
    for (guint i = 0; !round->is_slow && i < round->pool->workers->len; i++)
        if (worker_at(round->pool, i)->state == IMAP_WORKER_OPENING)
            return TRUE;
    return FALSE;
}

/* It is not the listener that finds out whether there is one. */
static gboolean
is_line_good(const ImapPool *pool)
{
    if (pool->workers->len > 0)
        return !imap_pool_line_is_in_doubt(pool);
    return pool->state == IMAP_POOL_ONLINE && !pool->lost;
}

void
imap_pool_open_listener(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;
    const ImapAllowance *allowance = &pool->allowance;

    if (pool->listener == NULL || pool->listening != NULL || !pool->pushes ||
        !is_line_good(pool))
        return;
    if (imap_pool_login_paused_until(pool) != 0) {
        round->wake_at =
            MIN(round->wake_at, imap_pool_login_paused_until(pool));
    } else if (round->now < pool->listen_at) {
        round->wake_at = MIN(round->wake_at, pool->listen_at);
    } else if (allowance->limit < 2) {
        if (allowance->max > 1)
            round->wake_at = MIN(round->wake_at, allowance->grow_at);
    } else if (pool->workers->len >= allowance->limit) {
        make_room(pool);
    } else if (!is_opening(round)) {
        open_now(pool);
    }
}

/* ---- what becomes of it ---- */

void
imap_pool_listener_opened(ImapPool *pool, ImapWorker *worker)
{
    pool->listener_failures = 0;
    if (pool->listener != NULL)
        pool->listener->opened(worker->connection, pool->listener_data);
    else
        imap_connection_logout(worker->connection);
}

gboolean
imap_pool_is_listener_refused(ImapPool *pool, const ImapWorker *worker,
                              const GError *error)
{
    if (pool->workers->len == 0 ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CONNECT) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_RESOLVE))
        return FALSE;
    if (!g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT))
        return TRUE;
    for (guint i = 0; i < pool->workers->len; i++)
        if (imap_connection_last_progress(worker_at(pool, i)->connection) >
            worker->since)
            return ++pool->listener_failures >= MAX_FAILURES;
    return FALSE;
}

void
imap_pool_listener_ended(ImapPool *pool, const GError *error)
{
    const ImapListenerHandler *listener = g_steal_pointer(&pool->listener);

    if (listener != NULL)
        listener->ended(error, pool->listener_data);
}

gboolean
imap_pool_give_up_listener(ImapPool *pool, const GError *reason)
{
    g_autoptr(GError) error = NULL;

    if (pool->listening == NULL || pool->listening->leaving)
        return FALSE;
    error = g_error_new(IMAP_ERROR, IMAP_ERROR_LIMIT,
                        "its connection is needed: %s", reason->message);
    pool->listener_failures++;
    pool->listening->given_up = TRUE;
    imap_connection_close(pool->listening->connection, error);
    return TRUE;
}

/* ---- the public side ---- */

void
imap_pool_listen(ImapPool *pool, guint wait_ms, gboolean hurries,
                 const ImapListenerHandler *handler, gpointer user_data)
{
    pool->listen_at =
        g_get_monotonic_time() + wait_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    pool->listener_hurries = hurries;
    pool->listener = handler;
    pool->listener_data = user_data;
    imap_pool_wake(pool);
}

void
imap_pool_stop_listening(ImapPool *pool)
{
    pool->listener = NULL;
    if (pool->listening == NULL || pool->listening->leaving)
        return;
    pool->listening->leaving = TRUE;
    imap_connection_logout(pool->listening->connection);
}
