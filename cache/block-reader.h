/* The reading side of the blocks on disk, on the main loop.
 *
 * It knows where blocks lie, reads them, and remembers what is to be written
 * about that: which were read again, which are not what was written.
 *
 * A block is UNREAD until it is read first, then READ. It becomes HOT when it
 * is read again at least a second after it was last read; reads that follow
 * each other faster are one use: a large block is read in pieces. */
#pragma once

#include "cache/block-table.h"

#include <glib.h>

typedef struct CacheBlockReader CacheBlockReader;

CacheBlockReader *cache_block_reader_new(const char *directory, GError **error);
void cache_block_reader_free(CacheBlockReader *reader); /* accepts NULL */

/* The segments that there are now: of CacheSegment, by number (takes
 * ownership). */
void cache_block_reader_set_segments(CacheBlockReader *reader,
                                     GArray *segments);
guint64 cache_block_reader_octets(const CacheBlockReader *reader);

/* Whether the table has it. */
gboolean cache_block_reader_has(CacheBlockReader *reader, const char *key,
                                guint32 number);
/* The block, or NULL. One that the table has, and the disk has not, is lost
 * from then on. */
GBytes *cache_block_reader_get(CacheBlockReader *reader, const char *key,
                               guint32 number);
/* It was read elsewhere. */
void cache_block_reader_use(CacheBlockReader *reader, const char *key,
                            guint32 number);

/* The block now lies at @place; it was last read at @read_at (microseconds; 0:
 * not yet), and became what its state is then. */
void cache_block_reader_add(CacheBlockReader *reader, const char *key,
                            guint32 number, const CacheBlockPlace *place,
                            gint64 read_at);
/* The block, just added, was read while it was being written. */
void cache_block_reader_mark(CacheBlockReader *reader, const char *key,
                             guint32 number, CacheBlockState state);
void cache_block_reader_drop_key(CacheBlockReader *reader, const char *key);

/* What a read at @read_at of a block in @state, last read at @last (0: not
 * known), makes of it. */
CacheBlockState cache_block_state_after(CacheBlockState state, gint64 last,
                                        gint64 read_at);

/* Whether there is something to be written, and that; the caller owns the
 * arrays: see CacheBlockBatch. */
guint cache_block_reader_n_notes(const CacheBlockReader *reader);
void cache_block_reader_take_notes(CacheBlockReader *reader, GArray **marks,
                                   GArray **lost, GArray **touched);

/* The table cannot be read, and is to be made anew. */
gboolean cache_block_reader_is_damaged(const CacheBlockReader *reader);
