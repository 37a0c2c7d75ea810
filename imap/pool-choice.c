/* Which connection is whose.
 *
 * One thing is fetched at once, much is not: a lease for much (bulk) has its
 * connection alone, or with others of its kind, as long as there can be two.
 * Beside it a spare is kept, selected on the same mailbox, for opening takes
 * five round trips and a request for one thing is to take one. The spare serves
 * other mailboxes as well, and comes back when it has been left alone for a
 * moment. Who fetches so little at a time that it passes in a moment (light)
 * waits for none of that: it shares what there is, and a second connection is
 * opened. What the server may take long to answer (slow) is shared by none, and
 * leaves one connection to others.
 *
 * A request that needs another mailbox than those selected, when no connection
 * is idle and no more may be opened, reserves the one with the fewest leases:
 * that one takes no new leases, falls idle, and is switched. So a mailbox that
 * is always in use starves no other. */
#include "imap/pool-private.h"

#include "imap/probe.h"

/* An opening that takes longer is not waited for by who could share: some
 * servers accept one connection too many and never greet it. */
#define PATIENCE_US (2 * G_TIME_SPAN_SECOND)

/* What is over so soon, such as the listing of most mailboxes, delays nobody by
 * much: no login is made for it. */
#define SPARE_AFTER_US (300 * 1000)

/* Opening takes some five round trips: with these, no longer than what is light
 * may delay others. */
#define SHORT_US 5000

/* A spare that served another mailbox comes back after so long. */
#define BORROWED_US (2 * G_TIME_SPAN_SECOND)

/* How often to look whether rows that nobody wants have all come. */
#define BURDENED_US (20 * 1000)

static ImapWorker *
worker_at(const ImapPool *pool, guint index)
{
    return g_ptr_array_index(pool->workers, index);
}

static void
wake_at(ImapPoolRound *round, gint64 when)
{
    round->wake_at = MIN(round->wake_at, when);
}

static gboolean
is_on(const ImapWorker *worker, const char *mailbox)
{
    return g_strcmp0(worker->mailbox, mailbox) == 0;
}

/* Whether somebody fetches much on it. */
static gboolean
is_for_fetching(const ImapWorker *worker)
{
    return worker->n_bulk > worker->n_uploads + worker->n_slow;
}

gboolean
imap_pool_is_spare(const ImapPool *pool, const ImapWorker *worker)
{
    if (!imap_worker_is_unused(worker) || worker->mailbox == NULL)
        return FALSE;
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *other = worker_at(pool, i);

        if (is_for_fetching(other) && imap_worker_is_usable(other) &&
            is_on(other, worker->mailbox))
            return TRUE;
    }
    return FALSE;
}

void
imap_pool_begin_round(ImapPool *pool, ImapPoolRound *round)
{
    *round = (ImapPoolRound){
        .pool = pool,
        .now = g_get_monotonic_time(),
        .wake_at = G_MAXINT64,
    };
    imap_allowance_update(&pool->allowance, round->now);
    if (pool->allowance.limit < pool->allowance.max &&
        pool->allowance.grow_at > round->now && pool->waiting.length > 0)
        wake_at(round, pool->allowance.grow_at);
    if (imap_pool_login_paused_until(pool) != 0 && pool->waiting.length > 0)
        wake_at(round, imap_pool_login_paused_until(pool));
    imap_pool_retire_outdated(pool);
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        worker->reserved = worker->outdated;
        if (worker->state != IMAP_WORKER_OPENING || worker->listens)
            continue;
        round->n_opening++;
        if (round->now - worker->since >= PATIENCE_US)
            round->is_slow = TRUE;
        else if (pool->waiting.length > 0 || pool->listener != NULL)
            wake_at(round, worker->since + PATIENCE_US);
    }
}

/* What a round has found for one request. */
typedef struct {
    ImapWorker *serves; /* as it should */
    ImapWorker *shares; /* for want of a better */
    ImapWorker *light;  /* the same, but what it fetches passes in a moment */
    ImapWorker *idle;
    ImapWorker *spare; /* idle as well */
    ImapWorker *least; /* the one to be free first, most likely */
    gboolean coming;
} Found;

