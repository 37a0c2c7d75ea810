/* The copy that the kernel has of a listing, against a model of how the kernel
 * makes and drops it: readers that do so at the same time, are slow, give up,
 * and begin again; a directory that changes meanwhile, and whose time does not
 * tell it. */
#include "fs/kernel/listing-copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define READERS 4
#define ENTRIES 24 /* at the most in a listing; also their largest name */
#define PORTION 5
#define ROUNDS 10000
#define STEPS 120

/* An entry, which is there from appeared on until vanished. */
typedef struct {
    gboolean there;
    guint64 appeared;
    guint64 vanished;
} Listed;

/* What the kernel has: pages hold names, in their order. */
typedef struct {
    gboolean whole;
    guint names[10 * ENTRIES];
    guint n;
    guint end; /* what comes behind this goes to the end of it */
    gboolean pages;
} Copy;

typedef enum { CLOSED, OPENING, OPEN, WAITING } Stage;

typedef struct {
    Stage stage;
    guint64 handle;
    FsListingUse use;
    guint64 opened; /* the state then, or when it began again */
    guint at;       /* the name after which it goes on */
    gboolean reads_copy;
    guint next; /* of the copy */
    guint version;
    guint portion[PORTION]; /* an answer that is on its way */
    guint n_portion;
    gboolean seen[ENTRIES + 1];
    gboolean done;
} Reader;

typedef struct {
    FsListingCopy copy;
    Copy kernel;
    guint version;
    Listed listed[ENTRIES + 1]; /* from 1 on */
    guint64 state;
    gboolean to_tell; /* something to the kernel */
    Reader readers[READERS];
    guint n_asked;
    GRand *random;
} Scene;

/* ---- the directory ---- */

static void
change(Scene *scene)
{
    guint name = (guint)g_rand_int_range(scene->random, 2, ENTRIES + 1);
    Listed *listed = &scene->listed[name];

    fs_listing_copy_change(&scene->copy, ++scene->state);
    scene->to_tell = TRUE;
    listed->there = !listed->there;
    if (listed->there)
        listed->appeared = scene->state;
    else
        listed->vanished = scene->state;
}

/* ---- the kernel ---- */

static void
begin_copy_again(Scene *scene)
{
    scene->kernel.whole = FALSE;
    scene->kernel.n = scene->kernel.end = 0;
    scene->version++;
}

/* It forgets the directory. */
static void
forget(Scene *scene)
{
    begin_copy_again(scene);
    scene->kernel.pages = FALSE;
}

static void
tell(Scene *scene)
{
    if (scene->to_tell && fs_listing_copy_is_outdated(&scene->copy))
        scene->kernel.pages = FALSE;
    scene->to_tell = FALSE;
}

static void
look(Scene *scene)
{
    if (fs_listing_copy_is_outdated(&scene->copy))
        scene->to_tell = TRUE;
}

/* An entry that was read behind @at. */
static void
put(Scene *scene, guint at, guint name)
{
    Copy *kernel = &scene->kernel;

    if (kernel->whole || kernel->end != at)
        return;
    if (kernel->n > 0 && !kernel->pages)
        return;
    assert_true(kernel->n < G_N_ELEMENTS(kernel->names));
    kernel->pages = TRUE;
    kernel->names[kernel->n++] = name;
    kernel->end = name;
}

static void
check(const Scene *scene, const Reader *reader)
{
    for (guint name = 1; name <= ENTRIES; name++) {
        const Listed *listed = &scene->listed[name];

        if (listed->there && listed->appeared <= reader->opened)
            assert_true(reader->seen[name]);
        if (!listed->there && listed->vanished <= reader->opened)
            assert_false(reader->seen[name]);
    }
}

static void
finish(Scene *scene, Reader *reader)
{
    check(scene, reader);
    reader->done = TRUE;
}

/* The server's side of a request: what there is now behind reader->at. */
static void
ask(Scene *scene, Reader *reader)
{
    scene->n_asked++;
    if (reader->at == 0)
        fs_listing_copy_begin(&scene->copy, reader->handle);
    if (fs_listing_copy_is_stuck(&scene->copy))
        forget(scene);
    reader->n_portion = 0;
    for (guint name = reader->at + 1; name <= ENTRIES; name++)
        if (scene->listed[name].there && reader->n_portion < PORTION)
            reader->portion[reader->n_portion++] = name;
    if (reader->n_portion == 0) {
        fs_listing_copy_end(&scene->copy, reader->handle);
        look(scene);
    }
    reader->stage = WAITING;
}

