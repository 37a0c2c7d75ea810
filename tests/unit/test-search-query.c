/* What people write, and what IMAP makes of it. */
#include "fs/kernel/errno.h"
#include "fs/views/search/search-query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COMMAND "t UID SEARCH"

static FsSearchContext
context(gboolean gmail)
{
    FsSearchContext result = {.gmail = gmail};

    g_date_clear(&result.today, 1);
    g_date_set_dmy(&result.today, 31, G_DATE_MARCH, 2024);
    return result;
}

/* As it is sent where literals need not wait; NULL: it is no query. */
static char *
keys_of(const char *text, gboolean gmail)
{
    const FsSearchContext here = context(gmail);
    g_autoptr(ImapCommand) command = imap_command_new("UID SEARCH");
    g_autoptr(GPtrArray) segments = NULL;
    g_autoptr(GError) error = NULL;
    const GString *line;
    FsSearchQuery query;
    char *keys;

    if (!fs_search_query_parse(text, &here, &query, &error)) {
        assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_QUERY));
        assert_null(query.program);
        assert_null(query.mailbox);
        return NULL;
    }
    imap_search_program_append(query.program, command);
    fs_search_query_clear(&query);
    segments = imap_command_encode(command, "t", IMAP_LITERALS_PLUS, &error);
    assert_null(error);
    assert_int_equal(segments->len, 1);
    line = g_ptr_array_index(segments, 0);
    keys = g_strndup(line->str + strlen(COMMAND " "),
                     line->len - strlen(COMMAND " ") - 2);
    return keys;
}

static void
assert_keys(const char *text, const char *wanted)
{
    g_autofree char *keys = keys_of(text, FALSE);

    if (g_strcmp0(keys, wanted) != 0)
        print_message("%s\n", text);
    assert_non_null(keys);
    assert_string_equal(keys, wanted);
}

static void
assert_refused(const char *text, const char *reason)
{
    const FsSearchContext here = context(FALSE);
    g_autoptr(GError) error = NULL;
    FsSearchQuery query;

    if (fs_search_query_parse(text, &here, &query, &error))
        fail_msg("accepted: %s", text);
    if (strstr(error->message, reason) == NULL)
        fail_msg("%s: %s", text, error->message);
}

static void
words_become_keys(void **state)
{
    assert_keys("from:alice", "FROM alice");
    assert_keys("FROM:Alice", "FROM Alice");
    assert_keys("subject:\"q3 report\"", "SUBJECT \"q3 report\"");
    assert_keys("invoice", "TEXT invoice");
    assert_keys("\"two words\"", "TEXT \"two words\"");
    assert_keys("to:a cc:b bcc:c body:d text:e",
                "TO a CC b BCC c BODY d TEXT e");
    assert_keys("id:<a@b>", "HEADER Message-ID <a@b>");
    assert_keys("list:debian", "HEADER List-Id debian");
    assert_keys("header:X-Spam=yes", "HEADER X-Spam yes");
    assert_keys("header:X-Spam=", "HEADER X-Spam \"\"");
    assert_keys("header:List-Id=\"a b\"", "HEADER List-Id \"a b\"");
    assert_keys("tag:work keyword:$Label1", "KEYWORD work KEYWORD $Label1");
    assert_keys("larger:1M smaller:20k", "LARGER 1048576 SMALLER 20480");
    assert_keys("is:unread is:flagged is:read is:answered",
                "UNSEEN FLAGGED SEEN ANSWERED");
    assert_keys("has:attachment", "OR KEYWORD $HasAttachment HEADER "
                                  "Content-Type \"multipart/mixed\"");
}

static void
dates_are_days(void **state)
{
    assert_keys("since:2024-01-01", "SINCE 1-Jan-2024");
    assert_keys("after:2024-12-31", "SINCE 31-Dec-2024");
    assert_keys("before:2024-02", "BEFORE 1-Feb-2024");
    assert_keys("on:2024", "SINCE 1-Jan-2024 BEFORE 1-Jan-2025");
    assert_keys("on:2024-12", "SINCE 1-Dec-2024 BEFORE 1-Jan-2025");
    assert_keys("on:2024-02-29", "SINCE 29-Feb-2024 BEFORE 1-Mar-2024");
    assert_keys("senton:yesterday",
                "SENTSINCE 30-Mar-2024 SENTBEFORE 31-Mar-2024");
    assert_keys("since:today", "SINCE 31-Mar-2024");
    assert_keys("since:7d", "SINCE 24-Mar-2024");
    assert_keys("before:2w", "BEFORE 17-Mar-2024");
    assert_keys("sentsince:1m", "SENTSINCE 29-Feb-2024");
    assert_keys("sentbefore:1y", "SENTBEFORE 31-Mar-2023");
    assert_refused("since:2023-02-29", "a date is");
    assert_refused("since:2024-13", "a date is");
    assert_refused("since:0000", "a date is");
    assert_refused("since:9999-12-31", "a date is");
    assert_refused("since:1-2-3-4", "a date is");
    assert_refused("since:99999999d", "a date is");
    assert_refused("since:100000m", "a date is");
    assert_refused("since:d", "a date is");
    assert_refused("since:", "a date is");
}

