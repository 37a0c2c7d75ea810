/* Blocks in memory and on disk: what comes back is what was put, whatever
 * happens between, and the disk holds no more than it may. */
#include "cache/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB G_GUINT64_CONSTANT(1024)
#define MIB (KIB * 1024)

/* ---- the disk, and the clock: these are called in place of the libraries' */

static gint disk_errno;   /* atomic; 0: works */
static gint disk_is_full; /* atomic: of statvfs */
static gint disk_halves;  /* atomic: writes are cut short */
static gint64 clock_ahead;

ssize_t
pwritev(int fd, const struct iovec *vector, int n, off_t offset)
{
    int error_number = g_atomic_int_get(&disk_errno);

    if (error_number != 0) {
        errno = error_number;
        return -1;
    }
    if (g_atomic_int_get(&disk_halves))
        return syscall(SYS_pwrite64, fd, vector->iov_base,
                       (vector->iov_len + 1) / 2, offset);
    return syscall(SYS_pwritev, fd, vector, n, offset, 0);
}

int
fstatvfs(int fd, struct statvfs *disk)
{
    guint64 size = 100 * KIB * MIB;

    *disk = (struct statvfs){.f_frsize = 1, .f_blocks = size};
    disk->f_bavail = g_atomic_int_get(&disk_is_full) ? size / 100 : size / 2;
    return 0;
}

gint64
g_get_monotonic_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (gint64)G_USEC_PER_SEC + now.tv_nsec / 1000 +
           clock_ahead;
}

static guint n_messages;

static GLogWriterOutput
count_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
              gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_MESSAGE) {
        n_messages++;
        return G_LOG_WRITER_HANDLED;
    }
    return g_log_writer_default(level, fields, n_fields, user_data);
}

/* ---- the fixture ---- */

typedef struct {
    char *directory;
    guint64 memory_bytes;
    guint64 disk_bytes;
    CacheStoreThread *thread;
    CacheBlocks *blocks;
} Fixture;

static void
open_blocks(Fixture *f)
{
    f->thread = cache_store_thread_new();
    f->blocks = cache_blocks_new(f->directory, f->memory_bytes, f->disk_bytes,
                                 f->thread);
}

static void
close_blocks(Fixture *f)
{
    g_clear_pointer(&f->blocks, cache_blocks_free);
    g_clear_pointer(&f->thread, cache_store_thread_free);
}

static void
reopen(Fixture *f)
{
    close_blocks(f);
    open_blocks(f);
}

static void
start(Fixture *f, guint64 memory_bytes, guint64 disk_bytes)
{
    *f = (Fixture){.memory_bytes = memory_bytes, .disk_bytes = disk_bytes};
    f->directory = g_dir_make_tmp("imapfs-blocks-XXXXXX", NULL);
    n_messages = 0;
    open_blocks(f);
}

static void
delete_all(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        delete_all(child);
    }
    g_remove(path);
}

static void
finish(Fixture *f)
{
    close_blocks(f);
    delete_all(f->directory);
    g_free(f->directory);
    clock_ahead = 0;
}

