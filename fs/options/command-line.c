/* GLib's parser takes the long options and the order; what stands behind -o is
 * left to mount-options.c. No message repeats the URL or the value of an
 * unknown option, which may be a password. */
#include "fs/options/command-line.h"

#include "fs/kernel/errno.h"
#include "fs/options/mount-options.h"
#include "fs/options/nearest-name.h"
#include "fs/options/usage-error.h"

#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>

void
fs_command_line_clear(FsCommandLine *line)
{
    g_strfreev(line->mount_options);
    g_free(line->wait);
    g_free(line->config);
    g_free(line->check);
    g_free(line->fetch);
    g_free(line->status);
    g_strfreev(line->words);
    g_strfreev(line->unknown);
}

/* Whether @word stands in front of a value of its own. */
static gboolean
takes_value(const char *word)
{
    static const char *const words[] = {"-o", "--options", "--config", NULL};

    return g_strv_contains(words, word);
}

/* Whether @word is a command, in front of what it is done with. */
static gboolean
is_command(const char *word)
{
    static const char *const words[] = {"--wait", "--check", "--fetch",
                                        "--status", NULL};

    return g_strv_contains(words, word);
}

/* argv as GLib's parser likes it: "-oro" is two words, and options that stand
 * between a command and what it is done with come before both. */
static char **
copy_arguments(int argc, char **argv)
{
    g_autoptr(GPtrArray) copy = g_ptr_array_new();
    const char *command = NULL; /* which waits for that */
    gboolean options_end = FALSE;

    for (int i = 0; i < argc; i++) {
        gboolean is_value = i > 1 && takes_value(argv[i - 1]);
        gboolean is_option =
            i > 0 && !is_value && !options_end && *argv[i] == '-';

        if (is_option && strcmp(argv[i], "--") == 0)
            options_end = TRUE;
        if (is_option && is_command(argv[i]) && command == NULL &&
            i + 1 < argc && *argv[i + 1] == '-') {
            command = argv[i];
            continue;
        }
        if (command != NULL && !is_value && (!is_option || options_end))
            g_ptr_array_add(copy, g_strdup(g_steal_pointer(&command)));
        if (is_option && g_str_has_prefix(argv[i], "-o") &&
            argv[i][2] != '\0') {
            g_ptr_array_add(copy, g_strdup("-o"));
            g_ptr_array_add(copy, g_strdup(argv[i] + 2));
        } else {
            g_ptr_array_add(copy, g_strdup(argv[i]));
        }
    }
    if (command != NULL)
        g_ptr_array_add(copy, g_strdup(command));
    g_ptr_array_add(copy, NULL);
    return (char **)g_ptr_array_steal(copy, NULL);
}

/* The entries' descriptions are the upper half of --help. */
#define N_ENTRIES 18
#define NAME_COLUMNS 21
static void
fill_entries(GOptionEntry entries[N_ENTRIES], FsCommandLine *line)
{
    const GOptionEntry filled[N_ENTRIES] = {
        {"options", 'o', 0, G_OPTION_ARG_FILENAME_ARRAY, &line->mount_options,
         "options, separated by commas; see below", "A,B=C,..."},
        {"foreground", 'f', 0, G_OPTION_ARG_NONE, &line->foreground,
         "stay in the foreground", NULL},
        {"debug", 'd', 0, G_OPTION_ARG_NONE, &line->debug,
         "tell what happens, and stay in the foreground", NULL},
        {"trace", 0, 0, G_OPTION_ARG_NONE, &line->trace,
         "show the IMAP protocol, without secrets; likewise", NULL},
        {"wait", 0, 0, G_OPTION_ARG_FILENAME, &line->wait,
         "wait until the server has what was changed there", "MOUNTPOINT"},
        {"check", 0, 0, G_OPTION_ARG_FILENAME, &line->check,
         "try out whether a mount would work, and report", "ACCOUNT"},
        {"fetch", 0, 0, G_OPTION_ARG_FILENAME, &line->fetch,
         "fill the cache, for when there is no line", "MOUNTPOINT|ACCOUNT"},
        {"status", 0, 0, G_OPTION_ARG_FILENAME, &line->status,
         "tell how a mount is", "MOUNTPOINT"},
        {"watch", 0, 0, G_OPTION_ARG_NONE, &line->watch,
         "with --status: go on, until Ctrl-C", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &line->verbose,
         "tell of connections, too", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &line->quiet,
         "tell nothing but why it ends", NULL},
        {"all", 0, 0, G_OPTION_ARG_NONE, &line->all,
         "mount every account, as directories of MOUNTPOINT", NULL},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &line->config,
         "the configuration file", "FILE"},
        {"print-config", 0, 0, G_OPTION_ARG_NONE, &line->print_config,
         "show what is in force, of NAME or of all accounts", NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &line->help, "show this text",
         NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &line->version,
         "show the version", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &line->words,
         NULL, NULL},
        {.long_name = NULL},
    };

    memcpy(entries, filled, sizeof filled);
}

