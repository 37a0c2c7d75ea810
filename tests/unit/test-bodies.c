/* What is promised of bodies, on a disk that misbehaves when asked to. */
#include "bodies-fixture.h"

#include "cache/error.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void
body_small_is_readable_at_once_and_told_later(void **state)
{
    Fixture f;
    Watch watch = {.appending = TRUE};
    CacheBody *body;

    start(&f);
    body = cache_bodies_create(f.bodies, "k", 3000);
    cache_body_set_watch(body, watched, &watch);
    append(body, 1, 0, 1000);
    append(body, 1, 1000, 1000);
    assert_reads(body, 1, 0, 5000, 2000);
    assert_reads(body, 1, 1999, 5000, 1);
    assert_reads(body, 1, 2000, 1, 0);
    assert_reads(body, 1, G_MAXUINT64, 1, 0);
    watch.appending = FALSE;
    assert_int_equal(watch.n_calls, 0);
    settle(&f);
    assert_int_equal(watch.n_calls, 1);
    assert_int_equal(watch.available, 2000);

    cache_body_set_watch(body, NULL, NULL);
    append(body, 1, 2000, 1000);
    settle(&f);
    assert_int_equal(watch.n_calls, 1);
    cache_body_commit(body);
    assert_true(has(&f, "k"));
    cache_body_unref(body);
    finish(&f);
}

static void
body_large_grows_while_it_is_read(void **state)
{
    Fixture f;
    Watch watch = {0};
    CacheBody *body, *found;
    const guint64 size = 5 * KIB * KIB + 17;

    start(&f);
    body = cache_bodies_create(f.bodies, "k", size);
    cache_body_set_watch(body, watched, &watch);
    for (guint64 at = 0; at < size; at += 64 * KIB) {
        gsize n = MIN(64 * KIB, size - at);

        watch.appending = TRUE;
        append(body, 2, at, n);
        watch.appending = FALSE;
        while (cache_body_available(body) == at)
            g_main_context_iteration(NULL, TRUE);
        assert_int_equal(watch.available, at + n);
        assert_reads(body, 2, at, size, n);
    }
    assert_null(cache_bodies_find(f.bodies, "k"));
    cache_body_commit(body);
    found = cache_bodies_find(f.bodies, "k");
    assert_ptr_equal(found, body);
    assert_int_equal(cache_body_size(found), size);
    assert_reads(found, 2, 0, size + 1, size);
    cache_body_unref(found);
    cache_body_unref(body);
    finish(&f);
}

static void
body_empty_can_be_kept(void **state)
{
    Fixture f;
    CacheBody *body;

    start(&f);
    keep(&f, "empty", 0, 0);
    body = cache_bodies_find(f.bodies, "empty");
    assert_non_null(body);
    assert_reads(body, 0, 0, 10, 0);
    cache_body_unref(body);
    finish(&f);
}

