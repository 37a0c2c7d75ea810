/* What concerns mailboxes as a whole, and searching, against servers that
 * follow a script. */
#include "connection-fixture.h"

#include "imap/mailbox-requests.h"

/* ---- making and deleting ---- */

static void
names_are_sent_as_the_server_takes_them(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("LITERAL+"),
        "C:i3 CREATE Work",
        "S:i3 OK",
        "C:i4 DELETE \"my mail\"",
        "S:i4 OK",
        "C:i5 RENAME \"a&AOQ-\" {4+}",
        "C:a{5}",
        "S:i5 OK",
        "C:i6 SUBSCRIBE \"a\\\"b\"",
        "S:i6 OK",
        "C:i7 UNSUBSCRIBE Work",
        "S:i7 NO [ALREADYEXISTS] odd",
        "QUIET",
        NULL,
    };

    open_ready(f, steps);
    imap_request_create(f->connection, "Work", on_done, f);
    assert_false(f->done);
    wait_done(f);
    imap_request_delete(f->connection, "my mail", on_done, f);
    wait_done(f);
    imap_request_rename(f->connection, "a&AOQ-", "a{5}", on_done, f);
    wait_done(f);
    imap_request_subscribe(f->connection, "a\"b", on_done, f);
    wait_done(f);
    assert_null(f->error);
    imap_request_unsubscribe(f->connection, "Work", on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ALREADY_EXISTS, "odd");
    imap_request_create(f->connection, "a\r\nx DELETE INBOX", on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    imap_request_rename(f->connection, "a", "b\n", on_done, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    run_for(2 * WAIT_MS);
    check_script(f);
}

/* Some servers have neither kind of literal without the "+". */
static void
name_as_a_literal_waits_where_it_has_to(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN(""), "C:i3 RENAME {4}", "S:+ go",  "C:a{5} {4}",
        "S:+ go",  "C:b{6}",          "S:i3 OK", NULL,
    };

    open_ready(f, steps);
    imap_request_rename(f->connection, "a{5}", "b{6}", on_done, f);
    wait_done(f);
    assert_null(f->error);
}

/* ---- LIST of one ---- */

static void
on_listed_one(const ImapListedMailbox *mailbox, const GError *error,
              gpointer user_data)
{
    Fixture *f = user_data;

    assert_false(mailbox != NULL && error != NULL);
    if (mailbox != NULL)
        g_string_append_printf(f->log, "%s %c %#x", mailbox->name,
                               mailbox->delimiter, mailbox->attributes);
    on_done(error, f);
}

