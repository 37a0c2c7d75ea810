/* Fetching ahead of programs that read the files of a directory one after
 * another: in batches, over a connection of their own. */
#pragma once

#include "fs/bodies/message-bodies-private.h"

FsReadAhead *fs_read_ahead_new(FsMessageBodies *bodies);
void fs_read_ahead_free(FsReadAhead *ahead); /* accepts NULL */

/* The directory @mailbox is about to be read; and it was, by a thread (0: not
 * known). */
void fs_read_ahead_expect(FsReadAhead *ahead, guint32 mailbox);
void fs_read_ahead_listed(FsReadAhead *ahead, guint32 mailbox, pid_t by);

/* The message @uid of @mailbox was opened. TRUE when that was to be expected:
 * if it is under way in a batch, it is worth waiting for. Call this before what
 * it lacks is asked for, and fs_read_ahead_plan after. */
gboolean fs_read_ahead_opened(FsReadAhead *ahead, guint32 mailbox, guint32 uid,
                              pid_t by);
void fs_read_ahead_plan(FsReadAhead *ahead, guint32 mailbox);
