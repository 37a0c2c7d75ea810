/* The table that says where each block lies.
 *
 * A row's id is its place: segment and offset in one number. So the rows of a
 * segment lie together, new ones are appended, and two blocks cannot claim the
 * same octets. The segments' own rows have sums that would else have to be
 * counted at each start. */
#include "cache/block-table.h"

#include "cache/blocks.h"
#include "cache/database.h"
#include "cache/error.h"

#include <string.h>

static const CacheSchema schema = {
    .name = "table of bodies",
    .id = 0x696d6642, /* "imfB" */
    .version = 1,
    .tables =
        "CREATE TABLE block (place INTEGER PRIMARY KEY, key BLOB NOT NULL, "
        "number INTEGER NOT NULL, length INTEGER NOT NULL, "
        "checksum INTEGER NOT NULL, state INTEGER NOT NULL); "
        "CREATE UNIQUE INDEX block_by_key ON block (key, number); "
        "CREATE TABLE segment (number INTEGER PRIMARY KEY, "
        "hot INTEGER NOT NULL, octets INTEGER NOT NULL, "
        "live INTEGER NOT NULL, used INTEGER NOT NULL);",
    .durable = FALSE,
};

typedef enum {
    FIND,
    INSERT,
    REMOVE,
    REMOVE_KEY,
    REMOVE_PLACE,
    REMOVE_SOME,
    MARK,
    LIST_HOT,
    MOVE,
    LOAD_SEGMENTS,
    SAVE_SEGMENT,
    REMOVE_SEGMENT,
    BEGIN,
    COMMIT,
    N_STATEMENTS,
} Statement;

static const char *const texts[N_STATEMENTS] = {
    [FIND] = "SELECT place, length, checksum, state FROM block "
             "WHERE key = ?1 AND number = ?2",
    [INSERT] = "INSERT INTO block (key, number, place, length, checksum, state)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [REMOVE] = "DELETE FROM block WHERE key = ?1 AND number = ?2 "
               "RETURNING place, length, checksum, state",
    [REMOVE_KEY] = "DELETE FROM block WHERE key = ?1 "
                   "RETURNING place, length, checksum, state",
    [REMOVE_PLACE] = "DELETE FROM block WHERE place = ?1 "
                     "RETURNING place, length, checksum, state",
    [REMOVE_SOME] = "DELETE FROM block WHERE place IN (SELECT place FROM block "
                    "WHERE place >= ?1 AND place < ?2 LIMIT ?3) "
                    "RETURNING place, length, checksum, state",
    [MARK] = "UPDATE block SET state = ?2 WHERE place = ?1 AND state < ?2",
    [LIST_HOT] = "SELECT place, length, checksum, state, key, number "
                 "FROM block WHERE place >= ?1 AND place < ?2 AND state = ?4 "
                 "ORDER BY place LIMIT ?3",
    [MOVE] = "UPDATE block SET place = ?2 WHERE place = ?1",
    [LOAD_SEGMENTS] = "SELECT number, hot, octets, live, used FROM segment "
                      "ORDER BY number",
    [SAVE_SEGMENT] = "INSERT OR REPLACE INTO segment (number, hot, octets, "
                     "live, used) VALUES (?1, ?2, ?3, ?4, ?5)",
    [REMOVE_SEGMENT] = "DELETE FROM segment WHERE number = ?1",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};

struct CacheBlockTable {
    sqlite3 *database;
    sqlite3_stmt *statements[N_STATEMENTS];
};

void
cache_block_row_clear(CacheBlockRow *row)
{
    g_clear_pointer(&row->key, g_free);
}

static char *
path_in(const char *directory)
{
    return g_build_filename(directory, "blocks.db", NULL);
}

/* Takes ownership of @database. */
static CacheBlockTable *
prepare(sqlite3 *database, guint n_statements, GError **error)
{
    CacheBlockTable *table;

    if (database == NULL)
        return NULL;
    table = g_new0(CacheBlockTable, 1);
    table->database = database;
    for (guint i = 0; i < n_statements; i++) {
        table->statements[i] =
            cache_database_prepare(database, texts[i], error);
        if (table->statements[i] == NULL) {
            cache_block_table_close(table);
            return NULL;
        }
    }
    return table;
}

CacheBlockTable *
cache_block_table_open(const char *directory, GError **error)
{
    g_autofree char *path = path_in(directory);

    return prepare(cache_database_open_or_rebuild(path, &schema, error),
                   N_STATEMENTS, error);
}

CacheBlockTable *
cache_block_table_open_reader(const char *directory, GError **error)
{
    g_autofree char *path = path_in(directory);

    return prepare(cache_database_open_reader(path, &schema, error), FIND + 1,
                   error);
}

