/* Uploads to servers that follow a script: when the octets go, and what is
 * known afterwards. */
#include "connection-fixture.h"

#include "imap/append.h"

/* Ten octets, of which the first eight stand in one line. */
#define SHORT "a: b c d\r\n"

/* What is sent. */
typedef struct {
    Fixture *f;
    guint64 size;     /* octets; of SHORT, or of lines of ten octets */
    guint64 read;     /* so far */
    guint64 fails_at; /* 0: never */
    guint n_done;
} Upload;

static gssize
on_read(void *buffer, gsize size, gpointer user_data)
{
    Upload *upload = user_data;
    char *to = buffer;

    assert_int_equal(upload->n_done, 0);
    assert_true(size > 0);
    if (upload->fails_at > 0 && upload->read >= upload->fails_at)
        return -1;
    /* An odd piece, so that pieces end anywhere. */
    size = MIN(size, 1237);
    for (gsize i = 0; i < size; i++)
        to[i] = SHORT[(upload->read + i) % 10];
    upload->read += size;
    assert_true(upload->read <= upload->size);
    return (gssize)size;
}

/* "7/30 ", or "untold ", or "uncertain ". */
static void
on_appended(const ImapAppended *appended, const GError *error,
            gpointer user_data)
{
    Upload *upload = user_data;

    upload->n_done++;
    if (appended->is_uncertain)
        g_string_append(upload->f->log, "uncertain ");
    else if (appended->uid == 0)
        g_string_append(upload->f->log, "untold ");
    else
        g_string_append_printf(upload->f->log, "%" G_GUINT64_FORMAT "/%u ",
                               appended->uidvalidity, appended->uid);
    assert_true(error == NULL || appended->uid == 0);
    assert_false(error == NULL && appended->is_uncertain);
    on_done(error, upload->f);
}

static const ImapAppendHandler handler = {on_read, on_appended};

static void
append(Fixture *f, Upload *upload, guint64 size, const char *mailbox)
{
    ImapAppend what = {
        .mailbox = mailbox,
        .size = size,
        .date = IMAP_APPEND_NO_DATE,
    };

    *upload = (Upload){.f = f, .size = size, .fails_at = upload->fails_at};
    imap_request_append(f->connection, &what, &handler, upload);
    assert_int_equal(upload->n_done, 0);
}

/* ---- when the octets go ---- */

static void
small_message_goes_along_where_the_server_takes_that(void **state)
{
    Fixture *f = *state;
    static const struct {
        guint64 size;
        const char *steps[16];
    } cases[] = {
        {10,
         {LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {10+}", "D:12",
          "S:i3 OK [APPENDUID 7 30] ok"}},
        {10,
         {LOGIN("UIDPLUS LITERAL-"), "C:i3 APPEND INBOX {10+}", "D:12",
          "S:i3 OK [APPENDUID 7 30] ok"}},
        {4096,
         {LOGIN("UIDPLUS LITERAL-"), "C:i3 APPEND INBOX {4096+}", "D:4098",
          "S:i3 OK [APPENDUID 7 30] ok"}},
        {4097,
         {LOGIN("UIDPLUS LITERAL-"), "C:i3 APPEND INBOX {4097}", "QUIET",
          "S:+ go", "D:4099", "S:i3 OK [APPENDUID 7 30] ok"}},
        {65536,
         {LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {65536+}", "D:65538",
          "S:i3 OK [APPENDUID 7 30] ok"}},
        /* So that a refusal comes first. */
        {65537,
         {LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {65537}", "QUIET",
          "S:+ go", "D:65539", "S:i3 OK [APPENDUID 7 30] ok"}},
        {10,
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {10}", "QUIET", "S:+ go", "D:12",
          "S:i3 OK [APPENDUID 7 30] ok"}},
        {2000000,
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {2000000}", "QUIET", "S:+",
          "D:2000002", "S:i3 OK [APPENDUID 7 30] ok"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Upload upload = {0};

        open_ready(f, cases[i].steps);
        append(f, &upload, cases[i].size, "INBOX");
        wait_done(f);
        assert_null(f->error);
        assert_string_equal(f->log->str, "7/30 ");
        assert_int_equal(upload.read, cases[i].size);
        drop(f);
    }
}

