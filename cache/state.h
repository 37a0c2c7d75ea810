/* What must not be lost and no server has: the numbers that mailboxes have in
 * inode numbers, and the version of the function that names messages. In
 * state.db, durable; small, and so wholly in memory, too.
 *
 * What changes shows at once, and is queued for the store thread when the main
 * loop next comes round, before anything that others queue later: an id that
 * they have written somewhere is never given to something else. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

typedef struct CacheState CacheState;

/* @directory: an existing one of the owner's, for state.db; NULL: nothing is
 * kept. @max_id: ids go from 1 to that. @stem_version (not 0) is noted when the
 * state is new. @thread must outlive the result. Fails, with a sentence that
 * says what to do, when the file is damaged, foreign or cannot be written: the
 * caller must not go on as if there had been none. */
CacheState *cache_state_open(const char *directory, guint32 max_id,
                             guint stem_version, CacheStoreThread *thread,
                             GError **error);
/* What changed is durable before this returns. Accepts NULL. */
void cache_state_close(CacheState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheState, cache_state_close)

/* Above all ids that were ever given. */
guint32 cache_state_next_id(const CacheState *state);

/* Runs each time that ids were to be written, where that is done and before
 * anything is that was queued later: on the store thread, or inside
 * cache_state_close. @next_id is above all that are durable; G_MAXUINT32: some
 * are not, and after a crash might be given again. At most one, before the
 * first id is asked for. */
typedef void (*CacheIdsWrittenFunc)(guint32 next_id, gpointer user_data);
void cache_state_set_written_func(CacheState *state, CacheIdsWrittenFunc func,
                                  gpointer user_data);

/* The version of the naming function that the account's names were made by. */
guint cache_state_stem_version(const CacheState *state);

/* Different for each state that was ever made: what was kept elsewhere by the
 * ids of one means nothing to another. Borrowed. */
const char *cache_state_identity(const CacheState *state);

/* The id of what the caller calls @name (a mailbox's wire name, or a directory
 * that is none), a new one if it had none. 0 when no id is left. The same name
 * has the same id as long as it is not renewed, also after it was away. */
guint32 cache_state_id(CacheState *state, const char *name);

/* Likewise, but if @name has no id yet and @before has one, it takes that over:
 * the same thing goes by another name, and @before has none any more. */
guint32 cache_state_id_moved(CacheState *state, const char *name,
                             const char *before);

/* What bears @name now is another thing: it gets a new id, which is returned; 0
 * when none is left. The old one is never used again. */
guint32 cache_state_renew(CacheState *state, const char *name);

/* The UIDVALIDITY that the mailbox @id had last; 0: not known. */
guint64 cache_state_uidvalidity(const CacheState *state, guint32 id);
void cache_state_set_uidvalidity(CacheState *state, guint32 id,
                                 guint64 uidvalidity);
