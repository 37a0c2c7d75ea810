/* What the process that announces is asked, and what is made of its answers.
 * Here the test is that process. */
#include "fs/live/announcer.h"

#include "fs/kernel/inode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PROCESS 4711
#define DEVICE 39

static int ends[2]; /* the announcer's, and ours */

/* ---- in the place of fs/mount/helper-process.c ---- */

FsHelperProcess *
fs_helper_process_start(const char *name, FsHelperFunc func)
{
    return NULL;
}

void
fs_helper_process_free(FsHelperProcess *process)
{
    if (process != NULL)
        close(ends[0]);
}

int
fs_helper_process_line(const FsHelperProcess *process)
{
    return ends[0];
}

pid_t
fs_helper_process_id(const FsHelperProcess *process)
{
    return PROCESS;
}

/* ---- the scene ---- */

typedef struct {
    FsMailboxTree *tree;
    FsAnnouncer *announcer;
    guint64 inbox, below;
    GArray *watched; /* of guint64: as was told */
} Scene;

static guint64
directory_inode(const FsMailboxTree *tree, guint32 parent, const char *name)
{
    return fs_inode_make(0, fs_mailbox_tree_child(tree, parent, name)->id, 0);
}

static void
note_watched(guint64 directory, gpointer user_data)
{
    Scene *scene = user_data;

    g_array_append_val(scene->watched, directory);
}

static int
set_up(void **state)
{
    static const FsMailboxListing listings[] = {
        {"INBOX", "INBOX", '/', 0},
        {"INBOX/Below", "INBOX/Below", '/', 0},
    };
    const FsMountIdentity mount = {7, DEVICE, "/mnt/mail"};
    Scene *scene = g_new0(Scene, 1);

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    scene->tree = fs_mailbox_tree_new();
    assert_true(fs_mailbox_tree_update(
        scene->tree, listings, G_N_ELEMENTS(listings), NULL, NULL, NULL));
    scene->inbox = directory_inode(scene->tree, 0, "INBOX");
    scene->below =
        directory_inode(scene->tree, fs_inode_mailbox(scene->inbox), "Below");
    scene->watched = g_array_new(FALSE, FALSE, sizeof(guint64));
    scene->announcer = fs_announcer_new((FsHelperProcess *)scene, scene->tree);
    fs_announcer_set_watched_func(scene->announcer, note_watched, scene);
    fs_announcer_start(scene->announcer, &mount);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_announcer_free(scene->announcer);
    fs_mailbox_tree_free(scene->tree);
    g_array_unref(scene->watched);
    g_free(scene);
    close(ends[1]);
    return 0;
}

