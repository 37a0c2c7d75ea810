/* Search keys as pieces: protocol text, and strings whose form is the
 * command's to choose. */
#include "imap/search-program.h"

#include "imap/error.h"

#include <string.h>

/* Keys that somebody has written are nested so deep at the most. */
#define DEPTH_MAX 32u

typedef struct {
    char *text; /* owned */
    gboolean is_string;
} Piece;

struct ImapSearchProgram {
    GArray *pieces; /* of Piece, a space between two */
    guint n_keys;
    const char *required; /* a capability; NULL: none */
};

static void
piece_clear(gpointer data)
{
    g_free(((Piece *)data)->text);
}

ImapSearchProgram *
imap_search_program_new(void)
{
    ImapSearchProgram *program = g_new0(ImapSearchProgram, 1);

    program->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    g_array_set_clear_func(program->pieces, piece_clear);
    return program;
}

void
imap_search_program_free(ImapSearchProgram *program)
{
    if (program == NULL)
        return;
    g_array_unref(program->pieces);
    g_free(program);
}

static void
add_piece(ImapSearchProgram *program, gboolean is_string, const char *text)
{
    Piece piece = {g_strdup(text), is_string};

    g_array_append_val(program->pieces, piece);
}

void
imap_search_program_add_key(ImapSearchProgram *program, const char *key)
{
    add_piece(program, FALSE, key);
    program->n_keys++;
}

void
imap_search_program_add_string(ImapSearchProgram *program, const char *key,
                               const char *value)
{
    add_piece(program, FALSE, key);
    add_piece(program, TRUE, value);
    program->n_keys++;
}

/* Moves what @other has; it is freed. */
static void
take_pieces(ImapSearchProgram *program, ImapSearchProgram *other)
{
    for (guint i = 0; i < other->pieces->len; i++) {
        Piece *piece = &g_array_index(other->pieces, Piece, i);
        Piece moved = {g_steal_pointer(&piece->text), piece->is_string};

        g_array_append_val(program->pieces, moved);
    }
    if (other->required != NULL)
        program->required = other->required;
    imap_search_program_free(other);
}

void
imap_search_program_add_all(ImapSearchProgram *program,
                            ImapSearchProgram *other)
{
    program->n_keys += other->n_keys;
    take_pieces(program, other);
}

/* @other as one key. */
static void
add_operand(ImapSearchProgram *program, ImapSearchProgram *other)
{
    gboolean several = other->n_keys != 1;

    if (several)
        add_piece(program, FALSE, "(");
    take_pieces(program, other);
    if (several)
        add_piece(program, FALSE, ")");
}

ImapSearchProgram *
imap_search_program_not(ImapSearchProgram *program)
{
    ImapSearchProgram *result = imap_search_program_new();

    add_piece(result, FALSE, "NOT");
    add_operand(result, program);
    result->n_keys = 1;
    return result;
}

ImapSearchProgram *
imap_search_program_or(ImapSearchProgram *one, ImapSearchProgram *other)
{
    ImapSearchProgram *result = imap_search_program_new();

    add_piece(result, FALSE, "OR");
    add_operand(result, one);
    add_operand(result, other);
    result->n_keys = 1;
    return result;
}

/* ---- keys that somebody has written ---- */

/* '"', with "\" before what stands for itself. *@at goes behind it; NULL if it
 * does not end. */
static char *
read_quoted(const char **at)
{
    g_autoptr(GString) value = g_string_new(NULL);
    const char *next = *at + 1;

    for (; *next != '"'; next++) {
        if (*next == '\\')
            next++;
        if (*next == '\0')
            return NULL;
        g_string_append_c(value, *next);
    }
    *at = next + 1;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static gboolean
is_atom_char(char c)
{
    return g_ascii_isgraph(c) && strchr("(){}\"\\", c) == NULL;
}

static gboolean
refuse(GError **error, const char *why)
{
    g_set_error_literal(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT, why);
    return FALSE;
}

/* One atom, string or parenthesis. */
static gboolean
read_piece(ImapSearchProgram *program, const char **at, guint *depth,
           GError **error)
{
    g_autofree char *text = NULL;
    const char *end = *at;
    gboolean is_string = *end == '"';

    if (is_string) {
        text = read_quoted(at);
        if (text == NULL)
            return refuse(error, "a quotation mark is missing");
        add_piece(program, TRUE, text);
        return TRUE;
    }
    if (*end == '(' || *end == ')') {
        if (*end == ')' && *depth == 0)
            return refuse(error, "a closing parenthesis too many");
        *depth += *end == '(' ? 1 : -1u;
        if (*depth > DEPTH_MAX)
            return refuse(error, "too many parentheses");
        end++;
    } else {
        while (is_atom_char(*end))
            end++;
        if (end == *at)
            return refuse(error, "only printable ASCII characters, without "
                                 "braces and backslashes, can stand outside "
                                 "of quotation marks");
    }
    text = g_strndup(*at, end - *at);
    add_piece(program, FALSE, text);
    *at = end;
    return TRUE;
}

ImapSearchProgram *
imap_search_program_parse(const char *text, GError **error)
{
    g_autoptr(ImapSearchProgram) keys = imap_search_program_new();
    ImapSearchProgram *result;
    guint depth = 0;

    if (strpbrk(text, "\r\n") != NULL) {
        refuse(error, "a line break cannot be searched for");
        return NULL;
    }
    for (;;) {
        while (*text == ' ' || *text == '\t')
            text++;
        if (*text == '\0')
            break;
        if (!read_piece(keys, &text, &depth, error))
            return NULL;
    }
    if (depth > 0 || keys->pieces->len == 0) {
        refuse(error, depth > 0 ? "a closing parenthesis is missing"
                                : "no search keys are given");
        return NULL;
    }
    /* In parentheses, it can be no CHARSET or RETURN. */
    result = imap_search_program_new();
    add_operand(result, g_steal_pointer(&keys));
    result->n_keys = 1;
    return result;
}

/* ---- what comes of it ---- */

guint
imap_search_program_n_keys(const ImapSearchProgram *program)
{
    return program->n_keys;
}

void
imap_search_program_require(ImapSearchProgram *program, const char *capability)
{
    program->required = capability;
}

const char *
imap_search_program_required(const ImapSearchProgram *program)
{
    return program->required;
}

gboolean
imap_search_program_needs_charset(const ImapSearchProgram *program)
{
    for (guint i = 0; i < program->pieces->len; i++)
        if (!g_str_is_ascii(g_array_index(program->pieces, Piece, i).text))
            return TRUE;
    return FALSE;
}

void
imap_search_program_append(const ImapSearchProgram *program,
                           ImapCommand *command)
{
    gboolean opened = FALSE;

    if (program->pieces->len == 0)
        imap_command_add_text(command, " ALL");
    for (guint i = 0; i < program->pieces->len; i++) {
        const Piece *piece = &g_array_index(program->pieces, Piece, i);

        if (!opened && (piece->is_string || !g_str_equal(piece->text, ")")))
            imap_command_add_text(command, " ");
        if (piece->is_string)
            imap_command_add_string(command, piece->text);
        else
            imap_command_add_text(command, piece->text);
        opened = !piece->is_string && g_str_equal(piece->text, "(");
    }
}
