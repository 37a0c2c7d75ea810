/* The directory ".imapfs/flags": the directories of the mount once more, and in
 * them a file for each message, which holds its flags; what is written to it
 * changes them. For where there are no extended attributes.
 *
 * Names are those of the mount. The kernel keeps nothing of it. */
#pragma once

#include "fs/views/view.h"

/* Both must outlive the result. */
FsView *fs_flags_view_new(FsAccount *account, FsNameSpace *names);
