/* The mailbox tree.
 *
 * An update builds a second set of tables beside the present one, sorted so
 * that the result cannot depend on the server's order, takes over the ids of
 * what was there before, and then replaces the tables. So an update that fails
 * has changed nothing.
 *
 * Directories are placed parents first: a wire name sorts behind its own
 * beginnings. The parent of "a/b" is the mailbox with the wire name "a", also
 * where that had to take another directory name; without one, the directory of
 * that name. */
#include "fs/names/mailbox-tree.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/listeners.h"
#include "fs/names/keyed-hash.h"
#include "fs/names/mailbox-name.h"
#include "imap/response.h"

#include <string.h>

#define INBOX "INBOX"
#define UNIQUE_TRIES 8
#define PATH_PREFIX "d:"

typedef struct Directory Directory;

/* @mailbox comes first, so that it stands for the whole. While an update runs,
 * ids are not yet known, and only the pointers tell parents. */
struct Directory {
    FsMailbox mailbox;
    Directory *parent;
    guint depth;         /* 0 for the root */
    GPtrArray *children; /* of Directory, by ascending id; NULL for none */
};

typedef struct {
    GPtrArray *all;      /* of Directory, owned; parents before children */
    GHashTable *by_path; /* Directory, by parent and name */
    GHashTable *by_wire; /* wire name -> Directory, without the root */
} Tables;

struct FsMailboxTree {
    Tables tables;
    GHashTable *by_id; /* id -> Directory */
    FsMailboxIds ids;  /* without functions: counted up from last_id */
    guint32 last_id;
    gboolean listed;       /* it was updated once */
    FsListeners listeners; /* FsMailboxEntryFunc */
};

static gboolean
is_inbox(const char *wire_name)
{
    return g_ascii_strcasecmp(wire_name, INBOX) == 0;
}

/* What tells mailboxes apart. */
static const char *
wire_key(const char *wire_name)
{
    return is_inbox(wire_name) ? INBOX : wire_name;
}

static void
directory_free(gpointer data)
{
    Directory *directory = data;

    g_free((char *)directory->mailbox.name);
    g_free((char *)directory->mailbox.wire_name);
    g_clear_pointer(&directory->children, g_ptr_array_unref);
    g_free(directory);
}

static guint
path_hash(gconstpointer data)
{
    const Directory *directory = data;

    return g_direct_hash(directory->parent) * 31 +
           fs_keyed_hash(directory->mailbox.name);
}

static gboolean
path_equal(gconstpointer a, gconstpointer b)
{
    const Directory *one = a, *other = b;

    return one->parent == other->parent &&
           strcmp(one->mailbox.name, other->mailbox.name) == 0;
}

static Directory *
find_path(const Tables *tables, const Directory *parent, const char *name)
{
    Directory wanted = {.parent = (Directory *)parent, .mailbox.name = name};

    return g_hash_table_lookup(tables->by_path, &wanted);
}

/* @parent is NULL for the root alone. */
static Directory *
add_directory(Tables *tables, Directory *parent, const char *name)
{
    Directory *directory = g_new0(Directory, 1);

    directory->mailbox.name = g_strdup(name);
    directory->parent = parent;
    g_ptr_array_add(tables->all, directory);
    if (parent != NULL) {
        directory->depth = parent->depth + 1;
        g_hash_table_add(tables->by_path, directory);
    }
    return directory;
}

static void
tables_init(Tables *tables)
{
    tables->all = g_ptr_array_new_with_free_func(directory_free);
    tables->by_path = g_hash_table_new(path_hash, path_equal);
    tables->by_wire = g_hash_table_new(fs_keyed_hash, g_str_equal);
    add_directory(tables, NULL, "");
}

