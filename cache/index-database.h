/* The index on disk: index.db.
 *
 * A row for each mailbox; for each chunk of its messages one with what is to be
 * known without reading it, and one with its records as they are in memory. All
 * bear checksums, so that nothing comes back that was not put there. */
#pragma once

#include "cache/index-records.h"

#include <glib.h>

typedef struct CacheIndexDatabase CacheIndexDatabase;

typedef struct {
    guint32 id;
    CacheMailbox state;
    guint64 messages;
    guint64 octets;
} CacheMailboxRow;

typedef struct {
    guint32 mailbox;
    CacheChunkStub stub;
    guint8 *data; /* owned; from cache_records_encode */
    gsize length;
} CacheChunkRow;

typedef struct {
    guint32 mailbox;
    guint64 number;
} CacheChunkKey;

/* What changes at once, in this order. */
typedef struct {
    GArray *dropped; /* of guint32: mailboxes */
    GArray *removed; /* of CacheChunkKey */
    GArray *chunks;  /* of CacheChunkRow */
    GArray *rows;    /* of CacheMailboxRow */
} CacheIndexBatch;

CacheIndexBatch *cache_index_batch_new(void);
void cache_index_batch_free(CacheIndexBatch *batch); /* accepts NULL */

/* For writing (one that cannot be used is set aside, with a message), or for
 * reading one that is open for writing. */
CacheIndexDatabase *cache_index_database_open(const char *path, GError **error);
CacheIndexDatabase *cache_index_database_open_reader(const char *path,
                                                     GError **error);
void cache_index_database_close(CacheIndexDatabase *database); /* or NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheIndexDatabase, cache_index_database_close)

/* Sets the file aside, which has nobody else at it, and makes a new one in its
 * place. After a failure, what @database is asked to do fails. */
gboolean cache_index_database_rebuild(CacheIndexDatabase *database,
                                      GError **error);

/* All at once or nothing. After a failure, all further writing fails: what
 * comes later must not be there without what came before. */
gboolean cache_index_database_write(CacheIndexDatabase *database,
                                    CacheIndexBatch *batch, GError **error);

/* Gives back to the file system some of what is not used any more. */
void cache_index_database_shrink(CacheIndexDatabase *database);

/* These fail with CACHE_ERROR_DAMAGED when what is there is not what was
 * written. */

/* The rows of all mailboxes: of CacheMailboxRow. */
GArray *cache_index_database_read_mailboxes(CacheIndexDatabase *database,
                                            GError **error);
/* Of CacheChunkStub, ascending by UID. */
GArray *cache_index_database_read_stubs(CacheIndexDatabase *database,
                                        guint32 mailbox, GError **error);
CacheRecords *cache_index_database_read_records(CacheIndexDatabase *database,
                                                guint32 mailbox,
                                                const CacheChunkStub *stub,
                                                GError **error);
/* Above all there are. */
gboolean cache_index_database_next_number(CacheIndexDatabase *database,
                                          guint64 *number, GError **error);
