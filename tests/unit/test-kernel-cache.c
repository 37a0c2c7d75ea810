/* What the kernel is told, and when it may keep a listing; and what is to be
 * announced. The notifier, the announcer, the synchroniser and the lister are
 * stand-ins that take notes. */
#include "fs/kernel/kernel-cache.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/notifier.h"
#include "fs/live/announcer.h"
#include "fs/live/line.h"
#include "fs/names/maildir-layout.h"
#include "fs/sync/lister.h"
#include "fs/sync/status-poll.h"
#include "fs/sync/synchroniser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAILBOX 1 /* the first id that the tree gives */
#define OTHER 2

static GString *told;
static GString *announced;
static FsWatchedFunc watched_func;
static guint n_synchronised;
static guint n_entries;
static gboolean known;
static FsChangeFunc change_func;
static gpointer change_data;

/* ---- the stand-ins ---- */

guint64
fs_maildir_layout_directory(FsNameSpace *names, guint32 mailbox)
{
    return fs_inode_make(FS_INODE_MAILDIR_FOLDER, mailbox, 0);
}

FsNotifier *
fs_notifier_new(struct fuse_session *fuse)
{
    return (FsNotifier *)&told;
}

void
fs_notifier_free(FsNotifier *notifier)
{
}

void
fs_notifier_stop(FsNotifier *notifier, void (*stopped)(gpointer user_data),
                 gpointer user_data)
{
    stopped(user_data);
}

void
fs_notifier_forget_entry(FsNotifier *notifier, guint64 directory,
                         const char *name, guint64 inode)
{
    n_entries++;
    if (told->len < 1000)
        g_string_append_printf(told, "entry %s/%s%s\n",
                               directory == FS_INODE_ROOT ? "" : "INBOX", name,
                               inode != 0 ? " gone" : "");
}

void
fs_notifier_forget_listing(FsNotifier *notifier, guint64 directory,
                           gboolean with_copy)
{
    g_string_append_printf(told, "%s %s\n", with_copy ? "copy" : "listing",
                           directory == FS_INODE_ROOT ? "/" : "INBOX");
}

void
fs_notifier_flush(FsNotifier *notifier, FsNeed *need)
{
    g_string_append(told, "flush\n");
    fs_need_complete(need, NULL);
}

gboolean
fs_line_is_away(const FsLine *line)
{
    return FALSE;
}

void
fs_announcer_add(FsAnnouncer *announcer, FsAnnouncementKind kind,
                 guint64 directory, const char *name, guint64 inode)
{
    static const char *const kinds[] = {"new", "gone", "new-directory",
                                        "gone-directory"};

    if (announced->len < 1000)
        g_string_append_printf(announced, "%s %s/%s\n", kinds[kind],
                               directory == FS_INODE_ROOT ? "" : "INBOX", name);
}

void
fs_announcer_look(FsAnnouncer *announcer)
{
}

void
fs_announcer_set_watched_func(FsAnnouncer *announcer, FsWatchedFunc func,
                              gpointer user_data)
{
    watched_func = func;
}

FsNeed *
fs_lister_need(FsLister *lister, gint64 since)
{
    return NULL;
}

FsStatusPoll *
fs_status_poll_new(FsAccount *account)
{
    return NULL;
}

void
fs_status_poll_free(FsStatusPoll *poll)
{
}

FsNeed *
fs_status_poll_begin(FsStatusPoll *poll, const guint32 *mailboxes, guint n)
{
    return NULL;
}

gboolean
fs_status_poll_is_settled(const FsStatusPoll *poll, guint32 mailbox)
{
    return FALSE;
}

FsNeed *
fs_synchroniser_need_messages(FsSynchroniser *synchroniser, guint32 mailbox,
                              gint64 since)
{
    n_synchronised++;
    return NULL;
}

guint32
fs_synchroniser_listed_to(FsSynchroniser *synchroniser, guint32 mailbox)
{
    return known ? G_MAXUINT32 : 0;
}

