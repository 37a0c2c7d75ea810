/* When a copy is good enough, and when it is asked for again. */
#include "fs/sync/refresh.h"

#include "imap/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define POLL_SECONDS 60

/* When a connection was last opened. */
static gint64 line_at;

/* The clock may not have moved since the last attempt. */
static gint64
now(void)
{
    static gint64 last;

    last = MAX(g_get_monotonic_time(), last) + 1;
    return last;
}

/* Asks, expecting to be told to begin. */
static FsNeed *
begin(FsRefresh *refresh, gint64 since)
{
    gboolean start;
    FsNeed *need =
        fs_refresh_ask(refresh, since, POLL_SECONDS, line_at, &start);

    assert_non_null(need);
    assert_true(start);
    return need;
}

static gboolean
is_good(FsRefresh *refresh, gint64 since)
{
    gboolean start;
    FsNeed *need =
        fs_refresh_ask(refresh, since, POLL_SECONDS, line_at, &start);

    assert_false(start);
    return need == NULL;
}

static void
end_with(FsRefresh *refresh, int code)
{
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, code, "for the test");

    fs_refresh_end(refresh, error);
}

static void
ask_unknown_starts_once_and_all_wait_for_the_same(void **state)
{
    FsRefresh refresh = {0};
    FsNeed *first = begin(&refresh, FS_KNOWN);
    gboolean start;

    assert_ptr_equal(
        fs_refresh_ask(&refresh, FS_KNOWN, POLL_SECONDS, line_at, &start),
        first);
    assert_false(start);
    assert_true(fs_refresh_is_under_way(&refresh));
    fs_refresh_end(&refresh, NULL);
    assert_true(is_good(&refresh, FS_KNOWN));
    fs_refresh_clear(&refresh);
}

static void
ask_stale_starts_again_unless_known_is_enough(void **state)
{
    FsRefresh refresh = {0};

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    assert_true(is_good(&refresh, now()));
    refresh.known_at = refresh.tried_at =
        now() - (POLL_SECONDS + 1) * G_USEC_PER_SEC;
    assert_true(is_good(&refresh, FS_KNOWN));
    begin(&refresh, now());
    fs_refresh_end(&refresh, NULL);
    begin(&refresh, FS_NOW);
    fs_refresh_end(&refresh, NULL);
    fs_refresh_mark_stale(&refresh);
    begin(&refresh, now());
    fs_refresh_clear(&refresh);
}

/* Two copies that each take longer than the poll interval must not make one
 * another stale for ever. */
static void
ask_by_an_operation_that_began_before_the_last_attempt_is_content(void **state)
{
    FsRefresh refresh = {0};
    gint64 began = g_get_monotonic_time();

    begin(&refresh, began);
    fs_refresh_end(&refresh, NULL);
    refresh.known_at = now() - (POLL_SECONDS + 1) * G_USEC_PER_SEC;
    assert_true(is_good(&refresh, began));

    begin(&refresh, now());
    end_with(&refresh, IMAP_ERROR_TIMEOUT);
    refresh.known_at = now() - (POLL_SECONDS + 1) * G_USEC_PER_SEC;
    assert_true(is_good(&refresh, began));
    fs_refresh_clear(&refresh);
}

static void
end_by_the_line_keeps_what_is_known_for_a_while(void **state)
{
    FsRefresh refresh = {0};
    g_autoptr(FsNeed) need = NULL;

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    need = fs_need_ref(begin(&refresh, FS_NOW));
    end_with(&refresh, IMAP_ERROR_CLOSED);
    assert_true(fs_need_is_complete(need));
    assert_null(fs_need_error(need));
    assert_true(is_good(&refresh, now()));
    fs_refresh_clear(&refresh);
}

/* The line is there again: whoever asks now is told the newest. */
static void
connection_opened_since_ends_what_the_line_put_off(void **state)
{
    FsRefresh refresh = {0};

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    begin(&refresh, FS_NOW);
    line_at = now();
    end_with(&refresh, IMAP_ERROR_CLOSED);
    assert_true(refresh.tried_at >= line_at - 1);
    refresh.tried_at = now();
    assert_true(is_good(&refresh, now()));
    line_at = now();
    assert_true(is_good(&refresh, refresh.tried_at));
    begin(&refresh, now());
    fs_refresh_end(&refresh, NULL);
    assert_true(is_good(&refresh, now()));
    fs_refresh_clear(&refresh);
    line_at = 0;
}

static void
confirmed_is_as_good_as_asked_for_unless_told_otherwise(void **state)
{
    FsRefresh refresh = {0};
    gint64 long_ago = now() - (POLL_SECONDS + 1) * G_USEC_PER_SEC;
    gint64 asked_at;

    assert_false(fs_refresh_confirm(&refresh, now())); /* nothing is known */
    begin(&refresh, FS_KNOWN);
    assert_false(fs_refresh_confirm(&refresh, now())); /* nor yet */
    fs_refresh_end(&refresh, NULL);
    refresh.known_at = refresh.tried_at = long_ago;
    asked_at = now();
    assert_true(fs_refresh_confirm(&refresh, asked_at));
    assert_true(is_good(&refresh, asked_at));
    begin(&refresh, FS_NOW);
    fs_refresh_end(&refresh, NULL);

    asked_at = now() - G_USEC_PER_SEC;
    fs_refresh_mark_stale(&refresh);
    assert_false(fs_refresh_confirm(&refresh, asked_at));
    begin(&refresh, now());
    fs_refresh_end(&refresh, NULL);
    fs_refresh_mark_old(&refresh);
    assert_false(fs_refresh_confirm(&refresh, asked_at));
    fs_refresh_clear(&refresh);
}

