/* An option is its name and value, its meaning, what the prose adds, its
 * default, and an example that can be copied. */
#include "fs/manual/page.h"

#include "fs/manual/sections.h"
#include "fs/options/command-line.h"

#include <string.h>

#define LINE_BYTES 78
/* A word that is longer may be broken after each so many octets. */
#define CODE_BYTES 32

struct FsPageProse {
    GHashTable *pieces; /* name -> roff, both owned */
};

/* ---- roff ---- */

/* @text as it is, also where roff would see a request or an escape. With
 * @as_code, hyphens are to be copied, and quotes straight. */
static void
append_text(GString *out, const char *text, gboolean as_code)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (as_code && c > text && (c - text) % CODE_BYTES == 0)
            g_string_append(out, "\\:");
        if (*c == '\\')
            g_string_append(out, "\\e");
        else if (*c == '~')
            g_string_append(out, "\\(ti");
        else if (*c == '\'' && as_code)
            g_string_append(out, "\\(aq");
        else if (*c == '-' && as_code)
            g_string_append(out, "\\-");
        else if ((*c == '.' || *c == '\'') && c == text)
            g_string_append_printf(out, "\\&%c", *c);
        else
            g_string_append_c(out, *c);
    }
}

static void
append_code(GString *out, const char *text)
{
    g_string_append(out, "\\fB");
    append_text(out, text, TRUE);
    g_string_append(out, "\\fR");
}

/* Whether a word of a value stands for what is written there. */
static gboolean
is_placeholder(const char *word)
{
    for (const char *c = word; *c != '\0'; c++)
        if (g_ascii_islower(*c))
            return FALSE;
    return TRUE;
}

/* "DIR|none" */
static void
append_value(GString *out, const char *value)
{
    g_auto(GStrv) words = g_strsplit(value, "|", -1);

    for (guint i = 0; words[i] != NULL; i++) {
        if (i > 0)
            g_string_append(out, "|\\:");
        g_string_append(out, is_placeholder(words[i]) ? "\\fI" : "\\fB");
        append_text(out, words[i], TRUE);
        g_string_append(out, "\\fR");
    }
}

/* In lines of a width that editors have; none begins like a request. */
static void
append_filled(GString *out, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    gsize start = out->len;

    for (guint i = 0; words[i] != NULL; i++) {
        if (i > 0 && out->len - start + strlen(words[i]) >= LINE_BYTES) {
            g_string_append_c(out, '\n');
            start = out->len;
        } else if (i > 0) {
            g_string_append_c(out, ' ');
        }
        append_text(out, words[i], FALSE);
    }
    g_string_append_c(out, '\n');
}

/* A meaning as the help has it, as a sentence of its own. */
static void
append_sentence(GString *out, const char *text)
{
    g_autofree char *sentence =
        g_strconcat(text, g_str_has_suffix(text, ".") ? "" : ".", NULL);

    sentence[0] = g_ascii_toupper(sentence[0]);
    append_filled(out, sentence);
}

static void
append_prose(GString *out, const FsPageProse *prose, const char *name)
{
    const char *piece = g_hash_table_lookup(prose->pieces, name);

    if (piece != NULL)
        g_string_append(out, piece);
}

/* ---- options ---- */

static const char *
default_of(const FsMountOption *option)
{
    if (option->initial != NULL)
        return option->initial;
    if (option->otherwise != NULL)
        return option->otherwise;
    return option->kind == FS_VALUE_FLAG ? "no" : "none";
}

/* NULL for a flag. Caller frees. */
static char *
example_of(const FsMountOption *option)
{
    g_auto(GStrv) words = NULL;

    if (option->example != NULL)
        return g_strdup(option->example);
    if (option->value == NULL)
        return NULL;
    words = g_strsplit(option->value, "|", -1);
    for (guint i = 0; words[i] != NULL; i++)
        if (g_strcmp0(words[i], option->initial) != 0 &&
            !is_placeholder(words[i]))
            return g_strdup(words[i]);
    return g_strdup(words[0]);
}

/* As a shell takes it, and mount(8). */
static char *
example_for_shell(const FsMountOption *option)
{
    g_autofree char *value = example_of(option);
    g_autofree char *word = NULL;
    g_autofree char *escaped = NULL;
    g_auto(GStrv) parts = NULL;

    if (value == NULL)
        return g_strconcat("-o ", option->name, NULL);
    parts = g_strsplit(value, ",", -1);
    escaped = g_strjoinv("\\,", parts);
    word = g_strconcat(option->name, "=", escaped, NULL);
    if (strpbrk(word, " \\'\"$|&;<>()*?#") == NULL)
        return g_strconcat("-o ", word, NULL);
    g_free(escaped);
    escaped = g_shell_quote(word);
    return g_strconcat("-o ", escaped, NULL);
}

static char *
example_for_file(const FsMountOption *option)
{
    g_autofree char *value = example_of(option);

    return g_strconcat(option->name, " = ", value != NULL ? value : "yes",
                       NULL);
}

static void
append_default_and_example(GString *out, const FsMountOption *option,
                           const char *example)
{
    g_string_append(out, ".br\nDefault: ");
    if (option->initial != NULL)
        append_code(out, option->initial);
    else
        append_text(out, default_of(option), FALSE);
    g_string_append(out, ".\n.br\nExample: ");
    append_code(out, example);
    g_string_append_c(out, '\n');
}

