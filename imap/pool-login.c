/* Who of the connections may log in, and what a refusal of that tells.
 *
 * Many servers lock an account after a few wrong passwords, and each login
 * counts. So as long as no connection is logged in with what we log in with
 * now, one at a time tries. The others may connect, but wait with their
 * credentials for its outcome: when they are refused, that is the end of all;
 * when it fails for another reason, or hangs for too long, the next one tries.
 *
 * A refusal says nothing of how many connections there may be. While there are
 * others that were let in, the password may have been changed since, or the
 * server means something else, and does not say so: then no more logins are
 * tried for a while, twice as long each time. */
#include "imap/pool-private.h"

#include "imap/error.h"

#define PAUSE_US (60 * G_TIME_SPAN_SECOND)
#define PAUSE_MAX_US (30 * G_TIME_SPAN_MINUTE)

static ImapWorker *
worker_at(const ImapPool *pool, guint index)
{
    return g_ptr_array_index(pool->workers, index);
}

/* Also one that is being logged out. */
static gboolean
is_let_in(const ImapWorker *worker)
{
    return (worker->state == IMAP_WORKER_READY ||
            worker->state == IMAP_WORKER_SWITCHING) &&
           !worker->outdated &&
           (worker->leaving || imap_connection_is_open(worker->connection));
}

static guint
n_let_in(const ImapPool *pool)
{
    guint n = 0;

    for (guint i = 0; i < pool->workers->len; i++)
        n += is_let_in(worker_at(pool, i));
    return n;
}

static gboolean
is_one_logging_in(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = worker_at(pool, i);

        if (worker->state == IMAP_WORKER_OPENING && worker->logs_in)
            return TRUE;
    }
    return FALSE;
}

gboolean
imap_pool_may_log_in(ImapPool *pool, ImapWorker *worker)
{
    if (worker->logs_in)
        return TRUE;
    if (pool->held)
        return FALSE;
    worker->logs_in =
        !is_one_logging_in(pool) || (n_let_in(pool) > 0 && pool->login_at == 0);
    return worker->logs_in;
}

void
imap_pool_let_log_in(ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (worker->state == IMAP_WORKER_OPENING && !worker->logs_in)
            imap_connection_log_in(worker->connection);
    }
}

gboolean
imap_pool_is_refusal(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION);
}

/* ---- what follows from a refusal ---- */

/* What they would log in with is refused. */
static void
drop_those_before_login(ImapPool *pool)
{
    for (guint i = pool->workers->len; i > 0; i--) {
        ImapWorker *worker = worker_at(pool, i - 1);

        if (worker->state != IMAP_WORKER_OPENING || worker->logs_in)
            continue;
        if (pool->listening == worker)
            pool->listening = NULL;
        imap_pool_keep_traffic(pool, worker->connection);
        g_ptr_array_remove_index_fast(pool->workers, i - 1);
    }
}

static void
pause_logins(ImapPool *pool, const GError *error)
{
    gint64 now = g_get_monotonic_time();

    /* Several that were under way together are refused together. */
    if (now < pool->login_at)
        return;
    pool->login_pause = pool->login_pause == 0
                            ? PAUSE_US
                            : MIN(2 * pool->login_pause, PAUSE_MAX_US);
    pool->login_at = now + pool->login_pause;
    g_message("no more connections for %.0f seconds; %s",
              (double)pool->login_pause / G_TIME_SPAN_SECOND, error->message);
}

void
imap_pool_note_refusal(ImapPool *pool, const GError *error)
{
    drop_those_before_login(pool);
    imap_pool_wake(pool);
    if (n_let_in(pool) > 0) {
        /* With a single place, who waits has it rather than who listens. */
        if (pool->workers->len > 1 || !imap_pool_give_up_listener(pool, error))
            pause_logins(pool, error);
    } else if (!is_one_logging_in(pool)) {
        imap_pool_line_failed(pool, error);
    }
}

void
imap_pool_note_login(ImapPool *pool)
{
    if (n_let_in(pool) > 1)
        imap_pool_forget_refusal(pool);
}

void
imap_pool_forget_refusal(ImapPool *pool)
{
    pool->login_at = pool->login_pause = 0;
}

gint64
imap_pool_login_paused_until(const ImapPool *pool)
{
    return n_let_in(pool) > 0 && pool->login_at > g_get_monotonic_time()
               ? pool->login_at
               : 0;
}
