/* What the server lets us do in a mailbox, as far as it has said. */
#pragma once

#include "fs/account.h"

/* Whether messages can be stored in, and taken from, @mailbox (0: the top
 * directory): the mount can be written to, and nothing says otherwise. */
gboolean fs_rights_may_write(const FsAccount *account, guint32 mailbox);
