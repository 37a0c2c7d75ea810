/* Changing messages against servers that follow a script, some of which lie. */
#include "connection-fixture.h"

#include "imap/change-requests.h"

#define SELECT(n)                                                              \
    "C:i" #n " SELECT INBOX", "S:* 9 EXISTS", "S:* OK [UIDVALIDITY 7]",        \
        "S:i" #n " OK [READ-WRITE] yours"

static ImapUidSet *
set_of(const char *text)
{
    return imap_uid_set_parse(text, strlen(text));
}

static void
select_inbox(Fixture *f)
{
    imap_request_select(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_null(f->error);
}

/* "modified 3,5 " or nothing. */
static void
on_stored(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((modified == NULL) == (error != NULL));
    if (modified != NULL && imap_uid_set_count(modified) > 0) {
        g_autofree char *text = imap_uid_set_to_string(modified);

        g_string_append_printf(f->log, "modified %s ", text);
    }
    on_done(error, f);
}

/* "99: 3>30 4>31 ", or "untold ". */
static void
on_copied(const ImapCopied *copied, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    if (copied == NULL) {
        g_string_append(f->log, "untold ");
    } else {
        assert_true(copied->pairs->len > 0);
        g_string_append_printf(f->log, "%" G_GUINT64_FORMAT ": ",
                               copied->uidvalidity);
        for (guint i = 0; i < copied->pairs->len; i++) {
            ImapUidPair pair = g_array_index(copied->pairs, ImapUidPair, i);

            g_string_append_printf(f->log, "%u>%u ", pair.from, pair.to);
            assert_int_equal(imap_copied_find(copied, pair.from), pair.to);
        }
        assert_int_equal(imap_copied_find(copied, 4000000000u), 0);
    }
    on_done(error, f);
}

static void
store(Fixture *f, const char *uids, ImapStoreMode mode, const char *flag,
      guint64 unchanged_since)
{
    g_autoptr(ImapUidSet) set = set_of(uids);
    const char *const flags[] = {flag, "work", NULL};
    ImapStore what = {
        .uids = set,
        .mode = mode,
        .flags = flags,
        .unchanged_since = unchanged_since,
    };

    imap_request_store(f->connection, &what, on_stored, f);
}

/* ---- selecting ---- */

static void
select_tells_what_may_be_changed(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"),
        "C:i3 SELECT INBOX",
        "S:* 3 EXISTS",
        "S:* OK [PERMANENTFLAGS (\\Deleted \\Seen Work \\*)] these",
        "S:i3 OK [READ-WRITE] yours",
        "C:i4 SELECT Shared",
        "S:* 3 EXISTS",
        "S:* OK [PERMANENTFLAGS (\\Seen Work)] these",
        "S:i4 OK [READ-ONLY] not yours",
        "C:i5 EXAMINE INBOX",
        "S:* 3 EXISTS",
        "S:i5 OK [READ-WRITE] a slip of the tongue",
        "C:i6 EXAMINE INBOX",
        "S:* 3 EXISTS",
        "S:i6 OK [READ-ONLY]",
        "C:i7 SELECT INBOX",
        "S:* 3 EXISTS",
        "S:i7 OK [READ-WRITE]",
        "C:i8 SELECT INBOX",
        "S:* 3 EXISTS",
        "S:i8 OK [READ-WRITE]",
        "C:i9 NOOP",
        "S:* OK [READ-ONLY] no longer",
        "S:i9 OK",
        NULL,
    };
    const ImapMailbox *mailbox;

    open_ready(f, steps);
    mailbox = imap_connection_mailbox(f->connection);
    assert_false(imap_connection_is_writable(f->connection));
    select_inbox(f);
    assert_true(imap_connection_is_writable(f->connection));
    assert_true(imap_mailbox_keeps_flag(mailbox, "\\SEEN"));
    assert_true(imap_mailbox_keeps_flag(mailbox, "new"));
    assert_false(imap_mailbox_keeps_flag(mailbox, "\\Draft"));
    imap_request_select(f->connection, "Shared", on_done, f);
    wait_done(f);
    assert_false(imap_connection_is_writable(f->connection));
    assert_true(imap_mailbox_keeps_flag(mailbox, "work"));
    assert_false(imap_mailbox_keeps_flag(mailbox, "new"));
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_false(imap_connection_is_writable(f->connection));
    assert_true(imap_mailbox_keeps_flag(mailbox, "\\Draft"));

    /* Again in the same way as before. */
    imap_request_reselect(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_false(imap_connection_is_writable(f->connection));
    select_inbox(f);
    imap_request_reselect(f->connection, "INBOX", on_done, f);
    wait_done(f);
    assert_true(imap_connection_is_writable(f->connection));

    send_text(f, "NOOP");
    wait_done(f);
    assert_false(imap_connection_is_writable(f->connection));
}

static void
nothing_is_changed_under_examine(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS MOVE"),
        "C:i3 EXAMINE INBOX",
        "S:* 3 EXISTS",
        "S:i3 OK [READ-ONLY]",
        "QUIET",
        "C:i? UID COPY 1 Other",
        "S:i8 OK",
        NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("1");

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    store(f, "1", IMAP_STORE_ADD, "\\Seen", 0);
    assert_false(f->done);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_READ_ONLY, "UID STORE was not sent");
    imap_request_expunge_uids(f->connection, uids, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_READ_ONLY, "UID EXPUNGE was not sent");
    imap_request_expunge_everything_marked(f->connection, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_READ_ONLY, "EXPUNGE was not sent");
    imap_request_move(f->connection, uids, "Other", on_copied, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_READ_ONLY, "UID MOVE was not sent");
    run_for(2 * WAIT_MS);
    check_script(f);
    imap_request_copy(f->connection, uids, "Other", on_copied, f);
    wait_done(f);
    assert_null(f->error);
}

