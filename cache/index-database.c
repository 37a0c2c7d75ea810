/* The tables of index.db.
 *
 * A row a message would make it two hundred times as many rows, and each
 * message three times as slow to write and to read. Records that are changed at
 * random cost little more than so: SQLite writes whole pages as well.
 *
 * Chunks have numbers of their own, not their first UID, which changes; and
 * their records have a table of their own, so that a mailbox of a million
 * messages is known from reading some hundred kilobytes. */
#include "cache/index-database.h"

#include "cache/database.h"
#include "cache/error.h"

#include <zlib.h>

static const CacheSchema schema = {
    .name = "index",
    .id = 0x696d6978, /* "imix" */
    .version = 1,
    .tables = "CREATE TABLE mailbox ("
              "id INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL,"
              "uidnext INTEGER NOT NULL, highestmodseq INTEGER NOT NULL,"
              "complete INTEGER NOT NULL, has_headers INTEGER NOT NULL,"
              "messages INTEGER NOT NULL, octets INTEGER NOT NULL,"
              "checksum INTEGER NOT NULL);"
              "CREATE TABLE chunk ("
              "mailbox INTEGER NOT NULL, number INTEGER NOT NULL,"
              "first INTEGER NOT NULL, last INTEGER NOT NULL,"
              "messages INTEGER NOT NULL, octets INTEGER NOT NULL,"
              "checksum INTEGER NOT NULL, PRIMARY KEY (mailbox, number)"
              ") WITHOUT ROWID;"
              "CREATE TABLE records ("
              "number INTEGER PRIMARY KEY, data BLOB NOT NULL);",
};

typedef enum {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_DROP_RECORDS,
    STATEMENT_DROP_CHUNKS,
    STATEMENT_DROP_MAILBOX,
    STATEMENT_REMOVE_RECORDS,
    STATEMENT_REMOVE_CHUNK,
    STATEMENT_WRITE_RECORDS,
    STATEMENT_WRITE_CHUNK,
    STATEMENT_WRITE_MAILBOX,
    STATEMENT_READ_MAILBOXES,
    STATEMENT_READ_CHUNKS,
    STATEMENT_READ_RECORDS,
    STATEMENT_LAST_NUMBER,
    STATEMENT_JOURNAL_MODE,
    N_STATEMENTS,
} StatementId;

static const char *const statement_sql[N_STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_DROP_RECORDS] = ("DELETE FROM records WHERE number IN "
                                "(SELECT number FROM chunk WHERE mailbox = ?)"),
    [STATEMENT_DROP_CHUNKS] = "DELETE FROM chunk WHERE mailbox = ?",
    [STATEMENT_DROP_MAILBOX] = "DELETE FROM mailbox WHERE id = ?",
    [STATEMENT_REMOVE_RECORDS] = "DELETE FROM records WHERE number = ?",
    [STATEMENT_REMOVE_CHUNK] =
        "DELETE FROM chunk WHERE mailbox = ? AND number = ?",
    [STATEMENT_WRITE_RECORDS] = "INSERT OR REPLACE INTO records VALUES (?, ?)",
    [STATEMENT_WRITE_CHUNK] =
        "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?)",
    [STATEMENT_WRITE_MAILBOX] =
        "INSERT OR REPLACE INTO mailbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STATEMENT_READ_MAILBOXES] = "SELECT * FROM mailbox",
    [STATEMENT_READ_CHUNKS] = "SELECT * FROM chunk WHERE mailbox = ?",
    [STATEMENT_READ_RECORDS] = "SELECT data FROM records WHERE number = ?",
    [STATEMENT_JOURNAL_MODE] = "PRAGMA journal_mode",
    [STATEMENT_LAST_NUMBER] = "SELECT max(number) FROM records",
};

#define MAX_COLUMNS 9

struct CacheIndexDatabase {
    char *path;
    sqlite3 *connection;                    /* NULL: could not be rebuilt */
    sqlite3_stmt *statements[N_STATEMENTS]; /* NULL: not yet used */
    GError *failed;                         /* why nothing is written */
};

CacheIndexBatch *
cache_index_batch_new(void)
{
    CacheIndexBatch *batch = g_new0(CacheIndexBatch, 1);

    batch->dropped = g_array_new(FALSE, FALSE, sizeof(guint32));
    batch->removed = g_array_new(FALSE, FALSE, sizeof(CacheChunkKey));
    batch->chunks = g_array_new(FALSE, FALSE, sizeof(CacheChunkRow));
    batch->rows = g_array_new(FALSE, FALSE, sizeof(CacheMailboxRow));
    return batch;
}

