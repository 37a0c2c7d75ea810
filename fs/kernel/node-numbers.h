/* Inode numbers of a mount with several accounts.
 *
 * Each account numbers its inodes as if it were alone (fs/kernel/inode.h); the
 * kernel is told others, in which the account is told, too. What an account has
 * in its first twelve bits is its own affair. Where it has nothing there, as
 * mail and its directories have, the kernel's number is the account's, with the
 * account's number in those bits: by rule, and so the same in the next mount.
 * Other numbers are given out as they come up, and are good for this mount.
 *
 * May be used by several threads. */
#pragma once

#include <glib.h>

/* Accounts are 1 to that. */
#define FS_NODE_ACCOUNT_MAX 1023u

typedef struct FsNodeNumbers FsNodeNumbers;

FsNodeNumbers *fs_node_numbers_new(void);
void fs_node_numbers_free(FsNodeNumbers *numbers); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsNodeNumbers, fs_node_numbers_free)

/* The kernel's number of @inode of @account. 0: there is none, for all that can
 * be given out are. */
guint64 fs_node_numbers_tell(FsNodeNumbers *numbers, guint account,
                             guint64 inode);
/* The same for what the kernel knows already; 0: it has never been told. */
guint64 fs_node_numbers_told(FsNodeNumbers *numbers, guint account,
                             guint64 inode);
/* Whose @number of the kernel's is, and its own number there. 0: no account's.
 */
guint fs_node_numbers_find(FsNodeNumbers *numbers, guint64 number,
                           guint64 *inode);

/* Gives each of @n accounts a number, made of its name, so that it is the same
 * whatever others there are; but for those few who would have the same. */
void fs_node_numbers_of_names(const char *const *names, guint n,
                              guint *accounts);