/* ---- flags ---- */

static void
store_says_what_it_means(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        ImapStoreMode mode;
        guint64 since;
        const char *flag;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {-1,
         IMAP_STORE_ADD,
         0,
         "\\Seen",
         "",
         {LOGIN("UIDPLUS"), SELECT(3),
          "C:i4 UID STORE 2:4,6 +FLAGS.SILENT (\\Seen work)", "S:i4 OK"}},
        {-1,
         IMAP_STORE_REMOVE,
         5,
         "\\Draft",
         "",
         {LOGIN("UIDPLUS"), "C:i3 SELECT INBOX", "S:* 9 EXISTS",
          "S:* OK [PERMANENTFLAGS ()]", "S:i3 OK",
          "C:i4 UID STORE 2:4,6 -FLAGS.SILENT (\\Draft work)", "S:i4 OK"}},
        {-1,
         IMAP_STORE_REPLACE,
         50,
         "\\Seen",
         "modified 3,6 ",
         {LOGIN("UIDPLUS CONDSTORE"), "C:i3 SELECT INBOX (CONDSTORE)",
          "S:* 9 EXISTS", "S:* OK [HIGHESTMODSEQ 60]", "S:i3 OK",
          "C:i4 UID STORE 2:4,6 (UNCHANGEDSINCE 50) FLAGS.SILENT (\\Seen work)",
          "S:* 2 FETCH (UID 2 MODSEQ (61))", "S:i4 OK [MODIFIED 3,6,99] some"}},
        {-1,
         IMAP_STORE_ADD,
         50,
         "\\Seen",
         "",
         {LOGIN("UIDPLUS CONDSTORE"), "C:i3 SELECT INBOX (CONDSTORE)",
          "S:* 9 EXISTS", "S:* OK [NOMODSEQ]", "S:i3 OK",
          "C:i4 UID STORE 2:4,6 +FLAGS.SILENT (\\Seen work)", "S:i4 OK"}},
        {IMAP_ERROR_PROTOCOL,
         IMAP_STORE_ADD,
         0,
         "\\Seen",
         "",
         {LOGIN("UIDPLUS"), SELECT(3), "C:i4 UID STORE *",
          "S:i4 OK [MODIFIED 2:*] some"}},
        {IMAP_ERROR_NO_PERMISSION,
         IMAP_STORE_ADD,
         0,
         "\\Seen",
         "",
         {LOGIN("UIDPLUS"), SELECT(3), "C:i4 UID STORE *",
          "S:i4 NO [NOPERM] no"}},
        {IMAP_ERROR_CANNOT,
         IMAP_STORE_ADD,
         0,
         "\\Draft",
         "",
         {LOGIN("UIDPLUS"), "C:i3 SELECT INBOX", "S:* 9 EXISTS",
          "S:* OK [PERMANENTFLAGS (\\Seen \\*)]", "S:i3 OK", "QUIET"}},
        {-1,
         IMAP_STORE_ADD,
         0,
         "\\Deleted",
         "",
         {LOGIN("UIDPLUS"), "C:i3 SELECT INBOX", "S:* 9 EXISTS",
          "S:* OK [PERMANENTFLAGS (\\Seen work)]", "S:i3 OK",
          "C:i4 UID STORE 2:4,6 +FLAGS.SILENT (\\Deleted work)", "S:i4 OK"}},
        {IMAP_ERROR_ARGUMENT,
         IMAP_STORE_ADD,
         0,
         "a) b",
         "",
         {LOGIN("UIDPLUS"), SELECT(3), "QUIET"}},
        {IMAP_ERROR_ARGUMENT,
         IMAP_STORE_ADD,
         0,
         "a\r\nx NOOP",
         "",
         {LOGIN("UIDPLUS"), SELECT(3), "QUIET"}},
        {IMAP_ERROR_ARGUMENT,
         IMAP_STORE_REMOVE,
         0,
         "\\",
         "",
         {LOGIN("UIDPLUS"), SELECT(3), "QUIET"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        select_inbox(f);
        store(f, "2:4,6", cases[i].mode, cases[i].flag, cases[i].since);
        wait_done(f);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        assert_string_equal(f->log->str, cases[i].log);
        run_for(WAIT_MS);
        check_script(f);
        drop(f);
    }
}

static void
sets_that_are_empty_or_too_large_are_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("UIDPLUS"), SELECT(3), "QUIET",
                                        NULL};
    g_autoptr(ImapUidSet) none = imap_uid_set_new();
    g_autoptr(ImapUidSet) many = set_of("1:1001");
    g_autoptr(ImapUidSet) wide = imap_uid_set_new();

    for (guint i = 0; i < 1000; i++)
        imap_uid_set_add(wide, 4000000000u + 2 * i, 4000000000u + 2 * i);
    open_ready(f, steps);
    select_inbox(f);
    imap_request_expunge_uids(f->connection, none, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "no message");
    imap_request_expunge_uids(f->connection, many, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "too many");
    imap_request_expunge_uids(f->connection, wide, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "too many");
    run_for(2 * WAIT_MS);
    check_script(f);
}

