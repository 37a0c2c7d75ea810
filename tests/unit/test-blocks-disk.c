/* Blocks on a disk that fills, fails, or is changed behind our back, and in a
 * process that is killed: nothing wrong is served, and it goes on. */
#include "blocks-fixture.h"

#include "cache/segment.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void
alter(const char *path)
{
    int fd = open(path, O_RDWR);
    guint8 octet = 0;

    for (off_t at = 5000; pread(fd, &octet, 1, at) == 1; at += 10000) {
        octet ^= 0x10;
        assert_int_equal(pwrite(fd, &octet, 1, at), 1);
    }
    close(fd);
}

static void
cut(const char *path)
{
    assert_int_equal(truncate(path, 15000), 0);
}

static void
swap_first_two(const char *path)
{
    static guint8 data[20000];
    int fd = open(path, O_RDWR);

    assert_int_equal(pread(fd, data, 20000, 0), 20000);
    assert_int_equal(pwrite(fd, data, 10000, 10000), 10000);
    assert_int_equal(pwrite(fd, data + 10000, 10000, 0), 10000);
    close(fd);
}

static void
unlink_segment(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

/* Of 20 blocks in one segment, @n_left are right after @damage. */
static void
check_damage(void (*damage)(const char *path), gboolean while_closed,
             guint n_left)
{
    Fixture f;

    start(&f, 0, 64 * MIB);
    put_many(&f, 0, 20, 10000);
    if (while_closed)
        close_blocks(&f);
    for_each_segment(&f, damage);
    if (while_closed)
        open_blocks(&f);
    assert_int_equal(count_there(&f, 0, 20, 10000), n_left);
    assert_in_range(n_messages, 0, 1); /* not one for each */
    assert_int_equal(count_there(&f, 0, 20, 10000), n_left);

    put_many(&f, 0, 20, 10000);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20);
    finish(&f);
}

static void
segment_damaged_is_never_served(void **state)
{
    check_damage(alter, FALSE, 0);
    check_damage(alter, TRUE, 0);
    check_damage(cut, FALSE, 1);
    check_damage(cut, TRUE, 1);
    check_damage(swap_first_two, TRUE, 18);
    check_damage(unlink_segment, FALSE, 0);
    check_damage(unlink_segment, TRUE, 0);
}

static void
checksum_differs_by_name(void **state)
{
    guint32 checksum = cache_block_checksum("a", 1, "octets", 6);

    assert_int_equal(cache_block_checksum("a", 1, "octets", 6), checksum);
    assert_int_not_equal(cache_block_checksum("b", 1, "octets", 6), checksum);
    assert_int_not_equal(cache_block_checksum("a", 2, "octets", 6), checksum);
    assert_int_not_equal(cache_block_checksum("a", 1, "octetS", 6), checksum);
}

static void
block_lost_is_forgotten_for_good(void **state)
{
    Fixture f;

    start(&f, 0, 64 * MIB);
    put_many(&f, 0, 20, 10000);
    for_each_segment(&f, alter);
    assert_int_equal(count_there(&f, 0, 10, 10000), 0);
    assert_false(cache_blocks_has(f.blocks, "INBOX/1700000000/3", 0));
    reopen(&f);
    assert_false(cache_blocks_has(f.blocks, "INBOX/1700000000/3", 0));
    assert_true(cache_blocks_has(f.blocks, "INBOX/1700000000/13", 0));
    finish(&f);
}

static void
segment_file_unknown_is_deleted_and_others_left(void **state)
{
    static const char *const names[] = {"000077", "000001.bak", "77", "notes"};
    Fixture f;

    start(&f, 0, 64 * MIB);
    put(&f, "a", 0, 1, 100);
    close_blocks(&f);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path =
            g_build_filename(f.directory, "segments", names[i], NULL);

        assert_true(g_file_set_contents(path, "x", 1, NULL));
    }
    open_blocks(&f);
    assert_true(check(&f, "a", 0, 1, 100));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path =
            g_build_filename(f.directory, "segments", names[i], NULL);

        assert_int_equal(g_file_test(path, G_FILE_TEST_EXISTS), i != 0);
    }
    finish(&f);
}

