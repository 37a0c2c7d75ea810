/* The bodies of messages, in blocks.
 *
 * What is put lies in memory, pinned, and in a queue of changes, which the
 * store thread writes (cache/block-jobs.c). Once written, a block stays in
 * memory like any other that was used.
 *
 * A key being removed is hidden from then on; the table still has it until the
 * batch is written. */
#include "cache/blocks-private.h"
#include "cache/error.h"

#include <string.h>

/* Longer keys are known by a hash of theirs. */
#define MAX_KEY 300

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
timer_due(GSource *source, GSourceFunc callback, gpointer user_data)
{
    CacheBlocks *blocks = user_data;

    g_source_set_ready_time(source, -1);
    blocks->due = -1;
    cache_blocks_schedule(blocks, TRUE);
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
    cache_blocks_arm(blocks, CACHE_BLOCKS_ENOUGH_US);
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
        cache_blocks_begin_trouble(blocks, error);
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
    cache_blocks_schedule(blocks, TRUE);
    while (blocks->busy)
        cache_store_thread_drain(blocks->thread);

    cache_block_reader_free(blocks->reader);
    cache_block_store_close(blocks->store);
    g_queue_clear_full(&blocks->changes, cache_block_change_free);
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
        if (blocks->reader != NULL &&
            !cache_blocks_is_removing(blocks, block->key))
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

        cache_blocks_begin_trouble(blocks, error);
    } else if ((blocks->due < 0 &&
                cache_block_reader_n_notes(blocks->reader) > 0) ||
               cache_block_reader_n_notes(blocks->reader) >=
                   CACHE_BLOCKS_NOTES_MAX) {
        cache_blocks_schedule(blocks, FALSE);
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
    } else if (blocks->reader != NULL &&
               !cache_blocks_is_removing(blocks, key)) {
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
    return blocks->reader != NULL && !cache_blocks_is_removing(blocks, key) &&
           cache_block_reader_has(blocks->reader, key, number);
}

void
cache_blocks_put(CacheBlocks *blocks, const char *key, guint32 number,
                 GBytes *data)
{
    g_autofree char *made = NULL;
    gsize length = g_bytes_get_size(data);
    CacheMemoryBlock *block;
    CacheQueuedChange *change;

    if (length == 0 || length > CACHE_BLOCK_SIZE)
        return;
    key = known_key(key, &made);
    block = cache_memory_put(blocks->memory, key, number, data,
                             blocks->directory != NULL);
    if (blocks->directory == NULL)
        return;
    if (blocks->store == NULL && !blocks->busy)
        cache_blocks_queued(blocks);
    if (blocks->store == NULL && !blocks->busy) {
        cache_blocks_give_up(blocks, block);
        return;
    }
    change = g_new0(CacheQueuedChange, 1);
    change->block = cache_memory_block_ref(block);
    g_queue_push_tail(&blocks->changes, change);
    blocks->queued += length;
    blocks->unwritten += length;
    cache_blocks_queued(blocks);
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
    cache_blocks_queue_removal(blocks, key);
    cache_blocks_queued(blocks);
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
