/* Blocks in memory.
 *
 * One table by key and number. A block that is not pinned is linked into a
 * queue, too, the least recently used first.
 *
 * All blocks of a key are found by asking for each number up to the largest
 * seen: most keys have one block, and so the table needs no lists by key. */
#include "cache/memory-lru.h"

#include <malloc.h>
#include <string.h>

/* How much of what was dropped may lie in malloc's free lists: a share of the
 * bound, but no less than the minimum. Blocks are of all sizes, and without
 * trimming the heap was seen to grow to twice the bound. Not more often than
 * once in a while, for what is given back and needed again is a page fault. */
#define TRIM_SHARE 8
#define TRIM_MINIMUM (8u * 1024 * 1024)
#define TRIM_MS 300

struct CacheMemory {
    GHashTable *table; /* a set of CacheMemoryBlock, each a reference */
    GQueue kept;       /* those not pinned, the least recently used first */
    guint64 kept_octets;
    guint64 octets; /* with those pinned */
    guint64 max_octets;
    guint64 freed; /* octets, since malloc was last trimmed */
    guint trim;    /* a timer, or 0 */
    guint32 max_number;
    CacheMemoryFunc dropped;
    gpointer user_data;
};

static guint
hash_of(const char *key, guint32 number)
{
    return g_str_hash(key) ^ (number * 2654435761u);
}

static guint
block_hash(gconstpointer data)
{
    return ((const CacheMemoryBlock *)data)->hash;
}

static gboolean
block_equal(gconstpointer a, gconstpointer b)
{
    const CacheMemoryBlock *left = a;
    const CacheMemoryBlock *right = b;

    return left->number == right->number && strcmp(left->key, right->key) == 0;
}

CacheMemory *
cache_memory_new(guint64 max_octets)
{
    CacheMemory *memory = g_new0(CacheMemory, 1);

    memory->table = g_hash_table_new(block_hash, block_equal);
    memory->max_octets = max_octets;
    return memory;
}

static guint64
weight(const CacheMemoryBlock *block)
{
    return g_bytes_get_size(block->data) + sizeof(CacheMemoryBlock) +
           strlen(block->key) + 1;
}

CacheMemoryBlock *
cache_memory_block_ref(CacheMemoryBlock *block)
{
    block->references++;
    return block;
}

void
cache_memory_block_unref(CacheMemoryBlock *block)
{
    if (--block->references > 0)
        return;
    g_clear_pointer(&block->data, g_bytes_unref);
    g_free(block);
}

static gboolean
on_trim(gpointer user_data)
{
    CacheMemory *memory = user_data;

    memory->trim = 0;
    memory->freed = 0;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return G_SOURCE_REMOVE;
}

static void
count_freed(CacheMemory *memory, guint64 octets)
{
    memory->freed += octets;
    if (memory->trim == 0 &&
        memory->freed >= MAX(memory->max_octets / TRIM_SHARE, TRIM_MINIMUM))
        memory->trim = g_timeout_add(TRIM_MS, on_trim, memory);
}

static void
unlist(CacheMemory *memory, CacheMemoryBlock *block)
{
    guint64 octets = weight(block);

    g_hash_table_remove(memory->table, block);
    memory->octets -= octets;
    if (!block->pinned) {
        g_queue_unlink(&memory->kept, &block->link);
        memory->kept_octets -= octets;
    }
    block->listed = FALSE;
    if (g_hash_table_size(memory->table) == 0)
        memory->max_number = 0;
    cache_memory_block_unref(block);
    count_freed(memory, octets);
}

static void
drop(CacheMemory *memory, CacheMemoryBlock *block)
{
    cache_memory_block_ref(block);
    unlist(memory, block);
    if (memory->dropped != NULL)
        memory->dropped(block, memory->user_data);
    cache_memory_block_unref(block);
}

