/* Where the blocks lie that were last asked for.
 *
 * A table of sets of four, the last used first in each: half a megabyte at the
 * most, and no allocation for each block. A name is known by 64 bits of its
 * hash. */
#include "cache/block-places.h"

#define N_SETS 4096u
#define N_WAYS 4u

struct CacheBlockPlaces {
    CacheKnownPlace (*sets)[N_WAYS]; /* those with segment 0 are free */
    guint32 max_number;
};

CacheBlockPlaces *
cache_block_places_new(void)
{
    CacheBlockPlaces *places = g_new0(CacheBlockPlaces, 1);

    places->sets = g_malloc0_n(N_SETS, sizeof(*places->sets));
    return places;
}

void
cache_block_places_free(CacheBlockPlaces *places)
{
    if (places == NULL)
        return;
    g_free(places->sets);
    g_free(places);
}

/* FNV-1a, then the end of MurmurHash3, which mixes all bits. */
static guint64
hash_of(const char *key, guint32 number)
{
    guint64 hash = G_GUINT64_CONSTANT(0xcbf29ce484222325) ^ number;

    for (const char *p = key; *p != '\0'; p++)
        hash = (hash ^ (guint8)*p) * G_GUINT64_CONSTANT(0x100000001b3);
    hash =
        (hash ^ number ^ (hash >> 33)) * G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * G_GUINT64_CONSTANT(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

/* Moves the way @way to the front. */
static CacheKnownPlace *
bring_forward(CacheKnownPlace *set, guint way)
{
    CacheKnownPlace found = set[way];

    for (; way > 0; way--)
        set[way] = set[way - 1];
    set[0] = found;
    return set;
}

CacheKnownPlace *
cache_block_places_find(CacheBlockPlaces *places, const char *key,
                        guint32 number)
{
    guint64 hash = hash_of(key, number);
    CacheKnownPlace *set = places->sets[hash % N_SETS];

    for (guint way = 0; way < N_WAYS; way++)
        if (set[way].hash == hash && set[way].place.segment != 0)
            return bring_forward(set, way);
    return NULL;
}

CacheKnownPlace *
cache_block_places_add(CacheBlockPlaces *places, const char *key,
                       guint32 number, const CacheBlockPlace *place)
{
    guint64 hash = hash_of(key, number);
    CacheKnownPlace *set = places->sets[hash % N_SETS];
    CacheKnownPlace *known = cache_block_places_find(places, key, number);

    if (known == NULL)
        known = bring_forward(set, N_WAYS - 1);
    *known = (CacheKnownPlace){.hash = hash, .place = *place};
    places->max_number = MAX(places->max_number, number);
    return known;
}

void
cache_block_places_drop(CacheBlockPlaces *places, const char *key,
                        guint32 number)
{
    CacheKnownPlace *known = cache_block_places_find(places, key, number);

    if (known != NULL)
        known->place.segment = 0;
}

void
cache_block_places_drop_key(CacheBlockPlaces *places, const char *key)
{
    guint32 last = places->max_number;

    if (last >= N_SETS * N_WAYS) {
        for (guint i = 0; i < N_SETS * N_WAYS; i++)
            places->sets[i / N_WAYS][i % N_WAYS].place.segment = 0;
        places->max_number = 0;
        return;
    }
    for (guint32 i = 0; i <= last; i++)
        cache_block_places_drop(places, key, i);
}
