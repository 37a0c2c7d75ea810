/* Per mailbox, records sorted by UID in chunks of some hundred.
 *
 * One array would do for a mailbox that only grows. But a server may list
 * messages in any order, and a user may delete 100,000 of a million: with
 * chunks an insertion or a removal moves a few kilobytes, not the mailbox. New
 * mail comes with ascending UIDs and fills chunk after chunk.
 *
 * Nothing here is slow or can fail, so a flush has nothing to do but to keep
 * the promise of when it answers. */
#include "cache/index.h"

#define CHUNK_MAX 204u /* records: just below 8 KiB, to which GArray rounds */

typedef struct {
    guint32 uid;
    guint32 size_verified;
    guint64 size;
    gint64 internal_date;
    gint64 sent_date;
    char *stem; /* owned; NULL: not known */
    char *flags;
    char *identity;
} Record;

typedef struct {
    CacheMailbox state;
    GPtrArray *chunks; /* of GArray of Record, none empty, ascending */
    guint n_messages;
} Mailbox;

typedef struct {
    void (*done)(const GError *error, gpointer user_data);
    gpointer user_data;
} Flush;

struct CacheIndex {
    GHashTable *mailboxes; /* GUINT_TO_POINTER(mailbox) -> Mailbox, owned */
    guint64 n_messages;
    guint64 n_octets;
    GQueue flushes; /* of Flush */
    GSource *flush_source;
};

/* Where a message is, or would be inserted. */
typedef struct {
    guint chunk; /* chunks->len only if there is none */
    guint record;
    gboolean found;
} Position;

static void
clear_record(gpointer data)
{
    Record *record = data;

    g_free(record->stem);
    g_free(record->flags);
    g_free(record->identity);
}

static GArray *
new_chunk(void)
{
    GArray *chunk = g_array_new(FALSE, FALSE, sizeof(Record));

    g_array_set_clear_func(chunk, clear_record);
    return chunk;
}

static void
free_mailbox(gpointer data)
{
    Mailbox *mailbox = data;

    g_ptr_array_unref(mailbox->chunks);
    g_free(mailbox);
}

static Mailbox *
find_mailbox(const CacheIndex *index, guint32 mailbox)
{
    return g_hash_table_lookup(index->mailboxes, GUINT_TO_POINTER(mailbox));
}

static GArray *
chunk_at(const Mailbox *mailbox, guint i)
{
    return g_ptr_array_index(mailbox->chunks, i);
}

static Record *
record_at(const Mailbox *mailbox, guint chunk, guint i)
{
    return &g_array_index(chunk_at(mailbox, chunk), Record, i);
}

/* The last chunk that begins at or below @uid; the first if none does. */
static guint
find_chunk(const Mailbox *mailbox, guint32 uid)
{
    guint low = 0, high = mailbox->chunks->len;

    while (high - low > 1) {
        guint middle = low + (high - low) / 2;

        if (record_at(mailbox, middle, 0)->uid <= uid)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static Position
find_position(const Mailbox *mailbox, guint32 uid)
{
    Position position = {0};
    guint high;

    if (mailbox->chunks->len == 0)
        return position;

    position.chunk = find_chunk(mailbox, uid);
    high = chunk_at(mailbox, position.chunk)->len;
    /* Ascending UIDs: behind the last of all. */
    if (record_at(mailbox, position.chunk, high - 1)->uid < uid) {
        position.record = high;
        return position;
    }
    while (position.record < high) {
        guint middle = position.record + (high - position.record) / 2;

        if (record_at(mailbox, position.chunk, middle)->uid < uid)
            position.record = middle + 1;
        else
            high = middle;
    }
    position.found =
        record_at(mailbox, position.chunk, position.record)->uid == uid;
    return position;
}

/* Splits a full chunk in the middle, or, behind the last record of all, begins
 * a new one. */
static void
make_room(Mailbox *mailbox, Position *position)
{
    GArray *full, *next;

    if (position->chunk == mailbox->chunks->len) {
        g_ptr_array_add(mailbox->chunks, new_chunk());
        return;
    }
    full = chunk_at(mailbox, position->chunk);
    if (full->len < CHUNK_MAX)
        return;

    next = new_chunk();
    g_ptr_array_insert(mailbox->chunks, (gint)position->chunk + 1, next);
    if (position->chunk + 2 == mailbox->chunks->len &&
        position->record == full->len) {
        position->chunk++;
        position->record = 0;
        return;
    }
    g_array_append_vals(next,
                        record_at(mailbox, position->chunk, CHUNK_MAX / 2),
                        CHUNK_MAX / 2);
    /* The records have moved: shortening must not clear them. */
    g_array_set_clear_func(full, NULL);
    g_array_set_size(full, CHUNK_MAX / 2);
    g_array_set_clear_func(full, clear_record);
    if (position->record > CHUNK_MAX / 2) {
        position->chunk++;
        position->record -= CHUNK_MAX / 2;
    }
}

CacheIndex *
cache_index_new(const char *directory, CacheStoreThread *thread)
{
    CacheIndex *index = g_new0(CacheIndex, 1);

    index->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, free_mailbox);
    g_queue_init(&index->flushes);
    return index;
}

static void
answer_flushes(CacheIndex *index, guint n)
{
    while (n-- > 0) {
        g_autofree Flush *flush = g_queue_pop_head(&index->flushes);

        flush->done(NULL, flush->user_data);
    }
}

void
cache_index_free(CacheIndex *index)
{
    if (index == NULL)
        return;
    while (!g_queue_is_empty(&index->flushes))
        answer_flushes(index, index->flushes.length);
    if (index->flush_source != NULL) {
        g_source_destroy(index->flush_source);
        g_source_unref(index->flush_source);
    }
    g_hash_table_unref(index->mailboxes);
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

    if (found == NULL) {
        found = g_new0(Mailbox, 1);
        found->chunks =
            g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        g_hash_table_insert(index->mailboxes, GUINT_TO_POINTER(mailbox), found);
    }
    found->state = *state;
}

void
cache_index_drop_mailbox(CacheIndex *index, guint32 mailbox)
{
    const Mailbox *found = find_mailbox(index, mailbox);

    if (found == NULL)
        return;
    index->n_messages -= found->n_messages;
    for (guint c = 0; c < found->chunks->len; c++)
        for (guint i = 0; i < chunk_at(found, c)->len; i++)
            index->n_octets -= record_at(found, c, i)->size;
    g_hash_table_remove(index->mailboxes, GUINT_TO_POINTER(mailbox));
}

void
cache_index_put(CacheIndex *index, guint32 mailbox, const CacheMessage *message)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Record record = {
        .uid = message->uid,
        .size_verified = message->size_verified,
        .size = message->size,
        .internal_date = message->internal_date,
        .sent_date = message->sent_date,
    };
    Position position;

    g_return_if_fail(found != NULL);
    if (message->uid == 0)
        return;

    /* Before the old record goes: the stem may be borrowed from it. */
    record.stem = g_strdup(message->stem);
    record.flags = g_strdup(message->flags);
    record.identity = g_strdup(message->identity);
    position = find_position(found, message->uid);
    if (position.found) {
        Record *old = record_at(found, position.chunk, position.record);

        index->n_octets -= old->size;
        clear_record(old);
        *old = record;
    } else {
        make_room(found, &position);
        g_array_insert_val(chunk_at(found, position.chunk), position.record,
                           record);
        found->n_messages++;
        index->n_messages++;
    }
    index->n_octets += message->size;
}

