/* The messages of a mailbox in the order of their UIDs, with header fields:
 * those that are kept, and the others from the server. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

typedef struct FsIndexSource FsIndexSource;

/* Of the messages with UIDs above @after in @mailbox, which is known. */
FsIndexSource *fs_index_source_new(FsAccount *account, guint32 mailbox,
                                   guint32 after);
void fs_index_source_free(FsIndexSource *source); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsIndexSource, fs_index_source_free)

/* The next message: TRUE, and @row (borrowed until the next call) has its UID
 * and fields; a message of which the server tells nothing has none. FALSE and a
 * @need (borrowed) when it is on its way; the need fails when it cannot be had.
 * FALSE without one at the end. */
gboolean fs_index_source_next(FsIndexSource *source, CacheFieldsRow *row,
                              FsNeed **need);
