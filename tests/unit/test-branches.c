/* What of the kernel's requests reaches which account, in which terms, and what
 * comes back. */
#include "branches-fixture.h"

/* ---- requests ---- */

static void
request_goes_to_its_account_in_its_terms(void **state)
{
    Scene *scene = *state;

    for (int i = WORK; i <= HOME; i++) {
        const struct fuse_entry_out *entry =
            ask(scene, FUSE_LOOKUP, root_of(scene, i), NULL, 0, "mail", NULL);

        assert_int_equal(scene->accounts[i].asked, FS_INODE_ROOT);
        assert_int_equal(scene->accounts[i].n_asked, 1);
        assert_true(entry->nodeid == number_of(scene, i, MAIL_INODE));
        assert_true(entry->attr.ino == entry->nodeid);
    }
}

static void
number_that_was_told_leads_back(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    const struct fuse_entry_out *entry =
        ask(scene, FUSE_LOOKUP, root_of(scene, HOME), NULL, 0, "flags", NULL);
    guint64 number = entry->nodeid;
    const struct fuse_attr_out *attributes =
        ask(scene, FUSE_GETATTR, number, &getattr, sizeof getattr, NULL, NULL);

    assert_int_equal(scene->accounts[WORK].n_asked, 0);
    assert_true(scene->accounts[HOME].asked == (MAIL_INODE | FS_INODE_FLAGS));
    assert_true(attributes->attr.ino == number);
}

static void
error_comes_back(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, FUSE_LOOKUP, root_of(scene, WORK), NULL, 0,
                              "missing", NULL),
                     ENOENT);
}

static void
listing_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIR, root_of(scene, HOME), &read,
                         sizeof read, NULL, NULL);
    const struct fuse_dirent *dot = (const void *)at;
    const struct fuse_dirent *mail = (const void *)(at + FUSE_DIRENT_SIZE(dot));

    assert_true(dot->ino == root_of(scene, HOME));
    assert_true(mail->ino == number_of(scene, HOME, MAIL_INODE));
    assert_memory_equal(mail->name, "mail", 4);
}

static void
listing_with_attributes_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 4096};
    const char *at = ask(scene, FUSE_READDIRPLUS, root_of(scene, HOME), &read,
                         sizeof read, NULL, NULL);
    const struct fuse_direntplus *dot = (const void *)at;
    const struct fuse_direntplus *mail =
        (const void *)(at + FUSE_DIRENTPLUS_SIZE(dot));

    /* That there is no node, is said by a 0. */
    assert_int_equal(dot->entry_out.nodeid, 0);
    assert_true(dot->dirent.ino == root_of(scene, HOME));
    assert_true(mail->entry_out.nodeid == number_of(scene, HOME, MAIL_INODE));
    assert_true(mail->entry_out.attr.ino == mail->entry_out.nodeid);
    assert_true(mail->dirent.ino == mail->entry_out.nodeid);
}

static void
rename_within_account_is_its_own(void **state)
{
    Scene *scene = *state;
    const struct fuse_rename2_in rename = {
        .newdir = number_of(scene, WORK, G_GUINT64_CONSTANT(5) << 32)};

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK),
                              &rename, sizeof rename, "a", "b"),
                     0);
    assert_int_equal(scene->accounts[WORK].asked, FS_INODE_ROOT);
    assert_true(scene->accounts[WORK].asked_second == G_GUINT64_CONSTANT(5)
                                                          << 32);
}

