/* The command line.
 *
 * GLib's parser takes the long options and the order; what stands behind -o is
 * left to mount-options.c, and whether it makes sense together to
 * option-checks.c. Here is the rest: the arguments, and what they ask for. No
 * message repeats the URL or the value of an unknown option, which may be a
 * password. */
#include "fs/options/options.h"

#include "fs/options/account-source.h"
#include "fs/options/mount-options.h"
#include "fs/options/mountpoint.h"
#include "fs/options/option-checks.h"
#include "fs/options/option-values.h"
#include "fs/options/print-config.h"
#include "fs/options/usage-error.h"

#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USAGE "usage: imapfs [options] URL|NAME MOUNTPOINT"

/* As they stand on the command line, before anything is checked. */
typedef struct {
    gboolean foreground, debug, trace, help, version, print_config;
    gboolean verbose, quiet, watch;
    char *wait;
    char *check;
    char *fetch;
    char *status;
    char *config;         /* NULL: the usual file */
    char **mount_options; /* one for each -o */
    char **words;         /* what stands for the account, and mountpoint */
    char **unknown;
} CommandLine;

static void
command_line_clear(CommandLine *line)
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
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandLine, command_line_clear)

/* argv as GLib's parser likes it: "-oro" is two words. */
static char **
copy_arguments(int argc, char **argv)
{
    g_autoptr(GPtrArray) copy = g_ptr_array_new();
    gboolean options_end = FALSE;

    for (int i = 0; i < argc; i++) {
        gboolean is_value = i > 1 && strcmp(argv[i - 1], "-o") == 0;

        if (i > 0 && !is_value && strcmp(argv[i], "--") == 0)
            options_end = TRUE;
        if (i > 0 && !is_value && !options_end &&
            g_str_has_prefix(argv[i], "-o") && argv[i][2] != '\0') {
            g_ptr_array_add(copy, g_strdup("-o"));
            g_ptr_array_add(copy, g_strdup(argv[i] + 2));
        } else {
            g_ptr_array_add(copy, g_strdup(argv[i]));
        }
    }
    g_ptr_array_add(copy, NULL);
    return (char **)g_ptr_array_steal(copy, NULL);
}

/* The entries' descriptions are the upper half of --help. */
#define N_ENTRIES 17
static void
fill_entries(GOptionEntry entries[N_ENTRIES], CommandLine *line)
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
fs_options_command_line(void)
{
    static CommandLine nowhere;
    GOptionEntry *entries = g_new0(GOptionEntry, N_ENTRIES);

    fill_entries(entries, &nowhere);
    for (guint i = 0; i < N_ENTRIES; i++)
        entries[i].arg_data = NULL;
    return entries;
}

static gboolean
read_command_line(int argc, char **argv, CommandLine *line, GError **error)
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
        return fs_usage_fail(error, "%s; " USAGE, cause->message);
    return TRUE;
}

/* @word: "--name=value" or "-x...". */
static gboolean
refuse_unknown(const char *word, GError **error)
{
    g_autofree char *shown = NULL;
    g_autofree char *name = NULL;
    g_autofree char *printable = NULL;
    const char *nearest = NULL;

    if (g_str_has_prefix(word, "--")) {
        shown = g_strndup(word, strcspn(word, "="));
        name = g_strdelimit(g_strdup(shown + 2), "-", '_');
        if (!fs_choices_check_refused(FS_ORIGIN_COMMAND_LINE, name, error))
            return FALSE;
        nearest = fs_mount_options_nearest(name, FALSE);
    } else {
        const char *first = word + (*word == '-');

        shown = g_strdup_printf("-%.*s", *first != '\0', first);
    }
    printable = fs_option_printable(shown);
    if (nearest != NULL)
        return fs_usage_fail(
            error, "unknown option '%s'; did you mean '-o %s%s'?", printable,
            nearest, fs_mount_options_takes_value(nearest) ? "=..." : "");
    return fs_usage_fail(error,
                         "unknown option '%s'; 'imapfs --help' lists them all",
                         printable);
}

