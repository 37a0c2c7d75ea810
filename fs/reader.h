/* Readers of messages: what fs/message-bodies.h promises of them. */
#pragma once

#include "fs/message-bodies-private.h"

/* Whether anybody has that message open. */
gboolean fs_reader_any(FsMessageBodies *bodies, guint32 mailbox, guint32 uid);