static void
what_is_about_two_accounts_is_refused(void **state)
{
    Scene *scene = *state;
    const struct fuse_rename2_in rename2 = {.newdir = root_of(scene, HOME)};
    const struct fuse_rename_in rename = {.newdir = root_of(scene, HOME)};
    const struct fuse_rename_in to_top = {.newdir = FS_INODE_ROOT};
    const struct fuse_link_in link = {.oldnodeid =
                                          number_of(scene, WORK, MAIL_INODE)};
    const struct fuse_copy_file_range_in copy = {
        .nodeid_out = number_of(scene, HOME, MAIL_INODE)};

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK),
                              &rename2, sizeof rename2, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME, root_of(scene, WORK), &rename,
                              sizeof rename, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME, root_of(scene, WORK), &to_top,
                              sizeof to_top, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_RENAME2, FS_INODE_ROOT, &rename2,
                              sizeof rename2, "a", "b"),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_LINK, root_of(scene, HOME), &link,
                              sizeof link, "b", NULL),
                     EXDEV);
    assert_int_equal(errno_of(scene, FUSE_COPY_FILE_RANGE,
                              number_of(scene, WORK, MAIL_INODE), &copy,
                              sizeof copy, NULL, NULL),
                     EXDEV);
    assert_int_equal(scene->accounts[WORK].n_asked, 0);
    assert_int_equal(scene->accounts[HOME].n_asked, 0);
}

static void
request_that_is_cut_short_is_refused(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, FUSE_RENAME2, root_of(scene, WORK), NULL,
                              0, NULL, NULL),
                     EXDEV);
}

static void
interrupt_reaches_who_works_on_it(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 100};
    struct fuse_interrupt_in interrupt = {
        .unique = put(scene, FUSE_READ, number_of(scene, HOME, MAIL_INODE),
                      &read, sizeof read, NULL, NULL)};

    assert_null(take(scene));
    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    assert_true(scene->accounts[HOME].interrupted);
    assert_false(scene->accounts[WORK].interrupted);
    fuse_reply_err(scene->accounts[HOME].waiting, EINTR);
    assert_int_equal(take(scene)->error, -EINTR);
    /* Nobody knows it any more. */
    scene->accounts[HOME].interrupted = FALSE;
    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    assert_null(take(scene));
    assert_false(scene->accounts[HOME].interrupted);
}

static void
forgetting_is_not_answered(void **state)
{
    Scene *scene = *state;
    const struct fuse_forget_in forget = {.nlookup = 1};
    const struct {
        struct fuse_batch_forget_in head;
        struct fuse_forget_one one;
    } batch = {{.count = 1}, {.nodeid = number_of(scene, WORK, MAIL_INODE)}};

    put(scene, FUSE_FORGET, number_of(scene, WORK, MAIL_INODE), &forget,
        sizeof forget, NULL, NULL);
    put(scene, FUSE_BATCH_FORGET, 0, &batch, sizeof batch, NULL, NULL);
    assert_null(take(scene));
}

static void
what_libfuse_does_not_know_is_refused(void **state)
{
    Scene *scene = *state;

    assert_int_equal(errno_of(scene, 4000, number_of(scene, WORK, MAIL_INODE),
                              NULL, 0, NULL, NULL),
                     ENOSYS);
}

/* ---- operations that wait ---- */

static gint64 watched_at[N_ACCOUNTS];

static void
watch(gpointer user_data)
{
    watched_at[GPOINTER_TO_INT(user_data)] = g_get_monotonic_time();
}

static void
let_wait_for(Scene *scene, FsNeed *awaited)
{
    need = awaited;
    for (int i = WORK; i <= HOME; i++) {
        put(scene, FUSE_STATFS, root_of(scene, i), NULL, 0, NULL, NULL);
        assert_int_equal(fs_operation_n_waiting(&scene->accounts[i]), 1);
    }
    assert_null(take(scene));
}

static void
let_wait(Scene *scene)
{
    let_wait_for(scene, fs_need_new());
}

/* Those of HOME fail, too. */
static void
end_waiting(Scene *scene)
{
    fs_operation_fail_all(&scene->accounts[HOME], EIO);
    assert_int_equal(take(scene)->error, -EIO);
    fs_operation_forget_owner(&scene->accounts[WORK]);
    fs_operation_forget_owner(&scene->accounts[HOME]);
    g_clear_pointer(&need, fs_need_unref);
}

