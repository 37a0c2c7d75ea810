/* Header fields on the disk: a row for each message, written by the store
 * thread, read on the main loop through a connection of its own.
 *
 * Of a mailbox that has no rows, and most have none, nothing is ever removed:
 * which ones have some is in a small table, and in memory. */
#include "cache/fields.h"

#include "cache/error.h"
#include "cache/record-writer.h"

/* Rows that wait for the disk: more are not kept. */
#define UNWRITTEN_MAX 20000u
/* Rows after which the disk is asked whether it has them. */
#define ROWS_PER_FLUSH 500u

struct CacheFields {
    CacheRecordWriter *writer; /* NULL: nothing is kept */
    sqlite3 *reader;           /* NULL: nothing can be read */
    sqlite3_stmt *select;
    GHashTable *mailboxes; /* ids of those that have rows */
    guint unflushed;       /* rows */
    guint unwritten;       /* the same, flushed and not written yet */
};

enum {
    STATEMENT_PUT,
    STATEMENT_NOTE,
    STATEMENT_REMOVE,
    STATEMENT_DROP,
    STATEMENT_FORGET,
};

static const char *const statements[] = {
    "INSERT OR REPLACE INTO fields VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);",
    "INSERT OR IGNORE INTO mailboxes VALUES (?1);",
    "DELETE FROM fields WHERE mailbox = ?1 AND uid = ?2;",
    "DELETE FROM fields WHERE mailbox = ?1;",
    "DELETE FROM mailboxes WHERE mailbox = ?1;",
    NULL,
};

static const CacheSchema schema = {
    .name = "header fields",
    .id = 0x494d4846, /* "IMHF" */
    .version = 1,
    .tables = "CREATE TABLE fields (mailbox INTEGER NOT NULL, "
              "uid INTEGER NOT NULL, sender TEXT NOT NULL, "
              "recipients TEXT NOT NULL, subject TEXT NOT NULL, "
              "message_id TEXT NOT NULL, attachments INTEGER NOT NULL, "
              "PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;"
              "CREATE TABLE mailboxes (mailbox INTEGER PRIMARY KEY);",
};

/* ---- opening ---- */

static gboolean
read_mailboxes(CacheFields *fields, GError **error)
{
    sqlite3_stmt *rows = cache_database_prepare(
        fields->reader, "SELECT mailbox FROM mailboxes;", error);
    int result;

    if (rows == NULL)
        return FALSE;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW)
        g_hash_table_add(
            fields->mailboxes,
            GUINT_TO_POINTER((guint32)sqlite3_column_int64(rows, 0)));
    if (result != SQLITE_DONE)
        cache_database_set_error(fields->reader, error);
    sqlite3_finalize(rows);
    return result == SQLITE_DONE;
}

static void
close_reader(CacheFields *fields)
{
    sqlite3_finalize(fields->select);
    fields->select = NULL;
    g_clear_pointer(&fields->reader, cache_database_close);
}

static void
close_all(CacheFields *fields)
{
    close_reader(fields);
    g_clear_pointer(&fields->writer, cache_record_writer_close);
    g_hash_table_remove_all(fields->mailboxes);
}

static gboolean
open_all(CacheFields *fields, const char *path, CacheStoreThread *thread,
         GError **error)
{
    fields->writer =
        cache_record_writer_open(path, &schema, statements, thread, error);
    if (fields->writer == NULL)
        return FALSE;
    fields->reader = cache_database_open_reader(path, &schema, error);
    if (fields->reader != NULL && read_mailboxes(fields, error))
        fields->select = cache_database_prepare(
            fields->reader,
            "SELECT uid, sender, recipients, subject, message_id, attachments "
            "FROM fields WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 "
            "ORDER BY uid;",
            error);
    if (fields->select != NULL)
        return TRUE;
    close_all(fields);
    return FALSE;
}

static void
start(CacheFields *fields, const char *directory, CacheStoreThread *thread)
{
    g_autofree char *path = g_build_filename(directory, "fields.db", NULL);
    g_autoptr(GError) error = NULL;

    if (open_all(fields, path, thread, &error))
        return;
    if (g_error_matches(error, CACHE_ERROR, CACHE_ERROR_DAMAGED) ||
        g_error_matches(error, CACHE_ERROR, CACHE_ERROR_FOREIGN)) {
        g_message("%s; it is set aside, and what it had is fetched again",
                  error->message);
        g_clear_error(&error);
        cache_database_set_aside(path);
        if (open_all(fields, path, thread, &error))
            return;
    }
    g_message("header fields are not kept: %s", error->message);
}