static void
tables_clear(Tables *tables)
{
    g_clear_pointer(&tables->by_path, g_hash_table_unref);
    g_clear_pointer(&tables->by_wire, g_hash_table_unref);
    g_clear_pointer(&tables->all, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tables, tables_clear)

static Directory *
root_of(const Tables *tables)
{
    return g_ptr_array_index(tables->all, 0);
}

/* ---- Which directories there are ---- */

static gint
compare_listings(gconstpointer a, gconstpointer b)
{
    const FsMailboxListing *one = *(const FsMailboxListing *const *)a;
    const FsMailboxListing *other = *(const FsMailboxListing *const *)b;
    gboolean one_inbox = is_inbox(one->wire_name);
    gboolean other_inbox = is_inbox(other->wire_name);
    gint order;

    if (one_inbox != other_inbox)
        return one_inbox ? -1 : 1;
    order = strcmp(one->wire_name, other->wire_name);
    if (order == 0)
        order = other->delimiter - one->delimiter;
    return order != 0 ? order : strcmp(one->name, other->name);
}

static void
merge(Directory *directory, const FsMailboxListing *listing)
{
    const guint not_there = IMAP_LIST_NOSELECT | IMAP_LIST_NONEXISTENT;
    FsMailbox *mailbox = &directory->mailbox;
    guint either = mailbox->attributes | listing->attributes;
    guint both = mailbox->attributes & listing->attributes;

    mailbox->attributes = (either & ~not_there) | (both & not_there);
    mailbox->selectable = (mailbox->attributes & not_there) == 0;
    if (mailbox->delimiter == '\0')
        mailbox->delimiter = listing->delimiter;
}

static void
claim(Tables *tables, Directory *directory, const FsMailboxListing *listing)
{
    FsMailbox *mailbox = &directory->mailbox;

    mailbox->wire_name = g_strdup(listing->wire_name);
    mailbox->attributes = listing->attributes;
    mailbox->delimiter = listing->delimiter;
    mailbox->selectable = (listing->attributes &
                           (IMAP_LIST_NOSELECT | IMAP_LIST_NONEXISTENT)) == 0;
    g_hash_table_insert(tables->by_wire, (gpointer)wire_key(mailbox->wire_name),
                        directory);
}

static Directory *
parent_by_wire_name(const Tables *tables, const FsMailboxListing *listing,
                    guint depth)
{
    const char *last = listing->delimiter != '\0'
                           ? strrchr(listing->wire_name, listing->delimiter)
                           : NULL;
    g_autofree char *prefix = NULL;
    Directory *parent;

    if (last == NULL)
        return NULL;
    prefix = g_strndup(listing->wire_name, (gsize)(last - listing->wire_name));
    parent = g_hash_table_lookup(tables->by_wire, wire_key(prefix));
    return parent != NULL && parent->depth + 1 == depth ? parent : NULL;
}

static Directory *
parent_by_path(Tables *tables, char **components, guint depth)
{
    Directory *parent = root_of(tables);

    for (guint i = 0; i + 1 < depth; i++) {
        Directory *next = find_path(tables, parent, components[i]);

        if (next == NULL)
            next = add_directory(tables, parent, components[i]);
        parent = next;
    }
    return parent;
}

static gboolean
place(Tables *tables, const FsMailboxListing *listing, GError **error)
{
    g_auto(GStrv) components =
        fs_mailbox_name_split(listing->name, listing->delimiter);
    guint depth = components != NULL ? g_strv_length(components) : 0;
    g_autofree char *name = NULL;
    Directory *parent, *directory;

    if (depth == 0)
        return TRUE;
    parent = parent_by_wire_name(tables, listing, depth);
    if (parent == NULL)
        parent = parent_by_path(tables, components, depth);

    name = g_strdup(components[depth - 1]);
    for (guint tries = 0; tries < UNIQUE_TRIES; tries++) {
        char *longer;

        directory = find_path(tables, parent, name);
        if (directory == NULL)
            directory = add_directory(tables, parent, name);
        if (directory->mailbox.wire_name == NULL) {
            claim(tables, directory, listing);
            return TRUE;
        }
        longer = fs_mailbox_name_make_unique(name, listing->wire_name);
        g_free(name);
        name = longer;
    }
    g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                "the mailboxes' names cannot be told apart: %s", name);
    return FALSE;
}

