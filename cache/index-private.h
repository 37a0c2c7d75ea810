/* What the files of the index share.
 *
 * index.c: mailboxes and messages, as callers see them. index-chunks.c: what of
 * them is in memory. index-writer.c: how it gets to the disk, and what happens
 * when the disk fails. */
#pragma once

#include "cache/index-database.h"
#include "cache/index.h"

/* Tests have smaller ones, to get to the ends of them. */
typedef struct {
    guint chunk_length;   /* records */
    gsize clean_bytes;    /* of records in memory that the disk has, too */
    guint batch_changes;  /* so many are written at once */
    guint batch_delay_ms; /* or what there is after this */
} CacheIndexLimits;

CacheIndex *cache_index_new_with_limits(const char *directory,
                                        CacheStoreThread *thread,
                                        const CacheIndexLimits *limits);

/* Some neighbouring messages of a mailbox. Lives while the mailbox has it or a
 * batch writes it: g_rc_box. */
typedef struct {
    CacheChunkStub stub;   /* as it is in memory */
    CacheRecords *records; /* NULL: only on disk */
    GList link;            /* in index->clean, if it is clean and in memory */
    guint8 stored;         /* the disk has, or is about to have, its number */
    guint8 dirty;          /* changed since it was last given to the disk */
    guint8 writing;        /* the disk has not yet said that it has it */
    guint8 removed;        /* from its mailbox */
} Chunk;

typedef struct {
    guint32 id;
    CacheMailbox state;
    guint64 n_messages;
    guint64 n_octets;
    GPtrArray *chunks; /* of Chunk, ascending; NULL: not yet read */

    /* To be written next: */
    GPtrArray *dirty; /* of Chunk, some of them removed since */
    GArray *removed;  /* of guint64: numbers of chunks */
} Mailbox;

typedef struct WriteJob WriteJob;
typedef struct OrderJob OrderJob;

struct CacheIndex {
    CacheIndexLimits limits;
    GMainContext *context;
    CacheStoreThread *thread;
    GHashTable *mailboxes; /* GUINT_TO_POINTER(id) -> Mailbox, owned */
    guint64 n_messages;
    guint64 n_octets;

    GQueue clean; /* of Chunk, the least recently used first */
    gsize clean_bytes;
    gsize freed_bytes; /* since malloc was last trimmed */
    Chunk *shown;      /* a reference: its strings are borrowed */
    guint64 next_number;

    char *path;
    CacheIndexDatabase *reader; /* NULL: nothing can be read */
    CacheIndexDatabase *writer; /* the store thread's */
    gboolean writing;           /* what changes goes to the writer */
    GError *error;              /* why not; NULL: it was not asked for */

    /* To be written next: */
    GArray *dropped;     /* of guint32: mailboxes */
    GHashTable *changed; /* GUINT_TO_POINTER(id): mailboxes */
    guint n_changes;
    GSource *timer; /* NULL: nothing to write */

    WriteJob *job;     /* being written; NULL: none */
    guint n_writing;   /* changes in it */
    guint64 n_batches; /* made so far */
    GQueue flushes;    /* of Flush */
    GSource *flush_source;

    GQueue orders; /* of OrderJob, not yet answered */

    GHashTable *lost; /* GUINT_TO_POINTER(id): not yet told */
    GSource *lost_source;
    CacheLostFunc lost_func;
    gpointer lost_data;
};

/* ---- index-chunks.c ---- */

/* Where a message is, or would be inserted. */
typedef struct {
    guint chunk; /* chunks->len only if there is none */
    guint record;
    gboolean found;
} Position;

Mailbox *cache_index_new_mailbox(guint32 id, GPtrArray *chunks);
void cache_index_free_mailbox(CacheIndex *index, Mailbox *mailbox);

/* These fail when the disk does not give back what it was given; then @mailbox
 * is gone, with others. */

/* Reads the stubs, unless that was done. */
gboolean cache_index_load_mailbox(CacheIndex *index, Mailbox *mailbox);
/* Reads the records of the chunk @i, unless they are there. */
gboolean cache_index_load_chunk(CacheIndex *index, Mailbox *mailbox, guint i);
/* Without @load, the chunk has its records only if the UID may be in it. */
gboolean cache_index_find(CacheIndex *index, Mailbox *mailbox, guint32 uid,
                          gboolean load, Position *position);

/* Splits a full chunk in the middle, or, behind the last record of all, begins
 * a new one. */
void cache_index_make_room(CacheIndex *index, Mailbox *mailbox,
                           Position *position);
/* The records of the chunk @i, which was pinned before, have changed (and
 * chunk->stub.octets with them): it is to be written, or is gone if it is
 * empty. */
void cache_index_chunk_changed(CacheIndex *index, Mailbox *mailbox, guint i);

/* The disk has @chunk as it is. */
void cache_index_chunk_written(CacheIndex *index, Chunk *chunk);
void cache_index_release_chunk(gpointer chunk);
/* @chunk, which is in memory, stays there: its records are about to change. */
void cache_index_pin_chunk(CacheIndex *index, Chunk *chunk);

/* ---- index-writer.c ---- */

/* Opens the database, and reads its mailboxes. */
void cache_index_start(CacheIndex *index, const char *directory);
void cache_index_stop(CacheIndex *index);

/* Something of @mailbox (NULL: of one that was dropped) is to be written. */
void cache_index_changed(CacheIndex *index, const Mailbox *mailbox);

/* The disk does not give back what it was given. */
void cache_index_lose(CacheIndex *index, const GError *error);
