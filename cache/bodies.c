/* Which bodies there are, and which of them stay.
 *
 * A body lives while somebody holds it or a table lists it: "found" has the
 * complete ones, "committing" those that are committed and not yet written. A
 * body that is in "found" and held by nobody lies on a shelf besides, one for
 * memory and one for files; from there it is taken when it is found again, or
 * dropped when the shelf is full. So what is held cannot be evicted, and who
 * holds nothing has no say in the bounds.
 *
 * Open files are bounded by number, too: descriptors are scarcer than disk. */
#include "cache/bodies.h"

#include "cache/body-file.h"

#include <malloc.h>
#include <string.h>

#define MAX_FILES_KEPT 256u

/* How much of the memory that small bodies gave back may lie in malloc's free
 * lists: a share of the bound, but no less than the minimum. Without trimming,
 * a heap bounded to 32 MiB of bodies was seen to grow to 60 MiB once their
 * typical size changed; with a share of 1/8 it stays below 42, for 0.3 ms each
 * time. A fixed M_MMAP_THRESHOLD helps less, and would be everybody's. */
#define TRIM_SHARE 8
#define TRIM_MINIMUM (1024u * 1024)

typedef struct {
    GQueue bodies; /* of CacheBody, the least recently used first */
    guint64 octets;
    guint64 max_octets;
    guint max_bodies;
} Shelf;

typedef enum {
    LISTED_NOWHERE,
    LISTED_COMMITTING,
    LISTED_FOUND,
} Listed;

struct CacheBodies {
    GHashTable *found;      /* body->key -> CacheBody */
    GHashTable *committing; /* the same; the one committed last, of a key */
    Shelf memory;
    Shelf files;
    CacheDisk *disk;
    GMainContext *context;
    guint64 freed_memory; /* octets, since malloc was last trimmed */
    gboolean closed;      /* the owner is gone, some bodies are not */
};

struct CacheBody {
    CacheBodies *bodies; /* a reference */
    char *key;
    guint64 size;
    guint64 appended;
    guint references; /* of those outside; the tables have none */
    Listed listed;
    GList shelf_link; /* on a shelf if found and without references */

    CacheBodyFile *file; /* NULL: in memory */
    guint8 *memory;      /* NULL: in a file */

    CacheBodyFunc watch;
    gpointer watch_data;
    GSource *watch_source; /* due to call @watch, of a body in memory */
};

CacheBodies *
cache_bodies_new(const char *directory, guint64 memory_bytes,
                 guint64 disk_bytes, CacheStoreThread *thread)
{
    CacheBodies *bodies = g_rc_box_new0(CacheBodies);

    bodies->found = g_hash_table_new(g_str_hash, g_str_equal);
    bodies->committing = g_hash_table_new(g_str_hash, g_str_equal);
    g_queue_init(&bodies->memory.bodies);
    bodies->memory.max_octets = memory_bytes;
    bodies->memory.max_bodies = G_MAXUINT;
    g_queue_init(&bodies->files.bodies);
    bodies->files.max_octets = disk_bytes;
    bodies->files.max_bodies = MAX_FILES_KEPT;
    bodies->disk = cache_disk_new(directory, thread);
    bodies->context = g_main_context_ref_thread_default();
    return bodies;
}

static void
clear_bodies(gpointer data)
{
    CacheBodies *bodies = data;

    g_hash_table_unref(bodies->found);
    g_hash_table_unref(bodies->committing);
    cache_disk_unref(bodies->disk);
    g_main_context_unref(bodies->context);
}

static Shelf *
shelf_of(const CacheBody *body)
{
    return body->file != NULL ? &body->bodies->files : &body->bodies->memory;
}

/* What @body counts for on its shelf. Empty bodies cost, too. */
static guint64
weight(const CacheBody *body)
{
    return body->size + sizeof(CacheBody) + strlen(body->key) + 1;
}

