/* One connection of a pool.
 *
 * The pool holds a reference while the connection lives, and each lease one, so
 * that a lease on a connection that has ended can still be released. */
#include "imap/worker.h"

#include "imap/connection-private.h"
#include "imap/error.h"
#include "imap/requests-private.h"

/* An EXAMINE or SELECT, which the worker may not live to see the end of. */
typedef struct ImapSwitch {
    ImapWorker *worker; /* NULL once it is freed */
    char *mailbox;
} ImapSwitch;

static void
on_closed(ImapConnection *connection, const GError *error, gpointer user_data)
{
    ImapWorker *worker = user_data;

    worker->state = IMAP_WORKER_GONE;
    if (worker->handler != NULL)
        worker->handler->gone(worker, error, worker->user_data);
}

static void
on_opened(ImapConnection *connection, const GError *error, gpointer user_data)
{
    ImapWorker *worker = user_data;

    if (error == NULL) {
        worker->state = IMAP_WORKER_READY;
        worker->since = g_get_monotonic_time();
        imap_connection_set_closed(connection, on_closed, worker);
        imap_worker_hear(worker);
    } else {
        worker->state = IMAP_WORKER_GONE;
    }
    if (worker->handler != NULL)
        worker->handler->opened(worker, error, worker->user_data);
}

static gboolean
may_log_in(gpointer user_data)
{
    ImapWorker *worker = user_data;

    return worker->handler != NULL &&
           worker->handler->may_log_in(worker, worker->user_data);
}

ImapWorker *
imap_worker_new(const ImapSettings *settings, ImapLineRate *rate,
                const ImapWorkerHandler *handler, gpointer user_data)
{
    ImapWorker *worker = g_rc_box_new0(ImapWorker);

    worker->handler = handler;
    worker->user_data = user_data;
    worker->since = g_get_monotonic_time();
    worker->connection = imap_connection_new(settings);
    imap_connection_set_line_rate(worker->connection, rate);
    imap_connection_set_login_gate(worker->connection, may_log_in, worker);
    imap_connection_open(worker->connection, on_opened, worker);
    return worker;
}

static void
worker_clear(gpointer data)
{
    ImapWorker *worker = data;
    g_autoptr(GError) error = g_error_new_literal(
        IMAP_ERROR, IMAP_ERROR_CLOSED, "the connection is not needed");

    if (worker->change != NULL)
        worker->change->worker = NULL;
    imap_worker_hear_no_more(worker);
    imap_connection_set_closed(worker->connection, NULL, NULL);
    imap_connection_set_login_gate(worker->connection, NULL, NULL);
    /* Somebody may still hold a reference to it. */
    imap_connection_close(worker->connection, error);
    imap_connection_unref(worker->connection);
    imap_changes_free(worker->changes);
    g_free(worker->mailbox);
}

ImapWorker *
imap_worker_ref(ImapWorker *worker)
{
    return g_rc_box_acquire(worker);
}

void
imap_worker_unref(ImapWorker *worker)
{
    if (worker != NULL)
        g_rc_box_release_full(worker, worker_clear);
}

void
imap_worker_drop(ImapWorker *worker)
{
    worker->handler = NULL;
    imap_worker_unref(worker);
}

gboolean
imap_worker_is_usable(const ImapWorker *worker)
{
    return worker->state == IMAP_WORKER_READY &&
           imap_connection_is_open(worker->connection);
}

gboolean
imap_worker_is_burdened(const ImapWorker *worker)
{
    return *imap_connection_rows_ahead(worker->connection) != NULL;
}

gboolean
imap_worker_is_unused(const ImapWorker *worker)
{
    return imap_worker_is_usable(worker) && worker->n_leases == 0 &&
           !worker->listens && !imap_worker_is_burdened(worker);
}

static void
on_switched(ImapChanges *changes, const GError *error, gpointer user_data)
{
    g_autoptr(ImapChanges) brought = changes;
    g_autofree ImapSwitch *change = user_data;
    g_autofree char *mailbox = change->mailbox;
    ImapWorker *worker = change->worker;

    if (worker == NULL)
        return;
    worker->change = NULL;
    worker->state = IMAP_WORKER_READY;
    worker->since = g_get_monotonic_time();
    worker->changes = g_steal_pointer(&brought);
    worker->changes_seen = imap_worker_changes(worker);
    worker->fresh = error == NULL;
    if (error != NULL)
        g_clear_pointer(&worker->mailbox, g_free);
    if (worker->handler != NULL)
        worker->handler->switched(worker, mailbox, error, worker->user_data);
}

void
imap_worker_switch(ImapWorker *worker, const char *mailbox, gboolean writable,
                   const ImapKnown *known, ImapRows rows)
{
    ImapSwitch *change = g_new0(ImapSwitch, 1);
    gboolean plain;

    change->worker = worker;
    change->mailbox = g_strdup(mailbox);
    worker->change = change;
    worker->state = IMAP_WORKER_SWITCHING;
    worker->switched_at = g_get_monotonic_time();
    g_free(worker->mailbox);
    worker->mailbox = g_strdup(mailbox);
    worker->writable = writable;
    g_clear_pointer(&worker->changes, imap_changes_free);
    plain = (writable ? imap_request_select_since : imap_request_examine_since)(
        worker->connection, mailbox, known, on_switched, change);
    worker->rows = IMAP_ROWS_NONE;
    if (plain && !imap_connection_session(worker->connection)->no_rows_ahead)
        worker->rows = rows;
    if (worker->rows != IMAP_ROWS_NONE)
        imap_request_rows_ahead(worker->connection,
                                rows == IMAP_ROWS_WITH_HEADER);
}

gboolean
imap_worker_is_writable(const ImapWorker *worker)
{
    return worker->state == IMAP_WORKER_SWITCHING
               ? worker->writable
               : imap_connection_is_writable(worker->connection);
}

guint
imap_worker_changes(const ImapWorker *worker)
{
    const ImapMailbox *mailbox = imap_connection_mailbox(worker->connection);

    return mailbox->changes + mailbox->flag_changes;
}
