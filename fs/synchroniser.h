/* Keeps the messages of the mailboxes in use as the server has them.
 *
 * A mailbox counts as known only after a listing that was complete: as many
 * messages as the server says there are (EXISTS). Until then, and when that
 * cannot be had, there is an error and never a short list. */
#pragma once

#include "fs/account.h"
#include "fs/refresh.h"

FsSynchroniser *fs_synchroniser_new(FsAccount *account);
void fs_synchroniser_free(FsSynchroniser *synchroniser); /* accepts NULL */

/* NULL when the messages of @mailbox, an id of the account's tree whose mailbox
 * can be selected, are known well enough for an operation that began at
 * @since (see fs/refresh.h); else what to wait for. Borrowed. */
FsNeed *fs_synchroniser_need_messages(FsSynchroniser *synchroniser,
                                      guint32 mailbox, gint64 since);

/* Whether the mailbox that is @selected is another one than was @known under
 * its name. @fresh: it was selected just now; then a UIDNEXT that went back
 * tells, too, for some servers keep UIDVALIDITY when a mailbox is deleted and
 * made again. */
gboolean fs_synchroniser_is_another(const CacheMailbox *known,
                                    const ImapMailbox *selected,
                                    gboolean fresh);

/* Something has changed in @mailbox: who wants it fresh asks again. */
void fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 mailbox);

/* A FsMailboxGoneFunc: the tree holds @mailbox no longer. @user_data is the
 * synchroniser. */
void fs_synchroniser_mailbox_gone(const FsMailbox *mailbox, gpointer user_data);

/* Seconds since the epoch: when messages of @mailbox last came or went, as far
 * as we have seen; 0 if it was never synchronised. */
gint64 fs_synchroniser_changed_at(FsSynchroniser *synchroniser,
                                  guint32 mailbox);
