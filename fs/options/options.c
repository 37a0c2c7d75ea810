/* The command line.
 *
 * GLib's parser takes the long options and the order; what stands behind -o is
 * left to mount-options.c. Here is the rest: the two arguments, and
 * whether what was asked for makes sense together. No message repeats the URL
 * or the value of an unknown option, which may be a password. */
#include "fs/options/options.h"

#include "fs/kernel/crawlers.h"
#include "fs/kernel/errno.h"
#include "fs/mount/guarded-stat.h"
#include "fs/options/mount-options.h"
#include "fs/options/option-values.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "usage: imapfs [options] URL MOUNTPOINT"

#define DEFAULT_CONNECTIONS 3
#define DEFAULT_POLL_SECONDS 60
#define DEFAULT_UMASK 077
#define DEFAULT_NEW_FLAGS "\\Seen"

/* As they stand on the command line, before anything is checked. */
typedef struct {
    gboolean foreground, debug, trace, help, version;
    char *wait;
    char **mount_options; /* one for each -o */
    char **words;         /* URL and mountpoint */
    char **unknown;
} CommandLine;

static void
command_line_clear(CommandLine *line)
{
    g_strfreev(line->mount_options);
    g_free(line->wait);
    g_strfreev(line->words);
    g_strfreev(line->unknown);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandLine, command_line_clear)

static gboolean G_GNUC_PRINTF(2, 3)
    fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(
        error, g_error_new_valist(FS_ERROR, FS_ERROR_USAGE, format, arguments));
    va_end(arguments);
    return FALSE;
}

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
#define N_ENTRIES 9
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
        return fail(error, "%s; " USAGE, cause->message);
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
        if (!fs_mount_options_check_refused(name, error))
            return FALSE;
        nearest = fs_mount_options_nearest(name);
    } else {
        const char *first = word + (*word == '-');

        shown = g_strdup_printf("-%.*s", *first != '\0', first);
    }
    printable = fs_option_printable(shown);
    if (nearest != NULL)
        return fail(error, "unknown option '%s'; did you mean '-o %s%s'?",
                    printable, nearest,
                    fs_mount_options_takes_value(nearest) ? "=..." : "");
    return fail(error, "unknown option '%s'; 'imapfs --help' lists them all",
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
        return fail(error, USAGE " (see 'imapfs --help')");
    if (count == 1)
        return fail(error, strstr(words[0], "://") != NULL
                               ? "the MOUNTPOINT is missing; " USAGE
                               : "the URL is missing; " USAGE);
    if (count > 2)
        return fail(error, "too many arguments; " USAGE);
    if (strstr(words[1], "://") != NULL && strstr(words[0], "://") == NULL)
        return fail(error, "the URL comes first, then the mountpoint; " USAGE);
    return TRUE;
}

static FsOptions *
options_new(const CommandLine *line)
{
    FsOptions *options = g_new0(FsOptions, 1);

    options->settings = imap_settings_new();
    options->foreground = line->foreground;
    options->debug = line->debug;
    options->trace = line->trace;
    options->connections = DEFAULT_CONNECTIONS;
    options->poll_seconds = DEFAULT_POLL_SECONDS;
    options->uid = getuid();
    options->gid = getgid();
    options->umask = DEFAULT_UMASK;
    options->new_flags = g_strdup(DEFAULT_NEW_FLAGS);
    options->crawlers = g_strdup(fs_crawlers_default);
    options->fuse_options = g_new0(char *, 1);
    return options;
}

/* The URL first, for tls= and username= overrule it, whatever the order. */
static gboolean
apply(FsOptions *options, const CommandLine *line, GError **error)
{
    g_autoptr(GError) cause = NULL;

    options->url = g_strdup(line->words[0]);
    if (!imap_settings_parse_url(options->settings, options->url, &cause))
        return fail(error, "%s", cause->message);

    for (char **text = line->mount_options; text != NULL && *text; text++) {
        if (!fs_mount_options_apply(options, *text, error))
            return FALSE;
    }

    if (options->debug)
        fs_mount_options_pass_on(options, "debug", NULL);
    if (options->debug || options->trace)
        options->foreground = TRUE;
    return TRUE;
}

static gboolean
is_token_mechanism(const char *mechanism)
{
    return g_strcmp0(mechanism, "XOAUTH2") == 0 ||
           g_strcmp0(mechanism, "OAUTHBEARER") == 0;
}

static gboolean
check_login(const FsOptions *options, GError **error)
{
    const char *mechanism = options->settings->mechanism;
    g_autofree char *lower =
        mechanism != NULL ? g_ascii_strdown(mechanism, -1) : NULL;

    if (options->password_file != NULL && options->password_command != NULL)
        return fail(error, "password_file and password_command are both given; "
                           "choose one");
    if (options->token_command != NULL &&
        (options->password_file != NULL || options->password_command != NULL))
        return fail(error, "token_command and %s are both given; choose one",
                    options->password_file != NULL ? "password_file"
                                                   : "password_command");
    if (options->token_command == NULL && is_token_mechanism(mechanism))
        return fail(error,
                    "auth=%s needs an access token; give "
                    "token_command=COMMAND",
                    lower);
    if (options->token_command != NULL && mechanism != NULL &&
        !is_token_mechanism(mechanism))
        return fail(error,
                    "token_command is of no use to auth=%s; leave out one of "
                    "the two",
                    lower);
    return TRUE;
}

