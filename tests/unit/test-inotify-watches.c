/* Watches, by texts as the kernel writes them, and one of our own. */
#include "fs/live/inotify-watches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "pos:\t0\nflags:\t00\nmnt_id:\t17\nino:\t1038\n"

static GArray *
new_inodes(void)
{
    return g_array_new(FALSE, FALSE, sizeof(guint64));
}

static guint64
inode_at(const GArray *inodes, guint i)
{
    return g_array_index(inodes, guint64, i);
}

static void
watches_of_the_device_are_found(void **state)
{
    g_autoptr(GArray) inodes = new_inodes();

    assert_true(fs_inotify_watches_parse(
        HEAD "inotify wd:3 ino:1 sdev:27 mask:fff ignored_mask:0 fhandle-x\n"
             "inotify wd:2 ino:800001 sdev:2 mask:fff ignored_mask:0 \n"
             "inotify wd:1 ino:fff00000002 sdev:27 mask:fce ignored_mask:0",
        0x27, inodes));
    assert_int_equal(inodes->len, 2);
    assert_int_equal(inode_at(inodes, 0), 1);
    assert_int_equal(inode_at(inodes, 1), 0xfff00000002);
}

static void
other_lines_are_passed_over(void **state)
{
    static const char *const odd[] = {
        "",
        HEAD,
        "inotify",
        "inotify wd:1",
        "inotify wd:1 ino:5 mask:fff\n",
        "inotify wd:1 sdev:27 mask:fff\n",
        "inotify wd:1 ino: sdev: mask:fff\n",
        "inotify wd:1 ino:x sdev:27 mask:fff\n",
        "inotify wd:1 ino:5 sdev:270 mask:fff\n",
        "fanotify ino:5 sdev:27 mflags:0 mask:1\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autoptr(GArray) inodes = new_inodes();

        assert_true(fs_inotify_watches_parse(odd[i], 0x27, inodes));
        assert_int_equal(inodes->len, 0);
    }
}

static void
too_many_watches_are_said_to_be_so(void **state)
{
    g_autoptr(GArray) inodes = new_inodes();
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < FS_INOTIFY_MAX; i++)
        g_string_append_printf(text, "inotify wd:1 ino:%x sdev:27 mask:1\n", i);
    assert_true(fs_inotify_watches_parse(text->str, 0x27, inodes));
    g_string_append(text, "inotify wd:1 ino:fffff sdev:27 mask:1\n");
    assert_false(fs_inotify_watches_parse(text->str, 0x27, inodes));
    assert_true(inodes->len <= FS_INOTIFY_MAX);
}

/* 1 for found, 0 for not. */
static guint
count_found(const struct stat *wanted)
{
    g_autoptr(GArray) inodes = new_inodes();
    guint count = 0;

    assert_true(fs_inotify_watches_find((guint32)wanted->st_dev, inodes));
    for (guint i = 0; i < inodes->len; i++)
        count += inode_at(inodes, i) == wanted->st_ino;
    return count;
}

static void
watch_of_a_process_is_found_once(void **state)
{
    char path[] = "/dev/shm/imapfs-test-XXXXXX";
    struct stat attributes;
    int watching[2];

    if (mkdtemp(path) == NULL || stat(path, &attributes) != 0 ||
        major(attributes.st_dev) != 0)
        skip();
    assert_int_equal(count_found(&attributes), 0);
    for (int i = 0; i < 2; i++) {
        watching[i] = inotify_init1(IN_CLOEXEC);
        assert_true(watching[i] >= 0);
        assert_true(inotify_add_watch(watching[i], path, IN_CREATE) >= 0);
    }
    assert_int_equal(count_found(&attributes), 1);
    close(watching[0]);
    close(watching[1]);
    assert_int_equal(count_found(&attributes), 0);
    rmdir(path);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(watches_of_the_device_are_found),
        cmocka_unit_test(other_lines_are_passed_over),
        cmocka_unit_test(too_many_watches_are_said_to_be_so),
        cmocka_unit_test(watch_of_a_process_is_found_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