static void
file_is_for_its_owner_and_has_no_name(void **state)
{
    for (int unnamed = 0; unnamed < 2; unnamed++) {
        Fixture f;
        struct stat status;
        CacheBody *body;
        GDir *directory;

        g_atomic_int_set(&disk_knows_no_unnamed, unnamed);
        start(&f);
        assert_false(g_file_test(f.directory, G_FILE_TEST_EXISTS));
        body = create_whole(&f, "k", 3, LARGE);
        settle(&f);
        assert_reads(body, 3, 0, LARGE, LARGE);
        assert_int_equal(g_stat(f.directory, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0700);
        directory = g_dir_open(f.directory, 0, NULL);
        assert_null(g_dir_read_name(directory));
        g_dir_close(directory);
        cache_body_unref(body);
        finish(&f);
    }
    g_atomic_int_set(&disk_knows_no_unnamed, 0);
}

static void
write_short_or_interrupted_is_continued(void **state)
{
    Fixture f;
    CacheBody *body;

    start(&f);
    g_atomic_int_set(&disk_interrupts, 1);
    body = create_whole(&f, "k", 4, 3 * LARGE);
    settle(&f);
    g_atomic_int_set(&disk_interrupts, 0);
    assert_reads(body, 4, 0, 3 * LARGE, 3 * LARGE);
    cache_body_unref(body);
    finish(&f);
}

static void
unwritten_counts_what_a_stalled_disk_has_not_taken(void **state)
{
    Fixture f;
    CacheBody *body, *given_up;

    start(&f);
    set_disk_stalled(TRUE);
    body = cache_bodies_create(f.bodies, "k", 2 * LARGE);
    append(body, 5, 0, LARGE);
    given_up = cache_bodies_create(f.bodies, "l", 2 * LARGE);
    append(given_up, 5, 0, LARGE);
    assert_int_equal(cache_bodies_unwritten(f.bodies), 2 * LARGE);
    assert_int_equal(cache_body_available(body), 0);
    /* What is with the thread is still counted, the rest is not. */
    cache_body_unref(given_up);
    assert_in_range(cache_bodies_unwritten(f.bodies), LARGE + 1,
                    LARGE + 256 * KIB);
    set_disk_stalled(FALSE);
    settle(&f);
    assert_int_equal(cache_body_available(body), LARGE);
    cache_body_unref(body);
    finish(&f);
}

static void
body_unfinished_vanishes_with_its_last_reference(void **state)
{
    Fixture f;
    CacheBody *body;
    Watch watch = {0};

    start(&f);
    body = cache_bodies_create(f.bodies, "small", 10);
    cache_body_set_watch(body, watched, &watch);
    append(body, 1, 0, 10);
    cache_body_unref(body);

    set_disk_stalled(TRUE);
    body = cache_bodies_create(f.bodies, "large", LARGE);
    cache_body_set_watch(body, watched, &watch);
    append(body, 1, 0, LARGE);
    cache_body_unref(body);
    set_disk_stalled(FALSE);
    settle(&f);

    assert_int_equal(watch.n_calls, 0);
    assert_false(has(&f, "small"));
    assert_false(has(&f, "large"));
    finish(&f);
}

static void
body_may_be_let_go_by_its_watch(void **state)
{
    const guint64 sizes[] = {100, LARGE};

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Fixture f;
        Watch watch = {0};
        CacheBody *body;

        start(&f);
        body = cache_bodies_create(f.bodies, "k", sizes[i]);
        watch.release = body;
        cache_body_set_watch(body, watched, &watch);
        append(body, 1, 0, 100);
        settle(&f);
        assert_int_equal(watch.n_calls, 1);
        finish(&f);
    }
}

static void
commit_before_it_is_written_is_found_after(void **state)
{
    Fixture f;
    CacheBody *old;

    start(&f);
    keep(&f, "k", 1, 100);
    set_disk_stalled(TRUE);
    cache_body_unref(create_whole(&f, "k", 2, LARGE));
    old = cache_bodies_find(f.bodies, "k");
    assert_int_equal(cache_body_size(old), 100);
    set_disk_stalled(FALSE);
    settle(&f);

    assert_reads(old, 1, 0, 200, 100);
    cache_body_unref(old);
    old = cache_bodies_find(f.bodies, "k");
    assert_reads(old, 2, 0, LARGE, LARGE);
    cache_body_unref(old);
    finish(&f);
}

static void
commit_later_wins_though_written_earlier(void **state)
{
    Fixture f;
    CacheBody *first, *found;

    start(&f);
    set_disk_stalled(TRUE);
    first = create_whole(&f, "k", 1, LARGE);
    cache_body_unref(create_whole(&f, "k", 2, LARGE));
    cache_body_unref(create_whole(&f, "k", 3, 100));
    set_disk_stalled(FALSE);
    settle(&f);
    found = cache_bodies_find(f.bodies, "k");
    assert_int_equal(cache_body_size(found), 100);
    assert_reads(first, 1, 0, LARGE, LARGE);
    cache_body_unref(found);
    cache_body_unref(first);
    finish(&f);
}

