/* How mailboxes lie in a Maildir: in each other, or with Maildir++ all at the
 * top, which is INBOX, as ".A.B".
 *
 * A mailbox "cur", "new" or "tmp" is called "%63ur" and so on, for these names
 * are taken; with Maildir++ a dot in a name is "%2E", and a name that is longer
 * than a file's can be is cut and ends in a hash, as those of mailboxes do
 * (fs/names/mailbox-name.h). */
#pragma once

#include "cache/state.h"
#include "fs/names/mailbox-tree.h"

#include <glib.h>

typedef struct {
    const FsMailboxTree *tree;
    const CacheState *state; /* knows how many ids there are */
    gboolean plus_plus;
} FsMaildirFolders;

/* What a mailbox is called @name is called where folders lie in each other. */
const char *fs_maildir_folders_untaken(const char *name);

/* The mailbox that the top is, if any; else 0. */
guint32 fs_maildir_folders_top(const FsMaildirFolders *folders);
gboolean fs_maildir_folders_is_top(const FsMaildirFolders *folders,
                                   guint32 mailbox);

/* The folder with the lowest id above @after that is listed in that of
 * @mailbox; NULL: there is none. */
const FsMailbox *fs_maildir_folders_next(const FsMaildirFolders *folders,
                                         guint32 mailbox, guint32 after);
/* The name of @id where it is listed; "" if there is no such folder. Caller
 * frees. */
char *fs_maildir_folders_name(const FsMaildirFolders *folders, guint32 id);

/* The path of @id below the top; NULL if it is not there. Caller frees. */
char *fs_maildir_folders_path(const FsMaildirFolders *folders, guint32 id);

/* Which mailbox @name in the folder of @mailbox means: the one that is called
 * @child (the caller frees it) in @parent. If what that lies in is not there
 * either, as may be with Maildir++, @child is a path, with slashes between, and
 * can be made as such. FALSE: that is no name of one. */
gboolean fs_maildir_folders_parse(const FsMaildirFolders *folders,
                                  guint32 mailbox, const char *name,
                                  guint32 *parent, char **child);
