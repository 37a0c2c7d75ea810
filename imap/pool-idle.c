/* What connections hear while nobody uses them.
 *
 * A connection stays selected on the mailbox that it was last used for, and may
 * as well listen there. So as many mailboxes are told of as there are
 * connections, and no request has one less for that: who needs the connection
 * ends it, and waits for nothing. Where a mailbox that is wanted is not
 * selected anywhere, one that is of no other use is switched to it, or opened.
 */
#include "imap/pool-private.h"

/* In a scan, or between two requests of one program, it is not worth it. */
#define REST_US (300 * 1000)
/* Who comes back soon finds the connection as he left it. */
#define LEFT_US (1 * G_TIME_SPAN_SECOND)
/* No connection is opened for this so soon after another one. */
#define OPEN_REST_US (5 * G_TIME_SPAN_SECOND)
/* A mailbox that could not be selected is not tried for this again so soon. */
#define UNSELECTABLE_US (5 * G_TIME_SPAN_MINUTE)
#define UNSELECTABLE_MAX 1000

static ImapWorker *
worker_at(const ImapPool *pool, guint index)
{
    return g_ptr_array_index(pool->workers, index);
}

/* One, if there are several, is left for requests: else each of them would have
 * to select its mailbox anew, and take that from another one. */
static const char *
wanted_at(const ImapPool *pool, guint rank)
{
    guint room = imap_pool_room(pool);

    if (pool->beside == NULL || rank >= MAX(room, 2) - 1)
        return NULL;
    return pool->beside->wanted(rank, pool->beside_data);
}

static gboolean
is_wanted(const ImapPool *pool, const char *mailbox)
{
    const char *name;

    for (guint rank = 0; (name = wanted_at(pool, rank)) != NULL; rank++)
        if (g_str_equal(name, mailbox))
            return TRUE;
    return FALSE;
}

/* Whether another one does for its mailbox what this one could. */
static gboolean
is_second(const ImapPool *pool, const ImapWorker *worker)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *other = worker_at(pool, i);

        if (other != worker && other->idle != NULL &&
            g_strcmp0(other->mailbox, worker->mailbox) == 0)
            return TRUE;
    }
    return FALSE;
}

void
imap_pool_tell_beside(ImapPool *pool, const char *mailbox)
{
    if (is_wanted(pool, mailbox))
        pool->beside->told(mailbox, pool->beside_data);
}

/* It will not be heard again, so it is told even if nobody wants to hear of
 * that mailbox now. */
void
imap_pool_tell_heard(ImapPool *pool, const char *mailbox)
{
    if (pool->beside != NULL)
        pool->beside->told(mailbox, pool->beside_data);
    else if (pool->change_func != NULL)
        pool->change_func(mailbox, pool->change_data);
}

/* ---- mailboxes that cannot be selected ---- */

void
imap_pool_note_selected(ImapPool *pool, const char *mailbox, gboolean refused)
{
    gint64 *until;

    if (!refused) {
        g_hash_table_remove(pool->unselectable, mailbox);
        return;
    }
    if (g_hash_table_size(pool->unselectable) >= UNSELECTABLE_MAX)
        g_hash_table_remove_all(pool->unselectable);
    until = g_new(gint64, 1);
    *until = g_get_monotonic_time() + UNSELECTABLE_US;
    g_hash_table_insert(pool->unselectable, g_strdup(mailbox), until);
}

static gboolean
is_unselectable(ImapPoolRound *round, const char *mailbox)
{
    const gint64 *until =
        g_hash_table_lookup(round->pool->unselectable, mailbox);

    if (until == NULL || *until <= round->now)
        return FALSE;
    round->wake_at = MIN(round->wake_at, *until);
    return TRUE;
}

gboolean
imap_pool_is_heard(const ImapPool *pool, const ImapWorker *worker)
{
    return worker->mailbox != NULL && imap_worker_can_idle(worker) &&
           is_wanted(pool, worker->mailbox) && !is_second(pool, worker);
}

static void
begin(ImapPoolRound *round, ImapWorker *worker)
{
    if (round->now - worker->since >= REST_US)
        imap_worker_idle(worker);
    else
        round->wake_at = MIN(round->wake_at, worker->since + REST_US);
}

/* ---- mailboxes that are selected nowhere ---- */

static gboolean
is_selected(const ImapPool *pool, const char *mailbox)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = worker_at(pool, i);

        if (!worker->listens && !worker->leaving &&
            g_strcmp0(worker->mailbox, mailbox) == 0)
            return TRUE;
    }
    return FALSE;
}

/* One whose mailbox nobody wants to hear of. */
static ImapWorker *
find_left(ImapPoolRound *round)
{
    const ImapPool *pool = round->pool;

    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (!imap_worker_is_unused(worker) ||
            imap_pool_is_spare(pool, worker) || worker->cannot_idle ||
            imap_pool_is_heard(pool, worker))
            continue;
        if (round->now - worker->since >= LEFT_US)
            return worker;
        round->wake_at = MIN(round->wake_at, worker->since + LEFT_US);
    }
    return NULL;
}

static gboolean
is_one_coming(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++)
        if (!worker_at(pool, i)->listens &&
            (worker_at(pool, i)->state == IMAP_WORKER_OPENING ||
             worker_at(pool, i)->mailbox == NULL))
            return TRUE;
    return FALSE;
}

static void
open_for(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;

    if (is_one_coming(pool) || imap_pool_line_is_in_doubt(pool) ||
        imap_pool_n_serving(pool) >= imap_pool_room(pool))
        return;
    if (pool->beside_at != 0 && round->now < pool->beside_at) {
        round->wake_at = MIN(round->wake_at, pool->beside_at);
        return;
    }
    pool->beside_at = round->now + OPEN_REST_US;
    imap_pool_open_another(pool);
}

static void
have_selected(ImapPoolRound *round, const char *mailbox)
{
    ImapWorker *left = find_left(round);

    if (left != NULL)
        imap_worker_switch(left, mailbox, FALSE, NULL, IMAP_ROWS_NONE);
    else
        open_for(round);
}

void
imap_pool_listen_beside(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;
    const char *mailbox;

    if (wanted_at(pool, 0) == NULL)
        return;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (imap_worker_is_unused(worker) && worker->idle == NULL &&
            imap_pool_is_heard(pool, worker))
            begin(round, worker);
    }
    for (guint rank = 0; (mailbox = wanted_at(pool, rank)) != NULL; rank++)
        if (!is_selected(pool, mailbox) && !is_unselectable(round, mailbox) &&
            !imap_pool_is_apart(pool, mailbox)) {
            have_selected(round, mailbox);
            return;
        }
}

void
imap_pool_set_beside(ImapPool *pool, const ImapBesideHandler *handler,
                     gpointer user_data)
{
    pool->beside = handler;
    pool->beside_data = user_data;
    imap_pool_wake(pool);
}

void
imap_pool_wanted_changed(ImapPool *pool)
{
    imap_pool_wake(pool);
}
