/* Opening a directory that another process may be about to leave. */
#pragma once

#include "cache/directory.h"

typedef struct CacheDirectoryOpening CacheDirectoryOpening;

/* @directory (the callee's), or NULL with why not, as with
 * cache_directory_open. Runs once, from the main loop, unless cancelled; the
 * opening is gone then. */
typedef void (*CacheDirectoryOpenedFunc)(CacheDirectory *directory,
                                         const GError *error,
                                         gpointer user_data);

/* Opens it as cache_directory_open does, but waits, if another process has it,
 * for a second, or some more if that has announced its end: who mounts again
 * where he has just unmounted is to find what was kept. */
CacheDirectoryOpening *
cache_directory_opening_start(const char *path, CacheDirectoryOpenedFunc opened,
                              gpointer user_data);
/* Nobody waits any more. Accepts NULL. */
void cache_directory_opening_cancel(CacheDirectoryOpening *opening);

/* Who has it, as a part of a sentence; NULL: nobody is waited for. Caller
 * frees. */
char *cache_directory_opening_describe(const CacheDirectoryOpening *opening);
