/* Connections that are suspect, for the computer was asleep, or the network is
 * another one; or for what is selected on them is not what it was.
 *
 * Networks change in many small steps, and some never rest. So those that are
 * open are asked once a second at most, the last time after the last step; and
 * one that is being opened is given some seconds before it makes way for
 * another, unless it was begun, or has been brought further, since the last
 * step. */
#include "imap/pool-private.h"

#include "imap/error.h"
#include "imap/probe.h"

#define PROBE_REST_US (1 * G_TIME_SPAN_SECOND)
/* From one time that openings are begun anew to the next. */
#define RENEW_REST_US (5 * G_TIME_SPAN_SECOND)

static guint
milliseconds_until(gint64 when)
{
    gint64 wait_us = MAX(when - g_get_monotonic_time(), 0);

    return (guint)(wait_us / G_TIME_SPAN_MILLISECOND + 1);
}

/* ---- those that are being opened ---- */

static gboolean
is_of_another_network(const ImapPool *pool, const ImapWorker *worker)
{
    return worker->state == IMAP_WORKER_OPENING &&
           worker->since <= pool->suspect_at &&
           imap_connection_last_progress(worker->connection) <=
               pool->suspect_at;
}

/* Who waits for one gets another. */
void
imap_pool_drop_openings(ImapPool *pool)
{
    for (guint i = pool->workers->len; i > 0; i--) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i - 1);

        if (!is_of_another_network(pool, worker))
            continue;
        if (pool->listening == worker)
            pool->listening = NULL;
        g_ptr_array_remove_index_fast(pool->workers, i - 1);
        pool->renewed_at = g_get_monotonic_time();
        imap_pool_wake(pool);
    }
}

/* Not while other credentials are on their way: the last are refused. Nor while
 * the server wants to be left alone, whatever the network is. */
static gboolean
is_worth_retrying(const ImapPool *pool)
{
    return pool->workers->len == 0 && !pool->held &&
           g_get_monotonic_time() >= pool->allowance.silence_until &&
           (pool->state == IMAP_POOL_OFFLINE ||
            (pool->state == IMAP_POOL_ONLINE && pool->lost));
}

static gboolean
on_renewal(gpointer user_data)
{
    ImapPool *pool = user_data;

    pool->renew_timer = 0;
    imap_pool_drop_openings(pool);
    if (is_worth_retrying(pool))
        imap_pool_retry(pool);
    return G_SOURCE_REMOVE;
}

static void
renew_openings(ImapPool *pool)
{
    gint64 when = pool->renewed_at + RENEW_REST_US;

    if (pool->renewed_at == 0 || g_get_monotonic_time() >= when)
        imap_pool_drop_openings(pool);
    else if (pool->renew_timer == 0)
        pool->renew_timer =
            g_timeout_add(milliseconds_until(when), on_renewal, pool);
}

/* ---- those that are open ---- */

static void
probe_now(ImapPool *pool)
{
    pool->probed_at = g_get_monotonic_time();
    renew_openings(pool);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        /* When it ends now, that does not mean that it was one too many. */
        worker->served = TRUE;
        imap_connection_probe(worker->connection, pool->suspect_ms);
    }
    if (is_worth_retrying(pool))
        imap_pool_retry(pool);
}

static gboolean
on_probe(gpointer user_data)
{
    ImapPool *pool = user_data;

    pool->probe_timer = 0;
    probe_now(pool);
    return G_SOURCE_REMOVE;
}

void
imap_pool_probe(ImapPool *pool, guint deadline_ms)
{
    gint64 when = pool->probed_at + PROBE_REST_US;

    if (pool->logging_out)
        return;
    pool->suspect_at = g_get_monotonic_time();
    pool->suspect_ms = deadline_ms;
    if (pool->probed_at == 0 || pool->suspect_at >= when)
        probe_now(pool);
    else if (pool->probe_timer == 0)
        pool->probe_timer =
            g_timeout_add(milliseconds_until(when), on_probe, pool);
}

static const char *
selected_by(const ImapWorker *worker)
{
    return worker->listens ? imap_connection_mailbox(worker->connection)->name
                           : worker->mailbox;
}

void
imap_pool_forget_selected(ImapPool *pool, const char *mailbox)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");

    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (g_strcmp0(selected_by(worker), mailbox) != 0)
            continue;
        if (imap_worker_is_unused(worker))
            g_clear_pointer(&worker->mailbox, g_free);
        else
            imap_connection_close(worker->connection, error);
    }
    imap_pool_wake(pool);
}

void
imap_pool_stop_probing(ImapPool *pool)
{
    g_clear_handle_id(&pool->probe_timer, g_source_remove);
    g_clear_handle_id(&pool->renew_timer, g_source_remove);
}

void
imap_pool_set_idle_probe(ImapPool *pool, guint idle_ms, guint deadline_ms)
{
    pool->idle_probe_us = idle_ms * (gint64)G_TIME_SPAN_MILLISECOND;
    pool->probe_ms = deadline_ms;
    imap_pool_wake(pool);
}
