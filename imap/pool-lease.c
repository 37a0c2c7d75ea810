/* The leases of a pool: what each counts for on its connection.
 *
 * A lease holds a reference to its connection, so it may outlive it: who has it
 * finds out by the errors of his commands. */
#include "imap/pool-private.h"

/* A lease for much that follows another one so soon goes on with the same. */
#define SAME_BULK_US (1 * G_TIME_SPAN_SECOND)

struct ImapLease {
    ImapPool *pool;
    ImapWorker *worker; /* a reference */
    ImapLeaseKind kind;
    gboolean fresh;
    char *apart; /* whose mailbox waits for its end; NULL: none */
};

/* Whether others had better have another connection. */
static gboolean
is_for_much(ImapLeaseKind kind)
{
    return kind != IMAP_LEASE_SINGLE;
}

ImapLease *
imap_lease_new(ImapPool *pool, ImapWorker *worker,
               const ImapPoolRequest *request)
{
    ImapLease *lease = g_new0(ImapLease, 1);

    lease->pool = pool;
    lease->worker = imap_worker_ref(worker);
    lease->kind = request->kind;
    lease->apart = g_strdup(request->apart);
    lease->fresh = worker->fresh && worker->switched_at >= request->since;
    worker->fresh = FALSE;
    worker->n_leases++;
    worker->n_light += lease->kind == IMAP_LEASE_BULK_LIGHT;
    worker->n_uploads += lease->kind == IMAP_LEASE_UPLOAD;
    worker->n_slow += lease->kind == IMAP_LEASE_SLOW;
    if (is_for_much(lease->kind) && worker->n_bulk++ == 0 &&
        g_get_monotonic_time() - worker->bulk_ended > SAME_BULK_US)
        worker->bulk_since = g_get_monotonic_time();
    worker->served = TRUE;
    return lease;
}

/* What the server said meanwhile on its own. */
static void
tell_changes(ImapPool *pool, ImapWorker *worker)
{
    guint changes = imap_worker_changes(worker);

    if (changes == worker->changes_seen || worker->mailbox == NULL)
        return;
    worker->changes_seen = changes;
    if (pool->change_func != NULL)
        pool->change_func(worker->mailbox, pool->change_data);
    imap_pool_tell_beside(pool, worker->mailbox);
}

void
imap_lease_release(ImapLease *lease)
{
    if (lease == NULL)
        return;
    lease->worker->n_leases--;
    lease->worker->n_light -= lease->kind == IMAP_LEASE_BULK_LIGHT;
    lease->worker->n_uploads -= lease->kind == IMAP_LEASE_UPLOAD;
    lease->worker->n_slow -= lease->kind == IMAP_LEASE_SLOW;
    if (is_for_much(lease->kind) && --lease->worker->n_bulk == 0)
        lease->worker->bulk_ended = g_get_monotonic_time();
    lease->worker->since = g_get_monotonic_time();
    imap_pool_note_server(lease->pool, lease->worker);
    tell_changes(lease->pool, lease->worker);
    imap_pool_end_apart(lease->pool, lease->apart);
    imap_pool_wake(lease->pool);
    g_free(lease->apart);
    imap_worker_unref(lease->worker);
    g_free(lease);
}

gboolean
imap_lease_is_fresh(const ImapLease *lease)
{
    return lease->fresh;
}

ImapChanges *
imap_lease_take_changes(ImapLease *lease)
{
    return g_steal_pointer(&lease->worker->changes);
}

ImapConnection *
imap_lease_connection(const ImapLease *lease)
{
    return lease->worker->connection;
}