static void
operations_of_another_account_do_not_fail(void **state)
{
    Scene *scene = *state;

    let_wait(scene);
    fs_operation_fail_older(&scene->accounts[WORK], G_MAXINT64, ETIMEDOUT);
    assert_int_equal(take(scene)->error, -ETIMEDOUT);
    assert_null(take(scene));
    assert_int_equal(fs_operation_n_waiting(&scene->accounts[WORK]), 0);
    assert_int_equal(fs_operation_n_waiting(&scene->accounts[HOME]), 1);
    end_waiting(scene);
}

/* The disk may take longer than a server may, and the change is made. */
static void
operation_that_waits_for_the_disk_does_not_fail(void **state)
{
    Scene *scene = *state;

    let_wait_for(scene, fs_need_new_local());
    fs_operation_fail_older(&scene->accounts[WORK], G_MAXINT64, ETIMEDOUT);
    assert_null(take(scene));
    assert_int_equal(fs_operation_n_waiting(&scene->accounts[WORK]), 1);
    fs_operation_fail_all(&scene->accounts[WORK], ENETDOWN);
    assert_int_equal(take(scene)->error, -ENETDOWN);
    end_waiting(scene);
}

static void
operations_of_another_account_are_not_run_again(void **state)
{
    Scene *scene = *state;

    let_wait(scene);
    fs_operation_run_all_again(&scene->accounts[WORK]);
    assert_int_equal(scene->accounts[WORK].n_runs, 2);
    assert_int_equal(scene->accounts[HOME].n_runs, 1);
    fs_operation_fail_all(&scene->accounts[WORK], ENETDOWN);
    assert_int_equal(take(scene)->error, -ENETDOWN);
    end_waiting(scene);
}

static void
end_of_one_account_lets_others_wait(void **state)
{
    Scene *scene = *state;

    let_wait(scene);
    fs_operation_fail_all(&scene->accounts[WORK], ENETDOWN);
    assert_int_equal(take(scene)->error, -ENETDOWN);
    assert_int_equal(
        errno_of(scene, FUSE_STATFS, root_of(scene, WORK), NULL, 0, NULL, NULL),
        ENETDOWN);
    put(scene, FUSE_STATFS, root_of(scene, HOME), NULL, 0, NULL, NULL);
    assert_null(take(scene));
    assert_int_equal(fs_operation_n_waiting(&scene->accounts[HOME]), 2);
    fs_operation_fail_all(&scene->accounts[HOME], EIO);
    assert_int_equal(take(scene)->error, -EIO);
    end_waiting(scene);
}

static void
each_account_has_its_watch(void **state)
{
    Scene *scene = *state;

    for (int i = WORK; i <= HOME; i++)
        fs_operation_set_watch(&scene->accounts[i], watch, GINT_TO_POINTER(i));
    let_wait(scene);
    while (watched_at[WORK] == 0 || watched_at[HOME] == 0)
        g_main_context_iteration(NULL, TRUE);
    fs_operation_set_watch(&scene->accounts[WORK], NULL, NULL);
    watched_at[WORK] = watched_at[HOME] = 0;
    while (watched_at[HOME] == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(watched_at[WORK], 0);
    fs_operation_fail_all(&scene->accounts[WORK], EIO);
    assert_int_equal(take(scene)->error, -EIO);
    end_waiting(scene);
}

/* ---- notifications ---- */

static void
notification_has_the_kernels_numbers(void **state)
{
    Scene *scene = *state;
    const struct fuse_notify_inval_inode_out *inode;
    const struct fuse_notify_inval_entry_out *entry;
    const struct fuse_notify_delete_out *gone;
    const struct fuse_out_header *message;

    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME], MAIL_INODE, -1, 0);
    message = take(scene);
    inode = body_of(message);
    assert_int_equal(message->error, FUSE_NOTIFY_INVAL_INODE);
    assert_true(inode->ino == number_of(scene, HOME, MAIL_INODE));
    fuse_lowlevel_notify_inval_entry(scene->fuse[WORK], FS_INODE_ROOT, "mail",
                                     4);
    message = take(scene);
    entry = body_of(message);
    assert_true(entry->parent == root_of(scene, WORK));
    assert_string_equal((const char *)(entry + 1), "mail");
    fuse_lowlevel_notify_delete(scene->fuse[WORK], FS_INODE_ROOT, MAIL_INODE,
                                "mail", 4);
    message = take(scene);
    gone = body_of(message);
    assert_true(gone->parent == root_of(scene, WORK));
    assert_true(gone->child == number_of(scene, WORK, MAIL_INODE));
}

