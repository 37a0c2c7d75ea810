/* Which mailboxes are checked, and until when. */
#include "fs/sync/upkeep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>

/* Mailboxes that are kept for long, and for a moment: milliseconds. */
#define LONG 1000000
#define SHORT 1

typedef struct {
    guint checks[8];  /* by mailbox */
    FsNeed *needs[8]; /* owned: what the last check waits for */
    gboolean with_needs;
} Server;

static FsNeed *
check(guint32 mailbox, gpointer user_data)
{
    Server *server = user_data;

    server->checks[mailbox]++;
    if (!server->with_needs)
        return NULL;
    fs_need_unref(server->needs[mailbox]);
    server->needs[mailbox] = fs_need_new();
    return server->needs[mailbox];
}

static void
server_clear(Server *server)
{
    for (guint i = 0; i < G_N_ELEMENTS(server->needs); i++)
        g_clear_pointer(&server->needs[i], fs_need_unref);
}

static guint
count_checks(const Server *server)
{
    guint sum = 0;

    for (guint i = 0; i < G_N_ELEMENTS(server->checks); i++)
        sum += server->checks[i];
    return sum;
}

static void
use_is_checked_again_and_again(void **state)
{
    Server server = {0};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(1, LONG, check, &server);

    assert_true(fs_upkeep_use(upkeep, 3));
    assert_false(fs_upkeep_use(upkeep, 3));
    assert_true(fs_upkeep_is_used(upkeep, 3));
    assert_false(fs_upkeep_is_used(upkeep, 4));
    assert_int_equal(count_checks(&server), 0);
    while (server.checks[3] < 3)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(count_checks(&server), server.checks[3]);
}

static FsNeed *preparation; /* owned; NULL: there is none */
static guint n_prepared, n_given;

static FsNeed *
prepare(const guint32 *mailboxes, guint n, gpointer user_data)
{
    n_prepared++;
    n_given = n;
    for (guint i = 0; i < n; i++)
        assert_int_not_equal(mailboxes[i], 0);
    return preparation;
}

/* Also when it is to be made anew. */
static void
round_waits_for_its_preparation(void **state)
{
    Server server = {0};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(LONG, LONG, check, &server);
    g_autoptr(FsNeed) first = preparation = fs_need_new();

    fs_upkeep_set_prepare(upkeep, prepare);
    for (guint32 mailbox = 0; mailbox < 4; mailbox++)
        fs_upkeep_use(upkeep, mailbox);
    fs_upkeep_check_now(upkeep);
    assert_int_equal(n_prepared, 1);
    assert_int_equal(n_given, 3);
    preparation = fs_need_new();
    fs_upkeep_check_now(upkeep);
    fs_need_complete(first, NULL);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(n_prepared, 2);
    assert_int_equal(count_checks(&server), 0);
    fs_need_complete(preparation, NULL);
    while (count_checks(&server) < 4)
        g_main_context_iteration(NULL, TRUE);
    g_clear_pointer(&preparation, fs_need_unref);
    fs_upkeep_check_now(upkeep);
    assert_int_equal(count_checks(&server), 8);
    /* And nobody is left waiting at the end. */
    preparation = fs_need_new();
    fs_upkeep_check_now(upkeep);
    g_clear_pointer(&upkeep, fs_upkeep_free);
    fs_need_complete(preparation, NULL);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_clear_pointer(&preparation, fs_need_unref);
}

static void
add_used(guint32 mailbox, gpointer user_data)
{
    *(guint *)user_data += 1u << mailbox;
}

static void
all_in_use_are_told(void **state)
{
    Server server = {0};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(LONG, LONG, check, &server);
    guint used = 0;

    fs_upkeep_foreach(upkeep, add_used, &used);
    assert_int_equal(used, 0);
    fs_upkeep_use(upkeep, 0);
    fs_upkeep_use(upkeep, 3);
    fs_upkeep_use(upkeep, 5);
    fs_upkeep_drop(upkeep, 5);
    fs_upkeep_foreach(upkeep, add_used, &used);
    assert_int_equal(used, 1 + 8);
}

static void
unused_mailbox_leaves_no_timer(void **state)
{
    Server server = {0};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(2, SHORT, check, &server);

    fs_upkeep_use(upkeep, 3);
    fs_upkeep_use(upkeep, 0);
    while (fs_upkeep_is_used(upkeep, 3) || fs_upkeep_is_used(upkeep, 0))
        g_main_context_iteration(NULL, TRUE);
    assert_false(g_main_context_pending(NULL));
    assert_null(g_main_context_find_source_by_user_data(NULL, upkeep));

    assert_true(fs_upkeep_use(upkeep, 3));
    assert_non_null(g_main_context_find_source_by_user_data(NULL, upkeep));
}

