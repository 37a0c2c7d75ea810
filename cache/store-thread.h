/* The one thread that touches the disk where that may take long: writes and
 * fsync. It owns nothing but its queue; jobs run in the order given, and their
 * results come back on the main loop. */
#pragma once

#include <glib.h>

typedef struct CacheStoreThread CacheStoreThread;

/* Runs on the store thread. Touches nothing but @job. */
typedef void (*CacheWorkFunc)(gpointer job);
/* Runs on the main loop of the thread that made the CacheStoreThread, after the
 * work and never inside the call that queued it. Frees @job. */
typedef void (*CacheDoneFunc)(gpointer job);

CacheStoreThread *cache_store_thread_new(void);
/* Waits for all work that is queued, and calls the done functions, until none
 * is left. */
void cache_store_thread_drain(CacheStoreThread *thread);
/* Waits for the work that is queued, calls every done function, ends the
 * thread. Accepts NULL. */
void cache_store_thread_free(CacheStoreThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheStoreThread, cache_store_thread_free)

void cache_store_thread_push(CacheStoreThread *thread, CacheWorkFunc work,
                             CacheDoneFunc done, gpointer job);
