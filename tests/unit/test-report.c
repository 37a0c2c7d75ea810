/* Reports: what they look like at any width, that nothing of a server's text
 * commands a terminal, and numbers as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/commands/progress.h"
#include "fs/commands/report.h"
#include "fs/commands/words.h"

#include <locale.h>

static const FsOutput plain = {FALSE, FALSE, FALSE, 0};
static const FsOutput piped = {FALSE, TRUE, FALSE, 0};

static FsOutput
terminal(guint width)
{
    return (FsOutput){TRUE, TRUE, FALSE, width};
}

static void
is_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    g_free(text);
}

static void
numbers_are_words(void **state)
{
    is_text(fs_words_count(0), "0");
    is_text(fs_words_count(999), "999");
    is_text(fs_words_count(1000), "1,000");
    is_text(fs_words_count(G_MAXUINT64), "18,446,744,073,709,551,615");
    is_text(fs_words_size(0), "0 B");
    is_text(fs_words_size(999), "999 B");
    is_text(fs_words_size(1000), "1.0 kB");
    is_text(fs_words_size(9949), "9.9 kB");
    is_text(fs_words_size(9960), "10 kB");
    is_text(fs_words_size(999499), "999 kB");
    is_text(fs_words_size(999500), "1.0 MB");
    is_text(fs_words_size(G_MAXUINT64), "18447 PB");
    is_text(fs_words_time(-5), "0.00 ms");
    is_text(fs_words_time(420), "0.42 ms");
    is_text(fs_words_time(999), "1.0 ms");
    is_text(fs_words_time(12345), "12 ms");
    is_text(fs_words_time(999600), "1.0 s");
    is_text(fs_words_time(83 * G_USEC_PER_SEC), "83 s");
    is_text(fs_words_span(59), "59 s");
    is_text(fs_words_span(65), "1:05 min");
    is_text(fs_words_span(3720), "1:02 h");
    is_text(fs_words_span(G_MAXUINT64), "213503982334601 days");
    is_text(fs_words_date(0), "1970-01-01");
    is_text(fs_words_date(G_MAXINT64), "?");
}

static void
text_commands_no_terminal(void **state)
{
    is_text(fs_output_text(&piped, "a\x1b[31m\x07\r\n\xc2\x9b z"),
            "a?[31m???? z");
    is_text(fs_output_text(&piped, "\xe2\x80\xaegnp.\xe2\x80\x8b"), "?gnp.?");
    is_text(fs_output_text(&piped, "\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd");
    is_text(fs_output_text(&piped, "Entw\xc3\xbcrfe"), "Entw\xc3\xbcrfe");
    is_text(fs_output_text(&plain, "Entw\xc3\xbcrfe"), "Entwurfe");
}

static void
cut_text_has_its_columns(void **state)
{
    FsOutput output = terminal(80);

    is_text(fs_output_fit(&output, "abc", 5, FALSE), "abc  ");
    is_text(fs_output_fit(&output, "abc", 5, TRUE), "  abc");
    is_text(fs_output_fit(&output, "abcdef", 4, FALSE), "abc\xe2\x80\xa6");
    is_text(fs_output_fit(&plain, "abcdef", 4, FALSE), "abc~");
    is_text(fs_output_fit(&output, "abcdef", 0, FALSE), "");
    is_text(fs_output_fit(&output, "", 2, FALSE), "  ");
    /* Two columns each. */
    is_text(fs_output_fit(&output, "\xe5\x8f\x97\xe4\xbf\xa1\xe7\xae\xb1", 4,
                          FALSE),
            "\xe5\x8f\x97\xe2\x80\xa6 ");
    assert_int_equal(fs_output_columns("\xe5\x8f\x97"), 2);
    assert_int_equal(fs_output_columns("e\xcc\x81"), 1);
}

/* No line is wider than the terminal, and no word is lost. */
static void
lines_fit_any_width(void **state)
{
    static const char text[] = "some words of an ordinary kind and "
                               "/a/path/that/is/longer/than/any/terminal/of/"
                               "twenty/columns and more";

    for (guint width = 20; width < 120; width++) {
        FsOutput output = terminal(width);
        g_autoptr(GString) report = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;
        g_autofree char *kept = NULL;

        fs_report_line(report, &output, FS_MARK_GOOD, "Name", text);
        lines = g_strsplit(report->str, "\n", -1);
        for (char **line = lines; *line != NULL; line++)
            assert_true(fs_output_columns(*line) <= width);
        kept = g_strjoinv(NULL, lines);
        for (const char *at = text, *in = strstr(kept, "some"); *at != '\0';
             at++) {
            if (*at == ' ')
                continue;
            while (*in == ' ')
                in++;
            assert_int_equal(*in++, *at);
        }
    }
}

static void
lines_are_one_without_a_terminal(void **state)
{
    g_autoptr(GString) report = g_string_new(NULL);

    fs_report_line(report, &piped, FS_MARK_BAD, "Login",
                   "refused for a reason that takes a good many words to tell, "
                   "more than eighty columns");
    fs_report_format(report, &plain, FS_MARK_WARNING, "Push", "%d", 7);
    assert_string_equal(
        report->str,
        "\xe2\x9c\x97 Login         refused for a reason that takes a good "
        "many words to tell, more than eighty columns\n"
        "! Push          7\n");
}

