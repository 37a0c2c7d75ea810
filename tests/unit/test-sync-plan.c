#include "fs/sync/frontier.h"
#include "fs/sync/sync-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- the plan ---- */

typedef struct {
    const char *title;
    gboolean complete, fresh, condstore, applied;
    guint64 count, next_uid, modseq; /* known */
    guint64 exists, uidnext, highestmodseq;
    FsSyncStep wanted;
} PlanCase;

static const PlanCase plan_cases[] = {
    {"nothing known", 0, 1, 0, 0, 0, 0, 0, 9, 10, 0, FS_SYNC_ALL},
    {"nothing known of an empty one", 0, 1, 0, 0, 0, 0, 0, 0, 1, 0,
     FS_SYNC_NOTHING},
    {"nothing known, and an old selection", 0, 0, 1, 0, 0, 0, 0, 9, 10, 5,
     FS_SYNC_SEARCH},
    {"known in part", 0, 1, 1, 0, 4, 5, 5, 9, 10, 5, FS_SYNC_SEARCH},
    {"known in part, with changes", 0, 1, 1, 1, 9, 10, 5, 9, 10, 5,
     FS_SYNC_SEARCH},
    {"no CONDSTORE", 1, 1, 0, 0, 9, 10, 5, 9, 10, 5, FS_SYNC_SEARCH},
    {"no modseq known", 1, 1, 1, 0, 9, 10, 0, 9, 10, 5, FS_SYNC_SEARCH},
    {"no modseq said", 1, 1, 1, 0, 9, 10, 5, 9, 10, 0, FS_SYNC_SEARCH},
    {"modseq went back", 1, 1, 1, 0, 9, 10, 5, 9, 10, 4, FS_SYNC_SEARCH},
    {"the same", 1, 1, 1, 0, 9, 10, 5, 9, 10, 5, FS_SYNC_NOTHING},
    {"the same, with changes", 1, 1, 1, 1, 9, 10, 5, 9, 10, 5, FS_SYNC_NOTHING},
    {"flags changed, and came", 1, 1, 1, 1, 9, 10, 5, 9, 10, 7,
     FS_SYNC_NOTHING},
    {"flags changed", 1, 1, 1, 0, 9, 10, 5, 9, 10, 7, FS_SYNC_CHANGES},
    {"an old selection tells nothing", 1, 0, 1, 0, 9, 10, 5, 9, 10, 5,
     FS_SYNC_CHANGES},
    {"an older selection", 1, 0, 1, 0, 9, 10, 5, 9, 10, 3, FS_SYNC_CHANGES},
    {"new ones", 1, 1, 1, 1, 9, 10, 5, 10, 11, 7, FS_SYNC_NEW},
    {"new ones, without changes", 1, 1, 1, 0, 9, 10, 5, 10, 11, 7,
     FS_SYNC_CHANGES},
    {"new one came and went", 1, 1, 1, 1, 9, 10, 5, 9, 11, 7, FS_SYNC_NEW},
    {"no UIDNEXT", 1, 1, 1, 1, 9, 10, 5, 9, 0, 7, FS_SYNC_NEW},
    {"no UIDNEXT, ever", 1, 1, 1, 1, 9, 0, 5, 9, 0, 7, FS_SYNC_SEARCH},
    {"more left than was told", 1, 1, 1, 1, 9, 10, 5, 8, 10, 7, FS_SYNC_SEARCH},
    {"left without a modseq", 1, 1, 1, 0, 9, 10, 5, 8, 10, 5, FS_SYNC_SEARCH},
    {"more than was told, none new", 1, 1, 1, 1, 9, 10, 5, 10, 10, 7,
     FS_SYNC_NEW},
};

