/* A recursive descent, whose depth and number of terms are bounded. The keys
 * are in fs/views/search/search-terms.c. */
#include "fs/views/search/search-query.h"

#include "fs/kernel/errno.h"
#include "fs/views/search/search-terms.h"

#include <string.h>

/* A server has to look at every message for each; and a line of commands must
 * not be too long. */
#define TERMS_MAX 64u
#define DEPTH_MAX 32u

#define IN_IS_FOR_ALL                                                          \
    "in: is for the whole search, and cannot be denied, grouped or one of two"

typedef struct {
    const char *at;
    const FsSearchContext *context;
    char *mailbox; /* owned; of "in:" */
    guint terms;
    guint depth;
} Parser;

static ImapSearchProgram *parse_all(Parser *parser, GError **error);

G_GNUC_PRINTF(2, 3)
static ImapSearchProgram *
refuse(GError **error, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return NULL;
    va_start(arguments, format);
    *error = g_error_new_valist(FS_ERROR, FS_ERROR_QUERY, format, arguments);
    va_end(arguments);
    return NULL;
}

/* ---- words ---- */

static void
skip_spaces(Parser *parser)
{
    while (*parser->at == ' ')
        parser->at++;
}

static gboolean
ends_word(char c)
{
    return c == '\0' || c == ' ' || c == ')';
}

static gboolean
is_word(const Parser *parser, const char *word)
{
    gsize length = strlen(word);

    return strncmp(parser->at, word, length) == 0 &&
           ends_word(parser->at[length]);
}

/* Takes @word if it is what comes next. */
static gboolean
take_word(Parser *parser, const char *word)
{
    gboolean found = is_word(parser, word);

    if (found)
        parser->at += strlen(word);
    return found;
}

/* Whether nothing comes next that could be looked for. */
static gboolean
is_at_gap(const Parser *parser)
{
    return ends_word(*parser->at) || is_word(parser, "OR") ||
           is_word(parser, "AND");
}

