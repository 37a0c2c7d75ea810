/* How the index gets to the disk.
 *
 * What changed is collected here, and given to the store thread as one batch,
 * which is one transaction: chunks that changed as they are at that moment, not
 * each change of them. So the disk always holds what was true at some moment,
 * and however often a message changes meanwhile, it is written once. One batch
 * is under way at a time; the next one takes what came up since.
 *
 * When writing fails, it ends: the database stays as it is, what of it is in
 * use is still read, and what has changed since stays in memory. When reading
 * fails, the database is made anew from the mailboxes that are wholly in
 * memory, and the others are lost. */
#include "cache/error.h"
#include "cache/index-order.h"
#include "cache/index-private.h"

struct WriteJob {
    CacheIndex *index; /* NULL: nobody waits for it any more */
    CacheIndexDatabase *database;
    CacheIndexBatch *batch; /* NULL: rebuild the database instead */
    GPtrArray *chunks;      /* of Chunk */
    guint64 number;         /* of the batch */
    GError *error;
    GAsyncQueue *answer; /* NULL, or where the caller waits */
};

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

typedef struct {
    guint64 batch; /* that it waits for */
    void (*done)(const GError *error, gpointer user_data);
    gpointer user_data;
} Flush;

static void write_soon(CacheIndex *index);

/* ---- Flushes ---- */

/* Unlinked before they are called: what they call may do anything. */
static void
answer_flushes(CacheIndex *index, guint64 batch, const GError *error)
{
    g_autoptr(GError) copy = error != NULL ? g_error_copy(error) : NULL;
    GQueue due = G_QUEUE_INIT;
    Flush *flush;

    while ((flush = g_queue_peek_head(&index->flushes)) != NULL &&
           flush->batch <= batch)
        g_queue_push_tail(&due, g_queue_pop_head(&index->flushes));
    while ((flush = g_queue_pop_head(&due)) != NULL) {
        flush->done(copy, flush->user_data);
        g_free(flush);
    }
}

static gboolean
flush_due(gpointer user_data)
{
    CacheIndex *index = user_data;
    guint64 written = index->n_batches;

    /* Those that come while these are answered get a source of their own. */
    g_clear_pointer(&index->flush_source, g_source_unref);
    if (!index->writing)
        written = G_MAXUINT64; /* nothing will be */
    else if (index->job != NULL)
        written = index->job->number - 1;
    answer_flushes(index, written, index->error);
    return G_SOURCE_REMOVE;
}

static GSource *
attach(CacheIndex *index, GSource *source, GSourceFunc func)
{
    g_source_set_callback(source, func, index, NULL);
    g_source_attach(source, index->context);
    return source;
}

