/* The mailbox tree: what a list becomes, and what stays from list to list. */
#include "fs/names/mailbox-tree.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "imap/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LISTING(wire)                                                          \
    {                                                                          \
        wire, wire, '/', 0                                                     \
    }

static void
update(FsMailboxTree *tree, const FsMailboxListing *listings, gsize count)
{
    g_autoptr(GError) error = NULL;

    assert_true(
        fs_mailbox_tree_update(tree, listings, count, NULL, NULL, &error));
    assert_null(error);
}

/* Updates @tree to mailboxes of these wire names, separated by spaces. */
static void
update_names(FsMailboxTree *tree, const char *names)
{
    g_auto(GStrv) wire_names = g_strsplit(names, " ", -1);
    g_autofree FsMailboxListing *listings =
        g_new0(FsMailboxListing, g_strv_length(wire_names) + 1);
    gsize count = 0;

    for (char **name = wire_names; *name != NULL; name++) {
        if (**name == '\0')
            continue;
        listings[count++] = (FsMailboxListing){*name, *name, '/', 0};
    }
    update(tree, listings, count);
}

static const FsMailbox *
look_up(const FsMailboxTree *tree, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    const FsMailbox *mailbox = fs_mailbox_tree_get(tree, FS_MAILBOX_TREE_ROOT);

    for (char **name = names; *name != NULL && mailbox != NULL; name++)
        mailbox = fs_mailbox_tree_child(tree, mailbox->id, *name);
    return mailbox;
}

static guint32
id_of(const FsMailboxTree *tree, const char *path)
{
    const FsMailbox *mailbox = look_up(tree, path);

    if (mailbox == NULL)
        fail_msg("no %s", path);
    return mailbox->id;
}

static void
append_children(const FsMailboxTree *tree, guint32 parent, guint depth,
                GString *text)
{
    guint32 after = 0;
    guint count = 0;
    const FsMailbox *child;

    while ((child = fs_mailbox_tree_next_child(tree, parent, after)) != NULL) {
        assert_true(child->id > after);
        assert_int_equal(child->parent, parent);
        assert_ptr_equal(fs_mailbox_tree_get(tree, child->id), child);
        assert_ptr_equal(fs_mailbox_tree_child(tree, parent, child->name),
                         child);
        if (child->wire_name != NULL)
            assert_ptr_equal(
                fs_mailbox_tree_by_wire_name(tree, child->wire_name), child);
        g_string_append_printf(text, "%*s%s%s%s\n", (int)depth, "", child->name,
                               child->wire_name ? " = " : "",
                               child->wire_name ? child->wire_name : "");
        append_children(tree, child->id, depth + 1, text);
        after = child->id;
        count++;
    }
    assert_int_equal(fs_mailbox_tree_count_children(tree, parent), count);
}

/* The tree as text, by ascending ids; checks that look-ups agree on it. */
static char *
show(const FsMailboxTree *tree)
{
    GString *text = g_string_new(NULL);

    append_children(tree, FS_MAILBOX_TREE_ROOT, 0, text);
    return g_string_free(text, FALSE);
}

static void
assert_shows(const FsMailboxTree *tree, const char *wanted)
{
    g_autofree char *text = show(tree);

    assert_string_equal(text, wanted);
}

static void
tree_new_has_root_alone(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    const FsMailbox *root = fs_mailbox_tree_get(tree, FS_MAILBOX_TREE_ROOT);

    assert_string_equal(root->name, "");
    assert_null(root->wire_name);
    assert_false(root->selectable);
    assert_int_equal(root->parent, FS_MAILBOX_TREE_ROOT);
    assert_int_equal(fs_mailbox_tree_count_children(tree, root->id), 0);
    assert_null(fs_mailbox_tree_next_child(tree, root->id, 0));
    assert_null(fs_mailbox_tree_get(tree, 1));
    assert_null(fs_mailbox_tree_child(tree, 1, "a"));
    assert_null(fs_mailbox_tree_next_child(tree, 1, 0));
    assert_int_equal(fs_mailbox_tree_count_children(tree, 1), 0);
    assert_null(fs_mailbox_tree_by_wire_name(tree, "a"));
    fs_mailbox_tree_free(NULL);
}

