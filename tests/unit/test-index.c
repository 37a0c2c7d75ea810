/* The index against an array with a slot for every UID there could be. */
#include "cache/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static CacheIndex *
new_with_mailbox(guint32 mailbox)
{
    CacheIndex *index = cache_index_new(NULL, NULL);
    CacheMailbox state = {.uidvalidity = 7, .uidnext = 100};

    cache_index_set_mailbox(index, mailbox, &state);
    return index;
}

static CacheMessage
message(guint32 uid, const char *stem)
{
    return (CacheMessage){
        .uid = uid,
        .size = uid * 3u,
        .internal_date = 1000 + (gint64)uid,
        .sent_date = G_MININT64,
        .stem = stem,
    };
}

static void
put(CacheIndex *index, guint32 mailbox, guint32 uid, const char *stem)
{
    CacheMessage m = message(uid, stem);

    cache_index_put(index, mailbox, &m);
}

static void
assert_totals(CacheIndex *index, guint64 messages, guint64 octets)
{
    guint64 m, o;

    cache_index_totals(index, &m, &o);
    assert_int_equal(m, messages);
    assert_int_equal(o, octets);
}

static void
mailbox_unknown_is_empty(void **state)
{
    g_autoptr(CacheIndex) index = cache_index_new(NULL, NULL);
    CacheMailbox mailbox;
    CacheMessage m;

    assert_false(cache_index_mailbox(index, 3, &mailbox));
    assert_int_equal(cache_index_count(index, 3), 0);
    assert_false(cache_index_message(index, 3, 1, &m));
    assert_false(cache_index_next(index, 3, 0, &m));
    cache_index_remove(index, 3, 1);
    cache_index_drop_mailbox(index, 3);
    cache_index_free(NULL);
}

static void
mailbox_set_again_keeps_its_messages(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);
    CacheMailbox mailbox = {.uidvalidity = 7, .uidnext = 200};

    put(index, 3, 5, "five");
    cache_index_set_mailbox(index, 3, &mailbox);
    mailbox.uidnext = 0;
    assert_true(cache_index_mailbox(index, 3, &mailbox));
    assert_int_equal(mailbox.uidnext, 200);
    assert_int_equal(cache_index_count(index, 3), 1);
}

static void
mailbox_dropped_takes_its_messages_along(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);
    CacheMailbox mailbox = {.uidvalidity = 1};

    cache_index_set_mailbox(index, 4, &mailbox);
    put(index, 3, 10, NULL);
    put(index, 3, 20, NULL);
    put(index, 4, 10, NULL);
    assert_totals(index, 3, 120);
    cache_index_drop_mailbox(index, 3);
    assert_totals(index, 1, 30);
    assert_false(cache_index_mailbox(index, 3, &mailbox));
    cache_index_set_mailbox(index, 3, &mailbox);
    assert_int_equal(cache_index_count(index, 3), 0);
}

static void
message_put_comes_back_whole(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);
    char stem[] = "stem";
    CacheMessage m = {
        .uid = G_MAXUINT32,
        .size_verified = TRUE,
        .size = G_GUINT64_CONSTANT(1) << 40,
        .internal_date = -5,
        .sent_date = 77,
        .stem = stem,
    };

    cache_index_put(index, 3, &m);
    stem[0] = 'X';
    m = (CacheMessage){0};
    assert_true(cache_index_message(index, 3, G_MAXUINT32, &m));
    assert_int_equal(m.uid, G_MAXUINT32);
    assert_true(m.size_verified);
    assert_int_equal(m.size, G_GUINT64_CONSTANT(1) << 40);
    assert_int_equal(m.internal_date, -5);
    assert_int_equal(m.sent_date, 77);
    assert_string_equal(m.stem, "stem");
    assert_false(cache_index_next(index, 3, G_MAXUINT32, &m));
}

static void
message_put_back_with_its_own_stem_keeps_it(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);
    CacheMessage m;

    put(index, 3, 5, "five");
    assert_true(cache_index_message(index, 3, 5, &m));
    m.size = 1234;
    m.size_verified = TRUE;
    cache_index_put(index, 3, &m);
    assert_true(cache_index_message(index, 3, 5, &m));
    assert_string_equal(m.stem, "five");
    assert_totals(index, 1, 1234);
}

static void
message_uid_zero_is_passed_over(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);

    put(index, 3, 0, "none");
    assert_totals(index, 0, 0);
}

static void
next_while_messages_come_and_go_shows_the_others_once(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(3);
    CacheMessage m = {0};
    guint n_even = 0;

    for (guint32 uid = 2; uid <= 4000; uid += 2)
        put(index, 3, uid, NULL);
    while (cache_index_next(index, 3, m.uid, &m)) {
        guint32 uid = m.uid;

        n_even += uid % 2 == 0;
        put(index, 3, 4001 - uid, NULL); /* odd */
        if (uid % 3 == 0)
            cache_index_remove(index, 3, uid);
    }
    assert_int_equal(n_even, 2000);
}