static gboolean
place_all(Tables *tables, const FsMailboxListing *listings, gsize count,
          GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();

    for (gsize i = 0; i < count; i++)
        g_ptr_array_add(sorted, (gpointer)&listings[i]);
    g_ptr_array_sort(sorted, compare_listings);

    for (guint i = 0; i < sorted->len; i++) {
        const FsMailboxListing *listing = g_ptr_array_index(sorted, i);
        Directory *known =
            g_hash_table_lookup(tables->by_wire, wire_key(listing->wire_name));

        if (known != NULL)
            merge(known, listing);
        else if (!place(tables, listing, error))
            return FALSE;
        if (tables->all->len - 1 > FS_MAILBOX_TREE_MAX) {
            g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                        "the server's mailboxes make more than %u directories",
                        FS_MAILBOX_TREE_MAX);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- Which ids they have ---- */

static guint32
refuse_used_up(GError **error)
{
    g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                "more than %u mailboxes have come and gone: there is no number "
                "for another one",
                FS_INODE_MAX_MAILBOX);
    return 0;
}

static guint32
next_id(guint32 *last_id, GError **error)
{
    if (*last_id >= FS_INODE_MAX_MAILBOX)
        return refuse_used_up(error);
    return ++*last_id;
}

/* "d:a/b", whether or not @directory is a mailbox. */
static char *
path_name(const Directory *directory)
{
    GString *path = g_string_new(directory->mailbox.name);

    for (directory = directory->parent; directory->parent != NULL;
         directory = directory->parent) {
        g_string_prepend_c(path, '/');
        g_string_prepend(path, directory->mailbox.name);
    }
    g_string_prepend(path, PATH_PREFIX);
    return g_string_free(path, FALSE);
}

/* What FsMailboxIds calls it. */
static char *
id_name(const Directory *directory)
{
    if (directory->mailbox.wire_name == NULL)
        return path_name(directory);
    return g_strconcat("m:", wire_key(directory->mailbox.wire_name), NULL);
}

static guint32
remembered_id(const FsMailboxTree *tree, const Directory *directory,
              GError **error)
{
    g_autofree char *name = id_name(directory);
    g_autofree char *before =
        directory->mailbox.wire_name != NULL ? path_name(directory) : NULL;
    guint32 id = tree->ids.id(name, before, tree->ids.user_data);

    return id != 0 ? id : refuse_used_up(error);
}

/* What @directory was in the present tree; NULL if it is new. */
static const Directory *
find_before(const FsMailboxTree *tree, const Directory *directory)
{
    const char *wire_name = directory->mailbox.wire_name;
    const Directory *before, *parent;

    if (wire_name != NULL) {
        before = g_hash_table_lookup(tree->tables.by_wire, wire_key(wire_name));
        if (before != NULL)
            return before;
    }
    parent = g_hash_table_lookup(
        tree->by_id, GUINT_TO_POINTER(directory->parent->mailbox.id));
    if (parent == NULL)
        return NULL;
    before = find_path(&tree->tables, parent, directory->mailbox.name);
    return before != NULL && before->mailbox.wire_name == NULL ? before : NULL;
}

static guint32
id_for(const FsMailboxTree *tree, const Directory *directory, guint32 *last_id,
       GError **error)
{
    const Directory *before;

    if (tree->ids.id != NULL)
        return remembered_id(tree, directory, error);
    before = find_before(tree, directory);
    return before != NULL ? before->mailbox.id : next_id(last_id, error);
}

static gint
compare_ids(gconstpointer a, gconstpointer b)
{
    const Directory *one = *(const Directory *const *)a;
    const Directory *other = *(const Directory *const *)b;

    return (one->mailbox.id > other->mailbox.id) -
           (one->mailbox.id < other->mailbox.id);
}

static void
append_child(Directory *parent, Directory *child)
{
    if (parent->children == NULL)
        parent->children = g_ptr_array_new();
    g_ptr_array_add(parent->children, child);
    child->mailbox.parent = parent->mailbox.id;
}

static gboolean
give_ids(const FsMailboxTree *tree, Tables *tables, GHashTable *by_id,
         guint32 *last_id, GError **error)
{
    g_hash_table_insert(by_id, GUINT_TO_POINTER(FS_MAILBOX_TREE_ROOT),
                        root_of(tables));
    for (guint i = 1; i < tables->all->len; i++) {
        Directory *directory = g_ptr_array_index(tables->all, i);

        directory->mailbox.id = id_for(tree, directory, last_id, error);
        if (directory->mailbox.id == 0)
            return FALSE;
        g_hash_table_insert(by_id, GUINT_TO_POINTER(directory->mailbox.id),
                            directory);
        append_child(directory->parent, directory);
    }
    for (guint i = 0; i < tables->all->len; i++) {
        Directory *directory = g_ptr_array_index(tables->all, i);

        if (directory->children != NULL)
            g_ptr_array_sort(directory->children, compare_ids);
    }
    return TRUE;
}

static void
tell_gone(const FsMailboxTree *tree, const Tables *before,
          FsMailboxGoneFunc gone, gpointer user_data)
{
    for (guint i = 1; i < before->all->len; i++) {
        const Directory *directory = g_ptr_array_index(before->all, i);

        if (fs_mailbox_tree_get(tree, directory->mailbox.id) == NULL)
            gone(&directory->mailbox, user_data);
    }
}

static void
tell(FsMailboxTree *tree, guint32 parent, const char *name, guint32 before)
{
    for (guint i = 0; i < fs_listeners_count(&tree->listeners); i++) {
        gpointer user_data;
        FsMailboxEntryFunc func = (FsMailboxEntryFunc)fs_listeners_get(
            &tree->listeners, i, &user_data);

        func(parent, name, before, user_data);
    }
}

static void
tell_entry(FsMailboxTree *tree, guint32 parent, const char *name,
           guint32 before)
{
    Directory *directory =
        g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(parent));

    if (directory != NULL)
        directory->mailbox.changed_at = g_get_real_time();
    tell(tree, parent, name, before);
}