static void
clear_source(GSource **source)
{
    if (*source != NULL)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void
answer_flushes_later(CacheIndex *index)
{
    if (index->flush_source == NULL)
        index->flush_source = attach(index, g_timeout_source_new(0), flush_due);
}

/* ---- Batches ---- */

static void
free_write_job(WriteJob *job)
{
    cache_index_batch_free(job->batch);
    g_ptr_array_unref(job->chunks);
    g_clear_error(&job->error);
    if (job->answer != NULL)
        g_async_queue_unref(job->answer);
    g_free(job);
}

static WriteJob *
new_write_job(CacheIndex *index, CacheIndexBatch *batch)
{
    WriteJob *job = g_new0(WriteJob, 1);

    job->index = index;
    job->database = index->writer;
    job->batch = batch;
    job->chunks = g_ptr_array_new_with_free_func(cache_index_release_chunk);
    return job;
}

static void
add_chunk(WriteJob *job, guint32 mailbox, Chunk *chunk)
{
    CacheChunkRow row = {.mailbox = mailbox, .stub = chunk->stub};

    chunk->dirty = FALSE;
    if (chunk->removed)
        return;
    chunk->writing = TRUE;
    chunk->stored = TRUE;
    row.data = cache_records_encode(chunk->records, mailbox, chunk->stub.number,
                                    &row.length);
    g_array_append_val(job->batch->chunks, row);
    g_ptr_array_add(job->chunks, g_rc_box_acquire(chunk));
}

static void
add_mailbox(WriteJob *job, Mailbox *mailbox)
{
    CacheMailboxRow row = {
        .id = mailbox->id,
        .state = mailbox->state,
        .messages = mailbox->n_messages,
        .octets = mailbox->n_octets,
    };

    for (guint i = 0; i < mailbox->removed->len; i++) {
        CacheChunkKey key = {mailbox->id,
                             g_array_index(mailbox->removed, guint64, i)};

        g_array_append_val(job->batch->removed, key);
    }
    g_array_set_size(mailbox->removed, 0);
    for (guint i = 0; i < mailbox->dirty->len; i++)
        add_chunk(job, mailbox->id, g_ptr_array_index(mailbox->dirty, i));
    g_ptr_array_set_size(mailbox->dirty, 0);
    g_array_append_val(job->batch->rows, row);
}

/* All that has changed so far. */
static WriteJob *
collect(CacheIndex *index)
{
    WriteJob *job = new_write_job(index, cache_index_batch_new());
    GHashTableIter iter;
    gpointer id;

    g_array_append_vals(job->batch->dropped, index->dropped->data,
                        index->dropped->len);
    g_array_set_size(index->dropped, 0);
    g_hash_table_iter_init(&iter, index->changed);
    while (g_hash_table_iter_next(&iter, &id, NULL))
        add_mailbox(job, g_hash_table_lookup(index->mailboxes, id));
    g_hash_table_remove_all(index->changed);
    job->number = ++index->n_batches;
    index->n_writing = index->n_changes;
    index->n_changes = 0;
    clear_source(&index->timer);
    return job;
}

/* Nothing is written any more: what is in memory and not on disk stays. */
static void
stop_writing(CacheIndex *index, const GError *error)
{
    GHashTableIter iter;
    gpointer mailbox;

    g_message("Changes in the index of the cache are kept in memory alone from "
              "now on: %s",
              error->message);
    index->writing = FALSE;
    g_clear_error(&index->error);
    index->error = g_error_copy(error);
    index->n_changes = index->n_writing = 0;
    g_hash_table_remove_all(index->changed);
    g_array_set_size(index->dropped, 0);
    g_hash_table_iter_init(&iter, index->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &mailbox)) {
        g_ptr_array_set_size(((Mailbox *)mailbox)->dirty, 0);
        g_array_set_size(((Mailbox *)mailbox)->removed, 0);
    }
    clear_source(&index->timer);
    answer_flushes_later(index);
}

static gboolean
is_damage(const GError *error)
{
    return g_error_matches(error, CACHE_ERROR, CACHE_ERROR_DAMAGED) ||
           g_error_matches(error, CACHE_ERROR, CACHE_ERROR_FOREIGN);
}

static void
work_write(gpointer data)
{
    WriteJob *job = data;

    cache_index_database_write(job->database, job->batch, &job->error);
    /* A copy of what is in memory: not to be there longer than needed. */
    g_clear_pointer(&job->batch, cache_index_batch_free);
}

static void
done_write(gpointer data)
{
    WriteJob *job = data;
    CacheIndex *index = job->index;
    guint64 number = job->number;

    if (index == NULL) {
        free_write_job(job);
        return;
    }
    index->job = NULL;
    index->n_writing = 0;
    if (job->error != NULL) {
        if (is_damage(job->error))
            cache_index_lose(index, job->error);
        else
            stop_writing(index, job->error);
        free_write_job(job);
        return;
    }
    for (guint i = 0; i < job->chunks->len; i++)
        cache_index_chunk_written(index, g_ptr_array_index(job->chunks, i));
    free_write_job(job);
    if (index->n_changes > 0)
        write_soon(index);
    answer_flushes(index, number, NULL);
}

static void
write_now(CacheIndex *index)
{
    index->job = collect(index);
    cache_store_thread_push(index->thread, work_write, done_write, index->job);
}

static gboolean
timer_due(gpointer user_data)
{
    CacheIndex *index = user_data;

    clear_source(&index->timer);
    if (index->job == NULL && index->n_changes > 0)
        write_now(index);
    return G_SOURCE_REMOVE;
}

/* There are changes: they are written when there are many, or somebody waits,
 * or soon. */
static void
write_soon(CacheIndex *index)
{
    const Flush *last = g_queue_peek_tail(&index->flushes);

    if (index->job != NULL)
        return;
    if (index->n_changes >= index->limits.batch_changes ||
        (last != NULL && last->batch > index->n_batches))
        write_now(index);
    else if (index->timer == NULL)
        index->timer =
            attach(index, g_timeout_source_new(index->limits.batch_delay_ms),
                   timer_due);
}

void
cache_index_changed(CacheIndex *index, const Mailbox *mailbox)
{
    if (!index->writing)
        return;
    index->n_changes++;
    if (mailbox != NULL)
        g_hash_table_add(index->changed, GUINT_TO_POINTER(mailbox->id));
    write_soon(index);
}

