/* The hidden directory "searches": searches that are kept under a name.
 *
 *     searches/NAME/query    what is searched for; can be written to
 *     searches/NAME/…        the messages that are found
 *
 * mkdir makes one, whose query is its name, and rmdir forgets it. */
#pragma once

#include "fs/views/search/kept-results.h"
#include "fs/views/view.h"

/* From the top of the mount. */
#define FS_SEARCHES_PATH ".imapfs/searches/"

/* All three must outlive the result. */
FsView *fs_searches_view_new(FsAccount *account, FsNameSpace *names,
                             FsKeptResults *results);

/* With the option searches, they show at the top of the mount, too: as links,
 * behind what @behind (takes ownership) has there. Whoever goes through all
 * files does not follow links. */
FsNameSpace *fs_root_searches_new(FsAccount *account, FsNameSpace *behind);
/* Fills @entry: the link at the top to the search @id, which there is. */
void fs_root_searches_fill(const FsAccount *account, guint32 id,
                           FsEntry *entry);
