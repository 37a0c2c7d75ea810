/* The writing side of the blocks on disk.
 *
 * Octets are written first, then the rows that name them are committed: a
 * process that is killed leaves octets without rows, at the end of a segment,
 * and never a row without octets. */
#include "cache/block-store.h"

#include "cache/error.h"

#include <sys/stat.h>
#include <unistd.h>

#define MIB (G_GUINT64_CONSTANT(1024) * 1024)

/* What a step of eviction may handle. */
#define COPIED_AT_ONCE 64u
#define REMOVED_AT_ONCE 2000u

typedef struct {
    guint32 number; /* 0: none yet */
    int fd;
} Tail;

struct CacheBlockStore {
    char *directory;
    guint64 max_octets;
    CacheBlockTable *table;
    GArray *segments; /* of CacheSegment, by number */
    guint32 next_number;
    guint64 clock;       /* of CacheSegment.used */
    Tail tails[2];       /* where cold blocks are written, and hot ones */
    GHashTable *changed; /* numbers of segments whose row is to be saved */
    GArray *removed;     /* of CacheBlockPlace */

    guint32 victim; /* being evicted; 0: none */
    guint32 cursor; /* up to where its hot blocks were copied */
    gboolean copied;
};

guint64
cache_block_store_segment_size(guint64 max_octets)
{
    return CLAMP(max_octets / 64, MIB, 32 * MIB);
}

guint64
cache_block_store_evict_above(guint64 max_octets)
{
    return max_octets -
           MIN(cache_block_store_segment_size(max_octets), max_octets / 4);
}

static CacheSegment *
find_segment(const CacheBlockStore *store, guint32 number)
{
    guint low = 0, high = store->segments->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        CacheSegment *segment =
            &g_array_index(store->segments, CacheSegment, middle);

        if (segment->number == number)
            return segment;
        if (segment->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void
set_changed(CacheBlockStore *store, guint32 number)
{
    g_hash_table_add(store->changed, GUINT_TO_POINTER(number));
}

static void
close_tail(Tail *tail)
{
    if (tail->number != 0)
        close(tail->fd);
    tail->number = 0;
}

/* ---- opening ---- */

static gboolean
is_listed(const GArray *numbers, guint32 number)
{
    for (guint i = 0; i < numbers->len; i++)
        if (g_array_index(numbers, guint32, i) == number)
            return TRUE;
    return FALSE;
}

/* Deletes files that have no segment with blocks. */
static void
delete_unknown_files(CacheBlockStore *store, const GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        guint32 number = g_array_index(files, guint32, i);
        const CacheSegment *segment = find_segment(store, number);

        store->next_number = MAX(store->next_number, number + 1);
        if (segment == NULL || segment->live == 0)
            cache_segment_delete(store->directory, number);
    }
}

/* In a transaction. */
static gboolean
forget_segment(CacheBlockStore *store, guint32 number, GError **error)
{
    do {
        g_array_set_size(store->removed, 0);
        if (!cache_block_table_remove_some(
                store->table, number, REMOVED_AT_ONCE, store->removed, error))
            return FALSE;
    } while (store->removed->len > 0);
    return cache_block_table_remove_segment(store->table, number, error);
}

/* Forgets segments that have no file or no blocks. */
static gboolean
forget_missing_files(CacheBlockStore *store, const GArray *files,
                     GError **error)
{
    for (guint i = store->segments->len; i-- > 0;) {
        const CacheSegment *segment =
            &g_array_index(store->segments, CacheSegment, i);

        store->next_number = MAX(store->next_number, segment->number + 1);
        store->clock = MAX(store->clock, segment->used);
        if (segment->live > 0 && is_listed(files, segment->number))
            continue;
        if (!forget_segment(store, segment->number, error))
            return FALSE;
        g_array_remove_index(store->segments, i);
    }
    return TRUE;
}

/* The last segment of each kind is written on, if its end is where we left it,
 * or behind: where a killed process has left octets without rows. */
static void
resume_tails(CacheBlockStore *store)
{
    guint64 size = cache_block_store_segment_size(store->max_octets);

    for (guint i = store->segments->len; i-- > 0;) {
        CacheSegment *segment =
            &g_array_index(store->segments, CacheSegment, i);
        Tail *tail = &store->tails[segment->hot ? 1 : 0];
        struct stat status;
        int fd;

        if (tail->number != 0 || segment->octets >= size)
            continue;
        fd = cache_segment_open(store->directory, segment->number, TRUE);
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0 &&
            (guint64)status.st_size >= segment->octets &&
            ftruncate(fd, (off_t)segment->octets) == 0)
            *tail = (Tail){segment->number, fd};
        else
            close(fd);
    }
}

