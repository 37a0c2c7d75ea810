/* Inode numbers: 12 bits account, 20 bits mailbox id, 32 bits UID, so that a
 * message is known to the kernel without an object in our memory, and FORGET
 * has nothing to free.
 *
 * UID 0 is the mailbox itself, the directory. Mailbox id 0 is ours: inode 1,
 * which the kernel insists on, is the root directory. */
#pragma once

#include <glib.h>

#define FS_INODE_ROOT G_GUINT64_CONSTANT(1)
#define FS_INODE_MAX_MAILBOX 0xfffffu

guint64 fs_inode_make(guint account, guint32 mailbox, guint32 uid);
guint fs_inode_account(guint64 inode);
guint32 fs_inode_mailbox(guint64 inode);
guint32 fs_inode_uid(guint64 inode);