void
fs_synchroniser_add_change_func(FsSynchroniser *synchroniser, FsChangeFunc func,
                                gpointer user_data)
{
    assert_null(change_func);
    change_func = func;
    change_data = user_data;
}

void
fs_synchroniser_remove_change_func(FsSynchroniser *synchroniser,
                                   FsChangeFunc func, gpointer user_data)
{
    assert_ptr_equal(change_func, func);
    assert_ptr_equal(change_data, user_data);
    change_func = NULL;
}

/* ---- a name space of one mailbox ---- */

static guint64
directory_of(FsNameSpace *names, guint32 mailbox)
{
    return mailbox == 0 ? FS_INODE_ROOT : fs_inode_make(0, mailbox, 0);
}

static void
names_of(FsNameSpace *names, guint32 mailbox, const CacheMessage *message,
         FsNameFunc func, gpointer user_data)
{
    g_autofree char *name = g_strdup_printf("%u.eml", message->uid);

    func(directory_of(names, mailbox), "listed", user_data);
    func(directory_of(names, mailbox), name, user_data);
}

static const FsNameSpaceClass class = {
    .directory_of = directory_of,
    .names_of = names_of,
};

typedef struct {
    FsOptions options;
    FsAccount account;
    FsNameSpace names;
    FsKernelCache *cache;
    guint64 inbox;
} Scene;

static void
list(Scene *scene, const char *wire_name)
{
    const FsMailboxListing listing = {wire_name, wire_name, '/', 0};

    assert_true(fs_mailbox_tree_update(scene->account.tree, &listing, 1, NULL,
                                       NULL, NULL));
}

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    told = g_string_new(NULL);
    announced = g_string_new(NULL);
    n_synchronised = 0;
    n_entries = 0;
    known = TRUE;
    scene->options.poll_seconds = 60;
    scene->account.options = &scene->options;
    scene->account.tree = fs_mailbox_tree_new();
    scene->account.aliases = cache_aliases_open(NULL, NULL, NULL);
    scene->account.overlay = fs_overlay_new();
    scene->names.class = &class;
    scene->names.account = &scene->account;
    list(scene, "INBOX");
    scene->inbox = fs_inode_make(0, MAILBOX, 0);
    scene->cache = fs_kernel_cache_new(&scene->account, &scene->names);
    fs_kernel_cache_attach(scene->cache, NULL);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_kernel_cache_free(scene->cache);
    assert_null(change_func);
    assert_null(watched_func);
    fs_mailbox_tree_free(scene->account.tree);
    fs_overlay_free(scene->account.overlay);
    cache_aliases_close(scene->account.aliases);
    g_string_free(told, TRUE);
    g_string_free(announced, TRUE);
    g_free(scene);
    return 0;
}

static void
change(FsChange what, guint32 uid)
{
    const CacheMessage message = {.uid = uid};

    change_func(what, MAILBOX, &message, change_data);
}

