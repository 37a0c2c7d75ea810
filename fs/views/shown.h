/* A message as the mount shows it: for views that list messages otherwise. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

/* The entry of the message @uid of @mailbox, with the name under which it is
 * listed, and the number of the directory that lists it (may be NULL). FALSE:
 * it does not show, or is not known. */
gboolean fs_shown_find(const FsAccount *account, FsNameSpace *names,
                       guint32 mailbox, guint32 uid, FsEntry *entry,
                       guint64 *directory);
/* The name of that message in its folder, where it may be hidden by now; NULL:
 * it is not known. Caller frees. */
char *fs_shown_name(const FsAccount *account, FsNameSpace *names,
                    guint32 mailbox, guint32 uid);
