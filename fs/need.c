/* Needs and those who wait on them.
 *
 * A waiter is in one of two queues: its need's, until there is news, or the
 * one queue of all that are due, which a single source of the main loop works
 * off in order. So waking costs one move a waiter, nobody is called from
 * inside a call of his own, nobody is overtaken, and a waiter that is
 * cancelled while it is due leaves that queue like any other.
 *
 * The source has the priority of the sockets (an idle priority would starve
 * behind a busy line), and goes back to the loop after each batch. */
#include "fs/need.h"

#include <gio/gio.h>

#define BATCH 256

struct FsNeed {
    guint references;
    gboolean complete;
    gboolean standing;
    gboolean local;
    GError *error;
    GQueue waiting;  /* of FsNeedWaiter, by their links */
    guint n_waiters; /* in waiting, and due */
};

struct FsNeedWaiter {
    FsNeed *need; /* a reference */
    FsNeedFunc func;
    gpointer user_data;
    GQueue *queue; /* need->waiting or due */
    GList link;
};

static GQueue due = G_QUEUE_INIT; /* of FsNeedWaiter, by their links */
static guint due_source;
static guint n_pending; /* needs that are not complete, and not standing */

FsNeed *
fs_need_new_standing(void)
{
    FsNeed *need = g_new0(FsNeed, 1);

    need->references = 1;
    need->standing = TRUE;
    g_queue_init(&need->waiting);
    return need;
}

FsNeed *
fs_need_new(void)
{
    FsNeed *need = fs_need_new_standing();

    need->standing = FALSE;
    n_pending++;
    return need;
}

FsNeed *
fs_need_new_local(void)
{
    FsNeed *need = fs_need_new();

    need->local = TRUE;
    return need;
}

gboolean
fs_need_is_local(const FsNeed *need)
{
    return need->local;
}

FsNeed *
fs_need_ref(FsNeed *need)
{
    need->references++;
    return need;
}

void
fs_need_unref(FsNeed *need)
{
    if (need == NULL)
        return;

    need->references--;
    if (need->references == 0) {
        n_pending -= !need->complete && !need->standing;
        g_clear_error(&need->error);
        g_free(need);
    } else if (need->references == need->n_waiters && !need->complete) {
        g_autoptr(GError) error = g_error_new_literal(
            G_IO_ERROR, G_IO_ERROR_FAILED, "what was waited for was given up");
        fs_need_complete(need, error);
    }
}

/* Takes a waiter out of its queue; its reference is the caller's to drop. */
static void
unlink_waiter(FsNeedWaiter *waiter)
{
    g_queue_unlink(waiter->queue, &waiter->link);
    waiter->queue = NULL;
    waiter->need->n_waiters--;
}

static void
run_waiter(FsNeedWaiter *waiter)
{
    FsNeed *need = waiter->need;

    unlink_waiter(waiter);
    waiter->func(need->error, waiter->user_data);
    g_free(waiter);
    fs_need_unref(need);
}

static gboolean
run_due(gpointer user_data)
{
    /* Those that become due meanwhile wait for the next turn, so that waiters
     * which wait again and again cannot keep the loop here. */
    for (guint left = MIN(due.length, BATCH); left > 0; left--) {
        if (due.head == NULL)
            break;
        run_waiter(due.head->data);
    }

    if (due.head != NULL)
        return G_SOURCE_CONTINUE;
    due_source = 0;
    return G_SOURCE_REMOVE;
}

static void
make_due(FsNeedWaiter *waiter)
{
    waiter->queue = &due;
    g_queue_push_tail_link(&due, &waiter->link);
    if (due_source == 0)
        due_source = g_idle_add_full(G_PRIORITY_DEFAULT, run_due, NULL, NULL);
}

void
fs_need_progress(FsNeed *need)
{
    GList *link;

    while ((link = g_queue_pop_head_link(&need->waiting)) != NULL)
        make_due(link->data);
}

void
fs_need_complete(FsNeed *need, const GError *error)
{
    if (need->complete)
        return;

    need->complete = TRUE;
    n_pending -= !need->standing;
    if (error != NULL)
        need->error = g_error_copy(error);
    fs_need_progress(need);
}

gboolean
fs_need_is_complete(const FsNeed *need)
{
    return need->complete;
}

const GError *
fs_need_error(const FsNeed *need)
{
    return need->error;
}

FsNeedWaiter *
fs_need_wait(FsNeed *need, FsNeedFunc func, gpointer user_data)
{
    FsNeedWaiter *waiter = g_new0(FsNeedWaiter, 1);

    waiter->need = fs_need_ref(need);
    waiter->func = func;
    waiter->user_data = user_data;
    waiter->link.data = waiter;
    need->n_waiters++;

    if (need->complete) {
        make_due(waiter);
    } else {
        waiter->queue = &need->waiting;
        g_queue_push_tail_link(&need->waiting, &waiter->link);
    }
    return waiter;
}

void
fs_need_cancel(FsNeedWaiter *waiter)
{
    FsNeed *need = waiter->need;

    unlink_waiter(waiter);
    g_free(waiter);
    fs_need_unref(need);
}

guint
fs_need_n_waiters(const FsNeed *need)
{
    return need->n_waiters;
}

guint
fs_needs_pending(void)
{
    return n_pending;
}
