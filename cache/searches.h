/* The searches that users keep, in searches.db, beside the state: each has a
 * name, a query, and a number that is never used again. All of it is in memory,
 * too; what changes shows at once, and is written as cache/journal.h's records
 * are. What a query means is the caller's. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

#define CACHE_SEARCHES_MAX 1000u
#define CACHE_SEARCH_NAME_MAX 255u    /* octets */
#define CACHE_SEARCH_QUERY_MAX 10000u /* likewise */

typedef struct CacheSearches CacheSearches;

/* Borrowed until it is changed or removed. */
typedef struct {
    guint32 id; /* from 1 */
    char *name;
    char *query;
} CacheSearch;

/* As cache_journal_open. */
CacheSearches *cache_searches_open(const char *directory,
                                   CacheStoreThread *thread, GError **error);
/* What changed is durable before this returns. Accepts NULL. */
void cache_searches_close(CacheSearches *searches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheSearches, cache_searches_close)

/* Each NULL if there is none; the last is that with the lowest id above
 * @after. */
const CacheSearch *cache_searches_find(const CacheSearches *searches,
                                       const char *name);
const CacheSearch *cache_searches_get(const CacheSearches *searches,
                                      guint32 id);
const CacheSearch *cache_searches_next(const CacheSearches *searches,
                                       guint32 after);

/* The search @name, a new one if there is none, has the query @query from now
 * on (both copied). NULL: there are too many, one of them is too long, or the
 * name is none for a file: it begins with a dot, or has a slash in it. */
const CacheSearch *cache_searches_put(CacheSearches *searches, const char *name,
                                      const char *query);
void cache_searches_remove(CacheSearches *searches, guint32 id);
