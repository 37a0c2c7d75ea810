/* Views that have the same directories as the mount, and in them each message
 * in another form.
 *
 * These functions answer as those of a name space. What is found is either a
 * directory, as it is in the view; or a message as it is in the mount, of which
 * the view then makes its own entry. Other files of the mount are passed over,
 * unless the view is of them, too; so are links. */
#pragma once

#include "fs/views/view.h"

/* @name in the directory @directory of the view. */
FsAnswer fs_mirror_look_up(FsView *view, guint64 directory, const char *name,
                           gint64 since, FsViewEntry *entry,
                           FsObstacle *obstacle);
/* What @inode of the view has been made of. */
FsAnswer fs_mirror_describe(FsView *view, guint64 inode, FsViewEntry *entry,
                            FsObstacle *obstacle);
/* The same for a message that is to be read: what was moved or written in the
 * mount a moment ago is waited for. */
FsAnswer fs_mirror_describe_to_read(FsView *view, guint64 inode,
                                    const FsViewRequest *request,
                                    FsViewEntry *entry, FsObstacle *obstacle);
FsAnswer fs_mirror_open_directory(FsView *view, guint64 directory, gint64 since,
                                  FsObstacle *obstacle);
FsAnswer fs_mirror_next(FsView *view, guint64 directory, guint64 cookie,
                        FsViewEntry *entry, FsObstacle *obstacle);

gboolean fs_mirror_is_directory(const FsViewEntry *entry);

/* Makes of the file that was found the view's entry: with @number in place of
 * the account, of @type, and of @size octets. Name and cookie stay. */
void fs_mirror_disguise(const FsView *view, guint number, mode_t type,
                        guint64 size, FsViewEntry *entry);