static gboolean
load(CacheBlockStore *store, GError **error)
{
    g_autoptr(GArray) files = cache_segment_list(store->directory, error);

    if (files == NULL)
        return FALSE;
    store->table = cache_block_table_open(store->directory, error);
    if (store->table == NULL ||
        !cache_block_table_load_segments(store->table, store->segments,
                                         error) ||
        !cache_block_table_begin(store->table, error))
        return FALSE;
    delete_unknown_files(store, files);
    if (!forget_missing_files(store, files, error) ||
        !cache_block_table_commit(store->table, error)) {
        cache_block_table_roll_back(store->table);
        return FALSE;
    }
    resume_tails(store);
    return TRUE;
}

CacheBlockStore *
cache_block_store_open(const char *directory, guint64 max_octets,
                       GError **error)
{
    CacheBlockStore *store = g_new0(CacheBlockStore, 1);

    store->directory = g_strdup(directory);
    store->max_octets = max_octets;
    store->segments = g_array_new(FALSE, FALSE, sizeof(CacheSegment));
    store->removed = g_array_new(FALSE, FALSE, sizeof(CacheBlockPlace));
    store->changed = g_hash_table_new(NULL, NULL);
    store->next_number = 1;
    if (!load(store, error)) {
        cache_block_store_close(store);
        return NULL;
    }
    return store;
}

void
cache_block_store_close(CacheBlockStore *store)
{
    if (store == NULL)
        return;
    close_tail(&store->tails[0]);
    close_tail(&store->tails[1]);
    cache_block_table_close(store->table);
    g_array_unref(store->segments);
    g_array_unref(store->removed);
    g_hash_table_unref(store->changed);
    g_free(store->directory);
    g_free(store);
}

GArray *
cache_block_store_segments(const CacheBlockStore *store)
{
    return g_array_copy(store->segments);
}

/* ---- writing ---- */

static gboolean
start_segment(CacheBlockStore *store, gboolean hot, GError **error)
{
    Tail *tail = &store->tails[hot ? 1 : 0];
    CacheSegment segment = {.hot = hot, .used = ++store->clock};
    g_autoptr(GError) reason = NULL;
    gboolean exists = FALSE;
    int fd;

    close_tail(tail);
    do {
        g_clear_error(&reason);
        if (store->next_number > G_MAXINT32) {
            g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO,
                        "the numbers of segments are used up");
            return FALSE;
        }
        segment.number = store->next_number++;
        fd = cache_segment_create(store->directory, segment.number, &exists,
                                  &reason);
    } while (fd < 0 && exists);
    if (fd < 0) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    *tail = (Tail){segment.number, fd};
    g_array_append_val(store->segments, segment);
    return TRUE;
}

/* The segment that @length more octets go to: the one last written, unless it
 * is full, or was deleted behind our back. */
static CacheSegment *
segment_for(CacheBlockStore *store, gboolean hot, gsize length, GError **error)
{
    Tail *tail = &store->tails[hot ? 1 : 0];
    CacheSegment *segment =
        tail->number != 0 ? find_segment(store, tail->number) : NULL;

    if (segment == NULL || !cache_segment_is_there(tail->fd) ||
        segment->octets + length >
            cache_block_store_segment_size(store->max_octets)) {
        if (!start_segment(store, hot, error))
            return NULL;
        segment = find_segment(store, tail->number);
    }
    return segment;
}

/* Appends the spans to the segment, whose row then says so. */
static gboolean
append(CacheBlockStore *store, CacheSegment *segment, GArray *spans,
       GError **error)
{
    const Tail *tail = &store->tails[segment->hot ? 1 : 0];
    guint64 length = 0;

    for (guint i = 0; i < spans->len; i++)
        length += g_array_index(spans, CacheSpan, i).length;
    if (!cache_segment_has_room(tail->fd, length, error) ||
        !cache_segment_append(tail->fd, segment->octets,
                              (const CacheSpan *)(void *)spans->data,
                              spans->len, error))
        return FALSE;
    segment->octets += length;
    segment->live += length;
    set_changed(store, segment->number);
    g_array_set_size(spans, 0);
    return TRUE;
}

