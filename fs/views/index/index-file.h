/* An open table of a mailbox: made while it is read. */
#pragma once

#include "fs/views/index/index-line.h"
#include "fs/views/view.h"

/* Of @mailbox, whose messages are known. All must outlive the result. */
FsViewFile *fs_index_file_new(FsAccount *account, FsNameSpace *names,
                              guint32 mailbox, FsIndexFormat format);
