/* The bodies of messages, in blocks.
 *
 * What is put lies in memory, pinned, and in a queue of changes. The store
 * thread gets one job at a time: a batch of changes, or a step of eviction. A
 * batch is not sent before there is enough of it or some time has gone by: many
 * rows cost little more than one. Once written, a block stays in memory like
 * any other that was used.
 *
 * A key being removed is hidden from then on; the table still has it until the
 * batch is written.
 *
 * When writing fails, what is queued stays in memory as long as there is room,
 * removals stay queued, and the store is opened anew after a while. Meanwhile
 * what is on disk can be read. */
#include "cache/blocks.h"

#include "cache/block-reader.h"
#include "cache/block-store.h"
#include "cache/error.h"
#include "cache/memory-lru.h"

#include <string.h>

/* Longer keys are known by a hash of theirs. */
#define MAX_KEY 300

/* A batch has no more than this, nor than half a segment. */
#define BATCH_OCTETS (4u * 1024 * 1024)
#define BATCH_CHANGES 1024u

/* And waits until it has this, or as long. */
#define ENOUGH_OCTETS (512u * 1024)
#define ENOUGH_CHANGES 128u
#define ENOUGH_TIME_US (20 * (gint64)1000)

/* What is remembered about use is written with the next batch, or then. */
#define NOTES_TIME_US (30 * (gint64)G_USEC_PER_SEC)
#define MAX_NOTES 8192u

#define RETRY_US (60 * (gint64)G_USEC_PER_SEC)

typedef struct {
    CacheMemoryBlock *block; /* a reference; NULL: @key goes */
    char *key;               /* owned */
} Change;

struct CacheBlocks {
    char *directory; /* NULL: memory only */
    guint64 max_octets;
    guint64 memory_octets; /* at most */
    CacheStoreThread *thread;
    CacheMemory *memory;
    CacheBlockReader *reader; /* NULL: nothing on disk can be read */
    CacheBlockStore *store;   /* NULL: nothing can be written; the job's while
                                 there is one */
    GQueue changes;           /* of Change, not yet with the store thread */
    GHashTable *removing;     /* key -> how many removals are not yet done */
    guint64 queued;           /* octets in @changes */
    guint64 unwritten;        /* with those in the job */
    gboolean busy;            /* the store thread has a job */
    gboolean evicted;         /* the last job was a step of eviction */
    gboolean closing;
    gboolean damaged; /* the table is to be made anew */
    gboolean told;    /* the log has that writing fails */
    gint64 retry_at;  /* monotonic; if there is no store */
    GSource *timer;   /* due at @due */
    gint64 due;       /* monotonic; -1: not armed */
    CacheWrittenFunc written;
    gpointer user_data;
    guint64 hits;
    guint64 misses;
};

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
    GArray *sent; /* of Change, as batch.changes */
    guint64 octets;
    gboolean set_aside; /* JOB_OPEN: the table is damaged */
    char *directory;    /* JOB_OPEN; borrowed */
    guint64 max_octets; /* JOB_OPEN */
    GArray *segments;   /* result, if there is no @error */
    GError *error;
} Job;

static void schedule(CacheBlocks *blocks, gboolean flush);

/* ---- names ---- */

/* What @key is known by: itself, or *@made, which the caller frees. */
static const char *
known_key(const char *key, char **made)
{
    if (strnlen(key, MAX_KEY + 1) <= MAX_KEY)
        return key;
    *made = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    return *made;
}

static gboolean
is_removing(const CacheBlocks *blocks, const char *key)
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

/* ---- when ---- */

static void
arm(CacheBlocks *blocks, gint64 in_us)
{
    gint64 due = g_source_get_time(blocks->timer) + in_us;

    if (blocks->due >= 0 && blocks->due <= due)
        return;
    blocks->due = due;
    g_source_set_ready_time(blocks->timer, due);
}

