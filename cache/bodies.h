/* The bodies of messages, whole: small ones in memory, large ones in files.
 *
 * For now nothing outlives the process: files are unlinked as they are made.
 * The interface is that of the store which will last: what is written becomes
 * readable some time after the call that wrote it, by way of the store thread,
 * and errors of the disk come later than the call that caused them. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

/* Bodies up to this many octets are kept in memory. */
#define CACHE_BODY_IN_MEMORY_MAX (1024u * 1024)

typedef struct CacheBodies CacheBodies;
typedef struct CacheBody CacheBody;

/* @directory: where large bodies go; made, with its parents, owner-only, when
 * the first is written. @memory_bytes and @disk_bytes bound what is kept of
 * complete bodies that nobody holds (each with its share of our bookkeeping);
 * the least recently used goes first, and one that is larger than the bound
 * alone is not kept at all. @thread must outlive the result and every body made
 * with it. */
CacheBodies *cache_bodies_new(const char *directory, guint64 memory_bytes,
                              guint64 disk_bytes, CacheStoreThread *thread);
/* Bodies that are still held stay readable. Accepts NULL. */
void cache_bodies_free(CacheBodies *bodies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheBodies, cache_bodies_free)

/* The complete body of @key, or NULL. Caller owns a reference. */
CacheBody *cache_bodies_find(CacheBodies *bodies, const char *key);

/* Forgets the body of @key, if any, also one that is committed and not yet
 * written; those who hold it keep it. */
void cache_bodies_remove(CacheBodies *bodies, const char *key);

/* Octets handed in and not yet written: the caller stops reading from the
 * network while this is large. */
guint64 cache_bodies_unwritten(const CacheBodies *bodies);

/* A body of @size octets to be written from its start. cache_bodies_find does
 * not find it before it is committed. Caller owns a reference. */
CacheBody *cache_bodies_create(CacheBodies *bodies, const char *key,
                               guint64 size);

/* Called on the main loop, never inside a call to the body, whenever more is
 * readable or the body has failed. At most one; NULL removes it. */
typedef void (*CacheBodyFunc)(CacheBody *body, gpointer user_data);
void cache_body_set_watch(CacheBody *body, CacheBodyFunc func,
                          gpointer user_data);

/* Appends @length octets (copied). More than the size in all is our bug. Does
 * nothing once the body has failed. */
void cache_body_append(CacheBody *body, const void *data, gsize length);

/* The body is whole: from when it is written it can be found under its key,
 * instead of an older one; of two that are written out of order, the one
 * committed last stays. Appended octets must be as many as the size. A body
 * that fails is never found. */
void cache_body_commit(CacheBody *body);

/* When the last reference goes, so does the watch, and a body that was not
 * committed. */
CacheBody *cache_body_ref(CacheBody *body);
void cache_body_unref(CacheBody *body); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheBody, cache_body_unref)

guint64 cache_body_size(const CacheBody *body);

/* Octets from the start that can be read now. */
guint64 cache_body_available(const CacheBody *body);

/* Why the disk failed it (CACHE_ERROR), or NULL. Borrowed. */
const GError *cache_body_error(const CacheBody *body);

/* Copies up to @length octets from @offset, as many as are available, to
 * @buffer. -1 and CACHE_ERROR when the file cannot be read. */
gssize cache_body_read(CacheBody *body, guint64 offset, void *buffer,
                       gsize length, GError **error);