static void
notification_of_content_is_passed_on(void **state)
{
    Scene *scene = *state;
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(5);
    const struct fuse_notify_store_out *content;

    buffer.buf[0].mem = (char *)"bytes";
    fuse_lowlevel_notify_store(scene->fuse[HOME], MAIL_INODE, 0, &buffer, 0);
    content = body_of(take(scene));
    assert_true(content->nodeid == number_of(scene, HOME, MAIL_INODE));
    assert_memory_equal((const char *)(content + 1), "bytes", 5);
}

static void
notification_of_what_the_kernel_does_not_know_is_dropped(void **state)
{
    Scene *scene = *state;

    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME],
                                     MAIL_INODE | FS_INODE_FLAGS, -1, 0);
    assert_null(take(scene));
}

static void
nothing_is_said_after_the_end(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 100};

    put(scene, FUSE_READ, number_of(scene, HOME, MAIL_INODE), &read,
        sizeof read, NULL, NULL);
    fs_branches_end(scene->branches);
    fuse_reply_err(scene->accounts[HOME].waiting, EIO);
    fuse_lowlevel_notify_inval_inode(scene->fuse[HOME], MAIL_INODE, -1, 0);
    assert_null(take(scene));
}

/* ---- an account that comes later ---- */

static void
request_waits_for_an_account_that_is_expected(void **state)
{
    Scene *scene = *state;
    const struct fuse_getattr_in getattr = {0};
    guint64 unique =
        put(scene, FUSE_LOOKUP, root_of(scene, LATER), NULL, 0, "mail", NULL);
    const struct fuse_out_header *reply;
    const struct fuse_attr_out *attributes;
    const struct fuse_entry_out *entry;

    assert_null(take(scene));
    /* What its directory is like is known. */
    attributes = ask(scene, FUSE_GETATTR, root_of(scene, LATER), &getattr,
                     sizeof getattr, NULL, NULL);
    assert_true(S_ISDIR(attributes->attr.mode));
    assert_int_equal(attributes->attr_valid, 0);
    /* As stat(1) asks first (FUSE_STATX). */
    assert_int_equal(
        errno_of(scene, 52, root_of(scene, LATER), NULL, 0, NULL, NULL),
        ENOSYS);
    /* Others are served meanwhile. */
    ask(scene, FUSE_LOOKUP, root_of(scene, WORK), NULL, 0, "mail", NULL);

    add_account(scene, LATER);
    assert_null(take(scene));
    fs_branches_serve_kept(scene->branches, scene->numbers[LATER]);
    reply = take(scene);
    assert_non_null(reply);
    assert_int_equal(reply->unique, unique);
    assert_int_equal(reply->error, 0);
    entry = body_of(reply);
    assert_true(entry->nodeid == number_of(scene, LATER, MAIL_INODE));
    assert_int_equal(scene->accounts[LATER].asked, FS_INODE_ROOT);
    assert_null(take(scene));

    ask(scene, FUSE_LOOKUP, root_of(scene, LATER), NULL, 0, "mail", NULL);
    assert_int_equal(scene->accounts[LATER].n_asked, 2);
}

static void
request_to_one_that_does_not_come_says_why(void **state)
{
    Scene *scene = *state;
    const struct fuse_open_in open = {0};
    guint64 unique = put(scene, FUSE_OPENDIR, root_of(scene, LATER), &open,
                         sizeof open, NULL, NULL);
    const struct fuse_out_header *reply;

    assert_null(take(scene));
    fs_root_directory_set_broken(scene->root, root_of(scene, LATER), ENETDOWN);
    fs_branches_serve_kept(scene->branches, scene->numbers[LATER]);
    reply = take(scene);
    assert_non_null(reply);
    assert_int_equal(reply->unique, unique);
    assert_int_equal(reply->error, -ENETDOWN);
    assert_int_equal(errno_of(scene, FUSE_LOOKUP, root_of(scene, LATER), NULL,
                              0, "mail", NULL),
                     ENETDOWN);
}

