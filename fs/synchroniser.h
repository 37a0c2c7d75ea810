/* Keeps the list of mailboxes, and the messages of those in use, as the server
 * has them.
 *
 * A mailbox counts as known only after a listing that was complete: as many
 * messages as the server says there are (EXISTS). Until then, and when that
 * cannot be had, there is an error and never a short list. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

FsSynchroniser *fs_synchroniser_new(FsAccount *account);
void fs_synchroniser_free(FsSynchroniser *synchroniser); /* accepts NULL */

typedef enum {
    FS_KNOWN, /* however old */
    FS_FRESH, /* no older than options->poll_seconds */
} FsFreshness;

/* NULL when the list of mailboxes is there; else what to wait for. Borrowed. */
FsNeed *fs_synchroniser_need_mailboxes(FsSynchroniser *synchroniser,
                                       FsFreshness freshness);

/* The same for the messages of @mailbox, an id of the account's tree whose
 * mailbox can be selected. */
FsNeed *fs_synchroniser_need_messages(FsSynchroniser *synchroniser,
                                      guint32 mailbox, FsFreshness freshness);

/* Something has changed in @mailbox: FS_FRESH asks the server again. */
void fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 mailbox);

/* Seconds since the epoch: when messages of @mailbox last came or went, as far
 * as we have seen; 0 if it was never synchronised. */
gint64 fs_synchroniser_changed_at(FsSynchroniser *synchroniser,
                                  guint32 mailbox);
