/* Making, removing and renaming mailboxes: what mkdir, rmdir and mv of
 * directories are. They wait for the server, and what it says is verified by
 * the list of mailboxes: some servers say OK to what they have not done. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

/* One change under way. Whoever has asked holds it; nobody can stop it. */
typedef struct FsDirectoryChange FsDirectoryChange;

/* An errno if it cannot be done, and *@change is NULL; else 0. @name may be a
 * path of which nothing is there, with slashes between: the server makes what
 * the last one lies in, as it does for others who ask for a folder so. */
int fs_directory_make(FsAccount *account, guint32 parent, const char *name,
                      FsDirectoryChange **change);
int fs_directory_remove(FsAccount *account, guint32 mailbox,
                        FsDirectoryChange **change);
int fs_directory_rename(FsAccount *account, guint32 mailbox, guint32 parent,
                        const char *name, FsDirectoryChange **change);

/* The mount is over: nothing more is sent for any change. */
void fs_directory_changes_abandon(void);

/* What to wait for: met when it is done and verified. Borrowed. */
FsNeed *fs_directory_change_need(const FsDirectoryChange *change);
void fs_directory_change_unref(gpointer change);
