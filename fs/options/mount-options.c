/* The argument of -o: cut into options, each looked up in the table.
 *
 * A name is refused unless it is in there: an option that is silently dropped
 * looks as if it worked. */
#include "fs/options/mount-options.h"

#include "fs/kernel/errno.h"
#include "fs/options/mount-option-table.h"
#include "fs/options/option-values.h"

#include <string.h>

#define NEAREST_NAME_BYTES 40
#define HELP_COLUMNS 79
#define MEANING_COLUMN 30

static const char *const section_titles[FS_N_SECTIONS] = {
    [FS_SECTION_MAIL] = "Names and dates",
    [FS_SECTION_LOGIN] = "Logging in (or the password is asked for)",
    [FS_SECTION_TLS] = "Encryption",
    [FS_SECTION_NETWORK] = "Network",
    [FS_SECTION_CACHE] = "Cache",
    [FS_SECTION_FILES] = "Files",
    [FS_SECTION_FUSE] = "FUSE",
    [FS_SECTION_MOUNT] = "Passed on as mount(8) gives them",
    [FS_SECTION_IGNORED] = "Accepted, for fstab's sake, without effect",
};

/* Names that get an answer of their own; their values are never shown. */
static const struct {
    const char *name;
    const char *reason;
} refused_options[] = {
    {"blkdev", "imapfs is not on a block device"},
    {"port", "the port stands in the URL: imaps://HOST:PORT/"},
    {"reconnect", "imapfs always does"},
    {"remount", "to change options, unmount and mount again"},
    {"token", "a token given here would show in the list of processes; use "
              "token_command=COMMAND"},
};
static const char *const password_options[] = {
    "password", "pass", "passwd", "passphrase", "secret", NULL,
};

static const FsMountOption *
find_option(const char *name)
{
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        if (strcmp(fs_mount_option_table[i].name, name) == 0)
            return &fs_mount_option_table[i];
    }
    return NULL;
}

gboolean
fs_mount_options_takes_value(const char *name)
{
    const FsMountOption *option = find_option(name);

    return option != NULL && option->value != NULL;
}

/* Levenshtein's distance, in one row. */
static guint
edit_distance(const char *a, const char *b)
{
    guint row[NEAREST_NAME_BYTES + 1];
    gsize length = strlen(b);

    g_return_val_if_fail(length <= NEAREST_NAME_BYTES, G_MAXUINT);

    for (guint j = 0; j <= length; j++)
        row[j] = j;
    for (; *a != '\0'; a++) {
        guint diagonal = row[0]++;

        for (guint j = 1; j <= length; j++) {
            guint substituted = diagonal + (*a != b[j - 1]);

            diagonal = row[j];
            row[j] = MIN(MIN(row[j], row[j - 1]) + 1, substituted);
        }
    }
    return row[length];
}

const char *
fs_mount_options_nearest(const char *name)
{
    const char *nearest = NULL;
    gsize length = strlen(name);
    guint least = length < 4 ? 2 : length < 8 ? 3 : 4; /* too far */

    if (length > NEAREST_NAME_BYTES)
        return NULL;
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        guint distance = edit_distance(fs_mount_option_table[i].name, name);

        if (distance < least) {
            least = distance;
            nearest = fs_mount_option_table[i].name;
        }
    }
    return nearest;
}

static gboolean
refuse_unknown(const char *name, GError **error)
{
    g_autofree char *printable = fs_option_printable(name);
    const char *nearest = fs_mount_options_nearest(name);

    if (nearest != NULL)
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "unknown option '%s'; did you mean '%s'?", printable,
                    nearest);
    else
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "unknown option '%s'; 'imapfs --help' lists them all, and "
                    "a comma inside a value is written '\\,'",
                    printable);
    return FALSE;
}

gboolean
fs_mount_options_check_refused(const char *name, GError **error)
{
    if (g_strv_contains(password_options, name)) {
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "option '%s' is refused: a password given here would show "
                    "in the list of processes; use password_file=FILE or "
                    "password_command=COMMAND, or wait to be asked",
                    name);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused_options); i++) {
        if (strcmp(refused_options[i].name, name) == 0) {
            g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                        "option '%s' is refused: %s", name,
                        refused_options[i].reason);
            return FALSE;
        }
    }
    return TRUE;
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

static gboolean
apply_known(FsOptions *options, const FsMountOption *option, const char *value,
            GError **error)
{
    if (option->value == NULL && value != NULL) {
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "option '%s' takes no value", option->name);
        return FALSE;
    }
    if (option->value != NULL && (value == NULL || *value == '\0')) {
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "option '%s' needs a value: %s=%s", option->name,
                    option->name, option->value);
        return FALSE;
    }
    if (option->set != NULL && !option->set(options, option, value, error))
        return FALSE;
    if (option->passed_on)
        fs_mount_options_pass_on(options, option->name, value);
    return TRUE;
}

/* @item: "name" or "name=value"; is cut in two. */
static gboolean
apply_item(FsOptions *options, char *item, GError **error)
{
    const FsMountOption *option;
    char *value = strchr(item, '=');

    if (value != NULL)
        *value++ = '\0';
    if (g_ascii_strncasecmp(item, "x-", 2) == 0)
        return TRUE;
    if (strcmp(item, "user") == 0 && value != NULL)
        return check_user(value, error);
    if (!fs_mount_options_check_refused(item, error))
        return FALSE;
    option = find_option(item);
    if (option == NULL)
        return refuse_unknown(item, error);
    return apply_known(options, option, value, error);
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
fs_mount_options_apply(FsOptions *options, const char *text, GError **error)
{
    while (*text != '\0') {
        g_autofree char *item = next_item(&text);

        if (*item != '\0' && !apply_item(options, item, error))
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

static void
append_meanings(GString *help, FsOptionSection section)
{
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];
        g_autofree char *shown = NULL;

        if (option->section != section)
            continue;
        shown = g_strconcat(option->name, option->value != NULL ? "=" : "",
                            option->value, NULL);
        if (strlen(shown) > MEANING_COLUMN - 3)
            g_string_append_printf(help, "  %s\n%*s", shown, MEANING_COLUMN,
                                   "");
        else
            g_string_append_printf(help, "  %-*s ", MEANING_COLUMN - 3, shown);
        append_wrapped(help, option->help, MEANING_COLUMN);
    }
}

char *
fs_mount_options_help(void)
{
    GString *help = g_string_new(NULL);

    for (FsOptionSection section = 0; section < FS_N_SECTIONS; section++) {
        g_string_append_printf(help, "\n%s:\n", section_titles[section]);
        if (section == FS_SECTION_MOUNT || section == FS_SECTION_IGNORED)
            append_names(help, section);
        else
            append_meanings(help, section);
    }
    return g_string_free(help, FALSE);
}
