/* The octets of messages that were stored by this machine: they were here, and
 * need not be fetched.
 *
 * They are put aside in the cache when the server has said which message they
 * have become. They are taken for that message's when it is read, if it has
 * their size, and the server is known to keep what it is given: some servers
 * make another message of it. */
#pragma once

#include "cache/spool.h"
#include "fs/bodies/message-bodies.h"

/* Puts aside the octets of @file, which are those that were stored as the
 * message @uid of @mailbox. Large ones are passed over, all while the disk is
 * behind, and all from a server that is not to be relied on. */
void fs_stored_body_keep(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                         CacheSpoolFile *file);

/* Whether the server is known to keep octets as they are; and whether it is
 * known not to. Which of both is kept with them. */
gboolean fs_stored_body_is_trusted(FsMessageBodies *bodies);
gboolean fs_stored_body_is_distrusted(FsMessageBodies *bodies);
void fs_stored_body_trust(FsMessageBodies *bodies, gboolean trusted);

/* Whether octets were put aside for @message, and can be relied on. */
gboolean fs_stored_body_has(FsMessageBodies *bodies, guint32 mailbox,
                            const CacheMessage *message);
/* Makes them its body in the cache, which writes them once more: for one that
 * is about to be read, and not while the disk is behind. FALSE: there are none.
 */
gboolean fs_stored_body_take(FsMessageBodies *bodies, guint32 mailbox,
                             const CacheMessage *message);
/* They are of no use. */
void fs_stored_body_drop(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                         guint64 size);
