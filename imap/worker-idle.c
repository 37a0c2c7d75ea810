/* What is heard on a connection that nobody uses at the moment: what comes
 * behind the answers to those who did; and, with IDLE, all that happens.
 * Whoever uses it next ends that by sending a command, and waits for nothing.
 */
#include "imap/idle.h"
#include "imap/worker.h"

/* One that the server ends sooner by itself is none. */
#define SHORT_IDLE_US (1 * G_TIME_SPAN_SECOND)

typedef struct ImapWorkerIdle {
    ImapWorker *worker; /* NULL once it is freed */
    char *mailbox;      /* what it hears of */
    gint64 begun;       /* microseconds, monotonic; 0: not yet */
} ImapWorkerIdle;

static void
tell(ImapWorker *worker, const char *mailbox)
{
    worker->changes_seen = imap_worker_changes(worker);
    worker->handler->told(worker, mailbox, worker->user_data);
}

/* An ImapUnaskedFunc. Without a mailbox, nobody wants to hear of that one any
 * more; and what is told to who uses it, the end of that use tells. */
static void
on_unasked(const ImapResponse *response, gpointer user_data)
{
    ImapWorker *worker = user_data;

    if (worker->handler == NULL || worker->mailbox == NULL)
        return;
    if (worker->idle != NULL && imap_idle_is_news(response))
        tell(worker, worker->idle->mailbox);
    else if (worker->n_leases == 0 && worker->state == IMAP_WORKER_READY &&
             imap_worker_changes(worker) != worker->changes_seen)
        tell(worker, worker->mailbox);
}

void
imap_worker_hear(ImapWorker *worker)
{
    imap_connection_set_unasked_func(worker->connection, on_unasked, worker);
}

static void
on_begun(gpointer user_data)
{
    ImapWorkerIdle *idle = user_data;
    ImapWorker *worker = idle->worker;

    idle->begun = g_get_monotonic_time();
    if (worker == NULL || worker->mailbox == NULL)
        return;
    g_debug("connection %u hears of %s while it is not used",
            imap_connection_number(worker->connection), idle->mailbox);
    /* Nobody has looked since the mailbox was selected. */
    if (worker->fresh && worker->told_of != worker->switched_at &&
        worker->handler != NULL) {
        worker->told_of = worker->switched_at;
        worker->handler->told(worker, idle->mailbox, worker->user_data);
    }
}

static void
idle_free(ImapWorkerIdle *idle)
{
    g_free(idle->mailbox);
    g_free(idle);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapWorkerIdle, idle_free)

static gboolean
is_too_short(const ImapWorkerIdle *idle)
{
    return idle->begun == 0 ||
           g_get_monotonic_time() - idle->begun < SHORT_IDLE_US;
}

static void
on_done(gboolean by_server, const GError *error, gpointer user_data)
{
    g_autoptr(ImapWorkerIdle) idle = user_data;
    ImapWorker *worker = idle->worker;

    if (worker == NULL)
        return;
    worker->idle = NULL;
    worker->cannot_idle = error != NULL || (by_server && is_too_short(idle));
    if (worker->handler != NULL)
        worker->handler->idled(worker, worker->user_data);
}

static const ImapIdleHandler handler = {
    .begun = on_begun,
    .done = on_done,
};

/* What came before it listens, and nobody has looked at. */
static void
tell_missed(ImapWorker *worker)
{
    if (imap_worker_changes(worker) != worker->changes_seen &&
        worker->handler != NULL)
        tell(worker, worker->idle->mailbox);
}

gboolean
imap_worker_can_idle(const ImapWorker *worker)
{
    return !worker->cannot_idle && worker->mailbox != NULL &&
           imap_connection_has(worker->connection, "IDLE");
}

void
imap_worker_idle(ImapWorker *worker)
{
    worker->idle = g_new0(ImapWorkerIdle, 1);
    worker->idle->worker = worker;
    worker->idle->mailbox = g_strdup(worker->mailbox);
    tell_missed(worker);
    imap_idle_start(worker->connection, &handler, worker->idle);
}

void
imap_worker_hear_no_more(ImapWorker *worker)
{
    if (worker->idle != NULL)
        worker->idle->worker = NULL;
    imap_connection_set_unasked_func(worker->connection, NULL, NULL);
}
