/* When "cur" and "new" of each folder's Maildir last changed.
 *
 * Programs such as notmuch and mu pass over a directory whose time is what it
 * was, and go through all of one whose time is not. So it moves when a name in
 * it comes, goes, or gets other flags, and at no other time; where a change
 * shows first in the mount and then in what the server says, it moves once. */
#pragma once

#include "fs/account.h"

typedef struct FsMaildirTimes FsMaildirTimes;

/* @account must outlive the result. */
FsMaildirTimes *fs_maildir_times_new(FsAccount *account);
void fs_maildir_times_free(FsMaildirTimes *times); /* accepts NULL */

/* Microseconds since the epoch; 0: not since they were first asked for. */
gint64 fs_maildir_times_cur(FsMaildirTimes *times, guint32 mailbox);
gint64 fs_maildir_times_new_mail(FsMaildirTimes *times, guint32 mailbox);

/* The message has been shown in "new": if it is not there any more, that has
 * changed. */
void fs_maildir_times_shown_new(FsMaildirTimes *times, guint32 mailbox,
                                guint32 uid);
/* The message has another name, or is in the other of the two, which concerns
 * nobody else: so the time of "cur", that of "new", or both move. */
void fs_maildir_times_named(FsMaildirTimes *times, guint32 mailbox, guint32 uid,
                            gboolean cur, gboolean new_mail);
