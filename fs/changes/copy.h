/* Moving where the server has no MOVE: a copy, and when it is certain that the
 * copy is there, the original is deleted.
 *
 * Between the two the message is in both mailboxes, and nobody may take that
 * for the end: so the journal knows how far it is, and from which UID on in the
 * other mailbox a copy of ours can be. */
#pragma once

#include "fs/changes/pending.h"

/* Copies @batch's messages to the mailbox of the wire name @target. The batch
 * ends with the copy; the sender then has the originals deleted. */
void fs_copy_start(FsBatch *batch, const char *target);
