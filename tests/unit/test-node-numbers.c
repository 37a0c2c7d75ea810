/* That numbers lead there and back, are the same every time where they have to
 * be, and never stand for two. */
#include "fs/kernel/node-numbers.h"

#include "fs/kernel/inode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const guint64 of_mail[] = {
    FS_INODE_ROOT,
    FS_INODE_CONTROL,
    FS_INODE_LOCAL_LAST,
    G_GUINT64_CONSTANT(1) << 32 | 1,
    G_GUINT64_CONSTANT(0xfffff) << 32 | G_MAXUINT32,
};
static const guint64 own_bits[] = {
    FS_INODE_FLAGS,
    FS_INODE_STAND_IN,
    G_GUINT64_CONSTANT(0x010) << 52,
    G_GUINT64_CONSTANT(0x7ff) << 52,
};

static void
expect_back(FsNodeNumbers *numbers, guint account, guint64 inode)
{
    guint64 number = fs_node_numbers_tell(numbers, account, inode);
    guint64 found;

    assert_true(number != 0);
    assert_int_equal(fs_node_numbers_find(numbers, number, &found), account);
    assert_true(found == inode);
    assert_true(fs_node_numbers_told(numbers, account, inode) == number);
}

static void
number_leads_back_to_account_and_inode(void **state)
{
    static const guint accounts[] = {1, 2, 512, FS_NODE_ACCOUNT_MAX};
    g_autoptr(FsNodeNumbers) numbers = fs_node_numbers_new();

    for (guint a = 0; a < G_N_ELEMENTS(accounts); a++)
        for (guint i = 0; i < G_N_ELEMENTS(of_mail); i++) {
            expect_back(numbers, accounts[a], of_mail[i]);
            for (guint b = 0; b < G_N_ELEMENTS(own_bits); b++)
                expect_back(numbers, accounts[a], of_mail[i] | own_bits[b]);
        }
}

static void
number_of_mail_is_by_rule(void **state)
{
    g_autoptr(FsNodeNumbers) numbers = fs_node_numbers_new();
    g_autoptr(FsNodeNumbers) others = fs_node_numbers_new();

    fs_node_numbers_tell(others, 9, FS_INODE_FLAGS | 5);
    for (guint i = 0; i < G_N_ELEMENTS(of_mail); i++) {
        guint64 number = fs_node_numbers_tell(numbers, 7, of_mail[i]);

        assert_true(number == (of_mail[i] | G_GUINT64_CONSTANT(7) << 52));
        assert_true(fs_node_numbers_tell(others, 7, of_mail[i]) == number);
        /* The kernel may know it from who knows when. */
        assert_true(fs_node_numbers_told(others, 7, of_mail[i]) == number);
    }
}

static void
number_with_own_bits_is_told_first(void **state)
{
    g_autoptr(FsNodeNumbers) numbers = fs_node_numbers_new();
    guint64 inode = FS_INODE_FLAGS | of_mail[3];

    assert_true(fs_node_numbers_told(numbers, 3, inode) == 0);
    fs_node_numbers_tell(numbers, 3, inode);
    assert_true(fs_node_numbers_told(numbers, 3, inode) != 0);
    assert_true(fs_node_numbers_told(numbers, 4, inode) == 0);
}

static void
number_of_nobody_is_no_accounts(void **state)
{
    g_autoptr(FsNodeNumbers) numbers = fs_node_numbers_new();
    guint64 inode;

    assert_int_equal(fs_node_numbers_find(numbers, FS_INODE_ROOT, &inode), 0);
    assert_int_equal(fs_node_numbers_find(numbers, G_MAXUINT64, &inode), 0);
    assert_int_equal(
        fs_node_numbers_find(numbers, FS_INODE_FLAGS | FS_INODE_ROOT, &inode),
        0);
}

/* As many as a mailbox's worth of bits for each part number of each account. */
static void
numbers_that_are_used_up_are_none(void **state)
{
    g_autoptr(FsNodeNumbers) numbers = fs_node_numbers_new();
    guint64 last = 1;
    guint64 n = 0;

    for (guint account = 1; account <= FS_NODE_ACCOUNT_MAX && last != 0;
         account++)
        for (guint64 own = 1; own <= 0xfff && last != 0; own++) {
            last = fs_node_numbers_tell(numbers, account, own << 52 | 1);
            n += last != 0;
        }
    assert_true(last == 0);
    assert_int_equal(n, (1u << 20) - (1u << 18));
    /* What was told goes on, and so does mail. */
    expect_back(numbers, 1, G_GUINT64_CONSTANT(1) << 52 | 1);
    expect_back(numbers, FS_NODE_ACCOUNT_MAX, of_mail[3]);
}

static void
number_of_name_does_not_depend_on_others(void **state)
{
    const char *const one[] = {"work", "home"};
    const char *const other[] = {"aaa", "home", "new", "work"};
    guint numbers[4];
    guint again[4];

    fs_node_numbers_of_names(one, 2, numbers);
    fs_node_numbers_of_names(other, 4, again);
    assert_int_equal(numbers[0], again[3]);
    assert_int_equal(numbers[1], again[1]);
    /* For ever: who changes that, changes all inode numbers. */
    assert_int_equal(numbers[0], 470);
    assert_int_equal(numbers[1], 890);
}

static void
numbers_of_many_names_are_distinct(void **state)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    guint numbers[FS_NODE_ACCOUNT_MAX];

    for (guint i = 0; i < FS_NODE_ACCOUNT_MAX; i++)
        g_ptr_array_add(names, g_strdup_printf("account%u", i));
    fs_node_numbers_of_names((const char *const *)names->pdata, names->len,
                             numbers);
    for (guint i = 0; i < names->len; i++) {
        assert_in_range(numbers[i], 1, FS_NODE_ACCOUNT_MAX);
        assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(numbers[i])));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_leads_back_to_account_and_inode),
        cmocka_unit_test(number_of_mail_is_by_rule),
        cmocka_unit_test(number_with_own_bits_is_told_first),
        cmocka_unit_test(number_of_nobody_is_no_accounts),
        cmocka_unit_test(numbers_that_are_used_up_are_none),
        cmocka_unit_test(number_of_name_does_not_depend_on_others),
        cmocka_unit_test(numbers_of_many_names_are_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
