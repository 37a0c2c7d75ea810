/* The changes that were accepted and that the server does not have yet.
 *
 * Ids are reserved a block at a time, so that one that was given is not given
 * again after a crash: others may have noted it. */
#include "cache/journal.h"

#include "cache/error.h"
#include "cache/record-writer.h"

/* Going on without it would forget what was promised. */
#define COST_OF_LOSS                                                           \
    "changes that the server does not have yet are then not made"

#define IDS_RESERVED 1000

struct CacheJournal {
    CacheRecordWriter *writer;
    GTree *records; /* &record->id -> CacheJournalRecord, owned */
    guint64 next_id;
    guint64 reserved; /* ids below it */
    gboolean kept;
};

enum {
    STATEMENT_PUT,
    STATEMENT_REMOVE,
    STATEMENT_RESERVE,
};

static const char *const statements[] = {
    "INSERT OR REPLACE INTO changes VALUES "
    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);",
    "DELETE FROM changes WHERE id = ?1;",
    "INSERT OR REPLACE INTO meta VALUES ('next_id', ?1);",
    NULL,
};

static const CacheSchema schema = {
    .name = "journal",
    .id = 0x494d4a4e, /* "IMJN" */
    .version = 1,
    .tables = "CREATE TABLE changes (id INTEGER PRIMARY KEY NOT NULL, "
              "kind INTEGER NOT NULL, step INTEGER NOT NULL, "
              "mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, "
              "target INTEGER NOT NULL, target_uid INTEGER NOT NULL, "
              "number INTEGER NOT NULL, name TEXT, text TEXT);"
              "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value) "
              "WITHOUT ROWID;",
    .durable = TRUE,
};

static gint
compare_ids(gconstpointer a, gconstpointer b, gpointer user_data)
{
    guint64 first = *(const guint64 *)a;
    guint64 second = *(const guint64 *)b;

    return first < second ? -1 : first > second;
}

static void
record_free(gpointer data)
{
    CacheJournalRecord *record = data;

    g_free((char *)record->name);
    g_free((char *)record->text);
    g_free(record);
}

static void
keep(CacheJournal *journal, const CacheJournalRecord *record)
{
    CacheJournalRecord *copy = g_new(CacheJournalRecord, 1);

    *copy = *record;
    copy->name = g_strdup(record->name);
    copy->text = g_strdup(record->text);
    g_tree_replace(journal->records, &copy->id, copy);
}

/* ---- reading ---- */

static gboolean
refuse_content(sqlite3 *database, GError **error)
{
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_DAMAGED, "%s is damaged",
                sqlite3_db_filename(database, "main"));
    return FALSE;
}

static gboolean
read_record(CacheJournal *journal, sqlite3 *database, sqlite3_stmt *row,
            GError **error)
{
    CacheJournalRecord record = {
        .id = (guint64)sqlite3_column_int64(row, 0),
        .kind = (guint)sqlite3_column_int64(row, 1),
        .step = (guint)sqlite3_column_int64(row, 2),
        .mailbox = (guint32)sqlite3_column_int64(row, 3),
        .uid = (guint32)sqlite3_column_int64(row, 4),
        .target = (guint32)sqlite3_column_int64(row, 5),
        .target_uid = (guint32)sqlite3_column_int64(row, 6),
        .number = (guint64)sqlite3_column_int64(row, 7),
        .name = (const char *)sqlite3_column_text(row, 8),
        .text = (const char *)sqlite3_column_text(row, 9),
    };

    if (record.id == 0 || record.id > G_MAXINT64 || record.kind == 0)
        return refuse_content(database, error);
    keep(journal, &record);
    journal->next_id = MAX(journal->next_id, record.id + 1);
    return TRUE;
}

static gboolean
read_next_id(CacheJournal *journal, sqlite3 *database, sqlite3_stmt *row,
             GError **error)
{
    gint64 next_id = sqlite3_column_int64(row, 0);

    if (next_id < 1)
        return refuse_content(database, error);
    journal->next_id = (guint64)next_id;
    return TRUE;
}

static gboolean
read_check(CacheJournal *journal, sqlite3 *database, sqlite3_stmt *row,
           GError **error)
{
    if (g_strcmp0((const char *)sqlite3_column_text(row, 0), "ok") == 0)
        return TRUE;
    return refuse_content(database, error);
}

