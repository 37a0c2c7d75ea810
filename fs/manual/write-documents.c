/* Writes the manual pages and the completions when imapfs is built.
 *
 *     write-documents page TEMPLATE PROSE
 *     write-documents completion TEMPLATE
 *
 * to standard output. Names, values, defaults and meanings come from the table
 * of options and from the words of the command line, so that they are the same
 * everywhere; what a template or the prose says of an option that is not there
 * is an error, and the build ends. */
#include "fs/manual/completion.h"
#include "fs/manual/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
read_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    if (g_file_get_contents(path, &text, NULL, &error))
        return text;
    fprintf(stderr, "write-documents: %s\n", error->message);
    exit(EXIT_FAILURE);
}

/* "@word argument@" alone in a line; cut in two. */
static gboolean
is_mark(char *line, char **argument)
{
    gsize length = strlen(line);

    if (length < 3 || line[0] != '@' || line[length - 1] != '@')
        return FALSE;
    line[length - 1] = '\0';
    *argument = strchr(line, ' ');
    if (*argument != NULL)
        *(*argument)++ = '\0';
    return TRUE;
}

typedef gboolean (*ExpandFunc)(GString *out, const char *mark,
                               const char *argument, gpointer user_data);

static void
expand(const char *path, ExpandFunc func, gpointer user_data)
{
    g_autofree char *text = read_file(path);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; lines[i] != NULL; i++) {
        char *argument;

        if (!is_mark(lines[i], &argument)) {
            g_string_append(out, lines[i]);
            if (lines[i + 1] != NULL)
                g_string_append_c(out, '\n');
        } else if (!func(out, lines[i] + 1, argument, user_data)) {
            fprintf(stderr, "write-documents: %s:%u: cannot be expanded\n",
                    path, i + 1);
            exit(EXIT_FAILURE);
        }
    }
    fputs(out->str, stdout);
}

static gboolean
expand_page(GString *out, const char *mark, const char *argument,
            gpointer user_data)
{
    return fs_page_expand(out, mark, argument, user_data);
}

static gboolean
expand_completion(GString *out, const char *mark, const char *argument,
                  gpointer user_data)
{
    return fs_completion_expand(out, mark, argument);
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "page") == 0) {
        g_autofree char *text = read_file(argv[3]);
        g_autoptr(FsPageProse) prose = fs_page_prose_new(text);
        const char *unknown = fs_page_prose_unknown(prose);

        if (unknown != NULL) {
            fprintf(stderr, "write-documents: %s: there is no '%s'\n", argv[3],
                    unknown);
            return EXIT_FAILURE;
        }
        expand(argv[2], expand_page, prose);
        return EXIT_SUCCESS;
    }
    if (argc == 3 && strcmp(argv[1], "completion") == 0) {
        expand(argv[2], expand_completion, NULL);
        return EXIT_SUCCESS;
    }
    fputs("usage: write-documents page TEMPLATE PROSE\n"
          "       write-documents completion TEMPLATE\n",
          stderr);
    return EXIT_FAILURE;
}
