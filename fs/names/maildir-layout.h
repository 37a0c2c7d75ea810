/* The second layout: each folder is a Maildir.
 *
 *     INBOX/
 *       cur/1763803800.M12U1234.imapfs,S=4711:2,FS
 *       new/1763890200.M12U1235.imapfs,S=812
 *       tmp/
 *       Projects/
 *
 * It stands before the first layout (fs/names/mailbox-layout.h), which it asks
 * for what there is, and has directories of its own, below ".imapfs/maildir" or
 * as the whole mount. Its messages are the first one's: they have the same
 * inode numbers.
 *
 * With maildir_layout=maildir++, the top is INBOX, and beside its three
 * directories all other folders are there as ".Archive.2025". */
#pragma once

#include "fs/names/name-space.h"
#include "fs/writing/writing.h"

/* @behind (taken over): the first layout, with local files if anything can be
 * written (@writing, else NULL). */
FsNameSpace *fs_maildir_layout_new(FsAccount *account, FsNameSpace *behind,
                                   FsWriting *writing);

/* The layout behind. Borrowed. */
FsNameSpace *fs_maildir_layout_behind(FsNameSpace *names);

/* The number of the top of all Maildirs, and what it is: a directory, or, where
 * the whole mount is that, a symbolic link to it. */
guint64 fs_maildir_layout_top(FsNameSpace *names, mode_t *type);

/* The folder that is called @name in @directory, or could be: in which mailbox
 * it is (0: at the top), and as what; the caller frees @child. FALSE: that is
 * no name of a folder. */
gboolean fs_maildir_layout_folder(FsNameSpace *names, guint64 directory,
                                  const char *name, guint32 *parent,
                                  char **child);
/* The number of the folder's directory. */
guint64 fs_maildir_layout_directory(FsNameSpace *names, guint32 mailbox);

/* What the folder is called there that is @name in the directory of its parent
 * in the mount; where the folders of Maildirs lie in each other. Borrowed. */
const char *fs_maildir_layout_entry(FsNameSpace *names, const char *name);

/* Programs make a folder and then the three in it, and remove it likewise; the
 * server knows no such steps. So each of the three can be not there for a
 * while (@there FALSE), after which it is there again. FALSE: @name is none of
 * them; or it is as it should be. */
gboolean fs_maildir_layout_set_there(FsNameSpace *names, guint32 mailbox,
                                     const char *name, gboolean there);
/* Whether @name is that of one of the three. */
gboolean fs_maildir_layout_is_inner(const char *name);
/* None of them is there yet. */
void fs_maildir_layout_made(FsNameSpace *names, guint32 mailbox);

/* A program has given the message a name, or put it into another of the two. */
void fs_maildir_layout_touch(FsNameSpace *names, guint32 mailbox, guint32 uid,
                             gboolean cur, gboolean new_mail);
