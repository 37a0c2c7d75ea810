/* The octets of messages that were stored by this machine.
 *
 * The name of their blocks has the size in it: what the server says to be of
 * another size is another message. They get the name of the message when that
 * is known, for it may be one by the content, which the server alone gives.
 *
 * Each message that is opened is asked for, so a mailbox has a mark, in the
 * cache as well, if octets of its messages were put aside. If the cache has
 * dropped that, they are fetched. */
#include "fs/bodies/stored-body.h"

#include "fs/bodies/message-bodies-private.h"

/* What is copied at once, on the main loop. */
#define BLOCKS_MAX 32u
/* The disk is behind. */
#define UNWRITTEN_MAX (16u * 1024 * 1024)

/* Their one block says that the server can be relied on; or that it was seen to
 * change what it stores. */
#define TRUST_KEY "stored"
#define DISTRUST_KEY "stored otherwise"

/* What is known of a mailbox; 0: nothing yet. */
enum { NOTHING_STORED = 1, SOME_STORED };

static char *
mark_of(guint32 mailbox)
{
    return g_strdup_printf("stored:%u", mailbox);
}

static void
put_mark(FsMessageBodies *bodies, const char *key)
{
    g_autoptr(GBytes) mark = g_bytes_new_static("y", 1);

    cache_blocks_put(bodies->account->blocks, key, 0, mark);
}

static void
remember(FsMessageBodies *bodies, guint32 mailbox, guint what)
{
    g_hash_table_insert(bodies->stored_in, GUINT_TO_POINTER(mailbox),
                        GUINT_TO_POINTER(what));
}

static gboolean
may_hold(FsMessageBodies *bodies, guint32 mailbox)
{
    gpointer known =
        g_hash_table_lookup(bodies->stored_in, GUINT_TO_POINTER(mailbox));
    guint what = GPOINTER_TO_UINT(known);

    if (what == 0) {
        g_autofree char *mark = mark_of(mailbox);

        what = cache_blocks_has(bodies->account->blocks, mark, 0)
                   ? SOME_STORED
                   : NOTHING_STORED;
        remember(bodies, mailbox, what);
    }
    return what == SOME_STORED;
}

static char *
key_of(guint32 mailbox, guint32 uid, guint64 size)
{
    return g_strdup_printf("stored:%u:%u:%" G_GUINT64_FORMAT, mailbox, uid,
                           size);
}

static guint32
n_blocks(guint64 size)
{
    return (guint32)((size + CACHE_BLOCK_SIZE - 1) / CACHE_BLOCK_SIZE);
}

static gboolean
is_kept(guint64 size)
{
    return size > 0 && size <= (guint64)BLOCKS_MAX * CACHE_BLOCK_SIZE;
}

static GBytes *
read_block(CacheSpoolFile *file, guint32 number)
{
    guint64 offset = (guint64)number * CACHE_BLOCK_SIZE;
    gsize length = MIN(CACHE_BLOCK_SIZE, cache_spool_file_size(file) - offset);
    g_autofree guint8 *data = g_malloc(length);

    for (gsize filled = 0; filled < length;) {
        gssize got = cache_spool_file_read(file, offset + filled, data + filled,
                                           length - filled, NULL);

        if (got <= 0)
            return NULL;
        filled += (gsize)got;
    }
    return g_bytes_new_take(g_steal_pointer(&data), length);
}

void
fs_stored_body_keep(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                    CacheSpoolFile *file)
{
    CacheBlocks *blocks = bodies->account->blocks;
    guint64 size = cache_spool_file_size(file);
    g_autofree char *key = key_of(mailbox, uid, size);
    g_autofree char *mark = mark_of(mailbox);

    if (fs_stored_body_is_distrusted(bodies) || !is_kept(size) ||
        cache_blocks_room(blocks) < size ||
        cache_blocks_unwritten(blocks) > UNWRITTEN_MAX)
        return;
    for (guint32 i = 0; i < n_blocks(size); i++) {
        g_autoptr(GBytes) block = read_block(file, i);

        if (block == NULL) {
            cache_blocks_remove(blocks, key);
            return;
        }
        cache_blocks_put(blocks, key, i, block);
    }
    if (!may_hold(bodies, mailbox))
        put_mark(bodies, mark);
    remember(bodies, mailbox, SOME_STORED);
}

gboolean
fs_stored_body_is_trusted(FsMessageBodies *bodies)
{
    return cache_blocks_has(bodies->account->blocks, TRUST_KEY, 0);
}

gboolean
fs_stored_body_is_distrusted(FsMessageBodies *bodies)
{
    return cache_blocks_has(bodies->account->blocks, DISTRUST_KEY, 0);
}

void
fs_stored_body_trust(FsMessageBodies *bodies, gboolean trusted)
{
    cache_blocks_remove(bodies->account->blocks,
                        trusted ? DISTRUST_KEY : TRUST_KEY);
    put_mark(bodies, trusted ? TRUST_KEY : DISTRUST_KEY);
}

/* The name of what was put aside for @message, if it can be relied on; NULL:
 * there is nothing. Caller frees. */
static char *
find_kept(FsMessageBodies *bodies, guint32 mailbox, const CacheMessage *message)
{
    CacheBlocks *blocks = bodies->account->blocks;
    g_autofree char *kept = NULL;

    if (!is_kept(message->size) || !may_hold(bodies, mailbox) ||
        !fs_stored_body_is_trusted(bodies))
        return NULL;
    kept = key_of(mailbox, message->uid, message->size);
    for (guint32 i = 0; i < n_blocks(message->size); i++)
        if (!cache_blocks_has(blocks, kept, i))
            return NULL;
    return g_steal_pointer(&kept);
}

gboolean
fs_stored_body_has(FsMessageBodies *bodies, guint32 mailbox,
                   const CacheMessage *message)
{
    g_autofree char *kept = find_kept(bodies, mailbox, message);

    return kept != NULL;
}

void
fs_stored_body_drop(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                    guint64 size)
{
    g_autofree char *kept = key_of(mailbox, uid, size);

    if (is_kept(size) && may_hold(bodies, mailbox) &&
        cache_blocks_has(bodies->account->blocks, kept, 0))
        cache_blocks_remove(bodies->account->blocks, kept);
}

gboolean
fs_stored_body_take(FsMessageBodies *bodies, guint32 mailbox,
                    const CacheMessage *message)
{
    CacheBlocks *blocks = bodies->account->blocks;
    g_autofree char *kept = find_kept(bodies, mailbox, message);
    g_autofree char *key = NULL;

    if (kept == NULL)
        return FALSE;
    key = fs_message_key(mailbox, message);
    for (guint32 i = 0; i < n_blocks(message->size); i++) {
        g_autoptr(GBytes) block = fs_block_get(bodies, kept, message->size, i);

        if (block == NULL)
            return FALSE;
        cache_blocks_put(blocks, key, i, block);
    }
    cache_blocks_remove(blocks, kept);
    return TRUE;
}