/* Otherwise what an operation asks for would be called stale while it is asked
 * for, and the next operation would ask again, and so on. */
static void
what_was_said_is_covered_by_what_was_asked_for_since(void **state)
{
    FsRefresh refresh = {0};
    gint64 said_at = g_get_monotonic_time() - 1;
    gint64 later;

    assert_false(fs_refresh_covers(&refresh, said_at));
    begin(&refresh, FS_KNOWN);
    later = g_get_monotonic_time();
    assert_true(fs_refresh_covers(&refresh, said_at));
    assert_false(fs_refresh_covers(&refresh, later));
    fs_refresh_end(&refresh, NULL);
    assert_true(fs_refresh_covers(&refresh, said_at));
    assert_false(fs_refresh_covers(&refresh, later));
    fs_refresh_mark_stale(&refresh);
    assert_false(fs_refresh_covers(&refresh, said_at));

    begin(&refresh, now());
    fs_refresh_mark_stale(&refresh);
    assert_false(fs_refresh_covers(&refresh, said_at));
    fs_refresh_end(&refresh, NULL);
    assert_false(fs_refresh_covers(&refresh, said_at));

    begin(&refresh, now());
    end_with(&refresh, IMAP_ERROR_TIMEOUT);
    assert_false(fs_refresh_covers(&refresh, said_at));
    fs_refresh_clear(&refresh);
}

static void
put_off_ends_by_itself_and_by_news(void **state)
{
    FsRefresh refresh = {0};

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    begin(&refresh, FS_NOW);
    end_with(&refresh, IMAP_ERROR_TIMEOUT);
    assert_true(is_good(&refresh, now()));
    refresh.put_off -= 5 * G_USEC_PER_SEC;
    begin(&refresh, now());
    end_with(&refresh, IMAP_ERROR_TIMEOUT);
    assert_true(is_good(&refresh, now()));
    fs_refresh_mark_old(&refresh);
    begin(&refresh, now());
    fs_refresh_clear(&refresh);
}

static void
failure_of_the_line_stands_only_until_a_connection_is_opened(void **state)
{
    FsRefresh refresh = {0};
    gboolean start;

    begin(&refresh, FS_KNOWN);
    end_with(&refresh, IMAP_ERROR_CLOSED);
    fs_refresh_ask(&refresh, now(), POLL_SECONDS, line_at, &start);
    assert_false(start);
    line_at = refresh.tried_at + 1;
    begin(&refresh, refresh.tried_at + 2);
    end_with(&refresh, IMAP_ERROR_NO);
    line_at = refresh.tried_at + 1;
    fs_refresh_ask(&refresh, refresh.tried_at + 2, POLL_SECONDS, line_at,
                   &start);
    assert_false(start);
    fs_refresh_clear(&refresh);
    line_at = 0;
}

static void
end_by_refusal_is_an_error_also_when_something_is_known(void **state)
{
    FsRefresh refresh = {0};
    g_autoptr(FsNeed) need = NULL;

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    need = fs_need_ref(begin(&refresh, FS_NOW));
    end_with(&refresh, IMAP_ERROR_NO);
    assert_non_null(fs_need_error(need));
    fs_refresh_clear(&refresh);
}

/* The kernel lets programs that look up one name ask one after the other. */
static void
failure_stands_for_a_moment_then_it_is_tried_again(void **state)
{
    FsRefresh refresh = {0};
    FsNeed *need = begin(&refresh, FS_KNOWN);
    gboolean start;

    end_with(&refresh, IMAP_ERROR_TIMEOUT);
    assert_ptr_equal(
        fs_refresh_ask(&refresh, now(), POLL_SECONDS, line_at, &start), need);
    assert_false(start);
    assert_true(
        g_error_matches(fs_need_error(need), IMAP_ERROR, IMAP_ERROR_TIMEOUT));
    refresh.tried_at -= 2 * G_USEC_PER_SEC;
    begin(&refresh, now());
    fs_refresh_clear(&refresh);
}

static void
poll_of_a_day_does_not_overflow(void **state)
{
    FsRefresh refresh = {0};
    gboolean start;

    begin(&refresh, FS_KNOWN);
    fs_refresh_end(&refresh, NULL);
    refresh.known_at = now() - (gint64)80000 * G_USEC_PER_SEC;
    assert_null(fs_refresh_ask(&refresh, now(), 86400, line_at, &start));
    refresh.known_at = refresh.tried_at =
        now() - (gint64)90000 * G_USEC_PER_SEC;
    assert_non_null(fs_refresh_ask(&refresh, now(), 86400, line_at, &start));
    fs_refresh_clear(&refresh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_unknown_starts_once_and_all_wait_for_the_same),
        cmocka_unit_test(ask_stale_starts_again_unless_known_is_enough),
        cmocka_unit_test(
            ask_by_an_operation_that_began_before_the_last_attempt_is_content),
        cmocka_unit_test(end_by_the_line_keeps_what_is_known_for_a_while),
        cmocka_unit_test(connection_opened_since_ends_what_the_line_put_off),
        cmocka_unit_test(
            confirmed_is_as_good_as_asked_for_unless_told_otherwise),
        cmocka_unit_test(what_was_said_is_covered_by_what_was_asked_for_since),
        cmocka_unit_test(put_off_ends_by_itself_and_by_news),
        cmocka_unit_test(
            failure_of_the_line_stands_only_until_a_connection_is_opened),
        cmocka_unit_test(
            end_by_refusal_is_an_error_also_when_something_is_known),
        cmocka_unit_test(failure_stands_for_a_moment_then_it_is_tried_again),
        cmocka_unit_test(poll_of_a_day_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