/* mailutils takes a UID that is too high for the last message's. */
static void
without_uidplus_only_uids_just_seen_are_named(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),
        SELECT(3),
        "C:i4 NOOP",
        "C:i5 UID SEARCH UID 98:99",
        "S:i4 OK",
        "S:* SEARCH 9",
        "S:i5 OK",
        "QUIET",
        "C:i6 NOOP",
        "C:i7 UID SEARCH UID 5:7",
        "S:i6 OK",
        "S:* SEARCH 5 7 9",
        "S:i7 OK",
        "C:i8 UID STORE 5,7 +FLAGS.SILENT (\\Deleted work)",
        "S:i8 OK",
        "C:i9 NOOP",
        "C:i10 UID SEARCH UID 99",
        "S:i9 OK",
        "S:* SEARCH 9",
        "S:i10 OK",
        "QUIET",
        "C:i11 NOOP",
        "C:i12 UID SEARCH UID 99",
        "S:i11 OK",
        "S:i12 NO [UNAVAILABLE] not now",
        "QUIET",
        NULL,
    };
    g_autoptr(ImapUidSet) high = set_of("99");

    open_ready(f, steps);
    select_inbox(f);
    store(f, "98:99", IMAP_STORE_ADD, "\\Deleted", 0);
    wait_done(f);
    assert_null(f->error);
    run_for(2 * WAIT_MS);
    store(f, "5:7", IMAP_STORE_ADD, "\\Deleted", 0);
    wait_done(f);
    assert_null(f->error);
    imap_request_copy(f->connection, high, "Other", on_copied, f);
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "untold ");
    run_for(2 * WAIT_MS);
    store(f, "99", IMAP_STORE_ADD, "\\Deleted", 0);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNAVAILABLE, "not now");
    run_for(2 * WAIT_MS);
    check_script(f);
}

/* ---- expunging ---- */

static void
store_and_expunge_go_together(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"),
        SELECT(3),
        "C:i4 UID STORE 5 +FLAGS.SILENT (\\Deleted work)",
        "C:i5 UID EXPUNGE 5",
        "S:i4 OK",
        "S:* 4 EXPUNGE",
        "S:i5 OK",
        NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    select_inbox(f);
    store(f, "5", IMAP_STORE_ADD, "\\Deleted", 0);
    imap_request_expunge_uids(f->connection, uids, on_done, f);
    wait_done(f);
    if (f->n_done < 3)
        wait_done(f);
    assert_null(f->error);
    assert_int_equal(imap_connection_mailbox(f->connection)->exists, 8);
}

static void
expunge_of_uids_needs_uidplus(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""),       SELECT(3), "QUIET", "C:i? EXPUNGE",
        "S:* 1 EXPUNGE", "S:i5 OK", NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    select_inbox(f);
    assert_false(imap_can_expunge_uids(f->connection));
    imap_request_expunge_uids(f->connection, uids, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "UIDPLUS");
    run_for(2 * WAIT_MS);
    imap_request_expunge_everything_marked(f->connection, on_done, f);
    wait_done(f);
    assert_null(f->error);
}