static void
trim_memory(CacheBodies *bodies, guint64 freed)
{
    bodies->freed_memory += freed;
    if (bodies->freed_memory <
        MAX(bodies->memory.max_octets / TRIM_SHARE, TRIM_MINIMUM))
        return;
    bodies->freed_memory = 0;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void
clear_watch(CacheBody *body)
{
    body->watch = NULL;
    if (body->watch_source != NULL) {
        g_source_destroy(body->watch_source);
        g_clear_pointer(&body->watch_source, g_source_unref);
    }
}

static void
destroy_body(CacheBody *body)
{
    if (body->memory != NULL)
        trim_memory(body->bodies, weight(body));
    cache_body_file_free(body->file);
    g_free(body->memory);
    g_free(body->key);
    g_rc_box_release_full(body->bodies, clear_bodies);
    g_free(body);
}

static void
take_from_shelf(CacheBody *body)
{
    Shelf *shelf = shelf_of(body);

    g_queue_unlink(&shelf->bodies, &body->shelf_link);
    shelf->octets -= weight(body);
}

/* Out of the table that lists it, and gone if nobody holds it. */
static void
unlist(CacheBody *body)
{
    CacheBodies *bodies = body->bodies;

    if (body->listed == LISTED_COMMITTING) {
        g_hash_table_remove(bodies->committing, body->key);
    } else if (body->listed == LISTED_FOUND) {
        g_hash_table_remove(bodies->found, body->key);
        if (body->references == 0)
            take_from_shelf(body);
    }
    body->listed = LISTED_NOWHERE;
    if (body->references == 0)
        destroy_body(body);
}

static void
unlist_key(GHashTable *table, const char *key)
{
    CacheBody *body = g_hash_table_lookup(table, key);

    if (body != NULL)
        unlist(body);
}

/* For a found body whose last reference went. */
static void
put_on_shelf(CacheBody *body)
{
    Shelf *shelf = shelf_of(body);

    shelf->octets += weight(body);
    g_queue_push_tail_link(&shelf->bodies, &body->shelf_link);
    if (weight(body) > shelf->max_octets) {
        unlist(body);
        return;
    }
    while (shelf->octets > shelf->max_octets ||
           shelf->bodies.length > shelf->max_bodies)
        unlist(g_queue_peek_head(&shelf->bodies));
}

static void
list_found(CacheBody *body)
{
    unlist_key(body->bodies->found, body->key);
    g_hash_table_insert(body->bodies->found, body->key, body);
    body->listed = LISTED_FOUND;
}

static void
unlist_all(GHashTable *table)
{
    g_autoptr(GList) all = g_hash_table_get_values(table);

    for (GList *l = all; l != NULL; l = l->next)
        unlist(l->data);
}

void
cache_bodies_free(CacheBodies *bodies)
{
    if (bodies == NULL)
        return;
    unlist_all(bodies->committing);
    unlist_all(bodies->found);
    bodies->closed = TRUE;
    g_rc_box_release_full(bodies, clear_bodies);
}

CacheBody *
cache_bodies_find(CacheBodies *bodies, const char *key)
{
    CacheBody *body = g_hash_table_lookup(bodies->found, key);

    return body != NULL ? cache_body_ref(body) : NULL;
}

void
cache_bodies_remove(CacheBodies *bodies, const char *key)
{
    unlist_key(bodies->committing, key);
    unlist_key(bodies->found, key);
}

guint64
cache_bodies_unwritten(const CacheBodies *bodies)
{
    return cache_disk_unwritten(bodies->disk);
}

static void
call_watch(CacheBody *body)
{
    if (body->watch != NULL)
        body->watch(body, body->watch_data);
}

/* Written, or failed: see cache_body_file_new. */
static void
file_progress(gpointer user_data)
{
    CacheBody *body = user_data;

    body->references++; /* the watch may drop the last */
    if (body->listed == LISTED_COMMITTING) {
        if (cache_body_error(body) != NULL) {
            unlist(body);
        } else if (cache_body_available(body) == body->size) {
            unlist(body);
            list_found(body);
        }
    }
    call_watch(body);
    cache_body_unref(body);
}

static gboolean
watch_due(gpointer user_data)
{
    CacheBody *body = user_data;

    g_clear_pointer(&body->watch_source, g_source_unref);
    body->references++;
    call_watch(body);
    cache_body_unref(body);
    return G_SOURCE_REMOVE;
}

/* What lies in memory is readable at once, but the watch is promised not to run
 * inside the call. */
static void
call_watch_later(CacheBody *body)
{
    if (body->watch == NULL || body->watch_source != NULL)
        return;
    body->watch_source = g_idle_source_new();
    g_source_set_priority(body->watch_source, G_PRIORITY_DEFAULT);
    g_source_set_callback(body->watch_source, watch_due, body, NULL);
    g_source_attach(body->watch_source, body->bodies->context);
}

CacheBody *
cache_bodies_create(CacheBodies *bodies, const char *key, guint64 size)
{
    CacheBody *body = g_new0(CacheBody, 1);

    body->bodies = g_rc_box_acquire(bodies);
    body->key = g_strdup(key);
    body->size = size;
    body->references = 1;
    body->shelf_link.data = body;
    if (size <= CACHE_BODY_IN_MEMORY_MAX)
        body->memory = g_malloc(MAX(size, 1));
    else
        body->file =
            cache_body_file_new(bodies->disk, size, file_progress, body);
    return body;
}

void
cache_body_set_watch(CacheBody *body, CacheBodyFunc func, gpointer user_data)
{
    if (func == NULL)
        clear_watch(body);
    body->watch = func;
    body->watch_data = user_data;
}

void
cache_body_append(CacheBody *body, const void *data, gsize length)
{
    g_return_if_fail(length <= body->size - body->appended);
    if (length == 0)
        return;

    if (body->file != NULL) {
        cache_body_file_append(body->file, data, length);
    } else {
        memcpy(body->memory + body->appended, data, length);
        call_watch_later(body);
    }
    body->appended += length;
}

void
cache_body_commit(CacheBody *body)
{
    CacheBodies *bodies = body->bodies;

    g_return_if_fail(body->appended == body->size);
    if (bodies->closed || body->listed != LISTED_NOWHERE ||
        cache_body_error(body) != NULL)
        return;

    unlist_key(bodies->committing, body->key);
    if (cache_body_available(body) == body->size) {
        list_found(body);
    } else {
        g_hash_table_insert(bodies->committing, body->key, body);
        body->listed = LISTED_COMMITTING;
    }
}

CacheBody *
cache_body_ref(CacheBody *body)
{
    if (body->listed == LISTED_FOUND && body->references == 0)
        take_from_shelf(body);
    body->references++;
    return body;
}

void
cache_body_unref(CacheBody *body)
{
    if (body == NULL || --body->references > 0)
        return;
    clear_watch(body);
    if (body->listed == LISTED_FOUND)
        put_on_shelf(body);
    else if (body->listed == LISTED_NOWHERE)
        destroy_body(body);
}

guint64
cache_body_size(const CacheBody *body)
{
    return body->size;
}

guint64
cache_body_available(const CacheBody *body)
{
    return body->file != NULL ? cache_body_file_written(body->file)
                              : body->appended;
}

const GError *
cache_body_error(const CacheBody *body)
{
    return body->file != NULL ? cache_body_file_error(body->file) : NULL;
}

gssize
cache_body_read(CacheBody *body, guint64 offset, void *buffer, gsize length,
                GError **error)
{
    guint64 available = cache_body_available(body);

    if (offset >= available)
        return 0;
    length = MIN(MIN(length, available - offset), G_MAXSSIZE);
    if (body->file == NULL)
        memcpy(buffer, body->memory + offset, length);
    else if (!cache_body_file_read(body->file, offset, buffer, length, error))
        return -1;
    return (gssize)length;
}
