/* The directories of a mailbox tree as tables, for fs/names/mailbox-tree.c
 * alone: it makes them anew of each list, and gives them ids. */
#pragma once

#include "fs/names/mailbox-tree.h"

typedef struct FsMailboxDirectory FsMailboxDirectory;

/* @mailbox comes first, so that it stands for the whole. While an update runs,
 * ids are not yet known, and only the pointers tell parents. */
struct FsMailboxDirectory {
    FsMailbox mailbox;
    FsMailboxDirectory *parent;
    guint depth;         /* 0 for the root */
    GPtrArray *children; /* of these, by ascending id; NULL for none */
};

typedef struct {
    GPtrArray *all;      /* of directories, owned; parents before children */
    GHashTable *by_path; /* directory, by parent and name */
    GHashTable *by_wire; /* wire name -> directory, without the root */
} FsMailboxTables;

/* They hold the root alone. */
void fs_mailbox_tables_init(FsMailboxTables *tables);
void fs_mailbox_tables_clear(FsMailboxTables *tables);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FsMailboxTables, fs_mailbox_tables_clear)

/* Adds the directories that the @count @listings make, without ids. Fails with
 * FS_ERROR_INCOMPLETE if they are too many, or cannot be told apart. */
gboolean fs_mailbox_tables_place(FsMailboxTables *tables,
                                 const FsMailboxListing *listings, gsize count,
                                 GError **error);

FsMailboxDirectory *fs_mailbox_tables_root(const FsMailboxTables *tables);
/* The directory @name in @parent; NULL if there is none. */
FsMailboxDirectory *fs_mailbox_tables_find(const FsMailboxTables *tables,
                                           const FsMailboxDirectory *parent,
                                           const char *name);
/* What tells mailboxes apart: the wire name, or INBOX in capitals. Borrowed. */
const char *fs_mailbox_wire_key(const char *wire_name);