void
cache_index_remove(CacheIndex *index, guint32 mailbox, guint32 uid)
{
    Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL)
        return;
    position = find_position(found, uid);
    if (!position.found)
        return;

    index->n_octets -= record_at(found, position.chunk, position.record)->size;
    index->n_messages--;
    found->n_messages--;
    g_array_remove_index(chunk_at(found, position.chunk), position.record);
    if (chunk_at(found, position.chunk)->len == 0)
        g_ptr_array_remove_index(found->chunks, position.chunk);
}

guint
cache_index_count(CacheIndex *index, guint32 mailbox)
{
    const Mailbox *found = find_mailbox(index, mailbox);

    return found != NULL ? found->n_messages : 0;
}

static void
show(const Record *record, CacheMessage *result)
{
    *result = (CacheMessage){
        .uid = record->uid,
        .size_verified = record->size_verified != 0,
        .size = record->size,
        .internal_date = record->internal_date,
        .sent_date = record->sent_date,
        .stem = record->stem,
        .flags = record->flags,
        .identity = record->identity,
    };
}

gboolean
cache_index_message(CacheIndex *index, guint32 mailbox, guint32 uid,
                    CacheMessage *result)
{
    const Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL)
        return FALSE;
    position = find_position(found, uid);
    if (position.found)
        show(record_at(found, position.chunk, position.record), result);
    return position.found;
}

gboolean
cache_index_next(CacheIndex *index, guint32 mailbox, guint32 after,
                 CacheMessage *result)
{
    const Mailbox *found = find_mailbox(index, mailbox);
    Position position;

    if (found == NULL || found->n_messages == 0)
        return FALSE;

    position = find_position(found, after);
    position.record += position.found;
    if (position.record == chunk_at(found, position.chunk)->len) {
        position.chunk++;
        position.record = 0;
    }
    if (position.chunk == found->chunks->len)
        return FALSE;
    show(record_at(found, position.chunk, position.record), result);
    return TRUE;
}

void
cache_index_totals(const CacheIndex *index, guint64 *messages, guint64 *octets)
{
    *messages = index->n_messages;
    *octets = index->n_octets;
}

static gboolean
flush_due(gpointer user_data)
{
    CacheIndex *index = user_data;

    /* Those that come while these are answered get a source of their own. */
    g_clear_pointer(&index->flush_source, g_source_unref);
    answer_flushes(index, index->flushes.length);
    return G_SOURCE_REMOVE;
}

void
cache_index_flush(CacheIndex *index,
                  void (*done)(const GError *error, gpointer user_data),
                  gpointer user_data)
{
    Flush *flush = g_new(Flush, 1);

    *flush = (Flush){done, user_data};
    g_queue_push_tail(&index->flushes, flush);
    if (index->flush_source != NULL)
        return;
    index->flush_source = g_idle_source_new();
    g_source_set_priority(index->flush_source, G_PRIORITY_DEFAULT);
    g_source_set_callback(index->flush_source, flush_due, index, NULL);
    g_source_attach(index->flush_source, g_main_context_get_thread_default());
}

void
cache_index_set_lost_func(CacheIndex *index, CacheLostFunc func,
                          gpointer user_data)
{
}

guint
cache_index_unwritten(const CacheIndex *index)
{
    return 0;
}

void
cache_index_order_by_name(CacheIndex *index, guint32 mailbox,
                          gboolean by_sent_date, CacheOrderFunc done,
                          gpointer user_data)
{
    done(g_array_new(FALSE, FALSE, sizeof(guint32)), user_data);
}
