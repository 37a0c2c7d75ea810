/* Answered at once, from what is known: nothing is waited for, and nothing
 * counts as used. */
#include "fs/control/cached-query.h"

#include "fs/bodies/message-bodies.h"

#include <errno.h>
#include <string.h>

static gboolean
is_missing(FsAccount *account, FsNameSpace *names, guint64 inode)
{
    FsObstacle obstacle = {0};
    CacheMessage message;
    FsEntry entry;

    return inode != 0 &&
           fs_name_space_describe(names, inode, &entry, &obstacle) ==
               FS_ANSWER_FOUND &&
           entry.mailbox != 0 && entry.uid != 0 &&
           cache_index_message(account->index, entry.mailbox, entry.uid,
                               &message) &&
           !fs_message_is_cached(account->bodies, entry.mailbox, &message);
}

void
fs_cached_query_answer(FsAccount *account, FsNameSpace *names,
                       fuse_req_t request, guint command, const void *data,
                       gsize length)
{
    FsCachedQuery query;

    if (command != (guint)FS_CACHED_QUERY_IOCTL || length != sizeof query) {
        fuse_reply_err(request, ENOTTY);
        return;
    }
    memcpy(&query, data, sizeof query);
    for (guint i = 0; i < FS_CACHED_QUERY_MAX; i++)
        if (!is_missing(account, names, query.inodes[i]))
            query.inodes[i] = 0;
    fuse_reply_ioctl(request, 0, &query, sizeof query);
}
