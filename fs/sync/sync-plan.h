/* What a synchronisation has to ask for. Decisions alone, from what is known
 * and what the selection of the mailbox has told (RFC 7162; RFC 4549). */
#pragma once

#include "cache/index.h"
#include "imap/mailbox.h"

typedef enum {
    FS_SYNC_NOTHING, /* what is known is what there is */
    FS_SYNC_ALL,     /* every message, by one FETCH */
    FS_SYNC_NEW,     /* the messages that are new */
    FS_SYNC_CHANGES, /* what has changed since, and what is new */
    FS_SYNC_SEARCH,  /* which messages exist */
} FsSyncStep;

typedef struct {
    CacheMailbox known; /* zeroed: nothing */
    guint64 count;      /* messages known, after what @applied brought */
    guint64 next_uid;   /* all that is known has lower UIDs; 0: who knows */
    const ImapMailbox *selected;
    gboolean fresh;       /* it has been selected just now */
    gboolean condstore;   /* the server can tell what has changed */
    gboolean applied;     /* changes since @known came with the selection, and
                             are in */
    gboolean with_header; /* what is known has to have come with headers */
} FsSyncSituation;

/* All messages are known, and all of each that is wanted. */
gboolean fs_sync_plan_is_known(const CacheMailbox *known, gboolean with_header);

/* Whether the server can be asked what has changed since
 * known.highestmodseq. */
gboolean fs_sync_plan_can_tell(const FsSyncSituation *situation);

/* Whether there may be messages of UIDs from next_uid on. */
gboolean fs_sync_plan_may_be_new(const FsSyncSituation *situation);

FsSyncStep fs_sync_plan(const FsSyncSituation *situation);
