/* Inode numbers: 12 bits account, 20 bits mailbox id, 32 bits UID, so that a
 * message is known to the kernel without an object in our memory, and FORGET
 * has nothing to free.
 *
 * UID 0 is the mailbox itself, the directory. Mailbox id 0 is ours: inode 1,
 * which the kernel insists on, is the root directory, and those from
 * FS_INODE_CONTROL on are what is not mail: the files of
 * fs/control/control-files.h. */
#pragma once

#include <glib.h>

#define FS_INODE_ROOT G_GUINT64_CONSTANT(1)
#define FS_INODE_MAX_MAILBOX 0xfffffu
/* The hidden directory, and the last of what may be in it. */
#define FS_INODE_CONTROL G_GUINT64_CONSTANT(0x100)
#define FS_INODE_CONTROL_LAST G_GUINT64_CONSTANT(0x1ff)

/* In it, the directory of what the server has refused. */
#define FS_INODE_LOST_FOUND G_GUINT64_CONSTANT(0x200)
/* Files that are no messages yet (fs/writing/local-files.h). */
#define FS_INODE_LOCAL G_GUINT64_CONSTANT(0x80000000)
#define FS_INODE_LOCAL_LAST G_GUINT64_CONSTANT(0xfffffffe)

/* Added to a number: stands for what is gone, and is no longer the kernel's own
 * inode of it. No account has these bits. */
#define FS_INODE_STAND_IN (G_GUINT64_CONSTANT(0xfff) << 52)

/* In place of the account: the directories of Maildirs (fs/names/
 * maildir-layout.h), by the mailbox: the folder, and the three in it. No
 * account has these. Messages in them have the numbers that they have in the
 * mount: for the kernel, one file that has two names, and one copy of its
 * octets. */
#define FS_INODE_MAILDIR_FOLDER 0x008u
#define FS_INODE_MAILDIR_CUR 0x009u
#define FS_INODE_MAILDIR_NEW 0x00au
#define FS_INODE_MAILDIR_TMP 0x00bu

/* In place of the account: entries of the hidden views (fs/views/view.h), of
 * which each has some of these numbers. What the other 52 bits mean is the
 * view's own; in most, mailbox and UID as everywhere. No account has them. */
#define FS_INODE_VIEW_FIRST 0x010u
#define FS_INODE_VIEW_LAST 0x800u
/* The last is the view of flags. */
#define FS_INODE_FLAGS (G_GUINT64_CONSTANT(0x800) << 52)

guint64 fs_inode_make(guint account, guint32 mailbox, guint32 uid);
guint fs_inode_account(guint64 inode);
/* @inode, of the mount, with @number in place of the account. */
guint64 fs_inode_in_view(guint number, guint64 inode);
guint32 fs_inode_mailbox(guint64 inode);
guint32 fs_inode_uid(guint64 inode);
