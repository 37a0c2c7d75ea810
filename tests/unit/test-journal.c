/* The journal and the names that users gave: what is there after the next
 * start, after a crash, and when the disk refuses. */
#include "cache/aliases.h"
#include "cache/database.h"
#include "cache/error.h"
#include "cache/journal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    char *directory;
    CacheStoreThread *thread;
    CacheJournal *journal;
    CacheAliases *aliases;
} Fixture;

static void
open_both(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    f->thread = cache_store_thread_new();
    f->journal = cache_journal_open(f->directory, f->thread, &error);
    if (f->journal == NULL)
        fail_msg("%s", error->message);
    f->aliases = cache_aliases_open(f->directory, f->thread, &error);
    if (f->aliases == NULL)
        fail_msg("%s", error->message);
}

static void
close_both(Fixture *f)
{
    g_clear_pointer(&f->journal, cache_journal_close);
    g_clear_pointer(&f->aliases, cache_aliases_close);
    g_clear_pointer(&f->thread, cache_store_thread_free);
}

static void
reopen(Fixture *f)
{
    close_both(f);
    open_both(f);
}

static int
start(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->directory = g_dir_make_tmp("imapfs-journal-XXXXXX", NULL);
    open_both(f);
    *state = f;
    return 0;
}

static int
finish(void **state)
{
    Fixture *f = *state;
    const char *const command[] = {"rm", "-rf", f->directory, NULL};

    close_both(f);
    g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                 NULL, NULL, NULL, NULL);
    g_free(f->directory);
    g_free(f);
    return 0;
}

static void
on_flushed(const GError *error, gpointer user_data)
{
    char **said = user_data;

    *said = g_strdup(error != NULL ? error->message : "");
}

/* "" or the error. */
static char *
flush(CacheJournal *journal, gboolean durable)
{
    char *said = NULL;

    cache_journal_flush(journal, durable, on_flushed, &said);
    assert_null(said);
    while (said == NULL)
        g_main_context_iteration(NULL, TRUE);
    return said;
}

static guint64
add(CacheJournal *journal, guint32 uid, const char *name)
{
    const CacheJournalRecord record = {.kind = 1, .uid = uid, .name = name};

    return cache_journal_add(journal, &record);
}