static gboolean
check_readable(const char *name, const char *path, GError **error)
{
    if (path == NULL || access(path, R_OK) == 0)
        return TRUE;
    return fail(error, "%s: cannot read '%s': %s", name, path,
                g_strerror(errno));
}

static gboolean
check_tls(const ImapSettings *settings, GError **error)
{
    if (settings->client_key != NULL && settings->client_cert == NULL)
        return fail(error, "client_key is of no use without its certificate; "
                           "add client_cert=FILE");
    if (settings->fingerprint != NULL && settings->ca_file != NULL)
        return fail(error,
                    "fingerprint and ca_file are both given; choose one: "
                    "a fingerprint trusts one certificate, whoever "
                    "signed it");
    return check_readable("ca_file", settings->ca_file, error) &&
           check_readable("client_cert", settings->client_cert, error) &&
           check_readable("client_key", settings->client_key, error);
}

static gboolean
check_fuse(const FsOptions *options, GError **error)
{
    if (options->allow_other &&
        g_strv_contains((const char *const *)options->fuse_options,
                        "allow_root"))
        return fail(error, "allow_other and allow_root are both given; choose "
                           "one: allow_other lets root in, too");
    return TRUE;
}

/* Resolved as far as that goes, so that it can be found in mountinfo. ENOTCONN
 * is what a mount whose daemon died answers, if it does. */
static gboolean
take_mountpoint(FsOptions *options, const char *path, GError **error)
{
    struct stat attributes;
    int reason = fs_guarded_stat(path, &attributes);
    char *resolved;
    g_autofree char *printable = fs_option_printable(path);

    if (reason != 0) {
        if (reason == ENOENT)
            return fail(error,
                        "mountpoint '%s' does not exist; create it with "
                        "mkdir",
                        printable);
        if (reason != ENOTCONN && reason != ETIMEDOUT)
            return fail(error, "mountpoint '%s': %s", printable,
                        g_strerror(reason));
    } else if (!S_ISDIR(attributes.st_mode)) {
        return fail(error, "mountpoint '%s' is not a directory", printable);
    }

    resolved = realpath(path, NULL);
    if (resolved != NULL) {
        options->mountpoint = g_strdup(resolved);
        free(resolved);
    } else {
        g_autofree char *here = g_get_current_dir();

        options->mountpoint = g_path_is_absolute(path)
                                  ? g_strdup(path)
                                  : g_build_filename(here, path, NULL);
    }
    return TRUE;
}

static void
print_help(void)
{
    GOptionEntry entries[N_ENTRIES];
    CommandLine nowhere = {0};
    g_autofree char *mount_options = fs_mount_options_help();

    fill_entries(entries, &nowhere);
    fputs("Usage: imapfs [options] URL MOUNTPOINT\n\n"
          "Mounts the mail of an IMAP account as a directory: folders are\n"
          "directories, messages are files. The URL is imaps://USER@HOST/, or\n"
          "imap:// with STARTTLS; an @ in USER is written %40. To unmount:\n"
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
check_alone(const CommandLine *line, GError **error)
{
    if (line->words == NULL && line->mount_options == NULL)
        return TRUE;
    return fail(error, "--wait takes the mountpoint and nothing else");
}

FsOptionsResult
fs_options_parse(int argc, char **argv, FsOptions **options, GError **error)
{
    g_auto(CommandLine) line = {0};
    g_autoptr(FsOptions) parsed = NULL;

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

    parsed = options_new(&line);
    if (line.wait != NULL) {
        if (!check_unknown(&line, error) || !check_alone(&line, error))
            return FS_OPTIONS_ERROR;
        parsed->mountpoint = g_steal_pointer(&line.wait);
        *options = g_steal_pointer(&parsed);
        return FS_OPTIONS_WAIT;
    }
    if (!check_unknown(&line, error) || !check_words(line.words, error) ||
        !apply(parsed, &line, error) || !check_login(parsed, error) ||
        !check_tls(parsed->settings, error) || !check_fuse(parsed, error) ||
        !take_mountpoint(parsed, line.words[1], error))
        return FS_OPTIONS_ERROR;
    *options = g_steal_pointer(&parsed);
    return FS_OPTIONS_MOUNT;
}

void
fs_options_free(FsOptions *options)
{
    if (options == NULL)
        return;
    g_free(options->url);
    g_free(options->mountpoint);
    imap_settings_free(options->settings);
    g_free(options->cache_dir);
    g_free(options->state_dir);
    g_free(options->new_flags);
    g_free(options->crawlers);
    g_free(options->password_file);
    g_free(options->password_command);
    g_free(options->token_command);
    g_strfreev(options->fuse_options);
    g_free(options);
}