/* DavMail. */
static void
expunge_that_is_never_answered_times_out(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"), SELECT(3), "C:i4 UID EXPUNGE 5", "CHATTER", NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    set_timeout(f, TIMEOUT_MS);
    select_inbox(f);
    imap_request_expunge_uids(f->connection, uids, on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "UID EXPUNGE");
}

/* ---- copying and moving ---- */

typedef struct {
    int code;
    const char *log;
    const char *answers[8]; /* to i4 */
} CopyCase;

static void
try_copy_cases(Fixture *f, gboolean moves, const char *uids,
               const CopyCase *cases, gsize n_cases)
{
    for (gsize i = 0; i < n_cases; i++) {
        const char *steps[32] = {LOGIN("UIDPLUS MOVE"), SELECT(3)};
        g_autoptr(ImapUidSet) set = set_of(uids);
        g_autofree char *command = g_strdup_printf(
            "C:i4 UID %s %s Other", moves ? "MOVE" : "COPY", uids);
        guint n = g_strv_length((char **)steps);

        steps[n++] = command;
        for (guint j = 0; cases[i].answers[j] != NULL; j++)
            steps[n++] = cases[i].answers[j];
        open_ready(f, steps);
        select_inbox(f);
        if (moves)
            imap_request_move(f->connection, set, "Other", on_copied, f);
        else
            imap_request_copy(f->connection, set, "Other", on_copied, f);
        wait_done(f);
        if (strcmp(f->log->str, cases[i].log) != 0)
            fail_msg("case %u: \"%s\" and not \"%s\"", (guint)i, f->log->str,
                     cases[i].log);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        drop(f);
    }
}

static void
copyuid_is_believed_whole_or_not_at_all(void **state)
{
    static const CopyCase cases[] = {
        {-1, "99: 3>30 4>31 7>29 ", {"S:i4 OK [COPYUID 99 3:4,7 30:31,29] ok"}},
        {-1, "99: 3>30 4>31 ", {"S:i4 OK [COPYUID 99 4:3 31:30] ok"}},
        /* One was gone. */
        {-1, "99: 7>30 ", {"S:i4 OK [COPYUID 99 7 30] ok"}},
        {-1, "1700000000000: 7>30 ", {"S:i4 OK [COPYUID 1700000000000 7 30]"}},
        /* It came on its own, and again at the end. */
        {-1,
         "99: 3>30 4>31 ",
         {"S:* OK [COPYUID 99 3 30] ok", "S:i4 OK [COPYUID 99 3:4 30:31] ok"}},
        /* mailutils puts codes behind the text. */
        {-1, "99: 7>30 ", {"S:i4 OK done [COPYUID 99 7 30]"}},
        {-1, "untold ", {"S:i4 OK done"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99  ] WildDuck"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99] none"}},
        {-1, "untold ", {"S:i4 OK [COPYUID] nothing"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3:4,7] half"}},
        /* As many old as new. */
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3:4,7 30:31] one short"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3:4 30:32] one more"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 30:32 3:4,7] swapped"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3:7 30:34] not asked for"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3,3 30,31] twice"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3,4 30,30] twice"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 0 3 30] no such"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3 0] no such"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 0 30] no such"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3 4294967296] too high"}},
        {-1,
         "untold ",
         {"S:i4 OK [COPYUID 99 1:4294967295 1:4294967295] huge"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3:* 30:*] star"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3, 30,] loose"}},
        {-1, "untold ", {"S:i4 OK [COPYUID 99 3 30 5] more"}},
        {-1, "untold ", {"S:i4 OK [COPYUID -99 3 30] less"}},
        {-1, "untold ", {"S:i4 OK [COPYUID (99 3 30)] list"}},
        /* Two that contradict each other. */
        {-1,
         "untold ",
         {"S:* OK [COPYUID 99 3 30]", "S:i4 OK [COPYUID 99 3:4 31:32]"}},
        {-1,
         "untold ",
         {"S:* OK [COPYUID 98 3 30]", "S:i4 OK [COPYUID 99 4 31]"}},
        /* What is no OK says nothing. */
        {-1, "untold ", {"S:* NO [COPYUID 99 3 30] what", "S:i4 OK"}},
        {IMAP_ERROR_NONEXISTENT, "untold ", {"S:i4 NO [TRYCREATE] no Other"}},
        {IMAP_ERROR_OVER_QUOTA, "untold ", {"S:i4 NO [OVERQUOTA] full"}},
        {IMAP_ERROR_OVER_QUOTA, "untold ", {"S:i4 NO Over quota"}},
        {IMAP_ERROR_CLOSED, "untold ", {"CLOSE"}},
    };

    try_copy_cases(*state, FALSE, "3:4,7", cases, G_N_ELEMENTS(cases));
}

