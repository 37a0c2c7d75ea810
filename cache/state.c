/* What must not be lost and no server has.
 *
 * The tables in memory are what counts; the store thread is handed copies of
 * the entries that changed. When the disk refuses them, all entries are handed
 * over the next time, so nothing has to be remembered about what is missing.
 *
 * An entry's row is replaced by its name and by its id, whichever is found:
 * that is a new name for an id, and a new id for a name, in one statement. */
#include "cache/state.h"

#include "cache/database.h"
#include "cache/error.h"

#include <string.h>
#include <sys/stat.h>

/* What cannot be read is for people to decide about: going on without it would
 * give all mail new inode numbers, and nobody would know. */
#define COST_OF_LOSS                                                           \
    "every file then has a new inode number, and backup programs "             \
    "take all mail for new"

#define RETRY_SECONDS 60

typedef struct {
    char *name;
    guint32 id;
    guint64 uidvalidity;
} Entry;

typedef struct {
    sqlite3 *database;
    sqlite3_stmt *put;
    sqlite3_stmt *put_next_id;
    GAsyncQueue *landed; /* a Job for each whose work is over */
    CacheIdsWrittenFunc written;
    gpointer written_data;
} Writer;

struct CacheState {
    GTree *by_name; /* name -> Entry, owned; no hash, as the server chooses */
    GHashTable *by_id; /* id -> Entry */
    guint32 next_id;
    guint32 max_id;
    guint stem_version;
    char *identity;

    CacheStoreThread *thread;
    Writer *writer;      /* NULL: nothing is kept */
    GHashTable *changed; /* set of Entry: not yet handed over */
    gboolean all_changed;
    GSource *source; /* hands them over; NULL: nothing to hand over */
    GQueue jobs;     /* handed over, and not yet told done */
    gboolean is_failing;
};

typedef struct {
    CacheState *state; /* NULL once that is closed */
    Writer *writer;
    GArray *entries; /* of Entry, owned */
    guint32 next_id;
    GError *error;
} Job;

static const CacheSchema schema = {
    .name = "state",
    .id = 0x494d5354, /* "IMST" */
    .version = 1,
    .tables = "CREATE TABLE names (name BLOB PRIMARY KEY NOT NULL, "
              "id INTEGER NOT NULL UNIQUE, uidvalidity INTEGER NOT NULL) "
              "WITHOUT ROWID;"
              "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value) "
              "WITHOUT ROWID;",
    .durable = TRUE,
};

static void
clear_entry(gpointer data)
{
    g_free(((Entry *)data)->name);
}

static void
free_entry(gpointer data)
{
    clear_entry(data);
    g_free(data);
}

static gint
compare_names(gconstpointer a, gconstpointer b, gpointer user_data)
{
    return strcmp(a, b);
}

static void
writer_free(Writer *writer)
{
    sqlite3_finalize(writer->put);
    sqlite3_finalize(writer->put_next_id);
    cache_database_close(writer->database);
    g_async_queue_unref(writer->landed);
    g_free(writer);
}

/* ---- reading ---- */

static gboolean
refuse_content(const CacheState *state, GError **error)
{
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_DAMAGED, "%s is damaged",
                sqlite3_db_filename(state->writer->database, "main"));
    return FALSE;
}

static void
add_entry(CacheState *state, const char *name, guint32 id, guint64 uidvalidity)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry){g_strdup(name), id, uidvalidity};
    g_tree_insert(state->by_name, entry->name, entry);
    g_hash_table_insert(state->by_id, GUINT_TO_POINTER(id), entry);
}

static gboolean
read_entry(CacheState *state, sqlite3_stmt *row, GError **error)
{
    gconstpointer octets = sqlite3_column_blob(row, 0);
    int length = sqlite3_column_bytes(row, 0);
    gint64 id = sqlite3_column_int64(row, 1);
    g_autofree char *name = g_strndup(octets != NULL ? octets : "",
                                      octets != NULL ? (gsize)length : 0);

    if (id < 1 || id >= state->next_id || (int)strlen(name) != length ||
        length == 0 || g_tree_lookup(state->by_name, name) != NULL ||
        g_hash_table_contains(state->by_id, GUINT_TO_POINTER(id)))
        return refuse_content(state, error);
    add_entry(state, name, (guint32)id, (guint64)sqlite3_column_int64(row, 2));
    return TRUE;
}

