/* Blocks in memory: those that wait to be written, which stay, and the others,
 * of which the last used stay. */
#pragma once

#include "cache/segment.h"

#include <glib.h>

typedef struct CacheMemory CacheMemory;

/* Listed, or held by a reference, or both. */
typedef struct {
    GBytes *data; /* owned; NULL once dropped before it was sent */
    guint32 number;
    guint hash;
    guint references;
    gboolean listed;       /* what cache_memory_find finds */
    gboolean pinned;       /* not written: stays, and counts for no bound */
    gboolean sent;         /* the store thread has it */
    CacheBlockState state; /* from reads while pinned */
    gint64 read_at;        /* microseconds, of the last of those; 0: none */
    GList link;            /* listed and not pinned */
    char key[];
} CacheMemoryBlock;

CacheMemory *cache_memory_new(guint64 max_octets);
void cache_memory_free(CacheMemory *memory); /* accepts NULL */

CacheMemoryBlock *cache_memory_block_ref(CacheMemoryBlock *block);
void cache_memory_block_unref(CacheMemoryBlock *block);

/* Borrowed; NULL if there is none. Counts as a use if @use. */
CacheMemoryBlock *cache_memory_find(CacheMemory *memory, const char *key,
                                    guint32 number, gboolean use);

/* In place of an older one. Borrowed, and valid if @pinned; one that is not may
 * have been dropped already. */
CacheMemoryBlock *cache_memory_put(CacheMemory *memory, const char *key,
                                   guint32 number, GBytes *data,
                                   gboolean pinned);

/* From now on it stays as long as there is room. It must be listed. */
void cache_memory_unpin(CacheMemory *memory, CacheMemoryBlock *block);

/* What runs for each block that leaves the table other than for want of room:
 * replaced, or removed. At most one. */
typedef void (*CacheMemoryFunc)(CacheMemoryBlock *block, gpointer user_data);
void cache_memory_set_dropped_func(CacheMemory *memory, CacheMemoryFunc func,
                                   gpointer user_data);

/* Drops every block of @key. */
void cache_memory_remove(CacheMemory *memory, const char *key);

/* Of all that is listed. */
guint64 cache_memory_octets(const CacheMemory *memory);
