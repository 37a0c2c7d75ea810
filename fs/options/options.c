/* The command line.
 *
 * GLib's parser takes the long options and the order; what stands behind -o is
 * left to mount-options.c. Here is the rest: the two arguments, and what they
 * ask for; whether it makes sense together is seen to by option-checks.c. No
 * message repeats the URL or the value of an unknown option, which may be a
 * password. */
#include "fs/options/options.h"

#include "fs/kernel/crawlers.h"
#include "fs/options/account-source.h"
#include "fs/options/command-line.h"
#include "fs/options/mount-option-table.h"
#include "fs/options/mount-options.h"
#include "fs/options/mountpoint.h"
#include "fs/options/option-checks.h"
#include "fs/options/option-values.h"
#include "fs/options/print-config.h"
#include "fs/options/usage-error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* @word: "--name=value" or "-x...". */
static gboolean
refuse_unknown(const char *word, GError **error)
{
    g_autofree char *shown = NULL;
    g_autofree char *name = NULL;
    g_autofree char *printable = NULL;
    const char *own = NULL;
    const char *nearest = NULL;

    if (g_str_has_prefix(word, "--")) {
        shown = g_strndup(word, strcspn(word, "="));
        own = fs_command_line_nearest(shown + 2);
        name = g_strdelimit(g_strdup(shown + 2), "-", '_');
        if (!fs_choices_check_refused(FS_ORIGIN_COMMAND_LINE, name, error))
            return FALSE;
        nearest = fs_mount_options_nearest(name, FALSE);
    } else {
        const char *first = word + (*word == '-');

        shown = g_strdup_printf("-%.*s", *first != '\0', first);
    }
    printable = fs_option_printable(shown);
    /* "--ro" is what one writes behind -o, and "--chek" is not. */
    if (own != NULL && (nearest == NULL || !fs_mount_option_find(name)))
        return fs_usage_fail(error, "unknown option '%s'; did you mean '--%s'?",
                             printable, own);
    if (nearest != NULL)
        return fs_usage_fail(
            error, "unknown option '%s'; did you mean '-o %s%s'?", printable,
            nearest, fs_mount_options_takes_value(nearest) ? "=..." : "");
    return fs_usage_fail(error,
                         "unknown option '%s'; 'imapfs --help' lists them all",
                         printable);
}

static gboolean
check_unknown(const FsCommandLine *line, GError **error)
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
        return fs_usage_fail(error, FS_USAGE " (see 'imapfs --help')");
    if (count == 1 && strstr(words[0], "://") != NULL)
        return fs_usage_fail(error, "the MOUNTPOINT is missing; " FS_USAGE);
    if (count > 2)
        return fs_usage_fail(error, "too many arguments; " FS_USAGE);
    if (count == 2 && strstr(words[1], "://") != NULL &&
        strstr(words[0], "://") == NULL)
        return fs_usage_fail(
            error, "the URL comes first, then the mountpoint; " FS_USAGE);
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
            "an account; " FS_USAGE,
            usual);
    if (fs_conf_file_has(file, word))
        return fs_usage_fail(error, "the MOUNTPOINT is missing; " FS_USAGE);
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
        "imapfs NAME MOUNTPOINT, or imapfs --all MOUNTPOINT",
        fs_conf_file_path(file), names);
}

/* Of "imapfs MOUNTPOINT": the only account there is. NULL: @error says why it
 * is not clear. Caller frees. */
static char *
only_account(const FsCommandLine *line, GError **error)
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
options_new(const FsCommandLine *line)
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
    options->crawlers = g_strdup(fs_crawlers_default);
    return options;
}

