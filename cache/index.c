/* Mailboxes and messages, as callers see them.
 *
 * A mailbox's messages are records in chunks, sorted by UID; a chunk that the
 * disk has may be away from memory. Reading one may find the disk damaged, and
 * then the mailbox is gone: everything here that looks for a message may fail
 * so, and leaves the mailbox alone from there on. */
#include "cache/index.h"

#include "cache/index-order.h"
#include "cache/index-private.h"

static const CacheIndexLimits default_limits = {
    .chunk_length = 102, /* just below 4 KiB */
    .clean_bytes = 3u * 1024 * 1024,
    .batch_changes = 2000,
    .batch_delay_ms = 100,
};

static Mailbox *
find_mailbox(const CacheIndex *index, guint32 mailbox)
{
    return g_hash_table_lookup(index->mailboxes, GUINT_TO_POINTER(mailbox));
}

static Chunk *
chunk_at(const Mailbox *mailbox, guint i)
{
    return g_ptr_array_index(mailbox->chunks, i);
}

CacheIndex *
cache_index_new_with_limits(const char *directory, CacheStoreThread *thread,
                            const CacheIndexLimits *limits)
{
    CacheIndex *index = g_new0(CacheIndex, 1);

    index->limits = *limits;
    index->context = g_main_context_ref_thread_default();
    index->thread = thread;
    index->mailboxes = g_hash_table_new(NULL, NULL);
    index->changed = g_hash_table_new(NULL, NULL);
    index->lost = g_hash_table_new(NULL, NULL);
    index->dropped = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_queue_init(&index->clean);
    g_queue_init(&index->flushes);
    g_queue_init(&index->orders);
    index->next_number = 1;
    if (directory != NULL)
        cache_index_start(index, directory);
    return index;
}

CacheIndex *
cache_index_new(const char *directory, CacheStoreThread *thread)
{
    return cache_index_new_with_limits(directory, thread, &default_limits);
}

void
cache_index_free(CacheIndex *index)
{
    GHashTableIter iter;
    gpointer mailbox;

    if (index == NULL)
        return;
    cache_index_stop(index);
    g_hash_table_iter_init(&iter, index->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &mailbox))
        cache_index_free_mailbox(index, mailbox);
    g_clear_pointer(&index->shown, cache_index_release_chunk);
    g_hash_table_unref(index->mailboxes);
    g_hash_table_unref(index->changed);
    g_hash_table_unref(index->lost);
    g_array_unref(index->dropped);
    g_main_context_unref(index->context);
    g_clear_error(&index->error);
    g_free(index->path);
    g_free(index);
}

gboolean
cache_index_mailbox(CacheIndex *index, guint32 mailbox, CacheMailbox *result)
{
    const Mailbox *found = find_mailbox(index, mailbox);

    if (found == NULL)
        return FALSE;
    *result = found->state;
    return TRUE;
}

void
cache_index_set_mailbox(CacheIndex *index, guint32 mailbox,
                        const CacheMailbox *state)
{
    Mailbox *found = find_mailbox(index, mailbox);

    if (g_hash_table_contains(index->lost, GUINT_TO_POINTER(mailbox)))
        return;
    if (found == NULL) {
        found = cache_index_new_mailbox(
            mailbox, g_ptr_array_new_with_free_func(cache_index_release_chunk));
        g_hash_table_insert(index->mailboxes, GUINT_TO_POINTER(mailbox), found);
    }
    found->state = *state;
    cache_index_changed(index, found);
}

void
cache_index_drop_mailbox(CacheIndex *index, guint32 mailbox)
{
    Mailbox *found = find_mailbox(index, mailbox);

    g_hash_table_remove(index->lost, GUINT_TO_POINTER(mailbox));
    if (found == NULL)
        return;
    index->n_messages -= found->n_messages;
    index->n_octets -= found->n_octets;
    g_hash_table_remove(index->mailboxes, GUINT_TO_POINTER(mailbox));
    g_hash_table_remove(index->changed, GUINT_TO_POINTER(mailbox));
    cache_index_free_mailbox(index, found);
    if (index->writing)
        g_array_append_val(index->dropped, mailbox);
    cache_index_changed(index, NULL);
}

void
cache_index_set_lost_func(CacheIndex *index, CacheLostFunc func,
                          gpointer user_data)
{
    index->lost_func = func;
    index->lost_data = user_data;
}

static void
count(CacheIndex *index, Mailbox *mailbox, Chunk *chunk, guint64 messages,
      guint64 octets)
{
    chunk->stub.octets += octets;
    mailbox->n_messages += messages;
    mailbox->n_octets += octets;
    index->n_messages += messages;
    index->n_octets += octets;
}

