/* Connections made anew, because what they are made with is another.
 *
 * One that is in use is left until it is not: what was begun on it ends well.
 * Meanwhile it takes no more. */
#include "imap/pool-private.h"

/* What was refused may have been what they were made with. */
static void
forget_refusals(ImapPool *pool)
{
    gint64 silence_until = pool->allowance.silence_until;

    imap_allowance_init(&pool->allowance, pool->allowance.max);
    pool->allowance.silence_until = silence_until;
    pool->may_be_down = pool->may_be_line = FALSE;
}

void
imap_pool_reconnect(ImapPool *pool)
{
    if (pool->logging_out)
        return;
    forget_refusals(pool);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        worker->outdated = TRUE;
    }
    pool->suspect_at = g_get_monotonic_time();
    imap_pool_drop_openings(pool);
    imap_pool_retry(pool);
    imap_pool_wake(pool);
}

static gboolean
can_go(const ImapWorker *worker)
{
    return worker->outdated && !worker->leaving &&
           imap_worker_is_usable(worker) &&
           (worker->listens || imap_worker_is_unused(worker));
}

void
imap_pool_retire_outdated(ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (!can_go(worker))
            continue;
        worker->leaving = worker->served = TRUE;
        imap_connection_logout(worker->connection);
    }
}
