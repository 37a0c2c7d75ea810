/* The first layout: mailboxes are directories, messages are files in them. */
#pragma once

#include "fs/name-space.h"

FsNameSpace *fs_mailbox_layout_new(FsAccount *account);
