/* The records of some hundred messages of one mailbox, ascending by UID, in two
 * pieces of memory: one of records of one size, one of their strings. The disk
 * gets the same two, with a checksum. */
#pragma once

#include "cache/index.h"

#include <glib.h>

/* Longer ones are cut (the flags between two of them), except an identity: cut,
 * it would be another's. In octets. */
#define CACHE_STEM_MAX 1024u
#define CACHE_FLAGS_MAX 4096u
#define CACHE_IDENTITY_MAX 255u

/* A larger size is not a size. */
#define CACHE_SIZE_MAX ((guint64)G_MAXINT64)

typedef struct CacheRecords CacheRecords;

/* What is known of records without having them. */
typedef struct {
    guint64 number; /* of all chunks there ever were in a database */
    guint64 octets; /* of all messages, modulo 2^64 */
    guint32 first;  /* UID */
    guint32 last;   /* UID */
    guint32 length; /* records; never 0 on disk */
} CacheChunkStub;

CacheRecords *cache_records_new(void);
void cache_records_free(CacheRecords *records); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheRecords, cache_records_free)

guint cache_records_length(const CacheRecords *records);
/* Of memory, all in all. */
gsize cache_records_bytes(const CacheRecords *records);
guint32 cache_records_uid(const CacheRecords *records, guint i);

/* Where @uid is, or would be inserted. */
guint cache_records_find(const CacheRecords *records, guint32 uid,
                         gboolean *found);

/* Borrowed until the next change. */
void cache_records_show(const CacheRecords *records, guint i,
                        CacheMessage *result);

/* The strings of @message may be borrowed from @records. */
void cache_records_insert(CacheRecords *records, guint i,
                          const CacheMessage *message);
void cache_records_replace(CacheRecords *records, guint i,
                           const CacheMessage *message);
void cache_records_remove(CacheRecords *records, guint i);

/* Moves those from @i on to new records, which the caller frees. */
CacheRecords *cache_records_split(CacheRecords *records, guint i);

/* For the disk; but for the checksum, which is for the store thread to set.
 * Caller frees. */
guint8 *cache_records_encode(const CacheRecords *records, guint32 mailbox,
                             guint64 number, gsize *length);
void cache_records_seal(guint8 *data, gsize length);

/* NULL unless @data is what was encoded for @mailbox and @stub, and nothing
 * else. */
CacheRecords *cache_records_decode(const guint8 *data, gsize length,
                                   guint32 mailbox, const CacheChunkStub *stub);