static gboolean
check_unknown(const CommandLine *line, GError **error)
{
    for (char **word = line->unknown; *word != NULL; word++) {
        if (word != line->unknown && strcmp(*word, "--") != 0)
            return refuse_unknown(*word, error);
    }
    return TRUE;
}

static gboolean
check_words(char **words, GError **error)
{
    guint count = words != NULL ? g_strv_length(words) : 0;

    if (count == 0)
        return fs_usage_fail(error, USAGE " (see 'imapfs --help')");
    if (count == 1 && strstr(words[0], "://") != NULL)
        return fs_usage_fail(error, "the MOUNTPOINT is missing; " USAGE);
    if (count > 2)
        return fs_usage_fail(error, "too many arguments; " USAGE);
    if (count == 2 && strstr(words[1], "://") != NULL &&
        strstr(words[0], "://") == NULL)
        return fs_usage_fail(
            error, "the URL comes first, then the mountpoint; " USAGE);
    return TRUE;
}

static gboolean
refuse_bare(const FsConfFile *file, const char *word, GError **error)
{
    g_autofree char *usual = fs_conf_file_default_path();
    g_autofree char *names = NULL;

    if (file == NULL)
        return fs_usage_fail(
            error,
            "the URL is missing, and there is no file %s that names "
            "an account; " USAGE,
            usual);
    if (fs_conf_file_has(file, word))
        return fs_usage_fail(error, "the MOUNTPOINT is missing; " USAGE);
    if (fs_conf_file_accounts(file)[0] == NULL)
        return fs_usage_fail(
            error,
            "the URL is missing, and %s names no account; add a group "
            "[NAME] with a url",
            fs_conf_file_path(file));
    names = g_strjoinv(", ", (char **)fs_conf_file_accounts(file));
    return fs_usage_fail(
        error,
        "the NAME is missing, for %s has several accounts (%s); write "
        "imapfs NAME MOUNTPOINT",
        fs_conf_file_path(file), names);
}

/* Of "imapfs MOUNTPOINT": the only account there is. NULL: @error says why it
 * is not clear. Caller frees. */
static char *
only_account(const CommandLine *line, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(FsConfFile) file = fs_account_source_file(line->config, &cause);
    const char *const *accounts;

    if (cause != NULL) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return NULL;
    }
    accounts = file != NULL ? fs_conf_file_accounts(file) : NULL;
    if (accounts == NULL || accounts[0] == NULL || accounts[1] != NULL ||
        strcmp(accounts[0], line->words[0]) == 0) {
        refuse_bare(file, line->words[0], error);
        return NULL;
    }
    return g_strdup(accounts[0]);
}

static FsOptions *
options_new(const CommandLine *line)
{
    FsOptions *options = g_new0(FsOptions, 1);

    options->settings = imap_settings_new();
    options->foreground = line->foreground;
    options->debug = line->debug;
    options->trace = line->trace;
    options->verbose = line->verbose;
    options->quiet = line->quiet;
    options->uid = getuid();
    options->gid = getgid();
    options->fuse_options = g_new0(char *, 1);
    fs_mount_options_set_initial(options);
    return options;
}

/* The URL first, for tls= and username= overrule it, whatever the order. */
static gboolean
apply(FsOptions *options, const CommandLine *line, const char *source,
      FsChoices *choices, GError **error)
{
    FsOrigin origin;

    options->url = g_strdup(source);
    if (!fs_account_source_choose(source, line->config, choices, options,
                                  error))
        return FALSE;
    for (char **text = line->mount_options; text != NULL && *text; text++) {
        if (!fs_mount_options_read(choices, *text, error))
            return FALSE;
    }
    if (!fs_choices_apply(choices, options, error))
        return FALSE;
    options->tls_is_chosen =
        fs_choices_origin(choices, fs_mount_option_find("tls"), &origin);

    if (options->debug)
        fs_mount_options_pass_on(options, "debug", NULL);
    if (options->debug || options->trace)
        options->foreground = TRUE;
    return TRUE;
}

