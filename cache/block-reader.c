/* The reading side of the blocks on disk.
 *
 * Between the commit of a change and the store thread's word of it, what is
 * known here may be old: a segment may be gone, and its hot blocks elsewhere.
 * So what cannot be read where it was known to lie is asked for in the table
 * before it is given up; and what is given up is its place, not its name. */
#include "cache/block-reader.h"

#include "cache/block-places.h"
#include "cache/error.h"

#include <unistd.h>

/* Files kept open: descriptors are scarce. */
#define MAX_FILES 48u

/* States not yet written. Beyond, when nothing is being written, they are not
 * remembered. */
#define MAX_MARKS 32768u

#define USES_APART_US G_USEC_PER_SEC
#define MESSAGES_APART_US (60 * (gint64)G_USEC_PER_SEC)

typedef struct {
    guint32 segment; /* 0: none */
    int fd;
    guint64 used;
} OpenFile;

struct CacheBlockReader {
    char *directory;
    CacheBlockTable *table;
    CacheBlockPlaces *places;
    GArray *segments; /* of CacheSegment, by number */
    guint64 octets;
    OpenFile files[MAX_FILES];
    guint64 clock;        /* of OpenFile.used */
    GArray *marks;        /* of CacheBlockPlace */
    GArray *lost;         /* likewise */
    GHashTable *lost_set; /* the same, by id_of */
    GHashTable *touched;  /* numbers of hot segments */
    gint64 told_at;       /* when the log last got a word of a lost block */
    gboolean damaged;
};

CacheBlockReader *
cache_block_reader_new(const char *directory, GError **error)
{
    CacheBlockTable *table = cache_block_table_open_reader(directory, error);
    CacheBlockReader *reader;

    if (table == NULL)
        return NULL;
    reader = g_new0(CacheBlockReader, 1);
    reader->directory = g_strdup(directory);
    reader->table = table;
    reader->places = cache_block_places_new();
    reader->segments = g_array_new(FALSE, FALSE, sizeof(CacheSegment));
    reader->marks = g_array_new(FALSE, FALSE, sizeof(CacheBlockPlace));
    reader->lost = g_array_new(FALSE, FALSE, sizeof(CacheBlockPlace));
    reader->lost_set =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    reader->touched = g_hash_table_new(NULL, NULL);
    return reader;
}

static void
close_file(OpenFile *file)
{
    if (file->segment != 0)
        close(file->fd);
    file->segment = 0;
}

void
cache_block_reader_free(CacheBlockReader *reader)
{
    if (reader == NULL)
        return;
    for (guint i = 0; i < MAX_FILES; i++)
        close_file(&reader->files[i]);
    cache_block_table_close(reader->table);
    cache_block_places_free(reader->places);
    g_array_unref(reader->segments);
    g_array_unref(reader->marks);
    g_array_unref(reader->lost);
    g_hash_table_unref(reader->lost_set);
    g_hash_table_unref(reader->touched);
    g_free(reader->directory);
    g_free(reader);
}

static gint64
id_of(const CacheBlockPlace *place)
{
    return (gint64)((guint64)place->segment << 32 | place->offset);
}

