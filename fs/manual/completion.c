/* One list for all shells, each of which reads it in its own way: so what is
 * offered is the same everywhere. */
#include "fs/manual/completion.h"

#include "fs/options/command-line.h"
#include "fs/options/mount-option-table.h"

#include <string.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char *
kind_name(FsValueKind kind)
{
    switch (kind) {
    case FS_VALUE_FLAG:
        return "flag";
    case FS_VALUE_CHOICE:
        return "choice";
    case FS_VALUE_FILE:
        return "file";
    case FS_VALUE_DIRECTORY:
        return "directory";
    case FS_VALUE_USER:
        return "user";
    case FS_VALUE_GROUP:
        return "group";
    case FS_VALUE_COMMAND:
        return "command";
    case FS_VALUE_TEXT:
    case FS_VALUE_NUMBER:
    case FS_VALUE_SIZE:
        break;
    }
    return "text";
}

/* Inside single quotes fish has escapes, and the others have none; and there a
 * list goes on in the next line only where the line says so. */
static void
append_quoted(GString *out, const char *text, const char *shell)
{
    gboolean is_fish = strcmp(shell, "fish") == 0;

    g_string_append(out, "    '");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            g_string_append(out, is_fish ? "\\'" : "'\\''");
        else if (*c == '\\' && is_fish)
            g_string_append(out, "\\\\");
        else
            g_string_append_c(out, *c);
    }
    g_string_append(out, is_fish ? "' \\\n" : "'\n");
}

/* Those of "DIR|none" that are written as they stand. */
static void
append_words(GString *line, const char *value)
{
    g_auto(GStrv) words = g_strsplit(value, "|", -1);
    const char *separator = "";

    for (guint i = 0; words[i] != NULL; i++) {
        if (!g_ascii_islower(words[i][0]))
            continue;
        g_string_append_printf(line, "%s%s", separator, words[i]);
        separator = " ";
    }
}

static void
append_option(GString *out, const FsMountOption *option, const char *shell)
{
    g_autoptr(GString) line = g_string_new(option->name);

    if (option->value != NULL)
        g_string_append_c(line, '=');
    g_string_append_printf(line, ":%s:", kind_name(option->kind));
    if (option->value != NULL)
        append_words(line, option->value);
    g_string_append_printf(line, ":%s", option->help);
    append_quoted(out, line->str, shell);
}

static void
append_command(GString *out, const GOptionEntry *entry, const char *shell)
{
    const char *argument =
        entry->arg_description != NULL ? entry->arg_description : "";
    g_autofree char *line = g_strdup_printf("--%s:%s:%s", entry->long_name,
                                            argument, entry->description);

    append_quoted(out, line, shell);
    if (entry->short_name == 0)
        return;
    g_free(line);
    line = g_strdup_printf("-%c:%s:%s", entry->short_name, argument,
                           entry->description);
    append_quoted(out, line, shell);
}

gboolean
fs_completion_expand(GString *out, const char *mark, const char *argument)
{
    g_autofree GOptionEntry *entries = fs_command_line_entries();

    if (argument == NULL || !g_strv_contains(shells, argument))
        return FALSE;
    if (strcmp(mark, "options") == 0) {
        for (const FsMountOption *option = fs_mount_option_table;
             option->name != NULL; option++)
            if (!option->only_in_file)
                append_option(out, option, argument);
        return TRUE;
    }
    if (strcmp(mark, "commands") == 0) {
        for (const GOptionEntry *entry = entries; entry->description != NULL;
             entry++)
            append_command(out, entry, argument);
        return TRUE;
    }
    return FALSE;
}