static void
print_help(void)
{
    g_autofree GOptionEntry *entries = fs_options_command_line();
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
            printf("  -%c, --%-21s %s\n", entry->short_name, shown,
                   entry->description);
        else
            printf("      --%-21s %s\n", shown, entry->description);
    }
    fputs("\nOptions to write behind -o, as mount(8) and fstab(5) do:\n",
          stdout);
    fputs(mount_options, stdout);
    fflush(stdout);
}

static void
print_version(void)
{
    printf("imapfs %s\nlibfuse %s\n", IMAPFS_VERSION, fuse_pkgversion());
    fflush(stdout);
}

static gboolean
check_alone(const CommandLine *line, const char *command, GError **error)
{
    if (line->words == NULL && line->mount_options == NULL)
        return TRUE;
    return fs_usage_fail(error, "--%s takes the mountpoint and nothing else",
                         command);
}

/* ---- what is no mount ---- */

/* What @options become by the account that @source stands for. */
static gboolean
take_account(FsOptions *options, const CommandLine *line, const char *source,
             GError **error)
{
    g_autoptr(FsChoices) choices = fs_choices_new();

    return apply(options, line, source, choices, error) &&
           fs_options_check(options, error);
}

/* Or a mountpoint: what is an account of the file is one. */
static gboolean
is_account(const CommandLine *line, const char *word)
{
    g_autoptr(FsConfFile) file = NULL;

    if (strchr(word, ':') != NULL ||
        (strchr(word, '@') != NULL && strchr(word, '/') == NULL))
        return TRUE;
    file = fs_account_source_file(line->config, NULL);
    return file != NULL && fs_conf_file_has(file, word);
}

static gboolean
parse_check(FsOptions *options, const CommandLine *line, GError **error)
{
    if (line->words != NULL)
        return fs_usage_fail(error,
                             "--check takes an account and options, and no "
                             "mountpoint");
    return take_account(options, line, line->check, error);
}

static gboolean
parse_fetch(FsOptions *options, CommandLine *line, GError **error)
{
    options->folders =
        line->words != NULL ? g_steal_pointer(&line->words) : g_new0(char *, 1);
    if (is_account(line, line->fetch))
        return take_account(options, line, line->fetch, error);
    if (line->mount_options != NULL)
        return fs_usage_fail(error,
                             "-o is of no use to --fetch MOUNTPOINT: what is "
                             "mounted there has its options already");
    options->mountpoint = g_strdup(line->fetch);
    return TRUE;
}

static gboolean
parse_status(FsOptions *options, CommandLine *line, GError **error)
{
    options->mountpoint = g_steal_pointer(&line->status);
    options->watch = line->watch;
    return check_alone(line, "status", error);
}

static gboolean
parse_wait(FsOptions *options, CommandLine *line, GError **error)
{
    options->mountpoint = g_steal_pointer(&line->wait);
    return check_alone(line, "wait", error);
}

static gboolean
check_commands(const CommandLine *line, GError **error)
{
    guint n_commands = (line->wait != NULL) + (line->check != NULL) +
                       (line->fetch != NULL) + (line->status != NULL);

    if (n_commands > 1)
        return fs_usage_fail(error,
                             "--check, --fetch, --status and --wait are each a "
                             "command of its own; choose one");
    if (line->watch && line->status == NULL)
        return fs_usage_fail(
            error, "--watch is of no use without --status MOUNTPOINT");
    if (line->quiet && (line->verbose || line->debug))
        return fs_usage_fail(error, "-q and -%c are both given; choose one",
                             line->debug ? 'd' : 'v');
    return TRUE;
}