static int
compare_segments(const void *a, const void *b)
{
    const CacheSegment *left = a;
    const CacheSegment *right = b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static const CacheSegment *
find_segment(CacheBlockReader *reader, guint32 number)
{
    CacheSegment wanted = {.number = number};
    guint index;

    if (!g_array_binary_search(reader->segments, &wanted, compare_segments,
                               &index))
        return NULL;
    return &g_array_index(reader->segments, CacheSegment, index);
}

void
cache_block_reader_set_segments(CacheBlockReader *reader, GArray *segments)
{
    g_array_unref(reader->segments);
    reader->segments = segments;
    reader->octets = 0;
    for (guint i = 0; i < segments->len; i++)
        reader->octets += g_array_index(segments, CacheSegment, i).octets;
    for (guint i = 0; i < MAX_FILES; i++)
        if (reader->files[i].segment != 0 &&
            find_segment(reader, reader->files[i].segment) == NULL)
            close_file(&reader->files[i]);
}

guint64
cache_block_reader_octets(const CacheBlockReader *reader)
{
    return reader->octets;
}

/* ---- where it lies ---- */

static CacheKnownPlace *
ask_table(CacheBlockReader *reader, const char *key, guint32 number)
{
    g_autoptr(GError) error = NULL;
    CacheBlockPlace place;

    if (reader->damaged)
        return NULL;
    if (cache_block_table_find(reader->table, key, number, &place, &error))
        return cache_block_places_add(reader->places, key, number, &place);
    cache_block_places_drop(reader->places, key, number);
    if (g_error_matches(error, CACHE_ERROR, CACHE_ERROR_DAMAGED) ||
        g_error_matches(error, CACHE_ERROR, CACHE_ERROR_FOREIGN))
        reader->damaged = TRUE;
    return NULL;
}

static CacheKnownPlace *
locate(CacheBlockReader *reader, const char *key, guint32 number)
{
    CacheKnownPlace *known =
        cache_block_places_find(reader->places, key, number);

    if (known != NULL && find_segment(reader, known->place.segment) != NULL)
        return known;
    return ask_table(reader, key, number);
}

static gboolean
is_lost(const CacheBlockReader *reader, const CacheBlockPlace *place)
{
    gint64 id = id_of(place);

    return g_hash_table_contains(reader->lost_set, &id);
}

gboolean
cache_block_reader_has(CacheBlockReader *reader, const char *key,
                       guint32 number)
{
    const CacheKnownPlace *known = locate(reader, key, number);

    return known != NULL && !is_lost(reader, &known->place);
}

/* ---- reading ---- */

static int
file_of(CacheBlockReader *reader, guint32 segment)
{
    OpenFile *oldest = &reader->files[0];

    reader->clock++;
    for (guint i = 0; i < MAX_FILES; i++) {
        OpenFile *file = &reader->files[i];

        if (file->segment == segment) {
            file->used = reader->clock;
            return file->fd;
        }
        if (file->segment == 0 ||
            (oldest->segment != 0 && file->used < oldest->used))
            oldest = file;
    }
    close_file(oldest);
    oldest->fd = cache_segment_open(reader->directory, segment, FALSE);
    if (oldest->fd < 0)
        return -1;
    oldest->segment = segment;
    oldest->used = reader->clock;
    return oldest->fd;
}

static GBytes *
read_at(CacheBlockReader *reader, const CacheBlockPlace *place, const char *key,
        guint32 number)
{
    int fd = file_of(reader, place->segment);

    return fd >= 0 ? cache_segment_read(fd, place, key, number) : NULL;
}

static void
lose(CacheBlockReader *reader, const char *key, guint32 number,
     const CacheBlockPlace *place)
{
    gint64 now = g_get_monotonic_time();
    gint64 id = id_of(place);

    g_array_append_val(reader->lost, *place);
    g_hash_table_add(reader->lost_set, g_memdup2(&id, sizeof(id)));
    cache_block_places_drop(reader->places, key, number);
    if (reader->told_at != 0 && now - reader->told_at < MESSAGES_APART_US)
        return;
    reader->told_at = now;
    g_message("A body in segment %06u of the cache %s is not what was "
              "written, and is read from the server again",
              place->segment, reader->directory);
}

CacheBlockState
cache_block_state_after(CacheBlockState state, gint64 last, gint64 read_at_us)
{
    if (state == CACHE_BLOCK_UNREAD)
        return CACHE_BLOCK_READ;
    if (read_at_us - last >= USES_APART_US)
        return CACHE_BLOCK_HOT;
    return state;
}

static void
add_mark(CacheBlockReader *reader, const CacheBlockPlace *place)
{
    if (reader->marks->len < MAX_MARKS)
        g_array_append_val(reader->marks, *place);
}

static void
note_use(CacheBlockReader *reader, CacheKnownPlace *known)
{
    gint64 now = g_get_monotonic_time();
    CacheBlockState state =
        cache_block_state_after(known->place.state, known->read_at, now);
    const CacheSegment *segment = find_segment(reader, known->place.segment);

    known->read_at = now;
    if (state != known->place.state) {
        known->place.state = state;
        add_mark(reader, &known->place);
    }
    if (segment != NULL && segment->hot)
        g_hash_table_add(reader->touched, GUINT_TO_POINTER(segment->number));
}

GBytes *
cache_block_reader_get(CacheBlockReader *reader, const char *key,
                       guint32 number)
{
    CacheKnownPlace *known = locate(reader, key, number);
    CacheBlockPlace tried;
    GBytes *data;

    if (known == NULL || is_lost(reader, &known->place))
        return NULL;
    tried = known->place;
    data = read_at(reader, &tried, key, number);
    if (data == NULL) {
        known = ask_table(reader, key, number);
        if (known == NULL)
            return NULL;
        if (known->place.segment != tried.segment ||
            known->place.offset != tried.offset ||
            known->place.checksum != tried.checksum) {
            tried = known->place;
            data = read_at(reader, &tried, key, number);
        }
    }
    if (data == NULL)
        lose(reader, key, number, &tried);
    else
        note_use(reader, known);
    return data;
}

void
cache_block_reader_use(CacheBlockReader *reader, const char *key,
                       guint32 number)
{
    CacheKnownPlace *known = locate(reader, key, number);

    if (known != NULL)
        note_use(reader, known);
}

void
cache_block_reader_add(CacheBlockReader *reader, const char *key,
                       guint32 number, const CacheBlockPlace *place,
                       gint64 read_at_us)
{
    CacheKnownPlace *known =
        cache_block_places_add(reader->places, key, number, place);

    known->read_at = read_at_us;
}

void
cache_block_reader_mark(CacheBlockReader *reader, const char *key,
                        guint32 number, CacheBlockState state)
{
    CacheKnownPlace *known =
        cache_block_places_find(reader->places, key, number);

    if (known == NULL)
        return;
    known->place.state = state;
    add_mark(reader, &known->place);
}

void
cache_block_reader_drop_key(CacheBlockReader *reader, const char *key)
{
    cache_block_places_drop_key(reader->places, key);
}

guint
cache_block_reader_n_notes(const CacheBlockReader *reader)
{
    return reader->marks->len + reader->lost->len +
           g_hash_table_size(reader->touched);
}

void
cache_block_reader_take_notes(CacheBlockReader *reader, GArray **marks,
                              GArray **lost, GArray **touched)
{
    GHashTableIter iter;
    gpointer key;

    *marks = g_steal_pointer(&reader->marks);
    *lost = g_steal_pointer(&reader->lost);
    *touched = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_hash_table_iter_init(&iter, reader->touched);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        guint32 number = GPOINTER_TO_UINT(key);

        g_array_append_val(*touched, number);
    }
    g_hash_table_remove_all(reader->touched);
    g_hash_table_remove_all(reader->lost_set);
    reader->marks = g_array_new(FALSE, FALSE, sizeof(CacheBlockPlace));
    reader->lost = g_array_new(FALSE, FALSE, sizeof(CacheBlockPlace));
}

gboolean
cache_block_reader_is_damaged(const CacheBlockReader *reader)
{
    return reader->damaged;
}
