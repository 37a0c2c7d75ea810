/* Writes records into a database of ours.
 *
 * One job at a time is with the store thread: what a later one says of a row
 * must not be written before an earlier one that has failed and is tried again.
 *
 * SQLite is told not to wait for the disk at a commit; the log is forced to the
 * disk by ourselves, once for all transactions that it holds. */
#include "cache/record-writer.h"

#include "cache/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define RETRY_SECONDS 30
#define GROUP_MS 1000

typedef struct {
    char *text; /* owned */
    gint64 number;
    gboolean is_text;
} Value;

struct CacheRecord {
    guint statement;
    guint n_values;
    Value values[CACHE_RECORD_VALUES];
};

typedef struct {
    CacheRecordDoneFunc done;
    gpointer user_data;
} Flush;

/* What the store thread works with. */
typedef struct {
    sqlite3 *database;
    sqlite3_stmt **statements;
    guint n_statements;
    char *log_path;
    GAsyncQueue *landed; /* a Job for each whose work is over */
} Disk;

typedef struct {
    CacheRecordWriter *writer; /* NULL once that is closed */
    Disk *disk;
    GPtrArray *records; /* of CacheRecord, owned */
    GArray *flushes;    /* of Flush */
    gboolean durable;
    GError *error;
} Job;

struct CacheRecordWriter {
    CacheStoreThread *thread;
    Disk *disk;         /* NULL: nothing is kept */
    GPtrArray *records; /* pushed, and not handed over */
    GArray *flushes;    /* of Flush, likewise */
    gboolean durable;   /* one of them wants it so */
    gboolean unforced;  /* something written may not survive a power loss */
    Job *job;           /* with the store thread; NULL: none is */
    GSource *source;    /* hands over; NULL: not due */
    guint timer;        /* forces the log, or tries again; 0 */
    gboolean is_failing;
};

/* ---- records ---- */

CacheRecord *
cache_record_new(guint statement)
{
    CacheRecord *record = g_new0(CacheRecord, 1);

    record->statement = statement;
    return record;
}

static void
record_free(gpointer data)
{
    CacheRecord *record = data;

    for (guint i = 0; i < record->n_values; i++)
        g_free(record->values[i].text);
    g_free(record);
}

void
cache_record_add_number(CacheRecord *record, guint64 number)
{
    g_assert(record->n_values < CACHE_RECORD_VALUES);
    record->values[record->n_values++].number = (gint64)number;
}

void
cache_record_add_text(CacheRecord *record, const char *text)
{
    g_assert(record->n_values < CACHE_RECORD_VALUES);
    record->values[record->n_values].is_text = TRUE;
    record->values[record->n_values++].text = g_strdup(text);
}

/* ---- on the store thread ---- */

