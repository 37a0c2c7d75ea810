/* The first layout: mailboxes are directories, messages are files in them. */
#pragma once

#include "fs/names/name-space.h"

FsNameSpace *fs_mailbox_layout_new(FsAccount *account);

/* Whether the message does not show: the user has removed it, or somebody has
 * marked it and that is what removing does. */
gboolean fs_message_is_hidden(const FsAccount *account, guint32 mailbox,
                              const CacheMessage *message);
