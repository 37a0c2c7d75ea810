/* The first layout: mailboxes are directories, messages are files in them. */
#pragma once

#include "fs/names/name-space.h"

FsNameSpace *fs_mailbox_layout_new(FsAccount *account);