static void
plan_table_is_as_listed(void **state)
{
    guint wrong = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(plan_cases); i++) {
        const PlanCase *c = &plan_cases[i];
        ImapMailbox selected = {.exists = c->exists,
                                .uidnext = c->uidnext,
                                .highestmodseq = c->highestmodseq};
        FsSyncSituation situation = {
            .known = {.complete = c->complete, .highestmodseq = c->modseq},
            .count = c->count,
            .next_uid = c->next_uid,
            .selected = &selected,
            .fresh = c->fresh,
            .condstore = c->condstore,
            .applied = c->applied,
        };
        FsSyncStep step = fs_sync_plan(&situation);

        if (step == c->wanted)
            continue;
        print_error("%s: %d instead of %d\n", c->title, step, c->wanted);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void
plan_without_headers_begins_again(void **state)
{
    ImapMailbox selected = {.exists = 9, .uidnext = 10, .highestmodseq = 5};
    FsSyncSituation situation = {
        .known = {.complete = TRUE, .highestmodseq = 5},
        .count = 9,
        .next_uid = 10,
        .selected = &selected,
        .fresh = TRUE,
        .condstore = TRUE,
        .with_header = TRUE,
    };

    assert_int_equal(fs_sync_plan(&situation), FS_SYNC_SEARCH);
    situation.known.has_headers = TRUE;
    assert_int_equal(fs_sync_plan(&situation), FS_SYNC_NOTHING);
}

/* ---- the frontier ---- */

static void
frontier_moves_with_numbers_that_follow(void **state)
{
    FsFrontier frontier;

    fs_frontier_begin_all(&frontier);
    assert_int_equal(frontier.uid, 0);
    assert_true(fs_frontier_advance(&frontier, 1, 5));
    assert_true(fs_frontier_advance(&frontier, 2, 9));
    assert_int_equal(frontier.uid, 9);
    assert_false(fs_frontier_advance(&frontier, 4, 20)); /* a gap */
    assert_false(fs_frontier_advance(&frontier, 3, 15));
    assert_int_equal(frontier.uid, 9);
}

static void
frontier_stops_where_order_ends(void **state)
{
    FsFrontier frontier;

    fs_frontier_begin_all(&frontier);
    assert_true(fs_frontier_advance(&frontier, 1, 5));
    assert_false(fs_frontier_advance(&frontier, 2, 4));
    assert_false(fs_frontier_advance(&frontier, 3, 9));
    assert_int_equal(frontier.uid, 5);

    fs_frontier_begin_all(&frontier);
    assert_false(fs_frontier_advance(&frontier, 300, 300)); /* descending */
    assert_int_equal(frontier.uid, 0);

    fs_frontier_begin_all(&frontier);
    fs_frontier_stop(&frontier);
    assert_false(fs_frontier_advance(&frontier, 1, 1));
}

static void
frontier_of_a_set_passes_what_is_there(void **state)
{
    g_autoptr(ImapUidSet) wanted = imap_uid_set_parse("3:4,9", 5);
    FsFrontier frontier;

    fs_frontier_begin_wanted(&frontier, wanted, 12);
    assert_int_equal(frontier.uid, 2);
    assert_true(fs_frontier_advance(&frontier, 77, 3));
    assert_int_equal(frontier.uid, 3);
    assert_false(fs_frontier_advance(&frontier, 77, 3)); /* once more */
    assert_true(fs_frontier_advance(&frontier, 1, 4));
    assert_int_equal(frontier.uid, 8);
    assert_true(fs_frontier_advance(&frontier, 1, 9));
    assert_int_equal(frontier.uid, 12);
    assert_false(fs_frontier_advance(&frontier, 1, 13));
}

static void
frontier_of_a_set_stops_at_a_gap(void **state)
{
    g_autoptr(ImapUidSet) wanted = imap_uid_set_parse("3:4,9", 5);
    FsFrontier frontier;

    fs_frontier_begin_wanted(&frontier, wanted, 12);
    assert_false(fs_frontier_advance(&frontier, 1, 4));
    assert_false(fs_frontier_advance(&frontier, 1, 3));
    assert_int_equal(frontier.uid, 2);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_table_is_as_listed),
        cmocka_unit_test(plan_without_headers_begins_again),
        cmocka_unit_test(frontier_moves_with_numbers_that_follow),
        cmocka_unit_test(frontier_stops_where_order_ends),
        cmocka_unit_test(frontier_of_a_set_passes_what_is_there),
        cmocka_unit_test(frontier_of_a_set_stops_at_a_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