static void
update_makes_parents_that_are_not_listed(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();

    update_names(tree, "z a/b/c a/b INBOX");
    assert_shows(tree, "INBOX = INBOX\n"
                       "a\n"
                       " b = a/b\n"
                       "  c = a/b/c\n"
                       "z = z\n");
    assert_false(look_up(tree, "a")->selectable);
    assert_true(look_up(tree, "a/b")->selectable);
}

static void
update_keeps_names_delimiter_and_attributes(void **state)
{
    static const FsMailboxListing listings[] = {
        {"Entw&APw-rfe", "Entwürfe", '.', IMAP_LIST_DRAFTS},
        {"a.b", "a.b", '.', IMAP_LIST_NOSELECT},
        {"x", "x", '\0', IMAP_LIST_NONEXISTENT | IMAP_LIST_NOSELECT},
        {"bad/..", "bad/..", '/', 0},
        {"", "", '/', 0},
        {"//", "//", '/', 0},
    };
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    const FsMailbox *mailbox;

    update(tree, listings, G_N_ELEMENTS(listings));
    mailbox = look_up(tree, "Entwürfe");
    assert_string_equal(mailbox->wire_name, "Entw&APw-rfe");
    assert_int_equal(mailbox->delimiter, '.');
    assert_int_equal(mailbox->attributes, IMAP_LIST_DRAFTS);
    assert_true(mailbox->selectable);
    assert_false(look_up(tree, "a/b")->selectable);
    assert_false(look_up(tree, "x")->selectable);
    assert_non_null(look_up(tree, "bad/%2E%2E"));
    assert_int_equal(fs_mailbox_tree_count_children(tree, 0), 4);
}

static void
update_inbox_and_repetitions_are_merged(void **state)
{
    static const FsMailboxListing listings[] = {
        {"Inbox", "Inbox", '/', IMAP_LIST_NOSELECT},
        {"a", "a", '/', IMAP_LIST_HAS_CHILDREN | IMAP_LIST_NOSELECT},
        {"INBOX", "INBOX", '\0', IMAP_LIST_SUBSCRIBED},
        {"a", "a", '/', IMAP_LIST_SENT | IMAP_LIST_NOSELECT},
        {"INBOX/a", "INBOX/a", '/', 0},
        {"inbox/b", "inbox/b", '/', 0},
    };
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    const FsMailbox *mailbox;

    update(tree, listings, G_N_ELEMENTS(listings));
    assert_shows(tree, "INBOX = INBOX\n"
                       " a = INBOX/a\n"
                       " b = inbox/b\n"
                       "a = a\n");
    mailbox = fs_mailbox_tree_by_wire_name(tree, "iNBOX");
    assert_ptr_equal(mailbox, look_up(tree, "INBOX"));
    assert_true(mailbox->selectable);
    assert_int_equal(mailbox->attributes, IMAP_LIST_SUBSCRIBED);
    assert_int_equal(mailbox->delimiter, '/');
    mailbox = look_up(tree, "a");
    assert_false(mailbox->selectable);
    assert_int_equal(mailbox->attributes, IMAP_LIST_HAS_CHILDREN |
                                              IMAP_LIST_SENT |
                                              IMAP_LIST_NOSELECT);
}

static void
update_same_path_first_wire_name_has_it(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();

    /* The hashes are the SHA-256 of the wire names. */
    update_names(tree, "a/b a//b /a a a/ /INBOX INBOX");
    assert_shows(tree, "INBOX = INBOX\n"
                       "INBOX~2846efe6 = /INBOX\n"
                       "a = /a\n"
                       "a~ca978112 = a\n"
                       " b = a/b\n"
                       "a~b3dda5b6 = a/\n"
                       " b = a//b\n");
}

