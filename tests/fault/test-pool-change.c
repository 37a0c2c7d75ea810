/* Leases on mailboxes that are going to be changed or removed; uploads. */
#include "imap/append.h"
#include "pool-fixture.h"

#define SELECT(n, mailbox)                                                     \
    "C:i" #n " SELECT " mailbox, "S:* 1 EXISTS",                               \
        "S:i" #n " OK [READ-WRITE] yours"

static void
ask_writable(Fixture *f, Wish *wish, const char *mailbox)
{
    ImapWish what = {.mailbox = mailbox, .writable = TRUE};

    ask_wish(f, wish, &what);
}

static void
ask_upload(Fixture *f, Wish *wish)
{
    ImapWish what = {.kind = IMAP_LEASE_UPLOAD};

    ask_wish(f, wish, &what);
}

/* And whoever reads is served by what can be changed as well. */
static void
examined_mailbox_is_selected_again_to_be_changed(void **state)
{
    static const char *const script[] = {
        LOGIN,   EXAMINE(2, "A"), SELECT(3, "A"),
        "QUIET", EXAMINE(4, "B"), SELECT(5, "B"),
        NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish writes;
    ImapConnection *connection;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    connection = get(&f, &reads);
    assert_false(imap_connection_is_writable(connection));

    /* Not while somebody reads. */
    ask_writable(&f, &writes, "A");
    run_for(WAIT_MS);
    assert_false(writes.done);
    release(&reads);
    assert_ptr_equal(get(&f, &writes), connection);
    assert_true(imap_connection_is_writable(connection));
    assert_true(imap_lease_is_fresh(writes.lease));

    ask(&f, &reads, "A");
    assert_ptr_equal(get(&f, &reads), connection);
    release(&writes);
    ask_writable(&f, &writes, "A");
    assert_ptr_equal(get(&f, &writes), connection);
    release(&reads);
    release(&writes);
    run_for(2 * WAIT_MS);

    ask(&f, &reads, "B");
    get(&f, &reads);
    assert_false(imap_connection_is_writable(connection));
    release(&reads);
    ask_writable(&f, &writes, "B");
    get(&f, &writes);
    assert_true(imap_connection_is_writable(connection));
    release(&writes);
    stop(&f);
}

static void
who_reads_is_not_waited_for_where_there_can_be_two(void **state)
{
    static const char *const first[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    static const char *const second[] = {LOGIN, SELECT(2, "A"), "QUIET", NULL};
    const char *const *const all[] = {first, second, NULL};
    Fixture f;
    Wish reads;
    Wish writes;

    start(&f, all, 2, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    get(&f, &reads);
    ask_writable(&f, &writes, "A");
    assert_true(imap_connection_is_writable(get(&f, &writes)));
    release(&reads);
    release(&writes);
    run_for(2 * WAIT_MS);
    stop(&f);
}

static void
read_and_write_wishes_at_once_are_both_met(void **state)
{
    static const char *const script[] = {LOGIN, EXAMINE(2, "A"), SELECT(3, "A"),
                                         NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish writes;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    ask_writable(&f, &writes, "A");
    get(&f, &reads);
    release(&reads);
    assert_true(imap_connection_is_writable(get(&f, &writes)));
    release(&writes);
    stop(&f);
}

/* It is said so, and can still be read. */
static void
read_only_mailbox_is_refused_to_who_wants_to_change_it(void **state)
{
    static const char *const script[] = {LOGIN,
                                         "C:i2 SELECT A",
                                         "S:* 1 EXISTS",
                                         "S:i2 OK [READ-ONLY] not yours",
                                         "QUIET",
                                         SELECT(3, "A"),
                                         NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish writes;
    Wish more;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask_writable(&f, &writes, "A");
    ask_writable(&f, &more, "A");
    assert_refused(&writes, IMAP_ERROR_READ_ONLY, "only be read");
    assert_refused(&more, IMAP_ERROR_READ_ONLY, "only be read");
    ask(&f, &reads, "A");
    get(&f, &reads);
    release(&reads);
    run_for(2 * WAIT_MS);

    /* That may change. */
    ask_writable(&f, &writes, "A");
    get(&f, &writes);
    release(&writes);
    stop(&f);
}

static void
mailbox_that_cannot_be_selected_is_its_error(void **state)
{
    static const char *const script[] = {LOGIN, "C:i2 SELECT A",
                                         "S:i2 NO [NOPERM] not yours", NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish writes;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask_writable(&f, &writes, "A");
    assert_refused(&writes, IMAP_ERROR_NO_PERMISSION, "not yours");
    stop(&f);
}

static void
changes_come_with_a_selection_to_change(void **state)
{
    static const char *const script[] = {
        "S:* PREAUTH in",
        "C:i1 CAPABILITY",
        "S:* CAPABILITY IMAP4rev1 ENABLE QRESYNC",
        "S:i1 OK",
        "C:i2 ENABLE QRESYNC",
        "S:* ENABLED QRESYNC",
        "S:i2 OK",
        "C:i3 SELECT A (QRESYNC (7 40))",
        "S:* 1 EXISTS",
        "S:* OK [UIDVALIDITY 7]",
        "S:* OK [HIGHESTMODSEQ 50]",
        "S:* VANISHED (EARLIER) 3",
        "S:i3 OK [READ-WRITE]",
        NULL};
    const char *const *const all[] = {script, NULL};
    ImapKnown known = {7, 40};
    ImapWish what = {.mailbox = "A", .writable = TRUE, .known = &known};
    g_autoptr(ImapChanges) changes = NULL;
    Fixture f;
    Wish writes;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask_wish(&f, &writes, &what);
    get(&f, &writes);
    changes = imap_lease_take_changes(writes.lease);
    assert_non_null(changes);
    assert_true(imap_uid_set_contains(changes->vanished, 3));
    release(&writes);
    stop(&f);
}

/* ---- uploads ---- */

static void
upload_has_a_connection_alone_where_there_can_be_two(void **state)
{
    static const char *const first[] = {LOGIN, "QUIET", NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const all[] = {first, second, NULL};
    Fixture f;
    Wish upload;
    Wish reads;
    Wish another;

    start(&f, all, 2, LONG_TIMEOUT_MS);
    ask_upload(&f, &upload);
    get(&f, &upload);
    ask(&f, &reads, "A");
    assert_ptr_not_equal(get(&f, &reads), imap_lease_connection(upload.lease));
    /* Who sends shares with who sends rather than not at all. */
    ask_upload(&f, &another);
    get(&f, &another);
    release(&upload);
    release(&another);
    release(&reads);
    /* Nothing is kept ready beside it. */
    run_for(400);
    assert_int_equal(f.listener.n_accepted, 2);
    stop(&f);
}

static void
upload_takes_the_connection_that_is_idle(void **state)
{
    static const char *const script[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish upload;

    start(&f, all, 3, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    get(&f, &reads);
    release(&reads);
    ask_upload(&f, &upload);
    get(&f, &upload);
    run_for(400);
    assert_int_equal(f.listener.n_accepted, 1);
    release(&upload);
    stop(&f);
}

static void
upload_shares_the_only_connection(void **state)
{
    static const char *const script[] = {LOGIN, EXAMINE(2, "A"), "QUIET", NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish upload;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    get(&f, &reads);
    ask_upload(&f, &upload);
    assert_ptr_equal(get(&f, &upload), imap_lease_connection(reads.lease));
    release(&reads);
    release(&upload);
    stop(&f);
}

static gssize
on_read(void *buffer, gsize size, gpointer user_data)
{
    memset(buffer, 'x', size);
    return (gssize)size;
}

static void
on_appended(const ImapAppended *appended, const GError *error,
            gpointer user_data)
{
    if (error != NULL)
        fail_msg("%s", error->message);
    *(gboolean *)user_data = TRUE;
}

/* Who waits for the only connection waits as long as it moves. */
static void
upload_that_moves_is_no_silence_to_who_waits(void **state)
{
    static const char *const script[] = {
        LOGIN,     "C:i2 APPEND B {9000000}", "SIP", "S:+ go", "D:9000002",
        "S:i2 OK", EXAMINE(3, "A"),           NULL};
    static const ImapAppendHandler handler = {on_read, on_appended};
    const char *const *const all[] = {script, NULL};
    ImapAppend what = {
        .mailbox = "B", .size = 9000000, .date = IMAP_APPEND_NO_DATE};
    gboolean appended = FALSE;
    Fixture f;
    Wish upload;
    Wish reads;

    /* All of it takes longer. */
    start(&f, all, 1, 2000);
    ask_upload(&f, &upload);
    imap_request_append(get(&f, &upload), &what, &handler, &appended);
    ask(&f, &reads, "A");
    wait_for(&appended);
    assert_false(reads.done);
    release(&upload);
    get(&f, &reads);
    release(&reads);
    stop(&f);
}

/* ---- mailboxes that are going to be removed ---- */

static void
ask_apart(Fixture *f, Wish *wish, const char *mailbox, const char *apart)
{
    ImapWish what = {.mailbox = mailbox, .apart = apart};

    ask_wish(f, wish, &what);
}

/* Who has it is waited for, and then it is left; who asks for it waits. */
static void
mailbox_that_is_removed_is_selected_by_nobody(void **state)
{
    static const char *const first[] = {
        LOGIN,   EXAMINE(2, "A"), "QUIET", EXAMINE(3, "B"),
        "QUIET", EXAMINE(4, "A"), NULL};
    static const char *const second[] = {LOGIN, EXAMINE(2, "C"), "QUIET",
                                         "QUIET", NULL};
    const char *const *const all[] = {first, second, NULL};
    Fixture f;
    Wish reads;
    Wish other;
    Wish removes;
    Wish again;

    start(&f, all, 2, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    get(&f, &reads);
    ask(&f, &other, "C");
    get(&f, &other);
    ask_apart(&f, &removes, "B", "A");
    ask(&f, &again, "A");
    run_for(WAIT_MS);
    assert_false(removes.done);
    assert_false(again.done);

    release(&reads);
    get(&f, &removes);
    run_for(WAIT_MS);
    assert_false(again.done);
    release(&removes);
    get(&f, &again);
    release(&again);
    release(&other);
    stop(&f);
}

/* Those that overlap would keep it there for good. */
static void
mailbox_that_is_removed_is_left_before_anything_is_sent(void **state)
{
    static const char *const script[] = {LOGIN, EXAMINE(2, "A"),
                                         EXAMINE(3, "B"), NULL};
    const char *const *const all[] = {script, NULL};
    Fixture f;
    Wish reads;
    Wish removes;
    Wish upload;
    Wish any;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask(&f, &reads, "A");
    get(&f, &reads);
    ask_apart(&f, &removes, "B", "A");
    ask_upload(&f, &upload);
    ask(&f, &any, NULL);
    run_for(WAIT_MS);
    assert_false(upload.done);
    assert_false(any.done);

    release(&reads);
    get(&f, &removes);
    get(&f, &upload);
    get(&f, &any);
    release(&any);
    release(&upload);
    release(&removes);
    stop(&f);
}

/* Who waited with it is not waited for any more. */
static void
mailbox_is_anybodys_when_its_removal_has_failed(void **state)
{
    static const char *const first[] = {LOGIN, "C:i2 EXAMINE B", "S:i2 NO",
                                        EXAMINE(3, "A"), NULL};
    const char *const *const all[] = {first, NULL};
    Fixture f;
    Wish removes;
    Wish reads;

    start(&f, all, 1, LONG_TIMEOUT_MS);
    ask_apart(&f, &removes, "B", "A");
    ask(&f, &reads, "A");
    assert_refused(&removes, IMAP_ERROR_NO, "");
    get(&f, &reads);
    release(&reads);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examined_mailbox_is_selected_again_to_be_changed),
        cmocka_unit_test(who_reads_is_not_waited_for_where_there_can_be_two),
        cmocka_unit_test(read_and_write_wishes_at_once_are_both_met),
        cmocka_unit_test(
            read_only_mailbox_is_refused_to_who_wants_to_change_it),
        cmocka_unit_test(mailbox_that_cannot_be_selected_is_its_error),
        cmocka_unit_test(changes_come_with_a_selection_to_change),
        cmocka_unit_test(upload_has_a_connection_alone_where_there_can_be_two),
        cmocka_unit_test(upload_takes_the_connection_that_is_idle),
        cmocka_unit_test(upload_shares_the_only_connection),
        cmocka_unit_test(upload_that_moves_is_no_silence_to_who_waits),
        cmocka_unit_test(mailbox_that_is_removed_is_selected_by_nobody),
        cmocka_unit_test(
            mailbox_that_is_removed_is_left_before_anything_is_sent),
        cmocka_unit_test(mailbox_is_anybodys_when_its_removal_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