/* What was selected to be changed can be read as well. */
static gboolean
suits(const ImapWorker *worker, const ImapPoolRequest *request)
{
    return request->mailbox == NULL ||
           (is_on(worker, request->mailbox) &&
            (!request->writable || imap_worker_is_writable(worker)));
}

/* Who wants any connection waits for one that is on its way. */
static gboolean
will_serve(const ImapWorker *worker, const ImapPoolRequest *request)
{
    if (request->mailbox == NULL)
        return worker->state == IMAP_WORKER_OPENING ||
               worker->state == IMAP_WORKER_SWITCHING;
    return worker->state == IMAP_WORKER_SWITCHING && suits(worker, request);
}

/* Leases for much are held for longer, and what is slow for longest. */
static gboolean
is_freer(const ImapWorker *worker, const ImapWorker *than)
{
    if (than == NULL)
        return TRUE;
    if ((worker->n_slow > 0) != (than->n_slow > 0))
        return worker->n_slow == 0;
    if ((worker->n_bulk > 0) != (than->n_bulk > 0))
        return worker->n_bulk == 0;
    return worker->n_leases < than->n_leases;
}

/* Behind what is slow goes only who finds nothing else. */
static void
consider_slow(Found *found, ImapWorker *worker)
{
    if (found->shares == NULL)
        found->shares = worker;
}

/* One that already fetches much is the better for fetching more. */
static void
consider_for_bulk(Found *found, ImapWorker *worker)
{
    if (worker->n_slow > 0)
        consider_slow(found, worker);
    else if (worker->n_bulk > 0)
        found->serves = worker;
    else if (worker->n_leases == 0 && found->serves == NULL)
        found->serves = worker;
    else
        found->shares = found->light = worker;
}

static void
consider_for_upload(Found *found, ImapWorker *worker)
{
    if (worker->n_leases == 0)
        found->serves = worker;
    else if (is_freer(worker, found->shares))
        found->shares = worker;
}

/* Those that are slow wait for each other rather than have others wait. */
static void
consider_for_slow(Found *found, ImapWorker *worker)
{
    if (worker->n_leases == 0)
        found->serves = worker;
    else if (found->shares == NULL || worker->n_slow > 0)
        found->shares = worker;
}

static void
consider(Found *found, ImapWorker *worker, const ImapPoolRequest *request)
{
    if (request->kind == IMAP_LEASE_UPLOAD)
        consider_for_upload(found, worker);
    else if (request->kind == IMAP_LEASE_SLOW)
        consider_for_slow(found, worker);
    else if (request->kind != IMAP_LEASE_SINGLE)
        consider_for_bulk(found, worker);
    else if (worker->n_slow > 0)
        consider_slow(found, worker);
    else if (worker->n_bulk > worker->n_light)
        found->shares = worker;
    else if (worker->n_bulk > 0)
        found->shares = found->light = worker;
    else if (found->serves == NULL)
        found->serves = worker;
}

static void
look(ImapPoolRound *round, const ImapPoolRequest *request, Found *found)
{
    const ImapPool *pool = round->pool;

    *found = (Found){0};
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (worker->listens)
            continue;
        found->coming = found->coming || will_serve(worker, request);
        if (!imap_worker_is_usable(worker) || worker->reserved)
            continue;
        /* It is to become free, and go elsewhere. */
        if (imap_pool_is_apart(pool, worker->mailbox))
            continue;
        if (imap_worker_is_burdened(worker)) {
            wake_at(round, round->now + BURDENED_US);
            continue;
        }
        if (suits(worker, request))
            consider(found, worker, request);
        if (worker->n_leases > 0) {
            if (is_freer(worker, found->least))
                found->least = worker;
        } else if (imap_pool_is_spare(pool, worker)) {
            found->spare = worker;
        } else if (found->idle == NULL || found->idle->idle != NULL ||
                   !is_on(found->idle, request->mailbox)) {
            found->idle = worker;
        }
    }
}

/* What is known of the mailbox by whoever waits for it. */
static const ImapKnown *
known_of(const ImapPool *pool, const ImapPoolRequest *request)
{
    if (request->known.highestmodseq > 0)
        return &request->known;
    for (GList *link = pool->waiting.head; link != NULL; link = link->next) {
        const ImapPoolRequest *other = link->data;

        if (other->known.highestmodseq > 0 &&
            g_strcmp0(other->mailbox, request->mailbox) == 0)
            return &other->known;
    }
    return NULL;
}