void
cache_index_batch_free(CacheIndexBatch *batch)
{
    if (batch == NULL)
        return;
    for (guint i = 0; i < batch->chunks->len; i++)
        g_free(g_array_index(batch->chunks, CacheChunkRow, i).data);
    g_array_unref(batch->dropped);
    g_array_unref(batch->removed);
    g_array_unref(batch->chunks);
    g_array_unref(batch->rows);
    g_free(batch);
}

static void
disconnect(CacheIndexDatabase *database)
{
    for (guint i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(database->statements[i]);
        database->statements[i] = NULL;
    }
    g_clear_pointer(&database->connection, cache_database_close);
}

static CacheIndexDatabase *
new_database(const char *path, sqlite3 *connection)
{
    CacheIndexDatabase *database;

    if (connection == NULL)
        return NULL;
    database = g_new0(CacheIndexDatabase, 1);
    database->path = g_strdup(path);
    database->connection = connection;
    return database;
}

CacheIndexDatabase *
cache_index_database_open(const char *path, GError **error)
{
    return new_database(path,
                        cache_database_open_or_rebuild(path, &schema, error));
}

/* Statements are prepared when they are first used, most by one of the two
 * connections only. */
static sqlite3_stmt *
statement(CacheIndexDatabase *database, StatementId id, GError **error)
{
    if (database->connection == NULL) {
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO, "%s is not open",
                    database->path);
        return NULL;
    }
    if (database->statements[id] == NULL)
        database->statements[id] = cache_database_prepare(
            database->connection, statement_sql[id], error);
    return database->statements[id];
}

/* Without a log a reader would have to wait for the writer, and here it must
 * not. */
static gboolean
has_log(CacheIndexDatabase *database, GError **error)
{
    sqlite3_stmt *s = statement(database, STATEMENT_JOURNAL_MODE, error);
    gboolean ok;

    if (s == NULL)
        return FALSE;
    ok = sqlite3_step(s) == SQLITE_ROW &&
         g_strcmp0((const char *)sqlite3_column_text(s, 0), "wal") == 0;
    if (!ok)
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO,
                    "the file system of %s cannot be written and read at once",
                    database->path);
    sqlite3_reset(s);
    return ok;
}

CacheIndexDatabase *
cache_index_database_open_reader(const char *path, GError **error)
{
    g_autoptr(CacheIndexDatabase) database =
        new_database(path, cache_database_open_reader(path, &schema, error));

    if (database == NULL || !has_log(database, error))
        return NULL;
    return g_steal_pointer(&database);
}

void
cache_index_database_close(CacheIndexDatabase *database)
{
    if (database == NULL)
        return;
    disconnect(database);
    g_clear_error(&database->failed);
    g_free(database->path);
    g_free(database);
}

gboolean
cache_index_database_rebuild(CacheIndexDatabase *database, GError **error)
{
    disconnect(database);
    g_clear_error(&database->failed);
    cache_database_set_aside(database->path);
    database->connection = cache_database_open(database->path, &schema, error);
    return database->connection != NULL;
}

static gboolean
set_damaged(CacheIndexDatabase *database, GError **error)
{
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_DAMAGED,
                "%s does not hold what was written there", database->path);
    return FALSE;
}

/* Runs the statement @id, which brings no rows, with @n numbers. */
static gboolean
run(CacheIndexDatabase *database, StatementId id, const guint64 *numbers,
    guint n, GError **error)
{
    sqlite3_stmt *s = statement(database, id, error);
    gboolean ok;

    if (s == NULL)
        return FALSE;
    for (guint i = 0; i < n; i++)
        sqlite3_bind_int64(s, (int)i + 1, (sqlite3_int64)numbers[i]);
    ok = sqlite3_step(s) == SQLITE_DONE;
    if (!ok)
        cache_database_set_error(database->connection, error);
    sqlite3_reset(s);
    return ok;
}

/* Of all columns but the last, which has it. */
static guint64
checksum_of(const guint64 *columns, guint n)
{
    return crc32_z(0, (const guint8 *)columns, n * sizeof *columns);
}

static gboolean
write_row(CacheIndexDatabase *database, StatementId id, guint64 *columns,
          guint n, GError **error)
{
    columns[n - 1] = checksum_of(columns, n - 1);
    return run(database, id, columns, n, error);
}

