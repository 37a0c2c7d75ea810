/* What the store thread does for the blocks, one job at a time: a batch of
 * changes, a step of eviction, or opening the store anew.
 *
 * A batch is not sent before there is enough of it or some time has gone by:
 * many rows cost little more than one. When writing fails, what is queued stays
 * in memory as long as there is room, removals stay queued, and the store is
 * opened anew after a while. Meanwhile what is on disk can be read. */
#include "cache/blocks-private.h"
#include "cache/error.h"

/* A batch has no more than this, nor than half a segment. */
#define BATCH_OCTETS (4u * 1024 * 1024)
#define BATCH_CHANGES 1024u

/* And waits until it has this, or as long. */
#define ENOUGH_OCTETS (512u * 1024)
#define ENOUGH_CHANGES 128u

/* What is remembered about use is written with the next batch, or then. */
#define NOTES_TIME_US (30 * (gint64)G_USEC_PER_SEC)

#define RETRY_US (60 * (gint64)G_USEC_PER_SEC)

typedef enum {
    JOB_WRITE,
    JOB_EVICT,
    JOB_OPEN,
} JobKind;

typedef struct {
    CacheBlocks *blocks;
    JobKind kind;
    CacheBlockStore *store; /* owned by the job if JOB_OPEN */
    CacheBlockBatch batch;
    GArray *sent; /* of CacheQueuedChange, as batch.changes */
    guint64 octets;
    gboolean set_aside; /* JOB_OPEN: the table is damaged */
    char *directory;    /* JOB_OPEN; borrowed */
    guint64 max_octets; /* JOB_OPEN */
    GArray *segments;   /* result, if there is no @error */
    GError *error;
} Job;

gboolean
cache_blocks_is_removing(const CacheBlocks *blocks, const char *key)
{
    return g_hash_table_size(blocks->removing) > 0 &&
           g_hash_table_contains(blocks->removing, key);
}

static void
count_removing(CacheBlocks *blocks, const char *key, gint change)
{
    gint n = GPOINTER_TO_INT(g_hash_table_lookup(blocks->removing, key));

    if (n + change > 0)
        g_hash_table_replace(blocks->removing, g_strdup(key),
                             GINT_TO_POINTER(n + change));
    else
        g_hash_table_remove(blocks->removing, key);
}

void
cache_blocks_arm(CacheBlocks *blocks, gint64 in_us)
{
    gint64 due = g_source_get_time(blocks->timer) + in_us;

    if (blocks->due >= 0 && blocks->due <= due)
        return;
    blocks->due = due;
    g_source_set_ready_time(blocks->timer, due);
}

/* ---- trouble ---- */

static void
change_clear(CacheQueuedChange *change)
{
    if (change->block != NULL)
        cache_memory_block_unref(change->block);
    g_free(change->key);
}

void
cache_block_change_free(gpointer change)
{
    change_clear(change);
    g_free(change);
}

void
cache_blocks_queue_removal(CacheBlocks *blocks, const char *key)
{
    CacheQueuedChange *change = g_new0(CacheQueuedChange, 1);

    change->key = g_strdup(key);
    g_queue_push_tail(&blocks->changes, change);
    count_removing(blocks, key, 1);
}

void
cache_blocks_give_up(CacheBlocks *blocks, CacheMemoryBlock *block)
{
    g_autofree char *key = g_strdup(block->key);

    if (blocks->reader != NULL && !cache_blocks_is_removing(blocks, key) &&
        cache_block_reader_has(blocks->reader, key, block->number)) {
        cache_block_reader_drop_key(blocks->reader, key);
        cache_blocks_queue_removal(blocks, key);
    }
    if (block->listed)
        cache_memory_unpin(blocks->memory, block);
}

static void
give_up_queued(CacheBlocks *blocks)
{
    for (GList *l = blocks->changes.head, *next; l != NULL; l = next) {
        CacheQueuedChange *change = l->data;

        next = l->next;
        if (change->block == NULL)
            continue;
        g_queue_delete_link(&blocks->changes, l);
        if (change->block->listed) {
            blocks->unwritten -= g_bytes_get_size(change->block->data);
            cache_blocks_give_up(blocks, change->block);
        }
        cache_block_change_free(change);
    }
    blocks->queued = 0;
}

static void
tell(CacheBlocks *blocks, const GError *error)
{
    gboolean full = g_error_matches(error, CACHE_ERROR, CACHE_ERROR_NO_SPACE);

    if (blocks->told)
        return;
    blocks->told = TRUE;
    g_message("Messages are kept in memory only, for the cache %s cannot be "
              "written: %s; %s, or choose another cache_dir",
              blocks->directory, error->message,
              full ? "make room on that disk"
                   : "see that the directory is there and can be written");
}

