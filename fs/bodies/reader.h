/* Readers of messages: what fs/bodies/message-bodies.h promises of them. */
#pragma once

#include "fs/bodies/message-bodies-private.h"

/* Whether anybody has that message open. */
gboolean fs_reader_any(FsMessageBodies *bodies, guint32 mailbox, guint32 uid);