static void
list_of_one_finds_that_one_alone(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        const char *name;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {-1,
         "Work",
         "Work / 0x1",
         {LOGIN(""), "C:i3 LIST \"\" Work", "S:* LIST (\\Noselect) \"/\" Work",
          "S:i3 OK"}},
        {-1, "Work", "", {LOGIN(""), "C:i3 LIST \"\" Work", "S:i3 OK"}},
        {-1,
         "50%",
         "50% / 0",
         {LOGIN(""), "C:i3 LIST \"\" \"50%\"", "S:* LIST () \"/\" 501",
          "S:* LIST () \"/\" \"50%\"", "S:* LIST () \"/\" 502", "S:i3 OK"}},
        {-1,
         "a*",
         "",
         {LOGIN(""), "C:i3 LIST \"\" \"a?\"", "S:* LIST () \"/\" ab",
          "S:i3 OK"}},
        {-1,
         "inbox",
         "INBOX / 0",
         {LOGIN(""), "C:i3 LIST \"\" inbox", "S:* LIST () \"/\" INBOX",
          "S:i3 OK"}},
        {-1,
         "Work",
         "",
         {LOGIN(""), "C:i3 LIST \"\" Work",
          "S:* LIST (\\NonExistent) \"/\" Work", "S:i3 OK"}},
        {IMAP_ERROR_NO,
         "Work",
         "",
         {LOGIN(""), "C:i3 LIST \"\" Work", "S:* LIST () \"/\" Work",
          "S:i3 NO not now"}},
        {IMAP_ERROR_CLOSED,
         "Work",
         "",
         {LOGIN(""), "C:i3 LIST \"\" Work", "S:* LIST () \"/\" Work", "CLOSE"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_list_one(f->connection, cases[i].name, on_listed_one, f);
        wait_done(f);
        assert_string_equal(f->log->str, cases[i].log);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        drop(f);
    }
}

/* ---- quota ---- */

static void
on_quota(const ImapQuota *quota, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((quota == NULL) == (error != NULL));
    if (quota != NULL && quota->has_storage)
        g_string_append_printf(f->log,
                               "%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " ",
                               quota->storage_used, quota->storage_limit);
    if (quota != NULL && quota->has_messages)
        g_string_append_printf(
            f->log, "%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " messages",
            quota->messages_used, quota->messages_limit);
    on_done(error, f);
}

static void
quota_is_the_limit_that_leaves_least(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {-1,
         "10240/524288 ",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX", "S:* QUOTAROOT INBOX \"\"",
          "S:* QUOTA \"\" (STORAGE 10 512)", "S:i3 OK"}},
        {-1,
         "921600/1048576 3/9 messages",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX",
          "S:* QUOTAROOT INBOX one two {5}", "S:three",
          "S:* QUOTA one (STORAGE 10 512 MESSAGE 3 9)",
          "S:* QUOTA two (message 4 900 storage 900 1024)", "S:* QUOTA {5}",
          "S:three (STORAGE 0 4096 X-NUM-FOLDERS 1 5)", "S:i3 OK"}},
        /* More than there may be. */
        {-1,
         "2097152/1048576 ",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX",
          "S:* QUOTA a (STORAGE 2048 1024)", "S:* QUOTA b (STORAGE 0 2048)",
          "S:i3 OK"}},
        {-1,
         "",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX", "S:* QUOTAROOT INBOX",
          "S:i3 OK"}},
        {-1,
         "",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX", "S:* QUOTA \"\" ()",
          "S:* QUOTA \"\" NIL", "S:* QUOTA \"\" (STORAGE 5 -1)", "S:i3 OK"}},
        {-1,
         "18446744073709550592/18446744073709550592 ",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX",
          "S:* QUOTA \"\" (STORAGE 18446744073709551615 18446744073709551615)",
          "S:i3 OK"}},
        {IMAP_ERROR_PROTOCOL,
         "",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX",
          "S:* QUOTA \"\" (STORAGE 5)"}},
        {IMAP_ERROR_NONEXISTENT,
         "",
         {LOGIN("QUOTA"), "C:i3 GETQUOTAROOT INBOX",
          "S:i3 NO [NONEXISTENT] what"}},
        {IMAP_ERROR_UNSUPPORTED, "", {LOGIN(""), "QUIET"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_quota(f->connection, "INBOX", on_quota, f);
        wait_done(f);
        assert_string_equal(f->log->str, cases[i].log);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        drop(f);
    }
}

/* ---- rights ---- */

static void
on_rights(guint rights, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_false(rights != 0 && error != NULL);
    g_string_printf(f->log, "%#x", rights);
    on_done(error, f);
}

static void
rights_are_those_of_either_rfc(void **state)
{
    Fixture *f = *state;
    static const struct {
        int code;
        guint rights;
        const char *answer;
    } cases[] = {
        {-1, 0x7ff, "S:* MYRIGHTS INBOX lrswipkxtea"},
        /* Dovecot and Cyrus add the old ones: they say no more. */
        {-1, IMAP_RIGHT_LOOK_UP | IMAP_RIGHT_READ | IMAP_RIGHT_DELETE,
         "S:* MYRIGHTS INBOX lrtcd"},
        {-1,
         IMAP_RIGHT_LOOK_UP | IMAP_RIGHT_CREATE | IMAP_RIGHT_DELETE_MAILBOX |
             IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE,
         "S:* MYRIGHTS INBOX lcd"},
        {-1, IMAP_RIGHT_READ, "S:* MYRIGHTS inbox \"r0123\""},
        {-1, 0, "S:* MYRIGHTS INBOX \"\""},
        {IMAP_ERROR_PROTOCOL, 0, "S:* MYRIGHTS Other lr"},
        {IMAP_ERROR_PROTOCOL, 0, "S:* MYRIGHTS INBOX (lr)"},
        {IMAP_ERROR_PROTOCOL, 0, "S:* MYRIGHTS INBOX"},
        {IMAP_ERROR_PROTOCOL, 0, "S:* OK nothing"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const steps[] = {LOGIN("ACL"), "C:i3 MYRIGHTS INBOX",
                                     cases[i].answer, "S:i3 OK", NULL};
        g_autofree char *rights = g_strdup_printf("%#x", cases[i].rights);

        open_ready(f, steps);
        imap_request_rights(f->connection, "INBOX", on_rights, f);
        wait_done(f);
        if (cases[i].code < 0)
            assert_null(f->error);
        else
            assert_error(f->error, cases[i].code, "");
        assert_string_equal(f->log->str, rights);
        drop(f);
    }
}

static void
rights_need_the_capability(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN(""), "QUIET", NULL};

    open_ready(f, steps);
    imap_request_rights(f->connection, "INBOX", on_rights, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "ACL");
    run_for(2 * WAIT_MS);
    check_script(f);
}