/* The URL first, for tls= and username= overrule it, whatever the order. */
static gboolean
apply(FsOptions *options, const FsCommandLine *line, const char *source,
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

static gboolean
check_alone(const FsCommandLine *line, const char *command, GError **error)
{
    if (line->words == NULL && line->mount_options == NULL)
        return TRUE;
    return fs_usage_fail(error, "--%s takes the mountpoint and nothing else",
                         command);
}

/* ---- what is no mount ---- */

/* What @options become by the account that @source stands for. */
static gboolean
take_account(FsOptions *options, const FsCommandLine *line, const char *source,
             GError **error)
{
    g_autoptr(FsChoices) choices = fs_choices_new();

    return apply(options, line, source, choices, error) &&
           fs_options_check(options, error);
}

/* Or a mountpoint: what is an account of the file is one. */
static gboolean
is_account(const FsCommandLine *line, const char *word)
{
    g_autoptr(FsConfFile) file = NULL;

    if (strchr(word, ':') != NULL ||
        (strchr(word, '@') != NULL && strchr(word, '/') == NULL))
        return TRUE;
    file = fs_account_source_file(line->config, NULL);
    return file != NULL && fs_conf_file_has(file, word);
}

static gboolean
parse_check(FsOptions *options, const FsCommandLine *line, GError **error)
{
    if (line->words != NULL)
        return fs_usage_fail(error,
                             "--check takes an account and options, and no "
                             "mountpoint");
    return take_account(options, line, line->check, error);
}

static gboolean
parse_fetch(FsOptions *options, FsCommandLine *line, GError **error)
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
parse_status(FsOptions *options, FsCommandLine *line, GError **error)
{
    options->mountpoint = g_steal_pointer(&line->status);
    options->watch = line->watch;
    return check_alone(line, "status", error);
}

static gboolean
parse_wait(FsOptions *options, FsCommandLine *line, GError **error)
{
    options->mountpoint = g_steal_pointer(&line->wait);
    return check_alone(line, "wait", error);
}

#define ONE_COMMAND                                                            \
    "--check, --fetch, --status and --wait are each a command of its own; "    \
    "choose one"

/* An empty word, or one that can only be an option, is a slip. */
static gboolean
check_objects(const FsCommandLine *line, GError **error)
{
    const struct {
        const char *name, *value, *wanted;
    } commands[] = {
        {"check", line->check, "ACCOUNT"},
        {"fetch", line->fetch, "ACCOUNT or MOUNTPOINT"},
        {"status", line->status, "MOUNTPOINT"},
        {"wait", line->wait, "MOUNTPOINT"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *value = commands[i].value;

        if (value == NULL || (*value != '-' && *value != '\0'))
            continue;
        for (guint j = 0; j < G_N_ELEMENTS(commands); j++)
            if (g_str_has_prefix(value, "--") &&
                g_str_equal(value + 2, commands[j].name))
                return fs_usage_fail(error, ONE_COMMAND);
        return fs_usage_fail(error, "--%s has its %s right behind it",
                             commands[i].name, commands[i].wanted);
    }
    return TRUE;
}

static gboolean
check_commands(const FsCommandLine *line, GError **error)
{
    guint n_commands = (line->wait != NULL) + (line->check != NULL) +
                       (line->fetch != NULL) + (line->status != NULL);

    if (n_commands > 1)
        return fs_usage_fail(error, ONE_COMMAND);
    if (line->watch && line->status == NULL)
        return fs_usage_fail(
            error, "--watch is of no use without --status MOUNTPOINT");
    if (line->quiet && (line->verbose || line->debug))
        return fs_usage_fail(error, "-q and -%c are both given; choose one",
                             line->debug ? 'd' : 'v');
    return check_objects(line, error);
}

/* FS_OPTIONS_MOUNT: it is none of these. */
static FsOptionsResult
parse_command(FsOptions *options, FsCommandLine *line, GError **error)
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

/* Each of them is looked at later (fs/commands/mount-all.h). */
static FsOptionsResult
parse_all(const FsCommandLine *line, FsOptions *parsed, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(FsConfFile) file = fs_account_source_file(line->config, &cause);
    g_autofree char *usual = fs_conf_file_default_path();

    if (cause != NULL) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FS_OPTIONS_ERROR;
    }
    if (line->words == NULL || line->words[1] != NULL)
        fs_usage_fail(error, "--all takes the mountpoint and nothing else: "
                             "imapfs --all MOUNTPOINT");
    else if (file == NULL)
        fs_usage_fail(error,
                      "there is no file %s with accounts; make it, or name "
                      "another one with --config FILE",
                      usual);
    else if (fs_conf_file_accounts(file)[0] == NULL)
        fs_usage_fail(error,
                      "%s names no account; add a group [NAME] with a "
                      "url",
                      fs_conf_file_path(file));
    else {
        parsed->foreground = line->foreground || line->debug || line->trace;
        parsed->nonempty = TRUE; /* as long as that is not known of them */
        parsed->accounts = g_strdupv((char **)fs_conf_file_accounts(file));
        if (fs_options_take_mountpoint(parsed, line->words[0], error))
            return FS_OPTIONS_ALL;
    }
    return FS_OPTIONS_ERROR;
}

/* Of the account that @source stands for; also if it would not do, for that is
 * when somebody wants to see it. */
static gboolean
print_account(const FsCommandLine *line, const char *source, const char *file,
              GError **error)
{
    g_autoptr(FsOptions) options = options_new(line);
    g_autoptr(FsChoices) choices = fs_choices_new();
    g_autofree char *text = NULL;

    if (!apply(options, line, source, choices, error))
        return FALSE;
    text = fs_print_config(options, choices, file);
    printf("%s\n", text);
    return fs_options_check(options, error);
}

static gboolean
print_config(const FsCommandLine *line, GError **error)
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

/* What stands for the account. Caller frees. */
static char *
source_of(const FsCommandLine *line, GError **error)
{
    return line->words[1] != NULL ? g_strdup(line->words[0])
                                  : only_account(line, error);
}

FsOptions *
fs_options_read_again(const FsOptions *options, GError **error)
{
    g_auto(FsCommandLine) line = {0};
    g_autoptr(FsOptions) again = NULL;
    g_autofree char *source = NULL;
    char *config;

    if (!fs_command_line_read(&line, (int)g_strv_length(options->arguments),
                              options->arguments, error) ||
        !check_words(line.words, error))
        return NULL;
    config = g_steal_pointer(&line.config);
    line.config = config != NULL ? fs_option_absolute_path(config) : NULL;
    g_free(config);
    again = options_new(&line);
    source = options->account != NULL ? g_strdup(options->account)
                                      : source_of(&line, error);
    if (source == NULL || !take_account(again, &line, source, error))
        return NULL;
    return g_steal_pointer(&again);
}

static FsOptionsResult
parse_mount(const FsCommandLine *line, FsOptions *parsed, GError **error)
{
    g_autofree char *source = NULL;
    guint last;

    if (!check_words(line->words, error))
        return FS_OPTIONS_ERROR;
    last = g_strv_length(line->words) - 1;
    source = source_of(line, error);
    if (source == NULL || !take_account(parsed, line, source, error) ||
        !fs_options_take_mountpoint(parsed, line->words[last], error))
        return FS_OPTIONS_ERROR;
    return FS_OPTIONS_MOUNT;
}

FsOptionsResult
fs_options_parse(int argc, char **argv, FsOptions **options, GError **error)
{
    g_auto(FsCommandLine) line = {0};
    g_autoptr(FsOptions) parsed = NULL;
    FsOptionsResult command;

    *options = NULL;
    fs_option_note_directory();
    if (!fs_command_line_read(&line, argc, argv, error))
        return FS_OPTIONS_ERROR;
    if (line.help) {
        fs_command_line_print_help();
        return FS_OPTIONS_HELP;
    }
    if (line.version) {
        fs_command_line_print_version();
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
        command = line.all ? parse_all(&line, parsed, error)
                           : parse_mount(&line, parsed, error);
    if (command == FS_OPTIONS_ERROR)
        return command;
    parsed->arguments = g_strdupv(argv);
    *options = g_steal_pointer(&parsed);
    return command;
}

gboolean
fs_options_parse_account(int argc, char **argv, const char *account,
                         const char *top, FsOptions **options, GError **error)
{
    g_auto(FsCommandLine) line = {0};
    g_autoptr(FsOptions) parsed = NULL;

    if (!fs_command_line_read(&line, argc, argv, error))
        return FALSE;
    parsed = options_new(&line);
    if (!take_account(parsed, &line, account, error))
        return FALSE;
    parsed->top = g_strdup(top);
    parsed->mountpoint = g_build_filename(top, account, NULL);
    parsed->arguments = g_strdupv(argv);
    *options = g_steal_pointer(&parsed);
    return TRUE;
}

void
fs_options_free(FsOptions *options)
{
    if (options == NULL)
        return;
    g_free(options->url);
    g_free(options->account);
    g_strfreev(options->accounts);
    g_free(options->discover);
    g_free(options->mountpoint);
    g_free(options->top);
    g_strfreev(options->arguments);
    imap_servers_free(options->servers);
    imap_settings_free(options->settings);
    g_free(options->cache_dir);
    g_free(options->state_dir);
    g_free(options->new_flags);
    g_free(options->crawlers);
    g_free(options->password_file);
    g_free(options->password_command);
    g_free(options->token_command);
    g_free(options->netrc);
    g_free(options->credential);
    g_strfreev(options->fuse_options);
    g_strfreev(options->folders);
    g_free(options);
}