static void
assert_told(const char *wanted)
{
    while (told->len == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_string_equal(told->str, wanted);
    g_string_truncate(told, 0);
}

static struct fuse_file_info
open_inbox(Scene *scene)
{
    struct fuse_file_info file = {0};

    fs_kernel_cache_open(scene->cache, scene->inbox, &file);
    assert_true(file.cache_readdir);
    return file;
}

/* Whether who opens it now is given what the kernel has kept. */
static gboolean
is_kept(Scene *scene)
{
    struct fuse_file_info file = open_inbox(scene);

    fs_kernel_cache_close(scene->cache, scene->inbox, &file);
    return file.keep_cache;
}

static void
read_inbox(Scene *scene)
{
    struct fuse_file_info file = open_inbox(scene);

    fs_kernel_cache_read(scene->cache, scene->inbox, &file);
    fs_kernel_cache_read_to_its_end(scene->cache, scene->inbox, &file);
    fs_kernel_cache_close(scene->cache, scene->inbox, &file);
}

/* ---- the tests ---- */

static void
flush_tells_at_once_and_then_is_complete(void **state)
{
    Scene *scene = *state;
    g_autoptr(FsNeed) need = NULL;

    change(FS_CHANGE_NEW, 8);
    assert_int_equal(told->len, 0);
    need = fs_kernel_cache_flush(scene->cache);
    assert_true(fs_need_is_complete(need));
    assert_non_null(strstr(told->str, "listing INBOX\nflush\n"));
    assert_true(g_str_has_suffix(told->str, "flush\n"));
}

static void
listing_is_kept_until_it_changes(void **state)
{
    Scene *scene = *state;

    assert_false(is_kept(scene));
    assert_false(is_kept(scene)); /* nobody has read it */
    read_inbox(scene);
    assert_true(is_kept(scene));
    change(FS_CHANGE_FLAGS, 7);
    assert_true(is_kept(scene));
    change(FS_CHANGE_NEW, 8);
    assert_false(is_kept(scene));
    read_inbox(scene);
    assert_true(is_kept(scene));
}

/* Its name there tells its flags, which are those that it has where it is. */
static void
maildir_that_shows_a_message_on_its_way_is_not_kept(void **state)
{
    Scene *scene = *state;
    FsOverlay *overlay = scene->account.overlay;
    const CacheMessage row = {.uid = 7};

    scene->inbox = fs_inode_make(FS_INODE_MAILDIR_CUR, OTHER, 0);
    fs_overlay_add_guest(overlay, fs_inode_make(0, MAILBOX, 7), OTHER, 0,
                         "a.eml", &row);
    read_inbox(scene);
    assert_true(is_kept(scene));
    change(FS_CHANGE_FLAGS, 8);
    assert_true(is_kept(scene));
    change(FS_CHANGE_FLAGS, 7);
    assert_false(is_kept(scene));
    read_inbox(scene);
    assert_true(is_kept(scene));
    fs_overlay_tell(overlay, FS_OVERLAY_FLAGS, MAILBOX, 7, NULL);
    assert_false(is_kept(scene));
}

static void
listing_read_across_a_change_is_not_kept(void **state)
{
    Scene *scene = *state;
    struct fuse_file_info old = open_inbox(scene);
    struct fuse_file_info new = {0};

    fs_kernel_cache_read(scene->cache, scene->inbox, &old);
    change(FS_CHANGE_GONE, 7);
    fs_kernel_cache_open(scene->cache, scene->inbox, &new);
    assert_false(new.cache_readdir);
    assert_true(new.keep_cache);
    fs_kernel_cache_close(scene->cache, scene->inbox, &new);
    fs_kernel_cache_read_to_its_end(scene->cache, scene->inbox, &old);
    fs_kernel_cache_close(scene->cache, scene->inbox, &old);
    assert_false(is_kept(scene));
    read_inbox(scene);
    assert_true(is_kept(scene));
}

static void
changes_are_gathered_and_told_once(void **state)
{
    change(FS_CHANGE_NEW, 7);
    change(FS_CHANGE_NEW, 8);
    change(FS_CHANGE_GONE, 9);
    assert_string_equal(told->str, "");
    assert_told("entry INBOX/listed gone\nentry INBOX/9.eml gone\n"
                "listing INBOX\n");
    change(FS_CHANGE_NEW, 10);
    assert_told("listing INBOX\n");
}

static void
very_many_gone_are_told_by_their_directory(void **state)
{
    for (guint32 uid = 1; uid <= 20000; uid++)
        change(FS_CHANGE_GONE, uid);
    assert_told("entry /INBOX\nlisting INBOX\n");
    assert_int_equal(n_entries, 1);
    change(FS_CHANGE_GONE, 1);
    assert_told("entry INBOX/listed gone\nentry INBOX/1.eml gone\n"
                "listing INBOX\n");
}

static void
what_is_not_known_any_more_is_forgotten_as_a_whole(void **state)
{
    Scene *scene = *state;

    read_inbox(scene);
    change(FS_CHANGE_GONE, 9);
    read_inbox(scene);
    change_func(FS_CHANGE_ALL, MAILBOX, NULL, change_data);
    assert_false(is_kept(scene));
    assert_told("entry /INBOX\nlisting INBOX\n");
}

static void
folders_that_come_and_go_are_told(void **state)
{
    Scene *scene = *state;

    list(scene, "Other");
    assert_told("entry /INBOX\nentry /Other\nlisting /\n");
    list(scene, "Other");
    assert_int_not_equal(
        fs_mailbox_tree_new_id(
            scene->account.tree,
            fs_mailbox_tree_child(scene->account.tree, 0, "Other")->id, NULL),
        0);
    assert_told("entry /Other\nlisting /\n");
}

static void
only_what_is_kept_up_is_believed_for_long(void **state)
{
    Scene *scene = *state;
    const FsEntry message = {.mailbox = MAILBOX, .uid = 5};
    const FsEntry directory = {.mailbox = MAILBOX};

    assert_true(fs_kernel_cache_validity(scene->cache, &message) <= 60);
    fs_kernel_cache_use(scene->cache, MAILBOX);
    assert_true(fs_kernel_cache_validity(scene->cache, &message) > 800);
    /* Not beyond the last check. */
    assert_true(fs_kernel_cache_validity(scene->cache, &message) <= 15 * 60);
    assert_true(fs_kernel_cache_validity(scene->cache, &directory) <= 60);
    known = FALSE;
    assert_true(fs_kernel_cache_validity(scene->cache, &message) <= 60);
}

static void
what_comes_and_goes_is_announced_by_its_listed_name(void **state)
{
    Scene *scene = *state;

    change(FS_CHANGE_NEW, 7);
    change(FS_CHANGE_FLAGS, 7);
    change(FS_CHANGE_GONE, 7);
    list(scene, "Other");
    /* Another in the place of one has neither come nor gone. */
    assert_int_not_equal(
        fs_mailbox_tree_new_id(
            scene->account.tree,
            fs_mailbox_tree_child(scene->account.tree, 0, "Other")->id, NULL),
        0);
    assert_string_equal(announced->str,
                        "new INBOX/listed\ngone INBOX/listed\n"
                        "gone-directory /INBOX\nnew-directory /Other\n");
}

static void
what_is_watched_is_in_use(void **state)
{
    Scene *scene = *state;
    const FsEntry message = {.mailbox = MAILBOX, .uid = 5};

    assert_true(fs_kernel_cache_validity(scene->cache, &message) <= 60);
    watched_func(scene->inbox, scene->cache);
    assert_true(fs_kernel_cache_validity(scene->cache, &message) > 800);
    /* What was never listed is, for who watches does not ask for it. */
    known = FALSE;
    n_synchronised = 0;
    watched_func(scene->inbox, scene->cache);
    assert_int_equal(n_synchronised, 1);
    /* Not there any more; the top directory. */
    watched_func(fs_inode_make(0, 77, 0), scene->cache);
    watched_func(FS_INODE_ROOT, scene->cache);
    assert_int_equal(n_synchronised, 1);
}

static void
note_stopped(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
}

static void
stopped_tells_nothing(void **state)
{
    Scene *scene = *state;
    gboolean stopped = FALSE;

    change(FS_CHANGE_NEW, 7);
    fs_kernel_cache_stop(scene->cache, note_stopped, &stopped);
    assert_true(stopped);
    assert_null(change_func);
    fs_kernel_cache_use(scene->cache, MAILBOX);
    list(scene, "Other");
    read_inbox(scene);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_string_equal(told->str, "");
    assert_null(g_main_context_find_source_by_user_data(NULL, scene->cache));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(flush_tells_at_once_and_then_is_complete),
        TEST(listing_is_kept_until_it_changes),
        TEST(maildir_that_shows_a_message_on_its_way_is_not_kept),
        TEST(listing_read_across_a_change_is_not_kept),
        TEST(changes_are_gathered_and_told_once),
        TEST(very_many_gone_are_told_by_their_directory),
        TEST(what_is_not_known_any_more_is_forgotten_as_a_whole),
        TEST(folders_that_come_and_go_are_told),
        TEST(only_what_is_kept_up_is_believed_for_long),
        TEST(what_comes_and_goes_is_announced_by_its_listed_name),
        TEST(what_is_watched_is_in_use),
        TEST(stopped_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