/* Runs @child, with what it opens itself, and kills it. */
static void
in_killed_process(Fixture *f, void (*child)(Fixture *f))
{
    int status;
    pid_t pid;

    close_both(f);
    pid = fork();
    if (pid == 0) {
        open_both(f);
        child(f);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_both(f);
}

static void
records_are_there_after_the_next_start(void **state)
{
    Fixture *f = *state;
    const CacheJournalRecord record = {
        .kind = 3,
        .step = 2,
        .mailbox = 7,
        .uid = 4294967295u,
        .target = 9,
        .target_uid = 4000000000u,
        .number = G_MAXUINT64,
        .name = "a name",
        .text = "\xff not UTF-8",
    };
    guint64 id = cache_journal_add(f->journal, &record);
    guint64 empty = add(f->journal, 1, NULL);
    const CacheJournalRecord *found;

    reopen(f);
    assert_int_equal(cache_journal_count(f->journal), 2);
    found = cache_journal_get(f->journal, id);
    assert_non_null(found);
    assert_int_equal(found->kind, 3);
    assert_int_equal(found->step, 2);
    assert_int_equal(found->mailbox, 7);
    assert_int_equal(found->uid, 4294967295u);
    assert_int_equal(found->target, 9);
    assert_int_equal(found->target_uid, 4000000000u);
    assert_true(found->number == G_MAXUINT64);
    assert_string_equal(found->name, "a name");
    assert_string_equal(found->text, "\xff not UTF-8");
    assert_null(cache_journal_get(f->journal, empty)->name);
}

static void
set_and_remove_are_there_after_the_next_start(void **state)
{
    Fixture *f = *state;
    guint64 first = add(f->journal, 1, "first");
    guint64 second = add(f->journal, 2, "second");
    CacheJournalRecord changed = *cache_journal_get(f->journal, first);

    changed.step = 5;
    changed.name = "changed";
    cache_journal_set(f->journal, &changed);
    cache_journal_remove(f->journal, second);
    cache_journal_remove(f->journal, second);
    reopen(f);
    assert_int_equal(cache_journal_count(f->journal), 1);
    assert_int_equal(cache_journal_get(f->journal, first)->step, 5);
    assert_string_equal(cache_journal_get(f->journal, first)->name, "changed");
}

static void
id_of_removed_record_is_not_given_again(void **state)
{
    Fixture *f = *state;
    guint64 id = add(f->journal, 1, NULL);

    cache_journal_remove(f->journal, id);
    reopen(f);
    assert_true(add(f->journal, 1, NULL) > id);
}

static void
foreach_goes_by_id(void **state)
{
    Fixture *f = *state;
    g_autofree char *said = NULL;
    guint64 last = 0;
    CacheJournalRecord changed;

    for (guint i = 0; i < 2500; i++) {
        guint64 id = add(f->journal, i, NULL);

        assert_true(id > last);
        last = id;
    }
    changed = *cache_journal_get(f->journal, last);
    cache_journal_set(f->journal, &changed);
    said = flush(f->journal, TRUE);
    assert_string_equal(said, "");
    reopen(f);
    assert_int_equal(cache_journal_count(f->journal), 2500);
    assert_non_null(cache_journal_get(f->journal, last));
}

static void
add_flushed(Fixture *f)
{
    add(f->journal, 5, "kept");
    g_free(flush(f->journal, FALSE));
    add(f->journal, 6, "not waited for");
}

static void
flushed_record_survives_kill(void **state)
{
    Fixture *f = *state;

    in_killed_process(f, add_flushed);
    assert_in_range(cache_journal_count(f->journal), 1, 2);
}

static void
name_flushed(Fixture *f)
{
    cache_aliases_set(f->aliases, 1, 5, "a.eml");
    cache_aliases_set(f->aliases, 1, 6, "b.eml");
    cache_aliases_remove(f->aliases, 1, 6);
    add(f->journal, 1, NULL);
    /* Each has its own database; the thread is one. */
    g_main_context_iteration(NULL, FALSE);
    g_free(flush(f->journal, TRUE));
}

static void
alias_given_before_a_flush_survives_kill(void **state)
{
    Fixture *f = *state;

    in_killed_process(f, name_flushed);
    assert_string_equal(cache_aliases_name(f->aliases, 1, 5), "a.eml");
    assert_null(cache_aliases_name(f->aliases, 1, 6));
}

/* A file may not grow beyond what it has: the disk is full. */
static void
flush_on_full_disk_fails_and_what_was_removed_is_not_there_later(void **state)
{
    Fixture *f = *state;
    struct rlimit before;
    struct rlimit full;
    g_autofree char *said = NULL;
    g_autofree char *later = NULL;
    g_autofree char *large = g_strnfill(3000000, 'x');
    guint64 id;

    signal(SIGXFSZ, SIG_IGN);
    g_free(flush(f->journal, TRUE));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = 200000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    id = add(f->journal, 1, large);
    said = flush(f->journal, FALSE);
    cache_journal_remove(f->journal, id);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_string_not_equal(said, "");

    id = add(f->journal, 2, "small");
    later = flush(f->journal, FALSE);
    assert_string_equal(later, "");
    reopen(f);
    assert_int_equal(cache_journal_count(f->journal), 1);
    assert_string_equal(cache_journal_get(f->journal, id)->name, "small");
}

static void
without_directory_nothing_is_kept(void **state)
{
    Fixture *f = *state;
    g_autoptr(CacheJournal) journal = NULL;
    g_autofree char *said = NULL;

    assert_true(cache_journal_is_kept(f->journal));
    journal = cache_journal_open(NULL, f->thread, NULL);
    assert_false(cache_journal_is_kept(journal));
    add(journal, 1, "x");
    said = flush(journal, TRUE);
    assert_string_equal(said, "");
    assert_int_equal(cache_journal_count(journal), 1);
}

static void
damaged_journal_is_refused_with_a_remedy(void **state)
{
    Fixture *f = *state;
    g_autofree char *path = g_build_filename(f->directory, "journal.db", NULL);
    g_autoptr(GError) error = NULL;

    add(f->journal, 1, "x");
    close_both(f);
    assert_true(g_file_set_contents(path, "no database at all", -1, NULL));
    f->thread = cache_store_thread_new();
    assert_null(cache_journal_open(f->directory, f->thread, &error));
    assert_non_null(strstr(error->message, "move it"));
    cache_store_thread_free(f->thread);
    assert_int_equal(unlink(path), 0);
    open_both(f);
}

/* ---- names ---- */

static void
alias_is_found_both_ways_also_after_the_next_start(void **state)
{
    Fixture *f = *state;

    cache_aliases_set(f->aliases, 1, 10, "letter.eml");
    cache_aliases_set(f->aliases, 2, 10, "letter.eml");
    for (guint i = 0; i < 2; i++) {
        assert_string_equal(cache_aliases_name(f->aliases, 1, 10),
                            "letter.eml");
        assert_int_equal(cache_aliases_uid(f->aliases, 2, "letter.eml"), 10);
        assert_int_equal(cache_aliases_uid(f->aliases, 2, "other.eml"), 0);
        assert_null(cache_aliases_name(f->aliases, 3, 10));
        assert_null(cache_aliases_name(f->aliases, 1, 11));
        reopen(f);
    }
}

static void
alias_given_to_another_message_leaves_the_first(void **state)
{
    Fixture *f = *state;

    cache_aliases_set(f->aliases, 1, 10, "letter.eml");
    cache_aliases_set(f->aliases, 1, 11, cache_aliases_name(f->aliases, 1, 10));
    for (guint i = 0; i < 2; i++) {
        assert_null(cache_aliases_name(f->aliases, 1, 10));
        assert_int_equal(cache_aliases_uid(f->aliases, 1, "letter.eml"), 11);
        assert_int_equal(cache_aliases_count(f->aliases), 1);
        reopen(f);
    }
}

static void
message_renamed_has_its_new_name_alone(void **state)
{
    Fixture *f = *state;

    cache_aliases_set(f->aliases, 1, 10, "a.eml");
    cache_aliases_set(f->aliases, 1, 10, "b.eml");
    cache_aliases_set(f->aliases, 1, 11, "a.eml");
    cache_aliases_remove(f->aliases, 1, 12);
    for (guint i = 0; i < 2; i++) {
        assert_string_equal(cache_aliases_name(f->aliases, 1, 10), "b.eml");
        assert_int_equal(cache_aliases_uid(f->aliases, 1, "a.eml"), 11);
        reopen(f);
    }
    cache_aliases_remove(f->aliases, 1, 11);
    reopen(f);
    assert_int_equal(cache_aliases_uid(f->aliases, 1, "a.eml"), 0);
    assert_int_equal(cache_aliases_count(f->aliases), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_there_after_the_next_start),
        TEST(set_and_remove_are_there_after_the_next_start),
        TEST(id_of_removed_record_is_not_given_again),
        TEST(foreach_goes_by_id),
        TEST(flushed_record_survives_kill),
        TEST(alias_given_before_a_flush_survives_kill),
        TEST(flush_on_full_disk_fails_and_what_was_removed_is_not_there_later),
        TEST(without_directory_nothing_is_kept),
        TEST(damaged_journal_is_refused_with_a_remedy),
        TEST(alias_is_found_both_ways_also_after_the_next_start),
        TEST(alias_given_to_another_message_leaves_the_first),
        TEST(message_renamed_has_its_new_name_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