static gboolean
write_mailbox(CacheIndexDatabase *database, const CacheMailboxRow *row,
              GError **error)
{
    guint64 columns[9] = {
        row->id,
        row->state.uidvalidity,
        row->state.uidnext,
        row->state.highestmodseq,
        row->state.complete != FALSE,
        row->state.has_headers != FALSE,
        row->messages,
        row->octets,
    };

    return write_row(database, STATEMENT_WRITE_MAILBOX, columns, 9, error);
}

static gboolean
write_chunk(CacheIndexDatabase *database, CacheChunkRow *row, GError **error)
{
    const CacheChunkStub *stub = &row->stub;
    guint64 columns[7] = {row->mailbox, stub->number, stub->first,
                          stub->last,   stub->length, stub->octets};
    sqlite3_stmt *s = statement(database, STATEMENT_WRITE_RECORDS, error);
    gboolean ok;

    if (s == NULL)
        return FALSE;
    cache_records_seal(row->data, row->length);
    sqlite3_bind_blob64(s, 2, row->data, row->length, SQLITE_STATIC);
    ok = run(database, STATEMENT_WRITE_RECORDS, &stub->number, 1, error) &&
         write_row(database, STATEMENT_WRITE_CHUNK, columns, 7, error);
    sqlite3_clear_bindings(s);
    return ok;
}

static gboolean
drop_mailbox(CacheIndexDatabase *database, guint32 mailbox, GError **error)
{
    guint64 id = mailbox;

    return run(database, STATEMENT_DROP_RECORDS, &id, 1, error) &&
           run(database, STATEMENT_DROP_CHUNKS, &id, 1, error) &&
           run(database, STATEMENT_DROP_MAILBOX, &id, 1, error);
}

static gboolean
remove_chunk(CacheIndexDatabase *database, const CacheChunkKey *key,
             GError **error)
{
    guint64 columns[2] = {key->mailbox, key->number};

    return run(database, STATEMENT_REMOVE_CHUNK, columns, 2, error) &&
           run(database, STATEMENT_REMOVE_RECORDS, &key->number, 1, error);
}

static gboolean
write_all(CacheIndexDatabase *database, CacheIndexBatch *batch, GError **error)
{
    for (guint i = 0; i < batch->dropped->len; i++)
        if (!drop_mailbox(database, g_array_index(batch->dropped, guint32, i),
                          error))
            return FALSE;
    for (guint i = 0; i < batch->removed->len; i++)
        if (!remove_chunk(database,
                          &g_array_index(batch->removed, CacheChunkKey, i),
                          error))
            return FALSE;
    for (guint i = 0; i < batch->chunks->len; i++)
        if (!write_chunk(database,
                         &g_array_index(batch->chunks, CacheChunkRow, i),
                         error))
            return FALSE;
    for (guint i = 0; i < batch->rows->len; i++)
        if (!write_mailbox(database,
                           &g_array_index(batch->rows, CacheMailboxRow, i),
                           error))
            return FALSE;
    return TRUE;
}

gboolean
cache_index_database_write(CacheIndexDatabase *database, CacheIndexBatch *batch,
                           GError **error)
{
    if (database->failed == NULL &&
        run(database, STATEMENT_BEGIN, NULL, 0, &database->failed) &&
        write_all(database, batch, &database->failed) &&
        run(database, STATEMENT_COMMIT, NULL, 0, &database->failed))
        return TRUE;

    if (database->connection != NULL &&
        !sqlite3_get_autocommit(database->connection))
        cache_database_run(database->connection, "ROLLBACK", NULL);
    g_propagate_error(error, g_error_copy(database->failed));
    return FALSE;
}

void
cache_index_database_shrink(CacheIndexDatabase *database)
{
    /* So many pages take a fifth of a second. The rest is used again. */
    if (database->connection != NULL && database->failed == NULL)
        cache_database_run(database->connection,
                           "PRAGMA incremental_vacuum(1000)", NULL);
}

/* The next row of numbers: TRUE with @found whether there was one. */
static gboolean
read_row(CacheIndexDatabase *database, sqlite3_stmt *s, guint64 *columns,
         guint n, gboolean *found, GError **error)
{
    int result = sqlite3_step(s);

    *found = result == SQLITE_ROW;
    if (result == SQLITE_DONE)
        return TRUE;
    if (result != SQLITE_ROW)
        return cache_database_set_error(database->connection, error);

    for (guint i = 0; i < n; i++)
        columns[i] = (guint64)sqlite3_column_int64(s, (int)i);
    return columns[n - 1] == checksum_of(columns, n - 1) ||
           set_damaged(database, error);
}

