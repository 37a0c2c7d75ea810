/* Filling the cache of a mount by reading what is missing there, on a thread of
 * its own: what it does may wait for the server, while somebody looks on. */
#pragma once

#include <glib.h>

typedef enum {
    FS_FETCH_LOOKS, /* which messages there are, and which are missing */
    FS_FETCH_READS, /* the missing ones */
    FS_FETCH_VERIFIES,
    FS_FETCH_ENDED,
} FsFetchPhase;

typedef struct {
    FsFetchPhase phase;
    char *folder;       /* where it is; owned by whoever has the copy */
    guint64 n_all;      /* messages of the folders, so far as known */
    guint64 octets_all; /* of these, by the server's word */
    guint64 n_missing;  /* of them, those that were to be fetched */
    guint64 octets_missing;
    guint64 n_done;      /* of these */
    guint64 octets_done; /* likewise */
    guint64 n_left;      /* once verified: still missing */
} FsFetchState;

typedef struct FsFetchWork FsFetchWork;

/* Begins. @folders: paths in the mount; none: all. @room: octets that the cache
 * holds. @ended runs on the main loop, once. */
FsFetchWork *fs_fetch_work_new(const char *mountpoint,
                               const char *const *folders, guint64 room,
                               GSourceFunc ended, gpointer user_data);
/* After its end. Accepts NULL. */
void fs_fetch_work_free(FsFetchWork *work);

/* As it is at the moment; the caller frees folder. */
void fs_fetch_work_look(FsFetchWork *work, FsFetchState *state);
/* After its end: why not all was fetched, FS_ERROR_MOUNT; NULL if it was.
 * Borrowed. */
const GError *fs_fetch_work_error(const FsFetchWork *work);
