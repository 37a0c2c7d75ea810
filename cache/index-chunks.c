/* What of the messages is in memory: chunks that the disk does not have yet,
 * and of the others those used last. The rest are stubs.
 *
 * One array would do for a mailbox that only grows. But a server may list
 * messages in any order, and a user may delete 100,000 of a million: with
 * chunks an insertion or a removal moves a few kilobytes, not the mailbox. New
 * mail comes with ascending UIDs and fills chunk after chunk. */
#include "cache/index-private.h"

#include "cache/error.h"

#include <malloc.h>

/* Trimming takes some tenths of a millisecond. */
#define TRIM_BYTES (4u * 1024 * 1024)

static Chunk *
chunk_at(const Mailbox *mailbox, guint i)
{
    return g_ptr_array_index(mailbox->chunks, i);
}

static void
clear_chunk(gpointer data)
{
    Chunk *chunk = data;

    cache_records_free(chunk->records);
}

void
cache_index_release_chunk(gpointer chunk)
{
    g_rc_box_release_full(chunk, clear_chunk);
}

static Chunk *
new_chunk(CacheIndex *index, CacheRecords *records)
{
    Chunk *chunk = g_rc_box_new0(Chunk);

    chunk->stub.number = index->next_number++;
    chunk->records = records;
    return chunk;
}

Mailbox *
cache_index_new_mailbox(guint32 id, GPtrArray *chunks)
{
    Mailbox *mailbox = g_new0(Mailbox, 1);

    mailbox->id = id;
    mailbox->chunks = chunks;
    mailbox->dirty = g_ptr_array_new_with_free_func(cache_index_release_chunk);
    mailbox->removed = g_array_new(FALSE, FALSE, sizeof(guint64));
    return mailbox;
}

void
cache_index_pin_chunk(CacheIndex *index, Chunk *chunk)
{
    if (chunk->link.data == NULL)
        return;
    g_queue_unlink(&index->clean, &chunk->link);
    chunk->link.data = NULL;
    index->clean_bytes -= cache_records_bytes(chunk->records);
}

void
cache_index_free_mailbox(CacheIndex *index, Mailbox *mailbox)
{
    for (guint i = 0; mailbox->chunks != NULL && i < mailbox->chunks->len;
         i++) {
        Chunk *chunk = chunk_at(mailbox, i);

        cache_index_pin_chunk(index, chunk);
        chunk->removed = TRUE;
    }
    g_clear_pointer(&mailbox->chunks, g_ptr_array_unref);
    g_ptr_array_unref(mailbox->dirty);
    g_array_unref(mailbox->removed);
    g_free(mailbox);
}

static void
trim_memory(CacheIndex *index, gsize freed)
{
    index->freed_bytes += freed;
    if (index->freed_bytes < TRIM_BYTES)
        return;
    index->freed_bytes = 0;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* Records that are shown stay, whatever the bound. */
static void
evict(CacheIndex *index, const Chunk *needed)
{
    gsize before = index->clean_bytes;

    for (GList *l = index->clean.head, *next;
         l != NULL && index->clean_bytes > index->limits.clean_bytes;
         l = next) {
        Chunk *chunk = l->data;

        next = l->next;
        if (chunk == index->shown || chunk == needed)
            continue;
        cache_index_pin_chunk(index, chunk);
        g_clear_pointer(&chunk->records, cache_records_free);
    }
    trim_memory(index, before - index->clean_bytes);
}

static void
add_clean(CacheIndex *index, Chunk *chunk)
{
    chunk->link.data = chunk;
    g_queue_push_tail_link(&index->clean, &chunk->link);
    index->clean_bytes += cache_records_bytes(chunk->records);
    evict(index, chunk);
}

void
cache_index_chunk_written(CacheIndex *index, Chunk *chunk)
{
    chunk->writing = FALSE;
    if (!chunk->dirty && !chunk->removed && chunk->link.data == NULL)
        add_clean(index, chunk);
}

gboolean
cache_index_load_mailbox(CacheIndex *index, Mailbox *mailbox)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) stubs = NULL;
    guint64 n_messages = 0, n_octets = 0;

    if (mailbox->chunks != NULL)
        return TRUE;
    stubs = cache_index_database_read_stubs(index->reader, mailbox->id, &error);
    for (guint i = 0; stubs != NULL && i < stubs->len; i++) {
        n_messages += g_array_index(stubs, CacheChunkStub, i).length;
        n_octets += g_array_index(stubs, CacheChunkStub, i).octets;
    }
    if (stubs != NULL &&
        (n_messages != mailbox->n_messages || n_octets != mailbox->n_octets))
        g_set_error(&error, CACHE_ERROR, CACHE_ERROR_DAMAGED,
                    "%s has lost messages", index->path);
    if (error != NULL) {
        cache_index_lose(index, error);
        return FALSE;
    }

    mailbox->chunks =
        g_ptr_array_new_full(stubs->len, cache_index_release_chunk);
    for (guint i = 0; i < stubs->len; i++) {
        Chunk *chunk = g_rc_box_new0(Chunk);

        chunk->stub = g_array_index(stubs, CacheChunkStub, i);
        chunk->stored = TRUE;
        g_ptr_array_add(mailbox->chunks, chunk);
    }
    return TRUE;
}