static void
database_foreign_or_damaged_is_made_anew(void **state)
{
    for (guint kind = 0; kind < 3; kind++) {
        g_autofree char *path = NULL;
        g_autofree char *contents = NULL;
        gsize length;
        Fixture f;

        start(&f, 0, 64 * MIB);
        put_many(&f, 0, 500, 1000);
        path = g_build_filename(f.directory, "blocks.db", NULL);
        close_blocks(&f);
        assert_true(g_file_get_contents(path, &contents, &length, NULL));
        if (kind == 0)
            memset(contents, 'x', 4096);
        else if (kind == 1)
            contents[68] ^= 1; /* the application's id */
        else
            memset(contents + 4096, 'x', length - 4096);
        assert_true(g_file_set_contents(path, contents, (gssize)length, NULL));

        open_blocks(&f);
        count_there(&f, 0, 500, 1000);
        put_many(&f, 0, 10, 1000);
        put_many(&f, 0, 10, 1000);
        assert_in_range(n_messages, 1, 4);
        reopen(&f);
        assert_int_equal(count_there(&f, 0, 10, 1000), 10);
        assert_false(is_there(&f, "INBOX/1700000000/200", 0));
        finish(&f);
    }
}

/* The one way in which a row can name no block at all. */
static void
row_without_a_key_is_passed_over(void **state)
{
    g_autofree char *path = NULL;
    sqlite3 *database;
    Fixture f;

    start(&f, 0, 4 * MIB);
    put_many(&f, 0, 20, 10000);
    close_blocks(&f);
    path = g_build_filename(f.directory, "blocks.db", NULL);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database,
                     "UPDATE block SET state = 2;"
                     "UPDATE block SET key = x'' WHERE place IN "
                     "(SELECT place FROM block ORDER BY place LIMIT 1);",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(database);
    open_blocks(&f);
    put_many(&f, 100, 600, 10000);
    assert_true(is_there(&f, "INBOX/1700000000/13", 0));
    finish(&f);
}

static void
pass_a_minute(void)
{
    clock_ahead += 61 * (gint64)G_USEC_PER_SEC;
}

static void
check_trouble(gint error_number, gboolean full)
{
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put_many(&f, 0, 10, 10000);
    g_atomic_int_set(&disk_errno, error_number);
    g_atomic_int_set(&disk_is_full, full);
    put_many(&f, 100, 20, 10000);
    put(&f, "INBOX/1700000000/5", 0, 999, 500); /* in place of an older one */
    settle(&f);
    cache_blocks_remove(f.blocks, "INBOX/1700000000/6");
    assert_int_equal(n_messages, 1);
    assert_int_equal(count_there(&f, 100, 20, 10000), 20);
    assert_int_equal(count_there(&f, 0, 5, 10000), 5);
    assert_true(check(&f, "INBOX/1700000000/5", 0, 999, 500));
    assert_false(is_there(&f, "INBOX/1700000000/6", 0));

    pass_a_minute();
    put_many(&f, 200, 10, 10000);
    assert_int_equal(n_messages, 1); /* still so: nothing new */
    g_atomic_int_set(&disk_errno, 0);
    g_atomic_int_set(&disk_is_full, FALSE);
    put_many(&f, 300, 10, 10000);
    pass_a_minute();
    put_many(&f, 400, 10, 10000);
    assert_int_equal(n_messages, 2);
    reopen(&f);
    assert_int_equal(count_there(&f, 400, 10, 10000), 10);
    assert_int_equal(count_there(&f, 0, 5, 10000), 5);
    assert_int_equal(count_there(&f, 300, 10, 10000), 0);
    assert_false(is_there(&f, "INBOX/1700000000/5", 0));
    assert_false(is_there(&f, "INBOX/1700000000/6", 0));
    finish(&f);
}

static void
disk_full_or_broken_goes_on_in_memory_and_recovers(void **state)
{
    check_trouble(ENOSPC, FALSE);
    check_trouble(EIO, FALSE);
    check_trouble(EFBIG, FALSE);
    check_trouble(0, TRUE);
}

static void
writes_cut_short_are_continued(void **state)
{
    Fixture f;

    g_atomic_int_set(&disk_halves, TRUE);
    start(&f, 0, 64 * MIB);
    put_many(&f, 0, 300, 5000);
    g_atomic_int_set(&disk_halves, FALSE);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 300, 5000), 300);
    finish(&f);
}

static void
directory_removed_goes_on_and_is_made_again(void **state)
{
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put_many(&f, 0, 10, 10000);
    delete_all(f.directory);
    put_many(&f, 100, 10, 10000);
    assert_int_equal(count_there(&f, 100, 10, 10000), 10);
    assert_int_equal(n_messages, 1);
    pass_a_minute();
    put_many(&f, 200, 10, 10000);
    reopen(&f);
    assert_int_equal(count_there(&f, 200, 10, 10000), 10);
    assert_int_equal(count_there(&f, 100, 10, 10000), 0);
    finish(&f);
}