/* The id of the entry of @tables that @wanted stands for in other tables; 0 if
 * there is none. */
static guint32
id_of_entry(const Tables *tables, GHashTable *by_id, const Directory *wanted)
{
    const Directory *parent =
        g_hash_table_lookup(by_id, GUINT_TO_POINTER(wanted->mailbox.parent));
    const Directory *entry =
        parent != NULL ? find_path(tables, parent, wanted->mailbox.name) : NULL;

    return entry != NULL ? entry->mailbox.id : 0;
}

/* What is in @some and not, or not the same, in @others. @only_missing: @some
 * are the new ones. */
static void
tell_different(FsMailboxTree *tree, const Tables *some, const Tables *others,
               GHashTable *others_by_id, gboolean only_missing)
{
    for (guint i = 1; i < some->all->len; i++) {
        const Directory *directory = g_ptr_array_index(some->all, i);
        guint32 id = id_of_entry(others, others_by_id, directory);

        if (id == 0 || (!only_missing && id != directory->mailbox.id))
            tell_entry(tree, directory->mailbox.parent, directory->mailbox.name,
                       only_missing ? 0 : directory->mailbox.id);
    }
}

/* Where messages may be now, or may not any longer. */
static void
tell_selectable(FsMailboxTree *tree, GHashTable *before_by_id)
{
    for (guint i = 1; i < tree->tables.all->len; i++) {
        Directory *directory = g_ptr_array_index(tree->tables.all, i);
        FsMailbox *now = &directory->mailbox;
        const Directory *before =
            g_hash_table_lookup(before_by_id, GUINT_TO_POINTER(now->id));

        if (before == NULL || before->mailbox.selectable == now->selectable)
            continue;
        now->changed_at = g_get_real_time();
        tell(tree, now->parent, now->name, now->id);
    }
}

