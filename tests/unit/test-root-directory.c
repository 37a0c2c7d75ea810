/* The top of a mount of several accounts, as the kernel sees it. */
#include "branches-fixture.h"

#include "fs/kernel/handlers.h"

#include <poll.h>

static void
top_leads_to_accounts(void **state)
{
    Scene *scene = *state;

    for (int i = 0; i < N_ACCOUNTS; i++) {
        const struct fuse_entry_out *entry =
            ask(scene, FUSE_LOOKUP, FS_INODE_ROOT, NULL, 0, names[i], NULL);

        assert_true(entry->nodeid == root_of(scene, i));
        assert_true(S_ISDIR(entry->attr.mode));
        /* Who serves it is asked for its attributes. */
        assert_int_equal(entry->attr_valid == 0, i != BROKEN);
        assert_true(entry->entry_valid > 0);
    }
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, FS_INODE_ROOT, NULL, 0, "else", NULL),
        ENOENT);
}

static void
top_lists_accounts_in_order(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIRPLUS, FS_INODE_ROOT, &read,
                         sizeof read, NULL, NULL);
    const char *end = (const char *)scene->reply_buffer + scene->reply_length;

    for (int i = -2; i < N_ACCOUNTS; i++) {
        const struct fuse_direntplus *entry = (const void *)at;
        const char *name = i == -2 ? "." : i == -1 ? ".." : names[i];

        assert_true(at < end);
        assert_int_equal(entry->dirent.namelen, strlen(name));
        assert_memory_equal(entry->dirent.name, name, strlen(name));
        assert_true(entry->entry_out.nodeid == (i < 0 ? 0 : root_of(scene, i)));
        at += FUSE_DIRENTPLUS_SIZE(entry);
    }
    assert_ptr_equal(at, end);
}

static void
top_goes_on_where_a_listing_was_full(void **state)
{
    Scene *scene = *state;
    struct fuse_read_in read = {.size = 40};
    guint n = 0;

    for (;;) {
        const struct fuse_dirent *entry = ask(
            scene, FUSE_READDIR, FS_INODE_ROOT, &read, sizeof read, NULL, NULL);

        if (scene->reply_length == sizeof(struct fuse_out_header))
            break;
        read.offset = entry->off;
        n++;
    }
    assert_int_equal(n, N_ACCOUNTS + 2);
}

static void
top_tells_how_they_are(void **state)
{
    Scene *scene = *state;
    const struct fuse_open_in open = {0};
    struct fuse_read_in read = {.size = 4096};
    guint64 hidden =
        ((const struct fuse_entry_out *)ask(scene, FUSE_LOOKUP, FS_INODE_ROOT,
                                            NULL, 0, ".imapfs", NULL))
            ->nodeid;
    guint64 status = ((const struct fuse_entry_out *)ask(
                          scene, FUSE_LOOKUP, hidden, NULL, 0, "status", NULL))
                         ->nodeid;

    read.fh = ((const struct fuse_open_out *)ask(
                   scene, FUSE_OPEN, status, &open, sizeof open, NULL, NULL))
                  ->fh;
    assert_memory_equal(
        ask(scene, FUSE_READ, status, &read, sizeof read, NULL, NULL),
        "how they are\n", 13);
    read.offset = 13;
    ask(scene, FUSE_READ, status, &read, sizeof read, NULL, NULL);
    assert_int_equal(scene->reply_length, sizeof(struct fuse_out_header));
}

static void
top_cannot_be_changed(void **state)
{
    Scene *scene = *state;
    const struct fuse_mkdir_in make = {.mode = 0700};
    const struct fuse_create_in create = {.mode = 0600};
    const struct fuse_rename2_in rename = {.newdir = FS_INODE_ROOT};

    assert_int_equal(errno_of(scene, FUSE_MKDIR, FS_INODE_ROOT, &make,
                              sizeof make, "new", NULL),
                     EPERM);
    assert_int_equal(errno_of(scene, FUSE_CREATE, FS_INODE_ROOT, &create,
                              sizeof create, "new", NULL),
                     EPERM);
    assert_int_equal(
        errno_of(scene, FUSE_RMDIR, FS_INODE_ROOT, NULL, 0, names[WORK], NULL),
        EPERM);
    assert_int_equal(
        errno_of(scene, FUSE_UNLINK, FS_INODE_ROOT, NULL, 0, names[WORK], NULL),
        EPERM);
    assert_int_equal(errno_of(scene, FUSE_RENAME2, FS_INODE_ROOT, &rename,
                              sizeof rename, names[WORK], "other"),
                     EPERM);
}

