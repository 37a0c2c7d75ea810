/* Answers that several trees of the mount give in the same way. */
#pragma once

#include "fs/kernel/operation.h"
#include "fs/names/name-space.h"

/* Waits, or fails, as @answer says, which is not FS_ANSWER_FOUND;
 * FS_ANSWER_NONE is @none_errno. */
void fs_answer_obstacle(FsOperation *operation, FsAnswer answer,
                        const FsObstacle *obstacle, int none_errno);

/* ---- listings ---- */

/* The offsets of "." and ".." are 1 and 2, that of another entry is its cookie
 * and so much. */
#define FS_DOT_ENTRIES 3

/* A part of a listing, as large as the kernel's buffer (operation->size). */
typedef struct {
    FsOperation *operation;
    gboolean plus; /* READDIRPLUS */
    char *buffer;
    gsize used;
} FsPortion;

/* Adds an entry; @param->ino 0: the kernel learns its name alone. FALSE when
 * there is no room. */
gboolean fs_portion_add(FsPortion *portion,
                        const struct fuse_entry_param *param, const char *name,
                        off_t offset);
/* "." and "..", as far as the listing has not got past them. */
gboolean fs_portion_add_dots(FsPortion *portion);
/* The cookie of the name space where the listing goes on. */
guint64 fs_portion_cookie(const FsPortion *portion);
/* The reply: what is there goes out first; an empty one is the end, so it is
 * given at the end alone (FS_ANSWER_NONE). */
void fs_portion_reply(FsPortion *portion, FsAnswer answer,
                      const FsObstacle *obstacle);
