/* The writing side of the blocks on disk: segments, their table, the bound.
 *
 * Used by one thread at a time: the store thread, but for opening and closing.
 * After a failure it is only good for being closed, and opened anew.
 *
 * What goes when the segments exceed their share of the disk:
 * - Blocks are written to cold segments. The oldest cold segment goes first.
 * - A block is hot when it was read at least a second after it was last read
 *   (see cache/block-reader.h). Hot blocks of a cold segment that goes are
 *   copied to a hot segment before; the others are forgotten.
 * - Hot segments may have two thirds of the bound. Beyond that, the one whose
 *   blocks were all used longest ago goes, whole.
 * So a scan of any length, reading each block once, flushes cold segments only;
 * and a third is left to what is new.
 *
 * A segment is written up to a size of bound / 64, from 1 to 32 MiB. Segments
 * go while they have more than the bound less one segment (at most a quarter of
 * the bound): there is room to copy to, and to go on writing. A segment that no
 * block is left in goes at once. */
#pragma once

#include "cache/block-table.h"

#include <glib.h>

typedef struct CacheBlockStore CacheBlockStore;

/* A block to be written, or a key to be removed. Borrowed. */
typedef struct {
    const char *key;
    guint32 number;
    GBytes *data;          /* NULL: the whole key goes */
    CacheBlockPlace place; /* its state is read, the rest set */
} CacheBlockChange;

typedef struct {
    GArray *changes; /* of CacheBlockChange, in order */
    GArray *marks;   /* of CacheBlockPlace: states */
    GArray *lost;    /* of CacheBlockPlace: to be forgotten */
    GArray *touched; /* of guint32: segments that blocks were used of */
} CacheBlockBatch;

/* Makes what is not there, deletes what no row refers to. */
CacheBlockStore *cache_block_store_open(const char *directory,
                                        guint64 max_octets, GError **error);
void cache_block_store_close(CacheBlockStore *store); /* accepts NULL */

/* All or nothing. */
gboolean cache_block_store_write(CacheBlockStore *store, CacheBlockBatch *batch,
                                 GError **error);

/* A step, of a few milliseconds, towards fewer octets. For while there are more
 * than cache_block_store_evict_above. */
gboolean cache_block_store_evict(CacheBlockStore *store, GError **error);

/* Of CacheSegment, by number. Caller owns a copy. */
GArray *cache_block_store_segments(const CacheBlockStore *store);

guint64 cache_block_store_segment_size(guint64 max_octets);
guint64 cache_block_store_evict_above(guint64 max_octets);