/* What belongs to the mailbox that had to take another name stays below it. */
static void
update_children_follow_renamed_parent(void **state)
{
    static const FsMailboxListing listings[] = {
        {"x/y", "\357\277\275/y", '/', 0},
        {"w/y", "\357\277\275/y", '/', 0},
        {"x", "\357\277\275", '/', 0},
        {"w", "\357\277\275", '/', 0},
    };
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();

    update(tree, listings, G_N_ELEMENTS(listings));
    assert_shows(tree, "\357\277\275 = w\n"
                       " y = w/y\n"
                       "\357\277\275~2d711642 = x\n"
                       " y = x/y\n");
}

static void
update_any_order_is_the_same_tree(void **state)
{
    static const FsMailboxListing listings[] = {
        LISTING("INBOX"),
        LISTING("inbox"),
        LISTING("/INBOX"),
        LISTING("a"),
        LISTING("a/"),
        LISTING("a//b"),
        LISTING("a/b"),
        LISTING("/a/b"),
        LISTING("c/d/e"),
        LISTING("//c/d"),
        LISTING("c"),
        LISTING("a/b"),
        {"a.b", "a.b", '.', 0},
        {"c", "c", '.', IMAP_LIST_NOSELECT},
        {"a.b", "a.b", '/', 0},
        {"&AGE-", "a", '/', 0},
        {"a~ca978112", "a~ca978112", '/', 0},
    };
    g_autoptr(GRand) random = g_rand_new_with_seed(4);
    g_autofree char *wanted = NULL;

    for (guint round = 0; round < 500; round++) {
        FsMailboxListing shuffled[G_N_ELEMENTS(listings)];
        g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
        g_autofree char *text = NULL;

        memcpy(shuffled, listings, sizeof(listings));
        for (gint i = G_N_ELEMENTS(listings) - 1; i > 0 && round > 0; i--) {
            gint other = g_rand_int_range(random, 0, i + 1);
            FsMailboxListing listing = shuffled[i];

            shuffled[i] = shuffled[other];
            shuffled[other] = listing;
        }
        update(tree, shuffled, G_N_ELEMENTS(shuffled));
        text = show(tree);
        if (wanted == NULL)
            wanted = g_strdup(text);
        assert_string_equal(text, wanted);
    }
}

static void
note_gone(const FsMailbox *mailbox, gpointer user_data)
{
    g_string_append_printf(user_data, "%s ", mailbox->name);
}

static void
update_again_keeps_ids_and_tells_what_is_gone(void **state)
{
    static const FsMailboxListing later[] = {
        LISTING("Inbox"), LISTING("aa"), LISTING("a/b/new"), LISTING("a/b")};
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GString) gone = g_string_new(NULL);
    guint32 inbox, a, ab, b;

    update_names(tree, "INBOX a/b b b/c");
    inbox = id_of(tree, "INBOX");
    a = id_of(tree, "a");
    ab = id_of(tree, "a/b");
    b = id_of(tree, "b");

    assert_true(fs_mailbox_tree_update(tree, later, G_N_ELEMENTS(later),
                                       note_gone, gone, NULL));
    assert_string_equal(gone->str, "b c ");
    assert_int_equal(id_of(tree, "INBOX"), inbox);
    assert_int_equal(id_of(tree, "a"), a);
    assert_int_equal(id_of(tree, "a/b"), ab);
    assert_null(fs_mailbox_tree_get(tree, b));
    assert_null(look_up(tree, "b"));
    assert_true(id_of(tree, "aa") > b);

    update_names(tree, "INBOX b");
    assert_true(id_of(tree, "b") > b);
}

static void
note_entry(guint32 parent, const char *name, guint32 before, gpointer user_data)
{
    g_string_append_printf(user_data, "%u/%s:%u ", parent, name, before);
}