static void
octets_are_those_that_were_read(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("LITERAL+"), "C:i3 APPEND INBOX {30+}",
        "C:a: b c d",      "C:a: b c d",
        "C:a: b c d",      "C:",
        "S:i3 OK",         NULL,
    };
    Upload upload = {0};

    open_ready(f, steps);
    append(f, &upload, 30, "INBOX");
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "untold ");
}

static void
name_flags_and_date_are_told(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("LITERAL+"),
        "C:i3 APPEND {4+}",
        "C:a{5} (\\Seen work) \" 7-Feb-1994 21:52:25 +0000\" {10+}",
        "D:12",
        "S:i3 OK",
        "C:i4 APPEND \"my mail\" \"31-Dec-9999 23:59:59 +0000\" {10+}",
        "D:12",
        "S:i4 OK",
        "QUIET",
        NULL,
    };
    static const char *const flags[] = {"\\Seen", "\\Recent", "work", NULL};
    static const char *const bad[] = {"\\Seen", "a b", NULL};
    static const char *const recent[] = {"\\Recent", "\\Unheard", NULL};
    ImapAppend what = {
        .mailbox = "a{5}", .size = 10, .flags = flags, .date = 760657945};
    Upload upload = {.f = f, .size = 10};

    open_ready(f, steps);
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_null(f->error);
    what = (ImapAppend){
        .mailbox = "my mail", .size = 10, .flags = recent, .date = G_MAXINT64};
    upload = (Upload){.f = f, .size = 10};
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_null(f->error);
    what.flags = bad;
    upload = (Upload){.f = f, .size = 10};
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "flags");
    what = (ImapAppend){.mailbox = "a\r\nb", .size = 10};
    upload = (Upload){.f = f, .size = 10};
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "line break");
    assert_int_equal(upload.read, 0);
    run_for(2 * WAIT_MS);
    check_script(f);
}

/* The connection is as good as before. */
static void
what_cannot_succeed_is_not_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS LITERAL+ APPENDLIMIT=100"),
        "QUIET",
        "C:i? APPEND INBOX {100+}",
        "D:102",
        "S:i6 OK [APPENDUID 7 30]",
        NULL,
    };
    ImapAppend replacement = {.mailbox = "INBOX", .size = 10, .replaces = 3};
    Upload upload = {0};
    guint64 limit;

    open_ready(f, steps);
    assert_true(imap_append_limit(f->connection, &limit));
    assert_int_equal(limit, 100);
    append(f, &upload, 101, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TOO_BIG, "100");
    append(f, &upload, 0, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_ARGUMENT, "empty");
    imap_request_append(f->connection, &replacement, &handler, &upload);
    upload.n_done = 0;
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_UNSUPPORTED, "REPLACE");
    run_for(2 * WAIT_MS);
    append(f, &upload, 100, "INBOX");
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "untold untold untold 7/30 ");
}

/* Nothing may be sent in between; what waits goes on behind it. */
static void
commands_wait_for_the_message_to_be_sent(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS LITERAL+"),
        "C:i3 NOOP",
        "C:i4 APPEND INBOX {100000}",
        "QUIET",
        "S:i3 OK",
        "S:+ go",
        "D:100002",
        "C:i5 APPEND INBOX {10+}",
        "D:12",
        "C:i6 APPEND INBOX {10+}",
        "D:12",
        "C:i7 NOOP",
        "S:i4 OK [APPENDUID 7 30]",
        "S:i5 OK [APPENDUID 7 31]",
        "S:i6 OK [APPENDUID 7 32]",
        "S:i7 OK",
        NULL,
    };
    Upload uploads[3] = {0};

    open_ready(f, steps);
    send_text(f, "NOOP");
    append(f, &uploads[0], 100000, "INBOX");
    append(f, &uploads[1], 10, "INBOX");
    append(f, &uploads[2], 10, "INBOX");
    send_text(f, "NOOP");
    while (f->n_done < 5)
        wait_done(f);
    assert_string_equal(f->log->str, "7/30 7/31 7/32 ");
}

