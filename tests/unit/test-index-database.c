/* The index with its database: what it gives back later. */
#include "tests/unit/index-fixture.h"

#include <string.h>

/* ---- The model ---- */

static void
change_message(CacheIndex *index, guint32 id, guint32 uid, ModelMessage *e,
               GRand *rand)
{
    static const char *const flags[] = {"", "\\Seen", "\\Seen \\Flagged", "$x"};
    char identity[16];
    CacheMessage m = {.uid = uid, .size_verified = uid % 3 == 0};

    g_snprintf(e->stem, sizeof e->stem, "%.*s%u", g_rand_int_range(rand, 0, 30),
               "abcdefghijklmnopqrstuvwxyzabcd", uid);
    g_strlcpy(e->flags, flags[g_rand_int_range(rand, 0, 4)], sizeof e->flags);
    g_snprintf(identity, sizeof identity, "M%u", uid);
    e->there = TRUE;
    e->size = g_rand_int(rand);
    e->date = g_rand_int(rand);
    e->has_identity = g_rand_boolean(rand);
    m.size = e->size;
    m.internal_date = e->date;
    m.sent_date = -e->date;
    m.stem = e->stem;
    m.flags = e->flags;
    m.identity = e->has_identity ? identity : NULL;
    cache_index_put(index, id, &m);
}

static void
assert_same_message(const CacheMessage *m, const ModelMessage *e)
{
    assert_int_equal(m->size, e->size);
    assert_int_equal(m->size_verified, m->uid % 3 == 0);
    assert_int_equal(m->internal_date, e->date);
    assert_int_equal(m->sent_date, -e->date);
    assert_string_equal(m->stem, e->stem);
    assert_string_equal(m->flags, e->flags);
    assert_int_equal(m->identity != NULL, e->has_identity);
    if (m->identity != NULL)
        assert_int_equal(atoi(m->identity + 1), m->uid);
}

static void
assert_same_mailbox(CacheIndex *index, guint32 id, const ModelMailbox *model,
                    guint64 *messages, guint64 *octets)
{
    CacheMailbox state;
    CacheMessage m = {0};
    guint n = 0;

    assert_int_equal(cache_index_mailbox(index, id, &state), model->there);
    if (model->there)
        assert_int_equal(state.highestmodseq, model->state.highestmodseq);
    for (guint32 uid = 1; uid < MODEL_UIDS; uid++) {
        const ModelMessage *e = &model->messages[uid];
        CacheMessage direct;

        assert_int_equal(cache_index_message(index, id, uid, &direct),
                         e->there);
        if (!e->there)
            continue;
        assert_same_message(&direct, e);
        assert_true(cache_index_next(index, id, m.uid, &m));
        assert_int_equal(m.uid, uid);
        assert_same_message(&m, e);
        n++;
        *octets += e->size;
    }
    assert_false(cache_index_next(index, id, m.uid, &m));
    assert_int_equal(cache_index_count(index, id), n);
    *messages += n;
}

static void
assert_same(CacheIndex *index, const ModelMailbox *models)
{
    guint64 messages = 0, octets = 0, n, o;

    for (guint32 id = 0; id < MODEL_MAILBOXES; id++)
        assert_same_mailbox(index, id, &models[id], &messages, &octets);
    cache_index_totals(index, &n, &o);
    assert_int_equal(n, messages);
    assert_int_equal(o, octets);
}

/* A run of puts or removals in one mailbox. */
static void
change_mailbox(CacheIndex *index, guint32 id, ModelMailbox *model, GRand *rand)
{
    guint32 uid = (guint32)g_rand_int_range(rand, 1, MODEL_UIDS);
    gint step = g_rand_int_range(rand, -2, 3);
    gboolean adding = g_rand_int_range(rand, 0, 100) < 60;

    if (!model->there) {
        model->there = TRUE;
        model->state.highestmodseq = g_rand_int(rand);
        cache_index_set_mailbox(index, id, &model->state);
    }
    for (guint i = 0; i < 60 && uid > 0 && uid < MODEL_UIDS; i++) {
        ModelMessage *e = &model->messages[uid];

        if (adding) {
            change_message(index, id, uid, e, rand);
        } else {
            e->there = FALSE;
            cache_index_remove(index, id, uid);
        }
        uid = step != 0 ? uid + (guint32)step
                        : (guint32)g_rand_int_range(rand, 1, MODEL_UIDS);
    }
    model->state.highestmodseq++;
    cache_index_set_mailbox(index, id, &model->state);
}

