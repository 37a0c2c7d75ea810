/* The hidden directory "index": each mailbox as a table.
 *
 *     index/Archive/2025.tsv, index/Archive/2025.jsonl
 *
 * Beside the tables are the directories of mailboxes that have others below
 * them; a directory's name wins over a table's. */
#pragma once

#include "fs/views/view.h"

/* Both must outlive the result. */
FsView *fs_index_view_new(FsAccount *account, FsNameSpace *names);