static void
remove_forgets_kept_held_and_committed(void **state)
{
    Fixture f;
    CacheBody *held;

    start(&f);
    keep(&f, "kept", 1, LARGE);
    cache_bodies_remove(f.bodies, "kept");
    assert_false(has(&f, "kept"));

    held = create_whole(&f, "held", 2, LARGE);
    settle(&f);
    cache_bodies_remove(f.bodies, "held");
    assert_false(has(&f, "held"));
    assert_reads(held, 2, 0, LARGE, LARGE);
    cache_body_unref(held);
    assert_false(has(&f, "held"));

    set_disk_stalled(TRUE);
    cache_body_unref(create_whole(&f, "committed", 3, LARGE));
    cache_bodies_remove(f.bodies, "committed");
    set_disk_stalled(FALSE);
    settle(&f);
    assert_false(has(&f, "committed"));
    cache_bodies_remove(f.bodies, "never there");
    finish(&f);
}

static void
eviction_takes_the_least_recently_used(void **state)
{
    const guint64 sizes[] = {100 * KIB, 2 * KIB * KIB};

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Fixture f;
        guint64 bound = 3 * sizes[i] + sizes[i] / 2;

        start_with(&f, bound, bound);
        keep(&f, "a", 1, sizes[i]);
        keep(&f, "b", 2, sizes[i]);
        keep(&f, "c", 3, sizes[i]);
        assert_true(has(&f, "a"));
        keep(&f, "d", 4, sizes[i]);
        assert_false(has(&f, "b"));
        assert_true(has(&f, "a"));
        assert_true(has(&f, "c"));
        assert_true(has(&f, "d"));
        finish(&f);
    }
}

static void
eviction_spares_what_is_held(void **state)
{
    Fixture f;
    CacheBody *held;

    start_with(&f, 250 * KIB, 0);
    held = create_whole(&f, "held", 1, 100 * KIB);
    keep(&f, "a", 2, 100 * KIB);
    keep(&f, "b", 3, 100 * KIB);
    keep(&f, "c", 4, 100 * KIB);
    assert_true(has(&f, "held"));
    assert_true(has(&f, "c"));
    assert_true(has(&f, "b"));
    assert_false(has(&f, "a"));
    cache_body_unref(held);
    assert_true(has(&f, "held"));
    assert_true(has(&f, "b"));
    assert_false(has(&f, "c"));
    finish(&f);
}

static void
body_beyond_the_bound_is_kept_only_while_held(void **state)
{
    Fixture f;
    CacheBody *body;

    start_with(&f, 300 * KIB, 2 * LARGE);
    keep(&f, "other", 1, LARGE);
    body = create_whole(&f, "huge", 2, 3 * LARGE);
    settle(&f);
    assert_true(has(&f, "huge"));
    cache_body_unref(body);
    assert_false(has(&f, "huge"));
    assert_true(has(&f, "other"));

    keep(&f, "a", 3, 200 * KIB);
    keep(&f, "b", 4, 400 * KIB);
    assert_true(has(&f, "a"));
    assert_false(has(&f, "b"));
    finish(&f);
}

/* Empty bodies have a bound, too, and so have open files. */
static void
bodies_without_number_stay_bounded(void **state)
{
    Fixture f;
    guint n = 0;

    start_with(&f, 1024 * KIB, 1024 * KIB * KIB);
    for (guint i = 0; i < 30000; i++) {
        g_autofree char *key = g_strdup_printf("%u", i);

        cache_body_unref(create_whole(&f, key, i, 0));
    }
    for (guint i = 0; i < 30000; i++) {
        g_autofree char *key = g_strdup_printf("%u", i);

        n += has(&f, key);
    }
    assert_in_range(n, 1000, 20000);

    for (guint i = 0; i < 300; i++) {
        g_autofree char *key = g_strdup_printf("file %u", i);

        keep(&f, key, i, LARGE);
    }
    assert_true(has(&f, "file 299"));
    assert_true(has(&f, "file 44"));
    assert_false(has(&f, "file 43"));
    assert_in_range(count_descriptors(), 256, f.n_descriptors + 257);
    finish(&f);
}

