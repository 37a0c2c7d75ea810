/* What becomes of connections, and what that tells of the server and the line.
 *
 * A server that hangs up may have had enough of us, or the line was cut: the
 * former makes the pool smaller, the latter does not, and at first they look
 * alike. */
#include "imap/pool-private.h"

#include "imap/error.h"

#include <string.h>

/* After the server would not select a mailbox, nothing is made ready. */
#define SPARE_DELAY_US (30 * G_TIME_SPAN_SECOND)

/* One that has lasted longer was not one too many. */
#define YOUNG_US (5 * G_TIME_SPAN_SECOND)

/* So many may end one after the other without having served anybody. */
#define IN_VAIN_MAX 6u

void
imap_pool_note_server(ImapPool *pool, const ImapWorker *worker)
{
    pool->last_progress = MAX(
        pool->last_progress, imap_connection_last_progress(worker->connection));
    pool->allowance.silence_until =
        MAX(pool->allowance.silence_until,
            imap_connection_throttled_until(worker->connection));
}

/* Leases on it find out by the errors of their commands. */
static void
remove_worker(ImapPool *pool, ImapWorker *worker)
{
    imap_pool_note_server(pool, worker);
    imap_pool_keep_traffic(pool, worker->connection);
    if (pool->listening == worker)
        pool->listening = NULL;
    g_ptr_array_remove_fast(pool->workers, worker);
    imap_pool_wake(pool);
}

static void
note_opened(ImapPool *pool, ImapWorker *worker)
{
    imap_pool_note_room(pool);
    imap_pool_note_login(pool);
    imap_pool_line_opened(pool);
    pool->pushes = imap_connection_has(worker->connection, "NOTIFY") ||
                   imap_connection_has(worker->connection, "IDLE");
    imap_pool_wake(pool);
    if (worker->listens)
        imap_pool_listener_opened(pool, worker);
    else if (pool->listener_hurries)
        pool->listen_at = 0;
}

/* There is none left. A line that is cut ends those that are being opened as
 * well: that is no failed attempt, for nobody has tried since. */
static void
note_last_failure(ImapPool *pool, const ImapWorker *worker, const GError *error)
{
    if (imap_pool_was_cut_along(pool, worker, error))
        imap_pool_line_lost(pool);
    else
        imap_pool_line_failed(pool, error);
}

/* The listener's connection could not be opened. */
static void
note_listener_failure(ImapPool *pool, const ImapWorker *worker,
                      const GError *error)
{
    if (imap_pool_is_listener_refused(pool, worker, error))
        imap_pool_shrink(pool, error);
    else if (pool->workers->len == 0 && !worker->given_up)
        note_last_failure(pool, worker, error);
    imap_pool_listener_ended(pool, error);
}

static gboolean
may_worker_log_in(ImapWorker *worker, gpointer user_data)
{
    return imap_pool_may_log_in(user_data, worker);
}

static void
on_worker_opened(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;
    g_autoptr(ImapWorker) held = imap_worker_ref(worker);

    imap_pool_tell(pool,
                   error == NULL ? IMAP_POOL_CHANGE_OPENED
                                 : IMAP_POOL_CHANGE_REFUSED,
                   worker->connection, error);
    if (error == NULL) {
        note_opened(pool, worker);
        return;
    }
    remove_worker(pool, worker);
    if (pool->logging_out || held->leaving)
        return;
    if (imap_pool_is_refusal(error)) {
        imap_pool_note_refusal(pool, error);
        if (held->listens)
            imap_pool_listener_ended(pool, error);
    } else if (held->listens) {
        note_listener_failure(pool, held, error);
    } else if (pool->workers->len == 0) {
        note_last_failure(pool, held, error);
    } else {
        imap_pool_note_one_too_many(pool, error);
    }
}

/* It was selected to be changed, and cannot be. */
static void
fail_read_only(ImapPool *pool, const char *mailbox)
{
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_READ_ONLY,
                            "the server lets the mailbox only be read");

    imap_pool_fail_changes(pool, mailbox, error);
}

/* Whether it may have been to be somebody's spare. */
static gboolean
is_fetched_from(const ImapPool *pool, const char *mailbox)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (worker->n_bulk > 0 && g_strcmp0(worker->mailbox, mailbox) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Dovecot keeps in mind for a while what it had selected, and that it was
 * deleted then: it does not find one that is made again under that name, but on
 * a new connection it does. */
static gboolean
takes_it_for_the_deleted(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO) &&
           strstr(error->message, "deleted under us") != NULL;
}