static void
move_tells_what_has_moved_also_when_it_fails(void **state)
{
    static const CopyCase cases[] = {
        {-1,
         "99: 3>30 4>31 7>32 ",
         {"S:* OK [COPYUID 99 3:4,7 30:32] moved", "S:* 3 EXPUNGE",
          "S:* 3 EXPUNGE", "S:* VANISHED 7", "S:i4 OK done"}},
        /* In parts. */
        {-1,
         "99: 3>30 4>31 7>32 ",
         {"S:* OK [COPYUID 99 7 32] moved", "S:* 7 EXPUNGE",
          "S:* OK [COPYUID 99 3:4 30:31] moved", "S:* VANISHED 3:4",
          "S:i4 OK done"}},
        {IMAP_ERROR_OVER_QUOTA,
         "99: 3>30 ",
         {"S:* OK [COPYUID 99 3 30] moved", "S:* 3 EXPUNGE",
          "S:i4 NO [OVERQUOTA] the rest has no place"}},
        {IMAP_ERROR_CLOSED,
         "99: 3>30 ",
         {"S:* OK [COPYUID 99 3 30] moved", "S:* 3 EXPUNGE", "CLOSE"}},
        /* One part is right; the other is of other messages, and may have been
         * meant for those of this command that are not told. */
        {-1,
         "untold ",
         {"S:* OK [COPYUID 99 3 30] moved", "S:* OK [COPYUID 99 31 4] moved",
          "S:i4 OK done"}},
    };

    try_copy_cases(*state, TRUE, "3:4,7", cases, G_N_ELEMENTS(cases));
}

/* An untagged COPYUID goes to the command whose messages it names. */
static void
copyuid_is_the_command_s_whose_messages_it_names(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS MOVE"),
        SELECT(3),
        "C:i4 UID STORE 5 +FLAGS.SILENT (\\Seen work)",
        "C:i5 UID MOVE 5 Other",
        "S:* OK [COPYUID 99 5 50] moved",
        "S:* OK [APPENDUID 99 51] to no APPEND",
        "S:i4 OK [COPYUID 99 5 77] to no copy",
        "S:i5 OK [APPENDUID 99 52] to no APPEND",
        NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    select_inbox(f);
    store(f, "5", IMAP_STORE_ADD, "\\Seen", 0);
    imap_request_move(f->connection, uids, "Other", on_copied, f);
    while (f->n_done < 3)
        wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "99: 5>50 ");
}

static void
move_needs_the_capability(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("UIDPLUS"), SELECT(3), "QUIET",
                                        NULL};
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    select_inbox(f);
    assert_false(imap_can_move(f->connection));
    imap_request_move(f->connection, uids, "Other", on_copied, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "MOVE");
    run_for(2 * WAIT_MS);
    check_script(f);
}

static void
target_with_a_line_break_is_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS MOVE LITERAL+"),
        SELECT(3),
        "QUIET",
        "C:i? UID COPY 5 {4+}",
        "C:a{5}",
        "S:i6 OK",
        NULL,
    };
    g_autoptr(ImapUidSet) uids = set_of("5");

    open_ready(f, steps);
    select_inbox(f);
    imap_request_move(f->connection, uids, "a\r\nx LOGOUT", on_copied, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    imap_request_move(f->connection, uids, "a\nb", on_copied, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    run_for(2 * WAIT_MS);
    imap_request_copy(f->connection, uids, "a{5}", on_copied, f);
    wait_done(f);
    assert_null(f->error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(select_tells_what_may_be_changed),
        connection_test(nothing_is_changed_under_examine),
        connection_test(store_says_what_it_means),
        connection_test(sets_that_are_empty_or_too_large_are_not_sent),
        connection_test(without_uidplus_only_uids_just_seen_are_named),
        connection_test(store_and_expunge_go_together),
        connection_test(expunge_of_uids_needs_uidplus),
        connection_test(expunge_that_is_never_answered_times_out),
        connection_test(copyuid_is_believed_whole_or_not_at_all),
        connection_test(move_tells_what_has_moved_also_when_it_fails),
        connection_test(copyuid_is_the_command_s_whose_messages_it_names),
        connection_test(move_needs_the_capability),
        connection_test(target_with_a_line_break_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
