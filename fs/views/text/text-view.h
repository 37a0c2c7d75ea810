/* The view "text": the directories of the mount once more, and in them a file
 * NAME.txt for each message NAME, with its headers and text parts as UTF-8. */
#pragma once

#include "fs/views/parts/part-maker.h"

/* All three must outlive it. */
FsView *fs_text_view_new(FsAccount *account, FsNameSpace *names,
                         FsPartMaker *maker);