static void
assert_fails(Fixture *f, int code, const char *says)
{
    Watch watch = {0};
    CacheBody *body = cache_bodies_create(f->bodies, "k", 3 * LARGE);
    guint64 available;

    cache_body_set_watch(body, watched, &watch);
    append(body, 6, 0, 2 * LARGE);
    assert_null(cache_body_error(body));
    settle(f);
    assert_true(g_error_matches(cache_body_error(body), CACHE_ERROR, code));
    assert_non_null(strstr(cache_body_error(body)->message, says));
    assert_non_null(strstr(cache_body_error(body)->message, f->directory));
    assert_true(watch.n_calls > 0);

    /* What was written before can be read; nothing more comes. */
    available = cache_body_available(body);
    assert_true(available < 2 * LARGE);
    assert_reads(body, 6, 0, LARGE, MIN(available, LARGE));
    append(body, 6, 2 * LARGE, LARGE);
    assert_int_equal(cache_bodies_unwritten(f->bodies), 0);
    cache_body_commit(body);
    settle(f);
    assert_false(has(f, "k"));
    assert_non_null(cache_body_error(body));
    cache_body_unref(body);
}

static void
disk_full_is_no_space(void **state)
{
    Fixture f;

    start(&f);
    g_atomic_int_set(&disk_errno, ENOSPC);
    assert_fails(&f, CACHE_ERROR_NO_SPACE, "No space left");
    g_atomic_int_set(&disk_errno, EDQUOT);
    assert_fails(&f, CACHE_ERROR_NO_SPACE, "quota");
    g_atomic_int_set(&disk_errno, 0);
    keep(&f, "k", 1, LARGE);
    assert_true(has(&f, "k"));
    finish(&f);
}

/* A size is what a server says: here more than any disk has. */
static void
body_that_would_fill_the_disk_is_refused_at_its_first_octets(void **state)
{
    guint64 size = G_GUINT64_CONSTANT(1) << 60;
    CacheBody *body;
    Fixture f;

    start(&f);
    body = cache_bodies_create(f.bodies, "k", size);
    append(body, 1, 0, LARGE);
    settle(&f);
    assert_int_equal(cache_body_available(body), 0);
    assert_true(g_error_matches(cache_body_error(body), CACHE_ERROR,
                                CACHE_ERROR_NO_SPACE));
    cache_body_unref(body);
    finish(&f);
}

static void
disk_full_after_the_commit_is_never_found(void **state)
{
    Fixture f;

    start(&f);
    set_disk_stalled(TRUE);
    g_atomic_int_set(&disk_errno, ENOSPC);
    cache_body_unref(create_whole(&f, "k", 1, LARGE));
    set_disk_stalled(FALSE);
    settle(&f);
    g_atomic_int_set(&disk_errno, 0);
    assert_false(has(&f, "k"));
    /* Nor does it stay: by now its file is closed. */
    keep(&f, "other", 2, LARGE);
    assert_int_equal(count_descriptors(), f.n_descriptors + 1);
    finish(&f);
}

/* The default action of SIGXFSZ would end this program. */
static void
file_beyond_the_limit_of_the_shell_is_io_error(void **state)
{
    Fixture f;
    struct rlimit before, limit;

    start(&f);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = LARGE;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_fails(&f, CACHE_ERROR_IO, "too large");
    setrlimit(RLIMIT_FSIZE, &before);
    finish(&f);
}

static void
directory_that_cannot_be_made_is_io_error(void **state)
{
    Fixture f;
    g_autofree char *in_the_way = NULL;

    start(&f);
    in_the_way = g_build_filename(f.parent, "a", NULL);
    assert_true(g_file_set_contents(in_the_way, "", 0, NULL));
    assert_fails(&f, CACHE_ERROR_IO, "Not a directory");
    g_unlink(in_the_way);
    finish(&f);
}

static void
free_while_bodies_are_held_leaves_them_readable(void **state)
{
    Fixture f;
    CacheBody *small, *large, *unfinished, *late;

    start(&f);
    small = create_whole(&f, "small", 1, 1000);
    large = create_whole(&f, "large", 2, LARGE);
    late = cache_bodies_create(f.bodies, "late", LARGE);
    append(late, 6, 0, LARGE);
    settle(&f);
    keep(&f, "kept", 3, LARGE);
    set_disk_stalled(TRUE);
    unfinished = create_whole(&f, "unfinished", 4, LARGE);
    cache_body_unref(create_whole(&f, "committed", 5, LARGE));
    g_clear_pointer(&f.bodies, cache_bodies_free);
    set_disk_stalled(FALSE);

    while (cache_body_available(unfinished) < LARGE)
        g_main_context_iteration(NULL, TRUE);
    assert_reads(unfinished, 4, 0, LARGE, LARGE);
    assert_reads(small, 1, 0, 1000, 1000);
    assert_reads(large, 2, 0, LARGE, LARGE);
    cache_body_commit(late);
    cache_body_unref(late);
    cache_body_unref(unfinished);
    cache_body_unref(small);
    cache_body_unref(large);
    finish(&f);
}