static gboolean
write_record(Disk *disk, const CacheRecord *record, GError **error)
{
    sqlite3_stmt *statement = disk->statements[record->statement];
    gboolean done;

    for (guint i = 0; i < record->n_values; i++) {
        const Value *value = &record->values[i];

        if (value->is_text)
            sqlite3_bind_text(statement, (int)i + 1, value->text, -1,
                              SQLITE_STATIC);
        else
            sqlite3_bind_int64(statement, (int)i + 1, value->number);
    }
    done = sqlite3_step(statement) == SQLITE_DONE;
    if (!done)
        cache_database_set_error(disk->database, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

static gboolean
write_records(Disk *disk, const GPtrArray *records, GError **error)
{
    if (records->len == 0)
        return TRUE;
    if (!cache_database_run(disk->database, "BEGIN IMMEDIATE;", error))
        return FALSE;
    for (guint i = 0; i < records->len; i++)
        if (!write_record(disk, g_ptr_array_index(records, i), error))
            return FALSE;
    return cache_database_run(disk->database, "COMMIT;", error);
}

/* Without a log, all is in the database, which SQLite has forced. */
static gboolean
force_log(Disk *disk, GError **error)
{
    int fd = open(disk->log_path, O_RDWR | O_CLOEXEC);
    gboolean good = fd >= 0 ? fdatasync(fd) == 0 : errno == ENOENT;

    if (!good)
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO, "%s: %s",
                    disk->log_path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

static void
write_job(Job *job)
{
    Disk *disk = job->disk;

    if (!write_records(disk, job->records, &job->error))
        cache_database_run(disk->database, "ROLLBACK;", NULL);
    else if (job->durable)
        force_log(disk, &job->error);
}

static void
work(gpointer data)
{
    Job *job = data;

    write_job(job);
    g_async_queue_push(job->disk->landed, job);
}

/* ---- on the main loop ---- */

static void
job_free(Job *job)
{
    g_ptr_array_unref(job->records);
    g_array_unref(job->flushes);
    g_clear_error(&job->error);
    g_free(job);
}

static void
answer(GArray *flushes, const GError *error)
{
    for (guint i = 0; i < flushes->len; i++) {
        Flush *flush = &g_array_index(flushes, Flush, i);

        flush->done(error, flush->user_data);
    }
}

static Job *
take_job(CacheRecordWriter *writer)
{
    Job *job = g_new0(Job, 1);

    job->writer = writer;
    job->disk = writer->disk;
    job->records = writer->records;
    job->flushes = writer->flushes;
    job->durable = writer->durable;
    writer->records = g_ptr_array_new_with_free_func(record_free);
    writer->flushes = g_array_new(FALSE, FALSE, sizeof(Flush));
    writer->durable = FALSE;
    return job;
}

/* What could not be written goes before what came since. */
static void
take_back(CacheRecordWriter *writer, Job *job)
{
    GPtrArray *records = job->records;

    g_ptr_array_extend_and_steal(records, writer->records);
    writer->records = records;
    job->records = g_ptr_array_new_with_free_func(record_free);
}

static void hand_over_later(CacheRecordWriter *writer);

static gboolean
on_timer(gpointer user_data)
{
    CacheRecordWriter *writer = user_data;

    writer->timer = 0;
    writer->durable = TRUE;
    hand_over_later(writer);
    return G_SOURCE_REMOVE;
}

static void
note_written(CacheRecordWriter *writer, Job *job)
{
    if (job->error == NULL) {
        writer->is_failing = FALSE;
        writer->unforced = !job->durable;
    } else {
        if (!writer->is_failing)
            g_message("What was changed cannot be noted on the disk, which is "
                      "tried again: %s",
                      job->error->message);
        writer->is_failing = TRUE;
        take_back(writer, job);
    }
}

static void
done(gpointer data)
{
    Job *job = data;
    CacheRecordWriter *writer = job->writer;

    if (writer != NULL) {
        g_async_queue_pop(writer->disk->landed);
        writer->job = NULL;
        note_written(writer, job);
        answer(job->flushes, job->error);
        if (writer->flushes->len > 0 ||
            (!writer->is_failing && writer->records->len > 0))
            hand_over_later(writer);
        else if (writer->timer == 0 && (writer->unforced || writer->is_failing))
            writer->timer = g_timeout_add(
                writer->is_failing ? RETRY_SECONDS * 1000 : GROUP_MS, on_timer,
                writer);
    }
    job_free(job);
}

static void
forget_source(CacheRecordWriter *writer)
{
    if (writer->source == NULL)
        return;
    g_source_destroy(writer->source);
    g_clear_pointer(&writer->source, g_source_unref);
}

static gboolean
hand_over(gpointer user_data)
{
    CacheRecordWriter *writer = user_data;

    forget_source(writer);
    if (writer->disk == NULL) {
        Job *job = take_job(writer);

        answer(job->flushes, NULL);
        job_free(job);
    } else if (writer->job == NULL) {
        writer->job = take_job(writer);
        cache_store_thread_push(writer->thread, work, done, writer->job);
    }
    return G_SOURCE_REMOVE;
}

static void
hand_over_later(CacheRecordWriter *writer)
{
    if (writer->source != NULL || writer->job != NULL)
        return;
    writer->source = g_idle_source_new();
    g_source_set_priority(writer->source, G_PRIORITY_HIGH);
    g_source_set_callback(writer->source, hand_over, writer, NULL);
    g_source_attach(writer->source, g_main_context_get_thread_default());
}

void
cache_record_writer_push(CacheRecordWriter *writer, CacheRecord *record)
{
    if (writer->disk == NULL) {
        record_free(record);
        return;
    }
    g_ptr_array_add(writer->records, record);
    if (!writer->is_failing)
        hand_over_later(writer);
}

void
cache_record_writer_flush(CacheRecordWriter *writer, gboolean durable,
                          CacheRecordDoneFunc func, gpointer user_data)
{
    Flush flush = {func, user_data};

    g_array_append_val(writer->flushes, flush);
    writer->durable |= durable;
    hand_over_later(writer);
}

/* ---- opening and closing ---- */

static void
disk_free(Disk *disk)
{
    for (guint i = 0; i < disk->n_statements; i++)
        sqlite3_finalize(disk->statements[i]);
    g_free(disk->statements);
    cache_database_close(disk->database);
    g_async_queue_unref(disk->landed);
    g_free(disk->log_path);
    g_free(disk);
}

static gboolean
open_disk(CacheRecordWriter *writer, const char *path,
          const CacheSchema *schema, const char *const *statements,
          GError **error)
{
    sqlite3 *database = cache_database_open(path, schema, error);
    Disk *disk;

    if (database == NULL)
        return FALSE;
    disk = writer->disk = g_new0(Disk, 1);
    disk->database = database;
    disk->landed = g_async_queue_new();
    disk->log_path = g_strconcat(path, "-wal", NULL);
    disk->statements =
        g_new0(sqlite3_stmt *, g_strv_length((char **)statements));
    for (; statements[disk->n_statements] != NULL; disk->n_statements++) {
        sqlite3_stmt *statement = cache_database_prepare(
            database, statements[disk->n_statements], error);

        if (statement == NULL)
            return FALSE;
        disk->statements[disk->n_statements] = statement;
    }
    return cache_database_run(database, "PRAGMA synchronous = NORMAL;", error);
}

CacheRecordWriter *
cache_record_writer_open(const char *path, const CacheSchema *schema,
                         const char *const *statements,
                         CacheStoreThread *thread, GError **error)
{
    CacheRecordWriter *writer = g_new0(CacheRecordWriter, 1);

    writer->thread = thread;
    writer->records = g_ptr_array_new_with_free_func(record_free);
    writer->flushes = g_array_new(FALSE, FALSE, sizeof(Flush));
    if (path == NULL || open_disk(writer, path, schema, statements, error))
        return writer;
    cache_record_writer_close(writer);
    return NULL;
}

/* The store thread's done function comes later; it finds no writer. */
static void
write_the_rest(CacheRecordWriter *writer)
{
    GArray *waiting = g_array_new(FALSE, FALSE, sizeof(Flush));
    Job *job = writer->job;

    if (job != NULL) {
        g_async_queue_pop(writer->disk->landed);
        if (job->error != NULL)
            take_back(writer, job);
        g_array_append_vals(waiting, job->flushes->data, job->flushes->len);
        job->writer = NULL;
    }
    job = take_job(writer);
    job->durable = TRUE;
    write_job(job);
    if (job->error != NULL)
        g_message("What was changed last is not noted on the disk: %s",
                  job->error->message);
    answer(waiting, job->error);
    answer(job->flushes, job->error);
    g_array_unref(waiting);
    job_free(job);
}

void
cache_record_writer_close(CacheRecordWriter *writer)
{
    if (writer == NULL)
        return;
    forget_source(writer);
    g_clear_handle_id(&writer->timer, g_source_remove);
    if (writer->disk != NULL) {
        write_the_rest(writer);
        disk_free(writer->disk);
    } else {
        answer(writer->flushes, NULL);
    }
    g_ptr_array_unref(writer->records);
    g_array_unref(writer->flushes);
    g_free(writer);
}

sqlite3 *
cache_record_writer_database(const CacheRecordWriter *writer)
{
    return writer->disk != NULL ? writer->disk->database : NULL;
}