/* A connection is opened sooner than what is light has passed for certain. */
static gboolean
is_short(const ImapPool *pool)
{
    ImapPoolLine line;

    imap_pool_line(pool, &line);
    return line.round_trip_us > 0 && line.round_trip_us < SHORT_US;
}

/* What is light is shared, but by who wants one thing only where that is
 * quicker than a connection of its own. */
static gboolean
shares_light(const ImapPoolRound *round, const ImapPoolRequest *request)
{
    if (request->kind != IMAP_LEASE_SINGLE)
        return request->kind == IMAP_LEASE_BULK_LIGHT;
    return round->is_slow || !is_short(round->pool);
}

static void
switch_to(ImapPoolRound *round, ImapWorker *worker,
          const ImapPoolRequest *request)
{
    worker->borrowed = imap_pool_is_spare(round->pool, worker);
    imap_worker_switch(worker, request->mailbox, request->writable,
                       known_of(round->pool, request), request->rows);
}

static gboolean
open_another(ImapPoolRound *round)
{
    if (!imap_pool_open_another(round->pool))
        return FALSE;
    if (round->pool->waiting.length > 0)
        wake_at(round, round->now + PATIENCE_US);
    return TRUE;
}

/* What is light is not going to be for long. */
static void
have_another(ImapPoolRound *round)
{
    if (imap_pool_n_serving(round->pool) == 1)
        open_another(round);
}

/* The one that is kept ready is the fastest. Who is going to keep it for long
 * has another one opened in its place, or waits for that. */
static gboolean
takes_spare(ImapPoolRound *round, const ImapPoolRequest *request,
            const Found *found)
{
    if (found->spare == NULL)
        return FALSE;
    if (request->kind == IMAP_LEASE_SINGLE)
        return TRUE;
    return round->n_opening > 0 || open_another(round);
}

static gboolean
arrange(ImapPoolRound *round, const ImapPoolRequest *request,
        const Found *found)
{
    if (found->idle != NULL) {
        switch_to(round, found->idle, request);
        return TRUE;
    }
    if (takes_spare(round, request, found)) {
        switch_to(round, found->spare, request);
        return TRUE;
    }
    /* Not with what takes as long: as soon as that has ended, we look again. */
    if (found->shares != NULL && round->is_slow &&
        request->kind != IMAP_LEASE_SLOW && found->shares->n_slow == 0)
        return FALSE;
    if (round->n_opening > 0) {
        round->n_opening--;
        return TRUE;
    }
    if (open_another(round))
        return TRUE;
    if (found->spare != NULL && found->shares == NULL) {
        switch_to(round, found->spare, request);
        return TRUE;
    }
    return FALSE;
}

/* Whether one more connection may be kept from others by what is slow. */
static gboolean
has_room_for_slow(const ImapPool *pool)
{
    guint n = 0;

    for (guint i = 0; i < pool->workers->len; i++)
        n += worker_at(pool, i)->n_slow > 0;
    return n == 0 || n + 1 < imap_pool_room(pool);
}

/* Whether @worker is to be shared for want of another: not what is slow, if
 * there is one that is not, whatever that is busy with now. */
static gboolean
is_shared(const ImapPool *pool, const ImapPoolRequest *request,
          const ImapWorker *worker)
{
    if (worker == NULL || worker->n_slow == 0 ||
        request->kind == IMAP_LEASE_SLOW)
        return worker != NULL;
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *other = worker_at(pool, i);

        if (!other->listens && other->n_slow == 0 &&
            other->state != IMAP_WORKER_GONE)
            return FALSE;
    }
    return TRUE;
}

ImapChoice
imap_pool_choose(ImapPoolRound *round, const ImapPoolRequest *request,
                 ImapWorker **granted)
{
    Found found;

    look(round, request, &found);
    if (request->kind == IMAP_LEASE_SLOW && !has_room_for_slow(round->pool)) {
        *granted = found.shares;
        return found.shares != NULL && found.shares->n_slow > 0
                   ? IMAP_CHOICE_GRANTED
                   : IMAP_CHOICE_STUCK;
    }
    *granted = found.serves;
    if (*granted == NULL && shares_light(round, request))
        *granted = found.light;
    if (*granted != NULL) {
        if (request->kind == IMAP_LEASE_BULK_LIGHT)
            have_another(round);
        return IMAP_CHOICE_GRANTED;
    }
    if (found.coming || arrange(round, request, &found))
        return IMAP_CHOICE_COMING;
    *granted =
        is_shared(round->pool, request, found.shares) ? found.shares : NULL;
    if (*granted != NULL)
        return IMAP_CHOICE_GRANTED;
    if (found.least != NULL)
        found.least->reserved = TRUE;
    return IMAP_CHOICE_STUCK;
}

