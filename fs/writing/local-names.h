/* A name space in front of another one: in its directories there are also the
 * files that are not on the server yet, and what a message is while somebody
 * edits it. */
#pragma once

#include "fs/names/name-space.h"
#include "fs/writing/writing.h"

/* @behind is taken over; @writing and @account must outlive the result. */
FsNameSpace *fs_local_names_new(FsAccount *account, FsNameSpace *behind,
                                FsWriting *writing);