/* ---- at random, against an oracle ----
 *
 * Sizes are whole units and the bound lies half a unit above a whole number of
 * them, so that the oracle need not know what a body weighs beyond its size. */

#define UNIT (64 * KIB)
#define MEMORY_UNITS 40
#define FILE_UNITS 60
#define N_KEYS 12
#define N_SLOTS 10

typedef struct {
    guint seed;
    guint units; /* 0: no such body */
    guint stamp; /* when it was let go; 0: held */
    guint n_held;
} Kept;

typedef struct {
    CacheBody *body;
    guint key;
    guint seed;
    guint units;
    guint64 appended;
    gboolean committed;
    gboolean current; /* what the oracle lists under its key */
} Slot;

typedef struct {
    Fixture f;
    GRand *rand;
    Kept kept[N_KEYS];
    Slot slots[N_SLOTS];
    guint clock;
} Model;

static gboolean
is_file(guint units)
{
    return units * UNIT > CACHE_BODY_IN_MEMORY_MAX;
}

static void
oracle_evict(Model *m, gboolean files)
{
    for (;;) {
        Kept *oldest = NULL;
        guint units = 0;

        for (guint i = 0; i < N_KEYS; i++) {
            Kept *k = &m->kept[i];

            if (k->units == 0 || k->n_held > 0 || is_file(k->units) != files)
                continue;
            units += k->units;
            if (oldest == NULL || k->stamp < oldest->stamp)
                oldest = k;
        }
        if (units <= (files ? FILE_UNITS : MEMORY_UNITS))
            return;
        oldest->units = 0;
    }
}

static void
let_go(Model *m, Slot *slot)
{
    Kept *k = &m->kept[slot->key];

    if (slot->current && --k->n_held == 0) {
        k->stamp = ++m->clock;
        oracle_evict(m, is_file(k->units));
    }
    cache_body_unref(slot->body);
    *slot = (Slot){0};
}

static void
oracle_forget(Model *m, guint key)
{
    m->kept[key] = (Kept){0};
    for (guint i = 0; i < N_SLOTS; i++)
        if (m->slots[i].body != NULL && m->slots[i].key == key)
            m->slots[i].current = FALSE;
}

static const char *
key_name(guint key)
{
    static const char *const names[N_KEYS] = {"a", "b", "c", "d", "e", "f",
                                              "g", "h", "i", "j", "k", "l"};

    return names[key];
}

static void
step_find(Model *m, Slot *slot, guint key)
{
    Kept *k = &m->kept[key];
    CacheBody *body = cache_bodies_find(m->f.bodies, key_name(key));

    assert_int_equal(body != NULL, k->units != 0);
    if (body == NULL)
        return;
    assert_int_equal(cache_body_size(body), k->units * UNIT);
    *slot = (Slot){
        .body = body,
        .key = key,
        .seed = k->seed,
        .units = k->units,
        .appended = k->units * UNIT,
        .committed = TRUE,
        .current = TRUE,
    };
    k->n_held++;
}

static void
step_create(Model *m, Slot *slot, guint key)
{
    gboolean large = g_rand_int_range(m->rand, 0, 4) == 0;

    *slot = (Slot){
        .key = key,
        .seed = g_rand_int(m->rand) % 251,
        .units = (guint)(large ? g_rand_int_range(m->rand, 17, 26)
                               : g_rand_int_range(m->rand, 1, 17)),
    };
    slot->body =
        cache_bodies_create(m->f.bodies, key_name(key), slot->units * UNIT);
}

static void
step_commit(Model *m, Slot *slot)
{
    settle(&m->f);
    cache_body_commit(slot->body);
    oracle_forget(m, slot->key);
    slot->committed = slot->current = TRUE;
    m->kept[slot->key] =
        (Kept){.seed = slot->seed, .units = slot->units, .n_held = 1};
}

