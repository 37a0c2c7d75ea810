/* Mailboxes that are kept apart: a lease is held, or asked for, whose owner
 * takes the mailbox from under everybody else's feet.
 *
 * Dovecot removes a mailbox directory by directory, and a session that looks at
 * it meanwhile makes some of them again. So nobody of ours does: requests for
 * the mailbox wait, and connections that have it selected go elsewhere. */
#include "imap/pool-private.h"

/* How often to look whether what keeps a connection busy is over, of which
 * nobody tells. */
#define LOOK_AGAIN_US (20 * 1000)

static gboolean
find(const ImapPool *pool, const char *mailbox, guint *index)
{
    return mailbox != NULL && g_ptr_array_find_with_equal_func(
                                  pool->apart, mailbox, g_str_equal, index);
}

void
imap_pool_set_apart(ImapPool *pool, const char *mailbox)
{
    if (mailbox != NULL)
        g_ptr_array_add(pool->apart, g_strdup(mailbox));
}

void
imap_pool_end_apart(ImapPool *pool, const char *mailbox)
{
    guint index;

    if (find(pool, mailbox, &index))
        g_ptr_array_remove_index_fast(pool->apart, index);
}

gboolean
imap_pool_is_apart(const ImapPool *pool, const char *mailbox)
{
    return find(pool, mailbox, NULL);
}

/* Has @worker leave the mailbox that it is to be apart from. TRUE: it is not
 * there. */
static gboolean
leave(ImapWorker *worker, const ImapPoolRequest *request)
{
    if (worker->listens || worker->leaving)
        return TRUE;
    /* The server may not have got to it yet. */
    if (worker->state == IMAP_WORKER_SWITCHING &&
        g_strcmp0(worker->mailbox, request->mailbox) == 0)
        return FALSE;
    if (g_strcmp0(worker->mailbox, request->apart) != 0)
        return TRUE;
    if (imap_worker_is_unused(worker))
        imap_worker_switch(worker, request->mailbox, FALSE, NULL,
                           IMAP_ROWS_NONE);
    return FALSE;
}

gboolean
imap_pool_make_apart(ImapPoolRound *round, const ImapPoolRequest *request)
{
    const ImapPool *pool = round->pool;
    gboolean left = TRUE;

    for (guint i = 0; i < pool->workers->len; i++)
        if (!leave(g_ptr_array_index(pool->workers, i), request))
            left = FALSE;
    if (!left)
        round->wake_at = MIN(round->wake_at, round->now + LOOK_AGAIN_US);
    return left;
}