/* ---- spares ---- */

/* Whether there is somebody beside @bulk who can serve its mailbox, or there
 * may be soon: what a connection that is being opened will do is seen when it
 * is ready. */
static gboolean
has_spare(const ImapPool *pool, const ImapWorker *bulk)
{
    for (guint i = 0; i < pool->workers->len; i++) {
        const ImapWorker *worker = worker_at(pool, i);

        if (worker->listens)
            continue;
        if (worker->state == IMAP_WORKER_OPENING)
            return TRUE;
        if (worker != bulk && worker->n_bulk == 0 &&
            is_on(worker, bulk->mailbox) &&
            (imap_worker_is_usable(worker) ||
             worker->state == IMAP_WORKER_SWITCHING))
            return TRUE;
    }
    return FALSE;
}

/* One that can be made a spare now. */
static ImapWorker *
find_unused(ImapPoolRound *round)
{
    const ImapPool *pool = round->pool;

    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);

        if (!imap_worker_is_unused(worker) || imap_pool_is_spare(pool, worker))
            continue;
        if (!worker->borrowed || round->now - worker->since >= BORROWED_US)
            return worker;
        wake_at(round, worker->since + BORROWED_US);
    }
    return NULL;
}

static gboolean
has_borrowed(const ImapPool *pool)
{
    for (guint i = 0; i < pool->workers->len; i++)
        if (worker_at(pool, i)->borrowed)
            return TRUE;
    return FALSE;
}

void
imap_pool_keep_spares(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;

    if (round->now < pool->spare_at) {
        wake_at(round, pool->spare_at);
        return;
    }
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);
        ImapWorker *spare;

        if (!is_for_fetching(worker) || !imap_worker_is_usable(worker) ||
            has_spare(pool, worker))
            continue;
        if (round->now < worker->bulk_since + SPARE_AFTER_US) {
            wake_at(round, worker->bulk_since + SPARE_AFTER_US);
            continue;
        }
        spare = find_unused(round);
        if (spare == NULL) {
            if (!has_borrowed(pool))
                open_another(round);
            continue;
        }
        spare->borrowed = FALSE;
        imap_worker_switch(spare, worker->mailbox, FALSE, NULL, IMAP_ROWS_NONE);
    }
}

/* ---- those that nobody uses ---- */

void
imap_pool_probe_idle(ImapPoolRound *round)
{
    const ImapPool *pool = round->pool;

    for (guint i = 0; pool->idle_probe_us > 0 && i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);
        gint64 when;

        if (!imap_worker_is_unused(worker))
            continue;
        when = MAX(worker->since, worker->probed_at) + pool->idle_probe_us;
        if (round->now >= when) {
            worker->probed_at = round->now;
            worker->served = TRUE;
            when = round->now + pool->idle_probe_us;
            imap_connection_probe(worker->connection, pool->probe_ms);
        }
        wake_at(round, when);
    }
}

void
imap_pool_retire_idle(ImapPoolRound *round)
{
    ImapPool *pool = round->pool;
    guint n_left = 0;

    for (guint i = 0; i < pool->workers->len; i++)
        n_left += !worker_at(pool, i)->leaving && !worker_at(pool, i)->listens;
    for (guint i = 0; i < pool->workers->len; i++) {
        ImapWorker *worker = worker_at(pool, i);
        gint64 until =
            worker->since + (n_left > 1 ? pool->idle_us : pool->last_idle_us);

        if (!imap_worker_is_unused(worker) ||
            imap_pool_is_spare(pool, worker) ||
            imap_pool_is_heard(pool, worker))
            continue;
        if (round->now < until) {
            wake_at(round, until);
            continue;
        }
        worker->leaving = worker->served = TRUE;
        n_left--;
        imap_connection_logout(worker->connection);
    }
}