/* ---- searching ---- */

static void
find_asks_for_all_that_is_sought(void **state)
{
    Fixture *f = *state;
    g_autoptr(ImapUidSet) some = imap_uid_set_parse("3:9", 3);
    const struct {
        const char *log;
        ImapSought sought;
        const char *steps[16];
    } cases[] = {
        {"[4,6] ",
         {.is_deleted = TRUE},
         {LOGIN(""), "C:i3 NOOP", "QUIET", "S:i3 OK", "C:i4 UID SEARCH DELETED",
          "S:* SEARCH 4 6", "S:i4 OK"}},
        {"[4,6] ",
         {.uids = some, .is_deleted = TRUE},
         {LOGIN("ESEARCH"), "C:i3 NOOP", "QUIET", "S:i3 OK",
          "C:i4 UID SEARCH RETURN (ALL) UID 3:9 DELETED",
          "S:* ESEARCH (TAG \"i4\") UID ALL 4,6,10", "S:i4 OK"}},
        /* "n:*" is the last message at least. */
        {"[] ",
         {.from_uid = 50, .field = "Message-ID", .text = "<a@b>"},
         {LOGIN(""), "C:i3 NOOP", "QUIET", "S:i3 OK",
          "C:i4 UID SEARCH UID 50:* HEADER Message-ID <a@b>", "S:* SEARCH 49",
          "S:i4 OK"}},
        {"[50,52] ",
         {.from_uid = 50, .field = "Message-ID", .text = "a \"b\"{3}"},
         {LOGIN("LITERAL+"), "C:i3 NOOP", "QUIET", "S:i3 OK",
          "C:i4 UID SEARCH UID 50:* HEADER Message-ID {8+}", "C:a \"b\"{3}",
          "S:* SEARCH 49 52 50", "S:i4 OK"}},
        {"[1:2] ",
         {0},
         {LOGIN(""), "C:i3 NOOP", "QUIET", "S:i3 OK", "C:i4 UID SEARCH ALL",
          "S:* SEARCH 1 2", "S:i4 OK"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_ready(f, cases[i].steps);
        imap_request_find(f->connection, &cases[i].sought, on_found, f);
        wait_done(f);
        assert_null(f->error);
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

static void
find_with_a_line_break_is_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("LITERAL+"), "C:i3 NOOP",
                                        "S:i3 OK", "QUIET", NULL};
    ImapSought sought = {.field = "Message-ID", .text = "<a@b>\r\nx LOGOUT"};

    open_ready(f, steps);
    imap_request_find(f->connection, &sought, on_found, f);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    run_for(2 * WAIT_MS);
    check_script(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(names_are_sent_as_the_server_takes_them),
        connection_test(name_as_a_literal_waits_where_it_has_to),
        connection_test(list_of_one_finds_that_one_alone),
        connection_test(quota_is_the_limit_that_leaves_least),
        connection_test(rights_are_those_of_either_rfc),
        connection_test(rights_need_the_capability),
        connection_test(find_asks_for_all_that_is_sought),
        connection_test(find_with_a_line_break_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