static gboolean
read_rows(CacheJournal *journal, const char *sql,
          gboolean (*read_row)(CacheJournal *journal, sqlite3 *database,
                               sqlite3_stmt *row, GError **error),
          GError **error)
{
    sqlite3 *database = cache_record_writer_database(journal->writer);
    sqlite3_stmt *rows = cache_database_prepare(database, sql, error);
    gboolean good = rows != NULL;
    int result = SQLITE_DONE;

    while (good && (result = sqlite3_step(rows)) == SQLITE_ROW)
        good = read_row(journal, database, rows, error);
    if (good && result != SQLITE_DONE)
        good = cache_database_set_error(database, error);
    sqlite3_finalize(rows);
    return good;
}

static gboolean
load(CacheJournal *journal, GError **error)
{
    return read_rows(journal, "PRAGMA integrity_check(1);", read_check,
                     error) &&
           read_rows(journal, "SELECT value FROM meta WHERE key = 'next_id';",
                     read_next_id, error) &&
           read_rows(journal,
                     "SELECT id, kind, step, mailbox, uid, target, target_uid, "
                     "number, name, text FROM changes ORDER BY id;",
                     read_record, error);
}

CacheJournal *
cache_journal_open(const char *directory, CacheStoreThread *thread,
                   GError **error)
{
    g_autoptr(CacheJournal) journal = g_new0(CacheJournal, 1);
    g_autofree char *path = NULL;
    GError *reason = NULL;

    journal->records = g_tree_new_full(compare_ids, NULL, NULL, record_free);
    journal->next_id = 1;
    journal->kept = directory != NULL;
    if (directory != NULL)
        path = g_build_filename(directory, "journal.db", NULL);
    journal->writer =
        cache_record_writer_open(path, &schema, statements, thread, &reason);
    if (journal->writer == NULL || (path != NULL && !load(journal, &reason))) {
        cache_error_explain(error, reason, COST_OF_LOSS);
        return NULL;
    }
    journal->reserved = journal->next_id;
    return g_steal_pointer(&journal);
}

void
cache_journal_close(CacheJournal *journal)
{
    if (journal == NULL)
        return;
    cache_record_writer_close(journal->writer);
    g_tree_unref(journal->records);
    g_free(journal);
}

gboolean
cache_journal_is_kept(const CacheJournal *journal)
{
    return journal->kept;
}

/* ---- records ---- */

static void
reserve_ids(CacheJournal *journal)
{
    CacheRecord *record = cache_record_new(STATEMENT_RESERVE);

    journal->reserved = journal->next_id + IDS_RESERVED;
    cache_record_add_number(record, journal->reserved);
    cache_record_writer_push(journal->writer, record);
}

static void
put(CacheJournal *journal, const CacheJournalRecord *change)
{
    CacheRecord *record = cache_record_new(STATEMENT_PUT);

    cache_record_add_number(record, change->id);
    cache_record_add_number(record, change->kind);
    cache_record_add_number(record, change->step);
    cache_record_add_number(record, change->mailbox);
    cache_record_add_number(record, change->uid);
    cache_record_add_number(record, change->target);
    cache_record_add_number(record, change->target_uid);
    cache_record_add_number(record, change->number);
    cache_record_add_text(record, change->name);
    cache_record_add_text(record, change->text);
    cache_record_writer_push(journal->writer, record);
}

guint64
cache_journal_add(CacheJournal *journal, const CacheJournalRecord *record)
{
    CacheJournalRecord added = *record;

    if (journal->next_id >= journal->reserved)
        reserve_ids(journal);
    added.id = journal->next_id++;
    put(journal, &added);
    keep(journal, &added);
    return added.id;
}

void
cache_journal_set(CacheJournal *journal, const CacheJournalRecord *record)
{
    g_return_if_fail(cache_journal_get(journal, record->id) != NULL);
    put(journal, record);
    keep(journal, record);
}

void
cache_journal_remove(CacheJournal *journal, guint64 id)
{
    CacheRecord *record;

    if (!g_tree_remove(journal->records, &id))
        return;
    record = cache_record_new(STATEMENT_REMOVE);
    cache_record_add_number(record, id);
    cache_record_writer_push(journal->writer, record);
}

const CacheJournalRecord *
cache_journal_get(const CacheJournal *journal, guint64 id)
{
    return g_tree_lookup(journal->records, &id);
}

void
cache_journal_foreach(const CacheJournal *journal, CacheJournalFunc func,
                      gpointer user_data)
{
    for (GTreeNode *node = g_tree_node_first(journal->records); node != NULL;
         node = g_tree_node_next(node))
        func(g_tree_node_value(node), user_data);
}

guint
cache_journal_count(const CacheJournal *journal)
{
    return (guint)g_tree_nnodes(journal->records);
}

void
cache_journal_flush(CacheJournal *journal, gboolean durable,
                    CacheJournalDoneFunc done, gpointer user_data)
{
    cache_record_writer_flush(journal->writer, durable, done, user_data);
}