static void
colours_are_for_those_who_have_them(void **state)
{
    FsOutput output = terminal(80);
    g_autoptr(GString) report = g_string_new(NULL);

    output.has_colour = TRUE;
    fs_report_line(report, &output, FS_MARK_GOOD, "Name", "text");
    assert_string_equal(report->str,
                        "\x1b[32m\xe2\x9c\x93 \x1b[0mName          text\n");
}

static const FsTableColumn columns[] = {
    {"Folder", FALSE, 9},
    {"Use", FALSE, 2},
    {"Messages", TRUE, 4},
    {"Size", TRUE, 3},
};

static void
table(GString *report, const FsOutput *output)
{
    static const char *const cells[][4] = {
        {"INBOX", "", "1,234", "12 MB"},
        {"A folder with a name that is long\x1b", "archive", "5", "1.0 kB"},
    };
    g_autoptr(GPtrArray) rows = g_ptr_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
        g_ptr_array_add(rows, (gpointer)cells[i]);
    fs_report_table(report, output, columns, G_N_ELEMENTS(columns), rows);
}

static void
table_gives_up_what_matters_least(void **state)
{
    g_autoptr(GString) wide = g_string_new(NULL);
    g_autoptr(GString) narrow = g_string_new(NULL);
    FsOutput output = terminal(40);

    table(wide, &piped);
    assert_string_equal(
        wide->str,
        "  Folder                              Use      Messages    Size\n"
        "  INBOX                                           1,234   12 MB\n"
        "  A folder with a name that is long?  archive         5  1.0 kB\n");
    table(narrow, &output);
    assert_string_equal(
        narrow->str, "  Folder                Messages    Size\n"
                     "  INBOX                    1,234   12 MB\n"
                     "  A folder with a nam\xe2\x80\xa6         5  1.0 kB\n");
    for (guint width = 20; width < 100; width++) {
        g_autoptr(GString) report = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;

        output = terminal(width);
        table(report, &output);
        lines = g_strsplit(report->str, "\n", -1);
        for (char **line = lines; *line != NULL; line++)
            assert_true(fs_output_columns(*line) <= width);
    }
}

/* ---- progress ---- */

static char *
progress_at(guint width, FsFetchState state, guint64 before)
{
    FsOutput output = width != 0 ? terminal(width) : piped;
    FsProgress *progress = fs_progress_new(&output);
    FsFetchState earlier = state;
    char *text;

    earlier.octets_done = before;
    g_free(fs_progress_text(progress, &earlier, G_USEC_PER_SEC));
    text = fs_progress_text(progress, &state, 3 * G_USEC_PER_SEC);
    fs_progress_free(progress);
    return text;
}

static const FsFetchState half = {
    .phase = FS_FETCH_READS,
    .folder = (char *)"INBOX",
    .n_missing = 11002,
    .octets_missing = 100 * 1000 * 1000,
    .n_done = 5501,
    .octets_done = 50 * 1000 * 1000,
};

static void
progress_tells_part_rate_and_time_left(void **state)
{
    /* 10 MB in two seconds; 50 MB are left. */
    is_text(
        progress_at(80, half, 40 * 1000 * 1000),
        "[############...........]  50 %  5,501 of 11,002, 50 MB, 5.0 MB/s, "
        "10 s left");
    is_text(progress_at(40, half, 40 * 1000 * 1000),
            "[###############...............]  50 %\n"
            "5,501/11,002 50 MB 5.0 MB/s 10 s");
    is_text(progress_at(0, half, 40 * 1000 * 1000),
            "5,501 of 11,002 messages, 50 MB of 100 MB, 5.0 MB/s, 10 s left");
    /* Nothing moves. */
    is_text(progress_at(0, half, 50 * 1000 * 1000),
            "5,501 of 11,002 messages, 50 MB of 100 MB, 0 B/s, ? left");
}

static void
progress_fits_any_width(void **state)
{
    FsFetchState much = half;

    much.n_missing = much.n_done = 123456789;
    much.octets_missing = much.octets_done = G_MAXUINT64 / 4;
    for (guint width = 20; width < 200; width++) {
        g_autofree char *text = progress_at(width, much, 0);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        assert_true(g_strv_length(lines) <= 2);
        for (char **line = lines; *line != NULL; line++)
            assert_true(fs_output_columns(*line) <= width);
    }
}

static void
progress_of_looking_names_the_folder(void **state)
{
    FsFetchState looks = {.phase = FS_FETCH_LOOKS,
                          .folder = (char *)"Lists/harbour\x1b",
                          .n_all = 1234};

    is_text(progress_at(0, looks, 0),
            "Looking: 1,234 messages, now in Lists/harbour?");
    is_text(progress_at(30, looks, 0),
            "Looking: 1,234 messages, now\xe2\x80\xa6");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_words),
        cmocka_unit_test(text_commands_no_terminal),
        cmocka_unit_test(cut_text_has_its_columns),
        cmocka_unit_test(lines_fit_any_width),
        cmocka_unit_test(lines_are_one_without_a_terminal),
        cmocka_unit_test(colours_are_for_those_who_have_them),
        cmocka_unit_test(table_gives_up_what_matters_least),
        cmocka_unit_test(progress_tells_part_rate_and_time_left),
        cmocka_unit_test(progress_fits_any_width),
        cmocka_unit_test(progress_of_looking_names_the_folder),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
