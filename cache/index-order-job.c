/* The order of names, computed where the disk is.
 *
 * A mailbox may be away from memory: once everything is written, the store
 * thread reads it there. Without a database that is written, all that differs
 * from the disk is in memory, and it is computed here. */
#include "cache/error.h"
#include "cache/index-order.h"
#include "cache/index-private.h"

struct OrderJob {
    CacheIndex *index; /* NULL: answered */
    CacheIndexDatabase *database;
    guint32 mailbox;
    gboolean by_sent_date;
    CacheOrderFunc done;
    gpointer user_data;
    GArray *uids;
    GArray *stubs; /* of CacheChunkStub */
    GError *error;
};

static void
free_order_job(OrderJob *job)
{
    g_clear_pointer(&job->uids, g_array_unref);
    g_clear_pointer(&job->stubs, g_array_unref);
    g_clear_error(&job->error);
    g_free(job);
}

/* Does not free @job, which may still be worked on. */
static void
answer_order(OrderJob *job)
{
    GArray *uids = g_steal_pointer(&job->uids);

    g_queue_remove(&job->index->orders, job);
    job->index = NULL;
    job->done(uids != NULL ? uids : g_array_new(FALSE, FALSE, sizeof(guint32)),
              job->user_data);
}

static gboolean
scan_database(CacheVisitFunc visit, gpointer visit_data, gpointer user_data)
{
    OrderJob *job = user_data;

    for (guint i = 0; i < job->stubs->len; i++) {
        g_autoptr(CacheRecords) records = cache_index_database_read_records(
            job->database, job->mailbox,
            &g_array_index(job->stubs, CacheChunkStub, i), &job->error);

        if (records == NULL)
            return FALSE;
        visit(records, visit_data);
    }
    return TRUE;
}

static void
work_order(gpointer data)
{
    OrderJob *job = data;

    job->stubs = cache_index_database_read_stubs(job->database, job->mailbox,
                                                 &job->error);
    if (job->stubs != NULL)
        job->uids = cache_index_order(job->by_sent_date, scan_database, job);
}

static void
done_order(gpointer data)
{
    OrderJob *job = data;
    CacheIndex *index = job->index;

    if (index != NULL) {
        if (g_error_matches(job->error, CACHE_ERROR, CACHE_ERROR_DAMAGED) &&
            index->writing && index->reader != NULL &&
            job->database == index->writer)
            cache_index_lose(index, job->error);
        answer_order(job);
    }
    free_order_job(job);
}

static gboolean
scan_memory(CacheVisitFunc visit, gpointer visit_data, gpointer user_data)
{
    const OrderJob *job = user_data;
    CacheIndex *index = job->index;
    Mailbox *mailbox =
        g_hash_table_lookup(index->mailboxes, GUINT_TO_POINTER(job->mailbox));

    if (mailbox == NULL || !cache_index_load_mailbox(index, mailbox))
        return FALSE;
    for (guint i = 0; i < mailbox->chunks->len; i++) {
        if (!cache_index_load_chunk(index, mailbox, i))
            return FALSE;
        visit(((Chunk *)g_ptr_array_index(mailbox->chunks, i))->records,
              visit_data);
    }
    return TRUE;
}

/* All is written, or nothing is. */
static void
order_flushed(const GError *error, gpointer user_data)
{
    OrderJob *job = user_data;
    CacheIndex *index = job->index;

    if (index == NULL) {
        free_order_job(job);
    } else if (index->writing) {
        job->database = index->writer;
        cache_store_thread_push(index->thread, work_order, done_order, job);
    } else {
        job->uids = cache_index_order(job->by_sent_date, scan_memory, job);
        answer_order(job);
        free_order_job(job);
    }
}

void
cache_index_order_by_name(CacheIndex *index, guint32 mailbox,
                          gboolean by_sent_date, CacheOrderFunc done,
                          gpointer user_data)
{
    OrderJob *job = g_new0(OrderJob, 1);

    job->index = index;
    job->mailbox = mailbox;
    job->by_sent_date = by_sent_date;
    job->done = done;
    job->user_data = user_data;
    g_queue_push_tail(&index->orders, job);
    cache_index_flush(index, order_flushed, job);
}

void
cache_index_end_orders(CacheIndex *index)
{
    while (!g_queue_is_empty(&index->orders))
        answer_order(g_queue_peek_head(&index->orders));
}
