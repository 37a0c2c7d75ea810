/* Files that a program has written and no server has yet.
 *
 * A spool file holds octets, and a note: a short text in which the caller says
 * what is to become of them. Both lie in one file, so that one fsync makes both
 * durable; the note is kept twice, and the newer whole one counts, so that a
 * loss of power while it is written leaves the older one.
 *
 * The disk is touched by the store thread alone, but for reading, in the order
 * in which things were asked for. A file is made there when it is first
 * written: one that never is costs nothing. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

#define CACHE_SPOOL_NOTE_MAX 4000u /* octets of a note */

typedef struct CacheSpool CacheSpool;
typedef struct CacheSpoolFile CacheSpoolFile;

/* @directory: an existing one of the owner's, in which "spool" is made; NULL:
 * the spool is temporary, and what is left in it at the end is removed. @thread
 * must outlive the result. Fails with CACHE_ERROR_IO or _NO_SPACE. */
CacheSpool *cache_spool_open(const char *directory, CacheStoreThread *thread,
                             GError **error);
/* Files that still are in use are valid until they are freed. Accepts NULL. */
void cache_spool_close(CacheSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheSpool, cache_spool_close)

/* Where it lies. Borrowed. */
const char *cache_spool_path(const CacheSpool *spool);

/* What an earlier process has left: every file that can be read, in the order
 * in which they were made; with the note "" if it has none. The files must be
 * freed or kept by the callee. Blocks: for the time before the mount. */
typedef void (*CacheSpoolFunc)(CacheSpoolFile *file, const char *note,
                               gpointer user_data);
void cache_spool_foreach_left(CacheSpool *spool, CacheSpoolFunc func,
                              gpointer user_data);

/* A new one, of no octets and without a note. */
CacheSpoolFile *cache_spool_file_new(CacheSpool *spool);
CacheSpoolFile *cache_spool_file_ref(CacheSpoolFile *file);
/* Drops a reference; with the last, it is forgotten, and what is on the disk
 * stays there. Accepts NULL. What was asked for is still done, and told. */
void cache_spool_file_free(CacheSpoolFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheSpoolFile, cache_spool_file_free)
/* The same, and removes it from the disk. Accepts NULL. */
void cache_spool_file_remove(CacheSpoolFile *file);

/* By which notes may name it; never given again while it is on the disk. */
guint64 cache_spool_file_number(const CacheSpoolFile *file);
/* Octets, what is being written included; but what could not be written is
 * not, once that has been told. */
guint64 cache_spool_file_size(const CacheSpoolFile *file);

/* @error: NULL, CACHE_ERROR_NO_SPACE or CACHE_ERROR_IO. Runs once, from the
 * main loop. */
typedef void (*CacheSpoolDoneFunc)(const GError *error, gpointer user_data);

/* Each is done after all that were asked for before. @done may be NULL. */
void cache_spool_file_write(CacheSpoolFile *file, guint64 offset, GBytes *data,
                            CacheSpoolDoneFunc done, gpointer user_data);
void cache_spool_file_truncate(CacheSpoolFile *file, guint64 size,
                               CacheSpoolDoneFunc done, gpointer user_data);
/* @note: at most CACHE_SPOOL_NOTE_MAX octets. @durable: it, and all that was
 * written before, is on the disk for good when @done runs. */
void cache_spool_file_set_note(CacheSpoolFile *file, const char *note,
                               gboolean durable, CacheSpoolDoneFunc done,
                               gpointer user_data);

/* @done: when all that was asked for of any file of @spool is done; what was
 * removed is not there after the end of the process. */
void cache_spool_flush(CacheSpool *spool, CacheSpoolDoneFunc done,
                       gpointer user_data);

/* Octets from @offset, which were written and told to be done; fewer at the
 * end; -1 with @error set. */
gssize cache_spool_file_read(CacheSpoolFile *file, guint64 offset, void *buffer,
                             gsize length, GError **error);

/* Work on the octets by the store thread. @work reads and writes by the two
 * functions below, and touches nothing but @job. */
typedef struct CacheSpoolAccess CacheSpoolAccess;
typedef gboolean (*CacheSpoolWorkFunc)(CacheSpoolAccess *from,
                                       CacheSpoolAccess *to, gpointer job,
                                       GError **error);
/* Runs @work on what @from holds once all is done that was asked for before;
 * @to is a new file for it to fill. */
void cache_spool_file_work(CacheSpoolFile *from, CacheSpoolFile *to,
                           CacheSpoolWorkFunc work, gpointer job,
                           CacheSpoolDoneFunc done, gpointer user_data);
gssize cache_spool_access_read(CacheSpoolAccess *access, guint64 offset,
                               void *buffer, gsize length, GError **error);
gboolean cache_spool_access_append(CacheSpoolAccess *access, const void *data,
                                   gsize length, GError **error);
