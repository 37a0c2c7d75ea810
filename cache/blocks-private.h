/* What blocks.c, which keeps blocks, and block-jobs.c, which has them written,
 * share. Theirs alone. */
#pragma once

#include "cache/block-reader.h"
#include "cache/block-store.h"
#include "cache/blocks.h"
#include "cache/memory-lru.h"

/* So long a change waits for others. */
#define CACHE_BLOCKS_ENOUGH_US (20 * (gint64)1000)
/* So many notes about use are kept. */
#define CACHE_BLOCKS_NOTES_MAX 8192u

typedef struct {
    CacheMemoryBlock *block; /* a reference; NULL: @key goes */
    char *key;               /* owned */
} CacheQueuedChange;

struct CacheBlocks {
    char *directory; /* NULL: memory only */
    guint64 max_octets;
    guint64 memory_octets; /* at most */
    CacheStoreThread *thread;
    CacheMemory *memory;
    CacheBlockReader *reader; /* NULL: nothing on disk can be read */
    CacheBlockStore *store;   /* NULL: nothing can be written; the job's while
                                 there is one */
    GQueue changes; /* of CacheQueuedChange, not yet with the store thread */
    GHashTable *removing; /* key -> how many removals are not yet done */
    guint64 queued;       /* octets in @changes */
    guint64 unwritten;    /* with those in the job */
    gboolean busy;        /* the store thread has a job */
    gboolean evicted;     /* the last job was a step of eviction */
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

/* Whether all of @key is about to be removed. */
gboolean cache_blocks_is_removing(const CacheBlocks *blocks, const char *key);
void cache_blocks_queue_removal(CacheBlocks *blocks, const char *key);
void cache_block_change_free(gpointer change);
/* A change was queued, or there is more to note. */
void cache_blocks_queued(CacheBlocks *blocks);

/* Gives the store thread its next job, if there is one to be done now; with
 * @flush, all is to be done now. */
void cache_blocks_schedule(CacheBlocks *blocks, gboolean flush);
/* The timer is due in so many microseconds, if it is not before. */
void cache_blocks_arm(CacheBlocks *blocks, gint64 in_us);

/* A block that will not be written: what the disk has in its place is old. */
void cache_blocks_give_up(CacheBlocks *blocks, CacheMemoryBlock *block);
/* Nothing can be written, as @error says, for a while. */
void cache_blocks_begin_trouble(CacheBlocks *blocks, const GError *error);
