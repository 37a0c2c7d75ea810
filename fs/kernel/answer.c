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

/* ---- listings ---- */

/* The offsets of "." and ".." are 1 and 2, that of another entry is its cookie
 * and so much. */
#define DOT_ENTRIES 3

/* A part of a listing, as large as the kernel's buffer (operation->size). */
typedef struct {
    FsOperation *operation;
    gboolean plus; /* READDIRPLUS */
    char *buffer;
    gsize used;
} Portion;

/* FALSE when there is no room. */
static gboolean
add(Portion *portion, const struct fuse_entry_param *param, const char *name,
    off_t offset)
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

/* "." and "..", as far as the listing has not got past them. */
static gboolean
add_dots(Portion *portion)
{
    static const char *const dots[] = {".", ".."};
    struct fuse_entry_param param = {0};

    param.attr.st_mode = S_IFDIR;
    param.attr.st_ino = portion->operation->inode;
    for (off_t at = portion->operation->offset; at < 2; at++)
        if (!add(portion, &param, dots[at], at + 1))
            return FALSE;
    return TRUE;
}

/* Where the listing goes on. */
static guint64
cookie_of(const Portion *portion)
{
    off_t offset = portion->operation->offset;

    return offset > 2 ? (guint64)(offset - DOT_ENTRIES) : 0;
}

/* What was passed over is not gone through again: so it comes to an end,
 * however long that takes. */
static void
wait_at(FsOperation *operation, FsAnswer answer, const FsObstacle *obstacle)
{
    off_t before = operation->offset;

    if (answer == FS_ANSWER_WAIT && obstacle->cookie != 0)
        operation->offset = (off_t)obstacle->cookie + DOT_ENTRIES;
    if (operation->offset > before)
        operation->completions = 0;
    fs_answer_obstacle(operation, answer, obstacle, ESTALE);
}

/* What is there goes out first; an empty reply is the end, so it is given at
 * the end alone (FS_ANSWER_NONE). */
static void
reply(Portion *portion, FsAnswer answer, const FsObstacle *obstacle)
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

gboolean
fs_answer_listing(FsOperation *operation, gboolean plus, char *buffer,
                  FsListingFunc next)
{
    Portion portion = {operation, plus, buffer, 0};
    guint64 cookie = cookie_of(&portion);
    FsAnswer answer = FS_ANSWER_FOUND;
    gboolean room = add_dots(&portion);
    FsObstacle obstacle = {0};
    FsEntry entry;

    while (room && answer == FS_ANSWER_FOUND) {
        struct fuse_entry_param param = {0};

        answer = next(operation, cookie, &entry, &param, &obstacle);
        if (answer == FS_ANSWER_FOUND) {
            cookie = entry.cookie;
            room =
                add(&portion, &param, entry.name, (off_t)cookie + DOT_ENTRIES);
        }
    }
    reply(&portion, answer, &obstacle);
    return portion.used == 0 && answer == FS_ANSWER_NONE;
}