void
cache_blocks_begin_trouble(CacheBlocks *blocks, const GError *error)
{
    tell(blocks, error);
    g_clear_pointer(&blocks->store, cache_block_store_close);
    blocks->retry_at = g_get_monotonic_time() + RETRY_US;
    if (g_error_matches(error, CACHE_ERROR, CACHE_ERROR_DAMAGED) ||
        g_error_matches(error, CACHE_ERROR, CACHE_ERROR_FOREIGN) ||
        (blocks->reader != NULL &&
         cache_block_reader_is_damaged(blocks->reader))) {
        g_clear_pointer(&blocks->reader, cache_block_reader_free);
        blocks->retry_at = g_get_monotonic_time();
        blocks->damaged = TRUE;
    }
    give_up_queued(blocks);
}

/* ---- jobs ---- */

static Job *
job_new(CacheBlocks *blocks, JobKind kind)
{
    Job *job = g_new0(Job, 1);

    job->blocks = blocks;
    job->kind = kind;
    job->store = blocks->store;
    return job;
}

static void
job_free(Job *job)
{
    g_clear_pointer(&job->batch.changes, g_array_unref);
    g_clear_pointer(&job->batch.marks, g_array_unref);
    g_clear_pointer(&job->batch.lost, g_array_unref);
    g_clear_pointer(&job->batch.touched, g_array_unref);
    g_clear_pointer(&job->sent, g_array_unref);
    g_clear_pointer(&job->segments, g_array_unref);
    g_clear_error(&job->error);
    g_free(job);
}

static void
work(gpointer data)
{
    Job *job = data;
    gboolean done = TRUE;

    switch (job->kind) {
    case JOB_WRITE:
        done = cache_block_store_write(job->store, &job->batch, &job->error);
        break;
    case JOB_EVICT:
        done = cache_block_store_evict(job->store, &job->error);
        break;
    case JOB_OPEN:
        if (job->set_aside)
            cache_block_table_set_aside(job->directory);
        job->store = cache_block_store_open(job->directory, job->max_octets,
                                            &job->error);
        done = job->store != NULL;
        break;
    }
    if (done)
        job->segments = cache_block_store_segments(job->store);
}

static void
written_block(CacheBlocks *blocks, CacheMemoryBlock *block,
              CacheBlockPlace place)
{
    CacheBlockState written = place.state;

    /* Removed, or replaced, meanwhile: the next batches have that. */
    if (!block->listed)
        return;
    if (blocks->reader != NULL) {
        cache_block_reader_add(blocks->reader, block->key, block->number,
                               &place, block->read_at);
        if (block->state > written)
            cache_block_reader_mark(blocks->reader, block->key, block->number,
                                    block->state);
    }
    cache_memory_unpin(blocks->memory, block);
}

static void
finish_write(CacheBlocks *blocks, Job *job)
{
    blocks->unwritten -= job->octets;
    for (guint i = 0; i < job->sent->len; i++) {
        CacheQueuedChange *change =
            &g_array_index(job->sent, CacheQueuedChange, i);

        if (change->block != NULL) {
            written_block(
                blocks, change->block,
                g_array_index(job->batch.changes, CacheBlockChange, i).place);
        } else {
            count_removing(blocks, change->key, -1);
        }
    }
    if (blocks->told)
        g_message("The cache %s is written again", blocks->directory);
    blocks->told = FALSE;
}

/* Removals are done another time, in the same order. */
static void
fail_write(CacheBlocks *blocks, Job *job)
{
    blocks->unwritten -= job->octets;
    for (guint i = job->sent->len; i-- > 0;) {
        CacheQueuedChange *change =
            &g_array_index(job->sent, CacheQueuedChange, i);

        if (change->block == NULL) {
            CacheQueuedChange *again = g_new0(CacheQueuedChange, 1);

            again->key = g_steal_pointer(&change->key);
            g_queue_push_head(&blocks->changes, again);
        } else if (change->block->listed) {
            cache_blocks_give_up(blocks, change->block);
        }
    }
}

static void
finish_open(CacheBlocks *blocks, Job *job)
{
    g_autoptr(GError) error = NULL;

    blocks->store = job->store;
    blocks->damaged = FALSE;
    g_clear_pointer(&blocks->reader, cache_block_reader_free);
    blocks->reader = cache_block_reader_new(blocks->directory, &error);
    if (blocks->reader == NULL)
        cache_blocks_begin_trouble(blocks, error);
}

