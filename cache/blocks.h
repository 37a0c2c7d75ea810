/* The bodies of messages, in blocks, kept on disk and, the last used, in
 * memory.
 *
 * A body is named by a key of the caller's. Block N of it holds its octets from
 * N × CACHE_BLOCK_SIZE; each block but the last is full. Most messages are one
 * block; a large one may be here in part.
 *
 * What was put can be had at once, and is written by the store thread. What
 * comes back from the disk is what was put, or nothing: each block has its
 * length and a checksum. Whatever the disk does, this only forgets: a full or
 * broken one is told of in the log, and blocks then live in memory alone, for
 * as long as there is room. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

#define CACHE_BLOCK_SIZE (256u * 1024)

typedef struct CacheBlocks CacheBlocks;

/* @directory: an existing one of the owner's, for blocks.db and the segment
 * files; NULL: nothing is written. @memory_bytes bounds what is kept in memory
 * beyond what is not yet written, @disk_bytes what lies on disk. @thread must
 * outlive the result. Never fails: without a usable directory it goes on in
 * memory, and says so in the log. */
CacheBlocks *cache_blocks_new(const char *directory, guint64 memory_bytes,
                              guint64 disk_bytes, CacheStoreThread *thread);
/* What was put is written before this returns. Accepts NULL. */
void cache_blocks_free(CacheBlocks *blocks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheBlocks, cache_blocks_free)

/* The block @number of @key, or NULL. Caller owns a reference. May read up to
 * CACHE_BLOCK_SIZE from the disk. */
GBytes *cache_blocks_get(CacheBlocks *blocks, const char *key, guint32 number);

/* Whether cache_blocks_get would find it, were the disk read. Costs a look-up
 * at the most, and counts as no use. */
gboolean cache_blocks_has(CacheBlocks *blocks, const char *key, guint32 number);

/* Keeps @data (a reference is taken; 1 to CACHE_BLOCK_SIZE octets), in place of
 * an older one. */
void cache_blocks_put(CacheBlocks *blocks, const char *key, guint32 number,
                      GBytes *data);

/* How much can be put, as things are, before it displaces itself. */
guint64 cache_blocks_room(const CacheBlocks *blocks);

/* Forgets the whole body. */
void cache_blocks_remove(CacheBlocks *blocks, const char *key);

/* Octets put and not yet written: who fills the cache faster than the disk
 * takes it waits while this is large. @func runs on the main loop, never inside
 * a call, each time that some have been written, or given up. At most one; NULL
 * removes it. */
guint64 cache_blocks_unwritten(const CacheBlocks *blocks);
typedef void (*CacheWrittenFunc)(gpointer user_data);
void cache_blocks_set_written_func(CacheBlocks *blocks, CacheWrittenFunc func,
                                   gpointer user_data);

/* Octets on disk, and in memory. */
typedef struct {
    guint64 disk_octets;
    guint64 disk_limit; /* what goes beyond makes something go; 0: no disk */
    guint64 memory_octets;
    guint64 hits;   /* of cache_blocks_get */
    guint64 misses; /* likewise */
} CacheBlocksUse;
void cache_blocks_use(const CacheBlocks *blocks, CacheBlocksUse *use);
