/* A directory of ours on disk, the account's: the owner's alone, and one
 * process's at a time. */
#pragma once

#include <glib.h>

typedef struct CacheDirectory CacheDirectory;

/* Makes @path, with its parents, owner-only, and locks it until it is closed or
 * the process ends, however it ends; a child that is forked and does not exec
 * shares the lock. One whose mode lets others in is mended.
 *
 * Fails with CACHE_ERROR_LOCKED (the message names the process that has it,
 * and *@ending is whether that has announced its end; to wait for it, see
 * cache/directory-opening.h), with CACHE_ERROR_NO_SPACE, or with
 * CACHE_ERROR_IO: it cannot be made or written, is a symbolic link, or it or
 * the directory around it belongs to somebody else. */
CacheDirectory *cache_directory_open(const char *path, gboolean *ending,
                                     GError **error);
void cache_directory_close(CacheDirectory *directory); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheDirectory, cache_directory_close)

const char *cache_directory_path(const CacheDirectory *directory);

/* It will be closed soon: who wants to open it is to wait for that. */
void cache_directory_announce_end(CacheDirectory *directory);

/* What is in it means something only together with @identity (of the state
 * whose numbers it uses), and only as long as that state gives none of its
 * numbers again: @next_id is above all that it has given. What was kept with
 * another one, or with what this one was before an older copy was put in its
 * place, is removed, all but the lock. Fails with CACHE_ERROR_IO or
 * CACHE_ERROR_NO_SPACE when that cannot be done or noted. */
gboolean cache_directory_bind(CacheDirectory *directory, const char *identity,
                              guint32 next_id, GError **error);
/* From now on what is in it has numbers below @next_id. G_MAXUINT32: also some
 * that the state may give again, and unless that is taken back, all will be
 * removed. For any one thread at a time. */
void cache_directory_note_ids(CacheDirectory *directory, guint32 next_id);

/* Octets that its files take on the disk. */
guint64 cache_directory_used(const CacheDirectory *directory);
/* Those, and what is free on the disk. 0 when that cannot be told. */
guint64 cache_directory_space(const CacheDirectory *directory);