static gboolean
give_up(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

/* What it is asked next, "kind directory name"; NULL: nothing, in @wait_ms. */
static char *
next_request(guint wait_ms)
{
    static const char *const kinds[] = {"new", "gone", "new-directory",
                                        "gone-directory", "look"};
    FsAnnouncementRequest request;
    gboolean over = FALSE;
    guint timer = g_timeout_add(wait_ms, give_up, &over);
    ssize_t length;

    while ((length = recv(ends[1], &request, sizeof request, 0)) < 0 && !over)
        g_main_context_iteration(NULL, TRUE);
    if (!over)
        g_source_remove(timer);
    if (length < 0)
        return NULL;
    assert_int_equal(request.device, DEVICE);
    assert_int_equal(request.mount, 7);
    if (request.kind == FS_ANNOUNCE_LOOK)
        return g_strdup(kinds[request.kind]);
    return g_strdup_printf("%s %s %s", kinds[request.kind], request.text,
                           request.text + strlen(request.text) + 1);
}

static void
assert_asked(const char *wanted)
{
    g_autofree char *found = next_request(20000);

    assert_non_null(found);
    assert_string_equal(found, wanted);
}

static void
assert_nothing_asked(void)
{
    assert_null(next_request(20));
}

static void
answer(FsAnnouncementKind kind, const guint64 *inodes, guint n_inodes)
{
    FsAnnouncementReply reply = {.kind = kind, .n_inodes = n_inodes};

    if (n_inodes > 0)
        memcpy(reply.inodes, inodes, n_inodes * sizeof *inodes);
    assert_true(send(ends[1], &reply, sizeof reply, 0) > 0);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
answer_look(guint64 watched)
{
    assert_asked("look");
    answer(FS_ANNOUNCE_LOOK, &watched, watched != 0);
}

static void
add(Scene *scene, FsAnnouncementKind kind, guint64 directory, const char *name,
    guint32 uid)
{
    fs_announcer_add(scene->announcer, kind, directory, name, directory + uid);
}

/* ---- the tests ---- */

static void
arrival_where_somebody_watches_is_announced(void **state)
{
    Scene *scene = *state;
    const FsAnnouncement *found;

    add(scene, FS_ANNOUNCE_NEW_FILE, scene->below, "9.eml", 9);
    assert_null(fs_announcer_find(scene->announcer, scene->below, "9.eml"));
    answer_look(scene->below);
    assert_int_equal(scene->watched->len, 1);
    assert_asked("new /mnt/mail/INBOX/Below 9.eml");

    found = fs_announcer_find(scene->announcer, scene->below, "9.eml");
    assert_non_null(found);
    assert_int_equal(found->inode, scene->below + 9);
    assert_null(fs_announcer_find(scene->announcer, scene->inbox, "9.eml"));
    assert_null(fs_announcer_find(scene->announcer, scene->below, "8.eml"));

    answer(FS_ANNOUNCE_NEW_FILE, NULL, 0);
    assert_null(fs_announcer_find(scene->announcer, scene->below, "9.eml"));
    /* Who was seen watching is told at once. */
    add(scene, FS_ANNOUNCE_GONE_FILE, scene->below, "9.eml", 9);
    assert_asked("gone /mnt/mail/INBOX/Below 9.eml");
}

static void
changes_that_nobody_watches_cost_one_look(void **state)
{
    Scene *scene = *state;

    for (guint32 uid = 1; uid <= 100; uid++) {
        g_autofree char *name = g_strdup_printf("%u.eml", uid);

        add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, name, uid);
    }
    answer_look(scene->below);
    /* Those but one came after the look had begun, and wait for another. */
    assert_nothing_asked();
    answer_look(0);
    assert_null(next_request(1500));
}

static void
watch_that_began_after_a_look_is_found_by_the_next(void **state)
{
    Scene *scene = *state;

    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "1.eml", 1);
    answer_look(0);
    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "2.eml", 2);
    answer_look(scene->inbox);
    assert_asked("new /mnt/mail/INBOX 2.eml");
}

static void
what_came_and_went_untold_is_not_told(void **state)
{
    Scene *scene = *state;

    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "1.eml", 1);
    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "2.eml", 2);
    add(scene, FS_ANNOUNCE_GONE_FILE, scene->inbox, "1.eml", 1);
    answer_look(scene->inbox);
    assert_asked("new /mnt/mail/INBOX 2.eml");
    /* This one is being told. */
    add(scene, FS_ANNOUNCE_GONE_FILE, scene->inbox, "2.eml", 2);
    assert_nothing_asked();
    answer(FS_ANNOUNCE_NEW_FILE, NULL, 0);
    assert_asked("gone /mnt/mail/INBOX 2.eml");
}