static void
message_put_between_any_two_finds_its_place(void **state)
{
    for (guint32 uid = 1; uid <= 1001; uid += 2) {
        g_autoptr(CacheIndex) index = new_with_mailbox(3);
        CacheMessage m = {0};
        guint n = 0;

        for (guint32 even = 2; even <= 1000; even += 2)
            put(index, 3, even, NULL);
        put(index, 3, uid, "odd");
        for (guint32 last = 0; cache_index_next(index, 3, last, &m); n++) {
            assert_true(m.uid > last);
            last = m.uid;
            assert_int_equal(m.stem != NULL, m.uid == uid);
        }
        assert_int_equal(n, 501);
        assert_true(cache_index_message(index, 3, uid, &m));
        assert_string_equal(m.stem, "odd");
    }
}

#define ORACLE_UIDS 3000u

typedef struct {
    gboolean there;
    guint64 size;
    char stem[16];
} Expected;

static void
assert_same(CacheIndex *index, const Expected *expected)
{
    CacheMessage m = {0};
    guint64 n = 0, octets = 0;

    for (guint32 uid = 1; uid < ORACLE_UIDS; uid++) {
        CacheMessage direct;

        assert_int_equal(cache_index_message(index, 1, uid, &direct),
                         expected[uid].there);
        if (!expected[uid].there)
            continue;
        n++;
        octets += expected[uid].size;
        assert_true(cache_index_next(index, 1, m.uid, &m));
        assert_int_equal(m.uid, uid);
        assert_int_equal(m.size, expected[uid].size);
        assert_string_equal(m.stem, expected[uid].stem);
        assert_string_equal(direct.stem, expected[uid].stem);
    }
    assert_false(cache_index_next(index, 1, m.uid, &m));
    assert_int_equal(cache_index_count(index, 1), n);
    assert_totals(index, n, octets);
}

/* Phases of mostly adding and mostly removing, in runs up, runs down and at
 * random, so that chunks fill, split and vanish. */
static void
operations_at_random_agree_with_the_oracle(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(1);
    g_autofree Expected *expected = g_new0(Expected, ORACLE_UIDS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);

    for (guint round = 0; round < 300; round++) {
        guint32 uid = (guint32)g_rand_int_range(rand, 1, ORACLE_UIDS);
        gint step = g_rand_int_range(rand, -2, 3);
        gboolean adding =
            g_rand_int_range(rand, 0, 100) < (round / 50 % 2 ? 20 : 80);

        for (guint i = 0; i < 300; i++) {
            Expected *e = &expected[uid];

            if (adding) {
                CacheMessage m = message(uid, e->stem);

                g_snprintf(e->stem, sizeof e->stem, "%u-%u", round, uid);
                e->there = TRUE;
                e->size = m.size = g_rand_int(rand);
                cache_index_put(index, 1, &m);
            } else {
                e->there = FALSE;
                cache_index_remove(index, 1, uid);
            }
            uid = step != 0 ? uid + (guint32)step
                            : (guint32)g_rand_int_range(rand, 1, ORACLE_UIDS);
            if (uid == 0 || uid >= ORACLE_UIDS)
                break;
        }
        if (round % 10 == 0)
            assert_same(index, expected);
    }
    assert_same(index, expected);
}

/* With one array for all, removing would move some 100 GB. */
static void
messages_in_great_number_come_and_go_quickly(void **state)
{
    g_autoptr(CacheIndex) index = new_with_mailbox(1);
    clock_t start = clock(); /* of the processor: others may have that */
    const guint32 n = 300000;

    for (guint32 uid = n; uid > 0; uid--)
        put(index, 1, uid, NULL);
    for (guint32 uid = n + 1; uid <= 2 * n; uid++)
        put(index, 1, uid, NULL);
    assert_int_equal(cache_index_count(index, 1), 2 * n);
    for (guint32 uid = 1; uid <= 2 * n; uid++)
        cache_index_remove(index, 1, uid);
    assert_totals(index, 0, 0);
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
}

static void
count_flush(const GError *error, gpointer user_data)
{
    assert_null(error);
    ++*(guint *)user_data;
}

static void
flush_answers_from_the_loop(void **state)
{
    g_autoptr(CacheIndex) index = cache_index_new(NULL, NULL);
    guint n = 0;

    cache_index_flush(index, count_flush, &n);
    cache_index_flush(index, count_flush, &n);
    assert_int_equal(n, 0);
    while (n < 2)
        g_main_context_iteration(NULL, TRUE);
    cache_index_flush(index, count_flush, &n);
    while (n < 3)
        g_main_context_iteration(NULL, TRUE);
}

static void
free_with_a_flush_waiting_answers_it(void **state)
{
    CacheIndex *index = cache_index_new(NULL, NULL);
    guint n = 0;

    cache_index_flush(index, count_flush, &n);
    cache_index_free(index);
    assert_int_equal(n, 1);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_int_equal(n, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_unknown_is_empty),
        cmocka_unit_test(mailbox_set_again_keeps_its_messages),
        cmocka_unit_test(mailbox_dropped_takes_its_messages_along),
        cmocka_unit_test(message_put_comes_back_whole),
        cmocka_unit_test(message_put_back_with_its_own_stem_keeps_it),
        cmocka_unit_test(message_uid_zero_is_passed_over),
        cmocka_unit_test(next_while_messages_come_and_go_shows_the_others_once),
        cmocka_unit_test(message_put_between_any_two_finds_its_place),
        cmocka_unit_test(operations_at_random_agree_with_the_oracle),
        cmocka_unit_test(messages_in_great_number_come_and_go_quickly),
        cmocka_unit_test(flush_answers_from_the_loop),
        cmocka_unit_test(free_with_a_flush_waiting_answers_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