/* Steps through the rows of @sql. */
static gboolean
read_rows(CacheState *state, const char *sql,
          gboolean (*read_row)(CacheState *state, sqlite3_stmt *row,
                               GError **error),
          GError **error)
{
    sqlite3 *database = state->writer->database;
    sqlite3_stmt *rows = cache_database_prepare(database, sql, error);
    gboolean good = rows != NULL;
    int result = SQLITE_DONE;

    while (good && (result = sqlite3_step(rows)) == SQLITE_ROW)
        good = read_row(state, rows, error);
    if (good && result != SQLITE_DONE)
        good = cache_database_set_error(database, error);
    sqlite3_finalize(rows);
    return good;
}

static gboolean
read_check(CacheState *state, sqlite3_stmt *row, GError **error)
{
    if (g_strcmp0((const char *)sqlite3_column_text(row, 0), "ok") == 0)
        return TRUE;
    return refuse_content(state, error);
}

static gboolean
read_meta(CacheState *state, sqlite3_stmt *row, GError **error)
{
    const char *key = (const char *)sqlite3_column_text(row, 0);
    gint64 number = sqlite3_column_int64(row, 1);

    if (g_strcmp0(key, "next_id") == 0) {
        if (number < 1 || number > (gint64)state->max_id + 1)
            return refuse_content(state, error);
        state->next_id = (guint32)number;
    } else if (g_strcmp0(key, "stem_version") == 0) {
        if (number < 1 || number > G_MAXINT)
            return refuse_content(state, error);
        state->stem_version = (guint)number;
    } else if (g_strcmp0(key, "identity") == 0) {
        g_free(state->identity);
        state->identity = g_strdup((const char *)sqlite3_column_text(row, 1));
    }
    return TRUE;
}

static gboolean
is_new(const CacheState *state)
{
    return state->next_id == 0 && state->stem_version == 0 &&
           state->identity == NULL;
}

static void
set_new(CacheState *state, guint stem_version)
{
    state->next_id = 1;
    state->stem_version = stem_version;
    state->identity = g_uuid_string_random();
}

/* A crash can have left the tables without a row. */
static gboolean
write_meta(CacheState *state, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "INSERT INTO meta VALUES ('next_id', %u), ('stem_version', %u), "
        "('identity', '%s');",
        state->next_id, state->stem_version, state->identity);

    return cache_database_run(state->writer->database, sql, error);
}

static gboolean
load(CacheState *state, guint stem_version, GError **error)
{
    if (!read_rows(state, "PRAGMA integrity_check(1);", read_check, error) ||
        !read_rows(state, "SELECT key, value FROM meta;", read_meta, error))
        return FALSE;
    if (is_new(state)) {
        set_new(state, stem_version);
        if (!write_meta(state, error))
            return FALSE;
    }
    if (state->next_id == 0 || state->stem_version == 0 ||
        state->identity == NULL || *state->identity == '\0')
        return refuse_content(state, error);
    return read_rows(state, "SELECT name, id, uidvalidity FROM names;",
                     read_entry, error);
}

static gboolean
open_writer(CacheState *state, const char *path, GError **error)
{
    Writer *writer;
    sqlite3 *database = cache_database_open(path, &schema, error);

    if (database == NULL)
        return FALSE;
    writer = g_new0(Writer, 1);
    writer->database = database;
    writer->landed = g_async_queue_new();
    state->writer = writer;
    writer->put = cache_database_prepare(
        database, "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3);", error);
    if (writer->put == NULL)
        return FALSE;
    writer->put_next_id = cache_database_prepare(
        database, "INSERT OR REPLACE INTO meta VALUES ('next_id', ?1);", error);
    return writer->put_next_id != NULL;
}

/* A file without an octet is what a first mount leaves that came to nothing;
 * what is left of one that was cut looks the same. */
static void
tell_if_empty(const char *path)
{
    struct stat file;

    if (stat(path, &file) == 0 && S_ISREG(file.st_mode) && file.st_size == 0)
        g_message("%s is empty, and begun anew: if there was an earlier mount, "
                  "every file now has a new inode number",
                  path);
}

CacheState *
cache_state_open(const char *directory, guint32 max_id, guint stem_version,
                 CacheStoreThread *thread, GError **error)
{
    g_autoptr(CacheState) state = g_new0(CacheState, 1);
    g_autofree char *path = NULL;
    GError *reason = NULL;

    state->by_name = g_tree_new_full(compare_names, NULL, NULL, free_entry);
    state->by_id = g_hash_table_new(NULL, NULL);
    state->changed = g_hash_table_new(NULL, NULL);
    state->max_id = max_id;
    state->thread = thread;
    g_queue_init(&state->jobs);
    if (directory == NULL) {
        set_new(state, stem_version);
        return g_steal_pointer(&state);
    }

    path = g_build_filename(directory, "state.db", NULL);
    tell_if_empty(path);
    if (!open_writer(state, path, &reason) ||
        !load(state, stem_version, &reason)) {
        cache_error_explain(error, reason, COST_OF_LOSS);
        return NULL;
    }
    return g_steal_pointer(&state);
}

