/* The bodies of messages, in blocks. For now in memory. */
#include "cache/blocks.h"

#include <string.h>

struct CacheBlocks {
    GHashTable *table; /* "KEY#N" -> GBytes */
    CacheBlocksUse use;
};

static void
unref_bytes(gpointer bytes)
{
    g_bytes_unref(bytes);
}

static char *
name_of(const char *key, guint32 number)
{
    return g_strdup_printf("%s#%u", key, number);
}

CacheBlocks *
cache_blocks_new(const char *directory, guint64 memory_bytes,
                 guint64 disk_bytes, CacheStoreThread *thread)
{
    CacheBlocks *blocks = g_new0(CacheBlocks, 1);

    blocks->table =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_bytes);
    return blocks;
}

void
cache_blocks_free(CacheBlocks *blocks)
{
    if (blocks == NULL)
        return;
    g_hash_table_unref(blocks->table);
    g_free(blocks);
}

GBytes *
cache_blocks_get(CacheBlocks *blocks, const char *key, guint32 number)
{
    g_autofree char *name = name_of(key, number);
    GBytes *bytes = g_hash_table_lookup(blocks->table, name);

    if (bytes == NULL)
        blocks->use.misses++;
    else
        blocks->use.hits++;
    return bytes != NULL ? g_bytes_ref(bytes) : NULL;
}

gboolean
cache_blocks_has(CacheBlocks *blocks, const char *key, guint32 number)
{
    g_autofree char *name = name_of(key, number);

    return g_hash_table_contains(blocks->table, name);
}

void
cache_blocks_put(CacheBlocks *blocks, const char *key, guint32 number,
                 GBytes *data)
{
    g_hash_table_replace(blocks->table, name_of(key, number),
                         g_bytes_ref(data));
}

static gboolean
is_of(gpointer name, gpointer bytes, gpointer key)
{
    return g_str_has_prefix(name, key) && ((char *)name)[strlen(key)] == '#';
}

void
cache_blocks_remove(CacheBlocks *blocks, const char *key)
{
    g_hash_table_foreach_remove(blocks->table, is_of, (gpointer)key);
}

guint64
cache_blocks_unwritten(const CacheBlocks *blocks)
{
    return 0;
}

void
cache_blocks_set_written_func(CacheBlocks *blocks, CacheWrittenFunc func,
                              gpointer user_data)
{
}

void
cache_blocks_use(const CacheBlocks *blocks, CacheBlocksUse *use)
{
    *use = blocks->use;
}