/* FS_OPTIONS_MOUNT: it is none of these. */
static FsOptionsResult
parse_command(FsOptions *options, CommandLine *line, GError **error)
{
    FsOptionsResult command = FS_OPTIONS_MOUNT;
    gboolean is_good = check_commands(line, error);

    if (is_good && line->wait != NULL) {
        command = FS_OPTIONS_WAIT;
        is_good = parse_wait(options, line, error);
    } else if (is_good && line->status != NULL) {
        command = FS_OPTIONS_STATUS;
        is_good = parse_status(options, line, error);
    } else if (is_good && line->check != NULL) {
        command = FS_OPTIONS_CHECK;
        is_good = parse_check(options, line, error);
    } else if (is_good && line->fetch != NULL) {
        command = FS_OPTIONS_FETCH;
        is_good = parse_fetch(options, line, error);
    }
    return is_good ? command : FS_OPTIONS_ERROR;
}

/* Of the account that @source stands for. */
static gboolean
print_account(const CommandLine *line, const char *source, const char *file,
              GError **error)
{
    g_autoptr(FsOptions) options = options_new(line);
    g_autoptr(FsChoices) choices = fs_choices_new();
    g_autofree char *text = NULL;

    if (!apply(options, line, source, choices, error) ||
        !fs_options_check(options, error))
        return FALSE;
    text = fs_print_config(options, choices, file);
    printf("%s\n", text);
    return TRUE;
}

static gboolean
print_config(const CommandLine *line, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(FsConfFile) file = fs_account_source_file(line->config, &cause);
    const char *path = file != NULL ? fs_conf_file_path(file) : NULL;
    g_autofree char *usual = fs_conf_file_default_path();

    if (cause != NULL) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    if (line->words != NULL)
        return print_account(line, line->words[0], path, error);
    if (file == NULL)
        return fs_usage_fail(
            error,
            "there is no file %s; make it, or name another one with "
            "--config FILE",
            usual);
    for (const char *const *account = fs_conf_file_accounts(file);
         *account != NULL; account++)
        if (!print_account(line, *account, path, error))
            return FALSE;
    return TRUE;
}

static FsOptionsResult
parse_mount(const CommandLine *line, FsOptions *parsed, GError **error)
{
    g_autofree char *source = NULL;
    guint last;

    if (!check_words(line->words, error))
        return FS_OPTIONS_ERROR;
    last = g_strv_length(line->words) - 1;
    source = last > 0 ? g_strdup(line->words[0]) : only_account(line, error);
    if (source == NULL || !take_account(parsed, line, source, error) ||
        !fs_options_take_mountpoint(parsed, line->words[last], error))
        return FS_OPTIONS_ERROR;
    return FS_OPTIONS_MOUNT;
}

FsOptionsResult
fs_options_parse(int argc, char **argv, FsOptions **options, GError **error)
{
    g_auto(CommandLine) line = {0};
    g_autoptr(FsOptions) parsed = NULL;
    FsOptionsResult command;

    *options = NULL;
    if (!read_command_line(argc, argv, &line, error))
        return FS_OPTIONS_ERROR;
    if (line.help) {
        print_help();
        return FS_OPTIONS_HELP;
    }
    if (line.version) {
        print_version();
        return FS_OPTIONS_VERSION;
    }
    if (!check_unknown(&line, error))
        return FS_OPTIONS_ERROR;
    if (line.print_config)
        return print_config(&line, error) ? FS_OPTIONS_CONFIG
                                          : FS_OPTIONS_ERROR;

    parsed = options_new(&line);
    command = parse_command(parsed, &line, error);
    if (command == FS_OPTIONS_MOUNT)
        command = parse_mount(&line, parsed, error);
    if (command != FS_OPTIONS_ERROR)
        *options = g_steal_pointer(&parsed);
    return command;
}

void
fs_options_free(FsOptions *options)
{
    if (options == NULL)
        return;
    g_free(options->url);
    g_free(options->account);
    g_free(options->discover);
    g_free(options->mountpoint);
    imap_settings_free(options->settings);
    g_free(options->cache_dir);
    g_free(options->state_dir);
    g_free(options->new_flags);
    g_free(options->password_file);
    g_free(options->password_command);
    g_free(options->token_command);
    g_free(options->netrc);
    g_free(options->credential);
    g_strfreev(options->fuse_options);
    g_strfreev(options->folders);
    g_free(options);
}