static void
update_again_tells_entries_that_are_not_the_same(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GString) told = g_string_new(NULL);
    g_autofree char *c = NULL, *renewed = NULL;
    guint32 a;

    fs_mailbox_tree_add_entry_func(tree, note_entry, told);
    update_names(tree, "a a/b c");
    assert_string_equal(told->str, ""); /* the first list is no change */
    assert_int_equal(look_up(tree, "a")->changed_at, 0);
    a = id_of(tree, "a");
    c = g_strdup_printf("0/c:%u ", id_of(tree, "c"));

    update_names(tree, "a a/b a/d e");
    assert_non_null(strstr(told->str, c));
    assert_non_null(strstr(told->str, "0/e:0 "));
    assert_non_null(strstr(told->str, "1/d:0 "));
    assert_int_equal(told->len, strlen("0/c:3 0/e:0 1/d:0 "));
    assert_int_equal(a, 1);
    assert_int_not_equal(look_up(tree, "a")->changed_at, 0);
    assert_int_equal(look_up(tree, "e")->changed_at, 0);

    /* A mailbox that leaves a directory is another entry of that name. */
    g_string_truncate(told, 0);
    update_names(tree, "a/b a/d e");
    assert_non_null(strstr(told->str, "0/a:1 "));
    g_string_truncate(told, 0);
    renewed = g_strdup_printf("0/e:%u ", id_of(tree, "e"));
    assert_int_not_equal(fs_mailbox_tree_new_id(tree, id_of(tree, "e"), NULL),
                         0);
    assert_string_equal(told->str, renewed);
    assert_int_not_equal(look_up(tree, "a")->id, a);
    assert_int_not_equal(
        fs_mailbox_tree_get(tree, FS_MAILBOX_TREE_ROOT)->changed_at, 0);
}

static void
update_again_tells_where_messages_may_be_now(void **state)
{
    FsMailboxListing listings[] = {
        {"a", "a", '/', 0}, {"a/b", "a/b", '/', 0}, {"c", "c", '/', 0}};
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GString) told = g_string_new(NULL);
    guint32 a;

    fs_mailbox_tree_add_entry_func(tree, note_entry, told);
    update(tree, listings, G_N_ELEMENTS(listings));
    a = id_of(tree, "a");
    listings[0].attributes = IMAP_LIST_NOSELECT;
    update(tree, listings, G_N_ELEMENTS(listings));
    assert_string_equal(told->str, "0/a:1 ");
    assert_int_equal(id_of(tree, "a"), a);
    assert_int_not_equal(look_up(tree, "a")->changed_at, 0);

    g_string_truncate(told, 0);
    update(tree, listings, G_N_ELEMENTS(listings));
    assert_string_equal(told->str, "");
    listings[0].attributes = 0;
    update(tree, listings, G_N_ELEMENTS(listings));
    assert_string_equal(told->str, "0/a:1 ");
}

static void
update_directory_that_becomes_mailbox_keeps_its_id(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    guint32 a, b;

    update_names(tree, "a/b");
    a = id_of(tree, "a");
    b = id_of(tree, "a/b");
    update_names(tree, "a a/b");
    assert_int_equal(id_of(tree, "a"), a);
    assert_string_equal(look_up(tree, "a")->wire_name, "a");

    update_names(tree, "a/b");
    assert_int_not_equal(id_of(tree, "a"), a);
    assert_int_equal(id_of(tree, "a/b"), b);
    assert_int_equal(look_up(tree, "a/b")->parent, id_of(tree, "a"));
}

static void
update_empty_list_leaves_the_root(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();

    update_names(tree, "a a/b c");
    update(tree, NULL, 0);
    assert_shows(tree, "");
    assert_non_null(fs_mailbox_tree_get(tree, FS_MAILBOX_TREE_ROOT));
}

