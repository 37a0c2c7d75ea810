/* Where the blocks lie that were last asked for: saves asking the table. */
#pragma once

#include "cache/segment.h"

#include <glib.h>

typedef struct CacheBlockPlaces CacheBlockPlaces;

typedef struct {
    guint64 hash;
    gint64 read_at; /* microseconds; 0: not known */
    CacheBlockPlace place;
} CacheKnownPlace;

CacheBlockPlaces *cache_block_places_new(void);
void cache_block_places_free(CacheBlockPlaces *places); /* accepts NULL */

/* Borrowed until the next call; NULL if not known. It may be that of another
 * block: the checksum of what lies there tells. */
CacheKnownPlace *cache_block_places_find(CacheBlockPlaces *places,
                                         const char *key, guint32 number);
CacheKnownPlace *cache_block_places_add(CacheBlockPlaces *places,
                                        const char *key, guint32 number,
                                        const CacheBlockPlace *place);
void cache_block_places_drop(CacheBlockPlaces *places, const char *key,
                             guint32 number);
void cache_block_places_drop_key(CacheBlockPlaces *places, const char *key);