static void
operations_at_random_agree_with_the_model(void **state)
{
    Fixture *fixture = *state;
    g_autofree ModelMailbox *models = g_new0(ModelMailbox, MODEL_MAILBOXES);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);

    for (guint round = 0; round < 2000; round++) {
        guint32 id = (guint32)g_rand_int_range(rand, 0, MODEL_MAILBOXES);
        gint what = g_rand_int_range(rand, 0, 100);

        if (what < 3) {
            cache_index_drop_mailbox(fixture->index, id);
            memset(&models[id], 0, sizeof models[id]);
        } else if (what < 8) {
            close_index(fixture);
            open_index(fixture);
        } else if (what < 14) {
            assert_true(flush_index(fixture));
        } else {
            change_mailbox(fixture->index, id, &models[id], rand);
        }
        if (round % 3 == 0)
            run_loop();
        if (round % 20 == 0)
            assert_same(fixture->index, models);
    }
    assert_same(fixture->index, models);
    assert_int_equal(fixture->n_lost, 0);
}

/* ---- Reopening ---- */

static void
index_reopened_knows_counts_and_messages(void **state)
{
    Fixture *fixture = *state;
    guint64 messages, octets;
    CacheMailbox mailbox;

    fill_mailbox(fixture->index, 3, 100);
    fill_mailbox(fixture->index, G_MAXUINT32, 1);
    close_index(fixture);
    open_index(fixture);
    cache_index_totals(fixture->index, &messages, &octets);
    assert_int_equal(messages, 101);
    assert_int_equal(octets, 3 * 5050 + 3);
    assert_int_equal(cache_index_count(fixture->index, 3), 100);
    assert_true(cache_index_mailbox(fixture->index, 3, &mailbox));
    assert_int_equal(mailbox.uidvalidity, 7);
    assert_true(mailbox.complete);
    assert_false(mailbox.has_headers);
    assert_int_equal(count_filled(fixture->index, 3), 100);
    assert_int_equal(count_filled(fixture->index, G_MAXUINT32), 1);
}

static void
index_files_are_the_owners_alone(void **state)
{
    static const char *const suffixes[] = {"", "-wal"};
    Fixture *fixture = *state;
    mode_t mask = umask(0);

    close_index(fixture);
    g_remove(fixture->path);
    open_index(fixture);
    fill_mailbox(fixture->index, 3, 100);
    assert_true(flush_index(fixture));
    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(fixture->path, suffixes[i], NULL);
        struct stat file;

        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    umask(mask);
}

static void
unwritten_changes_are_counted_until_they_are_written(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(cache_index_unwritten(fixture->index), 0);
    fill_mailbox(fixture->index, 3, 1000);
    assert_true(cache_index_unwritten(fixture->index) >= 1000);
    assert_true(flush_index(fixture));
    assert_int_equal(cache_index_unwritten(fixture->index), 0);
    /* Nothing waits for a timer when there is nothing to write. */
    assert_null(fixture->index->timer);
    assert_null(fixture->index->job);
}

static void
records_that_the_disk_has_leave_memory(void **state)
{
    Fixture *fixture = *state;

    fill_mailbox(fixture->index, 3, 5000);
    assert_true(flush_index(fixture));
    assert_true(fixture->index->clean_bytes <= small_limits.clean_bytes);
    assert_int_equal(count_filled(fixture->index, 3), 5000);
    assert_true(fixture->index->clean_bytes <= small_limits.clean_bytes + 2000);
}

static void
strings_borrowed_from_one_chunk_are_put_in_another(void **state)
{
    Fixture *fixture = *state;

    /* Nothing stays but what is shown. */
    fixture->index->limits.clean_bytes = 0;
    fill_mailbox(fixture->index, 3, 2000);
    for (guint32 uid = 1; uid < 1000; uid += 7) {
        CacheMessage m, there;
        char stem[32];

        g_snprintf(stem, sizeof stem, "stem-%u", uid);
        put_message(fixture->index, 3, uid + 1, "x");
        assert_true(cache_index_message(fixture->index, 3, uid, &m));
        while (fixture->index->job != NULL || fixture->index->timer != NULL)
            g_main_context_iteration(NULL, TRUE);
        assert_string_equal(m.stem, stem);
        m.uid = 2001 - uid;
        cache_index_put(fixture->index, 3, &m);
        assert_true(cache_index_message(fixture->index, 3, m.uid, &there));
        assert_int_equal(there.size, uid * 3);
        assert_string_equal(there.stem, stem);
    }
}

