/* Whatever people write: it is refused with a reason, or is one line that says
 * nothing beside its keys. */
#include "fs/views/search/search-query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(gboolean condition, const char *what)
{
    if (condition)
        return;
    g_printerr("fuzz-query: %s\n", what);
    abort();
}

/* "{5+}\r\n" and its octets; what follows them. */
static const char *
skip_literal(const char *at, const char *end)
{
    char *number_end;
    guint64 length = g_ascii_strtoull(at + 1, &number_end, 10);

    check(number_end > at + 1 && g_str_has_prefix(number_end, "+}\r\n"),
          "a literal is none");
    at = number_end + strlen("+}\r\n");
    check(length <= (guint64)(end - at), "a literal is longer than the line");
    return at + length;
}

static const char *
skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
        check(at < end && g_ascii_isprint(*at), "a quoted string is none");
    }
    check(at < end, "a quoted string does not end");
    return at + 1;
}

/* Written apart from what makes the line. */
static void
check_line(const char *at, gsize length)
{
    const char *end = at + length - 2;
    int depth = 0;

    check(length > 2 && memcmp(end, "\r\n", 2) == 0, "no end of the line");
    while (at < end) {
        if (*at == '{') {
            at = skip_literal(at, end);
        } else if (*at == '"') {
            at = skip_quoted(at, end);
        } else {
            check(g_ascii_isprint(*at) && *at != '\\' && *at != '}',
                  "outside of strings, what is no atom");
            depth += (*at == '(') - (*at == ')');
            check(depth >= 0, "a closing parenthesis too many");
            at++;
        }
    }
    check(depth == 0, "a closing parenthesis is missing");
}

static void
try_query(const char *text, gboolean gmail)
{
    g_autoptr(ImapCommand) command = imap_command_new("UID SEARCH");
    FsSearchContext context = {.gmail = gmail};
    g_autoptr(GPtrArray) segments = NULL;
    g_autoptr(GError) error = NULL;
    FsSearchQuery query;
    const GString *line;

    g_date_clear(&context.today, 1);
    g_date_set_dmy(&context.today, 29, G_DATE_FEBRUARY, 2024);
    if (!fs_search_query_parse(text, &context, &query, &error)) {
        check(error != NULL && *error->message != '\0', "no reason");
        return;
    }
    imap_search_program_append(query.program, command);
    segments = imap_command_encode(command, "t", IMAP_LITERALS_PLUS, &error);
    check(segments != NULL && segments->len == 1, "it cannot be sent");
    line = g_ptr_array_index(segments, 0);
    check(line->len <= 16 * 1024, "it is too long");
    check_line(line->str, line->len);
    fs_search_query_clear(&query);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    try_query(text, FALSE);
    try_query(text, TRUE);
    return 0;
}