static void
append_option(GString *out, const FsMountOption *option,
              const FsPageProse *prose)
{
    g_autofree char *example = example_for_shell(option);

    g_string_append(out, ".TP\n\\fB");
    append_text(out, option->name, TRUE);
    g_string_append(out, option->value != NULL ? "=\\fR" : "\\fR");
    if (option->value != NULL)
        append_value(out, option->value);
    g_string_append_c(out, '\n');
    append_sentence(out, option->help);
    append_prose(out, prose, option->name);
    append_default_and_example(out, option, example);
}

static void
append_key(GString *out, const FsMountOption *option, const FsPageProse *prose)
{
    g_autofree char *example = example_for_file(option);

    g_string_append(out, ".TP\n\\fB");
    append_text(out, option->name, TRUE);
    g_string_append(out, "\\fR = ");
    append_value(out, option->value != NULL ? option->value : "yes|no");
    g_string_append_c(out, '\n');
    append_sentence(out, option->help);
    if (option->only_in_file)
        append_prose(out, prose, option->name);
    append_default_and_example(out, option, example);
}

typedef void (*AppendFunc)(GString *out, const FsMountOption *option,
                           const FsPageProse *prose);

static gboolean
append_section(GString *out, const char *section, AppendFunc func,
               const FsPageProse *prose)
{
    FsOptionSection wanted;

    if (!fs_section_by_name(section, &wanted))
        return FALSE;
    for (const FsMountOption *option = fs_mount_option_table;
         option->name != NULL; option++)
        if (option->section == wanted)
            func(out, option, prose);
    return TRUE;
}

/* The last is followed by nothing: the template goes on. */
static gboolean
append_names(GString *out, const char *section)
{
    FsOptionSection wanted;
    gsize length = out->len;

    if (!fs_section_by_name(section, &wanted))
        return FALSE;
    for (const FsMountOption *option = fs_mount_option_table;
         option->name != NULL; option++) {
        if (option->section != wanted)
            continue;
        if (out->len > length)
            g_string_append(out, ",\n");
        g_string_append(out, "\\fB");
        append_text(out, option->name, TRUE);
        g_string_append(out, option->value != NULL ? "=\\fR" : "\\fR");
    }
    g_string_append_c(out, '\n');
    return TRUE;
}

/* ---- the command line ---- */

static void
append_command(GString *out, const GOptionEntry *entry,
               const FsPageProse *prose)
{
    g_autofree char *word = g_strconcat("--", entry->long_name, NULL);

    g_string_append(out, ".TP\n");
    if (entry->short_name != 0) {
        g_string_append_printf(out, "\\fB\\-%c\\fR", entry->short_name);
        if (entry->arg_description != NULL) {
            g_string_append_c(out, ' ');
            append_value(out, entry->arg_description);
        }
        g_string_append(out, ", ");
    }
    append_code(out, word);
    if (entry->arg_description != NULL) {
        g_string_append(out, entry->short_name != 0 ? "=" : " ");
        append_value(out, entry->arg_description);
    }
    g_string_append_c(out, '\n');
    append_sentence(out, entry->description);
    append_prose(out, prose, word);
}

static void
append_commands(GString *out, const FsPageProse *prose)
{
    g_autofree GOptionEntry *entries = fs_command_line_entries();

    for (const GOptionEntry *entry = entries; entry->description != NULL;
         entry++)
        append_command(out, entry, prose);
}

/* ---- prose ---- */

FsPageProse *
fs_page_prose_new(const char *text)
{
    FsPageProse *prose = g_new0(FsPageProse, 1);
    g_auto(GStrv) pieces = g_strsplit(text, ".\\\" ", -1);

    prose->pieces =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    /* What stands before the first is about the file itself. */
    for (guint i = 1; pieces[0] != NULL && pieces[i] != NULL; i++) {
        gsize name = strcspn(pieces[i], "\n");
        const char *roff = pieces[i] + name + (pieces[i][name] != '\0');

        g_hash_table_insert(prose->pieces, g_strndup(pieces[i], name),
                            g_strdup(roff));
    }
    return prose;
}

void
fs_page_prose_free(FsPageProse *prose)
{
    if (prose == NULL)
        return;
    g_hash_table_unref(prose->pieces);
    g_free(prose);
}

static gboolean
is_command(const char *word)
{
    g_autofree GOptionEntry *entries = fs_command_line_entries();

    for (const GOptionEntry *entry = entries; entry->description != NULL;
         entry++)
        if (g_str_has_prefix(word, "--") &&
            strcmp(word + 2, entry->long_name) == 0)
            return TRUE;
    return FALSE;
}

const char *
fs_page_prose_unknown(const FsPageProse *prose)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, prose->pieces);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (fs_mount_option_find(name) == NULL && !is_command(name))
            return name;
    return NULL;
}

gboolean
fs_page_expand(GString *out, const char *mark, const char *argument,
               const FsPageProse *prose)
{
    if (strcmp(mark, "title") == 0 && argument != NULL) {
        g_string_append_printf(
            out, ".TH %s \"\" \"imapfs " IMAPFS_VERSION "\"\n", argument);
        return TRUE;
    }
    if (strcmp(mark, "commands") == 0) {
        append_commands(out, prose);
        return TRUE;
    }
    if (argument == NULL)
        return FALSE;
    if (strcmp(mark, "options") == 0)
        return append_section(out, argument, append_option, prose);
    if (strcmp(mark, "keys") == 0)
        return append_section(out, argument, append_key, prose);
    if (strcmp(mark, "names") == 0)
        return append_names(out, argument);
    return FALSE;
}
