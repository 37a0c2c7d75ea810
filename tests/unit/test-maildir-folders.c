/* Mailboxes as folders of a Maildir: what each is called, and the way back. */
#include "fs/names/maildir-folders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define L50 "long-name.long-name.long-name.long-name.long-name."
#define L200 L50 L50 L50 L50

static const char *const mailboxes[] = {
    "INBOX",
    "A",
    "A/cur",
    "A/B.c",
    "A/B.c/%2E",
    "new",
    "A/.",
    ".imapfs",
    L200,
    L200 "/x" L50 "1",
    L200 "/x" L50 "2",
    L200 "/x" L50 "1/below",
};

static int
make_tree(void **state)
{
    FsMailboxListing listings[G_N_ELEMENTS(mailboxes)] = {0};
    FsMailboxTree *tree = fs_mailbox_tree_new();

    for (guint i = 0; i < G_N_ELEMENTS(mailboxes); i++)
        listings[i] = (FsMailboxListing){mailboxes[i], mailboxes[i], '/', 0};
    *state = tree;
    return !fs_mailbox_tree_update(tree, listings, G_N_ELEMENTS(listings), NULL,
                                   NULL, NULL);
}

static int
free_tree(void **state)
{
    fs_mailbox_tree_free(*state);
    return 0;
}

static const FsMailbox *
find(const FsMailboxTree *tree, const char *wire_name)
{
    const FsMailbox *found = fs_mailbox_tree_by_wire_name(tree, wire_name);

    assert_non_null(found);
    return found;
}

/* It is called @name in the folder of @above, and nothing else is. */
static void
expect_name(const FsMailboxTree *tree, gboolean plus_plus,
            const char *wire_name, guint32 above, const char *name)
{
    const FsMaildirFolders folders = {tree, NULL, plus_plus};
    const FsMailbox *mailbox = find(tree, wire_name);
    g_autofree char *child = NULL;
    g_autofree char *found = fs_maildir_folders_name(&folders, mailbox->id);
    guint32 parent;

    assert_string_equal(found, name);
    assert_true(
        fs_maildir_folders_parse(&folders, above, name, &parent, &child));
    assert_ptr_equal(fs_mailbox_tree_child(tree, parent, child), mailbox);
}

static void
folders_in_each_other_leave_the_three_names(void **state)
{
    const FsMailboxTree *tree = *state;

    expect_name(tree, FALSE, "INBOX", 0, "INBOX");
    expect_name(tree, FALSE, "A/cur", find(tree, "A")->id, "%63ur");
    expect_name(tree, FALSE, "A/B.c", find(tree, "A")->id, "B.c");
    expect_name(tree, FALSE, "new", 0, "%6Eew");
}

static void
folders_of_plus_plus_are_all_at_the_top(void **state)
{
    const FsMailboxTree *tree = *state;
    const FsMaildirFolders folders = {tree, NULL, TRUE};

    assert_int_equal(fs_maildir_folders_top(&folders), find(tree, "INBOX")->id);
    expect_name(tree, TRUE, "A", 0, ".A");
    expect_name(tree, TRUE, "A/cur", 0, ".A.cur");
    expect_name(tree, TRUE, "A/B.c", 0, ".A.B%2Ec");
    expect_name(tree, TRUE, "new", 0, ".new");
    expect_name(tree, TRUE, "A/.", 0, ".A.%2E");
    expect_name(tree, TRUE, ".imapfs", 0, ".%2Eimapfs");
}

static void
long_names_of_plus_plus_are_cut_and_differ(void **state)
{
    static const char *const names[] = {
        L200,
        L200 "/x" L50 "1",
        L200 "/x" L50 "2",
        L200 "/x" L50 "1/below",
    };
    const FsMaildirFolders folders = {*state, NULL, TRUE};
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const FsMailbox *mailbox = find(*state, names[i]);
        char *name = fs_maildir_folders_name(&folders, mailbox->id);
        g_autofree char *path = fs_maildir_folders_path(&folders, mailbox->id);

        assert_in_range(strlen(name), 1, 255);
        assert_string_equal(path, name);
        expect_name(*state, TRUE, names[i], 0, name);
        assert_true(g_hash_table_add(seen, name));
    }
}

static void
path_is_where_the_folder_lies(void **state)
{
    const FsMailboxTree *tree = *state;
    const FsMaildirFolders inside = {tree, NULL, FALSE};
    const FsMaildirFolders flat = {tree, NULL, TRUE};
    g_autofree char *deep =
        fs_maildir_folders_path(&inside, find(tree, "A/cur")->id);
    g_autofree char *plain =
        fs_maildir_folders_path(&flat, find(tree, "A/cur")->id);
    g_autofree char *top =
        fs_maildir_folders_path(&flat, find(tree, "INBOX")->id);

    assert_string_equal(deep, "A/%63ur");
    assert_string_equal(plain, ".A.cur");
    assert_string_equal(top, "");
    assert_null(fs_maildir_folders_path(&flat, 99999));
}

static void
names_of_no_folder_are_none(void **state)
{
    static const char *const wrong[] = {"A",     ".",        "..",
                                        ".A..b", ".None..b", ""};
    const FsMaildirFolders inside = {*state, NULL, FALSE};
    const FsMaildirFolders flat = {*state, NULL, TRUE};
    g_autofree char *child = NULL;
    guint32 parent;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_false(
            fs_maildir_folders_parse(&flat, 0, wrong[i], &parent, &child));
    assert_false(fs_maildir_folders_parse(&flat, find(*state, "A")->id, ".A",
                                          &parent, &child));
    assert_false(fs_maildir_folders_parse(&inside, 0, "cur", &parent, &child));
    /* One that could be made. */
    assert_true(
        fs_maildir_folders_parse(&flat, 0, ".A.x%2Ey", &parent, &child));
    assert_int_equal(parent, find(*state, "A")->id);
    assert_string_equal(child, "x.y");
}

static void
name_of_what_lies_in_no_folder_is_a_path(void **state)
{
    static const char *const names[][2] = {
        {".None.b", "None/b"},
        {".None.A.x%2Ey", "None/A/x.y"},
        {".A.None.B%2Ec", "None/B.c"},
    };
    const FsMaildirFolders flat = {*state, NULL, TRUE};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *child = NULL;
        guint32 parent;

        assert_true(
            fs_maildir_folders_parse(&flat, 0, names[i][0], &parent, &child));
        assert_int_equal(parent, i == 2 ? find(*state, "A")->id : 0);
        assert_string_equal(child, names[i][1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_in_each_other_leave_the_three_names),
        cmocka_unit_test(folders_of_plus_plus_are_all_at_the_top),
        cmocka_unit_test(long_names_of_plus_plus_are_cut_and_differ),
        cmocka_unit_test(path_is_where_the_folder_lies),
        cmocka_unit_test(names_of_no_folder_are_none),
        cmocka_unit_test(name_of_what_lies_in_no_folder_is_a_path),
    };

    return cmocka_run_group_tests(tests, make_tree, free_tree);
}