void
cache_memory_free(CacheMemory *memory)
{
    GHashTableIter iter;
    gpointer block;

    if (memory == NULL)
        return;
    g_hash_table_iter_init(&iter, memory->table);
    while (g_hash_table_iter_next(&iter, &block, NULL)) {
        g_hash_table_iter_steal(&iter);
        cache_memory_block_unref(block);
    }
    g_clear_handle_id(&memory->trim, g_source_remove);
    g_hash_table_unref(memory->table);
    g_free(memory);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void
cache_memory_set_dropped_func(CacheMemory *memory, CacheMemoryFunc func,
                              gpointer user_data)
{
    memory->dropped = func;
    memory->user_data = user_data;
}

/* A look-up needs a block to compare with: one that begins as a block does. */
static CacheMemoryBlock *
look_up(CacheMemory *memory, const char *key, guint32 number)
{
    guint64 room[(sizeof(CacheMemoryBlock) + 512) / sizeof(guint64)];
    CacheMemoryBlock *wanted = (CacheMemoryBlock *)room;
    gsize length = strlen(key) + 1;

    if (length > sizeof(room) - sizeof(CacheMemoryBlock))
        return NULL;
    wanted->number = number;
    wanted->hash = hash_of(key, number);
    memcpy(wanted->key, key, length);
    return g_hash_table_lookup(memory->table, wanted);
}

CacheMemoryBlock *
cache_memory_find(CacheMemory *memory, const char *key, guint32 number,
                  gboolean use)
{
    CacheMemoryBlock *block = look_up(memory, key, number);

    if (block != NULL && use && !block->pinned) {
        g_queue_unlink(&memory->kept, &block->link);
        g_queue_push_tail_link(&memory->kept, &block->link);
    }
    return block;
}

static void
keep(CacheMemory *memory, CacheMemoryBlock *block)
{
    memory->kept_octets += weight(block);
    g_queue_push_tail_link(&memory->kept, &block->link);
    while (memory->kept_octets > memory->max_octets)
        unlist(memory, g_queue_peek_head(&memory->kept));
}

CacheMemoryBlock *
cache_memory_put(CacheMemory *memory, const char *key, guint32 number,
                 GBytes *data, gboolean pinned)
{
    gsize length = strlen(key) + 1;
    CacheMemoryBlock *old = look_up(memory, key, number);
    CacheMemoryBlock *block = g_malloc0(sizeof(CacheMemoryBlock) + length);

    if (old != NULL)
        drop(memory, old);
    memcpy(block->key, key, length);
    block->number = number;
    block->hash = hash_of(key, number);
    block->data = g_bytes_ref(data);
    block->references = 1;
    block->listed = TRUE;
    block->pinned = pinned;
    block->link.data = block;

    g_hash_table_add(memory->table, block);
    memory->octets += weight(block);
    memory->max_number = MAX(memory->max_number, number);
    if (!pinned)
        keep(memory, block);
    return block;
}

void
cache_memory_unpin(CacheMemory *memory, CacheMemoryBlock *block)
{
    if (!block->pinned)
        return;
    block->pinned = FALSE;
    keep(memory, block);
}

static void
remove_by_walk(CacheMemory *memory, const char *key)
{
    g_autoptr(GList) all = g_hash_table_get_keys(memory->table);

    for (GList *l = all; l != NULL; l = l->next) {
        CacheMemoryBlock *block = l->data;

        if (strcmp(block->key, key) == 0)
            drop(memory, block);
    }
}

void
cache_memory_remove(CacheMemory *memory, const char *key)
{
    guint32 last = memory->max_number;

    if (last > g_hash_table_size(memory->table)) {
        remove_by_walk(memory, key);
        return;
    }
    for (guint32 i = 0; i <= last; i++) {
        CacheMemoryBlock *block = look_up(memory, key, i);

        if (block != NULL)
            drop(memory, block);
    }
}

guint64
cache_memory_octets(const CacheMemory *memory)
{
    return memory->octets;
}