static void
words_are_joined_denied_and_grouped(void **state)
{
    assert_keys("a b", "TEXT a TEXT b");
    assert_keys("a AND b", "TEXT a TEXT b");
    assert_keys("-a", "NOT TEXT a");
    assert_keys("NOT a", "NOT TEXT a");
    assert_keys("--a", "NOT NOT TEXT a");
    assert_keys("a OR b c", "OR TEXT a TEXT b TEXT c");
    assert_keys("a OR b OR c", "OR OR TEXT a TEXT b TEXT c");
    assert_keys("a OR -b", "OR TEXT a NOT TEXT b");
    assert_keys("(a b) OR c", "OR (TEXT a TEXT b) TEXT c");
    assert_keys("-(a b)", "NOT (TEXT a TEXT b)");
    assert_keys("-(a)", "NOT TEXT a");
    assert_keys("-(a OR b)", "NOT OR TEXT a TEXT b");
    assert_keys("-on:2024", "NOT (SINCE 1-Jan-2024 BEFORE 1-Jan-2025)");
    assert_keys("ORacle e-mail", "TEXT ORacle TEXT e-mail");
    assert_keys("  a   b  ", "TEXT a TEXT b");
}

static void
strings_stay_strings(void **state)
{
    assert_keys("from:\")(\"", "FROM \")(\"");
    assert_keys("from:\"a\\\"b\\\\c\"", "FROM \"a\\\"b\\\\c\"");
    assert_keys("from:{5}", "FROM {3+}\r\n{5}");
    assert_keys("from:NIL", "FROM \"NIL\"");
    assert_keys("from:*", "FROM \"*\"");
    assert_keys("\"OR\"", "TEXT OR");
    assert_keys("from:Jos\xc3\xa9", "FROM {5+}\r\nJos\xc3\xa9");
}

static void
what_is_no_query_says_why(void **state)
{
    assert_refused("", "nothing to search for");
    assert_refused("   ", "nothing to search for");
    assert_refused("()", "nothing to search for");
    assert_refused("from:", "what to look for is missing");
    assert_refused("from:\"a", "quotation mark is missing");
    assert_refused("from:\"a\"b", "space is missing");
    assert_refused("from:a\"b\"", "in the middle");
    assert_refused("(a", "closing parenthesis is missing");
    assert_refused("a)", "closing parenthesis too many");
    assert_refused("OR a", "before OR");
    assert_refused("a OR", "after OR");
    assert_refused("a OR OR", "after OR");
    assert_refused("a AND", "after AND");
    assert_refused("-", "after \"-\"");
    assert_refused("NOT", "after \"-\" or NOT");
    assert_refused("foo:bar", "there is no key foo:");
    assert_refused("http://example.org", "there is no key http:");
    assert_refused("is:new", "it is unread");
    assert_refused("has:wings", "has:attachment");
    assert_refused("tag:\"a b\"", "no spaces");
    assert_refused("tag:caf\xc3\xa9", "ASCII");
    assert_refused("larger:big", "a size is");
    assert_refused("larger:8388608T", "a size is");
    assert_refused("header:X", "needs a name");
    assert_refused("header:=a", "needs a name");
    assert_refused("header:{3}=a", "needs a name");
    assert_refused("a\r\nb", "control character");
    assert_refused("a\x7f", "control character");
    assert_refused("\xff", "not UTF-8");
}

/* A part of OR would be sought twice as OR. */
static void
or_without_a_second_is_refused(void **state)
{
    assert_refused("(a OR) b", "after OR");
    assert_refused("a OR )", "after OR");
    assert_refused("-)", "after \"-\"");
}

