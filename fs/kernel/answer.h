/* Answers that several trees of the mount give in the same way. */
#pragma once

#include "fs/kernel/operation.h"
#include "fs/names/name-space.h"

/* Waits, or fails, as @answer says, which is not FS_ANSWER_FOUND;
 * FS_ANSWER_NONE is @none_errno. */
void fs_answer_obstacle(FsOperation *operation, FsAnswer answer,
                        const FsObstacle *obstacle, int none_errno);

/* Gives the entry at @cookie of the directory that is listed, as
 * fs_name_space_next does; and in @param, which is empty, what the kernel is
 * told of it. With @param->ino 0 it learns the name alone. */
typedef FsAnswer (*FsListingFunc)(FsOperation *operation, guint64 cookie,
                                  FsEntry *entry,
                                  struct fuse_entry_param *param,
                                  FsObstacle *obstacle);

/* Answers a READDIR, or READDIRPLUS if @plus, by the entries that @next gives,
 * as many as have room in @buffer, of operation->size octets; or waits. TRUE:
 * the answer was that there are no more. */
gboolean fs_answer_listing(FsOperation *operation, gboolean plus, char *buffer,
                           FsListingFunc next);
