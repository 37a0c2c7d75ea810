/* The table that says where each block lies: blocks.db.
 *
 * One writer, on the store thread; one reader, on the main loop. Whatever fails
 * sets an error of cache_database_set_error's. */
#pragma once

#include "cache/segment.h"

#include <glib.h>

typedef struct CacheBlockTable CacheBlockTable;

/* A segment file, as the table has it. */
typedef struct {
    guint32 number;
    gboolean hot;
    guint64 octets; /* up to which it is written */
    guint64 live;   /* of those, what blocks have */
    guint64 used;   /* larger: used later. Of hot ones. */
} CacheSegment;

typedef struct {
    char *key; /* owned */
    guint32 number;
    CacheBlockPlace place;
} CacheBlockRow;
void cache_block_row_clear(CacheBlockRow *row);

/* Set aside and made anew if it is damaged, or not ours. */
CacheBlockTable *cache_block_table_open(const char *directory, GError **error);
CacheBlockTable *cache_block_table_open_reader(const char *directory,
                                               GError **error);
void cache_block_table_close(CacheBlockTable *table); /* accepts NULL */
/* To be made anew when next opened. All connections must be closed. */
void cache_block_table_set_aside(const char *directory);

/* FALSE without an error: there is none. */
gboolean cache_block_table_find(CacheBlockTable *table, const char *key,
                                guint32 number, CacheBlockPlace *place,
                                GError **error);

/* ---- the writer's ---- */

/* Fails with CACHE_ERROR_IO if somebody renamed or deleted the file. */
gboolean cache_block_table_begin(CacheBlockTable *table, GError **error);
gboolean cache_block_table_commit(CacheBlockTable *table, GError **error);
void cache_block_table_roll_back(CacheBlockTable *table);

gboolean cache_block_table_insert(CacheBlockTable *table, const char *key,
                                  guint32 number, const CacheBlockPlace *place,
                                  GError **error);
/* These append the place of each block removed to @removed, of
 * CacheBlockPlace. */
gboolean cache_block_table_remove(CacheBlockTable *table, const char *key,
                                  guint32 number, GArray *removed,
                                  GError **error);
gboolean cache_block_table_remove_key(CacheBlockTable *table, const char *key,
                                      GArray *removed, GError **error);
gboolean cache_block_table_remove_place(CacheBlockTable *table,
                                        const CacheBlockPlace *place,
                                        GArray *removed, GError **error);
/* At most @limit of a segment's blocks, in any order. */
gboolean cache_block_table_remove_some(CacheBlockTable *table, guint32 segment,
                                       guint limit, GArray *removed,
                                       GError **error);

/* The state of the block at @place becomes its, unless it is further. */
gboolean cache_block_table_mark(CacheBlockTable *table,
                                const CacheBlockPlace *place, GError **error);
/* At most @limit hot blocks of @segment from @offset on, in order, as
 * CacheBlockRow. */
gboolean cache_block_table_list_hot(CacheBlockTable *table, guint32 segment,
                                    guint32 offset, guint limit, GArray *rows,
                                    GError **error);
gboolean cache_block_table_move(CacheBlockTable *table,
                                const CacheBlockPlace *from,
                                const CacheBlockPlace *to, GError **error);

/* Appends CacheSegment, by number. */
gboolean cache_block_table_load_segments(CacheBlockTable *table,
                                         GArray *segments, GError **error);
gboolean cache_block_table_save_segment(CacheBlockTable *table,
                                        const CacheSegment *segment,
                                        GError **error);
gboolean cache_block_table_remove_segment(CacheBlockTable *table,
                                          guint32 number, GError **error);
