/* What is hidden, and what shows at another place than the index has it. */
#include "fs/changes/overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HERE 1
#define THERE 2
#define INODE G_GUINT64_CONSTANT(0x100000007)

typedef struct {
    FsOverlay *overlay;
} Scene;

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    scene->overlay = fs_overlay_new();
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_overlay_free(scene->overlay);
    g_free(scene);
    return 0;
}

static FsGuest *
add_guest(Scene *scene, guint64 inode, const char *name)
{
    const CacheMessage row = {
        .uid = 7, .size = 100, .stem = "stem", .flags = "\\Seen"};

    return fs_overlay_add_guest(scene->overlay, inode, THERE, 0, name, &row);
}

static void
hidden_as_often_as_it_was_hidden(void **state)
{
    FsOverlay *overlay = ((Scene *)*state)->overlay;

    assert_false(fs_overlay_is_hidden(overlay, HERE, 7));
    fs_overlay_hide(overlay, HERE, 7);
    fs_overlay_hide(overlay, HERE, 7);
    fs_overlay_show(overlay, HERE, 7);
    assert_true(fs_overlay_is_hidden(overlay, HERE, 7));
    assert_true(fs_overlay_is_taken_away(overlay, HERE, 7));
    assert_false(fs_overlay_is_hidden(overlay, THERE, 7));
    assert_false(fs_overlay_is_taken_away(overlay, THERE, 7));
    fs_overlay_show(overlay, HERE, 7);
    assert_false(fs_overlay_is_hidden(overlay, HERE, 7));
    assert_false(fs_overlay_is_taken_away(overlay, HERE, 7));
}

static void
new_messages_are_held_by_the_lowest_of_those_who_hold(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = add_guest(scene, INODE, "a.eml");

    fs_overlay_hold_new(overlay, THERE, 20);
    fs_overlay_hold_new(overlay, THERE, 10);
    assert_true(fs_overlay_is_hidden(overlay, THERE, 11));
    assert_false(fs_overlay_is_taken_away(overlay, THERE, 11));
    assert_false(fs_overlay_is_hidden(overlay, THERE, 10));
    fs_overlay_land_guest(overlay, guest, 15);
    assert_false(fs_overlay_is_hidden(overlay, THERE, 15));
    fs_overlay_release_new(overlay, THERE, 10);
    assert_int_equal(fs_overlay_held_above(overlay, THERE), 20);
    assert_false(fs_overlay_is_hidden(overlay, THERE, 11));
    assert_true(fs_overlay_is_hidden(overlay, THERE, 21));
    fs_overlay_release_new(overlay, THERE, 20);
    assert_false(fs_overlay_is_hidden(overlay, THERE, 21));
}

static void
guest_is_found_by_name_until_it_has_a_uid(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = add_guest(scene, INODE, "a.eml");

    assert_ptr_equal(fs_overlay_guest_by_name(overlay, THERE, "a.eml"), guest);
    assert_null(fs_overlay_guest_by_name(overlay, HERE, "a.eml"));
    assert_ptr_equal(fs_overlay_guest_by_inode(overlay, INODE), guest);
    assert_string_equal(guest->row.stem, "stem");
    fs_overlay_land_guest(overlay, guest, 30);
    assert_null(fs_overlay_guest_by_name(overlay, THERE, "a.eml"));
    assert_ptr_equal(fs_overlay_guest_by_uid(overlay, THERE, 30), guest);
    assert_int_equal(guest->row.uid, 30);
    fs_overlay_move_guest(overlay, guest, HERE, "b.eml");
    assert_null(fs_overlay_guest_by_uid(overlay, THERE, 30));
    assert_ptr_equal(fs_overlay_guest_by_name(overlay, HERE, "b.eml"), guest);
    fs_overlay_remove_guest(overlay, guest);
    assert_null(fs_overlay_guest_by_inode(overlay, INODE));
}

static void
listing_of_guests_goes_on_rightly_while_they_come_and_land(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *first = add_guest(scene, INODE, "a.eml");
    FsGuest *second = add_guest(scene, INODE + 1, "b.eml");
    guint32 at;

    assert_ptr_equal(fs_overlay_next_guest(overlay, THERE, 0), first);
    at = first->number;
    fs_overlay_land_guest(overlay, first, 40);
    fs_overlay_land_guest(overlay, second, 41);
    assert_ptr_equal(fs_overlay_next_guest(overlay, THERE, at), second);
    add_guest(scene, INODE + 2, "c.eml");
    at = second->number;
    assert_string_equal(fs_overlay_next_guest(overlay, THERE, at)->name,
                        "c.eml");
    assert_null(fs_overlay_next_guest(overlay, HERE, 0));
}

