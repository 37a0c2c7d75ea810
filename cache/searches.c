/* Kept searches: few, and asked for at every step of a path. */
#include "cache/searches.h"

#include "cache/error.h"
#include "cache/record-writer.h"

#include <string.h>

#define COST_OF_LOSS "the searches that were kept are then forgotten"

struct CacheSearches {
    CacheRecordWriter *writer;
    GHashTable *by_name; /* name -> CacheSearch, owned by by_id */
    GTree *by_id;        /* id -> CacheSearch, owned */
    guint32 next_id;
};

enum {
    STATEMENT_PUT,
    STATEMENT_REMOVE,
};

static const char *const statements[] = {
    "INSERT OR REPLACE INTO searches VALUES (?1, ?2, ?3);",
    "DELETE FROM searches WHERE id = ?1;",
    NULL,
};

static const CacheSchema schema = {
    .name = "searches",
    .id = 0x494d5352, /* "IMSR" */
    .version = 1,
    .tables = "CREATE TABLE searches (id INTEGER PRIMARY KEY AUTOINCREMENT, "
              "name TEXT NOT NULL UNIQUE, query TEXT NOT NULL);",
    .durable = TRUE,
};

static void
search_free(gpointer data)
{
    CacheSearch *search = data;

    g_free(search->name);
    g_free(search->query);
    g_free(search);
}

static int
compare_ids(gconstpointer a, gconstpointer b, gpointer user_data)
{
    guint one = GPOINTER_TO_UINT(a);
    guint other = GPOINTER_TO_UINT(b);

    return one < other ? -1 : one > other;
}

static CacheSearch *
keep(CacheSearches *searches, guint32 id, const char *name, const char *query)
{
    CacheSearch *search = g_new0(CacheSearch, 1);

    search->id = id;
    search->name = g_strdup(name);
    search->query = g_strdup(query);
    g_tree_insert(searches->by_id, GUINT_TO_POINTER(id), search);
    g_hash_table_insert(searches->by_name, search->name, search);
    searches->next_id = MAX(searches->next_id, id + 1);
    return search;
}

/* ---- reading ---- */

/* One name that no directory can hold would spoil the list of all. */
static gboolean
is_readable(const char *name, const char *query)
{
    return name != NULL && *name != '\0' && *name != '.' &&
           strchr(name, '/') == NULL && strlen(name) <= CACHE_SEARCH_NAME_MAX &&
           query != NULL && strlen(query) <= CACHE_SEARCH_QUERY_MAX;
}

/* Of removed ones, the highest number is remembered. */
static gboolean
read_next_id(CacheSearches *searches, sqlite3 *database, GError **error)
{
    sqlite3_stmt *row = cache_database_prepare(
        database, "SELECT seq FROM sqlite_sequence WHERE name = 'searches';",
        error);

    if (row == NULL)
        return FALSE;
    if (sqlite3_step(row) == SQLITE_ROW)
        searches->next_id =
            MAX(searches->next_id, (guint32)sqlite3_column_int64(row, 0) + 1);
    sqlite3_finalize(row);
    return TRUE;
}

static gboolean
read_all(CacheSearches *searches, GError **error)
{
    sqlite3 *database = cache_record_writer_database(searches->writer);
    sqlite3_stmt *rows = cache_database_prepare(
        database, "SELECT id, name, query FROM searches;", error);
    int result;

    if (rows == NULL)
        return FALSE;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
        gint64 id = sqlite3_column_int64(rows, 0);
        const char *name = (const char *)sqlite3_column_text(rows, 1);
        const char *query = (const char *)sqlite3_column_text(rows, 2);

        if (id > 0 && id < G_MAXUINT32 && is_readable(name, query))
            keep(searches, (guint32)id, name, query);
    }
    if (result != SQLITE_DONE)
        cache_database_set_error(database, error);
    sqlite3_finalize(rows);
    return result == SQLITE_DONE && read_next_id(searches, database, error);
}

CacheSearches *
cache_searches_open(const char *directory, CacheStoreThread *thread,
                    GError **error)
{
    g_autoptr(CacheSearches) searches = g_new0(CacheSearches, 1);
    g_autofree char *path = NULL;
    GError *reason = NULL;

    searches->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    searches->by_id = g_tree_new_full(compare_ids, NULL, NULL, search_free);
    searches->next_id = 1;
    if (directory != NULL)
        path = g_build_filename(directory, "searches.db", NULL);
    searches->writer =
        cache_record_writer_open(path, &schema, statements, thread, &reason);
    if (searches->writer == NULL ||
        (path != NULL && !read_all(searches, &reason))) {
        cache_error_explain(error, reason, COST_OF_LOSS);
        return NULL;
    }
    return g_steal_pointer(&searches);
}

void
cache_searches_close(CacheSearches *searches)
{
    if (searches == NULL)
        return;
    cache_record_writer_close(searches->writer);
    g_hash_table_unref(searches->by_name);
    g_tree_unref(searches->by_id);
    g_free(searches);
}

/* ---- searches ---- */

const CacheSearch *
cache_searches_find(const CacheSearches *searches, const char *name)
{
    return g_hash_table_lookup(searches->by_name, name);
}

const CacheSearch *
cache_searches_get(const CacheSearches *searches, guint32 id)
{
    return g_tree_lookup(searches->by_id, GUINT_TO_POINTER(id));
}

const CacheSearch *
cache_searches_next(const CacheSearches *searches, guint32 after)
{
    GTreeNode *node =
        g_tree_upper_bound(searches->by_id, GUINT_TO_POINTER(after));

    return node != NULL ? g_tree_node_value(node) : NULL;
}

static void
push(CacheSearches *searches, const CacheSearch *search)
{
    CacheRecord *record = cache_record_new(STATEMENT_PUT);

    cache_record_add_number(record, search->id);
    cache_record_add_text(record, search->name);
    cache_record_add_text(record, search->query);
    cache_record_writer_push(searches->writer, record);
}

const CacheSearch *
cache_searches_put(CacheSearches *searches, const char *name, const char *query)
{
    CacheSearch *search = g_hash_table_lookup(searches->by_name, name);

    if (!is_readable(name, query) ||
        (search == NULL &&
         (g_hash_table_size(searches->by_name) >= CACHE_SEARCHES_MAX ||
          searches->next_id == G_MAXUINT32)))
        return NULL;
    if (search == NULL) {
        search = keep(searches, searches->next_id, name, query);
    } else {
        g_free(search->query);
        search->query = g_strdup(query);
    }
    push(searches, search);
    return search;
}

void
cache_searches_remove(CacheSearches *searches, guint32 id)
{
    const CacheSearch *search = cache_searches_get(searches, id);
    CacheRecord *record;

    if (search == NULL)
        return;
    g_hash_table_remove(searches->by_name, search->name);
    g_tree_remove(searches->by_id, GUINT_TO_POINTER(id));
    record = cache_record_new(STATEMENT_REMOVE);
    cache_record_add_number(record, id);
    cache_record_writer_push(searches->writer, record);
}