static void
round_can_be_begun_at_once(void **state)
{
    Server server = {.with_needs = TRUE};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(LONG, LONG, check, &server);
    gint64 before = g_get_monotonic_time();

    assert_int_equal(fs_upkeep_last_use(upkeep), 0);
    fs_upkeep_check_now(upkeep);
    assert_int_equal(count_checks(&server), 0);

    for (guint32 mailbox = 0; mailbox < 3; mailbox++)
        fs_upkeep_use(upkeep, mailbox);
    assert_true(fs_upkeep_last_use(upkeep) >= before);
    fs_upkeep_check_now(upkeep);
    assert_true(count_checks(&server) > 0);
    /* Again while it is under way: that is the same round. */
    fs_upkeep_check_now(upkeep);
    for (guint i = 0; i < 20; i++) {
        for (guint32 mailbox = 0; mailbox < 3; mailbox++)
            if (server.needs[mailbox] != NULL)
                fs_need_complete(server.needs[mailbox], NULL);
        g_main_context_iteration(NULL, FALSE);
    }
    for (guint32 mailbox = 0; mailbox < 3; mailbox++)
        assert_int_equal(server.checks[mailbox], 1);
    server_clear(&server);
}

static void
few_checks_are_under_way_at_a_time(void **state)
{
    Server server = {.with_needs = TRUE};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(1, LONG, check, &server);
    guint first;

    for (guint32 mailbox = 0; mailbox < 6; mailbox++)
        fs_upkeep_use(upkeep, mailbox);
    while (count_checks(&server) == 0)
        g_main_context_iteration(NULL, TRUE);
    first = count_checks(&server);
    assert_in_range(first, 1, 3);

    /* A round that is not over is not begun again, progress is no end. */
    for (guint32 mailbox = 0; mailbox < 6; mailbox++)
        if (server.needs[mailbox] != NULL)
            fs_need_progress(server.needs[mailbox]);
    for (guint i = 0; i < 5; i++)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(count_checks(&server), first);

    for (guint32 mailbox = 0; mailbox < 6; mailbox++)
        if (server.needs[mailbox] != NULL)
            fs_need_complete(server.needs[mailbox], NULL);
    while (count_checks(&server) == first)
        g_main_context_iteration(NULL, TRUE);
    server_clear(&server);
}

static void
failed_check_is_made_again(void **state)
{
    Server server = {.with_needs = TRUE};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(1, LONG, check, &server);
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "no line");

    fs_upkeep_use(upkeep, 2);
    while (server.checks[2] < 1)
        g_main_context_iteration(NULL, TRUE);
    fs_need_complete(server.needs[2], error);
    while (server.checks[2] < 2)
        g_main_context_iteration(NULL, TRUE);
    assert_true(fs_upkeep_is_used(upkeep, 2));
    server_clear(&server);
}

static void
dropped_mailbox_is_not_checked(void **state)
{
    Server server = {0};
    g_autoptr(FsUpkeep) upkeep = fs_upkeep_new(1, LONG, check, &server);

    fs_upkeep_use(upkeep, 1);
    fs_upkeep_use(upkeep, 2);
    fs_upkeep_drop(upkeep, 1);
    while (server.checks[2] < 2)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(server.checks[1], 0);
}

static void
free_while_a_check_is_under_way_drops_it(void **state)
{
    Server server = {.with_needs = TRUE};
    FsUpkeep *upkeep = fs_upkeep_new(1, LONG, check, &server);

    fs_upkeep_use(upkeep, 1);
    while (server.checks[1] < 1)
        g_main_context_iteration(NULL, TRUE);
    fs_upkeep_free(upkeep);
    assert_int_equal(fs_need_n_waiters(server.needs[1]), 0);
    fs_need_complete(server.needs[1], NULL);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    server_clear(&server);
    fs_upkeep_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(use_is_checked_again_and_again),
        cmocka_unit_test(round_waits_for_its_preparation),
        cmocka_unit_test(all_in_use_are_told),
        cmocka_unit_test(unused_mailbox_leaves_no_timer),
        cmocka_unit_test(round_can_be_begun_at_once),
        cmocka_unit_test(few_checks_are_under_way_at_a_time),
        cmocka_unit_test(failed_check_is_made_again),
        cmocka_unit_test(dropped_mailbox_is_not_checked),
        cmocka_unit_test(free_while_a_check_is_under_way_drops_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
