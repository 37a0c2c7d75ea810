/* Which message has its numbers where: all there is to know of the protocol
 * beside what libfuse knows. A message of which nothing is known here is passed
 * on but for the number in its header, and libfuse answers ENOSYS. */
#include "fs/kernel/branch-wire.h"

/* ---- requests ---- */

/* Where the number of another inode stands in what follows the header; 0: there
 * is none. */
static gsize
second_number(guint32 opcode)
{
    switch (opcode) {
    case FUSE_RENAME:
        return sizeof(struct fuse_in_header) +
               G_STRUCT_OFFSET(struct fuse_rename_in, newdir);
    case FUSE_RENAME2:
        return sizeof(struct fuse_in_header) +
               G_STRUCT_OFFSET(struct fuse_rename2_in, newdir);
    case FUSE_LINK:
        return sizeof(struct fuse_in_header) +
               G_STRUCT_OFFSET(struct fuse_link_in, oldnodeid);
    case FUSE_COPY_FILE_RANGE:
        return sizeof(struct fuse_in_header) +
               G_STRUCT_OFFSET(struct fuse_copy_file_range_in, nodeid_out);
    default:
        return 0;
    }
}

static gboolean
to_account(FsNodeNumbers *numbers, guint account, guint64 *number)
{
    guint64 inode;

    if (fs_node_numbers_find(numbers, *number, &inode) != account)
        return FALSE;
    *number = inode;
    return TRUE;
}

gboolean
fs_branch_wire_request(FsNodeNumbers *numbers, guint account,
                       struct fuse_in_header *request, gsize length)
{
    gsize second = second_number(request->opcode);

    if (second != 0 &&
        (second + sizeof(guint64) > length ||
         !to_account(numbers, account, (guint64 *)((char *)request + second))))
        return FALSE;
    return to_account(numbers, account, &request->nodeid);
}

/* ---- answers ---- */

/* 0 stands for no inode. */
static gboolean
to_kernel(FsNodeNumbers *numbers, guint account, guint64 *number)
{
    if (*number != 0)
        *number = fs_node_numbers_tell(numbers, account, *number);
    return *number != 0;
}

static gboolean
tell_entry(FsNodeNumbers *numbers, guint account, struct fuse_entry_out *entry)
{
    if (entry->attr.ino != 0 && !to_kernel(numbers, account, &entry->attr.ino))
        return FALSE;
    return entry->nodeid == 0 || to_kernel(numbers, account, &entry->nodeid);
}

static gboolean
tell_listing(FsNodeNumbers *numbers, guint account, char *at, gsize length)
{
    while (length >= FUSE_NAME_OFFSET) {
        struct fuse_dirent *entry = (struct fuse_dirent *)at;
        gsize size = FUSE_DIRENT_SIZE(entry);

        if (size > length || !to_kernel(numbers, account, &entry->ino))
            return FALSE;
        at += size;
        length -= size;
    }
    return length == 0;
}

static gboolean
tell_listing_plus(FsNodeNumbers *numbers, guint account, char *at, gsize length)
{
    while (length >= FUSE_NAME_OFFSET_DIRENTPLUS) {
        struct fuse_direntplus *entry = (struct fuse_direntplus *)at;
        gsize size = FUSE_DIRENTPLUS_SIZE(entry);

        if (size > length || !tell_entry(numbers, account, &entry->entry_out) ||
            !to_kernel(numbers, account, &entry->dirent.ino))
            return FALSE;
        at += size;
        length -= size;
    }
    return length == 0;
}

gboolean
fs_branch_wire_has_numbers(guint32 opcode)
{
    switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_GETATTR:
    case FUSE_SETATTR:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_LINK:
    case FUSE_CREATE:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return TRUE;
    default:
        return FALSE;
    }
}

gboolean
fs_branch_wire_reply(FsNodeNumbers *numbers, guint account, guint32 opcode,
                     void *body, gsize length)
{
    struct fuse_attr_out *attributes = body;

    switch (opcode) {
    case FUSE_READDIR:
        return tell_listing(numbers, account, body, length);
    case FUSE_READDIRPLUS:
        return tell_listing_plus(numbers, account, body, length);
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        return length >= sizeof *attributes &&
               (attributes->attr.ino == 0 ||
                to_kernel(numbers, account, &attributes->attr.ino));
    default:
        /* FUSE_CREATE has more behind it. */
        return length >= sizeof(struct fuse_entry_out) &&
               tell_entry(numbers, account, body);
    }
}

/* ---- notifications ---- */

static gboolean
as_told(FsNodeNumbers *numbers, guint account, guint64 *number)
{
    *number = fs_node_numbers_told(numbers, account, *number);
    return *number != 0;
}

gboolean
fs_branch_wire_notification(FsNodeNumbers *numbers, guint account, int code,
                            void *body, gsize length)
{
    struct fuse_notify_inval_inode_out *inode = body;
    struct fuse_notify_inval_entry_out *entry = body;
    struct fuse_notify_delete_out *gone = body;
    struct fuse_notify_store_out *content = body;

    switch (code) {
    case FUSE_NOTIFY_POLL:
        return TRUE;
    case FUSE_NOTIFY_INVAL_INODE:
        return length >= sizeof *inode &&
               as_told(numbers, account, &inode->ino);
    case FUSE_NOTIFY_INVAL_ENTRY:
        return length >= sizeof *entry &&
               as_told(numbers, account, &entry->parent);
    case FUSE_NOTIFY_DELETE:
        return length >= sizeof *gone &&
               as_told(numbers, account, &gone->parent) &&
               as_told(numbers, account, &gone->child);
    case FUSE_NOTIFY_STORE:
        return length >= sizeof *content &&
               as_told(numbers, account, &content->nodeid);
    default:
        return FALSE;
    }
}