static gboolean
write_data(CacheBlockStore *store, GArray *changes, GError **error)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(CacheSpan));
    guint32 number = 0; /* of the segment the spans are for */
    guint64 offset = 0;
    guint64 size = cache_block_store_segment_size(store->max_octets);

    for (guint i = 0; i < changes->len; i++) {
        CacheBlockChange *change = &g_array_index(changes, CacheBlockChange, i);
        CacheSpan span;

        if (change->data == NULL)
            continue;
        span.data = g_bytes_get_data(change->data, &span.length);
        if (number == 0 || offset + span.length > size) {
            CacheSegment *segment;

            if (spans->len > 0 &&
                !append(store, find_segment(store, number), spans, error))
                return FALSE;
            segment = segment_for(store, FALSE, span.length, error);
            if (segment == NULL)
                return FALSE;
            number = segment->number;
            offset = segment->octets;
        }
        change->place.segment = number;
        change->place.offset = (guint32)offset;
        change->place.length = (guint32)span.length;
        change->place.checksum = cache_block_checksum(
            change->key, change->number, span.data, span.length);
        g_array_append_val(spans, span);
        offset += span.length;
    }
    return spans->len == 0 ||
           append(store, find_segment(store, number), spans, error);
}

static void
count_removed(CacheBlockStore *store)
{
    for (guint i = 0; i < store->removed->len; i++) {
        const CacheBlockPlace *place =
            &g_array_index(store->removed, CacheBlockPlace, i);
        CacheSegment *segment = find_segment(store, place->segment);

        if (segment == NULL)
            continue;
        segment->live -= MIN(segment->live, place->length);
        set_changed(store, segment->number);
    }
    g_array_set_size(store->removed, 0);
}

static gboolean
write_change(CacheBlockStore *store, const CacheBlockChange *change,
             GError **error)
{
    if (change->data == NULL)
        return cache_block_table_remove_key(store->table, change->key,
                                            store->removed, error);
    return cache_block_table_remove(store->table, change->key, change->number,
                                    store->removed, error) &&
           cache_block_table_insert(store->table, change->key, change->number,
                                    &change->place, error);
}

static gboolean
write_rows(CacheBlockStore *store, const CacheBlockBatch *batch, GError **error)
{
    for (guint i = 0; i < batch->changes->len; i++)
        if (!write_change(store,
                          &g_array_index(batch->changes, CacheBlockChange, i),
                          error))
            return FALSE;
    for (guint i = 0; i < batch->marks->len; i++)
        if (!cache_block_table_mark(
                store->table, &g_array_index(batch->marks, CacheBlockPlace, i),
                error))
            return FALSE;
    for (guint i = 0; i < batch->lost->len; i++)
        if (!cache_block_table_remove_place(
                store->table, &g_array_index(batch->lost, CacheBlockPlace, i),
                store->removed, error))
            return FALSE;
    return TRUE;
}

static void
touch(CacheBlockStore *store, const GArray *touched)
{
    if (touched->len > 0)
        store->clock++;
    for (guint i = 0; i < touched->len; i++) {
        CacheSegment *segment =
            find_segment(store, g_array_index(touched, guint32, i));

        if (segment == NULL)
            continue;
        segment->used = store->clock;
        set_changed(store, segment->number);
    }
}

/* The rows of segments that changed. Those left without blocks go to @dead. */
static gboolean
write_segments(CacheBlockStore *store, GArray *dead, GError **error)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, store->changed);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        guint32 number = GPOINTER_TO_UINT(key);
        const CacheSegment *segment = find_segment(store, number);

        if (segment == NULL)
            continue;
        if (segment->live > 0) {
            if (!cache_block_table_save_segment(store->table, segment, error))
                return FALSE;
        } else {
            g_array_append_val(dead, number);
            if (!forget_segment(store, number, error))
                return FALSE;
        }
    }
    g_hash_table_remove_all(store->changed);
    return TRUE;
}

static void
drop_segment(CacheBlockStore *store, guint32 number)
{
    CacheSegment *segment = find_segment(store, number);

    for (guint i = 0; i < G_N_ELEMENTS(store->tails); i++)
        if (store->tails[i].number == number)
            close_tail(&store->tails[i]);
    if (segment != NULL)
        g_array_remove_index(
            store->segments,
            (guint)(segment - (CacheSegment *)(void *)store->segments->data));
    if (store->victim == number)
        store->victim = 0;
    cache_segment_delete(store->directory, number);
}

/* Ends a transaction begun. Files go once their rows are gone for good. */
static gboolean
commit(CacheBlockStore *store, GError **error)
{
    g_autoptr(GArray) dead = g_array_new(FALSE, FALSE, sizeof(guint32));

    count_removed(store);
    if (!write_segments(store, dead, error) ||
        !cache_block_table_commit(store->table, error))
        return FALSE;
    for (guint i = 0; i < dead->len; i++)
        drop_segment(store, g_array_index(dead, guint32, i));
    return TRUE;
}

