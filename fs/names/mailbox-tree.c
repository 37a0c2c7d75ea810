/* The mailbox tree.
 *
 * An update builds a second set of tables beside the present one, sorted so
 * that the result cannot depend on the server's order, takes over the ids of
 * what was there before, and then replaces the tables. So an update that fails
 * has changed nothing. */
#include "fs/names/mailbox-tree.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/listeners.h"
#include "fs/names/mailbox-tables.h"

#include <string.h>

#define PATH_PREFIX "d:"

struct FsMailboxTree {
    FsMailboxTables tables;
    GHashTable *by_id; /* id -> FsMailboxDirectory */
    FsMailboxIds ids;  /* without functions: counted up from last_id */
    guint32 last_id;
    gboolean listed;       /* it was updated once */
    FsListeners listeners; /* FsMailboxEntryFunc */
};

/* ---- which ids they have ---- */

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
path_name(const FsMailboxDirectory *directory)
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
id_name(const FsMailboxDirectory *directory)
{
    if (directory->mailbox.wire_name == NULL)
        return path_name(directory);
    return g_strconcat("m:", fs_mailbox_wire_key(directory->mailbox.wire_name),
                       NULL);
}

static guint32
remembered_id(const FsMailboxTree *tree, const FsMailboxDirectory *directory,
              GError **error)
{
    g_autofree char *name = id_name(directory);
    g_autofree char *before =
        directory->mailbox.wire_name != NULL ? path_name(directory) : NULL;
    guint32 id = tree->ids.id(name, before, tree->ids.user_data);

    return id != 0 ? id : refuse_used_up(error);
}

/* What @directory was in the present tree; NULL if it is new. */
static const FsMailboxDirectory *
find_before(const FsMailboxTree *tree, const FsMailboxDirectory *directory)
{
    const char *wire_name = directory->mailbox.wire_name;
    const FsMailboxDirectory *before, *parent;

    if (wire_name != NULL) {
        before = g_hash_table_lookup(tree->tables.by_wire,
                                     fs_mailbox_wire_key(wire_name));
        if (before != NULL)
            return before;
    }
    parent = g_hash_table_lookup(
        tree->by_id, GUINT_TO_POINTER(directory->parent->mailbox.id));
    if (parent == NULL)
        return NULL;
    before =
        fs_mailbox_tables_find(&tree->tables, parent, directory->mailbox.name);
    return before != NULL && before->mailbox.wire_name == NULL ? before : NULL;
}

static guint32
id_for(const FsMailboxTree *tree, const FsMailboxDirectory *directory,
       guint32 *last_id, GError **error)
{
    const FsMailboxDirectory *before;

    if (tree->ids.id != NULL)
        return remembered_id(tree, directory, error);
    before = find_before(tree, directory);
    return before != NULL ? before->mailbox.id : next_id(last_id, error);
}

static gint
compare_ids(gconstpointer a, gconstpointer b)
{
    const FsMailboxDirectory *one = *(const FsMailboxDirectory *const *)a;
    const FsMailboxDirectory *other = *(const FsMailboxDirectory *const *)b;

    return (one->mailbox.id > other->mailbox.id) -
           (one->mailbox.id < other->mailbox.id);
}

static void
append_child(FsMailboxDirectory *parent, FsMailboxDirectory *child)
{
    if (parent->children == NULL)
        parent->children = g_ptr_array_new();
    g_ptr_array_add(parent->children, child);
    child->mailbox.parent = parent->mailbox.id;
}

static gboolean
give_ids(const FsMailboxTree *tree, FsMailboxTables *tables, GHashTable *by_id,
         guint32 *last_id, GError **error)
{
    g_hash_table_insert(by_id, GUINT_TO_POINTER(FS_MAILBOX_TREE_ROOT),
                        fs_mailbox_tables_root(tables));
    for (guint i = 1; i < tables->all->len; i++) {
        FsMailboxDirectory *directory = g_ptr_array_index(tables->all, i);

        directory->mailbox.id = id_for(tree, directory, last_id, error);
        if (directory->mailbox.id == 0)
            return FALSE;
        g_hash_table_insert(by_id, GUINT_TO_POINTER(directory->mailbox.id),
                            directory);
        append_child(directory->parent, directory);
    }
    for (guint i = 0; i < tables->all->len; i++) {
        FsMailboxDirectory *directory = g_ptr_array_index(tables->all, i);

        if (directory->children != NULL)
            g_ptr_array_sort(directory->children, compare_ids);
    }
    return TRUE;
}

static void
tell_gone(const FsMailboxTree *tree, const FsMailboxTables *before,
          FsMailboxGoneFunc gone, gpointer user_data)
{
    for (guint i = 1; i < before->all->len; i++) {
        const FsMailboxDirectory *directory = g_ptr_array_index(before->all, i);

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
    FsMailboxDirectory *directory =
        g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(parent));

    if (directory != NULL)
        directory->mailbox.changed_at = g_get_real_time();
    tell(tree, parent, name, before);
}

/* The id of the entry of @tables that @wanted stands for in other tables; 0 if
 * there is none. */
