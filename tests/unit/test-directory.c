/* The account's directory: modes, owners, the lock, and what it is bound to. */
#include "cache/directory-opening.h"

#include "cache/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    char *parent;
    char *path;
} Fixture;

static int
start(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->parent = g_dir_make_tmp("imapfs-directory-XXXXXX", NULL);
    f->path = g_build_filename(f->parent, "a", "b", NULL);
    *state = f;
    return f->parent != NULL ? 0 : -1;
}

static int
finish(void **state)
{
    Fixture *f = *state;
    const char *const command[] = {"rm", "-rf", f->parent, NULL};

    g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                 NULL, NULL, NULL, NULL);
    g_free(f->path);
    g_free(f->parent);
    g_free(f);
    return 0;
}

static CacheDirectory *
open_good(const char *path)
{
    g_autoptr(GError) error = NULL;
    gboolean ending;
    CacheDirectory *directory = cache_directory_open(path, &ending, &error);

    if (directory == NULL)
        fail_msg("%s", error->message);
    return directory;
}

static void
assert_refused(const char *path, CacheError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    gboolean ending;

    assert_null(cache_directory_open(path, &ending, &error));
    assert_true(g_error_matches(error, CACHE_ERROR, (gint)code));
    if (strstr(error->message, words) == NULL)
        fail_msg("%s", error->message);
}

static guint
mode_of(const char *path)
{
    struct stat entry;

    assert_int_equal(lstat(path, &entry), 0);
    return entry.st_mode & 07777;
}

static void
put(const Fixture *f, const char *name)
{
    g_autofree char *path = g_build_filename(f->path, name, NULL);

    assert_true(g_file_set_contents(path, "x", 1, NULL));
}

