/* One large body in a file without a name, written by the store thread and read
 * by whoever asks. For bodies.c alone. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

/* What the files of one cache share: the directory, and the count of what is
 * not yet written. Referenced by each file, so that a write under way does not
 * mind the cache going. */
typedef struct CacheDisk CacheDisk;

CacheDisk *cache_disk_new(const char *directory, CacheStoreThread *thread);
void cache_disk_unref(CacheDisk *disk);

/* Octets appended to the files of @disk and not yet written. */
guint64 cache_disk_unwritten(const CacheDisk *disk);

typedef struct CacheBodyFile CacheBodyFile;

/* On the main loop: more has been written, or writing failed for good. The file
 * may be freed in it. */
typedef void (*CacheBodyFileFunc)(gpointer user_data);

/* For @size octets. The file is made when the first are written, and fails with
 * CACHE_ERROR_NO_SPACE at once if all of them would fill the disk. */
CacheBodyFile *cache_body_file_new(CacheDisk *disk, guint64 size,
                                   CacheBodyFileFunc progress,
                                   gpointer user_data);
/* Drops what is not yet on its way to the disk. @progress is not called any
 * more. Accepts NULL. */
void cache_body_file_free(CacheBodyFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheBodyFile, cache_body_file_free)

/* Copies @data. Does nothing once the file has failed. */
void cache_body_file_append(CacheBodyFile *file, const void *data,
                            gsize length);

/* Octets from the start that are written. */
guint64 cache_body_file_written(const CacheBodyFile *file);

/* Why it failed (CACHE_ERROR), or NULL. Borrowed. */
const GError *cache_body_file_error(const CacheBodyFile *file);

/* Reads @length octets at @offset, all of them written; CACHE_ERROR when the
 * disk does not give them back. */
gboolean cache_body_file_read(const CacheBodyFile *file, guint64 offset,
                              void *buffer, gsize length, GError **error);
