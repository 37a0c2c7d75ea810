/* The hidden directory "special": symbolic links to the folders that the
 * server, or else their names, say are for something.
 *
 *     special/{Trash,Sent,Drafts,Archive,Junk,All} */
#pragma once

#include "fs/views/view.h"

/* Both must outlive the result. */
FsView *fs_special_view_new(FsAccount *account, FsNameSpace *names);