static void
settle(Fixture *f)
{
    while (cache_blocks_unwritten(f->blocks) > 0)
        g_main_context_iteration(NULL, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* The block @seed of @length. */
static GBytes *
make(guint seed, gsize length)
{
    guint8 *data = g_malloc(length);
    guint32 x = seed * 2654435761u + 1;

    for (gsize i = 0; i < length; i++) {
        if (i % 64 == 0)
            x = x * 1664525u + 1013904223u;
        data[i] = (guint8)((x >> 24) + i);
    }
    return g_bytes_new_take(data, length);
}

static void
put(Fixture *f, const char *key, guint32 number, guint seed, gsize length)
{
    g_autoptr(GBytes) data = make(seed, length);

    cache_blocks_put(f->blocks, key, number, data);
}

static gboolean
is_there(Fixture *f, const char *key, guint32 number)
{
    g_autoptr(GBytes) data = cache_blocks_get(f->blocks, key, number);

    return data != NULL;
}

/* FALSE if it is not there; fails if it is another. */
static gboolean
check(Fixture *f, const char *key, guint32 number, guint seed, gsize length)
{
    g_autoptr(GBytes) expected = make(seed, length);
    g_autoptr(GBytes) data = cache_blocks_get(f->blocks, key, number);

    if (data != NULL)
        assert_true(g_bytes_equal(data, expected));
    return data != NULL;
}

static char *
key_of(guint i)
{
    return g_strdup_printf("INBOX/1700000000/%u", i);
}

static void
put_many(Fixture *f, guint first, guint n, gsize length)
{
    for (guint i = first; i < first + n; i++) {
        g_autofree char *key = key_of(i);

        put(f, key, 0, i, length);
        if (cache_blocks_unwritten(f->blocks) > 4 * MIB)
            settle(f);
    }
    settle(f);
}

static guint
count_there(Fixture *f, guint first, guint n, gsize length)
{
    guint count = 0;

    for (guint i = first; i < first + n; i++) {
        g_autofree char *key = key_of(i);

        count += check(f, key, 0, i, length);
    }
    return count;
}

/* Calls @func with each segment file; their size. */
static guint64
for_each_segment(Fixture *f, void (*func)(const char *path))
{
    g_autofree char *folder = g_build_filename(f->directory, "segments", NULL);
    g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
    guint64 octets = 0;
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat status;

        assert_int_equal(stat(path, &status), 0);
        octets += (guint64)status.st_size;
        if (func != NULL)
            func(path);
    }
    return octets;
}

static guint64
disk_octets(Fixture *f)
{
    CacheBlocksUse use;

    cache_blocks_use(f->blocks, &use);
    return use.disk_octets;
}

/* ---- the tests ---- */

static void
put_is_there_at_once_and_after_reopening(void **state)
{
    g_autofree char *long_key = g_strnfill(5000, 'k');
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, CACHE_BLOCK_SIZE);
    put(&f, "a", 1, 2, 1);
    put(&f, "a\xff#1 \n", 70000, 3, 500);
    put(&f, long_key, 0, 4, 600);
    for (guint round = 0; round < 3; round++) {
        assert_true(cache_blocks_has(f.blocks, "a", 1));
        assert_false(cache_blocks_has(f.blocks, "a", 2));
        assert_false(cache_blocks_has(f.blocks, "b", 0));
        assert_true(check(&f, "a", 0, 1, CACHE_BLOCK_SIZE));
        assert_true(check(&f, "a", 1, 2, 1));
        assert_true(check(&f, "a\xff#1 \n", 70000, 3, 500));
        assert_true(check(&f, long_key, 0, 4, 600));
        assert_false(is_there(&f, "b", 0));
        if (round == 0)
            settle(&f);
        else
            reopen(&f);
    }
    assert_int_equal(n_messages, 0);
    finish(&f);
}

static void
put_of_no_or_too_many_octets_is_ignored(void **state)
{
    Fixture f;

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, 0);
    put(&f, "b", 0, 1, CACHE_BLOCK_SIZE + 1);
    put(&f, "", 0, 7, 10);
    settle(&f);
    reopen(&f);
    assert_false(is_there(&f, "a", 0));
    assert_false(is_there(&f, "b", 0));
    assert_true(check(&f, "", 0, 7, 10));
    finish(&f);
}