CacheFields *
cache_fields_new(const char *directory, CacheStoreThread *thread)
{
    CacheFields *fields = g_new0(CacheFields, 1);

    fields->mailboxes = g_hash_table_new(NULL, NULL);
    if (directory != NULL)
        start(fields, directory, thread);
    return fields;
}

void
cache_fields_free(CacheFields *fields)
{
    if (fields == NULL)
        return;
    close_all(fields);
    g_hash_table_unref(fields->mailboxes);
    g_free(fields);
}

/* ---- writing ---- */

typedef struct {
    CacheFields *fields;
    guint rows;
} Batch;

static void
on_written(const GError *error, gpointer user_data)
{
    Batch *batch = user_data;

    batch->fields->unwritten -= batch->rows;
    g_free(batch);
}

/* That the disk refuses is said by the writer; what it does not have is fetched
 * again. */
static void
flush(CacheFields *fields)
{
    Batch *batch = g_new0(Batch, 1);

    batch->fields = fields;
    batch->rows = fields->unflushed;
    fields->unwritten += fields->unflushed;
    fields->unflushed = 0;
    cache_record_writer_flush(fields->writer, FALSE, on_written, batch);
}

static void
push(CacheFields *fields, guint statement, guint32 mailbox)
{
    CacheRecord *record = cache_record_new(statement);

    cache_record_add_number(record, mailbox);
    cache_record_writer_push(fields->writer, record);
}

static void
note_mailbox(CacheFields *fields, guint32 mailbox)
{
    if (g_hash_table_add(fields->mailboxes, GUINT_TO_POINTER(mailbox)))
        push(fields, STATEMENT_NOTE, mailbox);
}

static gboolean
has_rows(const CacheFields *fields, guint32 mailbox)
{
    return g_hash_table_contains(fields->mailboxes, GUINT_TO_POINTER(mailbox));
}

void
cache_fields_put(CacheFields *fields, guint32 mailbox,
                 const CacheFieldsRow *row)
{
    CacheRecord *record;

    if (fields->writer == NULL || fields->unwritten >= UNWRITTEN_MAX)
        return;
    note_mailbox(fields, mailbox);
    record = cache_record_new(STATEMENT_PUT);
    cache_record_add_number(record, mailbox);
    cache_record_add_number(record, row->uid);
    cache_record_add_text(record, row->from);
    cache_record_add_text(record, row->to);
    cache_record_add_text(record, row->subject);
    cache_record_add_text(record, row->message_id);
    cache_record_add_number(record, (guint64)(row->attachments + 1));
    cache_record_writer_push(fields->writer, record);
    if (++fields->unflushed >= ROWS_PER_FLUSH)
        flush(fields);
}

void
cache_fields_remove(CacheFields *fields, guint32 mailbox, guint32 uid)
{
    CacheRecord *record;

    if (fields->writer == NULL || !has_rows(fields, mailbox))
        return;
    record = cache_record_new(STATEMENT_REMOVE);
    cache_record_add_number(record, mailbox);
    cache_record_add_number(record, uid);
    cache_record_writer_push(fields->writer, record);
}

void
cache_fields_drop_mailbox(CacheFields *fields, guint32 mailbox)
{
    if (fields->writer == NULL ||
        !g_hash_table_remove(fields->mailboxes, GUINT_TO_POINTER(mailbox)))
        return;
    push(fields, STATEMENT_DROP, mailbox);
    push(fields, STATEMENT_FORGET, mailbox);
}

/* ---- reading ---- */

static const char *
text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text != NULL ? text : "";
}

/* What is damaged is fetched again, and not read any more. */
static void
give_up(CacheFields *fields)
{
    g_autoptr(GError) error = NULL;

    cache_database_set_error(fields->reader, &error);
    g_message("header fields are fetched again: %s", error->message);
    close_reader(fields);
}

void
cache_fields_read(CacheFields *fields, guint32 mailbox, guint32 first,
                  guint32 last, CacheFieldsFunc func, gpointer user_data)
{
    int result;

    if (fields->select == NULL || !has_rows(fields, mailbox))
        return;
    sqlite3_bind_int64(fields->select, 1, mailbox);
    sqlite3_bind_int64(fields->select, 2, first);
    sqlite3_bind_int64(fields->select, 3, last);
    while ((result = sqlite3_step(fields->select)) == SQLITE_ROW) {
        const CacheFieldsRow row = {
            .uid = (guint32)sqlite3_column_int64(fields->select, 0),
            .from = text_of(fields->select, 1),
            .to = text_of(fields->select, 2),
            .subject = text_of(fields->select, 3),
            .message_id = text_of(fields->select, 4),
            .attachments = sqlite3_column_int(fields->select, 5) - 1,
        };

        func(&row, user_data);
    }
    if (result == SQLITE_DONE)
        sqlite3_reset(fields->select);
    else
        give_up(fields);
}