/* FALSE: it has to be asked for. */
static gboolean
read_copy(Scene *scene, Reader *reader)
{
    Copy *kernel = &scene->kernel;

    if (reader->use == FS_LISTING_APART || !kernel->whole)
        return FALSE;
    if (reader->next == 0)
        reader->version = scene->version;
    if (kernel->n > 0 && !kernel->pages) {
        begin_copy_again(scene);
        return FALSE;
    }
    /* One whose place is in the middle looks for it in the copy. */
    for (guint i = 0; i < kernel->n && reader->at != 0; i++)
        if (kernel->names[i] == reader->at)
            break;
        else if (i + 1 == kernel->n)
            return FALSE;
    if (reader->at == 0)
        reader->next = 0;
    else
        for (reader->next = 0; kernel->names[reader->next++] != reader->at;)
            ;
    for (guint i = 0; i < PORTION && reader->next < kernel->n; i++) {
        reader->at = kernel->names[reader->next++];
        reader->seen[reader->at] = TRUE;
    }
    if (reader->next >= kernel->n)
        finish(scene, reader);
    return TRUE;
}

static void
take(Scene *scene, Reader *reader)
{
    gboolean shares = reader->use != FS_LISTING_APART;

    reader->stage = OPEN;
    for (guint i = 0; i < reader->n_portion; i++) {
        if (shares)
            put(scene, reader->at, reader->portion[i]);
        reader->at = reader->portion[i];
        reader->seen[reader->at] = TRUE;
    }
    if (reader->n_portion > 0)
        return;
    if (shares && scene->kernel.end == reader->at)
        scene->kernel.whole = TRUE;
    finish(scene, reader);
}

static void
start(Scene *scene, Reader *reader)
{
    memset(reader, 0, sizeof *reader);
    reader->use = fs_listing_copy_open(&scene->copy, &reader->handle);
    reader->opened = scene->state;
    reader->stage = OPENING;
}

/* Until the kernel is told, and those have come to their end who read what was
 * before, anything may show. */
static void
begin_again(const Scene *scene, Reader *reader)
{
    gboolean is_told = !scene->to_tell;

    for (guint i = 0; i < READERS; i++) {
        const Reader *other = &scene->readers[i];

        if (other != reader && other->stage != CLOSED && !other->done)
            is_told = FALSE;
    }
    reader->opened = is_told ? scene->state : 0;
    reader->at = reader->next = 0;
    reader->done = FALSE;
    memset(reader->seen, 0, sizeof reader->seen);
}

static void
step(Scene *scene, Reader *reader)
{
    switch (reader->stage) {
    case CLOSED:
        start(scene, reader);
        break;
    case OPENING:
        if (reader->use == FS_LISTING_ANEW)
            scene->kernel.pages = FALSE;
        reader->stage = OPEN;
        break;
    case OPEN:
        if (reader->done && g_rand_boolean(scene->random)) {
            begin_again(scene, reader);
        } else if (reader->done ||
                   g_rand_int_range(scene->random, 0, 20) == 0) {
            fs_listing_copy_close(&scene->copy, reader->handle);
            look(scene);
            reader->stage = CLOSED;
        } else if (!read_copy(scene, reader)) {
            ask(scene, reader);
        }
        break;
    case WAITING:
        take(scene, reader);
        break;
    }
}

static void
close_all(Scene *scene)
{
    for (guint i = 0; i < READERS; i++) {
        Reader *reader = &scene->readers[i];

        if (reader->stage != CLOSED)
            fs_listing_copy_close(&scene->copy, reader->handle);
        reader->stage = CLOSED;
    }
}

static void
read_all(Scene *scene, Reader *reader)
{
    while (!reader->done)
        if (reader->stage == WAITING)
            take(scene, reader);
        else if (reader->stage == OPENING)
            step(scene, reader);
        else if (!read_copy(scene, reader))
            ask(scene, reader);
}

/* The requests that it takes. */
static guint
list(Scene *scene)
{
    Reader *reader = &scene->readers[0];
    guint before = scene->n_asked;

    start(scene, reader);
    read_all(scene, reader);
    close_all(scene);
    return scene->n_asked - before;
}

/* ---- the tests ---- */

static int
set_up(void **state)
{
    Scene *scene = g_new0(Scene, 1);

    scene->state = 1;
    fs_listing_copy_init(&scene->copy, scene->state);
    scene->random = g_rand_new_with_seed(4711);
    scene->listed[1].there = TRUE; /* for good, as "." is */
    for (guint i = 0; i < ENTRIES; i++)
        change(scene);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    Scene *scene = *state;

    fs_listing_copy_clear(&scene->copy);
    g_rand_free(scene->random);
    g_free(scene);
    return 0;
}