static void
files_are_the_owners_alone(void **state)
{
    g_autofree char *folder = NULL;
    g_autofree char *file = NULL;
    g_autofree char *database = NULL;
    struct stat status;
    Fixture f;
    mode_t mask = umask(0);

    start(&f, MIB, 64 * MIB);
    put(&f, "a", 0, 1, 5000);
    settle(&f);
    folder = g_build_filename(f.directory, "segments", NULL);
    file = g_build_filename(folder, "000001", NULL);
    database = g_build_filename(f.directory, "blocks.db", NULL);
    assert_int_equal(stat(folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 5000);
    assert_int_equal(stat(database, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    umask(mask);
    finish(&f);
}

static void
remove_forgets_all_blocks_and_their_file(void **state)
{
    Fixture f;

    start(&f, 0, 64 * MIB);
    for (guint32 n = 0; n < 20; n++)
        put(&f, "large", n, n, CACHE_BLOCK_SIZE);
    settle(&f);
    put(&f, "large", 20, 20, 10);
    cache_blocks_remove(f.blocks, "large");
    for (guint32 n = 0; n <= 20; n++)
        assert_false(is_there(&f, "large", n));
    put(&f, "large", 3, 99, 77);
    cache_blocks_remove(f.blocks, "none");
    settle(&f);
    reopen(&f);
    assert_true(check(&f, "large", 3, 99, 77));
    assert_false(cache_blocks_has(f.blocks, "large", 4));
    cache_blocks_remove(f.blocks, "large");
    reopen(&f);
    assert_false(cache_blocks_has(f.blocks, "large", 3));
    assert_int_equal(for_each_segment(&f, NULL), 0);
    assert_int_equal(disk_octets(&f), 0);
    finish(&f);
}

static void
memory_alone_is_bounded_and_leaves_no_files(void **state)
{
    CacheBlocksUse use;
    Fixture f = {.memory_bytes = MIB};

    open_blocks(&f);
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *key = key_of(i);

        put(&f, key, 0, i, 10000);
        assert_true(check(&f, key, 0, i, 10000));
    }
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);
    cache_blocks_use(f.blocks, &use);
    assert_in_range(use.memory_octets, MIB / 2, MIB);
    assert_int_equal(use.disk_octets, 0);
    assert_int_equal(use.hits, 1000);
    assert_in_range(count_there(&f, 0, 1000, 10000), 50, 105);
    cache_blocks_remove(f.blocks, "INBOX/1700000000/999");
    assert_false(is_there(&f, "INBOX/1700000000/999", 0));
    close_blocks(&f);
}

/* What may be there: what was put last, unless it was evicted. */
static void
random_changes_never_bring_wrong_octets(void **state)
{
    enum { N_KEYS = 60, N_NUMBERS = 3 };
    static guint model[N_KEYS][N_NUMBERS]; /* seed; 0: none */
    g_autoptr(GRand) random = g_rand_new_with_seed(42);
    guint n_found = 0, n_missed = 0;
    Fixture f;

    memset(model, 0, sizeof(model));
    start(&f, 200 * KIB, 3 * MIB);
    for (guint step = 1; step < 20000; step++) {
        guint i = (guint)g_rand_int_range(random, 0, N_KEYS);
        guint32 n = (guint32)g_rand_int_range(random, 0, N_NUMBERS);
        g_autofree char *key = key_of(i);
        gint what = g_rand_int_range(random, 0, 1000);

        if (what < 300) {
            model[i][n] = step;
            put(&f, key, n, step, 1 + step * 7919u % 30000);
        } else if (what < 320) {
            memset(model[i], 0, sizeof(model[i]));
            cache_blocks_remove(f.blocks, key);
        } else if (what < 700) {
            guint seed = model[i][n];
            gboolean found =
                seed == 0 ? is_there(&f, key, n)
                          : check(&f, key, n, seed, 1 + seed * 7919u % 30000);

            assert_false(seed == 0 && found);
            if (seed != 0 && found)
                n_found++;
            else if (seed != 0)
                n_missed++;
            assert_int_equal(found, cache_blocks_has(f.blocks, key, n));
        } else if (what < 990) {
            g_main_context_iteration(NULL, FALSE);
        } else if (what < 995) {
            settle(&f);
        } else if (what < 998) {
            clock_ahead += 2 * (gint64)G_USEC_PER_SEC;
        } else {
            reopen(&f);
        }
    }
    settle(&f);
    assert_int_equal(for_each_segment(&f, NULL), disk_octets(&f));
    assert_in_range(disk_octets(&f), 1, 4 * MIB);
    assert_int_equal(n_messages, 0);
    assert_in_range(n_missed, 0, n_found);
    finish(&f);
}

static void
cap_holds_while_more_is_put(void **state)
{
    Fixture f;

    start(&f, 0, 8 * MIB);
    for (guint i = 0; i < 4000; i++) {
        g_autofree char *key = key_of(i);

        put(&f, key, 0, i, 10000);
        if (i % 50 == 0) {
            settle(&f);
            assert_in_range(for_each_segment(&f, NULL), 0, 9 * MIB);
        }
    }
    settle(&f);
    assert_in_range(disk_octets(&f), 6 * MIB, 8 * MIB);
    assert_in_range(count_there(&f, 0, 4000, 10000), 600, 840);
    assert_int_equal(count_there(&f, 3500, 500, 10000), 500);
    finish(&f);
}

static void
scan_larger_than_the_cap_keeps_what_is_hot(void **state)
{
    Fixture f;

    start(&f, 0, 16 * MIB);
    put_many(&f, 0, 1000, 10000); /* 10 MB, a fifth of it hot */
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < 1000; i += 5)
            assert_int_equal(count_there(&f, i, 1, 10000), 1);
        clock_ahead += 10 * (gint64)G_USEC_PER_SEC;
    }
    /* A scan reads what it brings, in several pieces, and never again. */
    for (guint i = 10000; i < 18000; i += 100) {
        put_many(&f, i, 100, 10000);
        assert_int_equal(count_there(&f, i, 100, 10000), 100);
        assert_int_equal(count_there(&f, i, 100, 10000), 100);
        assert_in_range(for_each_segment(&f, NULL), 0, 17 * MIB);
    }
    for (guint i = 0; i < 1000; i++)
        assert_int_equal(count_there(&f, i, 1, 10000), i % 5 == 0);
    reopen(&f);
    for (guint i = 0; i < 1000; i++)
        assert_int_equal(count_there(&f, i, 1, 10000), i % 5 == 0);
    finish(&f);
}