gboolean
cache_block_store_write(CacheBlockStore *store, CacheBlockBatch *batch,
                        GError **error)
{
    g_array_set_size(store->removed, 0);
    if (!write_data(store, batch->changes, error) ||
        !cache_block_table_begin(store->table, error))
        return FALSE;
    touch(store, batch->touched);
    if (!write_rows(store, batch, error) || !commit(store, error)) {
        cache_block_table_roll_back(store->table);
        return FALSE;
    }
    return TRUE;
}

/* ---- eviction ---- */

static void
choose_victim(CacheBlockStore *store)
{
    const CacheSegment *cold = NULL, *hot = NULL, *victim;
    guint64 hot_octets = 0;

    for (guint i = 0; i < store->segments->len; i++) {
        const CacheSegment *segment =
            &g_array_index(store->segments, CacheSegment, i);

        if (!segment->hot) {
            cold = cold != NULL ? cold : segment;
            continue;
        }
        hot_octets += segment->octets;
        if (hot == NULL || segment->used < hot->used)
            hot = segment;
    }
    victim =
        hot_octets > store->max_octets / 3 * 2 || cold == NULL ? hot : cold;
    if (victim == NULL)
        return;
    store->victim = victim->number;
    store->cursor = 0;
    store->copied = victim->hot;
    for (guint i = 0; i < G_N_ELEMENTS(store->tails); i++)
        if (store->tails[i].number == store->victim)
            close_tail(&store->tails[i]);
}

static gboolean
copy_block(CacheBlockStore *store, int fd, const CacheBlockRow *row,
           GArray *spans, GError **error)
{
    g_autoptr(GBytes) data =
        cache_segment_read(fd, &row->place, row->key, row->number);
    CacheBlockPlace place = row->place;
    CacheSegment *segment;
    CacheSpan span;

    if (data == NULL)
        return TRUE;
    span.data = g_bytes_get_data(data, &span.length);
    segment = segment_for(store, TRUE, span.length, error);
    if (segment == NULL)
        return FALSE;
    place.segment = segment->number;
    place.offset = (guint32)segment->octets;
    g_array_append_val(spans, span);
    if (!append(store, segment, spans, error) ||
        !cache_block_table_move(store->table, &row->place, &place, error))
        return FALSE;
    g_array_append_val(store->removed, row->place);
    return TRUE;
}

static gboolean
copy_blocks(CacheBlockStore *store, const GArray *rows, GError **error)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(CacheSpan));
    int fd = cache_segment_open(store->directory, store->victim, FALSE);
    gboolean copied = TRUE;

    for (guint i = 0; fd >= 0 && copied && i < rows->len; i++)
        copied = copy_block(store, fd, &g_array_index(rows, CacheBlockRow, i),
                            spans, error);
    if (fd >= 0)
        close(fd);
    return copied;
}

/* Copies the next hot blocks of the victim. */
static gboolean
copy_some(CacheBlockStore *store, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(CacheBlockRow));
    const CacheBlockRow *last;

    g_array_set_clear_func(rows, (GDestroyNotify)cache_block_row_clear);
    if (!cache_block_table_list_hot(store->table, store->victim, store->cursor,
                                    COPIED_AT_ONCE, rows, error))
        return FALSE;
    if (rows->len == 0) {
        store->copied = TRUE;
        return TRUE;
    }
    last = &g_array_index(rows, CacheBlockRow, rows->len - 1);
    store->cursor = last->place.offset + last->place.length;
    return copy_blocks(store, rows, error);
}

static gboolean
remove_some(CacheBlockStore *store, GError **error)
{
    CacheSegment *segment = find_segment(store, store->victim);

    if (!cache_block_table_remove_some(store->table, store->victim,
                                       REMOVED_AT_ONCE, store->removed, error))
        return FALSE;
    /* None is left, and the commit drops it as dead. */
    if (store->removed->len < REMOVED_AT_ONCE) {
        segment->live = 0;
        set_changed(store, store->victim);
    }
    return TRUE;
}

gboolean
cache_block_store_evict(CacheBlockStore *store, GError **error)
{
    gboolean done;

    g_array_set_size(store->removed, 0);
    if (store->victim == 0)
        choose_victim(store);
    if (store->victim == 0)
        return TRUE;
    if (!cache_block_table_begin(store->table, error))
        return FALSE;
    done = store->copied ? remove_some(store, error) : copy_some(store, error);
    if (!done || !commit(store, error)) {
        cache_block_table_roll_back(store->table);
        return FALSE;
    }
    return TRUE;
}