void
cache_index_flush(CacheIndex *index,
                  void (*done)(const GError *error, gpointer user_data),
                  gpointer user_data)
{
    Flush *flush = g_new(Flush, 1);

    *flush = (Flush){index->n_batches, done, user_data};
    if (index->n_changes > 0)
        flush->batch++;
    g_queue_push_tail(&index->flushes, flush);
    if (index->n_changes > 0)
        write_soon(index);
    else if (index->job == NULL)
        answer_flushes_later(index);
}

/* ---- Damage ---- */

static gboolean
lost_due(gpointer user_data)
{
    CacheIndex *index = user_data;
    CacheLostFunc func = index->lost_func;
    gpointer data = index->lost_data;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    GHashTableIter iter;
    gpointer id;

    g_clear_pointer(&index->lost_source, g_source_unref);
    g_hash_table_iter_init(&iter, index->lost);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        guint32 mailbox = GPOINTER_TO_UINT(id);

        g_array_append_val(ids, mailbox);
    }
    g_hash_table_remove_all(index->lost);
    for (guint i = 0; func != NULL && i < ids->len; i++)
        func(g_array_index(ids, guint32, i), data);
    return G_SOURCE_REMOVE;
}

static gboolean
is_wholly_in_memory(const Mailbox *mailbox)
{
    if (mailbox->chunks == NULL)
        return FALSE;
    for (guint i = 0; i < mailbox->chunks->len; i++)
        if (((Chunk *)g_ptr_array_index(mailbox->chunks, i))->records == NULL)
            return FALSE;
    return TRUE;
}

/* All of @mailbox is to be written to a new database. */
static void
write_again(CacheIndex *index, Mailbox *mailbox)
{
    g_ptr_array_set_size(mailbox->dirty, 0);
    g_array_set_size(mailbox->removed, 0);
    for (guint i = 0; i < mailbox->chunks->len; i++) {
        Chunk *chunk = g_ptr_array_index(mailbox->chunks, i);

        cache_index_pin_chunk(index, chunk);
        chunk->dirty = TRUE;
        chunk->stored = chunk->writing = FALSE;
        g_ptr_array_add(mailbox->dirty, g_rc_box_acquire(chunk));
    }
    index->n_changes += 1 + (guint)mailbox->n_messages;
    g_hash_table_add(index->changed, GUINT_TO_POINTER(mailbox->id));
}

static void
lose_mailbox(CacheIndex *index, Mailbox *mailbox)
{
    index->n_messages -= mailbox->n_messages;
    index->n_octets -= mailbox->n_octets;
    g_hash_table_add(index->lost, GUINT_TO_POINTER(mailbox->id));
    cache_index_free_mailbox(index, mailbox);
}

static void
work_rebuild(gpointer data)
{
    WriteJob *job = data;

    cache_index_database_rebuild(job->database, &job->error);
}

static void
done_rebuild(gpointer data)
{
    WriteJob *job = data;
    CacheIndex *index = job->index;

    if (index != NULL) {
        index->job = NULL;
        if (job->error == NULL)
            index->reader =
                cache_index_database_open_reader(index->path, &job->error);
        if (job->error != NULL)
            stop_writing(index, job->error);
        else if (index->n_changes > 0)
            write_soon(index);
        else
            answer_flushes_later(index);
    }
    free_write_job(job);
}

void
cache_index_lose(CacheIndex *index, const GError *error)
{
    GHashTableIter iter;
    gpointer mailbox;

    g_message("The index of the cache is made anew, the old one kept as "
              "%s.damaged: %s",
              index->path, error->message);
    g_clear_pointer(&index->reader, cache_index_database_close);
    if (index->job != NULL)
        index->job->index = NULL;
    index->job = NULL;
    index->n_changes = index->n_writing = 0;
    index->writing = TRUE;
    g_clear_error(&index->error);
    g_array_set_size(index->dropped, 0);
    g_hash_table_remove_all(index->changed);

    g_hash_table_iter_init(&iter, index->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &mailbox)) {
        if (is_wholly_in_memory(mailbox)) {
            write_again(index, mailbox);
        } else {
            lose_mailbox(index, mailbox);
            g_hash_table_iter_remove(&iter);
        }
    }
    if (g_hash_table_size(index->lost) > 0 && index->lost_source == NULL)
        index->lost_source = attach(index, g_timeout_source_new(0), lost_due);

    /* Who waits for something to be written waits for the new one. */
    index->job = new_write_job(index, NULL);
    index->job->number = ++index->n_batches;
    for (GList *l = index->flushes.head; l != NULL; l = l->next)
        ((Flush *)l->data)->batch = index->n_batches + (index->n_changes > 0);
    clear_source(&index->timer);
    cache_store_thread_push(index->thread, work_rebuild, done_rebuild,
                            index->job);
}