gboolean
cache_index_load_chunk(CacheIndex *index, Mailbox *mailbox, guint i)
{
    Chunk *chunk = chunk_at(mailbox, i);
    g_autoptr(GError) error = NULL;

    if (chunk->records != NULL) {
        if (chunk->link.data != NULL) {
            g_queue_unlink(&index->clean, &chunk->link);
            g_queue_push_tail_link(&index->clean, &chunk->link);
        }
        return TRUE;
    }
    chunk->records = cache_index_database_read_records(
        index->reader, mailbox->id, &chunk->stub, &error);
    if (chunk->records == NULL) {
        cache_index_lose(index, error);
        return FALSE;
    }
    add_clean(index, chunk);
    return TRUE;
}

/* The last chunk that begins at or below @uid; the first if none does. */
static guint
find_chunk(const Mailbox *mailbox, guint32 uid)
{
    guint low = 0, high = mailbox->chunks->len;

    if (high > 0 && chunk_at(mailbox, high - 1)->stub.first <= uid)
        return high - 1;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;

        if (chunk_at(mailbox, middle)->stub.first <= uid)
            low = middle;
        else
            high = middle;
    }
    return low;
}

gboolean
cache_index_find(CacheIndex *index, Mailbox *mailbox, guint32 uid,
                 gboolean load, Position *position)
{
    const Chunk *chunk;

    *position = (Position){0};
    if (!cache_index_load_mailbox(index, mailbox))
        return FALSE;
    if (mailbox->chunks->len == 0)
        return TRUE;

    position->chunk = find_chunk(mailbox, uid);
    chunk = chunk_at(mailbox, position->chunk);
    if (!load && (uid < chunk->stub.first || uid > chunk->stub.last)) {
        position->record = uid < chunk->stub.first ? 0 : chunk->stub.length;
        return TRUE;
    }
    if (!cache_index_load_chunk(index, mailbox, position->chunk))
        return FALSE;
    position->record =
        cache_records_find(chunk->records, uid, &position->found);
    return TRUE;
}

static void
mark_dirty(CacheIndex *index, Mailbox *mailbox, Chunk *chunk)
{
    if (chunk->dirty)
        return;
    chunk->dirty = TRUE;
    if (index->writing)
        g_ptr_array_add(mailbox->dirty, g_rc_box_acquire(chunk));
}

static guint64
octets_of(const CacheRecords *records)
{
    guint64 octets = 0;

    for (guint i = 0; i < cache_records_length(records); i++) {
        CacheMessage message;

        cache_records_show(records, i, &message);
        octets += message.size;
    }
    return octets;
}

void
cache_index_make_room(CacheIndex *index, Mailbox *mailbox, Position *position)
{
    const guint max = index->limits.chunk_length;
    guint length;
    Chunk *full, *next;

    if (position->chunk == mailbox->chunks->len) {
        g_ptr_array_add(mailbox->chunks, new_chunk(index, cache_records_new()));
        return;
    }
    full = chunk_at(mailbox, position->chunk);
    length = full->stub.length;
    if (length < max)
        return;

    if (position->chunk + 1 == mailbox->chunks->len &&
        position->record == length) {
        g_ptr_array_add(mailbox->chunks, new_chunk(index, cache_records_new()));
        position->chunk++;
        position->record = 0;
        return;
    }
    cache_index_pin_chunk(index, full);
    next = new_chunk(index, cache_records_split(full->records, length / 2));
    next->stub.octets = octets_of(next->records);
    full->stub.octets -= next->stub.octets;
    g_ptr_array_insert(mailbox->chunks, (gint)position->chunk + 1, next);
    cache_index_chunk_changed(index, mailbox, position->chunk);
    cache_index_chunk_changed(index, mailbox, position->chunk + 1);
    if (position->record > length / 2) {
        position->chunk++;
        position->record -= length / 2;
    }
}

void
cache_index_chunk_changed(CacheIndex *index, Mailbox *mailbox, guint i)
{
    Chunk *chunk = chunk_at(mailbox, i);
    CacheChunkStub *stub = &chunk->stub;

    stub->length = cache_records_length(chunk->records);
    if (stub->length > 0) {
        stub->first = cache_records_uid(chunk->records, 0);
        stub->last = cache_records_uid(chunk->records, stub->length - 1);
        mark_dirty(index, mailbox, chunk);
        return;
    }
    chunk->removed = TRUE;
    if (index->writing && chunk->stored)
        g_array_append_val(mailbox->removed, stub->number);
    g_ptr_array_remove_index(mailbox->chunks, i);
}
