/* The line as a whole: whether there is one, and what is done when there is
 * not.
 *
 * What somebody asks for is tried at once, unless an attempt has failed a
 * moment ago. Beyond that the owner says whether a connection is wanted though
 * nobody asks at the moment, because what is in use must be kept true: then
 * attempts follow one another at growing distances (imap/backoff.h). One that
 * succeeds does not make them begin anew, a connection that lasted does: a
 * server that lets us in and hangs up is left alone for longer each time.
 *
 * A refused login is not repeated: many servers lock an account after some, and
 * nothing changes by itself. */
#include "imap/pool-private.h"

#include "imap/error.h"

/* After a failure, how long the next attempt is put off. */
#define RETRY_DELAY_US (1 * G_USEC_PER_SEC)
#define RETRY_DELAY_REFUSED_US (30 * G_USEC_PER_SEC)

/* While a server lets nobody in for now, attempts that nobody has to wait for
 * follow one another no quicker in the end, whatever the owner wants. */
#define UNWELCOME_MS 30000u

/* A connection that lasted so long was a good one. */
#define LASTED_US (30 * G_TIME_SPAN_SECOND)

static void
set_state(ImapPool *pool, ImapPoolState state)
{
    gboolean is_news =
        pool->state != state || (state == IMAP_POOL_ONLINE && pool->lost);

    if (pool->state != state)
        pool->state_since = g_get_real_time();
    pool->state = state;
    if (state == IMAP_POOL_ONLINE)
        pool->lost = FALSE;
    if (is_news && pool->line_handler != NULL &&
        pool->line_handler->changed != NULL)
        pool->line_handler->changed(state, pool->line_data);
}

/* ---- attempts that nobody asks for ---- */

static void
attempt(ImapPool *pool)
{
    if (pool->workers->len > 0 || pool->logging_out || pool->held)
        return;
    if (pool->waiting.length > 0)
        imap_pool_wake(pool);
    else
        imap_pool_open_another(pool);
}

static gboolean
on_reconnect(gpointer user_data)
{
    ImapPool *pool = user_data;

    pool->reconnect_timer = 0;
    attempt(pool);
    return G_SOURCE_REMOVE;
}

/* The line is good, and the server has refused the last login, but not for the
 * password: it is at its limit, or what it needs itself is not there. */
static gboolean
is_unwelcome(const ImapPool *pool)
{
    const GError *error = pool->last_error;

    return error != NULL && error->domain == IMAP_ERROR &&
           error->code >= IMAP_ERROR_NO;
}

/* Nor does who asks meanwhile make for more of them. */
static void
put_off_until_next(ImapPool *pool, guint wait_ms)
{
    gint64 wait_us = wait_ms * (gint64)G_TIME_SPAN_MILLISECOND;

    pool->retry_at =
        MAX(pool->retry_at, g_get_monotonic_time() + wait_us - wait_us / 8);
}

static void
schedule(ImapPool *pool)
{
    gint64 hint_us = pool->allowance.silence_until - g_get_monotonic_time();
    guint hint_ms = (guint)CLAMP(hint_us / 1000, 0, 24 * 3600 * 1000);
    guint patience_ms = 0;
    guint wait_ms;

    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    if (pool->line_handler != NULL && pool->line_handler->patience != NULL)
        patience_ms = pool->line_handler->patience(pool->line_data);
    if (patience_ms == 0 || pool->logging_out ||
        pool->state == IMAP_POOL_REFUSED)
        return;
    if (is_unwelcome(pool))
        patience_ms = MAX(patience_ms, UNWELCOME_MS);
    wait_ms = imap_backoff_next(&pool->backoff, hint_ms);
    if (hint_ms < patience_ms)
        wait_ms = MIN(wait_ms, patience_ms);
    if (is_unwelcome(pool))
        put_off_until_next(pool, wait_ms);
    pool->reconnect_timer = g_timeout_add(wait_ms, on_reconnect, pool);
}

/* ---- what becomes of connections ---- */

void
imap_pool_put_off(ImapPool *pool, const GError *error)
{
    g_clear_error(&pool->last_error);
    pool->last_error = g_error_copy(error);
    pool->retry_at =
        g_get_monotonic_time() +
        (imap_pool_is_refusal(error) ? RETRY_DELAY_REFUSED_US : RETRY_DELAY_US);
}

void
imap_pool_line_opened(ImapPool *pool)
{
    g_clear_error(&pool->last_error);
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    pool->opened_at = g_get_monotonic_time();
    if (pool->servers != NULL)
        imap_servers_reached(pool->servers);
    set_state(pool, IMAP_POOL_ONLINE);
}

/* Whether another server is tried instead, at once: who waits, waits on. */
static gboolean
go_elsewhere(ImapPool *pool, const GError *error, GError **all)
{
    if (pool->servers == NULL || pool->logging_out ||
        !imap_servers_next(pool->servers, error, all))
        return FALSE;
    g_clear_error(&pool->last_error);
    attempt(pool);
    return TRUE;
}