static void
new_id_children_follow(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GError) error = NULL;
    guint32 a, b, id;

    update_names(tree, "a a/b a/c d");
    a = id_of(tree, "a");
    b = id_of(tree, "a/b");
    id = fs_mailbox_tree_new_id(tree, a, &error);
    assert_true(id > id_of(tree, "d"));
    assert_int_equal(id_of(tree, "a"), id);
    assert_null(fs_mailbox_tree_get(tree, a));
    assert_int_equal(id_of(tree, "a/b"), b);
    assert_shows(tree, "d = d\n"
                       "a = a\n"
                       " b = a/b\n"
                       " c = a/c\n");

    update_names(tree, "a a/b a/c d");
    assert_int_equal(id_of(tree, "a"), id);
    assert_int_equal(id_of(tree, "a/b"), b);

    assert_int_equal(fs_mailbox_tree_new_id(tree, a, &error), 0);
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_int_equal(fs_mailbox_tree_new_id(tree, FS_MAILBOX_TREE_ROOT, NULL),
                     0);
}

static void
next_child_survives_changes_between_calls(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    const FsMailbox *child;
    guint32 b;

    update_names(tree, "a b c d");
    b = id_of(tree, "b");
    update_names(tree, "a c d e");
    child = fs_mailbox_tree_next_child(tree, FS_MAILBOX_TREE_ROOT, b);
    assert_string_equal(child->name, "c");
    assert_null(
        fs_mailbox_tree_next_child(tree, FS_MAILBOX_TREE_ROOT, G_MAXUINT32));
}

static FsMailboxListing *
many_listings(const char *suffix, guint count, GPtrArray *owner)
{
    FsMailboxListing *listings = g_new0(FsMailboxListing, count);

    for (guint i = 0; i < count; i++) {
        char *name = g_strdup_printf("%u/%s", i, suffix);

        g_ptr_array_add(owner, name);
        listings[i] = (FsMailboxListing){name, name, '/', 0};
    }
    return listings;
}

static void
update_too_many_is_refused_and_changes_nothing(void **state)
{
    g_autoptr(GPtrArray) owner = g_ptr_array_new_with_free_func(g_free);
    g_autofree FsMailboxListing *many =
        many_listings("", FS_MAILBOX_TREE_MAX + 1, owner);
    g_autofree FsMailboxListing *deep =
        many_listings("a/a/a/a/a/a/a/a/a/a", FS_MAILBOX_TREE_MAX, owner);
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) deep_error = NULL;

    update_names(tree, "a a/b");
    assert_false(fs_mailbox_tree_update(tree, many, FS_MAILBOX_TREE_MAX + 1,
                                        NULL, NULL, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_false(fs_mailbox_tree_update(tree, deep, FS_MAILBOX_TREE_MAX, NULL,
                                        NULL, &deep_error));
    assert_true(g_error_matches(deep_error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_shows(tree, "a = a\n b = a/b\n");

    update(tree, many, FS_MAILBOX_TREE_MAX);
    assert_int_equal(fs_mailbox_tree_count_children(tree, 0),
                     FS_MAILBOX_TREE_MAX);
}

static void
ids_used_up_is_an_error_and_none_comes_again(void **state)
{
    g_autoptr(FsMailboxTree) tree = fs_mailbox_tree_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) update_error = NULL;
    const FsMailboxListing more[] = {LISTING("a"), LISTING("b")};
    guint32 id, next;

    update_names(tree, "a");
    id = id_of(tree, "a");
    while ((next = fs_mailbox_tree_new_id(tree, id, &error)) != 0) {
        assert_true(next > id);
        id = next;
    }
    assert_int_equal(id, FS_INODE_MAX_MAILBOX);
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_false(fs_mailbox_tree_update(tree, more, G_N_ELEMENTS(more), NULL,
                                        NULL, &update_error));
    assert_true(g_error_matches(update_error, FS_ERROR, FS_ERROR_INCOMPLETE));
    update_names(tree, "a");
    assert_int_equal(id_of(tree, "a"), FS_INODE_MAX_MAILBOX);
}

/* ---- ids that are remembered ---- */

/* As the account's durable ones behave: nothing is ever forgotten. */
typedef struct {
    GHashTable *by_name;
    guint32 last;
    guint32 max;
} Memory;

static guint32
new_in_memory(Memory *memory, const char *name)
{
    if (memory->last >= memory->max)
        return 0;
    g_hash_table_insert(memory->by_name, g_strdup(name),
                        GUINT_TO_POINTER(++memory->last));
    return memory->last;
}

static guint32
remember(const char *name, const char *before, gpointer user_data)
{
    Memory *memory = user_data;
    guint32 id = GPOINTER_TO_UINT(g_hash_table_lookup(memory->by_name, name));

    if (id == 0 && before != NULL) {
        id = GPOINTER_TO_UINT(g_hash_table_lookup(memory->by_name, before));
        g_hash_table_remove(memory->by_name, before);
        if (id != 0)
            g_hash_table_insert(memory->by_name, g_strdup(name),
                                GUINT_TO_POINTER(id));
    }
    return id != 0 ? id : new_in_memory(memory, name);
}

static guint32
renew(const char *name, gpointer user_data)
{
    Memory *memory = user_data;

    assert_true(g_hash_table_contains(memory->by_name, name));
    return new_in_memory(memory, name);
}

static FsMailboxTree *
new_remembering(Memory *memory)
{
    const FsMailboxIds ids = {remember, renew, memory};

    if (memory->by_name == NULL)
        *memory = (Memory){
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), 0,
            FS_INODE_MAX_MAILBOX};
    return fs_mailbox_tree_new_with_ids(&ids);
}

static guint32
remembered(const Memory *memory, const char *name)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(memory->by_name, name));
}

