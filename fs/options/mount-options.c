/* The argument of -o: cut into options; and what --help says of them.
 *
 * A name is refused unless it is in the table: an option that is silently
 * dropped looks as if it worked. */
#include "fs/options/mount-options.h"

#include "fs/kernel/errno.h"
#include "fs/options/nearest-name.h"

#include <string.h>

#define HELP_COLUMNS 79
#define MEANING_COLUMN 30

gboolean
fs_mount_options_takes_value(const char *name)
{
    const FsMountOption *option = fs_mount_option_find(name);

    return option != NULL && option->value != NULL;
}

const char *
fs_mount_options_nearest(const char *name, gboolean in_file)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++)
        if (in_file || !fs_mount_option_table[i].only_in_file)
            g_ptr_array_add(names, (gpointer)fs_mount_option_table[i].name);
    g_ptr_array_add(names, NULL);
    return fs_nearest_name(name, (const char *const *)names->pdata);
}

void
fs_mount_options_set_initial(FsOptions *options)
{
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];

        if (option->initial != NULL)
            fs_mount_option_set(options, option, option->initial, NULL);
    }
}

/* mount(8), run by an ordinary user, turns the "user" of fstab into "user="
 * with that user's name. Anything else is meant for the server. */
static gboolean
check_user(const char *value, GError **error)
{
    if (strcmp(value, g_get_user_name()) == 0)
        return TRUE;
    g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                "option 'user=' belongs to mount(8); write username= for the "
                "user at the server");
    return FALSE;
}

void
fs_mount_options_pass_on(FsOptions *options, const char *name,
                         const char *value)
{
    GString *text = g_string_new(name);
    guint count = g_strv_length(options->fuse_options);

    if (value != NULL)
        g_string_append_c(text, '=');
    for (const char *at = value; at != NULL && *at != '\0'; at++) {
        if (*at == ',' || *at == '\\')
            g_string_append_c(text, '\\');
        g_string_append_c(text, *at);
    }
    options->fuse_options =
        g_renew(char *, options->fuse_options, (gsize)count + 2);
    options->fuse_options[count] = g_string_free(text, FALSE);
    options->fuse_options[count + 1] = NULL;
}

/* @item: "name" or "name=value"; is cut in two. */
static gboolean
read_item(FsChoices *choices, char *item, GError **error)
{
    char *value = strchr(item, '=');

    if (value != NULL)
        *value++ = '\0';
    if (g_ascii_strncasecmp(item, "x-", 2) == 0)
        return TRUE;
    if (strcmp(item, "user") == 0 && value != NULL)
        return check_user(value, error);
    return fs_choices_add(choices, FS_ORIGIN_COMMAND_LINE, NULL, item, value,
                          error);
}

/* Takes the text up to the next comma off @text. */
static char *
next_item(const char **text)
{
    GString *item = g_string_new(NULL);
    const char *at = *text;

    for (; *at != '\0' && *at != ','; at++) {
        if (at[0] == '\\' && (at[1] == ',' || at[1] == '\\'))
            at++;
        g_string_append_c(item, *at);
    }
    *text = *at == ',' ? at + 1 : at;
    return g_string_free(item, FALSE);
}

gboolean
fs_mount_options_read(FsChoices *choices, const char *text, GError **error)
{
    while (*text != '\0') {
        g_autofree char *item = next_item(&text);

        if (*item != '\0' && !read_item(choices, item, error))
            return FALSE;
    }
    return TRUE;
}

static void
append_names(GString *help, FsOptionSection section)
{
    gsize column = 0;

    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];

        if (option->section != section)
            continue;
        if (column == 0 || column + strlen(option->name) > HELP_COLUMNS - 4) {
            g_string_append(help, column == 0 ? " " : "\n ");
            column = 1;
        }
        g_string_append_printf(help, " %s%s", option->name,
                               option->value != NULL ? "=" : "");
        column += strlen(option->name) + 2;
    }
    g_string_append(help, section == FS_SECTION_IGNORED ? " x-*\n" : "\n");
}

/* @text, broken into lines that begin at @column. */
static void
append_wrapped(GString *help, const char *text, gsize column)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    gsize at = column;

    for (guint i = 0; words[i] != NULL; i++) {
        gsize length = strlen(words[i]);

        if (i > 0 && at + 1 + length > HELP_COLUMNS) {
            g_string_append_printf(help, "\n%*s", (int)column, "");
            at = column;
        } else if (i > 0) {
            g_string_append_c(help, ' ');
            at++;
        }
        g_string_append(help, words[i]);
        at += length;
    }
    g_string_append_c(help, '\n');
}

static char *
meaning_of(const FsMountOption *option)
{
    const char *usual =
        option->initial != NULL ? option->initial : option->otherwise;

    if (usual == NULL)
        return g_strdup(option->help);
    return g_strdup_printf("%s (default: %s)", option->help, usual);
}

static void
append_meanings(GString *help, FsOptionSection section)
{
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];
        g_autofree char *shown = NULL;
        g_autofree char *meaning = NULL;

        if (option->section != section)
            continue;
        shown = g_strconcat(option->name, option->value != NULL ? "=" : "",
                            option->value, NULL);
        meaning = meaning_of(option);
        if (strlen(shown) > MEANING_COLUMN - 3)
            g_string_append_printf(help, "  %s\n%*s", shown, MEANING_COLUMN,
                                   "");
        else
            g_string_append_printf(help, "  %-*s ", MEANING_COLUMN - 3, shown);
        append_wrapped(help, meaning, MEANING_COLUMN);
    }
}

char *
fs_mount_options_help(void)
{
    GString *help = g_string_new(NULL);

    for (FsOptionSection section = 0; section < FS_N_SECTIONS; section++) {
        g_string_append_printf(help, "\n%s:\n",
                               fs_option_section_titles[section]);
        if (section == FS_SECTION_MOUNT || section == FS_SECTION_IGNORED)
            append_names(help, section);
        else
            append_meanings(help, section);
    }
    return g_string_free(help, FALSE);
}