static gboolean
timer_due(GSource *source, GSourceFunc callback, gpointer user_data)
{
    CacheBlocks *blocks = user_data;

    g_source_set_ready_time(source, -1);
    blocks->due = -1;
    schedule(blocks, TRUE);
    /* What was unwritten may have been taken back. */
    if (!blocks->busy && blocks->written != NULL)
        blocks->written(blocks->user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
no_callback(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

/* ---- trouble ---- */

static void
change_clear(Change *change)
{
    if (change->block != NULL)
        cache_memory_block_unref(change->block);
    g_free(change->key);
}

static void
change_free(gpointer change)
{
    change_clear(change);
    g_free(change);
}

static void
queue_removal(CacheBlocks *blocks, const char *key)
{
    Change *change = g_new0(Change, 1);

    change->key = g_strdup(key);
    g_queue_push_tail(&blocks->changes, change);
    count_removing(blocks, key, 1);
}

/* A block that will not be written: what the disk has in its place is old. */
static void
give_up(CacheBlocks *blocks, CacheMemoryBlock *block)
{
    g_autofree char *key = g_strdup(block->key);

    if (blocks->reader != NULL && !is_removing(blocks, key) &&
        cache_block_reader_has(blocks->reader, key, block->number)) {
        cache_block_reader_drop_key(blocks->reader, key);
        queue_removal(blocks, key);
    }
    if (block->listed)
        cache_memory_unpin(blocks->memory, block);
}

static void
give_up_queued(CacheBlocks *blocks)
{
    for (GList *l = blocks->changes.head, *next; l != NULL; l = next) {
        Change *change = l->data;

        next = l->next;
        if (change->block == NULL)
            continue;
        g_queue_delete_link(&blocks->changes, l);
        if (change->block->listed) {
            blocks->unwritten -= g_bytes_get_size(change->block->data);
            give_up(blocks, change->block);
        }
        change_free(change);
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

static void
begin_trouble(CacheBlocks *blocks, const GError *error)
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
        Change *change = &g_array_index(job->sent, Change, i);

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
        Change *change = &g_array_index(job->sent, Change, i);

        if (change->block == NULL) {
            Change *again = g_new0(Change, 1);

            again->key = g_steal_pointer(&change->key);
            g_queue_push_head(&blocks->changes, again);
        } else if (change->block->listed) {
            give_up(blocks, change->block);
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
        begin_trouble(blocks, error);
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
        begin_trouble(blocks, job->error);
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
    schedule(blocks, FALSE);
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
octets_of(const Change *change)
{
    return change->block != NULL && change->block->listed
               ? g_bytes_get_size(change->block->data)
               : 0;
}

/* Moves @change, of the queue, into the batch. */
static void
add_change(CacheBlocks *blocks, Job *job, Change *change)
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
    Change *change;

    job->batch.changes = g_array_new(FALSE, FALSE, sizeof(CacheBlockChange));
    job->sent = g_array_new(FALSE, FALSE, sizeof(Change));
    g_array_set_clear_func(job->sent, (GDestroyNotify)change_clear);
    cache_block_reader_take_notes(blocks->reader, &job->batch.marks,
                                  &job->batch.lost, &job->batch.touched);
    while (job->sent->len < BATCH_CHANGES &&
           (change = g_queue_peek_head(&blocks->changes)) != NULL &&
           job->octets + octets_of(change) <= most) {
        g_queue_pop_head(&blocks->changes);
        if (change->block != NULL && !change->block->listed)
            change_free(change);
        else
            add_change(blocks, job, change);
    }
    push(blocks, job);
}

/* Gives the store thread its next job, if there is one to be done now; with
 * @flush, all is to be done now. */
static void
schedule(CacheBlocks *blocks, gboolean flush)
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
              cache_block_reader_n_notes(blocks->reader) >= MAX_NOTES))
        push_write(blocks);
    else if (evict)
        push(blocks, job_new(blocks, JOB_EVICT));
    else if (blocks->changes.length > 0)
        arm(blocks, ENOUGH_TIME_US);
    else if (notes)
        arm(blocks, NOTES_TIME_US);
}

/* A change was queued, or there is more to note. */
static void
queued(CacheBlocks *blocks)
{
    if (blocks->store == NULL && !blocks->busy &&
        g_get_monotonic_time() >= blocks->retry_at)
        push_open(blocks);
    schedule(blocks, FALSE);
}

/* ---- the blocks ---- */

/* Replaced or removed before it was written. */
static void
dropped(CacheMemoryBlock *block, gpointer user_data)
{
    CacheBlocks *blocks = user_data;
    gsize length = g_bytes_get_size(block->data);

    if (!block->pinned || block->sent)
        return;
    blocks->unwritten -= length;
    blocks->queued -= length;
    g_clear_pointer(&block->data, g_bytes_unref);
    arm(blocks, ENOUGH_TIME_US);
}

static void
open_first(CacheBlocks *blocks)
{
    g_autoptr(GError) error = NULL;

    blocks->store =
        cache_block_store_open(blocks->directory, blocks->max_octets, &error);
    if (blocks->store != NULL)
        blocks->reader = cache_block_reader_new(blocks->directory, &error);
    if (blocks->reader != NULL)
        cache_block_reader_set_segments(
            blocks->reader, cache_block_store_segments(blocks->store));
    else
        begin_trouble(blocks, error);
}

CacheBlocks *
cache_blocks_new(const char *directory, guint64 memory_bytes,
                 guint64 disk_bytes, CacheStoreThread *thread)
{
    static GSourceFuncs timer_funcs = {.dispatch = timer_due};
    CacheBlocks *blocks = g_new0(CacheBlocks, 1);

    blocks->directory = disk_bytes > 0 ? g_strdup(directory) : NULL;
    blocks->max_octets = disk_bytes;
    blocks->thread = thread;
    blocks->memory_octets = memory_bytes;
    blocks->memory = cache_memory_new(memory_bytes);
    cache_memory_set_dropped_func(blocks->memory, dropped, blocks);
    g_queue_init(&blocks->changes);
    blocks->removing =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    blocks->due = -1;
    blocks->timer = g_source_new(&timer_funcs, sizeof(GSource));
    g_source_set_callback(blocks->timer, no_callback, blocks, NULL);
    g_source_attach(blocks->timer, g_main_context_get_thread_default());
    if (blocks->directory != NULL)
        open_first(blocks);
    return blocks;
}

void
cache_blocks_free(CacheBlocks *blocks)
{
    if (blocks == NULL)
        return;
    blocks->written = NULL;
    blocks->closing = TRUE;
    schedule(blocks, TRUE);
    while (blocks->busy)
        cache_store_thread_drain(blocks->thread);

    cache_block_reader_free(blocks->reader);
    cache_block_store_close(blocks->store);
    g_queue_clear_full(&blocks->changes, change_free);
    cache_memory_set_dropped_func(blocks->memory, NULL, NULL);
    cache_memory_free(blocks->memory);
    g_hash_table_unref(blocks->removing);
    g_source_destroy(blocks->timer);
    g_source_unref(blocks->timer);
    g_free(blocks->directory);
    g_free(blocks);
}

/* A read of a block in memory. */
static void
note_use(CacheBlocks *blocks, CacheMemoryBlock *block)
{
    gint64 now;

    if (!block->pinned) {
        if (blocks->reader != NULL && !is_removing(blocks, block->key))
            cache_block_reader_use(blocks->reader, block->key, block->number);
        return;
    }
    now = g_get_monotonic_time();
    block->state = cache_block_state_after(block->state, block->read_at, now);
    block->read_at = now;
}

/* After it was asked: what it has to be written, or that it is of no use. */
static void
look_after_reader(CacheBlocks *blocks)
{
    if (blocks->reader == NULL || blocks->busy)
        return;
    if (cache_block_reader_is_damaged(blocks->reader)) {
        g_autoptr(GError) error = g_error_new(CACHE_ERROR, CACHE_ERROR_DAMAGED,
                                              "blocks.db is damaged");

        begin_trouble(blocks, error);
    } else if ((blocks->due < 0 &&
                cache_block_reader_n_notes(blocks->reader) > 0) ||
               cache_block_reader_n_notes(blocks->reader) >= MAX_NOTES) {
        schedule(blocks, FALSE);
    }
}

GBytes *
cache_blocks_get(CacheBlocks *blocks, const char *key, guint32 number)
{
    g_autofree char *made = NULL;
    CacheMemoryBlock *block;
    GBytes *data = NULL;

    key = known_key(key, &made);
    block = cache_memory_find(blocks->memory, key, number, TRUE);
    if (block != NULL) {
        data = g_bytes_ref(block->data);
        note_use(blocks, block);
    } else if (blocks->reader != NULL && !is_removing(blocks, key)) {
        data = cache_block_reader_get(blocks->reader, key, number);
        if (data != NULL)
            cache_memory_put(blocks->memory, key, number, data, FALSE);
    }
    if (data != NULL)
        blocks->hits++;
    else
        blocks->misses++;
    look_after_reader(blocks);
    return data;
}

gboolean
cache_blocks_has(CacheBlocks *blocks, const char *key, guint32 number)
{
    g_autofree char *made = NULL;

    key = known_key(key, &made);
    if (cache_memory_find(blocks->memory, key, number, FALSE) != NULL)
        return TRUE;
    return blocks->reader != NULL && !is_removing(blocks, key) &&
           cache_block_reader_has(blocks->reader, key, number);
}

void
cache_blocks_put(CacheBlocks *blocks, const char *key, guint32 number,
                 GBytes *data)
{
    g_autofree char *made = NULL;
    gsize length = g_bytes_get_size(data);
    CacheMemoryBlock *block;
    Change *change;

    if (length == 0 || length > CACHE_BLOCK_SIZE)
        return;
    key = known_key(key, &made);
    block = cache_memory_put(blocks->memory, key, number, data,
                             blocks->directory != NULL);
    if (blocks->directory == NULL)
        return;
    if (blocks->store == NULL && !blocks->busy)
        queued(blocks);
    if (blocks->store == NULL && !blocks->busy) {
        give_up(blocks, block);
        return;
    }
    change = g_new0(Change, 1);
    change->block = cache_memory_block_ref(block);
    g_queue_push_tail(&blocks->changes, change);
    blocks->queued += length;
    blocks->unwritten += length;
    queued(blocks);
}

guint64
cache_blocks_room(const CacheBlocks *blocks)
{
    return blocks->memory_octets +
           (blocks->store != NULL ? blocks->max_octets : 0);
}

void
cache_blocks_remove(CacheBlocks *blocks, const char *key)
{
    g_autofree char *made = NULL;

    key = known_key(key, &made);
    cache_memory_remove(blocks->memory, key);
    if (blocks->directory == NULL)
        return;
    if (blocks->reader != NULL)
        cache_block_reader_drop_key(blocks->reader, key);
    queue_removal(blocks, key);
    queued(blocks);
}

guint64
cache_blocks_unwritten(const CacheBlocks *blocks)
{
    return blocks->unwritten;
}

void
cache_blocks_set_written_func(CacheBlocks *blocks, CacheWrittenFunc func,
                              gpointer user_data)
{
    blocks->written = func;
    blocks->user_data = user_data;
}

void
cache_blocks_use(const CacheBlocks *blocks, CacheBlocksUse *use)
{
    *use = (CacheBlocksUse){
        .disk_octets = blocks->reader != NULL
                           ? cache_block_reader_octets(blocks->reader)
                           : 0,
        .disk_limit = blocks->directory != NULL
                          ? cache_block_store_evict_above(blocks->max_octets)
                          : 0,
        .memory_octets = cache_memory_octets(blocks->memory),
        .hits = blocks->hits,
        .misses = blocks->misses,
    };
}