static void
step_append(Model *m, Slot *slot)
{
    guint64 left = slot->units * UNIT - slot->appended;
    gsize length = g_rand_int(m->rand) % (12 * UNIT);

    length = MIN(length, left);
    append(slot->body, slot->seed, slot->appended, length);
    slot->appended += length;
    if (slot->appended == slot->units * UNIT)
        step_commit(m, slot);
}

static void
step_read(Model *m, Slot *slot)
{
    guint64 offset = g_rand_int(m->rand) % (slot->units * UNIT);
    gsize length = g_rand_int(m->rand) % (guint)(2 * UNIT);
    guint64 available = cache_body_available(slot->body);

    assert_true(available <= slot->appended);
    assert_reads(slot->body, slot->seed, offset, length,
                 offset < available ? MIN(length, available - offset) : 0);
}

static void
step(Model *m)
{
    Slot *slot = &m->slots[g_rand_int_range(m->rand, 0, N_SLOTS)];
    guint key = (guint)g_rand_int_range(m->rand, 0, N_KEYS);
    gint choice = g_rand_int_range(m->rand, 0, 100);

    if (choice < 5) {
        cache_bodies_remove(m->f.bodies, key_name(key));
        oracle_forget(m, key);
    } else if (choice < 15) {
        g_main_context_iteration(NULL, FALSE);
    } else if (slot->body == NULL && choice < 50) {
        step_find(m, slot, key);
    } else if (slot->body == NULL) {
        step_create(m, slot, key);
    } else if (choice < 35) {
        let_go(m, slot);
    } else if (!slot->committed && choice < 80) {
        step_append(m, slot);
    } else {
        step_read(m, slot);
    }
}

static void
operations_at_random_agree_with_the_oracle(void **state)
{
    for (guint32 seed = 1; seed <= 4; seed++) {
        Model m = {.rand = g_rand_new_with_seed(seed)};

        start_with(&m.f, MEMORY_UNITS * UNIT + UNIT / 2,
                   FILE_UNITS * UNIT + UNIT / 2);
        for (guint i = 0; i < 2000; i++)
            step(&m);
        for (guint i = 0; i < N_SLOTS; i++)
            if (m.slots[i].body != NULL)
                let_go(&m, &m.slots[i]);
        for (guint key = 0; key < N_KEYS; key++)
            assert_int_equal(has(&m.f, key_name(key)), m.kept[key].units != 0);
        g_rand_free(m.rand);
        finish(&m.f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_small_is_readable_at_once_and_told_later),
        cmocka_unit_test(body_large_grows_while_it_is_read),
        cmocka_unit_test(body_empty_can_be_kept),
        cmocka_unit_test(file_is_for_its_owner_and_has_no_name),
        cmocka_unit_test(write_short_or_interrupted_is_continued),
        cmocka_unit_test(unwritten_counts_what_a_stalled_disk_has_not_taken),
        cmocka_unit_test(body_unfinished_vanishes_with_its_last_reference),
        cmocka_unit_test(body_may_be_let_go_by_its_watch),
        cmocka_unit_test(commit_before_it_is_written_is_found_after),
        cmocka_unit_test(commit_later_wins_though_written_earlier),
        cmocka_unit_test(remove_forgets_kept_held_and_committed),
        cmocka_unit_test(eviction_takes_the_least_recently_used),
        cmocka_unit_test(eviction_spares_what_is_held),
        cmocka_unit_test(body_beyond_the_bound_is_kept_only_while_held),
        cmocka_unit_test(bodies_without_number_stay_bounded),
        cmocka_unit_test(disk_full_is_no_space),
        cmocka_unit_test(
            body_that_would_fill_the_disk_is_refused_at_its_first_octets),
        cmocka_unit_test(disk_full_after_the_commit_is_never_found),
        cmocka_unit_test(file_beyond_the_limit_of_the_shell_is_io_error),
        cmocka_unit_test(directory_that_cannot_be_made_is_io_error),
        cmocka_unit_test(free_while_bodies_are_held_leaves_them_readable),
        cmocka_unit_test(operations_at_random_agree_with_the_oracle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
