/* How far a listing that is still arriving can be shown: up to the UID below
 * which nothing can be missing any more. Arithmetic alone.
 *
 * A server may send messages in any order. What comes in the order of the UIDs,
 * without a gap, moves the frontier; the first thing that does not stops it for
 * good: then the listing can be shown only when it is complete. */
#pragma once

#include "imap/uid-set.h"

typedef struct {
    guint32 uid; /* up to this one all are there; 0: none */
    gboolean stopped;
    const ImapUidSet *wanted; /* borrowed; NULL: everything is wanted */
    guint range;              /* of wanted; the one that arrives */
    guint32 next;             /* the UID in it that is due */
    guint32 last;             /* the highest UID that exists, with wanted */
    guint32 sequence;         /* of the last message, without wanted */
} FsFrontier;

/* Everything has been asked for: messages tell by their sequence numbers that
 * none is missing. */
void fs_frontier_begin_all(FsFrontier *frontier);

/* What was asked for are @wanted (borrowed until the next beginning), all that
 * is missing of the messages that exist, of which @last is the highest. */
void fs_frontier_begin_wanted(FsFrontier *frontier, const ImapUidSet *wanted,
                              guint32 last);

/* The message @uid has come, as the one numbered @sequence. TRUE when the
 * frontier has moved. */
gboolean fs_frontier_advance(FsFrontier *frontier, guint32 sequence,
                             guint32 uid);

/* Sequence numbers or UIDs tell nothing any more. */
void fs_frontier_stop(FsFrontier *frontier);