void
imap_pool_line_failed(ImapPool *pool, const GError *error)
{
    const ImapLineHandler *handler = pool->line_handler;
    g_autoptr(GError) all = NULL;

    if (go_elsewhere(pool, error, &all))
        return;
    if (all != NULL)
        error = all;
    imap_pool_put_off(pool, error);
    if (imap_pool_is_refusal(error) && handler != NULL &&
        handler->refused != NULL && handler->refused(error, pool->line_data)) {
        /* Not announced: it may be over soon. */
        g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
        pool->state = IMAP_POOL_OFFLINE;
        pool->held = TRUE;
        return;
    }
    set_state(pool, imap_pool_is_refusal(error) ? IMAP_POOL_REFUSED
                                                : IMAP_POOL_OFFLINE);
    schedule(pool);
}

void
imap_pool_line_lost(ImapPool *pool)
{
    if (pool->workers->len > 0 || pool->logging_out)
        return;
    pool->lost = TRUE;
    if (g_get_monotonic_time() - pool->opened_at >= LASTED_US)
        imap_backoff_reset(&pool->backoff);
    schedule(pool);
}

void
imap_pool_line_wanted(ImapPool *pool)
{
    if (pool->reconnect_timer == 0)
        schedule(pool);
}

/* Also one that is being logged out. */
static gboolean
is_worker_logged_in(const ImapWorker *worker)
{
    return worker->state == IMAP_WORKER_READY ||
           worker->state == IMAP_WORKER_SWITCHING;
}

static gboolean
is_logged_in(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++)
        if (is_worker_logged_in(g_ptr_array_index(pool->workers, i)))
            return TRUE;
    return FALSE;
}

gboolean
imap_pool_has_present(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (!worker->outdated)
            return TRUE;
    }
    return FALSE;
}

gboolean
imap_pool_line_is_in_doubt(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (is_worker_logged_in(worker) && !worker->outdated)
            return FALSE;
    }
    return TRUE;
}

gboolean
imap_pool_line_is_put_off(const ImapPool *pool)
{
    if (pool->last_error == NULL || imap_pool_has_present(pool))
        return FALSE;
    if (pool->state == IMAP_POOL_REFUSED && pool->line_handler != NULL &&
        pool->line_handler->refused != NULL)
        return TRUE;
    return g_get_monotonic_time() < pool->retry_at;
}

/* ---- what the owner says and asks ---- */

void
imap_pool_set_line_handler(ImapPool *pool, const ImapLineHandler *handler,
                           gpointer user_data)
{
    pool->line_handler = handler;
    pool->line_data = user_data;
    if (pool->state == IMAP_POOL_OFFLINE)
        schedule(pool);
}

void
imap_pool_retry(ImapPool *pool)
{
    g_clear_handle_id(&pool->reconnect_timer, g_source_remove);
    imap_backoff_reset(&pool->backoff);
    pool->held = FALSE;
    pool->retry_at = 0;
    imap_pool_forget_refusal(pool);
    /* The reason stays, for who asks, until the attempt has an end. */
    if (pool->state == IMAP_POOL_REFUSED)
        pool->state = IMAP_POOL_OFFLINE;
    attempt(pool);
    /* Those that are outdated are no reason to wait. */
    imap_pool_wake(pool);
}

void
imap_pool_give_up(ImapPool *pool, const GError *error)
{
    pool->held = FALSE;
    imap_pool_put_off(pool, error);
    set_state(pool, IMAP_POOL_REFUSED);
    imap_pool_wake(pool);
}

ImapPoolState
imap_pool_state(const ImapPool *pool)
{
    return pool->state;
}

gint64
imap_pool_state_since(const ImapPool *pool)
{
    return pool->state_since;
}

const GError *
imap_pool_error(const ImapPool *pool)
{
    return is_logged_in(pool) ? NULL : pool->last_error;
}

gint64
imap_pool_opened_at(const ImapPool *pool)
{
    gint64 last = 0;

    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_connection_is_open(worker->connection))
            last = MAX(last, imap_connection_ready_at(worker->connection));
    }
    return last;
}

gint64
imap_pool_last_progress(const ImapPool *pool)
{
    gint64 last = pool->last_progress;

    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_connection_is_paused(worker->connection))
            return g_get_monotonic_time();
        last = MAX(last, imap_connection_last_progress(worker->connection));
    }
    return last;
}

gboolean
imap_pool_is_silent(const ImapPool *pool, guint limit_ms)
{
    gint64 limit_us = limit_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    gboolean is_silent = FALSE;

    if (g_get_monotonic_time() - imap_pool_last_progress(pool) < limit_us)
        return FALSE;
    for (guint i = 0; i < pool->workers->len && !is_silent; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        is_silent = imap_connection_silence(worker->connection) >= limit_us;
    }
    return is_silent;
}
