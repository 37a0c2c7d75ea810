/* Fetching messages whole: one, or many in one command. */
#pragma once

#include "fs/bodies/message-bodies-private.h"

/* Fetches @body by a command of its own, at once. It need not be under way, or
 * may be waiting in a batch, which then leaves it out. */
void fs_body_fetch_alone(FsBody *body);

/* A batch: the messages of one mailbox that are going to be asked for in one
 * command. None of them is awaited more than the others: if the command fails,
 * those that somebody waits for meanwhile are fetched alone, and nobody is
 * told.
 * @at_hand: it will be sent in a moment. */
FsBodyFetch *fs_body_fetch_new_batch(FsMessageBodies *bodies, guint32 mailbox,
                                     gboolean at_hand);
void fs_body_fetch_add(FsBodyFetch *batch, const CacheMessage *message);
guint fs_body_fetch_n_ranges(const FsBodyFetch *batch);
guint fs_body_fetch_count(const FsBodyFetch *batch);
/* Sends it (takes ownership) over @connection, which stays selected until it is
 * @done: that runs from the main loop once the command has ended, or not at all
 * if the bodies are freed before. FALSE, and there is no batch any more, when
 * nothing is left of it. */
typedef void (*FsBatchFunc)(const GError *error, gpointer user_data);
gboolean fs_body_fetch_send(FsBodyFetch *batch, ImapConnection *connection,
                            FsBatchFunc done, gpointer user_data);
/* Takes ownership: it is not sent. @error: why. */
void fs_body_fetch_drop(FsBodyFetch *batch, const GError *error);

/* Octets that are still to come, as far as is known. */
guint64 fs_body_fetch_octets(const FsBodyFetch *fetch);
/* Whether it was sent, or is about to be. */
gboolean fs_body_fetch_is_sent(const FsBodyFetch *fetch);
gboolean fs_body_fetch_is_batch(const FsBodyFetch *fetch);
