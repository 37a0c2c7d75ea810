/* What a mailbox is called on the server that is to show by a name, or by a
 * path, whose parts have slashes between. */
#pragma once

#include "fs/names/mailbox-tree.h"

#include <glib.h>

/* The wire name of what is to be @path in the mailbox @parent (a wire name;
 * NULL: at the top). NULL: no mailbox can have a name that shows as that.
 * @delimiter: what the server has between the parts; 0: none. Caller frees. */
char *fs_directory_name_on_wire(const char *path, const char *parent,
                                char delimiter, gboolean utf8);

/* What @path in @parent is now; NULL: it is not there. Borrowed. */
const FsMailbox *fs_directory_name_find(const FsMailboxTree *tree,
                                        guint32 parent, const char *path);