static void
ids_remembered_are_the_same_in_another_tree(void **state)
{
    Memory memory = {NULL, 0, 0};
    g_autoptr(FsMailboxTree) tree = new_remembering(&memory);
    guint32 a, c;

    update_names(tree, "inbox a b/c");
    a = id_of(tree, "a");
    c = id_of(tree, "b/c");
    assert_int_equal(remembered(&memory, "m:INBOX"), id_of(tree, "INBOX"));
    assert_int_equal(remembered(&memory, "m:b/c"), c);
    assert_int_equal(remembered(&memory, "d:b"), id_of(tree, "b"));
    fs_mailbox_tree_free(tree);

    tree = new_remembering(&memory);
    update_names(tree, "0 A a b/c INBOX");
    assert_int_equal(id_of(tree, "a"), a);
    assert_int_equal(id_of(tree, "b/c"), c);
    assert_int_equal(id_of(tree, "INBOX"), remembered(&memory, "m:INBOX"));
    assert_int_equal(id_of(tree, "b"), remembered(&memory, "d:b"));
    assert_true(id_of(tree, "0") > 4 && id_of(tree, "A") > 4);
    g_hash_table_unref(memory.by_name);
}

static void
ids_remembered_come_back_with_their_mailbox(void **state)
{
    Memory memory = {NULL, 0, 0};
    g_autoptr(FsMailboxTree) tree = new_remembering(&memory);
    guint32 a, b;

    update_names(tree, "a b c");
    a = id_of(tree, "a");
    b = id_of(tree, "b");
    update_names(tree, "c d");
    update_names(tree, "a/x b d");
    assert_int_equal(id_of(tree, "b"), b);
    /* The directory "a" is not the mailbox "a". */
    assert_int_not_equal(id_of(tree, "a"), a);
    update_names(tree, "a a/x b d");
    assert_int_equal(id_of(tree, "a"), a);
    assert_shows(tree, "a = a\n x = a/x\nb = b\nd = d\n");
    g_hash_table_unref(memory.by_name);
}