static void
size_of_a_query_is_bounded(void **state)
{
    g_autofree char *many = g_strnfill(100 * 1024, 'a');
    g_autofree char *deep = g_strnfill(1000, '(');
    g_autofree char *denied = g_strnfill(1000, '-');
    g_autofree char *raw = g_strdup_printf("raw:%s", deep);
    g_autoptr(GString) words = g_string_new(NULL);

    assert_refused(many, "longer than");
    assert_refused(deep, "too deeply");
    assert_refused(denied, "too deeply");
    assert_refused(raw, "too many parentheses");
    for (guint i = 0; i < 64; i++)
        g_string_append(words, "a ");
    assert_keys(words->str,
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a "
                "TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a TEXT a");
    g_string_append(words, "a");
    assert_refused(words->str, "more than 64 words");
}

static void
raw_keys_are_sent_as_they_are(void **state)
{
    assert_keys("raw:UNSEEN", "(UNSEEN)");
    assert_keys("raw:OR SEEN (FROM \"a b\" 1:*)",
                "(OR SEEN (FROM \"a b\" 1:*))");
    assert_keys("is:read raw:UID 1:5 LARGER 10", "SEEN (UID 1:5 LARGER 10)");
    assert_keys("raw:\"UID 1:5 LARGER 10\" is:read",
                "(UID 1:5 LARGER 10) SEEN");
    assert_keys("-raw:UID 7", "NOT (UID 7)");
    /* No arguments of the command. */
    assert_keys("raw:CHARSET x ALL", "(CHARSET x ALL)");
    assert_keys("raw:RETURN (SAVE) ALL", "(RETURN (SAVE) ALL)");
    /* A string of one parenthesis is no parenthesis. */
    assert_keys("raw:SUBJECT \"(\" TO \")\"", "(SUBJECT \"(\" TO \")\")");
    assert_refused("raw:", "no search keys");
    assert_refused("raw:SUBJECT {5}", "outside of quotation marks");
    assert_refused("raw:SUBJECT caf\xc3\xa9", "outside of quotation marks");
    assert_refused("raw:a\\b", "outside of quotation marks");
    assert_refused("raw:(SEEN", "parenthesis is missing");
    assert_refused("raw:SEEN) LOGOUT", "parenthesis too many");
    assert_refused("raw:SUBJECT \"a", "quotation mark is missing");
}

static void
gmail_searches_in_its_own_way(void **state)
{
    g_autofree char *attachment = keys_of("has:attachment", TRUE);
    g_autofree char *label = keys_of("label:\"my label\"", TRUE);
    g_autofree char *other = keys_of("label:work", FALSE);
    g_autofree char *raw = keys_of("gmail:\"a OR b\"", TRUE);
    const FsSearchContext here = context(FALSE);
    FsSearchQuery query;

    assert_string_equal(attachment, "X-GM-RAW has:attachment");
    assert_string_equal(label, "X-GM-LABELS \"my label\"");
    assert_string_equal(other, "KEYWORD work");
    assert_string_equal(raw, "X-GM-RAW \"a OR b\"");
    assert_true(
        fs_search_query_parse("-(gmail:x OR a) b", &here, &query, NULL));
    assert_string_equal(imap_search_program_required(query.program),
                        "X-GM-EXT-1");
    fs_search_query_clear(&query);
}

static void
folder_is_for_the_whole_search(void **state)
{
    const FsSearchContext here = context(FALSE);
    FsSearchQuery query;

    assert_true(fs_search_query_parse("from:a in:\"Archive/2024 x\"", &here,
                                      &query, NULL));
    assert_string_equal(query.mailbox, "Archive/2024 x");
    assert_int_equal(imap_search_program_n_keys(query.program), 1);
    fs_search_query_clear(&query);
    assert_keys("in:INBOX", "ALL");
    assert_refused("in:a in:b", "once");
    assert_refused("-in:a", "whole search");
    assert_refused("in:a OR b", "whole search");
    assert_refused("b OR in:a", "whole search");
    assert_refused("(in:a) b", "whole search");
    /* Beside others it would say something else than it seems to. */
    assert_refused("(in:a b)", "whole search");
    assert_refused("-(in:a b)", "whole search");
    assert_refused("a OR (in:b c)", "whole search");
    assert_refused("NOT -in:a", "whole search");
    assert_keys("a in:INBOX b", "TEXT a TEXT b");
    assert_refused("in:", "needs a folder");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_keys),
        cmocka_unit_test(dates_are_days),
        cmocka_unit_test(words_are_joined_denied_and_grouped),
        cmocka_unit_test(strings_stay_strings),
        cmocka_unit_test(what_is_no_query_says_why),
        cmocka_unit_test(or_without_a_second_is_refused),
        cmocka_unit_test(size_of_a_query_is_bounded),
        cmocka_unit_test(raw_keys_are_sent_as_they_are),
        cmocka_unit_test(gmail_searches_in_its_own_way),
        cmocka_unit_test(folder_is_for_the_whole_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