void
cache_block_table_close(CacheBlockTable *table)
{
    if (table == NULL)
        return;
    for (guint i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(table->statements[i]);
    cache_database_close(table->database);
    g_free(table);
}

void
cache_block_table_set_aside(const char *directory)
{
    g_autofree char *path = path_in(directory);

    cache_database_set_aside(path);
}

static gint64
id_of(guint32 segment, guint64 offset)
{
    return (gint64)(((guint64)segment << 32) + offset);
}

static gint64
id_of_place(const CacheBlockPlace *place)
{
    return id_of(place->segment, place->offset);
}

/* FALSE if no such place can have been written. */
static gboolean
get_place(sqlite3_stmt *row, CacheBlockPlace *place)
{
    gint64 id = sqlite3_column_int64(row, 0);
    gint64 length = sqlite3_column_int64(row, 1);
    gint64 state = sqlite3_column_int64(row, 3);

    if (id <= G_MAXUINT32 || length < 1 || length > CACHE_BLOCK_SIZE)
        return FALSE;
    *place = (CacheBlockPlace){
        .segment = (guint32)((guint64)id >> 32),
        .offset = (guint32)((guint64)id & G_MAXUINT32),
        .length = (guint32)length,
        .checksum = (guint32)sqlite3_column_int64(row, 2),
        .state =
            (CacheBlockState)CLAMP(state, CACHE_BLOCK_UNREAD, CACHE_BLOCK_HOT),
    };
    return TRUE;
}

static void
bind_key(sqlite3_stmt *statement, const char *key)
{
    sqlite3_bind_blob(statement, 1, key, (int)strlen(key), SQLITE_STATIC);
}

static void
bind_range(sqlite3_stmt *statement, guint32 segment, guint32 offset,
           guint limit)
{
    sqlite3_bind_int64(statement, 1, id_of(segment, offset));
    sqlite3_bind_int64(statement, 2, id_of(segment + 1, 0));
    sqlite3_bind_int64(statement, 3, limit);
}

static gboolean
finish(CacheBlockTable *table, sqlite3_stmt *statement, int result,
       GError **error)
{
    if (result != SQLITE_DONE && result != SQLITE_ROW)
        cache_database_set_error(table->database, error);
    sqlite3_reset(statement);
    return result == SQLITE_DONE || result == SQLITE_ROW;
}

/* Of a statement that brings no rows. */
static gboolean
run(CacheBlockTable *table, Statement which, GError **error)
{
    sqlite3_stmt *statement = table->statements[which];

    return finish(table, statement, sqlite3_step(statement), error);
}

/* Of one that removes. */
static gboolean
run_removing(CacheBlockTable *table, Statement which, GArray *removed,
             GError **error)
{
    sqlite3_stmt *statement = table->statements[which];
    CacheBlockPlace place;
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        if (get_place(statement, &place))
            g_array_append_val(removed, place);
    return finish(table, statement, result, error);
}

gboolean
cache_block_table_find(CacheBlockTable *table, const char *key, guint32 number,
                       CacheBlockPlace *place, GError **error)
{
    sqlite3_stmt *statement = table->statements[FIND];
    gboolean found;
    int result;

    bind_key(statement, key);
    sqlite3_bind_int64(statement, 2, number);
    result = sqlite3_step(statement);
    found = result == SQLITE_ROW && get_place(statement, place);
    finish(table, statement, result, error);
    return found;
}

gboolean
cache_block_table_begin(CacheBlockTable *table, GError **error)
{
    int moved = 0;

    if (sqlite3_file_control(table->database, "main", SQLITE_FCNTL_HAS_MOVED,
                             &moved) == SQLITE_OK &&
        moved) {
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO, "%s was deleted",
                    sqlite3_db_filename(table->database, "main"));
        return FALSE;
    }
    return run(table, BEGIN, error);
}

gboolean
cache_block_table_commit(CacheBlockTable *table, GError **error)
{
    return run(table, COMMIT, error);
}

void
cache_block_table_roll_back(CacheBlockTable *table)
{
    if (!sqlite3_get_autocommit(table->database))
        sqlite3_exec(table->database, "ROLLBACK", NULL, NULL, NULL);
}

gboolean
cache_block_table_insert(CacheBlockTable *table, const char *key,
                         guint32 number, const CacheBlockPlace *place,
                         GError **error)
{
    sqlite3_stmt *statement = table->statements[INSERT];

    bind_key(statement, key);
    sqlite3_bind_int64(statement, 2, number);
    sqlite3_bind_int64(statement, 3, id_of_place(place));
    sqlite3_bind_int64(statement, 4, place->length);
    sqlite3_bind_int64(statement, 5, place->checksum);
    sqlite3_bind_int64(statement, 6, place->state);
    return run(table, INSERT, error);
}