/* '"', with "\" before what stands for itself. */
static char *
parse_quoted(Parser *parser, GError **error)
{
    g_autoptr(GString) value = g_string_new(NULL);
    const char *at = parser->at + 1;

    for (; *at != '"'; at++) {
        if (*at == '\\')
            at++;
        if (*at == '\0') {
            refuse(error, "a quotation mark is missing");
            return NULL;
        }
        g_string_append_c(value, *at);
    }
    if (!ends_word(at[1])) {
        refuse(error, "a space is missing behind a quotation mark");
        return NULL;
    }
    parser->at = at + 1;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static char *
parse_value(Parser *parser, GError **error)
{
    const char *start = parser->at;

    if (*start == '"')
        return parse_quoted(parser, error);
    while (!ends_word(*parser->at) && *parser->at != '"')
        parser->at++;
    if (*parser->at == '"') {
        refuse(error, "a quotation mark in the middle of a word");
        return NULL;
    }
    return g_strndup(start, parser->at - start);
}

/* "key:" before a value, in lower case; NULL: there is none. */
static char *
parse_key(Parser *parser)
{
    const char *start = parser->at;
    const char *end = start;

    while (g_ascii_isalpha(*end))
        end++;
    if (end == start || *end != ':')
        return NULL;
    parser->at = end + 1;
    return g_ascii_strdown(start, end - start);
}

/* ---- terms ---- */

/* All that is left is IMAP, unless it is in quotation marks. */
static ImapSearchProgram *
parse_raw(Parser *parser, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *keys = NULL;
    ImapSearchProgram *program;

    if (*parser->at == '"') {
        keys = parse_quoted(parser, error);
        if (keys == NULL)
            return NULL;
    } else {
        keys = g_strdup(parser->at);
        parser->at += strlen(parser->at);
    }
    program = imap_search_program_parse(keys, &reason);
    if (program == NULL)
        return refuse(error, "raw: %s", reason->message);
    return program;
}

/* Says nothing of messages. */
static ImapSearchProgram *
parse_mailbox(Parser *parser, GError **error)
{
    g_autofree char *path = parse_value(parser, error);

    if (path == NULL)
        return NULL;
    if (*path == '\0')
        return refuse(error, "in: needs a folder");
    if (parser->mailbox != NULL)
        return refuse(error, "in: can be given once");
    if (parser->depth > 1)
        return refuse(error, IN_IS_FOR_ALL);
    parser->mailbox = g_steal_pointer(&path);
    return imap_search_program_new();
}

/* "header:NAME=VALUE" */
static ImapSearchProgram *
parse_header(Parser *parser, GError **error)
{
    const char *start = parser->at;
    g_autofree char *name = NULL;
    g_autofree char *value = NULL;

    while (g_ascii_isalnum(*parser->at) ||
           (*parser->at != '\0' && strchr("-_.", *parser->at) != NULL))
        parser->at++;
    if (parser->at == start || *parser->at != '=')
        return refuse(error, "header: needs a name, = and a value");
    name = g_strndup(start, parser->at - start);
    parser->at++;
    value = parse_value(parser, error);
    return value != NULL ? fs_search_term_header(name, value) : NULL;
}

static ImapSearchProgram *
parse_term(Parser *parser, GError **error)
{
    g_autofree char *key = parse_key(parser);
    g_autofree char *value = NULL;

    if (++parser->terms > TERMS_MAX)
        return refuse(error, "more than %u words", TERMS_MAX);
    if (g_strcmp0(key, "raw") == 0)
        return parse_raw(parser, error);
    if (g_strcmp0(key, "in") == 0)
        return parse_mailbox(parser, error);
    if (g_strcmp0(key, "header") == 0)
        return parse_header(parser, error);
    value = parse_value(parser, error);
    if (value == NULL)
        return NULL;
    return fs_search_term(key, value, parser->context, error);
}

/* ---- what stands around them ---- */

/* @program is to be denied or to be one of two: then it must say something. */
static ImapSearchProgram *
as_operand(ImapSearchProgram *program, GError **error)
{
    if (program == NULL || imap_search_program_n_keys(program) > 0)
        return program;
    imap_search_program_free(program);
    return refuse(error, IN_IS_FOR_ALL);
}

static ImapSearchProgram *
parse_group(Parser *parser, GError **error)
{
    g_autoptr(ImapSearchProgram) program = NULL;

    parser->at++;
    program = parse_all(parser, error);
    if (program == NULL)
        return NULL;
    if (*parser->at != ')')
        return refuse(error, "a closing parenthesis is missing");
    parser->at++;
    return as_operand(g_steal_pointer(&program), error);
}

static ImapSearchProgram *
parse_one(Parser *parser, GError **error)
{
    ImapSearchProgram *program;
    gboolean denied;

    skip_spaces(parser);
    denied = take_word(parser, "NOT");
    skip_spaces(parser);
    if (!denied && *parser->at == '-') {
        denied = TRUE;
        parser->at++;
    }
    if (is_at_gap(parser))
        return refuse(error, "something is missing after %s",
                      denied ? "\"-\" or NOT" : "OR");
    if (++parser->depth > DEPTH_MAX)
        return refuse(error, "too deeply nested");
    if (denied)
        program = parse_one(parser, error);
    else if (*parser->at == '(')
        program = parse_group(parser, error);
    else
        program = parse_term(parser, error);
    parser->depth--;
    if (denied)
        program = as_operand(program, error);
    return program != NULL && denied ? imap_search_program_not(program)
                                     : program;
}

static ImapSearchProgram *
parse_alternatives(Parser *parser, GError **error)
{
    g_autoptr(ImapSearchProgram) program = parse_one(parser, error);

    for (;;) {
        ImapSearchProgram *other;

        if (program == NULL)
            return NULL;
        skip_spaces(parser);
        if (!take_word(parser, "OR"))
            return g_steal_pointer(&program);
        program = as_operand(g_steal_pointer(&program), error);
        other = program != NULL ? as_operand(parse_one(parser, error), error)
                                : NULL;
        if (other == NULL)
            return NULL;
        program = imap_search_program_or(g_steal_pointer(&program), other);
    }
}

/* Up to the end, or the parenthesis that closes. */
static ImapSearchProgram *
parse_all(Parser *parser, GError **error)
{
    g_autoptr(ImapSearchProgram) program = imap_search_program_new();
    guint before = parser->terms;

    for (;;) {
        ImapSearchProgram *next;

        skip_spaces(parser);
        if (is_word(parser, "OR") || is_word(parser, "AND"))
            return refuse(error, "something is missing before OR or AND");
        if (*parser->at == '\0' || *parser->at == ')')
            break;
        next = parse_alternatives(parser, error);
        if (next == NULL)
            return NULL;
        imap_search_program_add_all(program, next);
        skip_spaces(parser);
        if (take_word(parser, "AND")) {
            skip_spaces(parser);
            if (is_at_gap(parser))
                return refuse(error, "something is missing after AND");
        }
    }
    if (parser->terms == before)
        return refuse(error, "nothing to search for");
    return g_steal_pointer(&program);
}

/* ---- the whole ---- */

/* A line of text. */
static gboolean
is_readable(const char *text, GError **error)
{
    if (strlen(text) > FS_SEARCH_QUERY_MAX) {
        refuse(error, "longer than %u octets", FS_SEARCH_QUERY_MAX);
        return FALSE;
    }
    if (!g_utf8_validate(text, -1, NULL)) {
        refuse(error, "not UTF-8");
        return FALSE;
    }
    for (const char *at = text; *at != '\0'; at++)
        if (g_ascii_iscntrl(*at)) {
            refuse(error, "a control character in it");
            return FALSE;
        }
    return TRUE;
}

void
fs_search_query_clear(FsSearchQuery *query)
{
    g_clear_pointer(&query->program, imap_search_program_free);
    g_clear_pointer(&query->mailbox, g_free);
}

gboolean
fs_search_query_parse(const char *text, const FsSearchContext *context,
                      FsSearchQuery *query, GError **error)
{
    Parser parser = {.at = text, .context = context};
    g_autoptr(ImapSearchProgram) program = NULL;

    memset(query, 0, sizeof *query);
    if (!is_readable(text, error))
        return FALSE;
    program = parse_all(&parser, error);
    if (program != NULL && *parser.at != '\0') {
        g_clear_pointer(&program, imap_search_program_free);
        refuse(error, "a closing parenthesis too many");
    }
    if (program == NULL) {
        g_free(parser.mailbox);
        return FALSE;
    }
    query->program = g_steal_pointer(&program);
    query->mailbox = parser.mailbox;
    return TRUE;
}
