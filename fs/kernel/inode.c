/* Inode numbers are put together and taken apart here and nowhere else. */
#include "fs/kernel/inode.h"

guint64
fs_inode_make(guint account, guint32 mailbox, guint32 uid)
{
    return (guint64)(account & 0xfff) << 52 |
           (guint64)(mailbox & FS_INODE_MAX_MAILBOX) << 32 | uid;
}

guint
fs_inode_account(guint64 inode)
{
    return inode >> 52;
}

guint64
fs_inode_in_view(guint number, guint64 inode)
{
    return (inode & ~FS_INODE_STAND_IN) | (guint64)(number & 0xfff) << 52;
}

guint32
fs_inode_mailbox(guint64 inode)
{
    return inode >> 32 & FS_INODE_MAX_MAILBOX;
}

guint32
fs_inode_uid(guint64 inode)
{
    return (guint32)inode;
}