static void
strings_too_long_are_cut_or_left_out(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *stem = g_strnfill(5000, 's');
    g_autofree char *word = g_strnfill(4090, 'f');
    g_autofree char *flags = g_strconcat(word, " long-flag", NULL);
    g_autofree char *one_flag = g_strnfill(5000, 'f');
    g_autofree char *identity = g_strnfill(256, 'i');
    CacheMailbox mailbox = {0};
    CacheMessage m = {.uid = 1, .size = G_MAXUINT64};

    m.stem = stem;
    m.flags = flags;
    m.identity = identity;
    cache_index_set_mailbox(fixture->index, 3, &mailbox);
    cache_index_put(fixture->index, 3, &m);
    m.uid = 2;
    m.flags = one_flag;
    m.identity = identity + 1;
    cache_index_put(fixture->index, 3, &m);
    close_index(fixture);
    open_index(fixture);
    assert_true(cache_index_message(fixture->index, 3, 1, &m));
    assert_int_equal(strlen(m.stem), CACHE_STEM_MAX);
    assert_string_equal(m.flags, word);
    assert_null(m.identity);
    assert_int_equal(m.size, G_MAXINT64);
    assert_true(cache_index_message(fixture->index, 3, 2, &m));
    assert_string_equal(m.flags, "");
    assert_int_equal(strlen(m.identity), 255);
}

/* ---- Order ---- */

typedef struct {
    gint64 minute;
    char *stem;
    guint32 uid;
} Named;

static gint
compare_named(gconstpointer a, gconstpointer b)
{
    const Named *one = *(Named *const *)a, *two = *(Named *const *)b;
    g_autofree char *name = g_strdup_printf("%s%u.", one->stem, one->uid);
    g_autofree char *other = g_strdup_printf("%s%u.", two->stem, two->uid);

    if (one->minute != two->minute)
        return one->minute < two->minute ? -1 : 1;
    return strcmp(name, other);
}

static void
free_named(gpointer data)
{
    Named *named = data;

    g_free(named->stem);
    g_free(named);
}

/* Few dates and stems that begin alike, so that all levels are gone through. */
static GPtrArray *
put_names(CacheIndex *index, gboolean by_sent_date)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(free_named);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    CacheMailbox mailbox = {0};

    cache_index_set_mailbox(index, 3, &mailbox);
    for (guint32 uid = 1; uid <= 700; uid++) {
        Named *named = g_new0(Named, 1);
        gint length = g_rand_int_range(rand, 0, 40);
        gint64 date = g_rand_int_range(rand, -300, 300);
        g_autofree char *stem = g_strdup_printf(
            "%.*s%s%d", length, "someone_the-same-subject-that-all-have-here",
            g_rand_boolean(rand) ? "-" : "\xc3\xa4",
            g_rand_int_range(rand, 0, 3));
        CacheMessage m = {
            .uid = uid,
            .internal_date = date,
            .sent_date = by_sent_date ? date : 7,
            .stem = uid % 50 != 0 ? stem : NULL,
        };

        if (by_sent_date && uid % 4 != 0)
            m.internal_date = -date;
        else if (by_sent_date)
            m.sent_date = G_MININT64;
        cache_index_put(index, 3, &m);
        named->uid = uid;
        named->minute = (date + 60000) / 60;
        named->stem = g_strconcat(m.stem != NULL ? m.stem : "", ".", NULL);
        g_ptr_array_add(names, named);
    }
    g_ptr_array_sort(names, compare_named);
    return names;
}

static void
assert_order(CacheIndex *index, gboolean by_sent_date)
{
    g_autoptr(GPtrArray) names = put_names(index, by_sent_date);
    g_autoptr(GArray) uids = order(index, 3, by_sent_date);

    assert_int_equal(uids->len, names->len);
    for (guint i = 0; i < uids->len; i++)
        assert_int_equal(g_array_index(uids, guint32, i),
                         ((Named *)g_ptr_array_index(names, i))->uid);
}

static void
order_by_name_is_that_of_names(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(CacheIndex) memory =
        cache_index_new_with_limits(NULL, NULL, &small_limits);

    assert_order(fixture->index, FALSE);
    assert_order(fixture->index, TRUE);
    assert_order(memory, FALSE);
    assert_order(memory, TRUE);
}

static void
order_of_an_unknown_mailbox_is_empty(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GArray) uids = order(fixture->index, 9, FALSE);

    assert_int_equal(uids->len, 0);
}

static void
index_freed_answers_who_waits_for_an_order(void **state)
{
    Fixture *fixture = *state;
    GArray *waiting = NULL, *working = NULL;

    fill_mailbox(fixture->index, 3, 200);
    assert_true(flush_index(fixture));
    cache_index_order_by_name(fixture->index, 3, FALSE, note_order, &working);
    run_loop();
    cache_index_order_by_name(fixture->index, 3, FALSE, note_order, &waiting);
    close_index(fixture);
    assert_non_null(working);
    assert_non_null(waiting);
    g_array_unref(working);
    g_array_unref(waiting);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            operations_at_random_agree_with_the_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            index_reopened_knows_counts_and_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(index_files_are_the_owners_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            unwritten_changes_are_counted_until_they_are_written, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(records_that_the_disk_has_leave_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            strings_borrowed_from_one_chunk_are_put_in_another, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(strings_too_long_are_cut_or_left_out,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_by_name_is_that_of_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(order_of_an_unknown_mailbox_is_empty,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            index_freed_answers_who_waits_for_an_order, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