static void
id_of_directory_stays_when_it_becomes_a_mailbox(void **state)
{
    Memory memory = {NULL, 0, 0};
    g_autoptr(FsMailboxTree) tree = new_remembering(&memory);
    guint32 b, deep;

    update_names(tree, "a/b/c/d");
    b = id_of(tree, "a/b");
    deep = id_of(tree, "a/b/c");
    assert_int_equal(remembered(&memory, "d:a/b/c"), deep);
    update_names(tree, "a/b a/b/c/d");
    assert_int_equal(id_of(tree, "a/b"), b);
    fs_mailbox_tree_free(tree);

    tree = new_remembering(&memory);
    update_names(tree, "a/b a/b/c a/b/c/d");
    assert_int_equal(id_of(tree, "a/b"), b);
    assert_int_equal(id_of(tree, "a/b/c"), deep);
    g_hash_table_unref(memory.by_name);
}

static void
new_id_is_remembered_and_keeps_children_in_order(void **state)
{
    Memory memory = {NULL, 0, 0};
    g_autoptr(FsMailboxTree) tree = new_remembering(&memory);
    guint32 a;

    update_names(tree, "a b/c d");
    a = fs_mailbox_tree_new_id(tree, id_of(tree, "a"), NULL);
    assert_int_equal(remembered(&memory, "m:a"), a);
    assert_int_not_equal(fs_mailbox_tree_new_id(tree, id_of(tree, "b"), NULL),
                         0);
    assert_int_equal(remembered(&memory, "d:b"), id_of(tree, "b"));
    assert_shows(tree, "d = d\na = a\nb\n c = b/c\n");
    update_names(tree, "a b/c d");
    assert_int_equal(id_of(tree, "a"), a);
    g_hash_table_unref(memory.by_name);
}

static void
ids_remembered_used_up_is_an_error(void **state)
{
    Memory memory = {NULL, 0, 0};
    g_autoptr(FsMailboxTree) tree = new_remembering(&memory);
    const FsMailboxListing two[] = {LISTING("a"), LISTING("b")};
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) renew_error = NULL;

    memory.max = 1;
    update_names(tree, "a");
    assert_false(fs_mailbox_tree_update(tree, two, G_N_ELEMENTS(two), NULL,
                                        NULL, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_int_equal(fs_mailbox_tree_new_id(tree, 1, &renew_error), 0);
    assert_true(g_error_matches(renew_error, FS_ERROR, FS_ERROR_INCOMPLETE));
    assert_shows(tree, "a = a\n");
    g_hash_table_unref(memory.by_name);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_new_has_root_alone),
        cmocka_unit_test(update_makes_parents_that_are_not_listed),
        cmocka_unit_test(update_keeps_names_delimiter_and_attributes),
        cmocka_unit_test(update_inbox_and_repetitions_are_merged),
        cmocka_unit_test(update_same_path_first_wire_name_has_it),
        cmocka_unit_test(update_children_follow_renamed_parent),
        cmocka_unit_test(update_any_order_is_the_same_tree),
        cmocka_unit_test(update_again_keeps_ids_and_tells_what_is_gone),
        cmocka_unit_test(update_again_tells_entries_that_are_not_the_same),
        cmocka_unit_test(update_again_tells_where_messages_may_be_now),
        cmocka_unit_test(update_directory_that_becomes_mailbox_keeps_its_id),
        cmocka_unit_test(update_empty_list_leaves_the_root),
        cmocka_unit_test(new_id_children_follow),
        cmocka_unit_test(next_child_survives_changes_between_calls),
        cmocka_unit_test(update_too_many_is_refused_and_changes_nothing),
        cmocka_unit_test(ids_used_up_is_an_error_and_none_comes_again),
        cmocka_unit_test(ids_remembered_are_the_same_in_another_tree),
        cmocka_unit_test(ids_remembered_come_back_with_their_mailbox),
        cmocka_unit_test(id_of_directory_stays_when_it_becomes_a_mailbox),
        cmocka_unit_test(new_id_is_remembered_and_keeps_children_in_order),
        cmocka_unit_test(ids_remembered_used_up_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