static void
on_worker_switched(ImapWorker *worker, const char *mailbox, const GError *error,
                   gpointer user_data)
{
    ImapPool *pool = user_data;

    imap_pool_wake(pool);
    if (error != NULL && takes_it_for_the_deleted(error))
        imap_connection_close(worker->connection, error);
    /* A line that was cut tells nothing of the mailbox. */
    if (error == NULL || imap_connection_is_open(worker->connection))
        imap_pool_note_selected(pool, mailbox, error != NULL);
    if (error == NULL) {
        if (worker->writable && !imap_worker_is_writable(worker))
            fail_read_only(pool, mailbox);
        if (worker->rows != IMAP_ROWS_NONE)
            imap_pool_grant_rows(pool, worker);
        return;
    }
    if (is_fetched_from(pool, mailbox))
        pool->spare_at = g_get_monotonic_time() + SPARE_DELAY_US;
    if (imap_connection_is_open(worker->connection) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL)) {
        imap_pool_fail_mailbox(pool, mailbox, error);
    } else {
        /* The line was cut: another connection may do, unless it is this
         * mailbox that the server cannot bear. */
        worker->served = TRUE;
        imap_pool_count_attempt(pool, worker, mailbox, error);
    }
}

/* When one connection is silent, those that nobody uses at the moment most
 * likely are, too: better found out now than by the next who has to wait. */
static void
give_up_idle(ImapPool *pool, const GError *error)
{
    imap_pool_put_off(pool, error);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (imap_worker_is_usable(worker) && worker->n_leases == 0)
            imap_connection_close(worker->connection, error);
    }
}

/* Who waits could have its place. */
static gboolean
is_listener_in_the_way(const ImapPool *pool)
{
    return pool->waiting.length > 0 && imap_pool_n_serving(pool) == 0 &&
           pool->listening != NULL && !pool->listening->leaving;
}

/* One that is merely being opened may end like the one before it. */
static gboolean
has_usable(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = g_ptr_array_index(pool->workers, i);

        if (!worker->listens && imap_worker_is_usable(worker))
            return TRUE;
    }
    return FALSE;
}

/* Whether it counts as an attempt that one has ended which has served nobody. A
 * line that is cut ends all that there are, while the next is being opened; a
 * server that hangs up whatever is asked goes on doing so. */
static gboolean
ends_in_vain(ImapPool *pool)
{
    pool->n_in_vain++;
    return imap_pool_n_serving(pool) == 0 ||
           (pool->n_in_vain > IN_VAIN_MAX && !has_usable(pool));
}

/* A server may let one connection too many in, and then hang up. */
static void
on_worker_gone(ImapWorker *worker, const GError *error, gpointer user_data)
{
    ImapPool *pool = user_data;
    g_autoptr(ImapWorker) held G_GNUC_UNUSED = imap_worker_ref(worker);
    gboolean served = worker->served;
    gboolean young = g_get_monotonic_time() - worker->since < YOUNG_US;
    gboolean leaving = worker->leaving;
    gboolean listens = worker->listens;
    gboolean cut;

    if (served && !listens)
        pool->n_in_vain = 0;
    g_info("a connection ended: %s", error->message);
    imap_pool_tell(pool,
                   leaving || pool->logging_out ? IMAP_POOL_CHANGE_CLOSED
                                                : IMAP_POOL_CHANGE_LOST,
                   worker->connection, error);
    remove_worker(pool, worker);
    cut = !leaving && imap_pool_note_end(pool);
    if (listens)
        imap_pool_listener_ended(pool, error);
    if (leaving || pool->logging_out)
        return;
    if (!listens && g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT))
        give_up_idle(pool, error);
    if (young && !cut && !listens && is_listener_in_the_way(pool)) {
        imap_pool_give_up_listener(pool, error);
    } else if (!served && young && !cut && imap_pool_n_serving(pool) > 0) {
        imap_pool_shrink_for_now(pool, error);
    }
    if (!served && ends_in_vain(pool))
        imap_pool_count_attempt(pool, worker, NULL, error);
    imap_pool_line_lost(pool);
}

static void
on_worker_told(ImapWorker *worker, const char *mailbox, gpointer user_data)
{
    imap_pool_tell_heard(user_data, mailbox);
}

static void
on_worker_idled(ImapWorker *worker, gpointer user_data)
{
    imap_pool_wake(user_data);
}

const ImapWorkerHandler imap_pool_worker_handler = {
    .may_log_in = may_worker_log_in,
    .opened = on_worker_opened,
    .switched = on_worker_switched,
    .told = on_worker_told,
    .idled = on_worker_idled,
    .gone = on_worker_gone,
};
