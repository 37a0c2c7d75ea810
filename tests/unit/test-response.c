/* What a status response means to the program. */
#include "imap/error.h"
#include "imap/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef void (*StatusFunc)(const ImapStatus *status, gpointer data);

typedef struct {
    StatusFunc look;
    gpointer data;
    guint seen;
} Looker;

static void
on_response(const ImapResponse *response, gpointer user_data)
{
    Looker *looker = user_data;

    assert_int_equal(response->type, IMAP_RESPONSE_STATUS);
    looker->seen++;
    looker->look(response->status, looker->data);
}

/* Statuses are gone when the handler returns: @look sees it before. */
static void
with_status(const char *line, StatusFunc look, gpointer data)
{
    static const ImapParserHandler handler = {.response = on_response};
    Looker looker = {look, data, 0};
    g_autoptr(ImapParser) parser = imap_parser_new(&handler, &looker);

    assert_true(
        imap_parser_feed(parser, (const guint8 *)line, strlen(line), NULL));
    assert_int_equal(looker.seen, 1);
}

static void
take_error(const ImapStatus *status, gpointer data)
{
    *(GError **)data = imap_error_from_status(status);
}

static void
error_any_refusal_has_its_code(void **state)
{
    static const struct {
        const char *line;
        ImapError code;
        const char *message;
    } cases[] = {
        {"a NO go\r\n", IMAP_ERROR_NO, "go"},
        {"a BAD what\r\n", IMAP_ERROR_BAD, "what"},
        {"* BYE [UNAVAILABLE] later\r\n", IMAP_ERROR_CLOSED, "later"},
        {"a NO [TRYCREATE] x\r\n", IMAP_ERROR_NONEXISTENT, "x"},
        /* What becomes a part of a sentence has no full stop of its own. */
        {"a NO [NOPERM] It is full.\r\n", IMAP_ERROR_NO_PERMISSION,
         "It is full"},
        {"a NO Not now...\r\n", IMAP_ERROR_NO, "Not now..."},
        {"a NO .\r\n", IMAP_ERROR_NO, "."},
        {"a NO [OVERQUOTA] Quota exceeded (mailbox for user is full) (0.001 + "
         "0.000 + 0.010 secs).\r\n",
         IMAP_ERROR_OVER_QUOTA, "Quota exceeded (mailbox for user is full)"},
        {"a NO Wait (30 secs).\r\n", IMAP_ERROR_NO, "Wait (30 secs)"},
        {"a NO Wait (for 30 secs)\r\n", IMAP_ERROR_NO, "Wait (for 30 secs)"},
        {"a NO (0.1 + 0 secs)\r\n", IMAP_ERROR_NO, "(0.1 + 0 secs)"},
        {"a NO [nonexistent] x\r\n", IMAP_ERROR_NONEXISTENT, "x"},
        {"a NO [ALREADYEXISTS] x\r\n", IMAP_ERROR_ALREADY_EXISTS, "x"},
        {"a NO [NOPERM] x\r\n", IMAP_ERROR_NO_PERMISSION, "x"},
        {"a NO [AUTHENTICATIONFAILED] x\r\n", IMAP_ERROR_AUTHENTICATION, "x"},
        {"a NO [OVERQUOTA] x\r\n", IMAP_ERROR_OVER_QUOTA, "x"},
        {"a BAD [TOOBIG] x\r\n", IMAP_ERROR_TOO_BIG, "x"},
        {"a NO [INUSE] x\r\n", IMAP_ERROR_IN_USE, "x"},
        {"a NO [X][LIMIT] x\r\n", IMAP_ERROR_LIMIT, "x"},
        {"a NO [THROTTLED] x\r\n", IMAP_ERROR_LIMIT, "x"},
        {"a NO [UNAVAILABLE] x\r\n", IMAP_ERROR_UNAVAILABLE, "x"},
        {"a NO [HASCHILDREN] x\r\n", IMAP_ERROR_HAS_CHILDREN, "x"},
        {"a NO [READ-ONLY] x\r\n", IMAP_ERROR_READ_ONLY, "x"},
        {"a NO [CANNOT]\r\n", IMAP_ERROR_CANNOT, "CANNOT"},
        /* Cyrus and Courier. */
        {"a NO Over quota\r\n", IMAP_ERROR_OVER_QUOTA, "Over quota"},
        {"a NO Permission denied\r\n", IMAP_ERROR_NO_PERMISSION,
         "Permission denied"},
        {"a NO Mailbox does not exist\r\n", IMAP_ERROR_NONEXISTENT,
         "Mailbox does not exist"},
        {"a NO Mailbox already exists.\r\n", IMAP_ERROR_ALREADY_EXISTS,
         "Mailbox already exists"},
        {"a NO [LIMIT] over quota\r\n", IMAP_ERROR_LIMIT, "over quota"},
        {"a BAD over quota\r\n", IMAP_ERROR_BAD, "over quota"},
        {"a NO\r\n", IMAP_ERROR_NO, "the server gives no reason"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        with_status(cases[i].line, take_error, &error);
        assert_non_null(error);
        assert_true(error->domain == IMAP_ERROR);
        assert_int_equal(error->code, cases[i].code);
        assert_string_equal(error->message, cases[i].message);
    }
}

static void
error_of_consent_is_null(void **state)
{
    GError *error = NULL;

    with_status("a OK [READ-ONLY] x\r\n", take_error, &error);
    assert_null(error);
    with_status("* PREAUTH x\r\n", take_error, &error);
    assert_null(error);
}

static void
look_at_codes(const ImapStatus *status, gpointer data)
{
    guint64 number = 42;

    assert_string_equal(imap_status_code(status, "READ-ONLY"), "");
    assert_string_equal(imap_status_code(status, "COPYUID"), "1 2:3  4:5");
    assert_null(imap_status_code(status, "UIDNEXT"));
    assert_true(imap_status_code_number(status, "UIDVALIDITY", &number));
    assert_int_equal(number, 1234567890123);
    assert_true(imap_status_code_number(status, "UNSEEN", &number));
    assert_int_equal(number, 7);
    number = 42;
    assert_false(imap_status_code_number(status, "READ-ONLY", &number));
    assert_false(imap_status_code_number(status, "COPYUID", &number));
    assert_false(imap_status_code_number(status, "UIDNEXT", &number));
    assert_false(imap_status_code_number(status, "HUGE", &number));
    assert_int_equal(number, 42);
}

static void
code_by_name_gives_arguments(void **state)
{
    with_status("* OK [read-only][COPYUID 1 2:3  4:5] [UIDVALIDITY "
                "1234567890123] [UNSEEN 7 ][HUGE 99999999999999999999999] x"
                "\r\n",
                look_at_codes, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_any_refusal_has_its_code),
        cmocka_unit_test(error_of_consent_is_null),
        cmocka_unit_test(code_by_name_gives_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