static void
first_reading_after_reopening_makes_nothing_hot(void **state)
{
    Fixture f;

    start(&f, 0, 8 * MIB);
    put_many(&f, 0, 100, 10000);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 50, 10000), 50);
    reopen(&f);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20); /* now hot */
    put_many(&f, 1000, 2000, 10000);
    assert_int_equal(count_there(&f, 0, 100, 10000), 20);
    assert_int_equal(count_there(&f, 0, 20, 10000), 20);
    finish(&f);
}

static void
hot_blocks_have_two_thirds_at_the_most(void **state)
{
    guint n_old, n_new;
    Fixture f;

    start(&f, 0, 12 * MIB);
    for (guint first = 0; first < 4000; first += 200) {
        put_many(&f, first, 200, 10000);
        for (guint round = 0; round < 2; round++) {
            count_there(&f, first, 200, 10000);
            clock_ahead += 10 * (gint64)G_USEC_PER_SEC;
        }
        assert_in_range(for_each_segment(&f, NULL), 0, 13 * MIB);
    }
    /* 40 MB were hot. A scan then leaves two thirds of 12 MiB, but for the
     * segment that would be too much, of what was hot last. */
    put_many(&f, 10000, 2000, 10000);
    n_old = count_there(&f, 0, 4000, 10000);
    n_new = count_there(&f, 10000, 2000, 10000);
    assert_in_range(n_old, 500, 945);
    assert_in_range(n_new, 250, 700);
    assert_int_equal(count_there(&f, 0, 2000, 10000), 0);
    finish(&f);
}

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

static void
count_call(gpointer user_data)
{
    (*(guint *)user_data)++;
}

static void
written_func_is_called_when_less_is_unwritten(void **state)
{
    guint n_calls = 0;
    Fixture f;

    start(&f, 0, 64 * MIB);
    cache_blocks_set_written_func(f.blocks, count_call, &n_calls);
    put(&f, "a", 0, 1, 1000);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 1000);
    put(&f, "a", 0, 2, 500);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 500);
    assert_int_equal(n_calls, 0);
    while (n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);

    put(&f, "b", 0, 1, 1000);
    cache_blocks_remove(f.blocks, "b");
    assert_int_equal(cache_blocks_unwritten(f.blocks), 0);
    n_calls = 0;
    while (n_calls == 0)
        g_main_context_iteration(NULL, TRUE);
    finish(&f);
}

/* Until it is killed. */
static void
write_for_ever(Fixture *f)
{
    open_blocks(f);
    for (guint i = 0;; i++) {
        g_autofree char *key = key_of(i % 700);

        put(f, key, 0, i, 1 + i * 37u % 20000);
        if (i % 11 == 0)
            cache_blocks_remove(f->blocks, key);
        if (cache_blocks_unwritten(f->blocks) > MIB)
            settle(f);
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
        pid_t pid = fork();

        if (pid == 0)
            write_for_ever(&f);
        assert_true(pid > 0);
        g_usleep((gulong)g_rand_int_range(random, 5000, 120000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

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
        cmocka_unit_test(put_is_there_at_once_and_after_reopening),
        cmocka_unit_test(put_of_no_or_too_many_octets_is_ignored),
        cmocka_unit_test(files_are_the_owners_alone),
        cmocka_unit_test(remove_forgets_all_blocks_and_their_file),
        cmocka_unit_test(memory_alone_is_bounded_and_leaves_no_files),
        cmocka_unit_test(random_changes_never_bring_wrong_octets),
        cmocka_unit_test(cap_holds_while_more_is_put),
        cmocka_unit_test(scan_larger_than_the_cap_keeps_what_is_hot),
        cmocka_unit_test(first_reading_after_reopening_makes_nothing_hot),
        cmocka_unit_test(hot_blocks_have_two_thirds_at_the_most),
        cmocka_unit_test(segment_damaged_is_never_served),
        cmocka_unit_test(block_lost_is_forgotten_for_good),
        cmocka_unit_test(segment_file_unknown_is_deleted_and_others_left),
        cmocka_unit_test(database_foreign_or_damaged_is_made_anew),
        cmocka_unit_test(disk_full_or_broken_goes_on_in_memory_and_recovers),
        cmocka_unit_test(writes_cut_short_are_continued),
        cmocka_unit_test(directory_removed_goes_on_and_is_made_again),
        cmocka_unit_test(directory_unusable_is_memory_and_a_message),
        cmocka_unit_test(written_func_is_called_when_less_is_unwritten),
    };

    g_log_set_writer_func(count_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