GOptionEntry *
fs_command_line_entries(void)
{
    static FsCommandLine nowhere;
    GOptionEntry *entries = g_new0(GOptionEntry, N_ENTRIES);

    fill_entries(entries, &nowhere);
    for (guint i = 0; i < N_ENTRIES; i++)
        entries[i].arg_data = NULL;
    return entries;
}

const char *
fs_command_line_nearest(const char *name)
{
    g_autofree GOptionEntry *entries = fs_command_line_entries();
    const char *names[N_ENTRIES + 1];
    guint n_names = 0;

    for (const GOptionEntry *entry = entries; entry->description; entry++)
        names[n_names++] = entry->long_name;
    names[n_names] = NULL;
    return fs_nearest_name(name, names);
}

/* The option that GLib's @message about a missing argument ends with; NULL: it
 * is about something else. @written: as it was written. */
static const GOptionEntry *
find_lonely(const GOptionEntry *entries, const char *message,
            const char **written)
{
    const char *blank = strrchr(message, ' ');

    *written = blank != NULL ? blank + 1 : message;
    for (const GOptionEntry *entry = entries; entry->description; entry++) {
        g_autofree char *full = g_strconcat("--", entry->long_name, NULL);
        const char brief[] = {'-', entry->short_name, '\0'};

        if (entry->arg_description != NULL &&
            (g_str_equal(*written, full) || g_str_equal(*written, brief)))
            return entry;
    }
    return NULL;
}

static void
set_read_error(GError **error, const GOptionEntry *entries, const char *message)
{
    const char *written;
    const GOptionEntry *lonely = find_lonely(entries, message, &written);

    if (lonely != NULL)
        fs_usage_fail(error, "nothing follows %s; write %s %s", written,
                      written, lonely->arg_description);
    else
        fs_usage_fail(error, "%s; " FS_USAGE, message);
}

gboolean
fs_command_line_read(FsCommandLine *line, int argc, char **argv, GError **error)
{
    GOptionEntry entries[N_ENTRIES];
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) cause = NULL;

    line->unknown = copy_arguments(argc, argv);
    fill_entries(entries, line);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_help_enabled(context, FALSE);
    /* GLib's own message would repeat the value of "--password=...". */
    g_option_context_set_ignore_unknown_options(context, TRUE);
    if (!g_option_context_parse_strv(context, &line->unknown, &cause))
        set_read_error(error, entries, cause->message);
    return cause == NULL;
}

void
fs_command_line_print_help(void)
{
    g_autofree GOptionEntry *entries = fs_command_line_entries();
    g_autofree char *mount_options = fs_mount_options_help();

    fputs("Usage: imapfs [options] URL MOUNTPOINT\n"
          "       imapfs [options] NAME MOUNTPOINT\n"
          "       imapfs --check ACCOUNT | --fetch MOUNTPOINT [FOLDER...] |\n"
          "              --status MOUNTPOINT [--watch] | --wait MOUNTPOINT\n\n"
          "Mounts the mail of an IMAP account as a directory: folders are\n"
          "directories, messages are files. The URL is imaps://USER@HOST/, or\n"
          "imap:// with STARTTLS; an @ in USER is written %40. gmail:USER and\n"
          "the like, and USER@DOMAIN, will often do. A NAME is that of an\n"
          "account in the configuration file, ~/.config/imapfs/imapfs.conf,\n"
          "and can be left out if there is but one. To unmount:\n"
          "fusermount3 -u MOUNTPOINT\n\n",
          stdout);
    for (const GOptionEntry *entry = entries; entry->description; entry++) {
        g_autofree char *shown = g_strconcat(
            entry->long_name, entry->arg_description != NULL ? "=" : "",
            entry->arg_description, NULL);

        if (entry->short_name != 0)
            printf("  -%c, --%-*s", entry->short_name, NAME_COLUMNS, shown);
        else
            printf("      --%-*s", NAME_COLUMNS, shown);
        if (strlen(shown) > NAME_COLUMNS)
            printf("\n%*s", NAME_COLUMNS + 8, "");
        printf(" %s\n", entry->description);
    }
    fputs("\nOptions to write behind -o, as mount(8) and fstab(5) do:\n",
          stdout);
    fputs(mount_options, stdout);
    fflush(stdout);
}

void
fs_command_line_print_version(void)
{
    printf("imapfs %s\nlibfuse %s\n", IMAPFS_VERSION, fuse_pkgversion());
    fflush(stdout);
}