static void
directory_unusable_is_memory_and_a_message(void **state)
{
    g_autofree char *real = NULL;
    Fixture f;

    start(&f, MIB, 64 * MIB);
    close_blocks(&f);
    real = f.directory;
    f.directory = g_build_filename(real, "file", "below", NULL);
    {
        g_autofree char *file = g_build_filename(real, "file", NULL);

        assert_true(g_file_set_contents(file, "", 0, NULL));
    }
    open_blocks(&f);
    put_many(&f, 0, 10, 10000);
    assert_int_equal(count_there(&f, 0, 10, 10000), 10);
    cache_blocks_remove(f.blocks, "INBOX/1700000000/6");
    assert_false(is_there(&f, "INBOX/1700000000/6", 0));
    assert_int_equal(n_messages, 1);
    close_blocks(&f);
    g_free(f.directory);
    f.directory = g_steal_pointer(&real);
    finish(&f);
}

/* Until it is killed. Tells through @told when the first are on the disk. */
static void
write_for_ever(Fixture *f, int told)
{
    gboolean has_told = FALSE;

    open_blocks(f);
    for (guint i = 0;; i++) {
        g_autofree char *key = key_of(i % 700);

        put(f, key, 0, i, 1 + i * 37u % 20000);
        if (i % 11 == 0)
            cache_blocks_remove(f->blocks, key);
        if (cache_blocks_unwritten(f->blocks) > MIB) {
            settle(f);
            has_told = has_told || write(told, "", 1) == 1;
        }
        g_main_context_iteration(NULL, FALSE);
    }
}

/* Whether @data is a block that write_for_ever put under the key @i. */
static gboolean
is_of_writer(GBytes *data, guint i)
{
    for (guint seed = i; seed < 2000000; seed += 700) {
        if (g_bytes_get_size(data) == 1 + seed * 37u % 20000) {
            g_autoptr(GBytes) made = make(seed, g_bytes_get_size(data));

            if (g_bytes_equal(data, made))
                return TRUE;
        }
    }
    return FALSE;
}

static void
writer_killed_leaves_right_blocks(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    guint n_found = 0;
    Fixture f = {.disk_bytes = 4 * MIB};

    f.directory = g_dir_make_tmp("imapfs-blocks-XXXXXX", NULL);
    for (guint round = 0; round < 12; round++) {
        int told[2];
        char octet;
        pid_t pid;

        assert_int_equal(pipe(told), 0);
        pid = fork();
        if (pid == 0)
            write_for_ever(&f, told[1]);
        assert_true(pid > 0);
        close(told[1]);
        if (round == 0)
            assert_int_equal(read(told[0], &octet, 1), 1);
        g_usleep((gulong)g_rand_int_range(random, 5000, 120000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(told[0]);

        n_messages = 0;
        open_blocks(&f);
        for (guint i = 0; i < 700; i++) {
            g_autofree char *key = key_of(i);
            g_autoptr(GBytes) data = cache_blocks_get(f.blocks, key, 0);

            if (data == NULL)
                continue;
            n_found++;
            assert_true(is_of_writer(data, i));
        }
        assert_int_equal(n_messages, 0);
        close_blocks(&f);
        assert_in_range(for_each_segment(&f, NULL), 0, 5 * MIB);
    }
    assert_true(n_found > 0);
    finish(&f);
}

/* The process cannot write as much: a limit of the user's. */
static void
file_size_limit_goes_on_in_memory(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit limit = {100000, 100000};
        Fixture f;

        start(&f, MIB, 64 * MIB);
        setrlimit(RLIMIT_FSIZE, &limit);
        put_many(&f, 0, 50, 10000);
        _exit(count_there(&f, 0, 50, 10000) == 50 && n_messages == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* Before there are threads here: these fork. */
        cmocka_unit_test(writer_killed_leaves_right_blocks),
        cmocka_unit_test(file_size_limit_goes_on_in_memory),
        cmocka_unit_test(segment_damaged_is_never_served),
        cmocka_unit_test(checksum_differs_by_name),
        cmocka_unit_test(block_lost_is_forgotten_for_good),
        cmocka_unit_test(segment_file_unknown_is_deleted_and_others_left),
        cmocka_unit_test(database_foreign_or_damaged_is_made_anew),
        cmocka_unit_test(row_without_a_key_is_passed_over),
        cmocka_unit_test(disk_full_or_broken_goes_on_in_memory_and_recovers),
        cmocka_unit_test(writes_cut_short_are_continued),
        cmocka_unit_test(directory_removed_goes_on_and_is_made_again),
        cmocka_unit_test(directory_unusable_is_memory_and_a_message),
    };

    g_log_set_writer_func(count_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
