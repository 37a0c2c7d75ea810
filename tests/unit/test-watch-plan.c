/* Which mailbox is watched, and what is news. */
#include "fs/live/watch-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND G_TIME_SPAN_SECOND

/* Uses of @mailbox, ten a second, from @from for some seconds. */
static gint64
use_for(FsWatchPlan *plan, guint32 mailbox, gint64 from, guint seconds)
{
    for (guint i = 0; i < seconds * 10; i++)
        fs_watch_plan_use(plan, mailbox, from + i * SECOND / 10);
    return from + seconds * SECOND;
}

static void
first_use_is_followed_at_once(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();

    assert_int_equal(fs_watch_plan_chosen(plan), 0);
    assert_true(fs_watch_plan_use(plan, 7, 5));
    assert_int_equal(fs_watch_plan_chosen(plan), 7);
    assert_false(fs_watch_plan_use(plan, 7, 5 + 2 * SECOND));
}

static void
ranked_by_use_and_then_by_the_last(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();
    g_autoptr(GArray) ranked = NULL;
    gint64 now = use_for(plan, 1, SECOND, 30);

    fs_watch_plan_use(plan, 4, SECOND);
    fs_watch_plan_use(plan, 3, 2 * SECOND);
    now = use_for(plan, 2, now, 3);
    /* Long ago, and so both as good as not. */
    ranked = fs_watch_plan_ranked(plan, now + 3600 * SECOND);
    assert_int_equal(ranked->len, 4);
    assert_int_equal(g_array_index(ranked, guint32, 2), 3);
    assert_int_equal(g_array_index(ranked, guint32, 3), 4);
    g_clear_pointer(&ranked, g_array_unref);
    ranked = fs_watch_plan_ranked(plan, now);
    assert_int_equal(g_array_index(ranked, guint32, 0), 1);
    assert_int_equal(g_array_index(ranked, guint32, 1), 2);
}

static void
scan_over_all_moves_nothing(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();
    gint64 now = use_for(plan, 1, SECOND, 30);

    for (guint32 mailbox = 2; mailbox < 2000; mailbox++)
        assert_false(fs_watch_plan_use(plan, mailbox, now + mailbox * 1000));
    assert_int_equal(fs_watch_plan_chosen(plan), 1);
}

static void
who_works_elsewhere_is_followed(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();
    gint64 now = use_for(plan, 1, SECOND, 3600);

    use_for(plan, 2, now, 3);
    assert_int_equal(fs_watch_plan_chosen(plan), 1);
    use_for(plan, 2, now + 3 * SECOND, 12);
    assert_int_equal(fs_watch_plan_chosen(plan), 2);
}

static void
single_use_is_followed_when_the_other_rests(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();
    gint64 now = use_for(plan, 1, SECOND, 3600);

    assert_false(fs_watch_plan_use(plan, 2, now + 10 * SECOND));
    assert_true(fs_watch_plan_use(plan, 3, now + 60 * SECOND));
    assert_true(fs_watch_plan_use(plan, 4, now + 86400 * SECOND));
}

static void
two_in_use_do_not_alternate(void **state)
{
    g_autoptr(FsWatchPlan) plan = fs_watch_plan_new();
    guint moves = 0;

    for (guint i = 0; i < 600; i++)
        moves += fs_watch_plan_use(plan, 1 + i % 2, SECOND + i * SECOND / 4);
    assert_int_equal(moves, 1);
}

static void
status_is_news_unless_all_is_known(void **state)
{
    const CacheMailbox known = {
        .uidvalidity = 7, .uidnext = 10, .highestmodseq = 50, .complete = TRUE};
    const guint all = IMAP_MAILBOX_MESSAGES | IMAP_MAILBOX_UIDNEXT |
                      IMAP_MAILBOX_UIDVALIDITY | IMAP_MAILBOX_HIGHESTMODSEQ;
    const ImapMailboxStatus same = {.has = all,
                                    .messages = 9,
                                    .uidnext = 10,
                                    .uidvalidity = 7,
                                    .highestmodseq = 50};
    ImapMailboxStatus status = same;
    CacheMailbox other = known;

    assert_false(fs_watch_plan_is_news(&same, &known, 9));
    assert_true(fs_watch_plan_is_news(&same, &known, 8));
    status.has = IMAP_MAILBOX_HIGHESTMODSEQ;
    assert_false(fs_watch_plan_is_news(&status, &known, 8));
    status.highestmodseq = 51;
    assert_true(fs_watch_plan_is_news(&status, &known, 9));
    status = same;
    status.uidnext = 11;
    assert_true(fs_watch_plan_is_news(&status, &known, 9));
    status = same;
    status.uidvalidity = 8;
    assert_true(fs_watch_plan_is_news(&status, &known, 9));
    /* Without the mod-sequence flags may be others. */
    status = same;
    status.has &= ~IMAP_MAILBOX_HIGHESTMODSEQ;
    assert_true(fs_watch_plan_is_news(&status, &known, 9));
    other.complete = FALSE;
    assert_true(fs_watch_plan_is_news(&same, &other, 9));
    other = known;
    other.highestmodseq = 0;
    status = same;
    status.highestmodseq = 0;
    assert_true(fs_watch_plan_is_news(&status, &other, 9));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_use_is_followed_at_once),
        cmocka_unit_test(ranked_by_use_and_then_by_the_last),
        cmocka_unit_test(scan_over_all_moves_nothing),
        cmocka_unit_test(who_works_elsewhere_is_followed),
        cmocka_unit_test(single_use_is_followed_when_the_other_rests),
        cmocka_unit_test(two_in_use_do_not_alternate),
        cmocka_unit_test(status_is_news_unless_all_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
