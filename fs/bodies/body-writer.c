/* Octets of a message as they come, cut into blocks of the cache. */
#include "fs/bodies/body-writer.h"

#include <string.h>

/* Blocks that are held back in memory, of one message and in all; more are put
 * aside in the cache. */
#define HELD_MAX 4
#define ALL_HELD_MAX 16

static guint n_held;

struct FsBodyWriter {
    CacheBlocks *blocks;
    char *key;      /* NULL: blocks are held back */
    char *aside;    /* the name of those beyond HELD_MAX; its own */
    guint32 first;  /* block */
    guint32 number; /* of the block that is being filled */
    guint64 size;   /* octets in all */
    guint64 left;   /* octets to come */
    guint8 *block;  /* NULL: none begun */
    gsize filled;   /* octets of it */
    gsize capacity; /* it is full then */
    GBytes *held[HELD_MAX];
    gboolean has_put_aside;
};

FsBodyWriter *
fs_body_writer_new(CacheBlocks *blocks, const char *key, guint32 number,
                   guint64 size)
{
    static guint64 last_aside;
    FsBodyWriter *writer = g_new0(FsBodyWriter, 1);

    writer->blocks = blocks;
    writer->key = g_strdup(key);
    writer->aside = g_strdup_printf("aside:%" G_GUINT64_FORMAT, ++last_aside);
    writer->first = number;
    writer->number = number;
    writer->size = size;
    writer->left = size;
    return writer;
}

static GBytes *
take_held(FsBodyWriter *writer, guint32 index)
{
    if (index >= HELD_MAX || writer->held[index] == NULL)
        return NULL;
    n_held--;
    return g_steal_pointer(&writer->held[index]);
}

void
fs_body_writer_free(FsBodyWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->has_put_aside)
        cache_blocks_remove(writer->blocks, writer->aside);
    for (guint32 i = 0; i < HELD_MAX; i++)
        g_bytes_unref(take_held(writer, i));
    g_free(writer->block);
    g_free(writer->key);
    g_free(writer->aside);
    g_free(writer);
}

guint64
fs_body_writer_size(const FsBodyWriter *writer)
{
    return writer->size;
}

guint64
fs_body_writer_left(const FsBodyWriter *writer)
{
    return writer->left;
}

static void
end_block(FsBodyWriter *writer)
{
    g_autoptr(GBytes) bytes =
        g_bytes_new_take(g_steal_pointer(&writer->block), writer->filled);
    guint32 index = writer->number - writer->first;

    if (writer->key != NULL) {
        cache_blocks_put(writer->blocks, writer->key, writer->number, bytes);
    } else if (index < HELD_MAX && n_held < ALL_HELD_MAX) {
        writer->held[index] = g_steal_pointer(&bytes);
        n_held++;
    } else {
        cache_blocks_put(writer->blocks, writer->aside, index, bytes);
        writer->has_put_aside = TRUE;
    }
    writer->number++;
}

gboolean
fs_body_writer_append(FsBodyWriter *writer, const guint8 *data, gsize length)
{
    gboolean ended = FALSE;
    gsize taken;

    length = MIN(length, writer->left);
    for (; length > 0; data += taken, length -= taken) {
        if (writer->block == NULL) {
            writer->capacity = MIN(CACHE_BLOCK_SIZE, writer->left);
            writer->block = g_malloc(writer->capacity);
            writer->filled = 0;
        }
        taken = MIN(length, writer->capacity - writer->filled);
        memcpy(writer->block + writer->filled, data, taken);
        writer->filled += taken;
        writer->left -= taken;
        if (writer->filled == writer->capacity) {
            end_block(writer);
            ended = TRUE;
        }
    }
    return ended && writer->key != NULL;
}

gboolean
fs_body_writer_finish(FsBodyWriter *writer, const char *key)
{
    if (writer->left > 0)
        return FALSE;
    if (writer->key != NULL)
        return TRUE;
    for (guint32 i = 0; i < writer->number - writer->first; i++) {
        g_autoptr(GBytes) bytes = take_held(writer, i);

        if (bytes == NULL)
            bytes = cache_blocks_get(writer->blocks, writer->aside, i);
        if (bytes == NULL)
            return FALSE;
        cache_blocks_put(writer->blocks, key, writer->first + i, bytes);
    }
    return TRUE;
}
