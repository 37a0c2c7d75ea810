/* Writes records into a database of ours, on the store thread, in the order in
 * which they were pushed: for tables that are wholly in memory, too.
 *
 * What was pushed goes to the store thread when the main loop next comes round,
 * or when that thread has written what it was given before: so a record that is
 * alone waits for nothing, and many share a transaction. A transaction survives
 * the end of the process; the loss of power only once the log is forced to the
 * disk, which is done for those who ask for it, and within a second anyway.
 *
 * When the disk refuses, the records stay, in their order, and are tried again:
 * with the next that somebody waits for, or after a while. */
#pragma once

#include "cache/database.h"
#include "cache/store-thread.h"

typedef struct CacheRecordWriter CacheRecordWriter;
typedef struct CacheRecord CacheRecord;

/* @path NULL: nothing is kept, and all succeeds. @statements: SQL, each to be
 * bound to what its records have; NULL-terminated, static. Fails as
 * cache_database_open. @thread must outlive the result. */
CacheRecordWriter *cache_record_writer_open(const char *path,
                                            const CacheSchema *schema,
                                            const char *const *statements,
                                            CacheStoreThread *thread,
                                            GError **error);
/* What was pushed is durable, or lost with a message, before this returns;
 * flushes that still wait are answered. Accepts NULL. */
void cache_record_writer_close(CacheRecordWriter *writer);

/* For reading, before anything is pushed; NULL: nothing is kept. */
sqlite3 *cache_record_writer_database(const CacheRecordWriter *writer);

/* For the statement with the number @statement. */
CacheRecord *cache_record_new(guint statement);
/* What is bound, in this order; at most CACHE_RECORD_VALUES. Text is copied and
 * may be NULL. */
#define CACHE_RECORD_VALUES 10
void cache_record_add_number(CacheRecord *record, guint64 number);
void cache_record_add_text(CacheRecord *record, const char *text);

/* Takes ownership of @record. */
void cache_record_writer_push(CacheRecordWriter *writer, CacheRecord *record);

/* See cache_journal_flush. */
typedef void (*CacheRecordDoneFunc)(const GError *error, gpointer user_data);
void cache_record_writer_flush(CacheRecordWriter *writer, gboolean durable,
                               CacheRecordDoneFunc done, gpointer user_data);
