/* The view "parts": the directories of the mount once more, and in them a
 * directory for each message, with its parts (fs/views/parts/part-tree.h). */
#pragma once

#include "fs/views/parts/part-maker.h"

/* All three must outlive it. */
FsView *fs_parts_view_new(FsAccount *account, FsNameSpace *names,
                          FsPartMaker *maker);