static void
guest_of_the_same_number_or_uid_takes_the_place(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *other;

    add_guest(scene, INODE, "a.eml");
    add_guest(scene, INODE, "b.eml");
    assert_null(fs_overlay_guest_by_name(overlay, THERE, "a.eml"));
    fs_overlay_land_guest(overlay, fs_overlay_guest_by_inode(overlay, INODE),
                          50);
    other = add_guest(scene, INODE + 1, "c.eml");
    fs_overlay_land_guest(overlay, other, 50);
    assert_ptr_equal(fs_overlay_guest_by_uid(overlay, THERE, 50), other);
    assert_null(fs_overlay_guest_by_inode(overlay, INODE));
}

static FsGuest *
land_guest(Scene *scene, guint64 inode, const char *name, guint32 uid)
{
    FsGuest *guest = add_guest(scene, inode, name);

    guest->is_seen = TRUE;
    fs_overlay_land_guest(scene->overlay, guest, uid);
    fs_overlay_keep_former_name(scene->overlay, guest);
    return guest;
}

static void
guest_is_found_by_the_name_that_was_seen_for_a_while(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = land_guest(scene, INODE, "a.eml", 30);

    assert_null(fs_overlay_guest_by_name(overlay, THERE, "a.eml"));
    assert_ptr_equal(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"),
                     guest);
    assert_null(fs_overlay_guest_by_former_name(overlay, HERE, "a.eml"));
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "b.eml"));
    guest->landed_at -= FS_OVERLAY_FORMER_US;
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
    guest->landed_at += FS_OVERLAY_FORMER_US;
    fs_overlay_remove_guest(overlay, guest);
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
}

static void
name_that_nobody_has_seen_is_not_found_afterwards(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = add_guest(scene, INODE, "a.eml");

    fs_overlay_land_guest(overlay, guest, 30);
    fs_overlay_keep_former_name(overlay, guest);
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
}

static void
guest_that_goes_on_loses_its_former_name(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = land_guest(scene, INODE, "a.eml", 30);

    fs_overlay_move_guest(overlay, guest, HERE, "b.eml");
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
    /* Nobody has seen the name that it has there. */
    fs_overlay_land_guest(overlay, guest, 31);
    fs_overlay_keep_former_name(overlay, guest);
    assert_null(fs_overlay_guest_by_former_name(overlay, HERE, "b.eml"));
}

static void
former_name_of_two_is_that_of_the_last(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *first = land_guest(scene, INODE, "a.eml", 30);
    FsGuest *second = land_guest(scene, INODE + 1, "a.eml", 31);

    assert_ptr_equal(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"),
                     second);
    fs_overlay_remove_guest(overlay, first);
    assert_ptr_equal(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"),
                     second);
    fs_overlay_remove_guest(overlay, second);
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
}

static void
former_name_that_is_forgotten_does_not_come_back(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *guest = land_guest(scene, INODE, "a.eml", 30);

    fs_overlay_forget_former_name(overlay, HERE, "a.eml");
    fs_overlay_forget_former_name(overlay, THERE, "b.eml");
    assert_non_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
    fs_overlay_forget_former_name(overlay, THERE, "a.eml");
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "a.eml"));
    assert_ptr_equal(fs_overlay_guest_by_uid(overlay, THERE, 30), guest);
}

static void
former_names_are_bounded(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->overlay;
    FsGuest *first = land_guest(scene, INODE, "first.eml", 1);

    for (guint i = 1; i < FS_OVERLAY_FORMER_MAX; i++) {
        char name[16];

        g_snprintf(name, sizeof name, "%u.eml", i);
        land_guest(scene, INODE + i, name, 1 + i);
    }
    assert_non_null(
        fs_overlay_guest_by_former_name(overlay, THERE, "first.eml"));
    land_guest(scene, INODE + FS_OVERLAY_FORMER_MAX, "last.eml",
               1 + FS_OVERLAY_FORMER_MAX);
    assert_null(first->former.data);
    assert_null(fs_overlay_guest_by_former_name(overlay, THERE, "first.eml"));
    assert_non_null(fs_overlay_guest_by_former_name(overlay, THERE, "1.eml"));
    assert_non_null(
        fs_overlay_guest_by_former_name(overlay, THERE, "last.eml"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hidden_as_often_as_it_was_hidden),
        TEST(new_messages_are_held_by_the_lowest_of_those_who_hold),
        TEST(guest_is_found_by_name_until_it_has_a_uid),
        TEST(listing_of_guests_goes_on_rightly_while_they_come_and_land),
        TEST(guest_of_the_same_number_or_uid_takes_the_place),
        TEST(guest_is_found_by_the_name_that_was_seen_for_a_while),
        TEST(name_that_nobody_has_seen_is_not_found_afterwards),
        TEST(guest_that_goes_on_loses_its_former_name),
        TEST(former_name_of_two_is_that_of_the_last),
        TEST(former_name_that_is_forgotten_does_not_come_back),
        TEST(former_names_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