/* ---- Order ---- */

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
        if (is_damage(job->error) && index->writing && index->reader != NULL &&
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

/* ---- Beginning and end ---- */

/* Both connections and the mailboxes. */
static GArray *
open_database(CacheIndex *index, GError **error)
{
    g_autoptr(GArray) rows = NULL;

    index->writer = cache_index_database_open(index->path, error);
    if (index->writer == NULL)
        return NULL;
    index->reader = cache_index_database_open_reader(index->path, error);
    if (index->reader != NULL)
        rows = cache_index_database_read_mailboxes(index->reader, error);
    if (rows == NULL || !cache_index_database_next_number(
                            index->reader, &index->next_number, error)) {
        g_clear_pointer(&index->reader, cache_index_database_close);
        return NULL;
    }
    return g_steal_pointer(&rows);
}

/* What was opened is not as it was written: once more, without it. */
static GArray *
open_again(CacheIndex *index, GError **error)
{
    if (!cache_index_database_rebuild(index->writer, error))
        return NULL;
    index->reader = cache_index_database_open_reader(index->path, error);
    return index->reader != NULL
               ? g_array_new(FALSE, FALSE, sizeof(CacheMailboxRow))
               : NULL;
}

void
cache_index_start(CacheIndex *index, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) rows = NULL;

    index->path = g_build_filename(directory, "index.db", NULL);
    rows = open_database(index, &error);
    if (rows == NULL && index->writer != NULL && is_damage(error)) {
        g_message("The index of the cache is made anew, the old one kept as "
                  "%s.damaged: %s",
                  index->path, error->message);
        g_clear_error(&error);
        index->next_number = 1;
        rows = open_again(index, &error);
    }
    if (rows == NULL) {
        g_clear_pointer(&index->writer, cache_index_database_close);
        stop_writing(index, error);
        return;
    }
    index->writing = TRUE;
    for (guint i = 0; i < rows->len; i++) {
        const CacheMailboxRow *row = &g_array_index(rows, CacheMailboxRow, i);
        Mailbox *mailbox = cache_index_new_mailbox(row->id, NULL);

        mailbox->state = row->state;
        mailbox->n_messages = row->messages;
        mailbox->n_octets = row->octets;
        index->n_messages += row->messages;
        index->n_octets += row->octets;
        g_hash_table_insert(index->mailboxes, GUINT_TO_POINTER(row->id),
                            mailbox);
    }
}

static void
work_last(gpointer data)
{
    WriteJob *job = data;

    if (job->batch != NULL)
        cache_index_database_write(job->database, job->batch, &job->error);
    cache_index_database_shrink(job->database);
    cache_index_database_close(job->database);
    g_async_queue_push(job->answer, job);
}

static void
done_last(gpointer data)
{
    free_write_job(data);
}

/* Closes the writer, once it has written everything. What else the store thread
 * has for the main loop stays there. */
static GError *
write_last(CacheIndex *index)
{
    WriteJob *job = index->writing && index->n_changes > 0
                        ? collect(index)
                        : new_write_job(index, NULL);
    GError *error;

    g_clear_pointer(&index->reader, cache_index_database_close);
    job->answer = g_async_queue_new();
    cache_store_thread_push(index->thread, work_last, done_last, job);
    g_async_queue_pop(job->answer);
    error = job->error != NULL ? g_error_copy(job->error) : NULL;
    if (error == NULL && index->job != NULL && index->job->error != NULL)
        error = g_error_copy(index->job->error);
    if (error == NULL && index->error != NULL)
        error = g_error_copy(index->error);
    return error;
}

void
cache_index_stop(CacheIndex *index)
{
    g_autoptr(GError) error = NULL;

    if (index->writer != NULL)
        error = write_last(index);
    else if (index->error != NULL)
        error = g_error_copy(index->error);
    if (error != NULL && index->writing)
        g_message("The last changes in the index of the cache are lost: %s",
                  error->message);
    if (index->job != NULL)
        index->job->index = NULL;
    index->writing = FALSE;
    clear_source(&index->timer);
    clear_source(&index->flush_source);
    clear_source(&index->lost_source);
    while (!g_queue_is_empty(&index->orders))
        answer_order(g_queue_peek_head(&index->orders));
    answer_flushes(index, G_MAXUINT64, error);
}