static guint32
id_of_entry(const FsMailboxTables *tables, GHashTable *by_id,
            const FsMailboxDirectory *wanted)
{
    const FsMailboxDirectory *parent =
        g_hash_table_lookup(by_id, GUINT_TO_POINTER(wanted->mailbox.parent));
    const FsMailboxDirectory *entry =
        parent != NULL
            ? fs_mailbox_tables_find(tables, parent, wanted->mailbox.name)
            : NULL;

    return entry != NULL ? entry->mailbox.id : 0;
}

/* What is in @some and not, or not the same, in @others. @only_missing: @some
 * are the new ones. */
static void
tell_different(FsMailboxTree *tree, const FsMailboxTables *some,
               const FsMailboxTables *others, GHashTable *others_by_id,
               gboolean only_missing)
{
    for (guint i = 1; i < some->all->len; i++) {
        const FsMailboxDirectory *directory = g_ptr_array_index(some->all, i);
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
        FsMailboxDirectory *directory = g_ptr_array_index(tree->tables.all, i);
        FsMailbox *now = &directory->mailbox;
        const FsMailboxDirectory *before =
            g_hash_table_lookup(before_by_id, GUINT_TO_POINTER(now->id));

        if (before == NULL || before->mailbox.selectable == now->selectable)
            continue;
        now->changed_at = g_get_real_time();
        tell(tree, now->parent, now->name, now->id);
    }
}

static void
keep_times(FsMailboxTree *tree, const FsMailboxTables *before)
{
    for (guint i = 0; i < before->all->len; i++) {
        const FsMailboxDirectory *old = g_ptr_array_index(before->all, i);
        FsMailboxDirectory *new =
            g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(old->mailbox.id));

        if (new != NULL)
            new->mailbox.changed_at = old->mailbox.changed_at;
    }
}

static void
tell_entries(FsMailboxTree *tree, const FsMailboxTables *before,
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
    g_auto(FsMailboxTables) tables = {NULL, NULL, NULL};
    guint32 last_id = tree->last_id;
    FsMailboxTables before;

    if (count > FS_MAILBOX_TREE_MAX) {
        g_set_error(error, FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server lists %" G_GSIZE_FORMAT
                    " mailboxes, more than %u",
                    count, FS_MAILBOX_TREE_MAX);
        return FALSE;
    }
    fs_mailbox_tables_init(&tables);
    if (!fs_mailbox_tables_place(&tables, listings, count, error) ||
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

/* ---- the rest ---- */

FsMailboxTree *
fs_mailbox_tree_new(void)
{
    FsMailboxTree *tree = g_new0(FsMailboxTree, 1);

    fs_mailbox_tables_init(&tree->tables);
    tree->by_id = g_hash_table_new(NULL, NULL);
    g_hash_table_insert(tree->by_id, GUINT_TO_POINTER(FS_MAILBOX_TREE_ROOT),
                        fs_mailbox_tables_root(&tree->tables));
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
    fs_mailbox_tables_clear(&tree->tables);
    fs_listeners_clear(&tree->listeners);
    g_free(tree);
}

static FsMailboxDirectory *
find_id(const FsMailboxTree *tree, guint32 id)
{
    return g_hash_table_lookup(tree->by_id, GUINT_TO_POINTER(id));
}

static guint32
renewed_id(FsMailboxTree *tree, const FsMailboxDirectory *directory,
           GError **error)
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
    FsMailboxDirectory *directory = find_id(tree, id);
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
        ((FsMailboxDirectory *)g_ptr_array_index(directory->children, i))
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
    const FsMailboxDirectory *directory = find_id(tree, parent);

    if (directory == NULL)
        return NULL;
    return (const FsMailbox *)fs_mailbox_tables_find(&tree->tables, directory,
                                                     name);
}

const FsMailbox *
fs_mailbox_tree_by_wire_name(const FsMailboxTree *tree, const char *wire_name)
{
    return g_hash_table_lookup(tree->tables.by_wire,
                               fs_mailbox_wire_key(wire_name));
}

const FsMailbox *
fs_mailbox_tree_next_child(const FsMailboxTree *tree, guint32 parent,
                           guint32 after)
{
    const FsMailboxDirectory *directory = find_id(tree, parent);
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
fs_mailbox_tree_count(const FsMailboxTree *tree)
{
    return g_hash_table_size(tree->by_id);
}

guint
fs_mailbox_tree_count_children(const FsMailboxTree *tree, guint32 parent)
{
    const FsMailboxDirectory *directory = find_id(tree, parent);

    return directory != NULL && directory->children != NULL
               ? directory->children->len
               : 0;
}

char *
fs_mailbox_tree_path(const FsMailboxTree *tree, guint32 id)
{
    const FsMailboxDirectory *directory = find_id(tree, id);
    g_autofree char *name = NULL;

    if (directory == NULL)
        return NULL;
    if (directory->parent == NULL)
        return g_strdup("");
    name = path_name(directory);
    return g_strdup(name + strlen(PATH_PREFIX));
}