static void
second_listing_is_the_kernel_s(void **state)
{
    Scene *scene = *state;

    assert_true(list(scene) > 1);
    assert_int_equal(list(scene), 0);
    change(scene);
    assert_true(list(scene) > 1);
    assert_int_equal(list(scene), 0);
}

/* Who opens it while another reads what is old takes nothing of that. */
static void
copy_in_the_making_is_not_dropped(void **state)
{
    Scene *scene = *state;
    Reader *slow = &scene->readers[1];
    guint64 handle;

    start(scene, slow);
    step(scene, slow);
    ask(scene, slow);
    take(scene, slow);
    change(scene);
    assert_int_equal(fs_listing_copy_open(&scene->copy, &handle),
                     FS_LISTING_APART);
    fs_listing_copy_close(&scene->copy, handle);
    /* It gives up; the next takes it to its end, and it is good for nothing. */
    fs_listing_copy_close(&scene->copy, slow->handle);
    assert_true(list(scene) > 1);
    assert_true(list(scene) > 1);
    assert_int_equal(list(scene), 0);
}

static void
only_one_drops_a_copy(void **state)
{
    Scene *scene = *state;
    guint64 one, other;

    list(scene);
    change(scene);
    assert_int_equal(fs_listing_copy_open(&scene->copy, &one), FS_LISTING_ANEW);
    assert_int_equal(fs_listing_copy_open(&scene->copy, &other),
                     FS_LISTING_APART);
    fs_listing_copy_begin(&scene->copy, other);
    fs_listing_copy_begin(&scene->copy, one);
    fs_listing_copy_close(&scene->copy, other);
    assert_int_equal(fs_listing_copy_open(&scene->copy, &other),
                     FS_LISTING_SHARED);
    fs_listing_copy_close(&scene->copy, other);
    fs_listing_copy_close(&scene->copy, one);
}

/* The kernel may lose a page of a copy in the making at any time. */
static void
directory_that_is_stuck_is_forgotten(void **state)
{
    Scene *scene = *state;
    Reader *slow = &scene->readers[1];

    start(scene, slow);
    step(scene, slow);
    ask(scene, slow);
    take(scene, slow);
    scene->kernel.pages = FALSE;
    fs_listing_copy_close(&scene->copy, slow->handle);
    for (guint i = 0; list(scene) > 0; i++)
        assert_true(i < 6);
    assert_int_equal(list(scene), 0);
}

static void
who_reads_it_again_sees_changes(void **state)
{
    Scene *scene = *state;
    Reader *reader = &scene->readers[1];

    start(scene, reader);
    read_all(scene, reader);
    for (guint i = 0; i < 3; i++) {
        guint before = scene->n_asked;

        begin_again(scene, reader);
        read_all(scene, reader);
        assert_int_equal(scene->n_asked, before);
        change(scene);
        tell(scene);
        begin_again(scene, reader);
        read_all(scene, reader);
        assert_true(scene->n_asked > before);
    }
    /* It changed while it was being read. */
    change(scene);
    tell(scene);
    begin_again(scene, reader);
    ask(scene, reader);
    change(scene);
    tell(scene);
    read_all(scene, reader);
    tell(scene);
    begin_again(scene, reader);
    read_all(scene, reader);
    close_all(scene);
}

static void
listings_are_right_and_kept_in_the_end(void **state)
{
    Scene *scene = *state;

    for (guint round = 0; round < ROUNDS; round++) {
        for (guint i = 0; i < STEPS; i++)
            if (g_rand_int_range(scene->random, 0, 12) == 0)
                change(scene);
            else if (g_rand_int_range(scene->random, 0, 6) == 0)
                tell(scene);
            else if (g_rand_int_range(scene->random, 0, 100) == 0)
                scene->kernel.pages = FALSE; /* for want of memory */
            else
                step(scene, &scene->readers[g_rand_int_range(scene->random, 0,
                                                             READERS)]);
        close_all(scene);
        for (guint i = 0; list(scene) > 0; i++)
            assert_true(i < 6);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_listing_is_the_kernel_s, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(copy_in_the_making_is_not_dropped,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_drops_a_copy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(directory_that_is_stuck_is_forgotten,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_reads_it_again_sees_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(listings_are_right_and_kept_in_the_end,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