static void
done(gpointer data)
{
    Job *job = data;
    CacheBlocks *blocks = job->blocks;

    blocks->busy = FALSE;
    blocks->evicted = job->kind == JOB_EVICT;
    if (job->error != NULL) {
        if (job->kind == JOB_WRITE)
            fail_write(blocks, job);
        cache_blocks_begin_trouble(blocks, job->error);
    } else {
        if (job->kind == JOB_OPEN)
            finish_open(blocks, job);
        if (blocks->reader != NULL)
            cache_block_reader_set_segments(blocks->reader,
                                            g_steal_pointer(&job->segments));
        if (job->kind == JOB_WRITE)
            finish_write(blocks, job);
    }
    job_free(job);
    cache_blocks_schedule(blocks, FALSE);
    if (blocks->written != NULL)
        blocks->written(blocks->user_data);
}

static void
push(CacheBlocks *blocks, Job *job)
{
    blocks->busy = TRUE;
    cache_store_thread_push(blocks->thread, work, done, job);
}

static void
push_open(CacheBlocks *blocks)
{
    Job *job = job_new(blocks, JOB_OPEN);

    job->directory = blocks->directory;
    job->max_octets = blocks->max_octets;
    job->set_aside = blocks->damaged;
    push(blocks, job);
}

static gsize
octets_of(const CacheQueuedChange *change)
{
    return change->block != NULL && change->block->listed
               ? g_bytes_get_size(change->block->data)
               : 0;
}

/* Moves @change, of the queue, into the batch. */
static void
add_change(CacheBlocks *blocks, Job *job, CacheQueuedChange *change)
{
    CacheBlockChange sent = {.key = change->key};
    CacheMemoryBlock *block = change->block;

    if (block != NULL) {
        gsize length = g_bytes_get_size(block->data);

        sent.key = block->key;
        sent.number = block->number;
        sent.data = block->data;
        sent.place.state = block->state;
        block->sent = TRUE;
        blocks->queued -= length;
        job->octets += length;
    }
    g_array_append_val(job->batch.changes, sent);
    g_array_append_val(job->sent, *change);
    g_free(change);
}

static void
push_write(CacheBlocks *blocks)
{
    Job *job = job_new(blocks, JOB_WRITE);
    guint64 most = MIN(BATCH_OCTETS,
                       cache_block_store_segment_size(blocks->max_octets) / 2);
    CacheQueuedChange *change;

    job->batch.changes = g_array_new(FALSE, FALSE, sizeof(CacheBlockChange));
    job->sent = g_array_new(FALSE, FALSE, sizeof(CacheQueuedChange));
    g_array_set_clear_func(job->sent, (GDestroyNotify)change_clear);
    cache_block_reader_take_notes(blocks->reader, &job->batch.marks,
                                  &job->batch.lost, &job->batch.touched);
    while (job->sent->len < BATCH_CHANGES &&
           (change = g_queue_peek_head(&blocks->changes)) != NULL &&
           job->octets + octets_of(change) <= most) {
        g_queue_pop_head(&blocks->changes);
        if (change->block != NULL && !change->block->listed)
            cache_block_change_free(change);
        else
            add_change(blocks, job, change);
    }
    push(blocks, job);
}

void
cache_blocks_schedule(CacheBlocks *blocks, gboolean flush)
{
    guint64 octets, bound;
    gboolean evict, enough, notes;

    if (blocks->busy || blocks->store == NULL || blocks->reader == NULL)
        return;
    octets = cache_block_reader_octets(blocks->reader);
    bound = cache_block_store_evict_above(blocks->max_octets);
    evict = octets > bound;
    enough = blocks->queued >= ENOUGH_OCTETS ||
             blocks->changes.length >= ENOUGH_CHANGES;
    notes = cache_block_reader_n_notes(blocks->reader) > 0;

    if (evict &&
        (!blocks->evicted ||
         octets >
             bound + cache_block_store_segment_size(blocks->max_octets) / 2))
        push(blocks, job_new(blocks, JOB_EVICT));
    else if ((blocks->changes.length > 0 || notes) &&
             (enough || flush || blocks->closing || evict ||
              cache_block_reader_n_notes(blocks->reader) >=
                  CACHE_BLOCKS_NOTES_MAX))
        push_write(blocks);
    else if (evict)
        push(blocks, job_new(blocks, JOB_EVICT));
    else if (blocks->changes.length > 0)
        cache_blocks_arm(blocks, CACHE_BLOCKS_ENOUGH_US);
    else if (notes)
        cache_blocks_arm(blocks, NOTES_TIME_US);
}

void
cache_blocks_queued(CacheBlocks *blocks)
{
    if (blocks->store == NULL && !blocks->busy &&
        g_get_monotonic_time() >= blocks->retry_at)
        push_open(blocks);
    cache_blocks_schedule(blocks, FALSE);
}