static void
few_are_asked_at_a_time_and_all_in_order(void **state)
{
    Scene *scene = *state;
    guint n_asked = 0, n_answered = 0;

    add(scene, FS_ANNOUNCE_NEW_DIRECTORY, FS_INODE_ROOT, "New", 0);
    answer_look(FS_INODE_ROOT);
    assert_asked("new-directory /mnt/mail New");
    answer(FS_ANNOUNCE_NEW_DIRECTORY, NULL, 0);
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);

        fs_announcer_add(scene->announcer, FS_ANNOUNCE_GONE_DIRECTORY,
                         FS_INODE_ROOT, name, 1000 + i);
    }
    while (n_answered < 1000) {
        g_autofree char *found = next_request(1);
        g_autofree char *wanted =
            g_strdup_printf("gone-directory /mnt/mail %u", n_asked);

        if (found != NULL) {
            assert_string_equal(found, wanted);
            n_asked++;
            assert_true(n_asked - n_answered <= 32);
        } else {
            assert_true(n_asked > n_answered);
            answer(FS_ANNOUNCE_GONE_DIRECTORY, NULL, 0);
            n_answered++;
        }
    }
    assert_nothing_asked();
}

static void
directory_that_is_gone_is_passed_over(void **state)
{
    Scene *scene = *state;
    const FsMailboxListing inbox = {"INBOX", "INBOX", '/', 0};
    guint64 both[] = {scene->inbox, scene->below};

    add(scene, FS_ANNOUNCE_GONE_FILE, scene->below, "1.eml", 1);
    add(scene, FS_ANNOUNCE_GONE_FILE, scene->inbox, "1.eml", 1);
    assert_true(
        fs_mailbox_tree_update(scene->tree, &inbox, 1, NULL, NULL, NULL));
    assert_asked("look");
    answer(FS_ANNOUNCE_LOOK, both, G_N_ELEMENTS(both));
    assert_asked("gone /mnt/mail/INBOX 1.eml");
    assert_nothing_asked();
}

static void
process_that_has_ended_is_asked_nothing(void **state)
{
    Scene *scene = *state;

    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "1.eml", 1);
    answer_look(scene->inbox);
    assert_true(fs_announcer_is_ours(scene->announcer, PROCESS));
    assert_false(fs_announcer_is_ours(scene->announcer, PROCESS + 1));
    shutdown(ends[1], SHUT_RDWR);
    while (fs_announcer_is_ours(scene->announcer, PROCESS))
        g_main_context_iteration(NULL, TRUE);
    assert_null(fs_announcer_find(scene->announcer, scene->inbox, "1.eml"));
    add(scene, FS_ANNOUNCE_NEW_FILE, scene->inbox, "2.eml", 2);
    fs_announcer_look(scene->announcer);
    assert_null(
        g_main_context_find_source_by_user_data(NULL, scene->announcer));
}

static void
nothing_is_announced_without_a_process(void **state)
{
    g_autoptr(FsAnnouncer) none = fs_announcer_new(NULL, NULL);
    const FsMountIdentity mount = {7, DEVICE, "/mnt/mail"};

    fs_announcer_start(none, &mount);
    fs_announcer_add(none, FS_ANNOUNCE_NEW_FILE, 1, "1.eml", 5);
    fs_announcer_add(NULL, FS_ANNOUNCE_NEW_FILE, 1, "1.eml", 5);
    assert_false(fs_announcer_is_ours(NULL, PROCESS));
    assert_false(fs_announcer_is_ours(none, PROCESS));
    fs_announcer_look(NULL);
    fs_announcer_stop(NULL);
}

static void
something_in_use_is_looked_after_later(void **state)
{
    Scene *scene = *state;

    fs_announcer_look(scene->announcer);
    fs_announcer_look(scene->announcer);
    assert_nothing_asked();
    answer_look(scene->inbox);
    assert_int_equal(g_array_index(scene->watched, guint64, 0), scene->inbox);
    assert_nothing_asked();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(arrival_where_somebody_watches_is_announced),
        TEST(changes_that_nobody_watches_cost_one_look),
        TEST(watch_that_began_after_a_look_is_found_by_the_next),
        TEST(what_came_and_went_untold_is_not_told),
        TEST(few_are_asked_at_a_time_and_all_in_order),
        TEST(directory_that_is_gone_is_passed_over),
        TEST(process_that_has_ended_is_asked_nothing),
        TEST(something_in_use_is_looked_after_later),
        cmocka_unit_test(nothing_is_announced_without_a_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