static void
replace(CacheIndex *index, Mailbox *mailbox, const Position *position,
        const CacheMessage *message)
{
    Chunk *chunk = chunk_at(mailbox, position->chunk);
    CacheMessage old;

    cache_records_show(chunk->records, position->record, &old);
    cache_index_pin_chunk(index, chunk);
    count(index, mailbox, chunk, 0,
          MIN(message->size, CACHE_SIZE_MAX) - old.size);
    cache_records_replace(chunk->records, position->record, message);
    cache_index_chunk_changed(index, mailbox, position->chunk);
}

static void
insert(CacheIndex *index, Mailbox *mailbox, Position *position,
       const CacheMessage *message)
{
    /* They may be borrowed from records that are to be split. */
    g_autofree char *stem = g_strdup(message->stem);
    g_autofree char *flags = g_strdup(message->flags);
    g_autofree char *identity = g_strdup(message->identity);
    CacheMessage copy = *message;
    Chunk *chunk;

    copy.stem = stem;
    copy.flags = flags;
    copy.identity = identity;
    cache_index_make_room(index, mailbox, position);
    chunk = chunk_at(mailbox, position->chunk);
    cache_index_pin_chunk(index, chunk);
    count(index, mailbox, chunk, 1, MIN(message->size, CACHE_SIZE_MAX));
    cache_records_insert(chunk->records, position->record, &copy);
    cache_index_chunk_changed(index, mailbox, position->chunk);
}

/* Where new mail goes, a chunk that is full need not be read. */
static gboolean
fits_last_chunk(const CacheIndex *index, const Mailbox *mailbox, guint32 uid)
{
    const Chunk *last;

    if (mailbox->chunks == NULL || mailbox->chunks->len == 0)
        return TRUE;
    last = chunk_at(mailbox, mailbox->chunks->len - 1);
    return uid <= last->stub.last ||
           last->stub.length < index->limits.chunk_length;
}

void
cache_index_put(CacheIndex *index, guint32 mailbox, const CacheMessage *message)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL || message->uid == 0 ||
        !cache_index_load_mailbox(index, found) ||
        !cache_index_find(index, found, message->uid,
                          fits_last_chunk(index, found, message->uid),
                          &position))
        return;
    if (position.found)
        replace(index, found, &position, message);
    else
        insert(index, found, &position, message);
    cache_index_changed(index, found);
}

void
cache_index_remove(CacheIndex *index, guint32 mailbox, guint32 uid)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Position position;
    CacheMessage old;
    Chunk *chunk;

    if (found == NULL ||
        !cache_index_find(index, found, uid, FALSE, &position) ||
        !position.found)
        return;

    chunk = chunk_at(found, position.chunk);
    cache_records_show(chunk->records, position.record, &old);
    cache_index_pin_chunk(index, chunk);
    count(index, found, chunk, (guint64)-1, -old.size);
    cache_records_remove(chunk->records, position.record);
    cache_index_chunk_changed(index, found, position.chunk);
    cache_index_changed(index, found);
}

guint
cache_index_count(CacheIndex *index, guint32 mailbox)
{
    const Mailbox *found = find_mailbox(index, mailbox);

    return found != NULL ? (guint)found->n_messages : 0;
}

static void
show(CacheIndex *index, Chunk *chunk, guint record, CacheMessage *result)
{
    if (chunk != index->shown) {
        g_clear_pointer(&index->shown, cache_index_release_chunk);
        index->shown = g_rc_box_acquire(chunk);
    }
    cache_records_show(chunk->records, record, result);
}

gboolean
cache_index_message(CacheIndex *index, guint32 mailbox, guint32 uid,
                    CacheMessage *result)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL ||
        !cache_index_find(index, found, uid, FALSE, &position) ||
        !position.found)
        return FALSE;
    show(index, chunk_at(found, position.chunk), position.record, result);
    return TRUE;
}

gboolean
cache_index_next(CacheIndex *index, guint32 mailbox, guint32 after,
                 CacheMessage *result)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL || found->n_messages == 0 || after == G_MAXUINT32 ||
        !cache_index_find(index, found, after, FALSE, &position))
        return FALSE;
    position.record += position.found;
    if (position.record >= chunk_at(found, position.chunk)->stub.length) {
        position.chunk++;
        position.record = 0;
    }
    if (position.chunk == found->chunks->len ||
        !cache_index_load_chunk(index, found, position.chunk))
        return FALSE;
    show(index, chunk_at(found, position.chunk), position.record, result);
    return TRUE;
}

void
cache_index_totals(const CacheIndex *index, guint64 *messages, guint64 *octets)
{
    *messages = index->n_messages;
    *octets = index->n_octets;
}

guint
cache_index_unwritten(const CacheIndex *index)
{
    return index->n_changes + index->n_writing;
}
