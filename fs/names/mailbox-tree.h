/* The directories that a server's mailboxes make.
 *
 * Built from complete lists. A mailbox is the same as before if its wire name
 * is, and then keeps its id; ids are never used again. The tree knows neither
 * the server nor its encoding: names come to it decoded. Nor does it know where
 * ids are kept. */
#pragma once

#include <glib.h>

#define FS_MAILBOX_TREE_ROOT 0u     /* the id of the top directory */
#define FS_MAILBOX_TREE_MAX 100000u /* directories in a tree */

typedef struct FsMailboxTree FsMailboxTree;

/* A directory. Belongs to the tree and is valid until the tree next changes. */
typedef struct {
    guint32 id;       /* 1 to FS_INODE_MAX_MAILBOX; FS_MAILBOX_TREE_ROOT */
    guint32 parent;   /* id; the root is its own parent */
    const char *name; /* one path component; "" for the root */
    /* Verbatim; NULL if the server lists no such mailbox: for the root, and for
     * parents that only exist in names. */
    const char *wire_name;
    char delimiter;      /* 0 if there is none */
    guint attributes;    /* IMAP_LIST_…; 0 without a wire name */
    gboolean selectable; /* holds messages */
    gint64 changed_at;   /* microseconds since the epoch: when its children last
                            came or went after the first list; 0: not since
                            then */
} FsMailbox;

/* One line of a list. */
typedef struct {
    const char *wire_name;
    const char *name; /* the wire name decoded */
    char delimiter;   /* 0 for none */
    guint attributes; /* IMAP_LIST_… */
} FsMailboxListing;

/* Told of a mailbox, or directory, that the tree holds no longer. It is valid
 * during the call; the tree already is in its new state. */
typedef void (*FsMailboxGoneFunc)(const FsMailbox *mailbox, gpointer user_data);

/* Told that the directory @parent holds, under @name, another directory than
 * before, or one where was none, or none any longer. @before: the id of that
 * which was there; 0: none. If it is the same one's, there may now be messages
 * in it, or there may not any longer. The tree already is in its new state. */
typedef void (*FsMailboxEntryFunc)(guint32 parent, const char *name,
                                   guint32 before, gpointer user_data);

/* Where ids come from. Names are "m:" and the wire name of a mailbox, INBOX in
 * capitals, or "d:" and the path of a directory that is none. Ids go from 1 to
 * FS_INODE_MAX_MAILBOX, no two names have the same; 0: none is left. */
typedef struct {
    /* The id of @name. If it never had one, and @before (may be NULL) has, it
     * takes that over, and @before has none any more; else it gets a new one.
     */
    guint32 (*id)(const char *name, const char *before, gpointer user_data);
    /* A new id for @name. */
    guint32 (*renew)(const char *name, gpointer user_data);
    gpointer user_data;
} FsMailboxIds;

/* A tree of the root alone, which counts up its ids. */
FsMailboxTree *fs_mailbox_tree_new(void);
/* Likewise, with ids from @ids, which is copied; what @ids tells must be of use
 * as long as the tree is. */
FsMailboxTree *fs_mailbox_tree_new_with_ids(const FsMailboxIds *ids);
void fs_mailbox_tree_free(FsMailboxTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsMailboxTree, fs_mailbox_tree_free)

/* Called by the two functions below, before they return, in the order in which
 * they were added. None is added or removed while they are. */
void fs_mailbox_tree_add_entry_func(FsMailboxTree *tree,
                                    FsMailboxEntryFunc func,
                                    gpointer user_data);
void fs_mailbox_tree_remove_entry_func(FsMailboxTree *tree,
                                       FsMailboxEntryFunc func,
                                       gpointer user_data);

/* Makes @tree hold the @count mailboxes @listings, and directories for parents
 * that are not among them. What comes out does not depend on the order of
 * @listings, nor, but for ids, on what the tree held before.
 *
 * INBOX is one mailbox whatever its case; what is listed twice is merged: it is
 * selectable if it is so once. Of mailboxes that would have the same path,
 * INBOX or else the first by the octets of its wire name has it; the others'
 * names end in "~" and a hash. Mailboxes without a directory name (see
 * fs_mailbox_name_split) are left out.
 *
 * A directory that becomes a mailbox keeps its id; a mailbox that leaves only a
 * directory, for its children's sake, is gone, and the directory is another
 * one. What was away and comes back has the id that FsMailboxIds remembers.
 *
 * @gone (may be NULL) is called before this returns. Fails with
 * FS_ERROR_INCOMPLETE, nothing changed, if there are more than
 * FS_MAILBOX_TREE_MAX mailboxes or directories, or no ids left. */
gboolean fs_mailbox_tree_update(FsMailboxTree *tree,
                                const FsMailboxListing *listings, gsize count,
                                FsMailboxGoneFunc gone, gpointer user_data,
                                GError **error);

/* Gives the directory @id a new id, as its UIDVALIDITY is not what it was; its
 * children stay with it. Returns the new id, 0 if there is no such directory
 * (or it is the root), or no id left (FS_ERROR_INCOMPLETE). */
guint32 fs_mailbox_tree_new_id(FsMailboxTree *tree, guint32 id, GError **error);

/* The directory @id, also the root; NULL if there is none. */
const FsMailbox *fs_mailbox_tree_get(const FsMailboxTree *tree, guint32 id);

/* The directory @name in the directory @parent; NULL if there is none. */
const FsMailbox *fs_mailbox_tree_child(const FsMailboxTree *tree,
                                       guint32 parent, const char *name);

/* The mailbox of that wire name, INBOX in any case; NULL if there is none. */
const FsMailbox *fs_mailbox_tree_by_wire_name(const FsMailboxTree *tree,
                                              const char *wire_name);

/* The child of @parent with the lowest id above @after; NULL at the end. For
 * all of them, begin with 0; ids that came or went meanwhile do no harm. */
const FsMailbox *fs_mailbox_tree_next_child(const FsMailboxTree *tree,
                                            guint32 parent, guint32 after);

/* The id of the first mailbox that the server marks with @attribute, one of
 * IMAP_LIST_… for special uses, and whose messages can be had; 0: none. */
guint32 fs_mailbox_tree_find_use(const FsMailboxTree *tree, guint attribute);

/* How many directories there are, the root among them. */
guint fs_mailbox_tree_count(const FsMailboxTree *tree);

/* How many children the directory @parent has. */
guint fs_mailbox_tree_count_children(const FsMailboxTree *tree, guint32 parent);

/* The names from the top down to the directory @id, with "/" between them; ""
 * for the root, NULL if there is none. Caller frees. */
char *fs_mailbox_tree_path(const FsMailboxTree *tree, guint32 id);
