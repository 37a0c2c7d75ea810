/* Finds out which mailboxes have not changed, many by one command: those need
 * not be synchronised. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

typedef struct FsStatusPoll FsStatusPoll;

/* @account must outlive the result. */
FsStatusPoll *fs_status_poll_new(FsAccount *account);
void fs_status_poll_free(FsStatusPoll *poll); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsStatusPoll, fs_status_poll_free)

/* Begins to ask for those of @mailboxes (ids) of which the answer would tell;
 * forgets what was asked for before. What to wait for, which is met whatever
 * comes of it (borrowed); NULL: it is not worth it. */
FsNeed *fs_status_poll_begin(FsStatusPoll *poll, const guint32 *mailboxes,
                             guint n);

/* Whether @mailbox was found to be as it is known, or is being synchronised. */
gboolean fs_status_poll_is_settled(const FsStatusPoll *poll, guint32 mailbox);