/* ---- writing ---- */

static gboolean
step(Writer *writer, sqlite3_stmt *statement, GError **error)
{
    gboolean done = sqlite3_step(statement) == SQLITE_DONE;

    if (!done)
        cache_database_set_error(writer->database, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

static gboolean
put_all(Job *job, GError **error)
{
    Writer *writer = job->writer;

    for (guint i = 0; i < job->entries->len; i++) {
        const Entry *entry = &g_array_index(job->entries, Entry, i);

        sqlite3_bind_blob(writer->put, 1, entry->name, (int)strlen(entry->name),
                          SQLITE_STATIC);
        sqlite3_bind_int64(writer->put, 2, entry->id);
        sqlite3_bind_int64(writer->put, 3, (gint64)entry->uidvalidity);
        if (!step(writer, writer->put, error))
            return FALSE;
    }
    sqlite3_bind_int64(writer->put_next_id, 1, job->next_id);
    return step(writer, writer->put_next_id, error);
}

/* On the store thread, or at the end, when that has nothing left of ours. */
static void
write_job(Job *job)
{
    Writer *writer = job->writer;
    sqlite3 *database = writer->database;

    if (!cache_database_run(database, "BEGIN IMMEDIATE;", &job->error) ||
        !put_all(job, &job->error) ||
        !cache_database_run(database, "COMMIT;", &job->error))
        cache_database_run(database, "ROLLBACK;", NULL);
    if (writer->written != NULL)
        writer->written(job->error == NULL ? job->next_id : G_MAXUINT32,
                        writer->written_data);
}

static void
work(gpointer data)
{
    Job *job = data;

    write_job(job);
    g_async_queue_push(job->writer->landed, job);
}

static void
job_free(Job *job)
{
    g_array_unref(job->entries);
    g_clear_error(&job->error);
    g_free(job);
}

static void hand_over_later(CacheState *state);

static void
done(gpointer data)
{
    Job *job = data;
    CacheState *state = job->state;

    if (state != NULL) {
        g_async_queue_pop(state->writer->landed);
        g_queue_remove(&state->jobs, job);
        if (job->error != NULL) {
            if (!state->is_failing)
                g_message("The numbers of new mailboxes cannot be kept, which "
                          "is tried again: %s",
                          job->error->message);
            state->all_changed = TRUE;
            state->is_failing = TRUE;
            hand_over_later(state);
        } else if (!state->all_changed) {
            state->is_failing = FALSE;
        }
    }
    job_free(job);
}

static void
append_copy(GArray *entries, const Entry *entry)
{
    Entry copy = *entry;

    copy.name = g_strdup(entry->name);
    g_array_append_val(entries, copy);
}

static gboolean
append_each(gpointer name, gpointer entry, gpointer entries)
{
    append_copy(entries, entry);
    return FALSE;
}

static void
forget_source(CacheState *state)
{
    if (state->source == NULL)
        return;
    g_source_destroy(state->source);
    g_clear_pointer(&state->source, g_source_unref);
}

/* All that has changed, as a job; NULL for nothing. */
static Job *
take_changes(CacheState *state)
{
    GHashTableIter iter;
    gpointer entry;
    Job *job;

    if (g_hash_table_size(state->changed) == 0 && !state->all_changed)
        return NULL;
    job = g_new0(Job, 1);
    job->state = state;
    job->writer = state->writer;
    job->next_id = state->next_id;
    job->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(job->entries, clear_entry);
    g_hash_table_iter_init(&iter, state->changed);
    if (state->all_changed)
        g_tree_foreach(state->by_name, append_each, job->entries);
    else
        while (g_hash_table_iter_next(&iter, &entry, NULL))
            append_copy(job->entries, entry);
    g_hash_table_remove_all(state->changed);
    state->all_changed = FALSE;
    return job;
}

static gboolean
hand_over(gpointer user_data)
{
    CacheState *state = user_data;
    Job *job = take_changes(state);

    forget_source(state);
    if (job != NULL) {
        g_queue_push_tail(&state->jobs, job);
        cache_store_thread_push(state->thread, work, done, job);
    }
    return G_SOURCE_REMOVE;
}

/* As soon as the loop comes round, before all others; a disk that refuses is
 * left alone for a while. */
static void
hand_over_later(CacheState *state)
{
    if (state->writer == NULL || state->source != NULL)
        return;
    if (state->is_failing)
        state->source = g_timeout_source_new_seconds(RETRY_SECONDS);
    else
        state->source = g_idle_source_new();
    g_source_set_priority(state->source, G_PRIORITY_HIGH);
    g_source_set_callback(state->source, hand_over, state, NULL);
    g_source_attach(state->source, g_main_context_get_thread_default());
}

static void
mark_changed(CacheState *state, Entry *entry)
{
    if (state->writer == NULL)
        return;
    g_hash_table_add(state->changed, entry);
    hand_over_later(state);
}

/* The store thread's done functions come later; they find no state. */
static void
write_the_rest(CacheState *state)
{
    Job *job;

    for (guint n = state->jobs.length; n > 0; n--) {
        Job *landed = g_async_queue_pop(state->writer->landed);

        state->all_changed |= landed->error != NULL;
    }
    while ((job = g_queue_pop_head(&state->jobs)) != NULL)
        job->state = NULL;

    job = take_changes(state);
    if (job == NULL)
        return;
    write_job(job);
    if (job->error != NULL)
        g_message("The numbers of new mailboxes are lost: %s",
                  job->error->message);
    job_free(job);
}

void
cache_state_close(CacheState *state)
{
    if (state == NULL)
        return;
    forget_source(state);
    if (state->writer != NULL) {
        write_the_rest(state);
        writer_free(state->writer);
    }
    g_hash_table_unref(state->changed);
    g_hash_table_unref(state->by_id);
    g_tree_unref(state->by_name);
    g_free(state->identity);
    g_free(state);
}

/* ---- names and ids ---- */

guint32
cache_state_next_id(const CacheState *state)
{
    return state->next_id;
}

void
cache_state_set_written_func(CacheState *state, CacheIdsWrittenFunc func,
                             gpointer user_data)
{
    if (state->writer == NULL)
        return;
    state->writer->written = func;
    state->writer->written_data = user_data;
}

guint
cache_state_stem_version(const CacheState *state)
{
    return state->stem_version;
}

const char *
cache_state_identity(const CacheState *state)
{
    return state->identity;
}

guint32
cache_state_id(CacheState *state, const char *name)
{
    Entry *entry = g_tree_lookup(state->by_name, name);

    if (entry != NULL)
        return entry->id;
    if (state->next_id > state->max_id || *name == '\0')
        return 0;
    add_entry(state, name, state->next_id, 0);
    entry = g_tree_lookup(state->by_name, name);
    state->next_id++;
    mark_changed(state, entry);
    return entry->id;
}

guint32
cache_state_id_moved(CacheState *state, const char *name, const char *before)
{
    Entry *entry = g_tree_lookup(state->by_name, before);

    if (entry == NULL || *name == '\0' ||
        g_tree_lookup(state->by_name, name) != NULL)
        return cache_state_id(state, name);
    g_tree_steal(state->by_name, before);
    g_free(entry->name);
    entry->name = g_strdup(name);
    g_tree_insert(state->by_name, entry->name, entry);
    mark_changed(state, entry);
    return entry->id;
}

guint32
cache_state_renew(CacheState *state, const char *name)
{
    Entry *entry = g_tree_lookup(state->by_name, name);

    if (entry == NULL)
        return cache_state_id(state, name);
    if (state->next_id > state->max_id)
        return 0;
    g_hash_table_remove(state->by_id, GUINT_TO_POINTER(entry->id));
    entry->id = state->next_id++;
    entry->uidvalidity = 0;
    g_hash_table_insert(state->by_id, GUINT_TO_POINTER(entry->id), entry);
    mark_changed(state, entry);
    return entry->id;
}

guint64
cache_state_uidvalidity(const CacheState *state, guint32 id)
{
    const Entry *entry =
        g_hash_table_lookup(state->by_id, GUINT_TO_POINTER(id));

    return entry != NULL ? entry->uidvalidity : 0;
}

void
cache_state_set_uidvalidity(CacheState *state, guint32 id, guint64 uidvalidity)
{
    Entry *entry = g_hash_table_lookup(state->by_id, GUINT_TO_POINTER(id));

    if (entry == NULL || entry->uidvalidity == uidvalidity)
        return;
    entry->uidvalidity = uidvalidity;
    mark_changed(state, entry);
}
