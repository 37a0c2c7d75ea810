/* The text of --print-config: the options by where they were chosen, that which
 * counts most first, the defaults last. */
#include "fs/options/print-config.h"

#include "fs/options/presets.h"

#include <string.h>

#define HIDDEN "***"

static char *
shown_value(const FsOptions *options, const FsChoices *choices,
            const FsMountOption *option)
{
    char *value = fs_mount_option_show(options, option);

    /* What only libfuse knows. */
    if (value == NULL && option->place == FS_PLACE_NONE) {
        const char *said = fs_choices_value(choices, option);
        FsOrigin origin;

        if (option->passed_on && fs_choices_origin(choices, option, &origin))
            value = g_strdup(said != NULL ? said : "yes");
    }
    if (value != NULL && option->kind == FS_VALUE_COMMAND) {
        g_free(value);
        return g_strdup(HIDDEN);
    }
    return value;
}

static void
append_chosen(GString *text, const FsOptions *options, const FsChoices *choices,
              FsOrigin wanted, const char *title)
{
    gboolean titled = FALSE;

    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];
        g_autofree char *value = NULL;
        FsOrigin origin;

        if (!fs_choices_origin(choices, option, &origin) || origin != wanted)
            continue;
        value = shown_value(options, choices, option);
        if (value == NULL)
            continue;
        if (!titled)
            g_string_append_printf(text, "# %s\n", title);
        titled = TRUE;
        g_string_append_printf(text, "%s = %s\n", option->name, value);
    }
}

/* Of others the default is none, or nothing of ours. */
static gboolean
has_default(const FsMountOption *option)
{
    return option->section != FS_SECTION_FUSE &&
           option->section != FS_SECTION_MOUNT &&
           option->section != FS_SECTION_IGNORED &&
           option->section != FS_SECTION_ACCOUNT &&
           (option->place != FS_PLACE_NONE || option->show != NULL);
}

static void
append_defaults(GString *text, const FsOptions *options,
                const FsChoices *choices)
{
    g_string_append(text, "# by default\n");
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        const FsMountOption *option = &fs_mount_option_table[i];
        g_autofree char *value = NULL;
        FsOrigin origin;

        if (!has_default(option) || fs_choices_origin(choices, option, &origin))
            continue;
        value = shown_value(options, choices, option);
        if (value != NULL)
            g_string_append_printf(text, "%s = %s\n", option->name, value);
        else if (option->otherwise != NULL)
            g_string_append_printf(text, "# %s: %s\n", option->name,
                                   option->otherwise);
    }
}

static void
append_server(GString *text, const FsOptions *options)
{
    static const char *const how[] = {
        [IMAP_TLS_IMPLICIT] = "TLS from the start",
        [IMAP_TLS_STARTTLS] = "STARTTLS",
        [IMAP_TLS_OFF] = "no TLS",
    };
    const ImapSettings *settings = options->settings;

    if (options->discover != NULL)
        g_string_append_printf(text, "# server: as %s says\n",
                               options->discover);
    else
        g_string_append_printf(text, "# server: %s, port %u, %s\n",
                               settings->host, imap_settings_port(settings),
                               how[settings->tls]);
}

char *
fs_print_config(const FsOptions *options, const FsChoices *choices,
                const char *file)
{
    GString *text = g_string_new(NULL);
    g_autofree char *from_file =
        g_strdup_printf("from %s", file != NULL ? file : "the file");
    FsOrigin origin;

    g_string_append_printf(text, "[%s]\n",
                           options->account != NULL ? options->account
                                                    : "account");
    append_server(text, options);
    if (!fs_choices_origin(choices, fs_mount_option_find("url"), &origin))
        g_string_append_printf(text, "url = %s\n", options->url);
    append_chosen(text, options, choices, FS_ORIGIN_COMMAND_LINE,
                  "from the command line");
    append_chosen(text, options, choices, FS_ORIGIN_FILE, from_file);
    if (options->preset != NULL) {
        g_autofree char *title =
            g_strdup_printf("as is usual with %s", options->preset->title);

        append_chosen(text, options, choices, FS_ORIGIN_PRESET, title);
    }
    append_defaults(text, options, choices);
    return g_string_free(text, FALSE);
}
