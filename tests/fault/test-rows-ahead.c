/* Rows that are asked for together with the selection. */
#include "pool-fixture.h"

#define ROWS "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"
#define ROW "S:* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 10)"

typedef struct {
    Wish wish;
    gboolean asks;        /* as soon as there is a lease */
    gboolean with_header; /* then */
    guint n_rows;
    gboolean done;
    gboolean failed;
} Reader;

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    Reader *reader = user_data;

    assert_int_equal(fetch->uid, 7);
    reader->n_rows++;
}

static void
on_done(const GError *error, gpointer user_data)
{
    Reader *reader = user_data;

    reader->done = TRUE;
    reader->failed = error != NULL;
}

static void
fetch(Reader *reader)
{
    static const ImapFetchListHandler handler = {on_row, on_done};

    reader->done = FALSE;
    imap_request_fetch_list(imap_lease_connection(reader->wish.lease), "1:*",
                            reader->with_header, &handler, reader);
}

static void
on_reader_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Reader *reader = user_data;

    on_lease(lease, error, &reader->wish);
    if (lease != NULL && reader->asks)
        fetch(reader);
}

static void
ask_rows(Fixture *f, Reader *reader, gboolean asks)
{
    const ImapWish what = {
        .mailbox = "A", .kind = IMAP_LEASE_BULK, .rows = IMAP_ROWS_PLAIN};

    *reader = (Reader){.asks = asks};
    imap_pool_acquire_wish(f->pool, &what, on_reader_lease, reader);
}

static void
rows_come_with_the_selection(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {
        LOGIN,          "C:i2 EXAMINE A", "C:i3 " ROWS,
        "S:* 1 EXISTS", "S:i2 OK",        ROW,
        "S:i3 OK",      "QUIET",          NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    wait_for(&reader.done);
    assert_false(reader.failed);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    stop(&f);
}

static void
refused_selection_brings_none(void **state)
{
    Fixture f;
    Reader reader;
    Wish other;
    static const char *const steps[] = {LOGIN,
                                        "C:i2 EXAMINE A",
                                        "C:i3 " ROWS,
                                        "S:i2 NO there is no such mailbox",
                                        "S:i3 BAD nothing is selected",
                                        EXAMINE(4, "B"),
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    assert_refused(&reader.wish, IMAP_ERROR_NO, "no such mailbox");
    assert_false(reader.done);
    ask(&f, &other, "B");
    get(&f, &other);
    release(&other);
    stop(&f);
}

/* A row has come before anybody asked: who asks then gets all of them. */
static void
rows_that_nobody_took_are_asked_for_again(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {LOGIN,        "C:i2 EXAMINE A",
                                        "C:i3 " ROWS, "S:* 1 EXISTS",
                                        "S:i2 OK",    ROW,
                                        "WAIT",       "S:i3 OK",
                                        "C:i4 " ROWS, ROW,
                                        "S:i4 OK",    NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, FALSE);
    get(&f, &reader.wish);
    run_for(WAIT_MS / 2);
    fetch(&reader);
    wait_for(&reader.done);
    assert_false(reader.failed);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    stop(&f);
}

static void
other_rows_are_asked_for(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {
        LOGIN,        "C:i2 EXAMINE A",
        "C:i3 " ROWS, "S:* 1 EXISTS",
        "S:i2 OK",    "C:i4 UID FETCH *BODY.PEEK*",
        ROW,          "S:i3 OK",
        ROW,          "S:i4 OK",
        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, FALSE);
    get(&f, &reader.wish);
    reader.with_header = TRUE;
    fetch(&reader);
    wait_for(&reader.done);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    stop(&f);
}

/* The server may not understand the parameter, and then nothing is selected. */
static void
none_follow_a_selection_with_parameters(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {"S:* PREAUTH in",
                                        "C:i1 CAPABILITY",
                                        "S:* CAPABILITY IMAP4rev1 CONDSTORE",
                                        "S:i1 OK",
                                        "C:i2 EXAMINE A (CONDSTORE)",
                                        "QUIET",
                                        "S:* 1 EXISTS",
                                        "S:i2 OK",
                                        "C:i3 " ROWS,
                                        ROW,
                                        "S:i3 OK",
                                        NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    wait_for(&reader.done);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    stop(&f);
}

static void
cut_line_fails_who_asked(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {
        LOGIN, "C:i2 EXAMINE A", "C:i3 " ROWS, "S:* 1 EXISTS", "S:i2 OK",
        ROW,   "CLOSE",          NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    wait_for(&reader.done);
    assert_true(reader.failed);
    release(&reader.wish);
    stop(&f);
}

/* Who came first with the wish for a single thing does not take the connection
 * that the rows come on. */
static void
single_wish_does_not_get_the_rows_connection(void **state)
{
    Fixture f;
    Reader reader;
    Wish one;
    static const char *const first[] = {
        LOGIN,          "C:i2 EXAMINE A", "C:i3 " ROWS, "WAIT",
        "S:* 1 EXISTS", "S:i2 OK",        ROW,          "WAIT",
        "WAIT",         "S:i3 OK",        NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"), NULL};
    const char *const *const scripts[] = {first, second, NULL};

    start(&f, scripts, 2, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    run_for(WAIT_MS / 2);
    ask(&f, &one, "A");
    get(&f, &one);
    wait_for(&reader.done);
    assert_false(reader.failed);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    release(&one);
    stop(&f);
}

static void
server_that_takes_none_ahead_is_asked_afterwards(void **state)
{
    Fixture f;
    Reader reader;
    static const char *const steps[] = {
        LOGIN,        "C:i2 EXAMINE A",
        "C:i3 " ROWS, "S:* 1 EXISTS",
        "S:i2 OK",    "S:i3 BAD no mailbox is selected",
        "C:i4 " ROWS, ROW,
        "S:i4 OK",    NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, TRUE);
    wait_for(&reader.done);
    assert_false(reader.failed);
    assert_int_equal(reader.n_rows, 1);
    release(&reader.wish);
    stop(&f);
}

/* The lease was given back: what still comes is waited for by who comes next.
 */
static void
rows_that_nobody_wants_are_waited_for(void **state)
{
    Fixture f;
    Reader reader;
    Wish other;
    static const char *const steps[] = {
        LOGIN, "C:i2 EXAMINE A", "C:i3 " ROWS, "S:* 1 EXISTS",  "S:i2 OK",
        ROW,   "QUIET",          "S:i3 OK",    EXAMINE(4, "B"), NULL};
    const char *const *const scripts[] = {steps, NULL};

    start(&f, scripts, 1, LONG_TIMEOUT_MS);
    ask_rows(&f, &reader, FALSE);
    get(&f, &reader.wish);
    release(&reader.wish);
    ask(&f, &other, "B");
    get(&f, &other);
    release(&other);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_with_the_selection),
        cmocka_unit_test(refused_selection_brings_none),
        cmocka_unit_test(rows_that_nobody_took_are_asked_for_again),
        cmocka_unit_test(other_rows_are_asked_for),
        cmocka_unit_test(none_follow_a_selection_with_parameters),
        cmocka_unit_test(cut_line_fails_who_asked),
        cmocka_unit_test(single_wish_does_not_get_the_rows_connection),
        cmocka_unit_test(server_that_takes_none_ahead_is_asked_afterwards),
        cmocka_unit_test(rows_that_nobody_wants_are_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
