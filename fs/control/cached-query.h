/* Which messages are in the cache: asked by ioctl(2) of .imapfs/status, many at
 * a time, so that who fills the cache need not read what is there, and so make
 * it look used. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

#include <fuse_lowlevel.h>
#include <sys/ioctl.h>

#define FS_CACHED_QUERY_MAX 250u

/* Inode numbers of files. In the answer, those that nothing has to be fetched
 * of are 0: they are wholly in the cache, or no messages of the server's. */
typedef struct {
    guint64 inodes[FS_CACHED_QUERY_MAX];
} FsCachedQuery;

#define FS_CACHED_QUERY_IOCTL _IOWR('i', 0x6d, FsCachedQuery)

/* Answers @request, which is an ioctl @command with so much of @data. */
void fs_cached_query_answer(FsAccount *account, FsNameSpace *names,
                            fuse_req_t request, guint command, const void *data,
                            gsize length);
