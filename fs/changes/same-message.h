/* Whether two messages are the same one, perhaps in two states: their
 * Message-IDs tell. */
#pragma once

#include "fs/bodies/message-bodies.h"

typedef struct FsSameMessage FsSameMessage;

/* @bodies must outlive the result. */
FsSameMessage *fs_same_message_new(FsMessageBodies *bodies, guint32 mailbox,
                                   guint32 uid, guint32 other_mailbox,
                                   guint32 other_uid);
void fs_same_message_free(FsSameMessage *same); /* accepts NULL */

/* NULL when it is known, and *@result tells: FALSE also if they have none. Else
 * what to wait for until this is called again (the caller owns it). That fails
 * if one of them cannot be read. */
FsNeed *fs_same_message_run(FsSameMessage *same, gboolean *result);