static void
keep_times(FsMailboxTree *tree, const Tables *before)
{
    for (guint i = 0; i < before->all->len; i++) {
        const Directory *old = g_ptr_array_index(before->all, i);
        Directory *new =
            g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(old->mailbox.id));

        if (new != NULL)
            new->mailbox.changed_at = old->mailbox.changed_at;
    }
}

static void
tell_entries(FsMailboxTree *tree, const Tables *before,
             GHashTable *before_by_id)
{
    keep_times(tree, before);
    if (tree->listed) {
        tell_different(tree, before, &tree->tables, tree->by_id, FALSE);
        tell_different(tree, &tree->tables, before, before_by_id, TRUE);
        tell_selectable(tree, before_by_id);
    }
    tree->listed = TRUE;
}

void
fs_mailbox_tree_add_entry_func(FsMailboxTree *tree, FsMailboxEntryFunc func,
                               gpointer user_data)
{
    fs_listeners_add(&tree->listeners, G_CALLBACK(func), user_data);
}

void
fs_mailbox_tree_remove_entry_func(FsMailboxTree *tree, FsMailboxEntryFunc func,
                                  gpointer user_data)
{
    fs_listeners_remove(&tree->listeners, G_CALLBACK(func), user_data);
}

gboolean
fs_mailbox_tree_update(FsMailboxTree *tree, const FsMailboxListing *listings,
                       gsize count, FsMailboxGoneFunc gone, gpointer user_data,
                       GError **error)
{
    g_autoptr(GHashTable) by_id = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) before_by_id = NULL;
    g_auto(Tables) tables = {NULL, NULL, NULL};
    guint32 last_id = tree->last_id;
    Tables before;

    if (count > FS_MAILBOX_TREE_MAX) {
        g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server lists %" G_GSIZE_FORMAT
                    " mailboxes, more than %u",
                    count, FS_MAILBOX_TREE_MAX);
        return FALSE;
    }
    tables_init(&tables);
    if (!place_all(&tables, listings, count, error) ||
        !give_ids(tree, &tables, by_id, &last_id, error))
        return FALSE;

    before = tree->tables;
    tree->tables = tables;
    tables = before;
    before_by_id = tree->by_id;
    tree->by_id = g_steal_pointer(&by_id);
    tree->last_id = last_id;
    tell_entries(tree, &tables, before_by_id);
    if (gone != NULL)
        tell_gone(tree, &tables, gone, user_data);
    return TRUE;
}

/* ---- The rest ---- */

FsMailboxTree *
fs_mailbox_tree_new(void)
{
    FsMailboxTree *tree = g_new0(FsMailboxTree, 1);

    tables_init(&tree->tables);
    tree->by_id = g_hash_table_new(NULL, NULL);
    g_hash_table_insert(tree->by_id, GUINT_TO_POINTER(FS_MAILBOX_TREE_ROOT),
                        root_of(&tree->tables));
    return tree;
}

FsMailboxTree *
fs_mailbox_tree_new_with_ids(const FsMailboxIds *ids)
{
    FsMailboxTree *tree = fs_mailbox_tree_new();

    tree->ids = *ids;
    return tree;
}

void
fs_mailbox_tree_free(FsMailboxTree *tree)
{
    if (tree == NULL)
        return;
    g_hash_table_unref(tree->by_id);
    tables_clear(&tree->tables);
    fs_listeners_clear(&tree->listeners);
    g_free(tree);
}

static Directory *
find_id(const FsMailboxTree *tree, guint32 id)
{
    return g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(id));
}

