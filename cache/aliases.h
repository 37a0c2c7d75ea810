/* The names that users gave to messages, in aliases.db: a message that was
 * moved or written keeps the name it was given, also after the next mount.
 *
 * A mailbox is meant by its id, which stands for one UIDVALIDITY; ids are never
 * used again. Within a mailbox a message has at most one such name, and a name
 * at most one message. All of it is in memory, too; what changes shows at once,
 * and is written by the store thread as cache/journal.h's records are. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

#define CACHE_ALIAS_MAX 255u /* octets of a name */

typedef struct CacheAliases CacheAliases;

/* As cache_journal_open. */
CacheAliases *cache_aliases_open(const char *directory,
                                 CacheStoreThread *thread, GError **error);
/* What changed is durable before this returns. Accepts NULL. */
void cache_aliases_close(CacheAliases *aliases);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheAliases, cache_aliases_close)

/* The message @uid of @mailbox is called @name (1 to CACHE_ALIAS_MAX octets,
 * copied) from now on; another that was called so is not any more. */
void cache_aliases_set(CacheAliases *aliases, guint32 mailbox, guint32 uid,
                       const char *name);
/* Does nothing if it has none. */
void cache_aliases_remove(CacheAliases *aliases, guint32 mailbox, guint32 uid);

/* The name that was given to the message; NULL: none. Borrowed until it is set
 * or removed. */
const char *cache_aliases_name(const CacheAliases *aliases, guint32 mailbox,
                               guint32 uid);
/* The UID of the message that was given the name @name; 0: none. */
guint32 cache_aliases_uid(const CacheAliases *aliases, guint32 mailbox,
                          const char *name);
guint cache_aliases_count(const CacheAliases *aliases);

/* Calls @done from the main loop, never inside this call, once all that was
 * changed so far is written, and so survives the end of the process; or
 * cannot be. */
typedef void (*CacheAliasesDoneFunc)(const GError *error, gpointer user_data);
void cache_aliases_flush(CacheAliases *aliases, CacheAliasesDoneFunc done,
                         gpointer user_data);