static void
interrupt_reaches_who_waits_for_an_account(void **state)
{
    Scene *scene = *state;
    struct fuse_interrupt_in interrupt = {.unique = put(scene, FUSE_LOOKUP,
                                                        root_of(scene, LATER),
                                                        NULL, 0, "mail", NULL)};
    const struct fuse_out_header *reply;

    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    while ((reply = take(scene)) == NULL)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(reply->unique, interrupt.unique);
    assert_int_equal(reply->error, -EINTR);
    add_account(scene, LATER);
    fs_branches_serve_kept(scene->branches, scene->numbers[LATER]);
    assert_null(take(scene));
    assert_int_equal(scene->accounts[LATER].n_asked, 0);
}

static void
interrupt_of_who_goes_on_waiting_is_handed_on(void **state)
{
    Scene *scene = *state;
    const struct fuse_read_in read = {.size = 100};
    struct fuse_interrupt_in interrupt;

    scene->sender = getpid(); /* no signal waits for us */
    interrupt = (struct fuse_interrupt_in){
        .unique = put(scene, FUSE_READ, number_of(scene, LATER, MAIL_INODE),
                      &read, sizeof read, NULL, NULL)};
    put(scene, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt, NULL, NULL);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_null(take(scene));
    add_account(scene, LATER);
    fs_branches_serve_kept(scene->branches, scene->numbers[LATER]);
    assert_null(take(scene));
    assert_int_equal(scene->accounts[LATER].n_asked, 1);
    assert_true(scene->accounts[LATER].interrupted);
    fuse_reply_err(scene->accounts[LATER].waiting, EINTR);
}

static void
only_so_many_wait_for_an_account(void **state)
{
    Scene *scene = *state;
    const struct fuse_out_header *reply = NULL;
    guint n = 0;

    for (; reply == NULL && n < 100000; n++) {
        put(scene, FUSE_LOOKUP, root_of(scene, LATER), NULL, 0, "mail", NULL);
        reply = take(scene);
    }
    assert_non_null(reply);
    assert_int_equal(reply->error, -EBUSY);
    /* What needs no answer is not kept. */
    put(scene, FUSE_FORGET, root_of(scene, LATER), &(guint64){1}, 8, NULL,
        NULL);
    assert_null(take(scene));
    assert_true(n > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_goes_to_its_account_in_its_terms),
        TEST(number_that_was_told_leads_back),
        TEST(error_comes_back),
        TEST(listing_has_the_kernels_numbers),
        TEST(listing_with_attributes_has_the_kernels_numbers),
        TEST(rename_within_account_is_its_own),
        TEST(what_is_about_two_accounts_is_refused),
        TEST(request_that_is_cut_short_is_refused),
        TEST(interrupt_reaches_who_works_on_it),
        TEST(forgetting_is_not_answered),
        TEST(what_libfuse_does_not_know_is_refused),
        TEST(operations_of_another_account_do_not_fail),
        TEST(operation_that_waits_for_the_disk_does_not_fail),
        TEST(operations_of_another_account_are_not_run_again),
        TEST(end_of_one_account_lets_others_wait),
        TEST(each_account_has_its_watch),
        TEST(notification_has_the_kernels_numbers),
        TEST(notification_of_content_is_passed_on),
        TEST(notification_of_what_the_kernel_does_not_know_is_dropped),
        TEST(nothing_is_said_after_the_end),
        TEST(request_waits_for_an_account_that_is_expected),
        TEST(request_to_one_that_does_not_come_says_why),
        TEST(interrupt_reaches_who_waits_for_an_account),
        TEST(interrupt_of_who_goes_on_waiting_is_handed_on),
        TEST(only_so_many_wait_for_an_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