static guint32
renewed_id(FsMailboxTree *tree, const Directory *directory, GError **error)
{
    g_autofree char *name = NULL;
    guint32 id;

    if (tree->ids.renew == NULL)
        return next_id(&tree->last_id, error);
    name = id_name(directory);
    id = tree->ids.renew(name, tree->ids.user_data);
    return id != 0 ? id : refuse_used_up(error);
}

guint32
fs_mailbox_tree_new_id(FsMailboxTree *tree, guint32 id, GError **error)
{
    Directory *directory = find_id(tree, id);
    guint32 renewed;

    if (directory == NULL || directory->parent == NULL) {
        g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                    "there is no mailbox of the id %" G_GUINT32_FORMAT, id);
        return 0;
    }
    renewed = renewed_id(tree, directory, error);
    if (renewed == 0)
        return 0;

    g_hash_table_remove(tree->by_id, GUINT_TO_POINTER(id));
    directory->mailbox.id = renewed;
    g_hash_table_insert(tree->by_id, GUINT_TO_POINTER(renewed), directory);
    for (guint i = 0; directory->children && i < directory->children->len; i++)
        ((Directory *)g_ptr_array_index(directory->children, i))
            ->mailbox.parent = renewed;
    g_ptr_array_sort(directory->parent->children, compare_ids);
    tell_entry(tree, directory->mailbox.parent, directory->mailbox.name, id);
    return renewed;
}

const FsMailbox *
fs_mailbox_tree_get(const FsMailboxTree *tree, guint32 id)
{
    return (const FsMailbox *)find_id(tree, id);
}

const FsMailbox *
fs_mailbox_tree_child(const FsMailboxTree *tree, guint32 parent,
                      const char *name)
{
    const Directory *directory = find_id(tree, parent);

    if (directory == NULL)
        return NULL;
    return (const FsMailbox *)find_path(&tree->tables, directory, name);
}

const FsMailbox *
fs_mailbox_tree_by_wire_name(const FsMailboxTree *tree, const char *wire_name)
{
    return g_hash_table_lookup(tree->tables.by_wire, wire_key(wire_name));
}

const FsMailbox *
fs_mailbox_tree_next_child(const FsMailboxTree *tree, guint32 parent,
                           guint32 after)
{
    const Directory *directory = find_id(tree, parent);
    guint low = 0, high;

    if (directory == NULL || directory->children == NULL)
        return NULL;
    high = directory->children->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const FsMailbox *child = g_ptr_array_index(directory->children, middle);

        if (child->id <= after)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == directory->children->len)
        return NULL;
    return g_ptr_array_index(directory->children, low);
}

static guint32
find_use_below(const FsMailboxTree *tree, guint32 parent, guint attribute)
{
    const FsMailbox *child;
    guint32 after = 0;
    guint32 found = 0;

    while (found == 0 &&
           (child = fs_mailbox_tree_next_child(tree, parent, after)) != NULL) {
        after = child->id;
        if (child->selectable && (child->attributes & attribute) != 0)
            return after;
        found = find_use_below(tree, after, attribute);
    }
    return found;
}

guint32
fs_mailbox_tree_find_use(const FsMailboxTree *tree, guint attribute)
{
    return find_use_below(tree, FS_MAILBOX_TREE_ROOT, attribute);
}

guint
fs_mailbox_tree_count_children(const FsMailboxTree *tree, guint32 parent)
{
    const Directory *directory = find_id(tree, parent);

    return directory != NULL && directory->children != NULL
               ? directory->children->len
               : 0;
}

char *
fs_mailbox_tree_path(const FsMailboxTree *tree, guint32 id)
{
    const Directory *directory = find_id(tree, id);
    g_autofree char *name = NULL;

    if (directory == NULL)
        return NULL;
    if (directory->parent == NULL)
        return g_strdup("");
    name = path_name(directory);
    return g_strdup(name + strlen(PATH_PREFIX));
}
