/* Obstacles and parts of listings. */
#include "fs/kernel/answer.h"

#include <errno.h>

void
fs_answer_obstacle(FsOperation *operation, FsAnswer answer,
                   const FsObstacle *obstacle, int none_errno)
{
    if (answer == FS_ANSWER_WAIT)
        fs_operation_wait(operation, obstacle->need);
    else if (answer == FS_ANSWER_NONE)
        fs_operation_fail(operation, none_errno);
    else
        fs_operation_fail(operation, obstacle->error_number);
}

gboolean
fs_portion_add(FsPortion *portion, const struct fuse_entry_param *param,
               const char *name, off_t offset)
{
    FsOperation *operation = portion->operation;
    gsize room = operation->size - portion->used;
    char *place = portion->buffer + portion->used;
    gsize needed = portion->plus
                       ? fuse_add_direntry_plus(operation->request, place, room,
                                                name, param, offset)
                       : fuse_add_direntry(operation->request, place, room,
                                           name, &param->attr, offset);

    if (needed > room)
        return FALSE;
    portion->used += needed;
    return TRUE;
}

gboolean
fs_portion_add_dots(FsPortion *portion)
{
    static const char *const dots[] = {".", ".."};
    struct fuse_entry_param param = {0};

    param.attr.st_mode = S_IFDIR;
    param.attr.st_ino = portion->operation->inode;
    for (off_t at = portion->operation->offset; at < 2; at++)
        if (!fs_portion_add(portion, &param, dots[at], at + 1))
            return FALSE;
    return TRUE;
}

guint64
fs_portion_cookie(const FsPortion *portion)
{
    off_t offset = portion->operation->offset;

    return offset > 2 ? (guint64)(offset - FS_DOT_ENTRIES) : 0;
}

/* What was passed over is not gone through again: so it comes to an end,
 * however long that takes. */
static void
wait_at(FsOperation *operation, FsAnswer answer, const FsObstacle *obstacle)
{
    off_t before = operation->offset;

    if (answer == FS_ANSWER_WAIT && obstacle->cookie != 0)
        operation->offset = (off_t)obstacle->cookie + FS_DOT_ENTRIES;
    if (operation->offset > before)
        operation->completions = 0;
    fs_answer_obstacle(operation, answer, obstacle, ESTALE);
}

void
fs_portion_reply(FsPortion *portion, FsAnswer answer,
                 const FsObstacle *obstacle)
{
    FsOperation *operation = portion->operation;

    if (portion->used > 0 || answer == FS_ANSWER_NONE)
        fs_operation_reply_buffer(operation, portion->buffer, portion->used);
    else if (answer == FS_ANSWER_FOUND)
        fs_operation_fail(operation, EINVAL);
    else if (answer == FS_ANSWER_FAILED && obstacle->error_number == ENOENT)
        /* The C library takes that for the end of the directory. */
        fs_operation_fail(operation, ESTALE);
    else
        wait_at(operation, answer, obstacle);
}