/* ---- what is known afterwards ---- */

static void
appenduid_is_of_one_message_or_nothing(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *answer;
        const char *log;
    } cases[] = {
        {"S:i3 OK [APPENDUID 38505 3955] done", "38505/3955 "},
        {"S:i3 OK [APPENDUID 1700000000000 3955] done", "1700000000000/3955 "},
        {"S:i3 OK done [APPENDUID 38505 3955]", "38505/3955 "},
        {"S:i3 OK [APPENDUID 38505 3955:3956] two", "untold "},
        {"S:i3 OK [APPENDUID 38505 0]", "untold "},
        {"S:i3 OK [APPENDUID 0 3955]", "untold "},
        {"S:i3 OK [APPENDUID 38505 4294967296]", "untold "},
        {"S:i3 OK [APPENDUID 38505]", "untold "},
        {"S:i3 OK [APPENDUID]", "untold "},
        {"S:i3 OK [APPENDUID -1 -1]", "untold "},
        {"S:i3 OK [COPYUID 38505 1 3955] to no copy", "untold "},
        {"S:i3 OK done", "untold "},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const steps[] = {LOGIN("LITERAL+"),
                                     "C:i3 APPEND INBOX {10+}", "D:12",
                                     cases[i].answer, NULL};
        Upload upload = {0};

        open_ready(f, steps);
        append(f, &upload, 10, "INBOX");
        wait_done(f);
        assert_null(f->error);
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

/* And then the connection goes on. */
static void
refusal_is_certain(void **state)
{
    Fixture *f = *state;
    static const struct {
        ImapError code;
        const char *answer;
    } cases[] = {
        {IMAP_ERROR_NONEXISTENT, "S:i3 NO [TRYCREATE] no such mailbox"},
        {IMAP_ERROR_NONEXISTENT, "S:i3 NO [NONEXISTENT] no such mailbox"},
        {IMAP_ERROR_ALREADY_EXISTS, "S:i3 NO [ALREADYEXISTS] what"},
        {IMAP_ERROR_NO_PERMISSION, "S:i3 NO [NOPERM] no"},
        {IMAP_ERROR_NO_PERMISSION, "S:i3 NO [AUTHORIZATIONFAILED] no"},
        {IMAP_ERROR_NO_PERMISSION, "S:i3 NO [PRIVACYREQUIRED] no"},
        {IMAP_ERROR_OVER_QUOTA, "S:i3 NO [OVERQUOTA] full"},
        {IMAP_ERROR_OVER_QUOTA, "S:i3 NO Over quota"},
        {IMAP_ERROR_TOO_BIG, "S:i3 NO [TOOBIG] too big"},
        {IMAP_ERROR_IN_USE, "S:i3 NO [INUSE] wait"},
        {IMAP_ERROR_LIMIT, "S:i3 NO [LIMIT] enough"},
        {IMAP_ERROR_UNAVAILABLE, "S:i3 NO [UNAVAILABLE] not now"},
        {IMAP_ERROR_HAS_CHILDREN, "S:i3 NO [HASCHILDREN] what"},
        {IMAP_ERROR_READ_ONLY, "S:i3 NO [READ-ONLY] no"},
        {IMAP_ERROR_CANNOT, "S:i3 NO [CANNOT] never"},
        {IMAP_ERROR_NO, "S:i3 NO no"},
        {IMAP_ERROR_BAD, "S:i3 BAD what"},
    };

    for (gsize i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        /* Instead of the "+", and after all of it. */
        gboolean early = i % 2 == 0;
        const char *const early_steps[] = {
            LOGIN("UIDPLUS"),    "C:i3 APPEND INBOX {10}",
            cases[i / 2].answer, "C:i4 NOOP",
            "S:i4 OK",           NULL};
        const char *const late_steps[] = {LOGIN("UIDPLUS LITERAL+"),
                                          "C:i3 APPEND INBOX {10+}",
                                          "D:12",
                                          cases[i / 2].answer,
                                          "C:i4 NOOP",
                                          "S:i4 OK",
                                          NULL};
        Upload upload = {0};

        open_ready(f, early ? early_steps : late_steps);
        append(f, &upload, 10, "INBOX");
        wait_done(f);
        assert_error(f->error, cases[i / 2].code, "");
        assert_string_equal(f->log->str, "untold ");
        assert_int_equal(upload.read, early ? 0 : 10);
        send_text(f, "NOOP");
        wait_done(f);
        assert_null(f->error);
        drop(f);
    }
}

/* Nothing else ends a literal. */
static void
refusal_in_the_middle_is_certain_and_ends_the_connection(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"),
        "C:i3 APPEND INBOX {9000000}",
        "S:+ go",
        "D:50000",
        "S:i3 NO [OVERQUOTA] it has become full",
        "DEAF",
        NULL,
    };
    Upload upload = {0};

    open_ready(f, steps);
    append(f, &upload, 9000000, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_OVER_QUOTA, "full");
    assert_string_equal(f->log->str, "untold ");
    assert_true(upload.read < 9000000);
    wait_for(&f->closed);
}

