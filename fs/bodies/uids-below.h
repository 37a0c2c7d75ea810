/* The UIDs of a mailbox from some point down. The index knows only the way up:
 * so some are gathered at a time. */
#pragma once

#include "cache/index.h"

typedef struct FsUidsBelow FsUidsBelow;

/* @index must outlive it. */
FsUidsBelow *fs_uids_below_new(CacheIndex *index, guint32 mailbox);
void fs_uids_below_free(FsUidsBelow *below); /* accepts NULL */

/* The highest UID below @uid, which is what it gave before, or where to begin;
 * 0: there is none. */
guint32 fs_uids_below_next(FsUidsBelow *below, guint32 uid);
/* The last one is to be given once more. */
void fs_uids_below_take_back(FsUidsBelow *below);