/* All rows of the statement @id, each given to @add. */
static GArray *
read_rows(CacheIndexDatabase *database, StatementId id, const guint64 *key,
          guint n_columns, gsize size,
          gboolean (*add)(GArray *rows, const guint64 *columns), GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, (guint)size);
    sqlite3_stmt *s = statement(database, id, error);
    guint64 columns[MAX_COLUMNS];
    gboolean ok, found;

    if (s == NULL)
        return NULL;
    if (key != NULL)
        sqlite3_bind_int64(s, 1, (sqlite3_int64)*key);
    while ((ok = read_row(database, s, columns, n_columns, &found, error)) &&
           found) {
        if ((key == NULL || columns[0] == *key) && add(rows, columns))
            continue;
        ok = set_damaged(database, error);
        break;
    }
    sqlite3_reset(s);
    return ok ? g_steal_pointer(&rows) : NULL;
}

static gboolean
add_mailbox(GArray *rows, const guint64 *columns)
{
    CacheMailboxRow row = {
        .id = (guint32)columns[0],
        .state =
            {
                .uidvalidity = columns[1],
                .uidnext = columns[2],
                .highestmodseq = columns[3],
                .complete = columns[4] != 0,
                .has_headers = columns[5] != 0,
            },
        .messages = columns[6],
        .octets = columns[7],
    };

    g_array_append_val(rows, row);
    return row.id == columns[0] && row.messages <= G_MAXUINT32;
}

GArray *
cache_index_database_read_mailboxes(CacheIndexDatabase *database,
                                    GError **error)
{
    return read_rows(database, STATEMENT_READ_MAILBOXES, NULL, 9,
                     sizeof(CacheMailboxRow), add_mailbox, error);
}

static gboolean
add_stub(GArray *rows, const guint64 *columns)
{
    CacheChunkStub stub = {
        .number = columns[1],
        .first = (guint32)columns[2],
        .last = (guint32)columns[3],
        .length = (guint32)columns[4],
        .octets = columns[5],
    };

    g_array_append_val(rows, stub);
    return stub.first == columns[2] && stub.last == columns[3] &&
           stub.length == columns[4] && stub.length > 0 && stub.first > 0 &&
           stub.last >= stub.first && stub.length - 1 <= stub.last - stub.first;
}

static gint
compare_stubs(gconstpointer a, gconstpointer b)
{
    const CacheChunkStub *one = a, *two = b;

    return (one->first > two->first) - (one->first < two->first);
}

GArray *
cache_index_database_read_stubs(CacheIndexDatabase *database, guint32 mailbox,
                                GError **error)
{
    guint64 key = mailbox;
    g_autoptr(GArray) stubs =
        read_rows(database, STATEMENT_READ_CHUNKS, &key, 7,
                  sizeof(CacheChunkStub), add_stub, error);

    if (stubs == NULL)
        return NULL;
    g_array_sort(stubs, compare_stubs);
    for (guint i = 1; i < stubs->len; i++)
        if (g_array_index(stubs, CacheChunkStub, i).first <=
            g_array_index(stubs, CacheChunkStub, i - 1).last) {
            set_damaged(database, error);
            return NULL;
        }
    return g_steal_pointer(&stubs);
}

CacheRecords *
cache_index_database_read_records(CacheIndexDatabase *database, guint32 mailbox,
                                  const CacheChunkStub *stub, GError **error)
{
    sqlite3_stmt *s = statement(database, STATEMENT_READ_RECORDS, error);
    CacheRecords *records = NULL;
    int result;

    if (s == NULL)
        return NULL;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)stub->number);
    result = sqlite3_step(s);
    if (result == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(s, 0);

        if (data != NULL)
            records = cache_records_decode(
                data, (gsize)sqlite3_column_bytes(s, 0), mailbox, stub);
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        cache_database_set_error(database->connection, error);
    else if (records == NULL)
        set_damaged(database, error);
    sqlite3_reset(s);
    return records;
}

gboolean
cache_index_database_next_number(CacheIndexDatabase *database, guint64 *number,
                                 GError **error)
{
    sqlite3_stmt *s = statement(database, STATEMENT_LAST_NUMBER, error);
    gboolean ok;

    if (s == NULL)
        return FALSE;
    ok = sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *number = (guint64)sqlite3_column_int64(s, 0) + 1;
    else
        cache_database_set_error(database->connection, error);
    sqlite3_reset(s);
    return ok;
}