static void
ok_before_all_is_sent_is_not_believed(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *log;
        const char *steps[16];
    } cases[] = {
        {"untold ",
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {9000000}",
          "S:i3 OK [APPENDUID 7 30] so soon"}},
        {"uncertain ",
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {9000000}", "S:+ go", "D:50000",
          "S:i3 OK [APPENDUID 7 30] so soon", "DEAF"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Upload upload = {0};

        open_ready(f, cases[i].steps);
        append(f, &upload, 9000000, "INBOX");
        wait_done(f);
        assert_error(f->error, IMAP_ERROR_PROTOCOL, "half sent");
        assert_string_equal(f->log->str, cases[i].log);
        wait_for(&f->closed);
        drop(f);
    }
}

static void
cut_line_leaves_the_outcome_uncertain_once_all_was_sent(void **state)
{
    Fixture *f = *state;
    static const struct {
        guint64 size;
        const char *log;
        const char *steps[16];
    } cases[] = {
        {10, "untold ", {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {10}", "CLOSE"}},
        {9000000,
         "untold ",
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {9000000}", "S:+", "D:50000",
          "CLOSE"}},
        {10,
         "uncertain ",
         {LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {10}", "S:+", "D:12", "CLOSE"}},
        {10,
         "uncertain ",
         {LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {10+}", "D:12",
          "S:* BYE [UNAVAILABLE] I am going down"}},
        {10,
         "uncertain ",
         {LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {10+}", "D:12",
          "R:i3 OK [APPENDUID 7 3", "CLOSE"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Upload upload = {0};

        open_ready(f, cases[i].steps);
        append(f, &upload, cases[i].size, "INBOX");
        wait_done(f);
        assert_error(f->error, IMAP_ERROR_CLOSED, "");
        assert_string_equal(f->log->str, cases[i].log);
        drop(f);
    }
}

static void
reader_that_fails_ends_the_connection(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS LITERAL+"), "C:i3 APPEND INBOX {60000+}", "HANG", NULL};
    Upload upload = {.fails_at = 20000};

    open_ready(f, steps);
    append(f, &upload, 60000, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_CLOSED, "could not be read");
    assert_string_equal(f->log->str, "untold ");
    wait_for(&f->closed);
}

/* ---- silence ---- */

static void
server_without_a_plus_times_out(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {10}", "CHATTER", NULL};
    Upload upload = {0};

    open_ready(f, steps);
    set_timeout(f, TIMEOUT_MS);
    append(f, &upload, 10, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "APPEND");
    assert_string_equal(f->log->str, "untold ");
    assert_int_equal(upload.read, 0);
}

static void
server_that_stops_reading_times_out(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {9000000}",
        "S:+ go",         "D:500000",
        "DEAF",           NULL};
    Upload upload = {0};

    open_ready(f, steps);
    set_timeout(f, 5 * TIMEOUT_MS);
    append(f, &upload, 9000000, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "APPEND");
    assert_string_equal(f->log->str, "untold ");
    /* No more of it is in memory than the line is likely to take. */
    assert_true(upload.read < 3000000);
}

static void
server_that_never_answers_times_out(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {LOGIN("UIDPLUS LITERAL+"),
                                        "C:i3 APPEND INBOX {10+}", "D:12",
                                        "CHATTER", NULL};
    Upload upload = {0};

    open_ready(f, steps);
    set_timeout(f, TIMEOUT_MS);
    append(f, &upload, 10, "INBOX");
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_TIMEOUT, "APPEND");
    assert_string_equal(f->log->str, "uncertain ");
}

/* It takes longer than the server may be silent. */
static void
slow_line_is_no_silence(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS"), "C:i3 APPEND INBOX {9000000}", "SIP", "S:+ go",
        "D:9000002",      "S:i3 OK [APPENDUID 7 30]",    NULL};
    Upload upload = {0};
    gint64 began;

    open_ready(f, steps);
    set_timeout(f, 2000);
    began = g_get_monotonic_time();
    append(f, &upload, 9000000, "INBOX");
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "7/30 ");
    assert_true(g_get_monotonic_time() - began > 2 * G_TIME_SPAN_SECOND);
}

/* ---- REPLACE ---- */

static void
replace_tells_the_new_uid_before_the_old_message_goes(void **state)
{
    Fixture *f = *state;
    static const char *const steps[] = {
        LOGIN("UIDPLUS LITERAL+ REPLACE"),
        "C:i3 EXAMINE INBOX",
        "S:* 3 EXISTS",
        "S:i3 OK [READ-ONLY]",
        "QUIET",
        "C:i? SELECT INBOX",
        "S:* 3 EXISTS",
        "S:i5 OK [READ-WRITE]",
        "C:i6 UID REPLACE 3 INBOX {10+}",
        "D:12",
        "S:* OK [APPENDUID 7 30] the new one",
        "S:* 4 EXISTS",
        "S:* 3 EXPUNGE",
        "S:i6 OK done",
        NULL,
    };
    ImapAppend what = {.mailbox = "INBOX",
                       .size = 10,
                       .date = IMAP_APPEND_NO_DATE,
                       .replaces = 3};
    Upload upload = {.f = f, .size = 10};

    open_ready(f, steps);
    imap_request_examine(f->connection, "INBOX", on_done, f);
    wait_done(f);
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_error(f->error, IMAP_ERROR_READ_ONLY, "not selected");
    run_for(2 * WAIT_MS);
    imap_request_select(f->connection, "INBOX", on_done, f);
    wait_done(f);
    upload = (Upload){.f = f, .size = 10};
    imap_request_append(f->connection, &what, &handler, &upload);
    wait_done(f);
    assert_null(f->error);
    assert_string_equal(f->log->str, "untold 7/30 ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(small_message_goes_along_where_the_server_takes_that),
        connection_test(octets_are_those_that_were_read),
        connection_test(name_flags_and_date_are_told),
        connection_test(what_cannot_succeed_is_not_sent),
        connection_test(commands_wait_for_the_message_to_be_sent),
        connection_test(appenduid_is_of_one_message_or_nothing),
        connection_test(refusal_is_certain),
        connection_test(
            refusal_in_the_middle_is_certain_and_ends_the_connection),
        connection_test(ok_before_all_is_sent_is_not_believed),
        connection_test(
            cut_line_leaves_the_outcome_uncertain_once_all_was_sent),
        connection_test(reader_that_fails_ends_the_connection),
        connection_test(server_without_a_plus_times_out),
        connection_test(server_that_stops_reading_times_out),
        connection_test(server_that_never_answers_times_out),
        connection_test(slow_line_is_no_silence),
        connection_test(replace_tells_the_new_uid_before_the_old_message_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
