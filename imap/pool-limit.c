/* How many connections the server lets us have, by what becomes of them: that
 * is learnt from a refusal (imap/allowance.h), and not every one is.
 * Connections that end together were cut, and a server that is being restarted
 * takes no new ones while it serves those that it has: what was concluded then
 * is taken back. */
#include "imap/error.h"
#include "imap/pool-private.h"

/* Those that end within so short a time end together. */
#define TOGETHER_US (500 * 1000)

void
imap_pool_shrink(ImapPool *pool, const GError *error)
{
    guint limit = pool->allowance.limit;

    imap_allowance_refused(&pool->allowance, pool->workers->len,
                           g_get_monotonic_time());
    if (pool->allowance.limit < limit)
        g_message("going on with connections: %u; %s", pool->allowance.limit,
                  error->message);
}

/* What was refused since then says nothing of the limit. */
static void
restore_allowance(ImapPool *pool)
{
    pool->allowance_before.silence_until = pool->allowance.silence_until;
    pool->allowance = pool->allowance_before;
    pool->may_be_down = FALSE;
}

static gboolean
has_one_just_ended(const ImapPool *pool)
{
    return pool->ended_at != 0 &&
           g_get_monotonic_time() - pool->ended_at < TOGETHER_US;
}

/* Connections that end together were cut; then none of them was one too many.
 */
gboolean
imap_pool_note_end(ImapPool *pool)
{
    gboolean together = has_one_just_ended(pool);

    if (together && pool->may_be_line)
        restore_allowance(pool);
    pool->may_be_line = FALSE;
    pool->ended_at = g_get_monotonic_time();
    return together;
}

gboolean
imap_pool_was_cut_along(const ImapPool *pool, const ImapWorker *worker,
                        const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
           worker->since < pool->ended_at;
}

/* The server may let us have no more than there are; unless it turns out that
 * the line was cut. */
void
imap_pool_shrink_for_now(ImapPool *pool, const GError *error)
{
    if (!pool->may_be_down)
        pool->allowance_before = pool->allowance;
    pool->may_be_line = TRUE;
    /* A server that is restarted may serve those that it has for a while. */
    pool->may_be_down =
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CONNECT) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_RESOLVE);
    imap_pool_shrink(pool, error);
}

/* A connection could not be opened while there are others. If it was cut
 * together with one that was ready, that says nothing of the limit. */
void
imap_pool_note_one_too_many(ImapPool *pool, const GError *error)
{
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        has_one_just_ended(pool))
        return;
    if (pool->workers->len > 1 || !imap_pool_give_up_listener(pool, error))
        imap_pool_shrink_for_now(pool, error);
}

void
imap_pool_note_room(ImapPool *pool)
{
    if (pool->may_be_down && pool->lost)
        restore_allowance(pool);
    imap_allowance_opened(&pool->allowance, pool->workers->len,
                          g_get_monotonic_time());
}
