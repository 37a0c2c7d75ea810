/* What a pool shows of itself. Nothing here changes what the pool does. */
#include "imap/pool-status.h"

#include "imap/pool-private.h"

static const char *
state_of(const ImapWorker *worker)
{
    if (worker->leaving)
        return "closing";
    switch (worker->state) {
    case IMAP_WORKER_OPENING:
        return "opening";
    case IMAP_WORKER_SWITCHING:
        return "selecting";
    case IMAP_WORKER_READY:
        if (imap_connection_is_open(worker->connection))
            return "ready";
        break;
    case IMAP_WORKER_GONE:
        break;
    }
    return "closing";
}

void
imap_pool_describe(const ImapPool *pool, ImapConnectionStatusFunc func,
                   gpointer user_data)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);
        const ImapConnectionStatus status = {
            .connection = worker->connection,
            .state = state_of(worker),
            .mailbox = worker->mailbox,
            .n_leases = worker->n_leases,
            .n_bulk = worker->n_bulk,
            .listens = worker->listens,
        };

        func(&status, user_data);
    }
}

gboolean
imap_pool_has(const ImapPool *pool, const char *capability)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_connection_has(worker->connection, capability))
            return TRUE;
    }
    return FALSE;
}

static void
add(ImapTraffic *sum, const ImapConnection *connection)
{
    ImapTraffic traffic;

    imap_connection_traffic(connection, &traffic);
    sum->bytes_received += traffic.bytes_received;
    sum->text_received += traffic.text_received;
    sum->bytes_sent += traffic.bytes_sent;
    sum->commands += traffic.commands;
    sum->round_trips += traffic.round_trips;
}

void
imap_pool_keep_traffic(ImapPool *pool, const ImapConnection *connection)
{
    add(&pool->past_traffic, connection);
}

void
imap_pool_traffic(const ImapPool *pool, ImapTraffic *traffic)
{
    *traffic = pool->past_traffic;
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        add(traffic, worker->connection);
    }
}

guint
imap_pool_n_waiting(const ImapPool *pool)
{
    return pool->waiting.length;
}

void
imap_pool_set_observer(ImapPool *pool, ImapPoolObserver observer,
                       gpointer user_data)
{
    pool->observer = observer;
    pool->observer_data = user_data;
}

void
imap_pool_tell(const ImapPool *pool, ImapPoolChange change,
               const ImapConnection *connection, const GError *error)
{
    if (pool->observer != NULL)
        pool->observer(change, connection, error, pool->observer_data);
}