static gboolean
has(const Fixture *f, const char *name)
{
    g_autofree char *path = g_build_filename(f->path, name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
open_makes_all_owner_only(void **state)
{
    const Fixture *f = *state;
    mode_t before = umask(0);
    g_autoptr(CacheDirectory) directory = open_good(f->path);
    g_autofree char *above = g_path_get_dirname(f->path);
    g_autofree char *lock = g_build_filename(f->path, "lock", NULL);

    umask(before);
    assert_string_equal(cache_directory_path(directory), f->path);
    assert_int_equal(mode_of(f->path), 0700);
    assert_int_equal(mode_of(above), 0700);
    assert_int_equal(mode_of(lock), 0600);
}

static void
open_loose_mode_is_mended(void **state)
{
    const Fixture *f = *state;

    assert_int_equal(g_mkdir_with_parents(f->path, 0700), 0);
    assert_int_equal(chmod(f->path, 0777), 0);
    cache_directory_close(open_good(f->path));
    assert_int_equal(mode_of(f->path), 0700);
}

static void
open_not_a_directory_of_ours_is_refused(void **state)
{
    const Fixture *f = *state;
    g_autofree char *file = g_build_filename(f->parent, "file", NULL);
    g_autofree char *below = g_build_filename(file, "x", NULL);
    g_autofree char *link = g_build_filename(f->parent, "link", NULL);

    assert_true(g_file_set_contents(file, "x", 1, NULL));
    assert_int_equal(symlink(f->parent, link), 0);
    assert_refused(file, CACHE_ERROR_IO, "cannot");
    assert_refused(below, CACHE_ERROR_IO, "cannot");
    assert_refused(link, CACHE_ERROR_IO, "cannot");
}

static void
open_belonging_to_another_is_refused(void **state)
{
    const Fixture *f = *state;
    g_autofree char *above = g_path_get_dirname(f->path);

    if (geteuid() != 0)
        skip();
    assert_int_equal(g_mkdir_with_parents(f->path, 0700), 0);
    assert_int_equal(chown(f->path, 65534, 65534), 0);
    assert_refused(f->path, CACHE_ERROR_IO, "another user");
    assert_int_equal(chown(f->path, 0, 0), 0);
    assert_int_equal(chown(above, 65534, 65534), 0);
    assert_refused(f->path, CACHE_ERROR_IO, "another user");
}

/* Anybody could put a link in its place; not where only owners may move what is
 * theirs, as in /tmp. */
static void
open_where_all_may_write_is_refused(void **state)
{
    const Fixture *f = *state;
    g_autofree char *above = g_path_get_dirname(f->path);

    assert_int_equal(g_mkdir_with_parents(f->path, 0700), 0);
    assert_int_equal(chmod(above, 0777), 0);
    assert_refused(f->path, CACHE_ERROR_IO, "everybody can write");
    assert_int_equal(chmod(above, 01777), 0);
    cache_directory_close(open_good(f->path));
}

static void
open_lock_that_is_no_file_is_refused(void **state)
{
    const Fixture *f = *state;
    g_autofree char *lock = g_build_filename(f->path, "lock", NULL);

    assert_int_equal(g_mkdir_with_parents(f->path, 0700), 0);
    assert_int_equal(mkfifo(lock, 0600), 0);
    assert_refused(f->path, CACHE_ERROR_IO, "no file of ours");
}

static void
open_twice_names_the_holder(void **state)
{
    const Fixture *f = *state;
    CacheDirectory *directory = open_good(f->path);
    g_autofree char *lock = g_build_filename(f->path, "lock", NULL);
    g_autofree char *process = g_strdup_printf("process %ld", (long)getpid());

    assert_refused(f->path, CACHE_ERROR_LOCKED, process);
    /* Whatever the file says, it is the lock that counts. */
    assert_true(g_file_set_contents_full(lock, "-5 endless", -1,
                                         G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    assert_refused(f->path, CACHE_ERROR_LOCKED, "another process");
    cache_directory_close(directory);
    cache_directory_close(open_good(f->path));
}

/* Runs @child in another process; returns its id. */
static pid_t
spawn(void (*child)(const Fixture *f, int ready), const Fixture *f)
{
    char octet;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(f, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &octet, 1), 1);
    close(ends[0]);
    return pid;
}

static void
hold(const Fixture *f, int ready)
{
    gboolean ending;
    CacheDirectory *directory = cache_directory_open(f->path, &ending, NULL);

    if (directory != NULL && write(ready, "x", 1) == 1)
        pause();
}

static void
lock_of_killed_process_is_free(void **state)
{
    const Fixture *f = *state;
    pid_t pid = spawn(hold, f);

    assert_refused(f->path, CACHE_ERROR_LOCKED, "process");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    cache_directory_close(open_good(f->path));
}

/* ---- waiting for it ---- */

typedef struct {
    GMainLoop *loop;
    CacheDirectory *directory;
    GError *error;
    guint n_told;
    guint n_turns; /* of something else, meanwhile */
    char *described;
    CacheDirectoryOpening *opening; /* NULL: it is over */
} Waiting;

static void
on_opened(CacheDirectory *directory, const GError *error, gpointer user_data)
{
    Waiting *waiting = user_data;

    waiting->opening = NULL;
    waiting->directory = directory;
    if (error != NULL)
        waiting->error = g_error_copy(error);
    waiting->n_told++;
    g_main_loop_quit(waiting->loop);
}

static gboolean
take_a_turn(gpointer user_data)
{
    Waiting *waiting = user_data;

    waiting->n_turns++;
    if (waiting->described == NULL)
        waiting->described = cache_directory_opening_describe(waiting->opening);
    return G_SOURCE_CONTINUE;
}

static void
begin_waiting(Waiting *waiting, const Fixture *f)
{
    *waiting = (Waiting){.loop = g_main_loop_new(NULL, FALSE)};
    waiting->opening =
        cache_directory_opening_start(f->path, on_opened, waiting);
    assert_int_equal(waiting->n_told, 0);
    assert_null(cache_directory_opening_describe(waiting->opening));
}

static void
end_waiting(Waiting *waiting)
{
    cache_directory_close(waiting->directory);
    g_clear_error(&waiting->error);
    g_free(waiting->described);
    g_main_loop_unref(waiting->loop);
}

static void
opening_of_a_free_one_is_told_from_the_loop(void **state)
{
    const Fixture *f = *state;
    Waiting waiting;

    begin_waiting(&waiting, f);
    g_main_loop_run(waiting.loop);
    assert_int_equal(waiting.n_told, 1);
    assert_non_null(waiting.directory);
    assert_null(waiting.error);
    end_waiting(&waiting);
}

static void
hold_and_end(const Fixture *f, int ready)
{
    gboolean ending;
    CacheDirectory *directory = cache_directory_open(f->path, &ending, NULL);

    if (directory == NULL)
        return;
    cache_directory_announce_end(directory);
    alarm(60);
    if (write(ready, "x", 1) == 1)
        pause();
    cache_directory_close(directory);
}

static gboolean
end_it(gpointer user_data)
{
    kill(GPOINTER_TO_INT(user_data), SIGKILL);
    return G_SOURCE_REMOVE;
}

static void
hold_and_announce_for_ever(const Fixture *f, int ready)
{
    gboolean ending;
    CacheDirectory *directory = cache_directory_open(f->path, &ending, NULL);

    if (directory == NULL)
        return;
    cache_directory_announce_end(directory);
    if (write(ready, "x", 1) != 1)
        return;
    for (;;)
        cache_directory_announce_end(directory);
}

/* Whoever looks while it is being written is not to take it for another one's,
 * and give up. */
static void
end_announced_again_is_always_seen(void **state)
{
    const Fixture *f = *state;
    pid_t pid = spawn(hold_and_announce_for_ever, f);
    guint n_missed = 0;

    for (guint i = 0; i < 3000; i++) {
        gboolean ending;

        assert_null(cache_directory_open(f->path, &ending, NULL));
        n_missed += !ending;
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(n_missed, 0);
}

/* And the loop has time for others. */
static void
opening_waits_for_who_announced_the_end(void **state)
{
    const Fixture *f = *state;
    pid_t pid = spawn(hold_and_end, f);
    g_autofree char *holder = g_strdup_printf(
        "%s is in use by process %ld, which is ending", f->path, (long)pid);
    Waiting waiting;
    guint turns;

    assert_refused(f->path, CACHE_ERROR_LOCKED, "process");
    begin_waiting(&waiting, f);
    turns = g_timeout_add(10, take_a_turn, &waiting);
    /* Longer than who is not ending gets. */
    g_timeout_add(2000, end_it, GINT_TO_POINTER(pid));
    g_main_loop_run(waiting.loop);
    g_source_remove(turns);
    assert_non_null(waiting.directory);
    assert_int_equal(waiting.n_told, 1);
    assert_true(waiting.n_turns >= 2);
    assert_string_equal(waiting.described, holder);
    end_waiting(&waiting);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
opening_is_refused_by_who_goes_on(void **state)
{
    const Fixture *f = *state;
    CacheDirectory *directory = open_good(f->path);
    g_autofree char *process = g_strdup_printf("process %ld", (long)getpid());
    Waiting waiting;

    begin_waiting(&waiting, f);
    g_main_loop_run(waiting.loop);
    assert_null(waiting.directory);
    assert_true(
        g_error_matches(waiting.error, CACHE_ERROR, CACHE_ERROR_LOCKED));
    assert_non_null(strstr(waiting.error->message, process));
    end_waiting(&waiting);
    cache_directory_close(directory);
}

static void
opening_of_what_cannot_be_is_refused(void **state)
{
    const Fixture *f = *state;
    Waiting waiting;

    assert_int_equal(g_mkdir_with_parents(f->path, 0700), 0);
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(symlink(f->parent, f->path), 0);
    begin_waiting(&waiting, f);
    g_main_loop_run(waiting.loop);
    assert_null(waiting.directory);
    assert_true(g_error_matches(waiting.error, CACHE_ERROR, CACHE_ERROR_IO));
    end_waiting(&waiting);
}

static gboolean
leave(gpointer user_data)
{
    g_main_loop_quit(user_data);
    return G_SOURCE_REMOVE;
}

static void
opening_cancelled_tells_nobody_and_takes_nothing(void **state)
{
    const Fixture *f = *state;
    CacheDirectory *directory = open_good(f->path);
    Waiting waiting;

    begin_waiting(&waiting, f);
    g_timeout_add(50, leave, waiting.loop);
    g_main_loop_run(waiting.loop);
    cache_directory_opening_cancel(waiting.opening);
    cache_directory_close(directory);
    g_timeout_add(50, leave, waiting.loop);
    g_main_loop_run(waiting.loop);
    assert_int_equal(waiting.n_told, 0);
    cache_directory_close(open_good(f->path));
    end_waiting(&waiting);
}

static void
idle(const Fixture *f, int ready)
{
    if (write(ready, "x", 1) == 1)
        pause();
}

static void
lock_is_shared_with_a_child(void **state)
{
    const Fixture *f = *state;
    CacheDirectory *directory = open_good(f->path);
    pid_t pid = spawn(idle, f);

    cache_directory_close(directory);
    assert_refused(f->path, CACHE_ERROR_LOCKED, "process");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    cache_directory_close(open_good(f->path));
}

static void
bind_same_identity_keeps_what_is_there(void **state)
{
    const Fixture *f = *state;
    g_autoptr(CacheDirectory) directory = open_good(f->path);
    g_autofree char *identity = g_build_filename(f->path, "state-id", NULL);

    assert_true(cache_directory_bind(directory, "one", 1, NULL));
    assert_int_equal(mode_of(identity), 0600);
    put(f, "index.db");
    assert_true(cache_directory_bind(directory, "one", 1, NULL));
    assert_true(has(f, "index.db"));
}

static void
bind_other_identity_empties_it(void **state)
{
    const Fixture *f = *state;
    g_autoptr(CacheDirectory) directory = open_good(f->path);
    g_autofree char *below = g_build_filename(f->path, "c", "d", NULL);
    g_autofree char *link = g_build_filename(f->path, "c", "e", NULL);
    g_autofree char *outside = g_build_filename(f->parent, "outside", NULL);

    /* Also what was never bound. */
    put(f, "index.db");
    assert_int_equal(g_mkdir_with_parents(below, 0700), 0);
    assert_int_equal(g_mkdir_with_parents(outside, 0700), 0);
    assert_int_equal(symlink(outside, link), 0);
    assert_true(cache_directory_bind(directory, "one", 1, NULL));
    assert_false(has(f, "index.db"));
    assert_false(has(f, "c"));
    assert_true(g_file_test(outside, G_FILE_TEST_IS_DIR));

    put(f, "index.db");
    assert_true(cache_directory_bind(directory, "on", 1, NULL));
    assert_false(has(f, "index.db"));
    assert_true(has(f, "lock"));
    assert_refused(f->path, CACHE_ERROR_LOCKED, "process");
}

/* What a mount does that gives numbers up to @next_id and keeps something. */
static void
mount_with(const Fixture *f, guint32 before, guint32 next_id)
{
    g_autoptr(CacheDirectory) directory = open_good(f->path);

    assert_true(cache_directory_bind(directory, "one", before, NULL));
    cache_directory_note_ids(directory, next_id);
    put(f, "index.db");
}

static gboolean
is_kept(const Fixture *f, guint32 next_id)
{
    g_autoptr(CacheDirectory) directory = open_good(f->path);

    assert_true(cache_directory_bind(directory, "one", next_id, NULL));
    return has(f, "index.db");
}

static void
bind_state_that_gives_numbers_again_empties_it(void **state)
{
    const Fixture *f = *state;

    mount_with(f, 1, 8);
    /* Others were given meanwhile, without the cache. */
    assert_true(is_kept(f, 8));
    assert_true(is_kept(f, 20));
    assert_false(is_kept(f, 7));

    mount_with(f, 7, 1234567890);
    assert_true(is_kept(f, 1234567890));
    mount_with(f, 1234567890, 9);
    assert_true(is_kept(f, 9));
}

static void
bind_after_numbers_were_not_kept_empties_it(void **state)
{
    const Fixture *f = *state;
    CacheDirectory *directory = open_good(f->path);

    assert_true(cache_directory_bind(directory, "one", 1, NULL));
    put(f, "index.db");
    cache_directory_note_ids(directory, G_MAXUINT32);
    cache_directory_note_ids(directory, 3);
    cache_directory_close(directory);
    assert_true(is_kept(f, 3));

    directory = open_good(f->path);
    assert_true(cache_directory_bind(directory, "one", 3, NULL));
    cache_directory_note_ids(directory, G_MAXUINT32);
    cache_directory_close(directory);
    assert_false(is_kept(f, 4));
}

static void
bind_identity_without_a_number_keeps_what_is_there(void **state)
{
    const Fixture *f = *state;
    g_autofree char *identity = g_build_filename(f->path, "state-id", NULL);

    mount_with(f, 1, 8);
    assert_true(g_file_set_contents(identity, "one", -1, NULL));
    assert_true(is_kept(f, 3));
    mount_with(f, 3, 5);
    assert_false(is_kept(f, 4));
    put(f, "index.db");
    assert_true(g_file_set_contents(identity, "one x", -1, NULL));
    assert_false(is_kept(f, 8));
}

static void
used_counts_also_what_lies_deeper(void **state)
{
    const Fixture *f = *state;
    g_autoptr(CacheDirectory) directory = open_good(f->path);
    g_autofree char *below = g_build_filename(f->path, "c", NULL);
    g_autofree char *file = g_build_filename(below, "d", NULL);
    g_autofree char *octets = g_strnfill(1 << 20, 'x');

    assert_true(cache_directory_used(directory) < 1 << 20);
    assert_int_equal(g_mkdir_with_parents(below, 0700), 0);
    assert_true(g_file_set_contents_full(
        file, octets, -1, G_FILE_SET_CONTENTS_DURABLE, 0600, NULL));
    assert_true(cache_directory_used(directory) >= 1 << 20);
}

static void
space_counts_what_is_there(void **state)
{
    const Fixture *f = *state;
    g_autoptr(CacheDirectory) directory = open_good(f->path);

    assert_true(cache_directory_space(directory) > 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    static const struct CMUnitTest tests[] = {
        TEST(open_makes_all_owner_only),
        TEST(open_loose_mode_is_mended),
        TEST(open_not_a_directory_of_ours_is_refused),
        TEST(open_belonging_to_another_is_refused),
        TEST(open_where_all_may_write_is_refused),
        TEST(open_lock_that_is_no_file_is_refused),
        TEST(open_twice_names_the_holder),
        TEST(lock_of_killed_process_is_free),
        TEST(opening_of_a_free_one_is_told_from_the_loop),
        TEST(end_announced_again_is_always_seen),
        TEST(opening_waits_for_who_announced_the_end),
        TEST(opening_is_refused_by_who_goes_on),
        TEST(opening_of_what_cannot_be_is_refused),
        TEST(opening_cancelled_tells_nobody_and_takes_nothing),
        TEST(lock_is_shared_with_a_child),
        TEST(bind_same_identity_keeps_what_is_there),
        TEST(bind_other_identity_empties_it),
        TEST(bind_state_that_gives_numbers_again_empties_it),
        TEST(bind_after_numbers_were_not_kept_empties_it),
        TEST(bind_identity_without_a_number_keeps_what_is_there),
        TEST(used_counts_also_what_lies_deeper),
        TEST(space_counts_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