gboolean
cache_block_table_remove(CacheBlockTable *table, const char *key,
                         guint32 number, GArray *removed, GError **error)
{
    bind_key(table->statements[REMOVE], key);
    sqlite3_bind_int64(table->statements[REMOVE], 2, number);
    return run_removing(table, REMOVE, removed, error);
}

gboolean
cache_block_table_remove_key(CacheBlockTable *table, const char *key,
                             GArray *removed, GError **error)
{
    bind_key(table->statements[REMOVE_KEY], key);
    return run_removing(table, REMOVE_KEY, removed, error);
}

gboolean
cache_block_table_remove_place(CacheBlockTable *table,
                               const CacheBlockPlace *place, GArray *removed,
                               GError **error)
{
    sqlite3_bind_int64(table->statements[REMOVE_PLACE], 1, id_of_place(place));
    return run_removing(table, REMOVE_PLACE, removed, error);
}

gboolean
cache_block_table_remove_some(CacheBlockTable *table, guint32 segment,
                              guint limit, GArray *removed, GError **error)
{
    bind_range(table->statements[REMOVE_SOME], segment, 0, limit);
    return run_removing(table, REMOVE_SOME, removed, error);
}

gboolean
cache_block_table_mark(CacheBlockTable *table, const CacheBlockPlace *place,
                       GError **error)
{
    sqlite3_stmt *statement = table->statements[MARK];

    sqlite3_bind_int64(statement, 1, id_of_place(place));
    sqlite3_bind_int64(statement, 2, place->state);
    return run(table, MARK, error);
}

gboolean
cache_block_table_list_hot(CacheBlockTable *table, guint32 segment,
                           guint32 offset, guint limit, GArray *rows,
                           GError **error)
{
    sqlite3_stmt *statement = table->statements[LIST_HOT];
    int result;

    bind_range(statement, segment, offset, limit);
    sqlite3_bind_int64(statement, 4, CACHE_BLOCK_HOT);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        CacheBlockRow row;

        /* No block has an empty key. */
        if (!get_place(statement, &row.place) ||
            sqlite3_column_blob(statement, 4) == NULL)
            continue;
        row.number = (guint32)sqlite3_column_int64(statement, 5);
        row.key = g_strndup(sqlite3_column_blob(statement, 4),
                            (gsize)sqlite3_column_bytes(statement, 4));
        g_array_append_val(rows, row);
    }
    return finish(table, statement, result, error);
}

gboolean
cache_block_table_move(CacheBlockTable *table, const CacheBlockPlace *from,
                       const CacheBlockPlace *to, GError **error)
{
    sqlite3_stmt *statement = table->statements[MOVE];

    sqlite3_bind_int64(statement, 1, id_of_place(from));
    sqlite3_bind_int64(statement, 2, id_of_place(to));
    return run(table, MOVE, error);
}

gboolean
cache_block_table_load_segments(CacheBlockTable *table, GArray *segments,
                                GError **error)
{
    sqlite3_stmt *statement = table->statements[LOAD_SEGMENTS];
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        CacheSegment segment = {
            .number = (guint32)sqlite3_column_int64(statement, 0),
            .hot = sqlite3_column_int(statement, 1) != 0,
            .octets = (guint64)sqlite3_column_int64(statement, 2),
            .live = (guint64)sqlite3_column_int64(statement, 3),
            .used = (guint64)sqlite3_column_int64(statement, 4),
        };

        g_array_append_val(segments, segment);
    }
    return finish(table, statement, result, error);
}

gboolean
cache_block_table_save_segment(CacheBlockTable *table,
                               const CacheSegment *segment, GError **error)
{
    sqlite3_stmt *statement = table->statements[SAVE_SEGMENT];

    sqlite3_bind_int64(statement, 1, segment->number);
    sqlite3_bind_int(statement, 2, segment->hot);
    sqlite3_bind_int64(statement, 3, (gint64)segment->octets);
    sqlite3_bind_int64(statement, 4, (gint64)segment->live);
    sqlite3_bind_int64(statement, 5, (gint64)segment->used);
    return run(table, SAVE_SEGMENT, error);
}

gboolean
cache_block_table_remove_segment(CacheBlockTable *table, guint32 number,
                                 GError **error)
{
    sqlite3_bind_int64(table->statements[REMOVE_SEGMENT], 1, number);
    return run(table, REMOVE_SEGMENT, error);
}