static void
account_that_is_broken_says_so(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_open_in open = {0};
    const struct fuse_mkdir_in make = {.mode = 0700};
    guint64 broken = root_of(scene, BROKEN);
    const struct fuse_attr_out *attributes =
        ask(scene, FUSE_GETATTR, broken, &getattr, sizeof getattr, NULL, NULL);

    assert_true(S_ISDIR(attributes->attr.mode));
    assert_int_equal(attributes->attr.uid, 1);
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, broken, NULL, 0, "INBOX", NULL), EACCES);
    assert_int_equal(
        errno_of(scene, FUSE_OPENDIR, broken, &open, sizeof open, NULL, NULL),
        EACCES);
    assert_int_equal(
        errno_of(scene, FUSE_MKDIR, broken, &make, sizeof make, "new", NULL),
        EACCES);
}

static void
number_of_nobody_is_stale(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_open_in open = {0};
    guint64 nobody = number_of(scene, BROKEN, MAIL_INODE);

    assert_int_equal(errno_of(scene, FUSE_GETATTR, nobody, &getattr,
                              sizeof getattr, NULL, NULL),
                     ESTALE);
    assert_int_equal(
        errno_of(scene, FUSE_OPENDIR, nobody, &open, sizeof open, NULL, NULL),
        ESTALE);
    assert_int_equal(
        errno_of(scene, FUSE_LOOKUP, nobody, NULL, 0, "work", NULL), ENOENT);
}

/* The kernel takes ENOSYS for the word of the whole connection. */
static void
top_answers_whatever_an_account_does(void **state)
{
    typedef void (*Handler)(void);

    for (gsize at = 0; at < sizeof fs_handlers_ops; at += sizeof(Handler)) {
        Handler of_account;
        Handler of_top;

        memcpy(&of_account, (const char *)&fs_handlers_ops + at,
               sizeof of_account);
        memcpy(&of_top, (const char *)&fs_root_directory_ops + at,
               sizeof of_top);
        if (of_account != NULL && of_top == NULL)
            fail_msg("the handler at %zu is missing", at);
    }
}

static void
top_has_nothing_to_store_and_no_attributes(void **state)
{
    Scene *scene = *state;
    const struct fuse_fsync_in sync = {0};
    const struct fuse_access_in reads = {.mask = R_OK | X_OK};
    const struct fuse_access_in writes = {.mask = W_OK};
    const struct fuse_getxattr_in names_of = {.size = 0};
    const struct fuse_poll_in poll = {0};

    ask(scene, FUSE_FSYNCDIR, FS_INODE_ROOT, &sync, sizeof sync, NULL, NULL);
    ask(scene, FUSE_FSYNC, FS_INODE_ROOT, &sync, sizeof sync, NULL, NULL);
    ask(scene, FUSE_ACCESS, FS_INODE_ROOT, &reads, sizeof reads, NULL, NULL);
    assert_int_equal(errno_of(scene, FUSE_ACCESS, FS_INODE_ROOT, &writes,
                              sizeof writes, NULL, NULL),
                     EACCES);
    assert_int_equal(errno_of(scene, FUSE_GETXATTR, FS_INODE_ROOT, &names_of,
                              sizeof names_of, "user.x", NULL),
                     ENODATA);
    assert_int_equal(((const struct fuse_getxattr_out *)ask(
                          scene, FUSE_LISTXATTR, FS_INODE_ROOT, &names_of,
                          sizeof names_of, NULL, NULL))
                         ->size,
                     0);
    assert_int_equal(errno_of(scene, FUSE_REMOVEXATTR, FS_INODE_ROOT, NULL, 0,
                              "user.x", NULL),
                     ENODATA);
    assert_true(
        (((const struct fuse_poll_out *)ask(scene, FUSE_POLL, FS_INODE_ROOT,
                                            &poll, sizeof poll, NULL, NULL))
             ->revents &
         POLLIN) != 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(top_leads_to_accounts),
        TEST(top_lists_accounts_in_order),
        TEST(top_goes_on_where_a_listing_was_full),
        TEST(top_tells_how_they_are),
        TEST(top_cannot_be_changed),
        TEST(account_that_is_broken_says_so),
        TEST(number_of_nobody_is_stale),
        TEST(top_answers_whatever_an_account_does),
        TEST(top_has_nothing_to_store_and_no_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
