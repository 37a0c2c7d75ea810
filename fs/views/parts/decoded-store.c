/* Decoded forms in the cache.
 *
 * How large one is, is not known before it has been decoded, and then belongs
 * to it: the first block begins with it, and is put last. So what has a first
 * block was whole once. */
#include "fs/views/parts/decoded-store.h"

#include "fs/bodies/message-bodies.h"

#include <string.h>

/* Eight octets that say what this is, and eight that say how large. */
#define MARK "decoded1"
#define HEAD 16u

struct FsDecodedWriter {
    CacheBlocks *blocks;
    char *key;
    GByteArray *first; /* the block 0; NULL once it is finished */
    GByteArray *block; /* that which is being filled, if it is another */
    guint32 number;    /* of that */
    guint64 size;      /* octets so far */
};

char *
fs_decoded_key(guint32 mailbox, const CacheMessage *message, const char *what)
{
    g_autofree char *body = fs_message_key(mailbox, message);

    return g_strdup_printf("d:%s/%s", body, what);
}

/* ---- reading ---- */

static gboolean
read_head(GBytes *first, guint64 *size)
{
    const guint8 *data;
    gsize length;
    guint64 value;

    if (first == NULL)
        return FALSE;
    data = g_bytes_get_data(first, &length);
    if (length < HEAD || memcmp(data, MARK, strlen(MARK)) != 0)
        return FALSE;
    memcpy(&value, data + strlen(MARK), sizeof value);
    *size = GUINT64_FROM_LE(value);
    return *size <= G_MAXINT64 - HEAD &&
           length == MIN(*size + HEAD, CACHE_BLOCK_SIZE);
}

gboolean
fs_decoded_size(CacheBlocks *blocks, const char *key, guint64 *size)
{
    g_autoptr(GBytes) first = cache_blocks_get(blocks, key, 0);

    return read_head(first, size);
}

gssize
fs_decoded_read(CacheBlocks *blocks, const char *key, guint64 size,
                guint64 offset, void *buffer, gsize length)
{
    guint8 *to = buffer;
    guint64 at;
    guint64 end;

    if (offset >= size)
        return 0;
    at = offset + HEAD;
    end = MIN(size, offset + length) + HEAD;
    while (at < end) {
        gsize skip = at % CACHE_BLOCK_SIZE;
        gsize taken = MIN(CACHE_BLOCK_SIZE - skip, end - at);
        g_autoptr(GBytes) block =
            cache_blocks_get(blocks, key, (guint32)(at / CACHE_BLOCK_SIZE));

        if (block == NULL || g_bytes_get_size(block) < skip + taken)
            return -1;
        memcpy(to, (const guint8 *)g_bytes_get_data(block, NULL) + skip, taken);
        to += taken;
        at += taken;
    }
    return (gssize)(end - HEAD - offset);
}

GBytes *
fs_decoded_get_small(CacheBlocks *blocks, const char *key)
{
    g_autoptr(GBytes) first = cache_blocks_get(blocks, key, 0);
    guint64 size;

    if (!read_head(first, &size) || size == 0 || size > CACHE_BLOCK_SIZE - HEAD)
        return NULL;
    return g_bytes_new_from_bytes(first, HEAD, size);
}

GBytes *
fs_decoded_get(CacheBlocks *blocks, const char *key)
{
    g_autofree guint8 *data = NULL;
    guint64 size;

    if (!fs_decoded_size(blocks, key, &size))
        return NULL;
    data = g_malloc(size + 1);
    if (fs_decoded_read(blocks, key, size, 0, data, size) != (gssize)size)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), size);
}

/* ---- writing ---- */

FsDecodedWriter *
fs_decoded_writer_new(CacheBlocks *blocks, const char *key)
{
    FsDecodedWriter *writer = g_new0(FsDecodedWriter, 1);
    static const guint8 head[HEAD] = {0};

    writer->blocks = blocks;
    writer->key = g_strdup(key);
    writer->first = g_byte_array_new();
    g_byte_array_append(writer->first, head, HEAD);
    return writer;
}

void
fs_decoded_writer_free(FsDecodedWriter *writer)
{
    if (writer == NULL)
        return;
    g_clear_pointer(&writer->first, g_byte_array_unref);
    g_clear_pointer(&writer->block, g_byte_array_unref);
    g_free(writer->key);
    g_free(writer);
}

static void
put(FsDecodedWriter *writer, guint32 number, GByteArray *block)
{
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(block);

    cache_blocks_put(writer->blocks, writer->key, number, bytes);
}

void
fs_decoded_writer_append(FsDecodedWriter *writer, const void *data,
                         gsize length)
{
    const guint8 *at = data;

    writer->size += length;
    while (length > 0) {
        GByteArray *block = writer->number == 0 ? writer->first : writer->block;
        gsize taken = MIN(length, CACHE_BLOCK_SIZE - block->len);

        g_byte_array_append(block, at, (guint)taken);
        at += taken;
        length -= taken;
        if (block->len < CACHE_BLOCK_SIZE)
            continue;
        if (writer->number > 0)
            put(writer, writer->number, g_steal_pointer(&writer->block));
        writer->block = g_byte_array_new();
        writer->number++;
    }
}

guint64
fs_decoded_writer_finish(FsDecodedWriter *writer)
{
    guint64 size = GUINT64_TO_LE(writer->size);

    if (writer->block != NULL && writer->block->len > 0)
        put(writer, writer->number, g_steal_pointer(&writer->block));
    memcpy(writer->first->data, MARK, strlen(MARK));
    memcpy(writer->first->data + strlen(MARK), &size, sizeof size);
    put(writer, 0, g_steal_pointer(&writer->first));
    return writer->size;
}

void
fs_decoded_put(CacheBlocks *blocks, const char *key, const void *data,
               gsize length)
{
    g_autoptr(FsDecodedWriter) writer = fs_decoded_writer_new(blocks, key);

    fs_decoded_writer_append(writer, data, length);
    fs_decoded_writer_finish(writer);
}
