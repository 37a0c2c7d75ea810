/* What those who fetch bodies share: the messages under way. Included by
 * fs/bodies/message-bodies.c and the fetchers alone. */
#pragma once

#include "cache/blocks.h"
#include "fs/bodies/message-bodies.h"
#include "fs/sync/mailbox-lease.h"
#include "imap/retry.h"

typedef struct FsBodyFetch FsBodyFetch;
typedef struct FsPartFetch FsPartFetch;
typedef struct FsReadAhead FsReadAhead;

/* Announced as larger, a message is fetched in ranges. */
#define FS_WHOLE_MAX (1024u * 1024)

/* Reference counted, for replies may come after the end. */
struct FsMessageBodies {
    FsAccount *account; /* NULL after the end */
    FsLeases *leases;
    GHashTable *under_way; /* by mailbox and UID: of FsBody, references */
    GHashTable *checks;    /* see fs/sync/existence.c */
    GHashTable *stored_in; /* see fs/bodies/stored-body.c */
    FsReadAhead *ahead;
    GPtrArray *paused; /* of ImapConnection, references */
    FsNeed *caught_up; /* that the store has; NULL: nobody waits for it */
    GQueue readers;    /* of FsReader, by their links */
    FsResizedFunc resized;
    gpointer resized_data;
};

FsMessageBodies *fs_message_bodies_ref(FsMessageBodies *bodies);
void fs_message_bodies_unref(FsMessageBodies *bodies); /* accepts NULL */

/* A message of which octets are under way. */
typedef struct {
    FsMessageBodies *bodies; /* a reference; NULL once it is over */
    guint32 mailbox;
    guint32 uid;
    guint64 announced; /* RFC822.SIZE, or, verified, the real size */
    gboolean verified; /* then somebody may have it open, with that size */
    char *identity;    /* NULL: none */
    FsNeed *need;      /* NULL: nobody has asked for it */
    gboolean whole;    /* it comes, or has come, whole; else in ranges */
    ImapRetry retry;
    guint n_contradictions; /* the server lists it and does not send it */
    /* One of these brings it; none while the server is asked whether it
     * exists. */
    FsBodyFetch *fetch; /* borrowed */
    FsPartFetch *parts; /* owned */
} FsBody;

FsBody *fs_body_ref(FsBody *body);
void fs_body_unref(FsBody *body); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsBody, fs_body_unref)

/* The message under way, or NULL. Borrowed. */
FsBody *fs_body_find(FsMessageBodies *bodies, guint32 mailbox, guint32 uid);
/* It is not under way; now it is. Borrowed. */
FsBody *fs_body_new(FsMessageBodies *bodies, guint32 mailbox,
                    const CacheMessage *message);

/* The name of its blocks, if it is of @size octets. Caller frees. */
char *fs_body_key(const FsBody *body, guint64 size);

/* Whether @size can be believed without asking whether the message exists. */
gboolean fs_body_is_plausible(const FsBody *body, guint64 size);
/* Whether somebody waits for it; or has it open. */
gboolean fs_body_is_awaited(const FsBody *body);
gboolean fs_body_is_open(const FsBody *body);
/* Borrowed. */
FsNeed *fs_body_need(FsBody *body);

/* It is certain that the message has @size octets. FALSE, and it is over, if
 * somebody may have begun to read it as of another size. */
gboolean fs_body_settle(FsBody *body, guint64 size);
/* It is over: what was wanted is there, or cannot be had. */
void fs_body_finish(FsBody *body, const GError *error);
void fs_body_finish_with(FsBody *body, int code, const char *message);
/* The server has it no longer. */
void fs_body_finish_gone(FsBody *body);

/* What to wait for until @message, which is missing, is there as a whole.
 * @expected: see fs_read_ahead_opened. Caller owns a reference. */
FsNeed *fs_message_bodies_need_whole(FsMessageBodies *bodies, guint32 mailbox,
                                     const CacheMessage *message,
                                     gboolean expected);

/* Block @number of a message of @size octets in @key, or NULL. Caller owns. */
GBytes *fs_block_get(FsMessageBodies *bodies, const char *key, guint64 size,
                     guint32 number);

/* Pauses @connection if the store is behind, until it has caught up. */
void fs_message_bodies_pause_if_behind(FsMessageBodies *bodies,
                                       ImapConnection *connection);
