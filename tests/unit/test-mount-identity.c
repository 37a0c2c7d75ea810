/* Which mount a path leads to, and where a mount is, by texts as the kernel
 * writes them. */
#include "fs/mount/mount-identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROOT "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define MAIL                                                                   \
    "40 22 0:31 / /mnt/mail rw,nosuid - fuse.imapfs imapfs#me@host rw\n"
#define OTHER                                                                  \
    "41 22 0:32 / /mnt/other rw,nosuid shared:7 - fuse.imapfs imapfs#me rw\n"

static void
find_takes_the_fuse_mount_at_the_path(void **state)
{
    FsMountIdentity found;

    assert_true(
        fs_mount_identity_find_in(ROOT MAIL OTHER, "/mnt/mail", &found));
    assert_int_equal(found.id, 40);
    assert_int_equal(found.device, 31);
    assert_string_equal(found.path, "/mnt/mail");
    assert_false(fs_mount_identity_find_in(ROOT MAIL, "/mnt", &found));
    assert_false(fs_mount_identity_find_in(ROOT MAIL, "/", &found));
    assert_false(fs_mount_identity_find_in("", "/mnt/mail", &found));
}

static void
find_takes_what_is_on_top(void **state)
{
    FsMountIdentity found;

    assert_true(fs_mount_identity_find_in(
        MAIL "50 40 0:40 / /mnt/mail rw - fuse.imapfs x rw\n", "/mnt/mail",
        &found));
    assert_int_equal(found.id, 50);
    assert_false(fs_mount_identity_find_in(
        MAIL "50 40 0:40 / /mnt/mail rw - tmpfs none rw\n", "/mnt/mail",
        &found));
}

static void
path_is_unescaped(void **state)
{
    FsMountIdentity found;

    assert_true(fs_mount_identity_find_in(
        "7 1 0:9 / /mnt/my\\040mail\\134\\011x rw - fuse.imapfs x rw\n",
        "/mnt/my mail\\\tx", &found));
    assert_int_equal(found.id, 7);
}

static void
what_is_no_line_is_passed_over(void **state)
{
    static const char *const odd[] = {
        "\n",
        "40\n",
        "x y z\n",
        "40 22\n",
        "40 22 0:31\n",
        "40 22 0:31 /\n",
        "40 22 0:31 / /mnt/mail\n",
    };
    FsMountIdentity found;

    for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autofree char *text = g_strconcat(odd[i], OTHER, NULL);

        assert_false(fs_mount_identity_find_in(text, "/mnt/mail", &found));
        assert_true(fs_mount_identity_find_in(text, "/mnt/other", &found));
    }
}

static void
path_that_is_too_long_is_not_found(void **state)
{
    g_autofree char *path = g_strnfill(FS_MOUNT_PATH_BYTES, 'x');
    g_autofree char *line =
        g_strdup_printf("7 1 0:9 / /%s rw - fuse.imapfs x rw\n", path);
    FsMountIdentity found;

    path[0] = '/';
    assert_false(fs_mount_identity_find_in(line, path, &found));
}

static FsMountPlace
locate(const char *text, FsMountIdentity *mount)
{
    assert_true(fs_mount_identity_find_in(MAIL, "/mnt/mail", mount));
    return fs_mount_identity_locate_in(text, mount);
}

static void
mount_is_told_by_its_id_and_device(void **state)
{
    FsMountIdentity mount;

    assert_int_equal(locate(ROOT MAIL OTHER, &mount), FS_MOUNT_ON_TOP);
    assert_int_equal(locate(ROOT OTHER, &mount), FS_MOUNT_GONE);
    /* The path, and either of them, are another's by now. */
    assert_int_equal(
        locate("40 22 0:32 / /mnt/mail rw - fuse.imapfs x rw\n", &mount),
        FS_MOUNT_GONE);
    assert_int_equal(
        locate("43 22 0:31 / /mnt/mail rw - fuse.imapfs x rw\n", &mount),
        FS_MOUNT_GONE);
    assert_int_equal(
        locate("40 22 8:31 / /mnt/mail rw - fuse.imapfs x rw\n", &mount),
        FS_MOUNT_GONE);
}

static void
mount_below_another_is_covered(void **state)
{
    FsMountIdentity mount;

    assert_int_equal(locate(MAIL
                            "50 40 0:40 / /mnt/mail rw - tmpfs none rw\n" OTHER,
                            &mount),
                     FS_MOUNT_COVERED);
    /* One that lies below it is none of its affair. */
    assert_int_equal(
        locate("30 22 0:20 / /mnt/mail rw - tmpfs none rw\n" MAIL, &mount),
        FS_MOUNT_ON_TOP);
}

static void
mount_that_was_moved_has_its_new_path(void **state)
{
    FsMountIdentity mount;

    assert_int_equal(
        locate("40 22 0:31 / /mnt/elsewhere rw - fuse.imapfs x rw\n", &mount),
        FS_MOUNT_ON_TOP);
    assert_string_equal(mount.path, "/mnt/elsewhere");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_takes_the_fuse_mount_at_the_path),
        cmocka_unit_test(find_takes_what_is_on_top),
        cmocka_unit_test(path_is_unescaped),
        cmocka_unit_test(what_is_no_line_is_passed_over),
        cmocka_unit_test(path_that_is_too_long_is_not_found),
        cmocka_unit_test(mount_is_told_by_its_id_and_device),
        cmocka_unit_test(mount_below_another_is_covered),
        cmocka_unit_test(mount_that_was_moved_has_its_new_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
