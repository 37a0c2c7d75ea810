/* Which directories a list of mailboxes makes.
 *
 * They are placed parents first: a wire name sorts behind its own beginnings.
 * The parent of "a/b" is the mailbox with the wire name "a", also where that
 * had to take another directory name; without one, the directory of that name.
 */
#include "fs/names/mailbox-tables.h"

#include "fs/kernel/errno.h"
#include "fs/names/keyed-hash.h"
#include "fs/names/mailbox-name.h"
#include "imap/response.h"

#include <string.h>

#define INBOX "INBOX"
#define UNIQUE_TRIES 8

static gboolean
is_inbox(const char *wire_name)
{
    return g_ascii_strcasecmp(wire_name, INBOX) == 0;
}

const char *
fs_mailbox_wire_key(const char *wire_name)
{
    return is_inbox(wire_name) ? INBOX : wire_name;
}

static void
directory_free(gpointer data)
{
    FsMailboxDirectory *directory = data;

    g_free((char *)directory->mailbox.name);
    g_free((char *)directory->mailbox.wire_name);
    g_clear_pointer(&directory->children, g_ptr_array_unref);
    g_free(directory);
}

static guint
path_hash(gconstpointer data)
{
    const FsMailboxDirectory *directory = data;

    return g_direct_hash(directory->parent) * 31 +
           fs_keyed_hash(directory->mailbox.name);
}

static gboolean
path_equal(gconstpointer a, gconstpointer b)
{
    const FsMailboxDirectory *one = a, *other = b;

    return one->parent == other->parent &&
           strcmp(one->mailbox.name, other->mailbox.name) == 0;
}

FsMailboxDirectory *
fs_mailbox_tables_find(const FsMailboxTables *tables,
                       const FsMailboxDirectory *parent, const char *name)
{
    FsMailboxDirectory wanted = {.parent = (FsMailboxDirectory *)parent,
                                 .mailbox.name = name};

    return g_hash_table_lookup(tables->by_path, &wanted);
}

/* @parent is NULL for the root alone. */
static FsMailboxDirectory *
add_directory(FsMailboxTables *tables, FsMailboxDirectory *parent,
              const char *name)
{
    FsMailboxDirectory *directory = g_new0(FsMailboxDirectory, 1);

    directory->mailbox.name = g_strdup(name);
    directory->parent = parent;
    g_ptr_array_add(tables->all, directory);
    if (parent != NULL) {
        directory->depth = parent->depth + 1;
        g_hash_table_add(tables->by_path, directory);
    }
    return directory;
}

void
fs_mailbox_tables_init(FsMailboxTables *tables)
{
    tables->all = g_ptr_array_new_with_free_func(directory_free);
    tables->by_path = g_hash_table_new(path_hash, path_equal);
    tables->by_wire = g_hash_table_new(fs_keyed_hash, g_str_equal);
    add_directory(tables, NULL, "");
}

void
fs_mailbox_tables_clear(FsMailboxTables *tables)
{
    g_clear_pointer(&tables->by_path, g_hash_table_unref);
    g_clear_pointer(&tables->by_wire, g_hash_table_unref);
    g_clear_pointer(&tables->all, g_ptr_array_unref);
}
FsMailboxDirectory *
fs_mailbox_tables_root(const FsMailboxTables *tables)
{
    return g_ptr_array_index(tables->all, 0);
}

/* ---- which directories there are ---- */

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
merge(FsMailboxDirectory *directory, const FsMailboxListing *listing)
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
claim(FsMailboxTables *tables, FsMailboxDirectory *directory,
      const FsMailboxListing *listing)
{
    FsMailbox *mailbox = &directory->mailbox;

    mailbox->wire_name = g_strdup(listing->wire_name);
    mailbox->attributes = listing->attributes;
    mailbox->delimiter = listing->delimiter;
    mailbox->selectable = (listing->attributes &
                           (IMAP_LIST_NOSELECT | IMAP_LIST_NONEXISTENT)) == 0;
    g_hash_table_insert(tables->by_wire,
                        (gpointer)fs_mailbox_wire_key(mailbox->wire_name),
                        directory);
}

static FsMailboxDirectory *
parent_by_wire_name(const FsMailboxTables *tables,
                    const FsMailboxListing *listing, guint depth)
{
    const char *last = listing->delimiter != '\0'
                           ? strrchr(listing->wire_name, listing->delimiter)
                           : NULL;
    g_autofree char *prefix = NULL;
    FsMailboxDirectory *parent;

    if (last == NULL)
        return NULL;
    prefix = g_strndup(listing->wire_name, (gsize)(last - listing->wire_name));
    parent = g_hash_table_lookup(tables->by_wire, fs_mailbox_wire_key(prefix));
    return parent != NULL && parent->depth + 1 == depth ? parent : NULL;
}

static FsMailboxDirectory *
parent_by_path(FsMailboxTables *tables, char **components, guint depth)
{
    FsMailboxDirectory *parent = fs_mailbox_tables_root(tables);

    for (guint i = 0; i + 1 < depth; i++) {
        FsMailboxDirectory *next =
            fs_mailbox_tables_find(tables, parent, components[i]);

        if (next == NULL)
            next = add_directory(tables, parent, components[i]);
        parent = next;
    }
    return parent;
}

static gboolean
place(FsMailboxTables *tables, const FsMailboxListing *listing, GError **error)
{
    g_auto(GStrv) components =
        fs_mailbox_name_split(listing->name, listing->delimiter);
    guint depth = components != NULL ? g_strv_length(components) : 0;
    g_autofree char *name = NULL;
    FsMailboxDirectory *parent, *directory;

    if (depth == 0)
        return TRUE;
    parent = parent_by_wire_name(tables, listing, depth);
    if (parent == NULL)
        parent = parent_by_path(tables, components, depth);

    name = g_strdup(components[depth - 1]);
    for (guint tries = 0; tries < UNIQUE_TRIES; tries++) {
        char *longer;

        directory = fs_mailbox_tables_find(tables, parent, name);
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

gboolean
fs_mailbox_tables_place(FsMailboxTables *tables,
                        const FsMailboxListing *listings, gsize count,
                        GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();

    for (gsize i = 0; i < count; i++)
        g_ptr_array_add(sorted, (gpointer)&listings[i]);
    g_ptr_array_sort(sorted, compare_listings);

    for (guint i = 0; i < sorted->len; i++) {
        const FsMailboxListing *listing = g_ptr_array_index(sorted, i);
        FsMailboxDirectory *known = g_hash_table_lookup(
            tables->by_wire, fs_mailbox_wire_key(listing->wire_name));

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
